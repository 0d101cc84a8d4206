//! `GET /v1/accounts/{account}/entries`: the log, newest first, by page or as a stream.

use crate::fields::{Fields, name, query_instant, text};
use crate::formats::{Format, format_of};
use crate::json::Json;
use crate::problem::Problem;
use crate::router::{Api, Page, Segment, blocking};
use crate::shapes::{AccountId, ChargeId, EntryType, GrantId, HoldId, Kind, UsedUnits, written_as};
use crate::stream::{self, Pages, json_cell, text_cell, write_json};
use crate::wire::Shown;
use axum::extract::State;
use axum::http::{HeaderMap, Uri};
use axum::response::Response;
use ledger_core::entry::Draw;
use ledger_core::hex::Hex;
use ledger_core::{Amount, Body, Destination, Entry, HoldTerms, Id, IdKind, Quantity, Timestamp};
use ledger_service::{ActivityKind, EntryReader, Ledger, ServiceError, Window};
use ledger_store::{EntryQuery, Recorded};
use schemars::JsonSchema;
use serde::ser::SerializeMap;
use serde::{Serialize, Serializer};
use serde_json::value::RawValue;
use std::sync::Arc;

/// How many entries a stream reads at a time.
const STREAM_PAGE_ITEMS: usize = 1000;

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
            stream::answer(move || EntryStream::new(ledger, account, window, query), format, &name).await
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
    if Body::TYPE_NAMES.iter().any(|known| *known == wanted) {
        Ok(wanted.into_owned())
    } else {
        Err(format!("must be one of {}", Body::TYPE_NAMES.join(", ")))
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
#[derive(JsonSchema, Serialize)]
#[schemars(rename = "Entry")]
pub(crate) struct EntryAnswer<'a> {
    /// Its place in the account's journal.
    pub(crate) sequence: u64,
    /// What it made, or its own id.
    pub(crate) id: Shown<Id>,
    /// What it is about.
    #[schemars(with = "EntryType")]
    pub(crate) r#type: &'static str,
    /// When it happened.
    pub(crate) at: Shown<Timestamp>,
    /// When it was booked.
    pub(crate) recorded_at: Shown<Timestamp>,
    /// The activity.
    pub(crate) activity: Option<&'a str>,
    /// The kind of the activity.
    #[schemars(with = "Kind")]
    pub(crate) kind: &'static str,
    /// The agent.
    pub(crate) agent: Option<&'a str>,
    /// The model.
    pub(crate) model: Option<&'a str>,
    /// How it changes what is there: positive or negative.
    pub(crate) credits: Shown<Amount>,
    /// How it changes what is set aside, for what is about a hold.
    #[serde(skip_serializing_if = "Option::is_none")]
    held: Option<Shown<Amount>>,
    /// What was used.
    pub(crate) usage: Option<UsageAnswer<'a>>,
    /// Personal details as they were committed to; null where there never were any, or they were erased.
    #[schemars(with = "Option<std::collections::BTreeMap<String, serde_json::Value>>")]
    details: Option<&'a RawValue>,
    /// The grants that it is about.
    pub(crate) grants: Vec<DrawAnswer>,
    /// The hold that it is about.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Option<HoldId>")]
    hold: Option<Shown<Id>>,
    /// The charge that it gives back.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Option<ChargeId>")]
    charge: Option<Shown<Id>>,
    /// The hash that chains it to all before it.
    pub(crate) hash: Shown<Hex>,
    /// The account, so that logs of many can be laid together.
    #[schemars(with = "AccountId")]
    company: &'a str,
}

/// Quantities by unit.
pub(crate) struct UsageAnswer<'a>(pub(crate) &'a [Quantity]);

/// How many credits of a grant an entry moved.
#[derive(JsonSchema, Serialize)]
#[schemars(rename = "Draw")]
pub(crate) struct DrawAnswer {
    /// The grant.
    #[schemars(with = "GrantId")]
    pub(crate) grant: Shown<Id>,
    /// How many credits of it.
    pub(crate) credits: Shown<Amount>,
}

written_as! {
    UsageAnswer<'_> => UsedUnits;
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

/// What an agent did that an entry is about.
#[derive(Default)]
struct About<'a> {
    activity: Option<&'a str>,
    agent: Option<&'a str>,
    model: Option<&'a str>,
    usage: Option<&'a [Quantity]>,
}

impl<'a> About<'a> {
    fn of(body: &'a Body) -> Self {
        let of_hold = |terms: &'a HoldTerms| Self {
            activity: Some(&terms.activity),
            agent: terms.agent.as_deref(),
            model: terms.model.as_deref(),
            usage: None,
        };
        match body {
            Body::Charge(charge) => Self {
                activity: Some(&charge.activity),
                agent: charge.agent.as_deref(),
                model: charge.model.as_deref(),
                usage: Some(&charge.quantities),
            },
            // What is new since the settle before, so that a log adds up.
            Body::Settle(settle) => Self { usage: Some(&settle.used), ..of_hold(&settle.terms) },
            Body::Hold(opened) => of_hold(&opened.terms),
            Body::Release(ended) | Body::HoldExpiry(ended) => of_hold(&ended.terms),
            Body::Refund(refund) => Self {
                activity: Some(&refund.activity),
                agent: refund.agent.as_deref(),
                model: refund.model.as_deref(),
                usage: None,
            },
            _ => Self::default(),
        }
    }
}

impl<'a> EntryAnswer<'a> {
    pub(crate) fn new(ledger: &Ledger, account: &'a str, recorded: &'a Recorded) -> Result<Self, ServiceError> {
        let entry = &recorded.sealed.entry;
        let about = About::of(&entry.body);
        let details = recorded.details.as_ref().map(|details| serde_json::from_str(&details.text)).transpose();
        let damaged =
            |error| ServiceError::Internal { detail: format!("details of {} are no JSON: {error}", entry.id()) };
        Ok(Self {
            sequence: entry.sequence,
            id: Shown(id_of(entry)),
            r#type: entry.body.type_name(),
            at: Shown(entry.at),
            recorded_at: Shown(entry.recorded_at),
            activity: about.activity,
            kind: kind_name(about.activity.map(|activity| ledger.kind_of(activity)).unwrap_or_default()),
            agent: about.agent,
            model: about.model,
            credits: Shown(entry.credits),
            held: entry.body.held_change().map(Shown),
            usage: about.usage.map(UsageAnswer),
            details: details.map_err(damaged)?,
            grants: draws(entry),
            hold: entry
                .body
                .hold(entry.sequence)
                .map(|sequence| Shown(Id { kind: IdKind::Hold, account: entry.account, sequence })),
            charge: if let Body::Refund(refund) = &entry.body {
                Some(Shown(Id { kind: IdKind::Charge, account: entry.account, sequence: refund.charge }))
            } else {
                None
            },
            hash: Shown(Hex(recorded.sealed.hash)),
            company: account,
        })
    }
}

/// The activity that an entry is about.
pub(crate) fn activity_of(body: &Body) -> Option<&str> {
    About::of(body).activity
}

/// The name of what an entry made, if that has one: of a charge, a grant, a hold, a refund or a transfer. Else its own.
pub(crate) fn id_of(entry: &Entry) -> Id {
    let kind = match &entry.body {
        Body::Charge(_) | Body::Settle(_) => IdKind::Charge,
        Body::Grant(_) | Body::Rollover(_) => IdKind::Grant,
        Body::Hold(_) => IdKind::Hold,
        Body::Refund(_) => IdKind::Refund,
        Body::TransferOut(_) => IdKind::Transfer,
        _ => IdKind::Entry,
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

/// Which grants an entry is about, and how much of each: what was drawn, set aside, given back, came in, took effect,
/// ended or rolled on.
fn draws(entry: &Entry) -> Vec<DrawAnswer> {
    let draw = |grant: u64, credits: Amount| DrawAnswer {
        grant: Shown(Id { kind: IdKind::Grant, account: entry.account, sequence: grant }),
        credits: Shown(credits),
    };
    let drawn = |draws: &[Draw]| -> Vec<DrawAnswer> { draws.iter().map(|d| draw(d.grant, d.credits)).collect() };
    let back = |into: &Destination, credits: Amount| match into {
        Destination::Debt => None,
        Destination::Grant(grant) => Some(draw(*grant, credits)),
        Destination::Reopened(terms) => Some(draw(terms.sequence, credits)),
        Destination::Adjustment { .. } => Some(draw(entry.sequence, credits)),
    };
    match &entry.body {
        Body::Opened(_)
        | Body::Updated(_)
        | Body::PlanChanged(_)
        | Body::PlanScheduled { .. }
        | Body::TransferEnded { .. }
        | Body::Erasure { .. } => Vec::new(),
        Body::Grant(grant) => vec![draw(entry.sequence, grant.amount)],
        Body::Effective { grant, .. } => vec![draw(*grant, entry.credits)],
        Body::Charge(charge) => drawn(&charge.draws),
        Body::Expiry { grant, expired } => vec![draw(*grant, *expired)],
        Body::Rollover(rolled) => drawn(&rolled.from),
        Body::Hold(opened) => drawn(&opened.earmarks),
        Body::Extension(extended) => drawn(&extended.earmarks),
        Body::Settle(settle) => {
            let mut all = drawn(&settle.from_held);
            for draw in drawn(&settle.from_free) {
                match all.iter_mut().find(|known| known.grant == draw.grant) {
                    Some(known) => {
                        known.credits = Shown(known.credits.0.checked_add(draw.credits.0).unwrap_or_default());
                    }
                    None => all.push(draw),
                }
            }
            all
        }
        Body::Release(ended) | Body::HoldExpiry(ended) => {
            ended.returns.iter().map(|back| draw(back.grant, back.credits)).collect()
        }
        Body::Refund(refund) => refund.into.iter().filter_map(|part| back(&part.into, part.credits)).collect(),
        Body::Void { grant, voided } => vec![draw(*grant, *voided)],
        Body::Deduction(deduction) => drawn(&deduction.draws),
        Body::TakeBack(taken) => {
            let own = taken.from_grant.is_positive().then(|| draw(taken.grant, taken.from_grant));
            own.into_iter().chain(drawn(&taken.draws)).collect()
        }
        Body::TransferOut(out) => out.portions.iter().map(|p| draw(p.terms.sequence, p.credits)).collect(),
        Body::TransferBack(came) => {
            let credits = came.credits.checked_sub(came.debt_paid).unwrap_or_default();
            back(&came.into, credits).into_iter().collect()
        }
    }
}

/// The log as a stream.
pub(crate) struct EntryStream {
    reader: EntryReader,
    ledger: Arc<Ledger>,
    account: String,
}

impl EntryStream {
    pub(crate) fn new(
        ledger: Arc<Ledger>,
        account: String,
        window: Window,
        query: EntryQuery,
    ) -> Result<Self, ServiceError> {
        let query = EntryQuery { limit: STREAM_PAGE_ITEMS, ..query };
        let reader = EntryReader::new(ledger.clone(), account.clone(), window, query)?;
        Ok(Self { reader, ledger, account })
    }

    pub(crate) fn ledger(&self) -> &Ledger {
        &self.ledger
    }
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
