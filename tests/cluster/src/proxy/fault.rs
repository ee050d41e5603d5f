//! What can go wrong with a call.

use std::time::Duration;

use hyper::StatusCode;
use serde_json::{Value, json};

/// What becomes of a call.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fault {
    /// 409: somebody else was quicker. Nothing is passed on.
    Conflict,
    /// 410: the version to go on from is too old. Nothing is passed on.
    Gone,
    /// 429: later. Nothing is passed on.
    TooManyRequests {
        /// `Retry-After`.
        seconds: u32,
    },
    /// 500. Nothing is passed on.
    InternalError,
    /// 503. Nothing is passed on.
    Unavailable,
    /// The connection is reset; nothing is passed on.
    ResetBefore,
    /// The call is passed on and done, then the connection is reset.
    ResetAfter,
    /// The call is passed on after this time.
    Latency(Duration),
    /// For a watch: 200, and then one event that says 410.
    ExpiredEvent,
    /// For a watch: each event comes this much later.
    Lag(Duration),
}

/// An answer that the API server did not give.
pub(super) struct Made {
    pub(super) status: StatusCode,
    pub(super) retry_after_s: Option<u32>,
    pub(super) body: Value,
}

impl Fault {
    /// What the caller is answered; None for those that are no answer.
    pub(super) fn answer(self) -> Option<Made> {
        let (code, reason, message) = match self {
            Fault::Conflict => (409, "Conflict", "the object has been modified"),
            Fault::Gone => (410, "Expired", "too old resource version"),
            Fault::TooManyRequests { .. } => (429, "TooManyRequests", "too many requests"),
            Fault::InternalError => (500, "InternalError", "an error on the server"),
            Fault::Unavailable => (503, "ServiceUnavailable", "the server is not ready"),
            Fault::ExpiredEvent => {
                return Some(Made {
                    status: StatusCode::OK,
                    retry_after_s: None,
                    body: expired_event(),
                });
            }
            Fault::ResetBefore | Fault::ResetAfter | Fault::Latency(_) | Fault::Lag(_) => {
                return None;
            }
        };
        let retry_after_s = match self {
            Fault::TooManyRequests { seconds } => Some(seconds),
            _ => None,
        };
        let mut body = status(code, reason, message);
        if let Some(seconds) = retry_after_s {
            body["details"] = json!({"retryAfterSeconds": seconds});
        }
        Some(Made {
            status: StatusCode::from_u16(code).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR),
            retry_after_s,
            body,
        })
    }
}

/// What ends a watch whose version is too old.
pub(super) fn expired_event() -> Value {
    let object = status(410, "Expired", "too old resource version");
    json!({"type": "ERROR", "object": object})
}

fn status(code: u16, reason: &str, message: &str) -> Value {
    json!({
        "kind": "Status",
        "apiVersion": "v1",
        "metadata": {},
        "status": "Failure",
        "message": format!("{message} (injected)"),
        "reason": reason,
        "code": code,
    })
}
