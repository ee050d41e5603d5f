//! A call to ourselves through the Service, checked as the API server checks:
//! what cannot be reached so is not registered.

use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, Result, anyhow, bail};
use rustls::crypto::aws_lc_rs::default_provider;
use rustls::{ClientConfig, RootCertStore};
use rustls_pki_types::pem::PemObject;
use rustls_pki_types::{CertificateDer, ServerName};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;

use super::home::Home;

/// As long as the API server waits for a validating webhook.
const PATIENCE: Duration = Duration::from_secs(3);
/// More than an answer is.
const MAX_ANSWER: u64 = 4096;

/// Where we are called.
#[derive(Debug, Clone)]
pub struct SelfCall {
    /// `SERVICE.NAMESPACE.svc`: what the certificate has to be for.
    pub name: String,
    /// `HOST:PORT`.
    pub address: String,
}

impl SelfCall {
    /// By the Service, or at another address where its name does not resolve.
    pub fn new(home: &Home, address: Option<&str>) -> SelfCall {
        let name = format!("{}.{}.svc", home.service, home.namespace);
        let by_service = format!("{name}:{}", home.port);
        SelfCall {
            address: address.map_or(by_service, ToOwned::to_owned),
            name,
        }
    }

    /// Calls, trusting the CAs of `bundle`, PEM, alone. With `None`, nobody
    /// knows the CA, so that nothing can be called.
    ///
    /// # Errors
    ///
    /// What is in the way, and where.
    pub async fn call(&self, bundle: Option<&str>) -> Result<()> {
        let place = || {
            format!(
                "calling ourselves at https://{} as {}",
                self.address, self.name
            )
        };
        let Some(bundle) = bundle else {
            return Err(anyhow!("no CA is known yet")).with_context(place);
        };
        let called = tokio::time::timeout(PATIENCE, self.try_call(bundle)).await;
        let called = called.unwrap_or_else(|_| Err(anyhow!("no answer in {PATIENCE:?}")));
        called.with_context(place)
    }

    async fn try_call(&self, bundle: &str) -> Result<()> {
        let stream = TcpStream::connect(&self.address).await?;
        let name = ServerName::try_from(self.name.clone())?;
        let mut stream = connector(bundle)?.connect(name, stream).await?;
        let request = format!(
            "GET /livez HTTP/1.1\r\nHost: {}\r\nConnection: close\r\n\r\n",
            self.name
        );
        stream.write_all(request.as_bytes()).await?;
        let mut answer = String::new();
        // Who closes without a word has answered all the same.
        let read = (&mut stream)
            .take(MAX_ANSWER)
            .read_to_string(&mut answer)
            .await;
        if answer.starts_with("HTTP/1.1 200 ") {
            return Ok(());
        }
        read?;
        let line = answer.lines().next().unwrap_or("nothing").to_owned();
        bail!("the answer is not ours: {line}")
    }
}

/// Agrees on TLS with who has a certificate of these CAs, PEM.
pub(super) fn connector(bundle: &str) -> Result<TlsConnector> {
    let mut roots = RootCertStore::empty();
    for certificate in CertificateDer::pem_slice_iter(bundle.as_bytes()) {
        roots.add(certificate?)?;
    }
    let config = ClientConfig::builder_with_provider(Arc::new(default_provider()))
        .with_safe_default_protocol_versions()?
        .with_root_certificates(roots)
        .with_no_client_auth();
    Ok(TlsConnector::from(Arc::new(config)))
}
