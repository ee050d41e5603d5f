//! One server under load, and what that costs.

use std::io::{BufRead, BufReader, Write};
use std::path::Path;
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};

use anyhow::{Context, Result, ensure};
use serde_json::{Value, json};

use super::load::Round;
use super::options::Options;
use super::process::{cpu_seconds, resident_megabytes};
use crate::server::Server;

/// A server, by what is in force there.
pub(crate) struct Target {
    /// As the table names it.
    pub(crate) name: String,
    /// The server.
    pub(crate) server: Server,
}

/// A target and what sends to it.
pub(crate) struct Lane<'a> {
    target: &'a Target,
    /// As many connections as were asked for: the server is busy.
    busy: Load,
    /// One connection: nobody waits for another.
    calm: Load,
    rounds: Vec<Measured>,
}

/// The figures of one row.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Measured {
    /// Server CPU of a request, in microseconds, while busy.
    pub(crate) cpu_micros: f64,
    /// Answers a second while busy, the load generator on the same cores.
    pub(crate) per_second: f64,
    /// The same while only one connection sends, in microseconds.
    pub(crate) p50: f64,
    /// See `p50`.
    pub(crate) p99: f64,
    /// While busy.
    pub(crate) busy_p99: f64,
    /// After the last round.
    pub(crate) resident: f64,
}

impl<'a> Lane<'a> {
    /// Connects to a target; the body is in a file.
    pub(crate) fn new(target: &'a Target, body: &Path, options: &Options) -> Result<Lane<'a>> {
        Ok(Lane {
            target,
            busy: Load::start(&target.server, body, options.connections)?,
            calm: Load::start(&target.server, body, 1)?,
            rounds: Vec::new(),
        })
    }

    /// Measures one round. Rounds of several lanes take turns, since this
    /// machine may be quicker now than later.
    pub(crate) fn round(&mut self, options: &Options) -> Result<()> {
        let process = self.target.server.id();
        let before = cpu_seconds(process)?;
        let busy = self.busy.round(options)?;
        let used = cpu_seconds(process)? - before;
        let calm = self.calm.round(options)?;
        ensure!(busy.requests > 0, "`{}` answered nothing", self.target.name);
        self.rounds.push(Measured {
            cpu_micros: used * 1e6 / busy.requests as f64,
            per_second: busy.requests as f64 / busy.seconds,
            p50: calm.p50,
            p99: calm.p99,
            busy_p99: busy.p99,
            resident: resident_megabytes(process)?,
        });
        Ok(())
    }

    /// The median of every figure.
    pub(crate) fn median(&self) -> Measured {
        let of = |figure: fn(&Measured) -> f64| median(self.rounds.iter().map(figure));
        Measured {
            cpu_micros: of(|m| m.cpu_micros),
            per_second: of(|m| m.per_second),
            p50: of(|m| m.p50),
            p99: of(|m| m.p99),
            busy_p99: of(|m| m.busy_p99),
            resident: of(|m| m.resident),
        }
    }
}

/// The middle one of some numbers; zero of none.
pub(crate) fn median(numbers: impl Iterator<Item = f64>) -> f64 {
    let mut numbers: Vec<f64> = numbers.collect();
    numbers.sort_by(f64::total_cmp);
    numbers.get(numbers.len() / 2).copied().unwrap_or_default()
}

impl Measured {
    /// As JSON, with the ratios to another.
    pub(crate) fn json(&self, noop: &Measured) -> Value {
        json!({
            "cpuMicros": self.cpu_micros, "requestsPerSecond": self.per_second,
            "p50Micros": self.p50, "p99Micros": self.p99, "busyP99Micros": self.busy_p99,
            "residentMegabytes": self.resident,
            "toNoop": {
                "cpu": self.cpu_micros / noop.cpu_micros,
                "requestsPerSecond": self.per_second / noop.per_second,
                "p50": self.p50 / noop.p50, "p99": self.p99 / noop.p99,
                "resident": self.resident / noop.resident,
            },
        })
    }
}

/// A load generator that waits for orders.
struct Load {
    process: Child,
    orders: ChildStdin,
    lines: BufReader<ChildStdout>,
}

impl Load {
    fn start(server: &Server, body: &Path, connections: usize) -> Result<Load> {
        let mut process = Command::new(std::env::current_exe()?)
            .args([super::LOAD, &server.https.to_string()])
            .args([server.ca().as_path(), body])
            .arg(connections.to_string())
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .context("the load generator cannot be started")?;
        let orders = process.stdin.take().context("no standard input")?;
        let lines = BufReader::new(process.stdout.take().context("no standard output")?);
        let mut load = Load {
            process,
            orders,
            lines,
        };
        let line = load.line()?;
        ensure!(line == "ready", "the load generator is not ready: {line:?}");
        Ok(load)
    }

    fn round(&mut self, options: &Options) -> Result<Round> {
        writeln!(self.orders, "{}", options.round.as_millis())?;
        Round::parse(&self.line()?)
    }

    fn line(&mut self) -> Result<String> {
        let mut line = String::new();
        self.lines.read_line(&mut line)?;
        Ok(line.trim().to_owned())
    }
}

impl Drop for Load {
    fn drop(&mut self) {
        // It has nothing to lose; its connections end with it.
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}
