//! `GET /v1/accounts/{account}/entries`: the log, newest first, by page or as a stream.

use crate::fields::{Fields, name, query_instant, text};
use crate::formats::{Format, format_of};
use crate::json::Json;
use crate::problem::Problem;
use crate::router::{Api, Page, Segment, blocking};
use crate::stream::{self, Pages, json_cell, text_cell, write_json};
use crate::wire::Shown;
use axum::extract::State;
use axum::http::{HeaderMap, Uri};
use axum::response::Response;
use ledger_core::hex::Hex;
use ledger_core::{Amount, Body, Charge, Entry, Id, IdKind, Quantity, Timestamp};
use ledger_service::{ActivityKind, EntryReader, Ledger, ServiceError, Window};
use ledger_store::{EntryQuery, Recorded};
use serde::ser::SerializeMap;
use serde::{Serialize, Serializer};
use serde_json::value::RawValue;
use std::sync::Arc;

/// How many entries a stream reads at a time.
const STREAM_PAGE_ITEMS: usize = 1000;

/// Types of the interface that no entry has yet, so that asking for them is no mistake.
const TYPES_TO_COME: [&str; 4] = ["refund", "hold", "release", "adjustment"];

pub(crate) async fn list(
    State(api): State<Arc<Api>>,
    Segment(account): Segment,
    headers: HeaderMap,
    uri: Uri,
) -> Result<Response, Problem> {
    let mut fields = Fields::of_query(&uri)?;
    let window = fields.optional("window", window).unwrap_or_default();
    let query = selection(&mut fields);
    let ledger = api.ledger.clone();
    match format_of(&headers) {
        Format::Json => {
            let page: Page<u64> = Page::read(&mut fields);
            fields.finish()?;
            let query = EntryQuery { before: page.cursor, limit: page.limit, ..query };
            respond(ledger, account, window, query).await
        }
        Format::Stream(format) => {
            refuse_pages(&mut fields);
            fields.finish()?;
            let name = format!("{account}-entries");
            let query = EntryQuery { limit: STREAM_PAGE_ITEMS, ..query };
            let pages = move || {
                let reader = EntryReader::new(ledger.clone(), account.clone(), window, query)?;
                Ok(EntryStream { reader, ledger, account })
            };
            stream::answer(pages, format, &name).await
        }
    }
}

async fn respond(ledger: Arc<Ledger>, account: String, window: Window, query: EntryQuery) -> Result<Response, Problem> {
    let read = move || {
        let query = ledger.entries_in(&account, window, query)?;
        let page = ledger.entries(&account, &query)?;
        let items = page.entries.iter().map(|recorded| EntryAnswer::new(&ledger, &account, recorded));
        Ok(Page::answer(items.collect::<Result<Vec<_>, _>>()?, page.next))
    };
    Ok(blocking(read).await?)
}

/// Reads which entries are asked for.
fn selection(fields: &mut Fields<'_>) -> EntryQuery {
    let mut named = |field: &str| fields.optional(field, name).map(|name| name.to_string());
    let (activity, model, agent) = (named("activity"), named("model"), named("agent"));
    let from = fields.optional("from", query_instant);
    let to = fields.optional("to", query_instant);
    if let (Some(from), Some(to)) = (from, to)
        && to < from
    {
        fields.problem("to", format!("must not be before from, {from}"));
    }
    let entry_type = fields.optional("type", entry_type);
    EntryQuery { before: None, from, to, entry_type, activity, agent, model, limit: 0 }
}

fn entry_type(value: Json<'_>) -> Result<String, String> {
    let wanted = text(value)?;
    if Body::TYPE_NAMES.iter().chain(&TYPES_TO_COME).any(|known| *known == wanted) {
        Ok(wanted.into_owned())
    } else {
        Err(format!("must be one of {}", [&Body::TYPE_NAMES[..], &TYPES_TO_COME].concat().join(", ")))
    }
}

/// Reads `7d`, or `all`.
pub(crate) fn window(value: Json<'_>) -> Result<Window, String> {
    let text = text(value)?;
    if text == "all" {
        return Ok(Window::All);
    }
    let digits = text.strip_suffix('d').filter(|digits| digits.bytes().all(|digit| digit.is_ascii_digit()));
    let days = digits.and_then(|digits| digits.parse().ok()).filter(|days| (1..=Window::DAYS_MAX).contains(days));
    days.map(Window::Days).ok_or_else(|| format!("must be all, or from 1d to {}d, such as 30d", Window::DAYS_MAX))
}

/// A stream is all of a selection.
pub(crate) fn refuse_pages(fields: &mut Fields<'_>) {
    for field in ["limit", "cursor"] {
        if fields.optional(field, |_| Ok(())).is_some() {
            fields.problem(field, "is for pages of JSON; a stream is the whole selection");
        }
    }
}

/// An entry on the wire.
#[derive(Serialize)]
struct EntryAnswer<'a> {
    sequence: u64,
    id: Shown<Id>,
    r#type: &'static str,
    at: Shown<Timestamp>,
    recorded_at: Shown<Timestamp>,
    activity: Option<&'a str>,
    kind: &'static str,
    agent: Option<&'a str>,
    model: Option<&'a str>,
    credits: Shown<Amount>,
    usage: Option<UsageAnswer<'a>>,
    /// The details as they were committed to; `None` where there never were any, or they were erased.
    details: Option<&'a RawValue>,
    grants: Vec<DrawAnswer>,
    hash: Shown<Hex>,
    /// Whose entry it is, so that logs of many accounts can be laid together: the account's own id, which does not
    /// change and is never erased, as its name may be.
    company: &'a str,
}

/// Quantities by unit.
pub(crate) struct UsageAnswer<'a>(pub(crate) &'a [Quantity]);

/// How many credits of a grant an entry moved.
#[derive(Serialize)]
struct DrawAnswer {
    grant: Shown<Id>,
    credits: Shown<Amount>,
}

impl Serialize for UsageAnswer<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(Some(self.0.len()))?;
        for quantity in self.0 {
            map.serialize_entry(&*quantity.unit, &quantity.amount)?;
        }
        map.end()
    }
}

impl<'a> EntryAnswer<'a> {
    fn new(ledger: &Ledger, account: &'a str, recorded: &'a Recorded) -> Result<Self, ServiceError> {
        let entry = &recorded.sealed.entry;
        let charge: Option<&Charge> = if let Body::Charge(charge) = &entry.body { Some(charge) } else { None };
        let details = recorded.details.as_ref().map(|details| serde_json::from_str(&details.text)).transpose();
        let damaged =
            |error| ServiceError::Internal { detail: format!("details of {} are no JSON: {error}", entry.id()) };
        Ok(Self {
            sequence: entry.sequence,
            id: Shown(id(entry)),
            r#type: entry.body.type_name(),
            at: Shown(entry.at),
            recorded_at: Shown(entry.recorded_at),
            activity: charge.map(|charge| &*charge.activity),
            kind: kind_name(charge.map(|charge| ledger.kind_of(&charge.activity)).unwrap_or_default()),
            agent: charge.and_then(|charge| charge.agent.as_deref()),
            model: charge.and_then(|charge| charge.model.as_deref()),
            credits: Shown(entry.credits),
            usage: charge.map(|charge| UsageAnswer(&charge.quantities)),
            details: details.map_err(damaged)?,
            grants: draws(entry),
            hash: Shown(Hex(recorded.sealed.hash)),
            company: account,
        })
    }
}

/// The name of what an entry made, if that has one: of a charge or a grant. Else its own.
fn id(entry: &Entry) -> Id {
    let kind = match &entry.body {
        Body::Charge(_) => IdKind::Charge,
        Body::Grant(_) | Body::Rollover(_) => IdKind::Grant,
        Body::Opened(_) | Body::Updated(_) | Body::Effective { .. } | Body::Expiry { .. } => IdKind::Entry,
    };
    Id { kind, account: entry.account, sequence: entry.sequence }
}

fn kind_name(kind: ActivityKind) -> &'static str {
    match kind {
        ActivityKind::Chat => "chat",
        ActivityKind::Voice => "voice",
        ActivityKind::Other => "other",
    }
}

/// Which grants an entry is about, and how much of each: what was drawn, came in, took effect, ended or rolled on.
fn draws(entry: &Entry) -> Vec<DrawAnswer> {
    let draw = |grant: u64, credits: Amount| DrawAnswer {
        grant: Shown(Id { kind: IdKind::Grant, account: entry.account, sequence: grant }),
        credits: Shown(credits),
    };
    match &entry.body {
        Body::Opened(_) | Body::Updated(_) => Vec::new(),
        Body::Grant(grant) => vec![draw(entry.sequence, grant.amount)],
        Body::Effective { grant, .. } => vec![draw(*grant, entry.credits)],
        Body::Charge(charge) => charge.draws.iter().map(|drawn| draw(drawn.grant, drawn.credits)).collect(),
        Body::Expiry { grant, expired } => vec![draw(*grant, *expired)],
        Body::Rollover(rolled) => rolled.from.iter().map(|drawn| draw(drawn.grant, drawn.credits)).collect(),
    }
}

/// The log as a stream.
struct EntryStream {
    reader: EntryReader,
    ledger: Arc<Ledger>,
    account: String,
}

impl Pages for EntryStream {
    type Item = Arc<Recorded>;

    fn columns(&self) -> Vec<&'static str> {
        vec![
            "sequence",
            "id",
            "type",
            "at",
            "recorded_at",
            "activity",
            "kind",
            "agent",
            "model",
            "credits",
            "usage",
            "details",
            "grants",
            "hash",
            "company",
        ]
    }

    fn next_page(&mut self) -> Result<Option<Vec<Arc<Recorded>>>, ServiceError> {
        self.reader.next_page()
    }

    fn write_json(&self, item: &Arc<Recorded>, out: &mut Vec<u8>) -> Result<(), ServiceError> {
        write_json(out, &EntryAnswer::new(&self.ledger, &self.account, item)?)
    }

    fn cells(&self, item: &Arc<Recorded>) -> Result<Vec<String>, ServiceError> {
        let entry = EntryAnswer::new(&self.ledger, &self.account, item)?;
        Ok(vec![
            entry.sequence.to_string(),
            entry.id.0.to_string(),
            entry.r#type.to_owned(),
            entry.at.0.to_string(),
            entry.recorded_at.0.to_string(),
            text_cell(entry.activity.unwrap_or_default()),
            entry.kind.to_owned(),
            text_cell(entry.agent.unwrap_or_default()),
            text_cell(entry.model.unwrap_or_default()),
            entry.credits.0.to_string(),
            entry.usage.map(|usage| json_cell(&usage)).transpose()?.unwrap_or_default(),
            text_cell(entry.details.map(RawValue::get).unwrap_or_default()),
            json_cell(&entry.grants)?,
            entry.hash.0.to_string(),
            text_cell(entry.company),
        ])
    }
}
