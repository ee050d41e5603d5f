//! Connections of callers, and what becomes of each call.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use http_body_util::BodyExt;
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper::{Request, Response};
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{broadcast, watch};
use tokio_rustls::TlsAcceptor;

use super::call::{Access, Call};
use super::fault::Fault;
use super::relay::{self, Body, Watched};
use super::rule::Active;
use super::socket::{Reset, Socket};
use super::upstream::Upstream;

/// What all connections share.
pub(super) struct State {
    pub(super) upstream: Upstream,
    rules: Mutex<Vec<Arc<Active>>>,
    counts: Mutex<BTreeMap<Access, u64>>,
    /// The resource whose watches are to end.
    pub(super) expired: broadcast::Sender<String>,
    /// How many outages there are.
    pub(super) outages: watch::Sender<usize>,
}

/// The caller hears nothing more on this connection.
#[derive(Debug)]
struct Cut;

impl std::fmt::Display for Cut {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("the connection is reset, as asked for")
    }
}

impl std::error::Error for Cut {}

/// A panic elsewhere leaves nothing half done in these.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl State {
    pub(super) fn new(upstream: Upstream) -> State {
        State {
            upstream,
            rules: Mutex::default(),
            counts: Mutex::default(),
            expired: broadcast::Sender::new(16),
            outages: watch::Sender::new(0),
        }
    }

    pub(super) fn add(&self, rule: Arc<Active>) {
        lock(&self.rules).push(rule);
    }

    pub(super) fn remove(&self, rule: &Arc<Active>) {
        lock(&self.rules).retain(|one| !Arc::ptr_eq(one, rule));
    }

    pub(super) fn counts(&self) -> BTreeMap<Access, u64> {
        lock(&self.counts).clone()
    }

    /// Counts a call. Each rule that is for it counts it, too; the first that
    /// has a fault for it decides.
    fn count(&self, call: &Call) -> Option<Fault> {
        *lock(&self.counts).entry(call.access.clone()).or_default() += 1;
        let rules = lock(&self.rules);
        let faults = rules.iter().map(|rule| rule.befalls(call));
        faults.fold(None, Option::or)
    }

    async fn answer(&self, request: Request<Incoming>) -> Result<Response<Body>, Cut> {
        let call = Call::new(request.method(), request.uri(), request.headers());
        let fault = self.count(&call);
        if let Some(made) = fault.and_then(Fault::answer) {
            return Ok(relay::made(&made));
        }
        match fault {
            Some(Fault::ResetBefore) => return Err(Cut),
            Some(Fault::Latency(time)) => tokio::time::sleep(time).await,
            _ => {}
        }
        // Before the request is sent: no moment may be missed.
        let watched = (call.access.verb == "watch").then(|| Watched {
            resource: call.access.resource,
            expired: self.expired.subscribe(),
            lag: match fault {
                Some(Fault::Lag(lag)) => lag,
                _ => Duration::ZERO,
            },
        });
        let response = self.upstream.send(request).await.map_err(|_| Cut)?;
        if fault == Some(Fault::ResetAfter) {
            if watched.is_none() {
                // It is done when all of the answer is there.
                drop(response.collect().await);
            }
            return Err(Cut);
        }
        Ok(relay::real(response, watched))
    }
}

/// Serves callers until the runtime ends.
pub(super) async fn accept(listener: TcpListener, acceptor: TlsAcceptor, state: Arc<State>) {
    loop {
        // It fails for want of file descriptors, which others give back.
        let Ok((stream, _)) = listener.accept().await else {
            tokio::task::yield_now().await;
            continue;
        };
        tokio::spawn(connection(stream, acceptor.clone(), Arc::clone(&state)));
    }
}

/// One caller's connection, to its end or to the next outage.
async fn connection(stream: TcpStream, acceptor: TlsAcceptor, state: Arc<State>) {
    let reset = Reset::default();
    let mut outages = state.outages.subscribe();
    let served = serve(Socket::new(stream, reset.clone()), acceptor, state, &reset);
    tokio::select! {
        biased;
        _ = outages.wait_for(|outages| *outages > 0) => reset.set(),
        // Whatever went wrong is the caller's to notice.
        () = served => {}
    }
}

async fn serve(socket: Socket, acceptor: TlsAcceptor, state: Arc<State>, reset: &Reset) {
    let Ok(stream) = acceptor.accept(socket).await else {
        return;
    };
    let service = service_fn(|request| {
        let (state, reset) = (&state, &reset);
        async move {
            let answer = state.answer(request).await;
            if answer.is_err() {
                reset.set();
            }
            answer
        }
    });
    let _ = http1::Builder::new()
        .timer(TokioTimer::new())
        .serve_connection(TokioIo::new(stream), service)
        .await;
}
