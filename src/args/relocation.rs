//! The options of relocation.

use clap::Args;

use super::LogFormat;
use super::cluster::Place;

/// `portcullis relocate`.
#[derive(Debug, Args)]
pub struct Relocate {
    /// Which installation
    #[command(flatten)]
    pub place: Place,
    /// How log lines look
    #[arg(long, value_enum, default_value_t)]
    pub log_format: LogFormat,
    /// Which log lines: a level, or the syntax of tracing's EnvFilter
    #[arg(
        long,
        value_name = "FILTER",
        default_value = "info",
        env = "PORTCULLIS_LOG"
    )]
    pub log: String,
}
