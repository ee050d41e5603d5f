//! The accept loop, and one connection's life.

use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use hyper::server::conn::{http1, http2};
use hyper::service::{Service, service_fn};
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use hyper_util::server::graceful::GracefulConnection;
use hyper_util::service::TowerToHyperService;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{Semaphore, watch};
use tokio::task::JoinSet;
use tokio_rustls::TlsAcceptor;

use super::Stage;
use super::heads::{Heads, Limited};
use crate::telemetry::Metrics;

/// After a failed accept (too many open files), so as not to spin.
const ACCEPT_PAUSE: Duration = Duration::from_millis(50);
/// The headers of one request; the API server sends under 2 KiB.
const MAX_HEADER_BYTES: usize = 64 * 1024;
/// How long a connection may be idle: longer than the 90 s after which the API
/// server closes its own, so that we never close one that it is about to use.
const IDLE: Duration = Duration::from_secs(120);
/// Requests at once on one HTTP/2 connection, as Go's server has it.
const MAX_STREAMS: u32 = 250;
/// What a connection has, once closing, to send its first request: long enough
/// for one that was just opened, and nobody waits longer for those who say
/// nothing.
const LAST_CALL: Duration = Duration::from_millis(500);

/// What every connection shares.
#[derive(Clone)]
pub(super) struct Accept {
    pub(super) acceptor: TlsAcceptor,
    pub(super) metrics: Arc<Metrics>,
    pub(super) header_timeout: Duration,
    pub(super) stage: watch::Receiver<Stage>,
}

impl Accept {
    /// Accepts TLS connections until closing, then waits for those open.
    pub(super) async fn https(self, listener: TcpListener, app: Router, limit: usize) {
        let room = Arc::new(Semaphore::new(limit));
        let mut open = JoinSet::new();
        let mut stage = self.stage.clone();
        loop {
            let accepted = tokio::select! {
                accepted = accept(&listener, &room) => accepted,
                () = closing(&mut stage) => break,
                // Ended connections are dropped as they end.
                Some(_) = open.join_next() => continue,
            };
            let (stream, permit) = accepted;
            let (this, app) = (self.clone(), app.clone());
            open.spawn(async move {
                this.metrics.connection(1);
                this.clone().tls(stream, app).await;
                this.metrics.connection(-1);
                drop(permit);
            });
        }
        drop(listener);
        while open.join_next().await.is_some() {}
    }

    /// [`plain`], with the limits of this one.
    pub(super) async fn plain(self, listener: TcpListener, app: Router) {
        plain(listener, app, self.header_timeout, self.stage).await;
    }

    async fn tls(self, stream: TcpStream, app: Router) {
        let mut stage = self.stage.clone();
        let handshake = self.acceptor.accept(stream);
        let handshake = tokio::time::timeout(self.header_timeout, handshake);
        let agreed = tokio::select! {
            agreed = handshake => agreed,
            () = last_call(&mut stage) => return,
        };
        match agreed {
            Ok(Ok(stream)) if stream.get_ref().1.alpn_protocol() == Some(b"h2") => {
                self.http2(stream, app).await;
            }
            Ok(Ok(stream)) => self.http1(stream, app).await,
            Ok(Err(error)) => {
                self.metrics.handshake_failure();
                tracing::debug!(%error, "no TLS was agreed on");
            }
            Err(_) => self.metrics.handshake_failure(),
        }
    }

    async fn http1(self, stream: impl AsyncRead + AsyncWrite + Unpin + 'static, app: Router) {
        http1(stream, app, self.header_timeout, self.stage).await;
    }

    async fn http2(self, stream: impl AsyncRead + AsyncWrite + Unpin + 'static, app: Router) {
        let connection = http2::Builder::new(TokioExecutor::new())
            .timer(TokioTimer::new())
            .keep_alive_interval(IDLE)
            .max_concurrent_streams(MAX_STREAMS)
            .serve_connection(TokioIo::new(stream), TowerToHyperService::new(app));
        // hyper itself ends one that is unused.
        drive(connection, self.stage, || false).await;
    }
}

/// Accepts plain connections until it is dropped.
pub(super) async fn plain(
    listener: TcpListener,
    app: Router,
    header_timeout: Duration,
    stage: watch::Receiver<Stage>,
) {
    let room = Arc::new(Semaphore::new(64));
    let mut open = JoinSet::new();
    loop {
        let (stream, permit) = tokio::select! {
            accepted = accept(&listener, &room) => accepted,
            Some(_) = open.join_next() => continue,
        };
        let (app, stage) = (app.clone(), stage.clone());
        open.spawn(async move {
            http1(stream, app, header_timeout, stage).await;
            drop(permit);
        });
    }
}

/// HTTP/1.1, with a limit on the time of each head.
async fn http1(
    stream: impl AsyncRead + AsyncWrite + Unpin + 'static,
    app: Router,
    header_timeout: Duration,
    stage: watch::Receiver<Stage>,
) {
    let heads = Heads::default();
    let stream = Limited::new(stream, heads.clone(), header_timeout);
    let app = TowerToHyperService::new(app);
    let seen = heads.clone();
    let service = service_fn(move |request| {
        heads.turn();
        let (answer, heads) = (app.call(request), heads.clone());
        async move {
            let answer = answer.await;
            heads.turn();
            answer
        }
    });
    let connection = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(IDLE)
        .max_buf_size(MAX_HEADER_BYTES)
        .serve_connection(TokioIo::new(stream), service);
    drive(connection, stage, || seen.none_yet()).await;
}

/// Serves a connection to its end; once closing, it finishes the request in
/// flight and takes no further one, but for the first of one just opened.
async fn drive<C>(connection: C, mut stage: watch::Receiver<Stage>, is_unused: impl Fn() -> bool)
where
    C: GracefulConnection<Error = hyper::Error>,
{
    let mut connection = std::pin::pin!(connection);
    let result = tokio::select! {
        result = connection.as_mut() => result,
        () = closing(&mut stage) => {
            connection.as_mut().graceful_shutdown();
            match tokio::time::timeout(LAST_CALL, connection.as_mut()).await {
                Ok(result) => result,
                Err(_) if is_unused() => return,
                Err(_) => connection.await,
            }
        }
    };
    if let Err(error) = result {
        tracing::debug!(%error, "a connection ended early");
    }
}

/// Returns when connections are to be closed.
async fn closing(stage: &mut watch::Receiver<Stage>) {
    // Without a sender nobody will ever close: go on serving.
    if stage
        .wait_for(|stage| *stage == Stage::Closing)
        .await
        .is_err()
    {
        std::future::pending::<()>().await;
    }
}

/// Returns when whoever has said nothing is no longer waited for.
async fn last_call(stage: &mut watch::Receiver<Stage>) {
    closing(stage).await;
    tokio::time::sleep(LAST_CALL).await;
}

/// Waits for room, then for a connection.
async fn accept(
    listener: &TcpListener,
    room: &Arc<Semaphore>,
) -> (TcpStream, Option<tokio::sync::OwnedSemaphorePermit>) {
    let permit = Arc::clone(room).acquire_owned().await.ok();
    loop {
        match listener.accept().await {
            Ok((stream, _)) => {
                // Answers are one packet; waiting to fill it only delays them.
                let _ = stream.set_nodelay(true);
                return (stream, permit);
            }
            Err(error) => {
                tracing::warn!(%error, "a connection could not be accepted");
                tokio::time::sleep(ACCEPT_PAUSE).await;
            }
        }
    }
}
