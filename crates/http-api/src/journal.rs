//! `GET /v1/accounts/{account}/journal`: the whole journal as double entry, for hledger, beancount, or any program.

use crate::fields::{Fields, member};
use crate::problem::Problem;
use crate::router::{Api, Segment};
use crate::shapes::{EntryType, HexBytes};
use crate::stream::written;
use crate::wire::Shown;
use axum::extract::State;
use axum::http::{HeaderMap, HeaderValue, Uri, header};
use axum::response::Response;
use ledger_core::hex::{self, Hex};
use ledger_core::{Account, Amount, Id, Timestamp};
use ledger_service::{BOOKS, JournalReader, Posted, ServiceError};
use schemars::JsonSchema;
use serde::Serialize;
use std::fmt::Write as _;
use std::io::Write as _;
use std::sync::Arc;

/// How much is written at once.
const CHUNK_BYTES: usize = 64 * 1024;

/// The unit of the books.
const UNIT: &str = "CREDITS";

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Books {
    Hledger,
    Beancount,
    #[default]
    Ndjson,
}

const FORMATS: [(Books, &str); 3] =
    [(Books::Hledger, "hledger"), (Books::Beancount, "beancount"), (Books::Ndjson, "ndjson")];

pub(crate) async fn read(
    State(api): State<Arc<Api>>,
    Segment(account): Segment,
    uri: Uri,
) -> Result<Response, Problem> {
    let mut fields = Fields::of_query(&uri)?;
    let format = fields.optional("format", member(&FORMATS));
    let format = format.unwrap_or_default();
    fields.finish()?;
    let mut reader = JournalReader::new(api.ledger.clone(), &account)?;
    let mut headers = HeaderMap::new();
    let content_type = if format == Books::Ndjson { "application/x-ndjson" } else { "text/plain; charset=utf-8" };
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(content_type));
    let work = move |out: &mut written::Out| {
        let gone = |error: std::io::Error| ServiceError::Internal { detail: error.to_string() };
        let mut text = head(format, reader.account());
        while let Some(posted) = reader.next_entry()? {
            write_entry(&mut text, format, &posted);
            if text.len() >= CHUNK_BYTES {
                out.write_all(text.as_bytes()).map_err(gone)?;
                text.clear();
            }
        }
        text.push_str(&foot(format, reader.account()));
        out.write_all(text.as_bytes()).map_err(gone)
    };
    written::answer(headers, work).await
}

/// The calendar day in UTC, as both programs write it.
fn date(t: Timestamp) -> String {
    t.to_string().chars().take(10).collect()
}

fn head(format: Books, account: &Account) -> String {
    let mut text = String::new();
    let opened = date(account.created_at);
    // Writing to a String cannot fail.
    let _ = match format {
        Books::Ndjson => Ok(()),
        Books::Hledger => {
            let _ = writeln!(
                text,
                "; the journal of account {} of Purser, in credits\ncommodity 1000.000000 {UNIT}",
                account.id
            );
            BOOKS.iter().try_for_each(|book| writeln!(text, "account {book}"))
        }
        Books::Beancount => {
            let _ = writeln!(
                text,
                "; the journal of account {} of Purser, in credits\n{opened} commodity {UNIT}",
                account.id
            );
            BOOKS.iter().try_for_each(|book| writeln!(text, "{opened} open {book} {UNIT}"))
        }
    };
    text
}

fn write_entry(text: &mut String, format: Books, posted: &Posted) {
    let sealed = &posted.recorded.sealed;
    let entry = &sealed.entry;
    let (id, name) = (entry.id(), entry.body.type_name());
    if format == Books::Ndjson {
        let posting = |(book, credits): &(&'static str, Amount)| Posting { account: book, credits: Shown(*credits) };
        let line = LineAnswer {
            at: Shown(entry.at),
            bytes: hex::encode(&sealed.bytes),
            hash: Shown(Hex(sealed.hash)),
            id: Shown(id),
            postings: posted.postings.iter().map(posting).collect(),
            recorded_at: Shown(entry.recorded_at),
            sequence: entry.sequence,
            r#type: name,
        };
        // Nothing in it can fail to be written.
        let _ = writeln!(text, "{}", serde_json::to_string(&line).unwrap_or_default());
        return;
    }
    if posted.postings.is_empty() {
        let _ = writeln!(text, "\n; {} {name} {id} moves nothing", date(entry.recorded_at));
        return;
    }
    let _ = match format {
        Books::Beancount => writeln!(text, "\n{} * \"{name}\" \"{id}\"", date(entry.recorded_at)),
        _ => writeln!(text, "\n{} * ({id}) {name}", date(entry.recorded_at)),
    };
    for (book, credits) in &posted.postings {
        let _ = writeln!(text, "    {book}  {credits} {UNIT}");
    }
}

/// What the books must come to, said so that the programs check it.
fn foot(format: Books, account: &Account) -> String {
    let totals = &account.totals;
    let balances = [(BOOKS[0], totals.remaining), (BOOKS[1], totals.held), (BOOKS[2], totals.debt.negated())];
    let mut text = String::new();
    match format {
        Books::Ndjson => {}
        Books::Hledger => {
            let _ = writeln!(text, "\n{} * what the ledger has", date(account.last_at));
            for (book, credits) in balances {
                let _ = writeln!(text, "    {book}  0 {UNIT} = {credits} {UNIT}");
            }
        }
        Books::Beancount => {
            // A balance is that of the beginning of a day.
            let day_after = date(account.last_at.plus_millis(ledger_core::time::DAY_MS));
            text.push('\n');
            for (book, credits) in balances {
                let _ = writeln!(text, "{day_after} balance {book}  {credits} {UNIT}");
            }
        }
    }
    text
}

/// A line of the journal as NDJSON.
#[derive(JsonSchema, Serialize)]
#[schemars(rename = "JournalLine")]
pub(crate) struct LineAnswer {
    /// When it happened.
    at: Shown<Timestamp>,
    /// The entry's canonical encoding.
    #[schemars(with = "HexBytes")]
    bytes: String,
    /// The hash that chains it to all before it.
    hash: Shown<Hex>,
    /// What it made, or its own id.
    id: Shown<Id>,
    /// What moved between which books; the sum is zero.
    postings: Vec<Posting>,
    /// When it was booked.
    recorded_at: Shown<Timestamp>,
    /// Its place in the account's journal.
    sequence: u64,
    /// What it is about.
    #[schemars(with = "EntryType")]
    r#type: &'static str,
}

#[derive(JsonSchema, Serialize)]
#[schemars(rename = "Posting")]
struct Posting {
    /// The book.
    account: &'static str,
    /// What came to it, or, below zero, went.
    credits: Shown<Amount>,
}
