//! How long the head of a request may take.
//!
//! hyper's own limit also runs while a kept connection is idle, and would
//! close those of the API server, which keeps them for 90 seconds. Here the
//! time runs from the first byte of a head until the request is handed on.

use std::io::{Error, ErrorKind};
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::task::{Context, Poll};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::time::Sleep;

/// What the stream and the service of one connection share: a number that is
/// even while a head is awaited and odd while a request is answered.
#[derive(Debug, Clone, Default)]
pub(super) struct Heads(Arc<AtomicU64>);

impl Heads {
    /// A head is complete, or its answer is.
    pub(super) fn turn(&self) {
        self.0.fetch_add(1, Ordering::Relaxed);
    }

    /// Whether no head was ever complete.
    pub(super) fn none_yet(&self) -> bool {
        self.turns() == 0
    }

    fn turns(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }
}

/// A stream that ends where a head takes longer than `limit`.
pub(super) struct Limited<S> {
    stream: S,
    heads: Heads,
    limit: Duration,
    /// Runs since the first byte of the head of this turn.
    timer: Option<(u64, Pin<Box<Sleep>>)>,
}

impl<S> Limited<S> {
    pub(super) fn new(stream: S, heads: Heads, limit: Duration) -> Self {
        Limited {
            stream,
            heads,
            limit,
            timer: None,
        }
    }

    fn is_late(&mut self, context: &mut Context<'_>, turn: u64) -> bool {
        match &mut self.timer {
            Some((started, timer)) if *started == turn => timer.as_mut().poll(context).is_ready(),
            _ => false,
        }
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for Limited<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<std::io::Result<()>> {
        let turn = self.heads.turns();
        let before = buffer.filled().len();
        let read = Pin::new(&mut self.stream).poll_read(context, buffer);
        if turn % 2 == 1 {
            return read;
        }
        let is_first = self
            .timer
            .as_ref()
            .is_none_or(|(started, _)| *started != turn);
        if is_first && buffer.filled().len() > before {
            self.timer = Some((turn, Box::pin(tokio::time::sleep(self.limit))));
        }
        if self.is_late(context, turn) {
            return Poll::Ready(Err(Error::from(ErrorKind::TimedOut)));
        }
        read
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Limited<S> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<std::io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write(context, bytes)
    }

    fn poll_flush(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<std::io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(context)
    }

    fn poll_shutdown(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<std::io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(context)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        slices: &[std::io::IoSlice<'_>],
    ) -> Poll<std::io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write_vectored(context, slices)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }
}
