//! A connection to the API server that is kept, as an ordinary user's.

use std::path::Path;
use std::sync::Arc;

use anyhow::{Context, Result, ensure};
use http_body_util::{BodyExt, Full};
use hyper::body::Bytes;
use hyper::client::conn::http1::{SendRequest, handshake};
use hyper::header::{CONTENT_TYPE, HOST, WARNING};
use hyper::{Method, Request, StatusCode};
use hyper_util::rt::TokioIo;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName};
use rustls::{ClientConfig, RootCertStore};
use serde_json::Value;
use tokio::net::TcpStream;
use tokio::runtime::{Builder, Runtime};
use tokio_rustls::TlsConnector;

/// Where the API server is, and who asks it.
pub(super) struct Access {
    /// `127.0.0.1:6443`.
    authority: String,
    tls: Arc<ClientConfig>,
}

impl Access {
    /// That of a kubeconfig which `portcullis_cluster` wrote: JSON, with the
    /// names of files.
    pub(super) fn of(kubeconfig: &Path) -> Result<Access> {
        let config: Value = serde_json::from_slice(&std::fs::read(kubeconfig)?)?;
        let text = |pointer: &str| {
            let value = config.pointer(pointer).and_then(Value::as_str);
            value.with_context(|| format!("{} has no {pointer}", kubeconfig.display()))
        };
        let server = text("/clusters/0/cluster/server")?;
        let authority = server.strip_prefix("https://").context("not https")?;
        let mut roots = RootCertStore::empty();
        let ca = text("/clusters/0/cluster/certificate-authority")?;
        roots.add(CertificateDer::from_pem_file(ca)?)?;
        let chain = CertificateDer::pem_file_iter(text("/users/0/user/client-certificate")?)?;
        let key = PrivateKeyDer::from_pem_file(text("/users/0/user/client-key")?)?;
        let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
        let tls = ClientConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()?
            .with_root_certificates(roots)
            .with_client_auth_cert(chain.collect::<Result<_, _>>()?, key)?;
        Ok(Access {
            authority: authority.to_owned(),
            tls: Arc::new(tls),
        })
    }
}

/// What the API server said.
pub(super) struct Answer {
    status: StatusCode,
    /// The headers `Warning`.
    pub(super) warnings: Vec<String>,
    body: Bytes,
}

impl Answer {
    /// Whether the object was made, or would have been.
    pub(super) fn is_created(&self) -> bool {
        self.status == StatusCode::CREATED
    }

    /// Whether admission refused it: 403 by a webhook, 422 by a
    /// ValidatingAdmissionPolicy.
    pub(super) fn is_denied(&self) -> bool {
        matches!(
            self.status,
            StatusCode::FORBIDDEN | StatusCode::UNPROCESSABLE_ENTITY
        )
    }

    /// For messages: what it was.
    pub(super) fn text(&self) -> String {
        let body = String::from_utf8_lossy(&self.body);
        let start: String = body.chars().take(500).collect();
        format!("{} {:?} {start}", self.status, self.warnings)
    }
}

/// One HTTP/1.1 connection. Its runtime is the thread that calls.
pub(super) struct Connection {
    runtime: Runtime,
    authority: String,
    requests: SendRequest<Full<Bytes>>,
}

impl Connection {
    /// Connects.
    pub(super) fn open(access: &Access) -> Result<Connection> {
        let runtime = Builder::new_current_thread().enable_io().build()?;
        let requests = runtime.block_on(async {
            let stream = TcpStream::connect(&access.authority).await?;
            stream.set_nodelay(true)?;
            let connector = TlsConnector::from(Arc::clone(&access.tls));
            let name = ServerName::try_from("localhost")?;
            let stream = connector.connect(name, stream).await?;
            let (requests, connection) = handshake(TokioIo::new(stream)).await?;
            // What ends it is seen by the next request.
            tokio::spawn(connection);
            anyhow::Ok(requests)
        });
        Ok(Connection {
            runtime,
            authority: access.authority.clone(),
            requests: requests.context("the API server is not to be reached")?,
        })
    }

    /// Makes a pod, or with `dryRun=All` as `query` only asks.
    pub(super) fn create(&mut self, namespace: &str, pod: Vec<u8>, query: &str) -> Result<Answer> {
        let path = format!("/api/v1/namespaces/{namespace}/pods?{query}");
        self.call(Method::POST, &path, pod)
    }

    /// Deletes all pods of a namespace, which no node has.
    pub(super) fn delete_all(&mut self, namespace: &str) -> Result<()> {
        let path = format!("/api/v1/namespaces/{namespace}/pods?gracePeriodSeconds=0");
        let answer = self.call(Method::DELETE, &path, vec![])?;
        ensure!(
            answer.status == StatusCode::OK,
            "the pods are still there: {}",
            answer.text()
        );
        Ok(())
    }

    fn call(&mut self, method: Method, path: &str, body: Vec<u8>) -> Result<Answer> {
        let request = Request::builder()
            .method(method)
            .uri(path)
            .header(HOST, &self.authority)
            .header(CONTENT_TYPE, "application/json")
            .body(Full::new(Bytes::from(body)))?;
        let requests = &mut self.requests;
        self.runtime.block_on(async {
            requests.ready().await?;
            let answer = requests.send_request(request).await?;
            let warnings = answer.headers().get_all(WARNING).iter();
            let warnings = warnings.map(|value| String::from_utf8_lossy(value.as_bytes()));
            Ok(Answer {
                status: answer.status(),
                warnings: warnings.map(|text| text.into_owned()).collect(),
                body: answer.into_body().collect().await?.to_bytes(),
            })
        })
    }
}
