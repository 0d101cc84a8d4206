//! Reads of a large ledger, one after another: the busy account's usage by model, and pages of its entries from all over
//! its history.

use super::charges::{BUSY_ACCOUNT, account_name};
use super::goals::Goal;
use super::http::{Connection, get};
use super::interrupt;
use super::load::{latencies, micros};
use super::report::{Kind, Row};
use super::server::KEY;
use super::sources::History;
use anyhow::{Context, Result, ensure};
use hdrhistogram::Histogram;
use serde::Deserialize;
use serde_json::value::RawValue;
use std::fmt::Write;
use std::net::SocketAddr;
use std::time::{Duration, Instant};
use tokio::runtime::Builder;

const USAGE_REQUESTS: u64 = 300;
/// Pages of entries are read at so many instants, each from its newest entry on.
const INSTANTS: u64 = 30;
const PAGES_AN_INSTANT: u64 = 10;
const ANSWER_WITHIN: Duration = Duration::from_secs(60);
const P99_US_MAX: f64 = 10_000.0;

/// Reads and measures.
pub(super) fn run(server: SocketAddr, history: History) -> Result<Vec<Row>> {
    let runtime = Builder::new_current_thread().enable_all().build().context("no runtime")?;
    runtime.block_on(async {
        let mut reader = Reader { server, connection: Connection::open(server).await? };
        let mut rows = Vec::new();
        for (work, latency_us) in
            [("usage by model", reader.usage().await?), ("a page of entries", reader.entries(history).await?)]
        {
            let Some(latency_us) = latency_us else {
                println!("reads: this server has no route for {work} yet (404), so that is left out");
                continue;
            };
            let quantile = |quantile| latency_us.value_at_quantile(quantile) as f64;
            println!("reads: {work}: p50 {:.3} ms, p99 {:.3} ms", quantile(0.5) / 1e3, quantile(0.99) / 1e3);
            let work = format!("{work}, p99 of {}", latency_us.len());
            rows.push(Row::bounded(work, Kind::Microseconds, quantile(0.99), Goal::AtMost(P99_US_MAX)));
        }
        Ok(rows)
    })
}

/// What is needed of a page.
#[derive(Debug, Deserialize)]
struct Page<'a> {
    #[serde(borrow)]
    items: Vec<&'a RawValue>,
    next_cursor: Option<String>,
}

struct Reader {
    server: SocketAddr,
    connection: Connection,
}

impl Reader {
    /// Latencies of usage; `None` where the route is not there.
    async fn usage(&mut self) -> Result<Option<Histogram<u64>>> {
        let path = format!("/v1/accounts/{}/usage?window=90d&group_by=model", account_name(BUSY_ACCOUNT));
        let mut latency_us = latencies()?;
        for _ in 0..USAGE_REQUESTS {
            if self.read(&path, &mut latency_us).await?.is_none() {
                return Ok(None);
            }
        }
        Ok(Some(latency_us))
    }

    /// Latencies of pages of entries; `None` where the route is not there.
    async fn entries(&mut self, history: History) -> Result<Option<Histogram<u64>>> {
        let mut latency_us = latencies()?;
        for instant in 1..=INSTANTS {
            let to = history.begin.plus_millis(i64::try_from(history.span_ms * instant / INSTANTS)?);
            let from_here = format!("/v1/accounts/{}/entries?window=all&limit=50&to={to}", account_name(BUSY_ACCOUNT));
            let mut path = from_here.clone();
            for page in 0..PAGES_AN_INSTANT {
                let Some(body) = self.read(&path, &mut latency_us).await? else { return Ok(None) };
                let read: Page<'_> = serde_json::from_slice(body).context("a page of entries cannot be read")?;
                ensure!(page > 0 || !read.items.is_empty(), "there are no entries before {to}");
                let Some(cursor) = read.next_cursor else { break };
                path = format!("{from_here}&cursor={}", percent_encoded(&cursor));
            }
        }
        Ok(Some(latency_us))
    }

    /// Reads once; `None` where there is nothing of that name.
    async fn read(&mut self, path: &str, latency_us: &mut Histogram<u64>) -> Result<Option<&[u8]>> {
        interrupt::check()?;
        let request = get(path, self.server, KEY);
        let sent = Instant::now();
        let answer = tokio::time::timeout(ANSWER_WITHIN, self.connection.exchange(request.as_bytes()));
        let answer = answer.await.with_context(|| format!("GET {path} takes too long"))??;
        latency_us.saturating_record(micros(sent.elapsed()));
        if answer.status == 404 {
            return Ok(None);
        }
        let status = answer.status;
        ensure!(status == 200, "GET {path} was answered {status}: {}", String::from_utf8_lossy(answer.body));
        Ok(Some(answer.body))
    }
}

/// A cursor is opaque, so that it may have anything in it.
fn percent_encoded(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for byte in text.bytes() {
        if byte.is_ascii_alphanumeric() || b"-._~".contains(&byte) {
            out.push(char::from(byte));
        } else {
            // Writing to a string does not fail.
            let _ = write!(out, "%{byte:02X}");
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cursors_are_sent_as_they_came() {
        assert_eq!(percent_encoded("3a-F_~."), "3a-F_~.");
        assert_eq!(percent_encoded("a+b/c=&"), "a%2Bb%2Fc%3D%26");
    }

    #[test]
    fn a_page_is_read_without_its_items() {
        let page: Page<'_> = serde_json::from_str(r#"{"items":[{"a":1},{}],"next_cursor":null}"#).unwrap();
        assert_eq!((page.items.len(), page.next_cursor), (2, None));
    }
}
