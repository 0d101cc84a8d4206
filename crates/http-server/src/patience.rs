//! A stream that loses its patience: with a head that has begun and does not end, and with a reader who does not read.

use std::future::Future;
use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll};
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::time::{Instant, Sleep, sleep};

/// Where a connection stands: whether the next bytes are a request's head, or belong to a request that is being served.
#[derive(Clone, Debug, Default)]
pub(crate) struct Phase(Arc<AtomicBool>);

impl Phase {
    pub(crate) fn serves(&self) {
        self.0.store(true, Ordering::Relaxed);
    }

    pub(crate) fn awaits_head(&self) {
        self.0.store(false, Ordering::Relaxed);
    }

    fn is_serving(&self) -> bool {
        self.0.load(Ordering::Relaxed)
    }
}

/// The stream. Its clocks run only while it waits, so that a request that comes in one piece costs nothing.
pub(crate) struct Patient<IO> {
    inner: IO,
    phase: Phase,
    head: Clock,
    write: Clock,
}

struct Clock {
    limit: Duration,
    /// Made once and set anew, since most connections never need it.
    sleep: Option<Pin<Box<Sleep>>>,
    runs: bool,
}

impl Clock {
    fn new(limit: Duration) -> Self {
        Self { limit, sleep: None, runs: false }
    }

    fn start(&mut self) {
        if !self.runs {
            self.runs = true;
            match &mut self.sleep {
                Some(sleep) => sleep.as_mut().reset(Instant::now() + self.limit),
                None => self.sleep = Some(Box::pin(sleep(self.limit))),
            }
        }
    }

    fn stop(&mut self) {
        self.runs = false;
    }

    /// Whether it has run out; wakes the task when it does.
    fn is_over(&mut self, context: &mut Context<'_>) -> bool {
        self.runs && self.sleep.as_mut().is_some_and(|sleep| sleep.as_mut().poll(context).is_ready())
    }
}

impl<IO> Patient<IO> {
    pub(crate) fn new(inner: IO, phase: Phase, head: Duration, write: Duration) -> Self {
        Self { inner, phase, head: Clock::new(head), write: Clock::new(write) }
    }

    /// What is pending is over once nobody has taken anything for too long; any progress begins anew.
    fn written<T>(&mut self, context: &mut Context<'_>, poll: Poll<io::Result<T>>) -> Poll<io::Result<T>> {
        if poll.is_ready() {
            self.write.stop();
            return poll;
        }
        self.write.start();
        if self.write.is_over(context) { Poll::Ready(Err(too_slow("takes nothing of its answer"))) } else { poll }
    }
}

fn too_slow(what: &str) -> io::Error {
    io::Error::new(io::ErrorKind::TimedOut, format!("the client {what}"))
}

impl<IO: AsyncRead + Unpin> AsyncRead for Patient<IO> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let this = &mut *self;
        let before = buffer.filled().len();
        let read = Pin::new(&mut this.inner).poll_read(context, buffer);
        if this.phase.is_serving() {
            this.head.stop();
            return read;
        }
        if read.is_ready() {
            if buffer.filled().len() > before {
                this.head.start();
            }
            return read;
        }
        if this.head.is_over(context) { Poll::Ready(Err(too_slow("sends a head too slowly"))) } else { read }
    }
}

impl<IO: AsyncWrite + Unpin> AsyncWrite for Patient<IO> {
    fn poll_write(mut self: Pin<&mut Self>, context: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        let poll = Pin::new(&mut self.inner).poll_write(context, bytes);
        self.written(context, poll)
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        let poll = Pin::new(&mut self.inner).poll_flush(context);
        self.written(context, poll)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        let poll = Pin::new(&mut self.inner).poll_shutdown(context);
        self.written(context, poll)
    }

    fn is_write_vectored(&self) -> bool {
        self.inner.is_write_vectored()
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let poll = Pin::new(&mut self.inner).poll_write_vectored(context, bytes);
        self.written(context, poll)
    }
}
