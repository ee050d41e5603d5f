//! What etcd has, byte for byte, by its JSON gateway: no API server stands
//! between, and no cache.

mod object;

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{Ipv4Addr, TcpStream};
use std::sync::mpsc::{Receiver, channel};
use std::time::Duration;

use anyhow::{Context, Result, bail, ensure};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};

use crate::cluster::Cluster;
pub use object::Object;

/// All keys, as etcd says it: from the first to no last one.
const ALL: &str = "AA==";
/// How long a revision that etcd has may take to be told.
const PATIENCE: Duration = Duration::from_secs(20);

/// A key as it was written, or deleted, at a revision.
#[derive(Debug, Clone)]
pub struct Event {
    /// The revision, which is the `resourceVersion` of what was written.
    pub revision: u64,
    /// `/registry/RESOURCE/NAMESPACE/NAME`.
    pub key: String,
    /// What was written; None where it was deleted.
    pub value: Option<Vec<u8>>,
}

/// Everything that etcd has, and every revision from then on.
pub struct Etcd {
    port: u16,
    events: Receiver<Event>,
    last: u64,
}

impl Cluster {
    /// Follows the etcd of this cluster: what there is comes first, in the
    /// order of its revisions.
    ///
    /// # Errors
    ///
    /// The cluster was not started here; etcd does not answer.
    pub fn etcd(&self) -> Result<(Etcd, Vec<Event>)> {
        let setup = self.setup.as_ref().context("it was not started here")?;
        let port = setup.ports.etcd;
        let all = call(port, "kv/range", &json!({"key": ALL, "range_end": ALL}))?;
        let revision = number(&all["header"]["revision"])?;
        let kvs = all["kvs"].as_array().into_iter().flatten();
        let there: Result<Vec<Event>> = kvs.map(|kv| event(&json!({"kv": kv}))).collect();
        let mut there = there?;
        there.sort_by_key(|event| event.revision);
        let asked = json!({"create_request":
            {"key": ALL, "range_end": ALL, "start_revision": (revision + 1).to_string()}});
        let mut lines = Lines::open(port, "watch", &asked)?;
        let (sender, events) = channel();
        // Ends with etcd, or with who listens.
        std::thread::spawn(move || {
            while let Ok(line) = lines.next() {
                for told in line["result"]["events"].as_array().into_iter().flatten() {
                    let Ok(event) = event(told) else { return };
                    if sender.send(event).is_err() {
                        return;
                    }
                }
            }
        });
        let last = revision;
        Ok((Etcd { port, events, last }, there))
    }
}

impl Etcd {
    /// Every event up to what etcd has by now.
    ///
    /// # Errors
    ///
    /// etcd does not answer, or its watch has ended.
    pub fn catch_up(&mut self) -> Result<Vec<Event>> {
        let one = json!({"key": ALL, "range_end": ALL, "limit": 1, "keys_only": true});
        let revision = number(&call(self.port, "kv/range", &one)?["header"]["revision"])?;
        let mut told = Vec::new();
        while self.last < revision {
            let event = self.events.recv_timeout(PATIENCE);
            let event = event.context("etcd tells no more of what it has")?;
            self.last = event.revision;
            told.push(event);
        }
        // Of one transaction there can be more.
        told.extend(self.events.try_iter().inspect(|event| {
            self.last = event.revision;
        }));
        Ok(told)
    }
}

/// Events as the gateway writes them: bytes in base64, numbers as text.
fn event(told: &Value) -> Result<Event> {
    let kv = &told["kv"];
    let bytes = |member: &str| STANDARD.decode(kv[member].as_str().unwrap_or_default());
    let is_deleted = told["type"] == "DELETE";
    Ok(Event {
        revision: number(&kv["mod_revision"])?,
        key: String::from_utf8_lossy(&bytes("key")?).into_owned(),
        value: (!is_deleted).then(|| bytes("value")).transpose()?,
    })
}

fn number(value: &Value) -> Result<u64> {
    let text = value.as_str().context("etcd says no number")?;
    Ok(text.parse()?)
}

fn call(port: u16, path: &str, body: &Value) -> Result<Value> {
    let mut stream = ask(port, path, body, "close")?;
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer)?;
    let text = String::from_utf8_lossy(&answer);
    let (head, body) = text.split_once("\r\n\r\n").context("no HTTP answer")?;
    ensure!(head.starts_with("HTTP/1.1 200"), "etcd, {path}: {head}");
    if !head
        .to_ascii_lowercase()
        .contains("transfer-encoding: chunked")
    {
        return Ok(serde_json::from_str(body)?);
    }
    let mut chunks = BufReader::new(body.as_bytes());
    let mut whole = Vec::new();
    while let Some(chunk) = chunk(&mut chunks)? {
        whole.extend(chunk);
    }
    Ok(serde_json::from_slice(&whole)?)
}

fn ask(port: u16, path: &str, body: &Value, connection: &str) -> Result<TcpStream> {
    let mut stream = TcpStream::connect((Ipv4Addr::LOCALHOST, port)).context("etcd")?;
    let body = body.to_string();
    write!(
        stream,
        "POST /v3/{path} HTTP/1.1\r\nHost: localhost\r\nConnection: {connection}\r\n\
         Content-Type: application/json\r\nContent-Length: {}\r\n\r\n{body}",
        body.len()
    )?;
    Ok(stream)
}

/// A chunk of a body; None at its end.
fn chunk(stream: &mut impl BufRead) -> Result<Option<Vec<u8>>> {
    let mut line = String::new();
    if stream.read_line(&mut line)? == 0 {
        return Ok(None);
    }
    let length = usize::from_str_radix(line.trim(), 16).context("no chunk")?;
    let mut bytes = vec![0; length + 2];
    stream.read_exact(&mut bytes)?;
    bytes.truncate(length);
    Ok((length > 0).then_some(bytes))
}

/// An answer without an end, a line of JSON at a time.
struct Lines {
    stream: BufReader<TcpStream>,
    rest: Vec<u8>,
}

impl Lines {
    fn open(port: u16, path: &str, body: &Value) -> Result<Lines> {
        let mut stream = BufReader::new(ask(port, path, body, "keep-alive")?);
        let mut line = String::new();
        stream.read_line(&mut line)?;
        ensure!(line.starts_with("HTTP/1.1 200"), "etcd, {path}: {line}");
        while line.trim() != "" {
            line.clear();
            stream.read_line(&mut line)?;
        }
        let rest = Vec::new();
        Ok(Lines { stream, rest })
    }

    fn next(&mut self) -> Result<Value> {
        loop {
            if let Some(end) = self.rest.iter().position(|byte| *byte == b'\n') {
                let line: Vec<u8> = self.rest.drain(..=end).collect();
                return Ok(serde_json::from_slice(&line)?);
            }
            match chunk(&mut self.stream)? {
                Some(more) => self.rest.extend(more),
                None => bail!("etcd has ended its answer"),
            }
        }
    }
}
