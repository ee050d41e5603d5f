//! Paths, bodies and deadlines.

use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::time::{Duration, Instant};

use axum::Router;
use axum::body::Body;
use axum::extract::{Path, RawQuery, State};
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use tokio::sync::watch;

use super::bodies::{Room, Whole};
use super::tls::Certificate;
use super::{Call, Group, Half, Judge, POLICIES_PATH, Phase, Reply, Stage};
use crate::telemetry::Metrics;

/// What the API server waits where it does not say, and the most it ever
/// waits (Kubernetes: 1 to 30 s).
const DEFAULT_TIMEOUT: Duration = Duration::from_secs(10);
const MAX_TIMEOUT: Duration = Duration::from_secs(30);
/// Of the caller's time, what is kept for the way back: a tenth, at most this.
const MAX_RESERVE: Duration = Duration::from_millis(250);

/// The type of metrics (OpenMetrics 1.0, "Protocol negotiation").
pub(super) const EXPOSITION: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";

/// What every request needs.
pub(super) struct Shared<J> {
    pub(super) judge: Arc<J>,
    pub(super) metrics: Arc<Metrics>,
    pub(super) stage: watch::Receiver<Stage>,
    pub(super) room: Room,
    pub(super) certificate: Arc<Certificate>,
}

/// The webhook's paths.
pub(super) fn app<J: Judge>(shared: Arc<Shared<J>>) -> Router {
    Router::new()
        // By which a replica finds that the Service leads to one of us.
        .route("/livez", get(|| async { "ok\n" }).fallback(other_path))
        .route("/{phase}/{group}", post(call::<J>).fallback(other_method))
        .route(POLICIES_PATH, post(policies::<J>).fallback(other_method))
        .fallback(other_path)
        .with_state(shared)
}

/// The plain paths.
pub(super) fn health<J: Judge>(shared: Arc<Shared<J>>) -> Router {
    Router::new()
        .route("/livez", get(|| async { "ok\n" }))
        .route("/readyz", get(readyz::<J>))
        .route("/metrics", get(exposition::<J>))
        .with_state(shared)
}

async fn other_method() -> Response {
    text(
        StatusCode::METHOD_NOT_ALLOWED,
        "send an AdmissionReview with POST",
    )
}

async fn other_path() -> Response {
    let paths = "the paths are /validate/fail, /validate/ignore, /mutate/fail and /mutate/ignore, \
         and with --cluster /policies, /relocate/mutate and /relocate/validate";
    text(StatusCode::NOT_FOUND, paths)
}

fn text(status: StatusCode, line: &str) -> Response {
    (status, format!("{line}\n")).into_response()
}

async fn call<J: Judge>(
    State(shared): State<Arc<Shared<J>>>,
    Path((phase, group)): Path<(String, String)>,
    RawQuery(query): RawQuery,
    headers: HeaderMap,
    body: Body,
) -> Response {
    let entry = match (phase.as_str(), group.as_str()) {
        ("validate", "fail") => (Phase::Validate, Group::Fail),
        ("validate", "ignore") => (Phase::Validate, Group::Ignore),
        ("mutate", "fail") => (Phase::Mutate, Group::Fail),
        ("mutate", "ignore") => (Phase::Mutate, Group::Ignore),
        ("relocate", "mutate") => (Phase::Relocate(Half::Move), Group::Ignore),
        ("relocate", "validate") => (Phase::Relocate(Half::Check), Group::Fail),
        _ => {
            shared.metrics.rejection("path");
            return other_path().await;
        }
    };
    enter(&shared, entry, query.as_deref(), &headers, body).await
}

/// Its entry is fail-open: a policy that could not be tried is tried later.
async fn policies<J: Judge>(
    State(shared): State<Arc<Shared<J>>>,
    RawQuery(query): RawQuery,
    headers: HeaderMap,
    body: Body,
) -> Response {
    let entry = (Phase::Policies, Group::Ignore);
    enter(&shared, entry, query.as_deref(), &headers, body).await
}

async fn enter<J: Judge>(
    shared: &Shared<J>,
    entry: (Phase, Group),
    query: Option<&str>,
    headers: &HeaderMap,
    body: Body,
) -> Response {
    let mut response = answer(shared, entry, query, headers, body).await;
    if *shared.stage.borrow() >= Stage::Draining {
        // The caller's pool must not come back to us.
        response
            .headers_mut()
            .insert(header::CONNECTION, HeaderValue::from_static("close"));
    }
    response
}

async fn answer<J: Judge>(
    shared: &Shared<J>,
    (phase, group): (Phase, Group),
    query: Option<&str>,
    headers: &HeaderMap,
    body: Body,
) -> Response {
    let arrived = Instant::now();
    let refuse = |(reason, status, line): (&'static str, StatusCode, &str)| {
        shared.metrics.rejection(reason);
        text(status, line)
    };
    if let Err(rejection) = check_headers(headers) {
        return refuse(rejection);
    }
    let timeout = timeout(query);
    let deadline = arrived + timeout - (timeout / 10).min(MAX_RESERVE);
    let Whole { bytes, turn } = match shared.room.read(body, deadline).await {
        Ok(whole) => whole,
        Err(rejection) => return refuse(rejection),
    };
    let judgement = shared.judge.judge(Call {
        phase,
        group,
        body: bytes,
        deadline,
    });
    let judged = futures_util::FutureExt::catch_unwind(AssertUnwindSafe(judgement)).await;
    drop(turn);
    match judged {
        Ok(reply) => respond(reply),
        Err(_) => refuse((
            "panic",
            StatusCode::INTERNAL_SERVER_ERROR,
            "judging failed: see the log",
        )),
    }
}

/// Why a request is turned away: for metrics, the status, and a line for people.
pub(super) type Rejection = (&'static str, StatusCode, &'static str);

fn check_headers(headers: &HeaderMap) -> Result<(), Rejection> {
    let is_json = headers
        .get(header::CONTENT_TYPE)
        .and_then(|value| value.to_str().ok())
        .is_some_and(|value| {
            value
                .split(';')
                .next()
                .is_some_and(|kind| kind.trim().eq_ignore_ascii_case("application/json"))
        });
    let encoding = headers.get(header::CONTENT_ENCODING);
    if encoding.is_some_and(|value| !value.as_bytes().eq_ignore_ascii_case(b"identity")) {
        let line = "compressed bodies are not read: send it as it is";
        return Err(("encoding", StatusCode::UNSUPPORTED_MEDIA_TYPE, line));
    }
    if !is_json {
        let line = "send JSON, with Content-Type: application/json";
        return Err(("content-type", StatusCode::UNSUPPORTED_MEDIA_TYPE, line));
    }
    Ok(())
}

fn respond(reply: Reply) -> Response {
    let status = StatusCode::from_u16(reply.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    let kind = if status.is_success() {
        "application/json"
    } else {
        "text/plain; charset=utf-8"
    };
    (status, [(header::CONTENT_TYPE, kind)], reply.body).into_response()
}

/// `timeout=10s` of the query, as the API server writes it.
fn timeout(query: Option<&str>) -> Duration {
    let parameters = query.into_iter().flat_map(|query| query.split('&'));
    let named = parameters.filter_map(|parameter| parameter.strip_prefix("timeout="));
    let seconds = |text: &str| -> Option<f64> {
        let (number, unit) = match text.strip_suffix("ms") {
            Some(number) => (number, 0.001),
            None => (text.strip_suffix('s')?, 1.0),
        };
        number.parse::<f64>().ok().map(|number| number * unit)
    };
    let given = named
        .filter_map(seconds)
        .find(|seconds| seconds.is_finite() && *seconds > 0.0);
    given
        .map_or(DEFAULT_TIMEOUT, |seconds| {
            Duration::from_secs_f64(seconds.min(30.0))
        })
        .min(MAX_TIMEOUT)
}

async fn readyz<J: Judge>(
    State(shared): State<Arc<Shared<J>>>,
    RawQuery(query): RawQuery,
) -> Response {
    let mut lines = shared.judge.health();
    let is_serving = *shared.stage.borrow() == Stage::Serving;
    let state = if is_serving { "serving" } else { "draining" }.to_owned();
    lines.push(super::Health {
        name: "server".into(),
        state,
        ready: is_serving,
    });
    if shared.certificate.not_after().is_none() {
        lines.push(super::Health {
            name: "certificate".into(),
            state: "not there yet: the leader makes it".into(),
            ready: false,
        });
    }
    let ready = lines.iter().all(|line| line.ready);
    let status = if ready {
        StatusCode::OK
    } else {
        StatusCode::SERVICE_UNAVAILABLE
    };
    let is_verbose = query.is_some_and(|query| query.split('&').any(|p| p.starts_with("verbose")));
    let mut answer = String::new();
    for line in lines.iter().filter(|line| is_verbose || !line.ready) {
        let mark = if line.ready { '+' } else { '-' };
        answer.push_str(&format!("[{mark}]{}: {}\n", line.name, line.state));
    }
    answer.push_str(if ready { "ready\n" } else { "not ready\n" });
    (status, answer).into_response()
}

async fn exposition<J: Judge>(State(shared): State<Arc<Shared<J>>>) -> Response {
    (
        [(header::CONTENT_TYPE, EXPOSITION)],
        shared.metrics.encode(),
    )
        .into_response()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_callers_timeout_is_read_and_bounded() {
        for (query, expected) in [
            (None, 10_000),
            (Some("timeout=3s"), 3_000),
            (Some("a=b&timeout=500ms"), 500),
            (Some("timeout=1e9s"), 30_000),
            (Some("timeout=-1s"), 10_000),
            (Some("timeout=NaNs"), 10_000),
            (Some("timeout=x"), 10_000),
        ] {
            assert_eq!(timeout(query), Duration::from_millis(expected), "{query:?}");
        }
    }
}
