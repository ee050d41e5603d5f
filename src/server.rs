//! Transport: TLS, HTTP, limits, drain.
//!
//! The only room that names axum and hyper. Knows bodies and deadlines, not
//! what is in them: a [`Judge`] answers. Must not know policies, files other
//! than certificates, or a cluster.
//!
//! Invariant: a caller always gets an answer or a closed connection, in
//! bounded time and memory; `/livez` never waits for a judgement.

mod bodies;
mod connection;
mod heads;
pub mod plain;
mod routes;
mod signals;
pub mod tls;

use std::future::Future;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, Instant};

use tokio::net::TcpListener;
use tokio::sync::watch;

pub use axum::body::Bytes;

use crate::telemetry::Metrics;
pub use signals::Signals;

/// The largest body that is read: an UPDATE carries two objects of at most
/// 3 MiB each (reliability.md, F13).
pub const MAX_BODY_BYTES: usize = 8 * 1024 * 1024;

/// Which half of admission is asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Phase {
    /// `/validate/...`
    Validate,
    /// `/mutate/...`
    Mutate,
    /// [`POLICIES_PATH`]: policies themselves, as resources of a cluster.
    Policies,
    /// `/relocate/...`: secrets leave ConfigMaps.
    Relocate(Half),
}

/// The halves of a relocation.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Half {
    /// `/relocate/mutate`: what is to be moved is, and pods read it there.
    Move,
    /// `/relocate/validate`: what should have been is.
    Check,
}

/// Where policies that are created or changed are tried out.
pub const POLICIES_PATH: &str = "/policies";

/// Of which webhook entry: its failurePolicy, in the path.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Group {
    /// `.../fail`
    Fail,
    /// `.../ignore`
    Ignore,
}

/// One call of the webhook.
#[derive(Debug)]
pub struct Call {
    /// Which half of admission.
    pub phase: Phase,
    /// Of which entry.
    pub group: Group,
    /// What was sent.
    pub body: Bytes,
    /// When the caller stops waiting, less a reserve for the way back.
    pub deadline: Instant,
}

/// The answer to a call.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reply {
    /// The HTTP status.
    pub status: u16,
    /// JSON, or a line of text where the status is an error.
    pub body: Vec<u8>,
}

/// Answers calls.
pub trait Judge: Send + Sync + 'static {
    /// Answers one call, before its deadline.
    fn judge(&self, call: Call) -> impl Future<Output = Reply> + Send;

    /// One line each for `/readyz?verbose`: a name, and what is wrong if
    /// anything is that keeps the server from being ready.
    fn health(&self) -> Vec<Health>;
}

/// One line of `/readyz?verbose`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Health {
    /// What is looked at.
    pub name: String,
    /// How it is.
    pub state: String,
    /// Whether the server can serve in this state.
    pub ready: bool,
}

/// How to serve.
#[derive(Debug, Clone)]
pub struct Options {
    /// Where the webhook listens; port 0 takes a free one.
    pub listen: SocketAddr,
    /// Where health and metrics listen, plain.
    pub metrics_listen: SocketAddr,
    /// Where the certificate comes from.
    pub certificate: Source,
    /// CA of callers, PEM; None answers anyone.
    pub client_ca: Option<PathBuf>,
    /// Whether HTTP/2 is offered.
    pub http2: bool,
    /// How often the certificate's files are looked at.
    pub tls_poll: Duration,
    /// How long to serve on after the first signal.
    pub drain_delay: Duration,
    /// How long requests in flight may take after that.
    pub drain_timeout: Duration,
    /// How long a handshake, and the headers of a request, may take.
    pub header_timeout: Duration,
    /// Connections at once; further ones wait to be accepted.
    pub max_connections: usize,
}

/// Where the certificate comes from.
#[derive(Debug, Clone)]
pub enum Source {
    /// Files, which are looked at again and again.
    Files {
        /// Certificate chain, PEM.
        cert: PathBuf,
        /// Its private key, PEM.
        key: PathBuf,
    },
    /// Somebody who replaces it; not ready before there is one.
    Given(Arc<tls::Certificate>),
}

impl Source {
    fn load(&self) -> Result<Arc<tls::Certificate>, tls::Error> {
        match self {
            Source::Files { cert, key } => Ok(Arc::new(tls::Certificate::load(cert, key)?)),
            Source::Given(certificate) => Ok(Arc::clone(certificate)),
        }
    }
}

impl Options {
    /// The limits of reliability.md (sections 3, 4 and 7) around these
    /// addresses and this certificate.
    pub fn new(listen: SocketAddr, metrics_listen: SocketAddr, certificate: Source) -> Self {
        Options {
            listen,
            metrics_listen,
            certificate,
            client_ca: None,
            http2: false,
            tls_poll: Duration::from_secs(10),
            drain_delay: Duration::from_secs(15),
            drain_timeout: Duration::from_secs(5),
            header_timeout: Duration::from_secs(5),
            max_connections: 2_048,
        }
    }
}

/// Why the server does not start.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The certificate or its key.
    #[error(transparent)]
    Tls(#[from] tls::Error),
    /// An address.
    #[error("{0} cannot be listened on: free it, or name another with `{1}`")]
    Listen(SocketAddr, &'static str, #[source] std::io::Error),
}

/// A server whose addresses are bound.
pub struct Server {
    options: Options,
    https: TcpListener,
    plain: TcpListener,
    certificate: Arc<tls::Certificate>,
    acceptor: tokio_rustls::TlsAcceptor,
    metrics: Arc<Metrics>,
}

/// How far a shutdown is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Stage {
    /// Serving.
    Serving,
    /// Not ready any more, serving on with `Connection: close`.
    Draining,
    /// No new connections; those that are open finish what is in flight.
    Closing,
}

impl Server {
    /// Loads the certificate and binds both addresses, in this order: a bad
    /// certificate is told before anybody can connect.
    ///
    /// # Errors
    ///
    /// A certificate that cannot be served; an address that is taken.
    pub async fn bind(options: Options, metrics: Arc<Metrics>) -> Result<Server, Error> {
        let certificate = options.certificate.load()?;
        if let Some(not_after) = certificate.not_after() {
            metrics.certificate(not_after);
        }
        let config = tls::config(&certificate, options.client_ca.as_deref(), options.http2)?;
        let listen = |address, flag| async move {
            TcpListener::bind(address)
                .await
                .map_err(|error| Error::Listen(address, flag, error))
        };
        Ok(Server {
            https: listen(options.listen, "--listen").await?,
            plain: listen(options.metrics_listen, "--metrics-listen").await?,
            acceptor: tokio_rustls::TlsAcceptor::from(Arc::new(config)),
            certificate,
            metrics,
            options,
        })
    }

    /// The addresses in force: the webhook's and the plain one.
    ///
    /// # Errors
    ///
    /// What the operating system says of its own sockets.
    pub fn addresses(&self) -> std::io::Result<(SocketAddr, SocketAddr)> {
        Ok((self.https.local_addr()?, self.plain.local_addr()?))
    }

    /// Serves until `shutdown`, then drains: not ready at once, serving on
    /// for `drain_delay` since callers learn of it late, then finishing what
    /// is in flight for at most `drain_timeout`.
    pub async fn run<J: Judge>(self, judge: Arc<J>, shutdown: impl Future<Output = ()>) {
        let (stage, watched) = watch::channel(Stage::Serving);
        let shared = Arc::new(routes::Shared {
            judge,
            metrics: Arc::clone(&self.metrics),
            stage: watched.clone(),
            room: bodies::Room::default(),
            certificate: Arc::clone(&self.certificate),
        });
        let app = routes::app(Arc::clone(&shared));
        let health = routes::health(shared);
        let (certificate, metrics) = (self.certificate, Arc::clone(&self.metrics));
        let poll = self.options.tls_poll;
        let is_files = matches!(self.options.certificate, Source::Files { .. });
        let reload = tokio::spawn(async move {
            if is_files {
                tls::reload(certificate, metrics, poll).await;
            }
        });
        let accept = connection::Accept {
            acceptor: self.acceptor,
            metrics: self.metrics,
            header_timeout: self.options.header_timeout,
            stage: watched.clone(),
        };
        let limit = self.options.max_connections;
        let https = tokio::spawn(accept.clone().https(self.https, app, limit));
        let plain = tokio::spawn(accept.plain(self.plain, health));
        shutdown.await;
        stage.send_replace(Stage::Draining);
        tokio::time::sleep(self.options.drain_delay).await;
        stage.send_replace(Stage::Closing);
        if tokio::time::timeout(self.options.drain_timeout, https)
            .await
            .is_err()
        {
            tracing::warn!("some requests did not finish in time and were dropped");
        }
        reload.abort();
        plain.abort();
        // Both were told to end; what they held is released before we return.
        let _ = (reload.await, plain.await);
    }
}
