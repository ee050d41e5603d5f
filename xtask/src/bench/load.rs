//! The load generator: a process of its own, so that its CPU does not count.
//!
//! One thread a connection; each sends, waits for the answer, sends again.
//! Reads lines from standard input: each is a number of milliseconds to send
//! for, and is answered with one line, a [`Round`].

use std::io::BufRead;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use serde_json::{Value, json};

use super::body::Template;
use crate::client::Client;

/// What every review of the bench asks.
const PATH: &str = "/validate/fail";
/// Requests of a connection before anything is measured.
const WARM_UP: usize = 50;

/// What one round of sending gave.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Round {
    /// Answers.
    pub(crate) requests: u64,
    /// For how long was sent, in seconds.
    pub(crate) seconds: f64,
    /// Half of the answers took no longer, in microseconds.
    pub(crate) p50: f64,
    /// 99 of 100 answers took no longer, in microseconds.
    pub(crate) p99: f64,
}

impl Round {
    fn of(mut took: Vec<u64>, seconds: f64) -> Round {
        took.sort_unstable();
        let at = |share: f64| {
            let index = (took.len() as f64 * share) as usize;
            took.get(index.min(took.len().saturating_sub(1)))
                .map_or(0.0, |nanos| *nanos as f64 / 1000.0)
        };
        Round {
            requests: took.len() as u64,
            seconds,
            p50: at(0.5),
            p99: at(0.99),
        }
    }

    fn line(&self) -> String {
        json!({"requests": self.requests, "seconds": self.seconds, "p50": self.p50, "p99": self.p99})
            .to_string()
    }

    /// Reads what [`load`] printed.
    pub(crate) fn parse(line: &str) -> Result<Round> {
        let round: Value = serde_json::from_str(line)
            .with_context(|| format!("the load generator said {line:?}"))?;
        let number = |name: &str| round[name].as_f64().context("a round lacks a figure");
        Ok(Round {
            requests: round["requests"]
                .as_u64()
                .context("a round lacks a figure")?,
            seconds: number("seconds")?,
            p50: number("p50")?,
            p99: number("p99")?,
        })
    }
}

/// Sends reviews made of a template. Arguments: address, CA file, file of the
/// template, connections.
pub(crate) fn load(arguments: &[String]) -> Result<()> {
    let [address, ca, template, connections] = arguments else {
        anyhow::bail!("the load generator takes an address, a CA, a body and a number");
    };
    let template = Template::new(std::fs::read(PathBuf::from(template))?)?;
    let mut senders = (0..connections.parse::<u64>()?)
        .map(|_| Sender::connect(address.parse()?, Path::new(ca), &template))
        .collect::<Result<Vec<_>>>()?;
    println!("ready");
    for line in std::io::stdin().lock().lines() {
        let time = Duration::from_millis(line?.trim().parse()?);
        println!("{}", round(&mut senders, time)?.line());
    }
    Ok(())
}

fn round(senders: &mut [Sender], time: Duration) -> Result<Round> {
    let started = Instant::now();
    let until = started + time;
    let took = std::thread::scope(|scope| {
        let running: Vec<_> = senders
            .iter_mut()
            .map(|sender| scope.spawn(move || sender.send_until(until)))
            .collect();
        let mut took = Vec::new();
        for thread in running {
            let one = thread
                .join()
                .map_err(|_| anyhow::anyhow!("a sender panicked"))?;
            took.append(&mut one?);
        }
        anyhow::Ok(took)
    })?;
    Ok(Round::of(took, started.elapsed().as_secs_f64()))
}

/// One connection.
struct Sender {
    client: Client,
    body: Template,
}

impl Sender {
    fn connect(address: SocketAddr, ca: &Path, template: &Template) -> Result<Sender> {
        let mut sender = Sender {
            client: Client::connect(address, ca)?,
            body: template.clone(),
        };
        for _ in 0..WARM_UP {
            sender.send()?;
        }
        Ok(sender)
    }

    fn send(&mut self) -> Result<()> {
        static NEXT: AtomicU64 = AtomicU64::new(0);
        let body = self.body.numbered(NEXT.fetch_add(1, Ordering::Relaxed));
        let answer = self.client.post(PATH, body)?;
        let is_allowed = answer
            .windows(ALLOWED.len())
            .any(|part| part == ALLOWED.as_bytes());
        let text = || String::from_utf8_lossy(&answer).into_owned();
        ensure!(is_allowed, "the object was to be allowed: {}", text());
        Ok(())
    }

    fn send_until(&mut self, until: Instant) -> Result<Vec<u64>> {
        let mut took = Vec::with_capacity(65_536);
        loop {
            let started = Instant::now();
            if started >= until {
                return Ok(took);
            }
            self.send()?;
            took.push(u64::try_from(started.elapsed().as_nanos())?);
        }
    }
}

/// In every answer that is expected.
const ALLOWED: &str = r#""allowed":true"#;
