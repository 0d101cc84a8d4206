//! Answers of any length, in bounded memory: pages are read one after another while the client takes them. What long
//! work writes by itself is in [`written`].
//!
//! The first page is read before anything is answered, so that what is wrong with the request is still said as a
//! problem. What goes wrong later breaks the connection off: a client must not take half a selection for all of it.

pub(crate) mod body;
pub(crate) mod written;

use crate::formats::StreamFormat;
use crate::problem::Problem;
use crate::router::blocking;
use axum::body::Body;
use axum::http::{HeaderMap, HeaderValue, header};
use axum::response::{IntoResponse, Response};
use body::{Part, StreamBody};
use bytes::Bytes;
use ledger_service::ServiceError;
use serde::Serialize;
use std::borrow::Cow;
use tokio::sync::mpsc::{Sender, channel};

/// How many pages may wait for the client, besides the one that is being read.
const PAGES_WAITING: usize = 2;

/// What is read and written a page at a time. Both may block.
pub(crate) trait Pages: Send + Sized + 'static {
    /// Something of a page, as it is on a line of NDJSON or in a row of CSV.
    type Item;

    /// The columns of CSV.
    fn columns(&self) -> Vec<&'static str>;

    /// The next page, which may be empty before the end; `None` at the end.
    fn next_page(&mut self) -> Result<Option<Vec<Self::Item>>, ServiceError>;

    /// Writes an item as JSON.
    fn write_json(&self, item: &Self::Item, out: &mut Vec<u8>) -> Result<(), ServiceError>;

    /// The cells of an item's row.
    fn cells(&self, item: &Self::Item) -> Result<Vec<String>, ServiceError>;
}

/// Streams pages to the client as a file of this name.
pub(crate) async fn answer<P: Pages>(
    pages: impl FnOnce() -> Result<P, ServiceError> + Send + 'static,
    format: StreamFormat,
    name: &str,
) -> Result<Response, Problem> {
    let first = blocking(move || Chunks { pages: pages()?, format, is_begun: false, is_ended: false }.step()).await?;
    let (sender, receiver) = channel(PAGES_WAITING);
    // The task ends with the pages, with the first error, or with the client: nobody needs to wait for it.
    drop(tokio::spawn(pump(first, sender)));
    Ok((headers(format, name), Body::new(StreamBody::new(None, receiver))).into_response())
}

fn headers(format: StreamFormat, name: &str) -> HeaderMap {
    // An account's id has no character that a file's name may not have, but for colons on some systems.
    let disposition = format!("attachment; filename=\"{}.{}\"", name.replace(':', "_"), format.extension());
    let mut headers = HeaderMap::new();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(format.content_type()));
    headers.insert(header::VARY, HeaderValue::from_static("accept"));
    if let Ok(disposition) = HeaderValue::try_from(disposition) {
        headers.insert(header::CONTENT_DISPOSITION, disposition);
    }
    headers
}

/// Pages as bytes.
struct Chunks<P> {
    pages: P,
    format: StreamFormat,
    is_begun: bool,
    is_ended: bool,
}

impl<P: Pages> Chunks<P> {
    /// Reads and writes the next page. Takes and gives itself, so that it can go from thread to thread.
    fn step(mut self) -> Result<(Self, Bytes), ServiceError> {
        let mut out = Vec::new();
        if !self.is_begun && self.format == StreamFormat::Csv {
            write_row(&mut out, &self.pages.columns())?;
        }
        self.is_begun = true;
        match self.pages.next_page()? {
            None => self.is_ended = true,
            Some(items) => {
                for item in &items {
                    self.write(item, &mut out)?;
                }
            }
        }
        Ok((self, out.into()))
    }

    fn write(&self, item: &P::Item, out: &mut Vec<u8>) -> Result<(), ServiceError> {
        match self.format {
            StreamFormat::Csv => write_row(out, &self.pages.cells(item)?),
            StreamFormat::Ndjson => {
                self.pages.write_json(item, out)?;
                out.push(b'\n');
                Ok(())
            }
        }
    }
}

/// Writes JSON as streams and cells hold it.
pub(crate) fn write_json(out: &mut Vec<u8>, value: &impl Serialize) -> Result<(), ServiceError> {
    serde_json::to_writer(out, value).map_err(unwritable)
}

/// A value as JSON in a cell.
pub(crate) fn json_cell(value: &impl Serialize) -> Result<String, ServiceError> {
    serde_json::to_string(value).map_err(unwritable)
}

/// A text that somebody chose, in a cell. A spreadsheet takes a cell that begins so for a formula and runs it; a quote
/// in front makes it a text.
pub(crate) fn text_cell(text: &str) -> String {
    let is_formula = text.starts_with(['=', '+', '-', '@', '\t', '\r']);
    let cell = if is_formula { Cow::Owned(format!("'{text}")) } else { Cow::Borrowed(text) };
    cell.into_owned()
}

fn write_row<T: AsRef<[u8]>>(out: &mut Vec<u8>, cells: &[T]) -> Result<(), ServiceError> {
    let mut writer = csv::WriterBuilder::new().terminator(csv::Terminator::CRLF).from_writer(out);
    writer.write_record(cells).map_err(unwritable)?;
    writer.flush().map_err(unwritable)
}

fn unwritable(error: impl std::fmt::Display) -> ServiceError {
    ServiceError::Internal { detail: format!("a stream cannot be written: {error}") }
}

/// Sends page after page. Waiting for a slow client holds no thread.
async fn pump<P: Pages>((mut chunks, mut bytes): (Chunks<P>, Bytes), sender: Sender<Part>) {
    loop {
        if !bytes.is_empty() && sender.send(Part::Bytes(bytes)).await.is_err() {
            // The client has gone.
            return;
        }
        if chunks.is_ended {
            // An error only says that the client has gone.
            let _ = sender.send(Part::End).await;
            return;
        }
        match blocking(move || chunks.step()).await {
            Ok(stepped) => (chunks, bytes) = stepped,
            Err(error) => {
                // The status went out long ago; the log is where this can be said.
                tracing::warn!(?error, "a stream was broken off");
                return;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use http_body_util::BodyExt;
    use std::io::{Read, Write};
    use std::sync::Arc;
    use std::sync::atomic::{AtomicU32, Ordering};
    use std::time::{Duration, Instant};

    /// Pages of one number each, and what happens after the last.
    struct Numbers {
        read: Arc<AtomicU32>,
        pages: u32,
        then: fn() -> Result<Option<Vec<u32>>, ServiceError>,
    }

    impl Pages for Numbers {
        type Item = u32;

        fn columns(&self) -> Vec<&'static str> {
            vec!["number", "text"]
        }

        fn next_page(&mut self) -> Result<Option<Vec<u32>>, ServiceError> {
            let number = self.read.fetch_add(1, Ordering::SeqCst);
            if number < self.pages { Ok(Some(vec![number])) } else { (self.then)() }
        }

        fn write_json(&self, item: &u32, out: &mut Vec<u8>) -> Result<(), ServiceError> {
            write_json(out, item)
        }

        fn cells(&self, item: &u32) -> Result<Vec<String>, ServiceError> {
            Ok(vec![item.to_string(), text_cell("=a,\"b\"\n")])
        }
    }

    fn outage() -> ServiceError {
        ServiceError::StorageUnavailable { detail: "the disk is gone".to_owned() }
    }

    async fn stream(
        pages: u32,
        format: StreamFormat,
        then: fn() -> Result<Option<Vec<u32>>, ServiceError>,
    ) -> (Result<Response, Problem>, Arc<AtomicU32>) {
        let read = Arc::new(AtomicU32::new(0));
        let numbers = Numbers { read: read.clone(), pages, then };
        (answer(move || Ok(numbers), format, "a:b-numbers").await, read)
    }

    async fn text(response: Response) -> Result<String, String> {
        let collected = response.into_body().collect().await.map_err(|error| error.to_string())?;
        Ok(String::from_utf8(collected.to_bytes().to_vec()).unwrap())
    }

    #[tokio::test]
    async fn all_pages_come_in_either_form() {
        let (response, _) = stream(3, StreamFormat::Ndjson, || Ok(None)).await;
        assert_eq!(text(response.unwrap()).await.unwrap(), "0\n1\n2\n");
        let (response, _) = stream(2, StreamFormat::Csv, || Ok(None)).await;
        let response = response.unwrap();
        let disposition = response.headers()[header::CONTENT_DISPOSITION].to_str().unwrap();
        assert_eq!(disposition, "attachment; filename=\"a_b-numbers.csv\"");
        let row = |number: u32| format!("{number},\"'=a,\"\"b\"\"\n\"\r\n");
        assert_eq!(text(response).await.unwrap(), format!("number,text\r\n{}{}", row(0), row(1)));
        let (response, _) = stream(0, StreamFormat::Csv, || Ok(None)).await;
        assert_eq!(text(response.unwrap()).await.unwrap(), "number,text\r\n", "nothing has a header too");
    }

    #[tokio::test]
    async fn what_goes_wrong_at_first_is_a_problem_and_later_breaks_the_stream_off() {
        let (response, _) = stream(0, StreamFormat::Csv, || Err(outage())).await;
        assert_eq!(response.unwrap_err().kind.code, "storage-unavailable");
        for pages in [1, 2, 5] {
            let (response, _) = stream(pages, StreamFormat::Csv, || Err(outage())).await;
            assert_eq!(text(response.unwrap()).await, Err("the stream was broken off".to_owned()));
            let (response, _) = stream(pages, StreamFormat::Ndjson, || panic!("a defect")).await;
            assert_eq!(text(response.unwrap()).await, Err("the stream was broken off".to_owned()));
        }
    }

    #[tokio::test]
    async fn a_client_sees_on_the_wire_that_a_stream_was_broken_off() {
        let handler = |pages: u32, then: fn() -> Result<Option<Vec<u32>>, ServiceError>| {
            axum::routing::get(move || async move { stream(pages, StreamFormat::Ndjson, then).await.0 })
        };
        let whole = handler(2, || Ok(None));
        let router = axum::Router::new().route("/whole", whole).route("/half", handler(2, || Err(outage())));
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let server = tokio::spawn(async move { axum::serve(listener, router).await });
        let get = |path: &'static str| {
            tokio::task::spawn_blocking(move || {
                let mut connection = std::net::TcpStream::connect(address).unwrap();
                write!(connection, "GET {path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n").unwrap();
                let mut answer = String::new();
                connection.read_to_string(&mut answer).unwrap();
                answer
            })
        };
        let (whole, half) = (get("/whole").await.unwrap(), get("/half").await.unwrap());
        for answer in [&whole, &half] {
            assert!(answer.starts_with("HTTP/1.1 200 OK") && answer.contains("transfer-encoding: chunked"), "{answer}");
        }
        // How much of a stream that breaks off still leaves the buffers is nobody's promise.
        assert!(whole.contains("0\n") && whole.contains("1\n"), "{whole}");
        let last_chunk = "\r\n0\r\n\r\n";
        assert!(whole.ends_with(last_chunk) && !half.ends_with(last_chunk), "{whole}\n{half}");
        server.abort();
    }

    #[tokio::test]
    async fn no_more_is_read_than_the_client_takes() {
        let (response, read) = stream(u32::MAX, StreamFormat::Ndjson, || Ok(None)).await;
        let mut body = response.unwrap().into_body();
        for _ in 0..3 {
            body.frame().await.unwrap().unwrap();
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
        // Those taken, those waiting, and the one that waits for its place.
        let waiting = u32::try_from(PAGES_WAITING).unwrap();
        assert!(read.load(Ordering::SeqCst) <= 3 + waiting + 1, "{read:?}");
        drop(body);
        // The pages are dropped with the work, and only this is left.
        let give_up_at = Instant::now() + Duration::from_secs(60);
        while Arc::strong_count(&read) > 1 {
            assert!(Instant::now() < give_up_at, "the work goes on without the client");
            tokio::task::yield_now().await;
        }
    }
}
