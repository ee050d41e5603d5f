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

/// A review that is allowed, around its uid.
const ANSWER: [&str; 2] = [
    r#"{"apiVersion":"admission.k8s.io/v1","kind":"AdmissionReview","response":{"allowed":true,"uid":""#,
    r#""}}"#,
];
/// The API server writes the uid of a review before anything else, and wants
/// it back; the load generator writes it somewhere, and does not look.
const UID: (&[u8], usize) = (br#""uid":""#, 36);
const NO_UID: &str = "00000000-0000-0000-0000-000000000000";
/// How far the uid is looked for.
const START: usize = 128;

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
    let answer = |body: Bytes| async move { ([(CONTENT_TYPE, "application/json")], allow(&body)) };
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

fn allow(review: &[u8]) -> String {
    let start = &review[..review.len().min(START)];
    let (name, length) = UID;
    let at = start.windows(name.len()).position(|part| part == name);
    let uid = at.and_then(|at| start.get(at + name.len()..at + name.len() + length));
    let uid = uid.and_then(|uid| std::str::from_utf8(uid).ok());
    ANSWER.join(uid.unwrap_or(NO_UID))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_uid_comes_back_where_the_api_server_writes_it() {
        let uid = "82067a65-ea4a-4470-9c0b-0123456789ab";
        let start = r#"{"kind":"AdmissionReview","apiVersion":"admission.k8s.io/v1","request":"#;
        let review = format!(r#"{start}{{"uid":"{uid}","kind":{{}}}}}}"#);
        let answer = allow(review.as_bytes());
        let answer: serde_json::Value = serde_json::from_str(&answer).expect("JSON");
        assert_eq!(answer["response"]["uid"], uid);
        for odd in ["", r#"{"uid":""#, &review[..100]] {
            assert!(allow(odd.as_bytes()).contains(NO_UID), "{odd}");
        }
    }
}
