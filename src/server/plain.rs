//! Health and metrics of a process that answers nothing else.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::http::{StatusCode, header};
use axum::response::IntoResponse;
use axum::routing::get;
use tokio::net::TcpListener;
use tokio::sync::watch;

use super::connection::plain;
use super::routes::EXPOSITION;
use super::{Error, Stage};

/// How long the head of a request may take.
const HEADER_TIMEOUT: Duration = Duration::from_secs(5);

/// What it tells.
pub trait Told: Send + Sync + 'static {
    /// Whether it does its work.
    fn is_ready(&self) -> bool;
    /// Its metrics in OpenMetrics text.
    fn metrics(&self) -> String;
}

/// An address that is bound.
pub struct Plain(TcpListener);

impl Plain {
    /// Binds the address; port 0 takes a free one.
    ///
    /// # Errors
    ///
    /// It is taken.
    pub async fn bind(address: SocketAddr) -> Result<Plain, Error> {
        let bound = TcpListener::bind(address).await;
        let refused = |error| Error::Listen(address, "--metrics-listen", error);
        bound.map(Plain).map_err(refused)
    }

    /// The address in force.
    ///
    /// # Errors
    ///
    /// What the operating system says of its own socket.
    pub fn address(&self) -> std::io::Result<SocketAddr> {
        self.0.local_addr()
    }

    /// Serves `/livez`, `/readyz` and `/metrics` until it is dropped; whatever
    /// is sent to it is looked at no further.
    pub async fn run(self, told: Arc<impl Told>) {
        let ready = Arc::clone(&told);
        let app = Router::new()
            .route("/livez", get(|| async { "ok\n" }))
            .route(
                "/readyz",
                get(move || async move { readiness(ready.is_ready()) }),
            )
            .route(
                "/metrics",
                get(move || async move { exposition(told.metrics()) }),
            );
        // Nobody closes it: it ends with the process.
        let (_open, stage) = watch::channel(Stage::Serving);
        plain(self.0, app, HEADER_TIMEOUT, stage).await;
    }
}

fn readiness(is_ready: bool) -> impl IntoResponse {
    match is_ready {
        true => (StatusCode::OK, "ready\n"),
        false => (StatusCode::SERVICE_UNAVAILABLE, "not ready\n"),
    }
}

fn exposition(metrics: String) -> impl IntoResponse {
    ([(header::CONTENT_TYPE, EXPOSITION)], metrics)
}
