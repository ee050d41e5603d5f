//! What the API server does: POST over TLS, on one connection kept open.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::path::Path;
use std::sync::Arc;

use anyhow::{Context, Result, ensure};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, ServerName};
use rustls::{ClientConfig, ClientConnection, RootCertStore, StreamOwned};
use serde_json::Value;

/// A connection to a webhook.
pub(crate) struct Client {
    stream: BufReader<StreamOwned<ClientConnection, TcpStream>>,
}

impl Client {
    /// Connects, trusting certificates of `ca` alone.
    pub(crate) fn connect(address: SocketAddr, ca: &Path) -> Result<Client> {
        let mut roots = RootCertStore::empty();
        for certificate in CertificateDer::pem_file_iter(ca)? {
            roots.add(certificate?)?;
        }
        let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
        let config = ClientConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()?
            .with_root_certificates(roots)
            .with_no_client_auth();
        let name = ServerName::try_from("localhost")?;
        let tls = ClientConnection::new(Arc::new(config), name)?;
        let stream = TcpStream::connect(address).context("the server is not there")?;
        stream.set_nodelay(true)?;
        Ok(Client {
            stream: BufReader::new(StreamOwned::new(tls, stream)),
        })
    }

    /// Posts an AdmissionReview; gives `response` of the answer.
    pub(crate) fn review(&mut self, path: &str, body: &[u8]) -> Result<Value> {
        let mut review: Value = serde_json::from_slice(&self.post(path, body)?)?;
        Ok(review["response"].take())
    }

    /// Posts a body; gives that of the answer.
    pub(crate) fn post(&mut self, path: &str, body: &[u8]) -> Result<Vec<u8>> {
        let head = format!(
            "POST {path}?timeout=10s HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n\
             Content-Length: {}\r\n\r\n",
            body.len()
        );
        let stream = self.stream.get_mut();
        stream.write_all(head.as_bytes())?;
        stream.write_all(body)?;
        stream.flush()?;
        self.answer()
    }

    fn answer(&mut self) -> Result<Vec<u8>> {
        let mut length = 0;
        let mut status = String::new();
        self.stream.read_line(&mut status)?;
        loop {
            let mut line = String::new();
            self.stream.read_line(&mut line)?;
            match line.trim_end().split_once(':') {
                Some((name, value)) if name.eq_ignore_ascii_case("content-length") => {
                    length = value.trim().parse()?;
                }
                Some(_) => {}
                None => break,
            }
        }
        let mut body = vec![0; length];
        self.stream.read_exact(&mut body)?;
        let text = String::from_utf8_lossy(&body);
        ensure!(
            status.starts_with("HTTP/1.1 200"),
            "{}: {text}",
            status.trim()
        );
        Ok(body)
    }
}
