//! Just enough HTTP to read `/metrics`, and to talk to the node.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};

use anyhow::{Context, Result, ensure};

/// The body of a plain GET.
pub(crate) fn get(address: SocketAddr, path: &str) -> Result<String> {
    let stream = TcpStream::connect(address).with_context(|| address.to_string())?;
    ask(stream, "GET", path)
}

/// The body of the answer to a request without one.
pub(crate) fn ask(mut stream: impl Read + Write, method: &str, path: &str) -> Result<String> {
    write!(
        stream,
        "{method} {path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n"
    )?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer)?;
    let (head, body) = answer.split_once("\r\n\r\n").context("no HTTP answer")?;
    ensure!(head.starts_with("HTTP/1.1 200"), "{path}: {head}: {body}");
    Ok(body.to_owned())
}
