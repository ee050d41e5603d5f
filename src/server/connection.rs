//! The accept loop, and one connection's life.

use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use hyper_util::server::conn::auto;
use hyper_util::service::TowerToHyperService;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{Semaphore, watch};
use tokio::task::JoinSet;
use tokio_rustls::TlsAcceptor;

use super::Stage;
use crate::telemetry::Metrics;

/// After a failed accept (too many open files), so as not to spin.
const ACCEPT_PAUSE: Duration = Duration::from_millis(50);
/// The headers of one request; the API server sends under 2 KiB.
const MAX_HEADER_BYTES: usize = 64 * 1024;

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

    /// Accepts plain connections until it is dropped.
    pub(super) async fn plain(self, listener: TcpListener, app: Router) {
        let room = Arc::new(Semaphore::new(64));
        let mut open = JoinSet::new();
        loop {
            let (stream, permit) = tokio::select! {
                accepted = accept(&listener, &room) => accepted,
                Some(_) = open.join_next() => continue,
            };
            let (this, app) = (self.clone(), app.clone());
            open.spawn(async move {
                this.serve(stream, app).await;
                drop(permit);
            });
        }
    }

    async fn tls(self, stream: TcpStream, app: Router) {
        let handshake = self.acceptor.accept(stream);
        match tokio::time::timeout(self.header_timeout, handshake).await {
            Ok(Ok(stream)) => self.serve(stream, app).await,
            Ok(Err(error)) => {
                self.metrics.handshake_failure();
                tracing::debug!(%error, "no TLS was agreed on");
            }
            Err(_) => self.metrics.handshake_failure(),
        }
    }

    async fn serve(self, stream: impl AsyncRead + AsyncWrite + Unpin + 'static, app: Router) {
        let mut builder = auto::Builder::new(TokioExecutor::new());
        configure(&mut builder.http1(), self.header_timeout);
        builder
            .http2()
            .timer(TokioTimer::new())
            .max_concurrent_streams(250);
        let connection =
            builder.serve_connection(TokioIo::new(stream), TowerToHyperService::new(app));
        let mut connection = std::pin::pin!(connection);
        let mut stage = self.stage.clone();
        let result = tokio::select! {
            result = connection.as_mut() => result,
            () = closing(&mut stage) => {
                // Finishes the request in flight, and takes no further one.
                connection.as_mut().graceful_shutdown();
                connection.await
            }
        };
        if let Err(error) = result {
            tracing::debug!(%error, "a connection ended early");
        }
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

fn configure(http1: &mut auto::Http1Builder<'_, TokioExecutor>, header_timeout: Duration) {
    http1
        .timer(TokioTimer::new())
        .header_read_timeout(header_timeout)
        .max_buf_size(MAX_HEADER_BYTES)
        .keep_alive(true);
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
