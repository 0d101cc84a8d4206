//! The body of a stream, which ends in good order only where its feeder says so.

use bytes::Bytes;
use http_body::{Body as HttpBody, Frame};
use std::pin::Pin;
use std::task::{Context, Poll};
use tokio::sync::mpsc::Receiver;

/// What a feeder sends.
pub(crate) enum Part {
    Bytes(Bytes),
    /// All is there. A feeder that ends without it has failed, and the body with it.
    End,
}

/// The body.
pub(crate) struct StreamBody {
    /// A part that was waited for before the body was made.
    first: Option<Part>,
    receiver: Receiver<Part>,
    is_ended: bool,
}

impl StreamBody {
    pub(crate) fn new(first: Option<Part>, receiver: Receiver<Part>) -> Self {
        Self { first, receiver, is_ended: false }
    }

    fn frame(&mut self, part: Option<Part>) -> Option<Result<Frame<Bytes>, BrokenOff>> {
        match part {
            Some(Part::Bytes(bytes)) => Some(Ok(Frame::data(bytes))),
            Some(Part::End) => {
                self.is_ended = true;
                None
            }
            None => {
                self.is_ended = true;
                Some(Err(BrokenOff))
            }
        }
    }
}

impl HttpBody for StreamBody {
    type Data = Bytes;
    type Error = BrokenOff;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BrokenOff>>> {
        if self.is_ended {
            return Poll::Ready(None);
        }
        if let first @ Some(_) = self.first.take() {
            return Poll::Ready(self.frame(first));
        }
        self.receiver.poll_recv(context).map(|part| self.frame(part))
    }
}

/// The stream cannot go on. hyper closes the connection on it, without the chunk that says that all is there.
#[derive(Debug)]
pub(crate) struct BrokenOff;

impl std::fmt::Display for BrokenOff {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("the stream was broken off")
    }
}

impl std::error::Error for BrokenOff {}
