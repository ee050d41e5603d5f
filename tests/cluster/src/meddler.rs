//! Somebody else's mutating webhook.

use std::net::Ipv4Addr;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use anyhow::{Context, Result};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use http_body_util::{BodyExt, Full};
use hyper::body::{Bytes, Incoming};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper::{Request, Response};
use hyper_util::rt::TokioIo;
use serde_json::{Value, json};
use tokio::net::{TcpListener, TcpStream};
use tokio::runtime::Runtime;
use tokio_rustls::TlsAcceptor;

use crate::cluster::Cluster;
use crate::folder::Folder;
use crate::registration::Registration;
use crate::tls;

/// When it is called, and how often.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Turn {
    /// Before Portcullis, once.
    First,
    /// After Portcullis, once.
    Last,
    /// After Portcullis, and again if somebody changes the object after it.
    LastAgain,
}

/// A mutating webhook that changes what it likes, until it is dropped.
pub struct Meddler<'c> {
    _registration: Registration<'c>,
    calls: Arc<AtomicUsize>,
    /// None only while it is dropped.
    runtime: Option<Runtime>,
    _folder: Folder,
}

/// Takes an object; gives the operations of a JSON patch.
type Meddle = dyn Fn(&Value) -> Value + Send + Sync;

impl<'c> Meddler<'c> {
    /// Starts it and registers it for pods that are created in the namespace of
    /// this name. It needs a cluster on this machine.
    ///
    /// # Errors
    ///
    /// The API server refuses the registration.
    pub fn start(
        cluster: &'c Cluster,
        namespace: &str,
        turn: Turn,
        meddle: impl Fn(&Value) -> Value + Send + Sync + 'static,
    ) -> Result<Meddler<'c>> {
        Meddler::of(cluster, namespace, (&["pods"], &["CREATE"]), turn, meddle)
    }

    /// The same for these resources of the core group, and these operations.
    ///
    /// # Errors
    ///
    /// As [`Meddler::start`].
    pub fn of(
        cluster: &'c Cluster,
        namespace: &str,
        (resources, operations): (&[&str], &[&str]),
        turn: Turn,
        meddle: impl Fn(&Value) -> Value + Send + Sync + 'static,
    ) -> Result<Meddler<'c>> {
        let folder = Folder::new(cluster.plane())?;
        let acceptor = tls::acceptor(&folder)?;
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(1)
            .enable_all()
            .build()?;
        let listener = runtime.block_on(TcpListener::bind((Ipv4Addr::LOCALHOST, 0)))?;
        let port = listener.local_addr()?.port();
        let calls = Arc::new(AtomicUsize::new(0));
        runtime.spawn(accept(
            listener,
            acceptor,
            Arc::clone(&calls),
            Arc::new(meddle),
        ));
        // Configurations are called in the order of their names.
        let name = match turn {
            Turn::First => format!("a-{}", crate::unique()),
            Turn::Last | Turn::LastAgain => format!("z-{}", crate::unique()),
        };
        let ca = STANDARD.encode(std::fs::read(folder.path().join("ca.crt"))?);
        let mut configuration = configuration(&name, namespace, port, &ca, turn);
        let rule = json!({"apiGroups": [""], "apiVersions": ["v1"], "resources": resources,
            "operations": operations});
        configuration["webhooks"][0]["rules"] = json!([rule]);
        Ok(Meddler {
            _registration: Registration::apply(cluster, name, &configuration.to_string())?,
            calls,
            runtime: Some(runtime),
            _folder: folder,
        })
    }

    /// How often it was called.
    pub fn calls(&self) -> usize {
        self.calls.load(Ordering::SeqCst)
    }
}

impl Drop for Meddler<'_> {
    fn drop(&mut self) {
        if let Some(runtime) = self.runtime.take() {
            runtime.shutdown_background();
        }
    }
}

fn configuration(name: &str, namespace: &str, port: u16, ca: &str, turn: Turn) -> Value {
    let again = match turn {
        Turn::First | Turn::Last => "Never",
        Turn::LastAgain => "IfNeeded",
    };
    let url = format!("https://127.0.0.1:{port}/");
    json!({
        "apiVersion": "admissionregistration.k8s.io/v1",
        "kind": "MutatingWebhookConfiguration",
        "metadata": {"name": name},
        "webhooks": [{
            "name": "meddler.example.org",
            "admissionReviewVersions": ["v1"],
            "clientConfig": {"url": url, "caBundle": ca},
            // It is called for a moment more after it has ended.
            "failurePolicy": "Ignore",
            "namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": namespace}},
            "reinvocationPolicy": again,
            "sideEffects": "None",
            "timeoutSeconds": 10,
        }],
    })
}

async fn accept(
    listener: TcpListener,
    acceptor: TlsAcceptor,
    calls: Arc<AtomicUsize>,
    meddle: Arc<Meddle>,
) {
    while let Ok((stream, _)) = listener.accept().await {
        let (calls, meddle) = (Arc::clone(&calls), Arc::clone(&meddle));
        tokio::spawn(connection(stream, acceptor.clone(), calls, meddle));
    }
}

/// What goes wrong here shows in what the API server makes of the object.
async fn connection(
    stream: TcpStream,
    acceptor: TlsAcceptor,
    calls: Arc<AtomicUsize>,
    meddle: Arc<Meddle>,
) {
    let Ok(stream) = acceptor.accept(stream).await else {
        return;
    };
    let service = service_fn(|request| {
        calls.fetch_add(1, Ordering::SeqCst);
        answer(request, &*meddle)
    });
    let _ = http1::Builder::new()
        .serve_connection(TokioIo::new(stream), service)
        .await;
}

async fn answer(request: Request<Incoming>, meddle: &Meddle) -> Result<Response<Full<Bytes>>> {
    let body = request.into_body().collect().await?.to_bytes();
    let review: Value = serde_json::from_slice(&body)?;
    let asked = review.get("request").context("no request")?;
    let patch = STANDARD.encode(meddle(&asked["object"]).to_string());
    let review = json!({
        "apiVersion": "admission.k8s.io/v1",
        "kind": "AdmissionReview",
        "response": {"uid": asked["uid"], "allowed": true, "patchType": "JSONPatch", "patch": patch},
    });
    Ok(Response::new(Full::new(Bytes::from(review.to_string()))))
}
