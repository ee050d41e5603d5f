//! Answers on their way back, and watches that are ended in the middle.

use std::time::Duration;

use futures_util::{Stream, StreamExt, stream};
use http_body_util::combinators::UnsyncBoxBody;
use http_body_util::{BodyExt, Full, StreamBody};
use hyper::body::{Bytes, Frame, Incoming};
use hyper::header::{CONTENT_TYPE, RETRY_AFTER};
use hyper::{HeaderMap, Response};
use tokio::sync::broadcast::Receiver;
use tokio::sync::mpsc;
use tokio::time::Instant;

use super::fault::{Made, expired_event};

/// The body of an answer.
pub(super) type Body = UnsyncBoxBody<Bytes, hyper::Error>;

/// An answer of our own.
pub(super) fn made(made: &Made) -> Response<Body> {
    let body = Full::new(Bytes::from(format!("{}\n", made.body)));
    let mut response = Response::new(body.map_err(|never| match never {}).boxed_unsync());
    *response.status_mut() = made.status;
    let headers = response.headers_mut();
    headers.insert(
        CONTENT_TYPE,
        hyper::header::HeaderValue::from_static("application/json"),
    );
    if let Some(seconds) = made.retry_after_s {
        headers.insert(RETRY_AFTER, seconds.into());
    }
    response
}

/// What a watch is of, and where the order to end it comes from.
pub(super) struct Watched {
    pub(super) resource: String,
    /// The resource whose watches are to end.
    pub(super) expired: Receiver<String>,
    /// How much later the caller hears of everything.
    pub(super) lag: Duration,
}

/// The real answer, as it comes. A watch ends with an event that says 410 as
/// soon as it is told to.
pub(super) fn real(response: Response<Incoming>, watched: Option<Watched>) -> Response<Body> {
    let (mut parts, body) = response.into_parts();
    without_hops(&mut parts.headers);
    let body = match watched {
        None => body.boxed_unsync(),
        Some(watched) => watch(body, watched),
    };
    Response::from_parts(parts, body)
}

/// What is about one connection is not passed on to another.
fn without_hops(headers: &mut HeaderMap) {
    for name in ["connection", "keep-alive", "transfer-encoding", "upgrade"] {
        headers.remove(name);
    }
}

/// A watch under way.
struct Watch {
    body: Incoming,
    watched: Watched,
    /// An event never starts in the middle of another.
    between_events: bool,
    is_expired: bool,
    has_ended: bool,
}

fn watch(body: Incoming, watched: Watched) -> Body {
    let lag = watched.lag;
    let watch = Watch {
        body,
        watched,
        between_events: true,
        is_expired: false,
        has_ended: false,
    };
    let frames = stream::unfold(watch, |mut watch| async {
        let frame = watch.next().await?;
        Some((frame, watch))
    });
    match lag {
        Duration::ZERO => BodyExt::boxed_unsync(StreamBody::new(frames)),
        lag => BodyExt::boxed_unsync(StreamBody::new(later(frames, lag))),
    }
}

/// The same, each so much later than it came.
fn later<T: Send + 'static>(
    frames: impl Stream<Item = T> + Send + 'static,
    lag: Duration,
) -> impl Stream<Item = T> {
    let (teller, told) = mpsc::unbounded_channel();
    tokio::spawn(async move {
        let mut frames = std::pin::pin!(frames);
        while let Some(frame) = frames.next().await {
            if teller.send((Instant::now() + lag, frame)).is_err() {
                return;
            }
        }
    });
    stream::unfold(told, |mut told| async {
        let (at, frame) = told.recv().await?;
        tokio::time::sleep_until(at).await;
        Some((frame, told))
    })
}

impl Watch {
    async fn next(&mut self) -> Option<Result<Frame<Bytes>, hyper::Error>> {
        if self.has_ended {
            return None;
        }
        while !(self.is_expired && self.between_events) {
            tokio::select! {
                frame = self.body.frame() => {
                    if let Some(Ok(frame)) = &frame {
                        let end = frame.data_ref().and_then(|bytes| bytes.last());
                        self.between_events = end.is_none_or(|byte| *byte == b'\n');
                    }
                    return frame;
                }
                resource = self.watched.expired.recv() => {
                    // Not to have heard of one is to be told too late: as bad.
                    self.is_expired |= resource.is_ok_and(|one| one == self.watched.resource);
                }
            }
        }
        self.has_ended = true;
        let event = Bytes::from(format!("{}\n", expired_event()));
        Some(Ok(Frame::data(event)))
    }
}
