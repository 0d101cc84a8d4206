//! Streams that long work writes as it goes on, on a thread of its own. A slow client holds the work up, and one that
//! goes away ends it.

use super::body::{Part, StreamBody};
use crate::problem::Problem;
use axum::body::Body;
use axum::http::HeaderMap;
use axum::response::{IntoResponse, Response};
use bytes::Bytes;
use ledger_service::ServiceError;
use std::io::{self, Write};
use tokio::sync::mpsc::error::TrySendError;
use tokio::sync::mpsc::{Sender, channel};

/// How many writes may wait for the client.
const WRITES_WAITING: usize = 4;

/// Streams what `work` writes. What goes wrong before it has written anything is said as a problem; what goes wrong
/// later breaks the stream off. Each write is sent by itself, so that work chooses how much is worth sending.
pub(crate) async fn answer(
    headers: HeaderMap,
    work: impl FnOnce(&mut Out) -> Result<(), ServiceError> + Send + 'static,
) -> Result<Response, Problem> {
    let (sender, mut receiver) = channel(WRITES_WAITING);
    let worker = tokio::task::spawn_blocking(move || {
        let mut out = Out { sender, has_written: false, is_client_gone: false };
        let done = work(&mut out);
        match &done {
            // An error only says that the client has gone.
            Ok(()) => drop(out.sender.blocking_send(Part::End)),
            Err(_) if out.is_client_gone => tracing::info!("the client of a stream has gone"),
            // The status went out long ago; the log is where this can be said.
            Err(error) if out.has_written => tracing::warn!(?error, "a stream was broken off"),
            Err(_) => {}
        }
        done
    });
    if let first @ Some(_) = receiver.recv().await {
        return Ok((headers, Body::new(StreamBody::new(first, receiver))).into_response());
    }
    let defect = match worker.await {
        Ok(Err(error)) => return Err(error.into()),
        Ok(Ok(())) => "a stream ended without a word".to_owned(),
        Err(panicked) => format!("a stream could not begin: {panicked}"),
    };
    Err(ServiceError::Internal { detail: defect }.into())
}

/// Where the work writes. A write waits for a slow client.
pub(crate) struct Out {
    sender: Sender<Part>,
    has_written: bool,
    is_client_gone: bool,
}

impl Out {
    /// Writes what a client that is slow may do without, and waits for none.
    pub(crate) fn write_if_taken(&mut self, bytes: Vec<u8>) -> io::Result<()> {
        match self.sender.try_send(Part::Bytes(bytes.into())) {
            Ok(()) => self.has_written = true,
            Err(TrySendError::Full(_)) => {}
            Err(TrySendError::Closed(_)) => return Err(self.gone()),
        }
        Ok(())
    }

    fn gone(&mut self) -> io::Error {
        self.is_client_gone = true;
        io::Error::new(io::ErrorKind::BrokenPipe, "the client has gone")
    }
}

impl Write for Out {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        // An empty chunk would say that all is there.
        if !bytes.is_empty() {
            self.has_written = true;
            let sent = self.sender.blocking_send(Part::Bytes(Bytes::copy_from_slice(bytes)));
            sent.map_err(|_| self.gone())?;
        }
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use http_body_util::BodyExt;
    use std::sync::Arc;
    use std::sync::atomic::{AtomicU32, Ordering};
    use std::time::{Duration, Instant};

    fn outage() -> ServiceError {
        ServiceError::StorageUnavailable { detail: "the disk is gone".to_owned() }
    }

    async fn streamed(
        writes: u32,
        then: fn() -> Result<(), ServiceError>,
    ) -> Result<Result<String, String>, &'static str> {
        let work = move |out: &mut Out| {
            (0..writes).try_for_each(|n| writeln!(out, "{n}")).map_err(|_| outage())?;
            then()
        };
        let response = answer(HeaderMap::new(), work).await.map_err(|problem| problem.kind.code)?;
        let collected = response.into_body().collect().await.map_err(|error| error.to_string());
        Ok(collected.map(|body| String::from_utf8(body.to_bytes().to_vec()).unwrap()))
    }

    #[tokio::test]
    async fn what_is_written_comes_whole_or_visibly_not() {
        let numbers: String = (0..20).map(|n| format!("{n}\n")).collect();
        assert_eq!(streamed(20, || Ok(())).await, Ok(Ok(numbers)));
        assert_eq!(streamed(0, || Ok(())).await, Ok(Ok(String::new())));
        assert_eq!(streamed(0, || Err(outage())).await, Err("storage-unavailable"));
        assert_eq!(streamed(0, || panic!("a defect")).await, Err("internal"));
        for writes in [1, 20] {
            let broken_off = Ok(Err("the stream was broken off".to_owned()));
            assert_eq!(streamed(writes, || Err(outage())).await, broken_off);
            assert_eq!(streamed(writes, || panic!("a defect")).await, broken_off);
        }
    }

    #[tokio::test]
    async fn work_waits_for_its_client_and_ends_with_it() {
        let written = Arc::new(AtomicU32::new(0));
        let counted = written.clone();
        let work = move |out: &mut Out| loop {
            out.write_all(b"x").map_err(|_| outage())?;
            counted.fetch_add(1, Ordering::SeqCst);
        };
        let mut body = answer(HeaderMap::new(), work).await.unwrap().into_body();
        body.frame().await.unwrap().unwrap();
        tokio::time::sleep(Duration::from_millis(50)).await;
        let waiting = u32::try_from(WRITES_WAITING).unwrap();
        assert!(written.load(Ordering::SeqCst) <= 2 + waiting, "{written:?}");
        let (tell, told) = std::sync::mpsc::channel();
        let heedless = move |out: &mut Out| {
            let skipped = (0..1000).try_for_each(|_| out.write_if_taken(b"x".to_vec()));
            tell.send(skipped.is_ok()).unwrap();
            Ok(())
        };
        let untaken = answer(HeaderMap::new(), heedless).await.unwrap();
        assert!(told.recv().unwrap(), "what may be skipped waits for nobody");
        drop(untaken);
        drop(body);
        // What was counted is dropped with the work, and only this is left.
        let give_up_at = Instant::now() + Duration::from_secs(60);
        while Arc::strong_count(&written) > 1 {
            assert!(Instant::now() < give_up_at, "the work goes on without the client");
            tokio::task::yield_now().await;
        }
    }
}
