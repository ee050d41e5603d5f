//! Callers that send reviews over connections that they keep.

use std::io::{Result, Write};
use std::net::SocketAddr;
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use rustls::ClientConfig;
use serde_json::Value;

use crate::serve::{Answer, client, connect, read_answer};

/// Who is called, and by whom its certificate may be signed.
#[derive(Clone)]
pub(super) struct Target {
    pub(super) address: SocketAddr,
    pub(super) tls: ClientConfig,
}

impl Target {
    pub(super) fn new(address: SocketAddr, ca: &Path) -> Target {
        let tls = client(&[ca.to_owned()], &rustls::version::TLS13, None, &[]);
        Target { address, tls }
    }
}

/// A caller with one connection, which it opens as it needs it.
pub(super) struct Caller {
    target: Target,
    kept: Option<crate::serve::Connection>,
}

impl Caller {
    pub(super) fn new(target: &Target) -> Caller {
        Caller {
            target: target.clone(),
            kept: None,
        }
    }

    /// Posts a body; keeps the connection unless the answer says otherwise.
    pub(super) fn post(&mut self, path: &str, body: &[u8]) -> Result<Answer> {
        let mut connection = match self.kept.take() {
            Some(kept) => kept,
            None => connect(self.target.address, self.target.tls.clone())?,
        };
        let length = body.len();
        let head = format!(
            "POST {path} HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n\
             Content-Length: {length}\r\n\r\n"
        );
        let stream = connection.stream.get_mut();
        stream.write_all(&[head.as_bytes(), body].concat())?;
        stream.flush()?;
        let answer = read_answer(&mut connection.stream)?;
        let head = answer.head.to_ascii_lowercase();
        if !head.contains("connection: close") {
            self.kept = Some(connection);
        }
        Ok(answer)
    }

    /// How long a post took that was answered with 200.
    pub(super) fn timed(&mut self, path: &str, body: &[u8]) -> Duration {
        let started = Instant::now();
        let answer = self.post(path, body).expect("an answer");
        assert_eq!(answer.status, 200, "{}", answer.body);
        started.elapsed()
    }
}

/// Tells callers on other threads to end, also where the test fails.
pub(super) struct End<'a>(pub(super) &'a AtomicBool);

impl Drop for End<'_> {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

/// The `response` of an answer.
pub(super) fn response(answer: &Answer) -> Value {
    assert_eq!(answer.status, 200, "{}", answer.body);
    serde_json::from_str::<Value>(&answer.body).expect("JSON")["response"].take()
}

/// The time that `share` of these (0 to 1) keep to.
pub(super) fn quantile(times: &mut [Duration], share: f64) -> Duration {
    assert!(!times.is_empty(), "nothing was timed");
    times.sort();
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_precision_loss,
        clippy::cast_sign_loss,
        reason = "an index into few"
    )]
    let index = (times.len() as f64 * share) as usize;
    times[index.min(times.len() - 1)]
}

/// A member of `/proc/PID/status`, in MiB: `VmRSS`, or its peak `VmHWM`.
pub(super) fn mebibytes(process: u32, member: &str) -> u64 {
    kibibytes(process, member) / 1024
}

/// The same in KiB.
pub(super) fn kibibytes(process: u32, member: &str) -> u64 {
    let status = std::fs::read_to_string(format!("/proc/{process}/status")).expect("Linux");
    let line = status
        .lines()
        .find_map(|line| line.strip_prefix(member)?.strip_prefix(':'));
    let kibibytes = line.and_then(|line| line.split_whitespace().next()?.parse::<u64>().ok());
    kibibytes.expect("a size")
}
