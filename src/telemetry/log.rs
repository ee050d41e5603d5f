//! Log lines, to standard error.

use std::io::IsTerminal;

use tracing_subscriber::EnvFilter;

use crate::args::LogFormat;

/// A log filter that is none.
#[derive(Debug, thiserror::Error)]
#[error("the log filter `{filter}` is none: write a level (`info`) or `portcullis=debug,info`")]
pub struct BadFilter {
    filter: String,
    #[source]
    source: tracing_subscriber::filter::ParseError,
}

/// Sends log lines to standard error.
///
/// # Errors
///
/// A filter that is none.
pub fn init(format: LogFormat, filter: &str) -> Result<(), BadFilter> {
    let parsed = EnvFilter::try_new(filter).map_err(|source| BadFilter {
        filter: filter.to_owned(),
        source,
    })?;
    let lines = tracing_subscriber::fmt()
        .with_env_filter(parsed)
        .with_writer(std::io::stderr);
    let started = match format {
        LogFormat::Json => lines
            .json()
            .flatten_event(true)
            .with_target(false)
            .try_init(),
        LogFormat::Human => {
            let colour = std::io::stderr().is_terminal() && std::env::var_os("NO_COLOR").is_none();
            lines.with_ansi(colour).with_target(false).try_init()
        }
    };
    // A second start keeps the first: only tests do that.
    let _ = started;
    Ok(())
}
