//! Bodies of requests, in bounded time and memory.
//!
//! Nearly every review is small; those are read as they come. Large ones take
//! turns, for two things would add up: what is read and not yet complete, and
//! what a parser makes of a complete one, up to thirty times its size.

use std::sync::Arc;
use std::time::{Duration, Instant};

use axum::body::{Body, Bytes};
use axum::http::StatusCode;
use http_body_util::{BodyExt, LengthLimitError, Limited};
use hyper::body::Body as _;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use super::MAX_BODY_BYTES;
use super::routes::Rejection;

/// A body up to this takes no turn: with all connections in use they hold
/// 128 MiB together.
const SMALL: usize = 64 * 1024;
/// Bytes of large bodies that are being read: eight of the largest.
const READING: usize = 8 * MAX_BODY_BYTES;
/// Bytes of large bodies that are being judged: two of the largest. Measured,
/// a body of small numbers in a list is parsed to 32 times its size.
const JUDGING: usize = 2 * MAX_BODY_BYTES;
/// How long a body may take, as long as a head may (design: reliability.md,
/// section 7), so that the turn of one that stalls ends.
const MOST: Duration = Duration::from_secs(5);

/// Room for large bodies.
pub(super) struct Room {
    reading: Arc<Semaphore>,
    judging: Arc<Semaphore>,
}

/// A complete body, and its turn to be judged.
pub(super) struct Whole {
    pub(super) bytes: Bytes,
    pub(super) turn: Option<OwnedSemaphorePermit>,
}

impl Default for Room {
    fn default() -> Self {
        Room {
            reading: Arc::new(Semaphore::new(READING)),
            judging: Arc::new(Semaphore::new(JUDGING)),
        }
    }
}

impl Room {
    /// Reads a body whose caller waits until `deadline`.
    ///
    /// # Errors
    ///
    /// A body that is too large, too slow or cut off; no turn in time.
    pub(super) async fn read(&self, body: Body, deadline: Instant) -> Result<Whole, Rejection> {
        let until = deadline.min(Instant::now() + MOST);
        // Held until the body's turn to be judged has come.
        let mut reading = None;
        let bytes = self.collect(body, until, &mut reading).await?;
        let turn = match bytes.len() {
            ..=SMALL => None,
            large => Some(turn(&self.judging, large, deadline).await?),
        };
        Ok(Whole { bytes, turn })
    }

    async fn collect(
        &self,
        body: Body,
        until: Instant,
        reading: &mut Option<OwnedSemaphorePermit>,
    ) -> Result<Bytes, Rejection> {
        // The whole is asked for at once: turns that grow would wait for each other.
        let most = body.size_hint().upper().map_or(MAX_BODY_BYTES, |length| {
            usize::try_from(length).map_or(MAX_BODY_BYTES, |length| length.min(MAX_BODY_BYTES))
        });
        let mut body = Limited::new(body, MAX_BODY_BYTES);
        let mut bytes = Vec::with_capacity(most.min(SMALL));
        loop {
            let frame = tokio::time::timeout_at(until.into(), body.frame()).await;
            let Some(frame) = frame.map_err(|_| TOO_SLOW)? else {
                return Ok(bytes.into());
            };
            let frame = frame.map_err(|error| unreadable(&*error))?;
            let Ok(data) = frame.into_data() else {
                continue;
            };
            if bytes.len() + data.len() > SMALL && reading.is_none() {
                *reading = Some(turn(&self.reading, most, until).await?);
            }
            bytes.extend_from_slice(&data);
        }
    }
}

/// Waits for this many bytes of room.
async fn turn(
    room: &Arc<Semaphore>,
    bytes: usize,
    until: Instant,
) -> Result<OwnedSemaphorePermit, Rejection> {
    let bytes = u32::try_from(bytes).unwrap_or(u32::MAX);
    let turn = Arc::clone(room).acquire_many_owned(bytes);
    match tokio::time::timeout_at(until.into(), turn).await {
        Ok(Ok(turn)) => Ok(turn),
        _ => Err((
            "overload",
            StatusCode::SERVICE_UNAVAILABLE,
            "too many large bodies at once: send it again later",
        )),
    }
}

const TOO_SLOW: Rejection = (
    "body-time",
    StatusCode::REQUEST_TIMEOUT,
    "the body came too slowly",
);

fn unreadable(error: &(dyn std::error::Error + Send + Sync + 'static)) -> Rejection {
    if error.downcast_ref::<LengthLimitError>().is_some() {
        let line = "the body is larger than 8 MiB";
        ("body-size", StatusCode::PAYLOAD_TOO_LARGE, line)
    } else {
        ("body", StatusCode::BAD_REQUEST, "the body ended early")
    }
}
