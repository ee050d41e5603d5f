//! The server that looks at nothing: what the transport alone costs.
//!
//! The same axum, hyper, rustls and runtime as `portcullis serve`; it reads
//! the body to its end and answers with a constant. None of our limits, log
//! lines and metrics are in it, so that they count as ours.

use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;

use anyhow::{Context, Result};
use axum::Router;
use axum::body::Bytes;
use axum::extract::DefaultBodyLimit;
use axum::http::header::CONTENT_TYPE;
use axum::routing::post;
use hyper::server::conn::http1;
use hyper_util::rt::TokioIo;
use hyper_util::service::TowerToHyperService;
use rustls::ServerConfig;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use tokio::net::TcpListener;
use tokio_rustls::TlsAcceptor;

/// A review that is allowed. The API server would compare the uid; the load
/// generator does not.
const ANSWER: &str = concat!(
    r#"{"apiVersion":"admission.k8s.io/v1","kind":"AdmissionReview","#,
    r#""response":{"allowed":true,"uid":"00000000-0000-0000-0000-000000000000"}}"#
);

/// Serves until it is killed. Takes `--tls-cert`, `--tls-key` and `--listen`;
/// passes over the other arguments of `portcullis serve`.
pub(crate) fn noop(arguments: &[String]) -> Result<()> {
    let value = |name: &str| -> Result<&String> {
        let at = arguments.iter().position(|argument| argument == name);
        at.and_then(|at| arguments.get(at + 1))
            .with_context(|| format!("the no-op server needs {name}"))
    };
    let config = config(
        Path::new(value("--tls-cert")?),
        Path::new(value("--tls-key")?),
    )?;
    let address: SocketAddr = value("--listen")?.parse()?;
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()?;
    runtime.block_on(serve(config, address))
}

fn config(cert: &Path, key: &Path) -> Result<ServerConfig> {
    let chain = CertificateDer::pem_file_iter(cert)?.collect::<Result<Vec<_>, _>>()?;
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    Ok(ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()?
        .with_no_client_auth()
        .with_single_cert(chain, PrivateKeyDer::from_pem_file(key)?)?)
}

async fn serve(config: ServerConfig, address: SocketAddr) -> Result<()> {
    let acceptor = TlsAcceptor::from(Arc::new(config));
    let listener = TcpListener::bind(address).await?;
    let answer = |_: Bytes| async { ([(CONTENT_TYPE, "application/json")], ANSWER) };
    let app = Router::new()
        .route("/{phase}/{group}", post(answer))
        .layer(DefaultBodyLimit::disable());
    // The line that `portcullis serve` logs.
    let https = listener.local_addr()?;
    eprintln!(r#"{{"message":"serving","https":"{https}"}}"#);
    loop {
        let (stream, _) = listener.accept().await?;
        stream.set_nodelay(true)?;
        let (acceptor, app) = (acceptor.clone(), app.clone());
        tokio::spawn(async move {
            // A connection that fails is seen by the load generator.
            let Ok(stream) = acceptor.accept(stream).await else {
                return;
            };
            let service = TowerToHyperService::new(app);
            let _ = http1::Builder::new()
                .serve_connection(TokioIo::new(stream), service)
                .await;
        });
    }
}
