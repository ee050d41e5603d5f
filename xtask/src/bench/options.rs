//! What was typed after `cargo xtask bench`.

use std::time::Duration;

use anyhow::{Context, Result, bail, ensure};

/// How to measure.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Options {
    /// Measure the creation of pods on a control plane.
    pub(crate) cluster: bool,
    /// Measure what moves and NetworkPolicies add there.
    pub(crate) effects: bool,
    /// Print one JSON document instead of tables.
    pub(crate) json: bool,
    /// How long one round of sending takes.
    pub(crate) round: Duration,
    /// Rounds of every row; the median is shown.
    pub(crate) rounds: usize,
    /// Connections that send at once where the server is to be busy.
    pub(crate) connections: usize,
    /// Measure the debug build, and do not build: for tests of the bench.
    pub(crate) debug: bool,
    /// Both release builds are there: the bench calls itself with it.
    pub(crate) built: bool,
}

impl Default for Options {
    fn default() -> Self {
        Options {
            cluster: false,
            effects: false,
            json: false,
            round: Duration::from_secs(2),
            rounds: 3,
            connections: 8,
            debug: false,
            built: false,
        }
    }
}

impl Options {
    /// A create takes milliseconds, and many short turns befall whatever else
    /// the machine does alike.
    fn of_cluster() -> Options {
        Options {
            cluster: true,
            round: Duration::from_secs(1),
            rounds: 12,
            connections: 4,
            ..Options::default()
        }
    }

    /// Reads the arguments.
    ///
    /// # Errors
    ///
    /// What is none of them, with those that there are.
    pub(crate) fn parse(arguments: &[String]) -> Result<Options> {
        let mut options = match arguments.iter().any(|argument| argument == "--cluster") {
            true => Options::of_cluster(),
            false => Options::default(),
        };
        let mut rest = arguments.iter().map(String::as_str);
        while let Some(argument) = rest.next() {
            let mut value = || {
                rest.next()
                    .with_context(|| format!("{argument} wants a value"))
            };
            match argument {
                "--output" => match value()? {
                    "json" => options.json = true,
                    "human" => options.json = false,
                    other => bail!("--output is `human` or `json`, not `{other}`"),
                },
                "--seconds" => {
                    let seconds: f64 = value()?.parse().context("--seconds wants a number")?;
                    ensure!(
                        (0.05..=600.0).contains(&seconds),
                        "--seconds is 0.05 to 600"
                    );
                    options.round = Duration::from_secs_f64(seconds);
                }
                "--rounds" => options.rounds = number(value()?, "--rounds")?,
                "--connections" => options.connections = number(value()?, "--connections")?,
                // Seen above: it has defaults of its own.
                "--cluster" => {}
                "--effects" => options.effects = true,
                "--debug" => options.debug = true,
                "--built" => options.built = true,
                other => bail!(
                    "`cargo xtask bench` knows no `{other}`: it takes --cluster, --effects, --output \
                     human|json, --seconds N, --rounds N, --connections N and --debug"
                ),
            }
        }
        Ok(options)
    }
}

fn number(text: &str, name: &str) -> Result<usize> {
    let number: usize = text
        .parse()
        .with_context(|| format!("{name} wants a number"))?;
    ensure!((1..=1_000).contains(&number), "{name} is 1 to 1000");
    Ok(number)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(line: &str) -> Result<Options> {
        let arguments: Vec<String> = line.split_whitespace().map(str::to_owned).collect();
        Options::parse(&arguments)
    }

    #[test]
    fn options_are_read_and_bounded() {
        let options = parse("--output json --seconds 0.1 --rounds 1").expect("options");
        assert!(options.json);
        assert_eq!((options.round.as_millis(), options.rounds), (100, 1));
        let options = parse("--rounds 2 --cluster").expect("options");
        assert!(options.cluster && !options.effects);
        assert!(parse("--effects").expect("options").effects);
        assert_eq!((options.rounds, options.connections), (2, 4));
        for line in [
            "--output",
            "--output xml",
            "--seconds 0",
            "--rounds 0",
            "fast",
        ] {
            assert!(parse(line).is_err(), "{line}");
        }
    }
}
