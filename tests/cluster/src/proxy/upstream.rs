//! The way on to the real API server.

use std::sync::Arc;

use anyhow::{Context, Result};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use hyper::body::Incoming;
use hyper::client::conn::http1;
use hyper::header::HOST;
use hyper::{Request, Response, Uri};
use hyper_util::rt::TokioIo;
use rustls::{ClientConfig, RootCertStore};
use rustls_pki_types::pem::PemObject;
use rustls_pki_types::{CertificateDer, ServerName};
use serde_json::Value;
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;

/// Where the API server is, and how one knows that it is it.
pub(super) struct Upstream {
    authority: String,
    name: ServerName<'static>,
    connector: TlsConnector,
}

impl Upstream {
    /// Reads the cluster of a kubeconfig that has all files inlined.
    pub(super) fn parse(config: &str) -> Result<Upstream> {
        let config: Value = serde_json::from_str(config).context("the kubeconfig")?;
        let cluster = &config["clusters"][0]["cluster"];
        let server = cluster["server"].as_str().context("no `server`")?;
        let server: Uri = server.parse().context("`server`")?;
        let host = server.host().context("`server` has no host")?;
        let ca = cluster["certificate-authority-data"].as_str();
        let ca = STANDARD.decode(ca.context("no `certificate-authority-data`")?)?;
        Ok(Upstream {
            authority: format!("{host}:{}", server.port_u16().unwrap_or(443)),
            name: ServerName::try_from(host.to_owned())?,
            connector: TlsConnector::from(Arc::new(trusting(&ca)?)),
        })
    }

    /// Sends a request as it is, on a connection of its own.
    pub(super) async fn send(&self, mut request: Request<Incoming>) -> Result<Response<Incoming>> {
        let stream = TcpStream::connect(&self.authority).await?;
        stream.set_nodelay(true)?;
        let stream = self.connector.connect(self.name.clone(), stream).await?;
        let (mut sender, connection) = http1::handshake(TokioIo::new(stream)).await?;
        // It ends with the answer's body. An error shows in that, too.
        tokio::spawn(connection);
        let path = request.uri().path_and_query().context("no path")?.as_str();
        *request.uri_mut() = path.parse()?;
        request.headers_mut().insert(HOST, self.authority.parse()?);
        Ok(sender.send_request(request).await?)
    }
}

fn trusting(ca: &[u8]) -> Result<ClientConfig> {
    let mut roots = RootCertStore::empty();
    for certificate in CertificateDer::pem_slice_iter(ca) {
        roots.add(certificate?)?;
    }
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    Ok(ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()?
        .with_root_certificates(roots)
        .with_no_client_auth())
}
