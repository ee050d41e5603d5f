//! A caller of the webhook that is not the API server: each call is a new
//! connection, checked with a `caBundle` as the API server would.

use std::io::{Read, Write};
use std::net::{Ipv4Addr, TcpStream};
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use rustls::crypto::aws_lc_rs::default_provider;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, ServerName};
use rustls::{ClientConfig, ClientConnection, RootCertStore, StreamOwned};

/// As the API server waits for a validating webhook.
const PATIENCE: Duration = Duration::from_secs(3);
/// As it waits for one that writes.
const PATIENCE_WITH_REVIEWS: Duration = Duration::from_secs(10);

/// The CAs that a caller knows.
pub struct Bundle(Arc<ClientConfig>);

impl Bundle {
    /// The text of a `caBundle`: PEM in base64.
    ///
    /// # Errors
    ///
    /// No certificate.
    pub fn parse(text: &str) -> Result<Bundle> {
        let bytes = STANDARD.decode(text).context("a caBundle is base64")?;
        let mut roots = RootCertStore::empty();
        for certificate in CertificateDer::pem_slice_iter(&bytes) {
            roots.add(certificate.context("a caBundle is PEM")?)?;
        }
        let config = ClientConfig::builder_with_provider(Arc::new(default_provider()))
            .with_safe_default_protocol_versions()?
            .with_root_certificates(roots)
            .with_no_client_auth();
        Ok(Bundle(Arc::new(config)))
    }
}

/// One call on a connection of its own.
///
/// # Errors
///
/// The certificate is not of the bundle, or nobody answers.
pub fn call(bundle: &Bundle, host: &str, port: u16) -> Result<()> {
    let mut stream = connect(bundle, host, port)?;
    write!(
        stream,
        "GET /livez HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n"
    )?;
    let mut answer = [0; 15];
    stream.read_exact(&mut answer)?;
    ensure!(
        answer.starts_with(b"HTTP/1.1 200 "),
        "{}",
        String::from_utf8_lossy(&answer)
    );
    Ok(())
}

/// Sends an AdmissionReview to a host at a port; the first line of the answer,
/// and all of it.
///
/// # Errors
///
/// The certificate is not of the bundle, or nobody answers.
pub fn review(
    bundle: &Bundle,
    (host, port): (&str, u16),
    path: &str,
    body: &str,
) -> Result<(String, String)> {
    let mut stream = connect(bundle, host, port)?;
    stream.sock.set_read_timeout(Some(PATIENCE_WITH_REVIEWS))?;
    let length = body.len();
    write!(
        stream,
        "POST {path} HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\
         Content-Type: application/json\r\nContent-Length: {length}\r\n\r\n{body}"
    )?;
    let mut answer = Vec::new();
    // It may close without saying goodbye.
    let _ = stream.read_to_end(&mut answer);
    let answer = String::from_utf8_lossy(&answer).into_owned();
    let first = answer.lines().next().context("no answer")?.to_owned();
    Ok((first, answer))
}

fn connect(
    bundle: &Bundle,
    host: &str,
    port: u16,
) -> Result<StreamOwned<ClientConnection, TcpStream>> {
    let stream = TcpStream::connect((Ipv4Addr::LOCALHOST, port))?;
    stream.set_read_timeout(Some(PATIENCE))?;
    let name = ServerName::try_from(host.to_owned())?;
    let connection = ClientConnection::new(Arc::clone(&bundle.0), name)?;
    Ok(StreamOwned::new(connection, stream))
}
