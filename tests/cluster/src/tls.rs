//! TLS for the servers that play a part in tests.

use std::sync::Arc;

use anyhow::{Context, Result};
use rustls::ServerConfig;
use rustls_pki_types::pem::PemObject;
use rustls_pki_types::{CertificateDer, PrivateKeyDer};
use tokio_rustls::TlsAcceptor;

use crate::certificates;
use crate::folder::Folder;

/// Makes certificates for the loopback (`ca.crt` is what a client needs), and
/// what ends TLS with them. HTTP/1.1 alone is offered.
pub(crate) fn acceptor(folder: &Folder) -> Result<TlsAcceptor> {
    certificates::write_server(folder)?;
    let read = |name: &str| std::fs::read(folder.path().join(name));
    let certificate = CertificateDer::from_pem_slice(&read("server.crt")?)?;
    let key = PrivateKeyDer::from_pem_slice(&read("server.key")?)?;
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let mut config = ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()?
        .with_no_client_auth()
        .with_single_cert(vec![certificate], key)
        .context("the certificate")?;
    config.alpn_protocols = vec![b"http/1.1".to_vec()];
    Ok(TlsAcceptor::from(Arc::new(config)))
}
