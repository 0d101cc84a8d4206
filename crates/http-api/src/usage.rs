//! `GET /v1/accounts/{account}/usage`: what an account used, broken down by model, agent, activity and day.

use crate::entries::{UsageAnswer, refuse_pages, window};
use crate::fields::{Fields, text};
use crate::formats::{Format, format_of};
use crate::json::Json;
use crate::problem::Problem;
use crate::router::{Api, Segment, blocking};
use crate::stream::{self, Pages, json_cell, text_cell, write_json};
use crate::time::{Day, parse_day};
use crate::wire::{Share, Shown, json};
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode, Uri};
use axum::response::Response;
use ledger_core::Amount;
use ledger_service::{Breakdown, KeyValue, ServiceError, UsageGroup, UsageKey, UsageQuery, UsageReader, UsageSummary};
use schemars::JsonSchema;
use serde::ser::SerializeMap;
use serde::{Serialize, Serializer};
use std::sync::Arc;

/// The most groups of an answer that is made in memory.
const GROUPS_MAX: usize = 100_000;

pub(crate) async fn read(
    State(api): State<Arc<Api>>,
    Segment(account): Segment,
    headers: HeaderMap,
    uri: Uri,
) -> Result<Response, Problem> {
    let mut fields = Fields::of_query(&uri)?;
    let query = selection(&mut fields);
    let ledger = api.ledger.clone();
    match format_of(&headers) {
        Format::Json => {
            fields.finish()?;
            let keys = query.group_by.clone();
            let read = move || ledger.usage(&account, &query, GROUPS_MAX);
            let breakdown = blocking(read).await?;
            Ok(json(StatusCode::OK, &BreakdownAnswer::new(&breakdown, &keys)))
        }
        Format::Stream(format) => {
            refuse_pages(&mut fields);
            fields.finish()?;
            let name = format!("{account}-usage");
            let pages = move || {
                let reader = UsageReader::new(ledger, &account, &query)?;
                Ok(UsageStream { reader, keys: query.group_by })
            };
            stream::answer(pages, format, &name).await
        }
    }
}

/// Reads which usage is asked for.
fn selection(fields: &mut Fields<'_>) -> UsageQuery {
    let window = fields.optional("window", window).unwrap_or_default();
    let from = fields.optional("from", day);
    let to = fields.optional("to", day);
    if let (Some(from), Some(to)) = (from, to)
        && to < from
    {
        fields.problem("to", format!("must not be before from, {}", Day(from)));
    }
    let group_by = fields.optional("group_by", group_by).unwrap_or_else(|| vec![UsageKey::Model]);
    UsageQuery { window, from, to, group_by }
}

fn day(value: Json<'_>) -> Result<i32, String> {
    parse_day(&text(value)?)
}

fn group_by(value: Json<'_>) -> Result<Vec<UsageKey>, String> {
    let mut keys = Vec::new();
    for name in text(value)?.split(',') {
        let found = UsageKey::ALL.into_iter().find(|(_, known)| *known == name);
        let Some((key, _)) = found.filter(|(key, _)| !keys.contains(key)) else {
            let known: Vec<&str> = UsageKey::ALL.iter().map(|(_, name)| *name).collect();
            return Err(format!("must be some of {}, each once, with commas between", known.join(", ")));
        };
        keys.push(key);
    }
    Ok(keys)
}

#[derive(JsonSchema, Serialize)]
#[schemars(rename = "UsageBreakdown")]
pub(crate) struct BreakdownAnswer<'a> {
    /// The first day.
    from: Shown<Day>,
    /// The last day.
    to: Shown<Day>,
    /// Credits used.
    total: Shown<Amount>,
    /// How many events.
    events: u64,
    /// The groups, the largest first.
    groups: Vec<GroupAnswer<'a>>,
}

#[derive(JsonSchema, Serialize)]
#[schemars(rename = "UsageGroup")]
pub(crate) struct GroupAnswer<'a> {
    /// The group's values of what was grouped by; null where an event had none.
    #[schemars(with = "std::collections::BTreeMap<String, Option<String>>")]
    key: KeyAnswer<'a>,
    /// Credits.
    credits: Shown<Amount>,
    /// Which share of all it is.
    share: Share,
    /// How many events.
    events: u64,
    /// What was used.
    usage: UsageAnswer<'a>,
}

/// The values of a group's key by their names, in the order asked for.
struct KeyAnswer<'a> {
    keys: &'a [UsageKey],
    values: &'a [KeyValue],
}

impl<'a> BreakdownAnswer<'a> {
    fn new(breakdown: &'a Breakdown, keys: &'a [UsageKey]) -> Self {
        let summary = &breakdown.summary;
        Self {
            from: Shown(Day(summary.from)),
            to: Shown(Day(summary.to)),
            total: Shown(summary.total),
            events: summary.events,
            groups: breakdown.groups.iter().map(|group| GroupAnswer::new(group, keys, summary)).collect(),
        }
    }
}

impl<'a> GroupAnswer<'a> {
    fn new(group: &'a UsageGroup, keys: &'a [UsageKey], summary: &UsageSummary) -> Self {
        Self {
            key: KeyAnswer { keys, values: &group.key },
            credits: Shown(group.credits),
            share: Share(summary.share_e4(group)),
            events: group.events,
            usage: UsageAnswer(&group.quantities),
        }
    }
}

impl Serialize for KeyAnswer<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(Some(self.keys.len()))?;
        for (key, value) in self.keys.iter().zip(self.values) {
            match value {
                KeyValue::Day(day) => map.serialize_entry(key.name(), &Shown(Day(*day)))?,
                KeyValue::Name(name) => map.serialize_entry(key.name(), &name)?,
            }
        }
        map.end()
    }
}

/// A breakdown as a stream.
struct UsageStream {
    reader: UsageReader,
    keys: Vec<UsageKey>,
}

impl Pages for UsageStream {
    type Item = UsageGroup;

    fn columns(&self) -> Vec<&'static str> {
        let keys = self.keys.iter().map(|key| key.name());
        keys.chain(["credits", "share", "events", "usage"]).collect()
    }

    fn next_page(&mut self) -> Result<Option<Vec<UsageGroup>>, ServiceError> {
        self.reader.next_page()
    }

    fn write_json(&self, item: &UsageGroup, out: &mut Vec<u8>) -> Result<(), ServiceError> {
        write_json(out, &GroupAnswer::new(item, &self.keys, self.reader.summary()))
    }

    fn cells(&self, item: &UsageGroup) -> Result<Vec<String>, ServiceError> {
        let group = GroupAnswer::new(item, &self.keys, self.reader.summary());
        let value = |value: &KeyValue| match value {
            KeyValue::Day(day) => Day(*day).to_string(),
            KeyValue::Name(name) => text_cell(name.as_deref().unwrap_or_default()),
        };
        let mut cells: Vec<String> = item.key.iter().map(value).collect();
        cells.push(group.credits.0.to_string());
        cells.push(group.share.number().to_string());
        cells.push(group.events.to_string());
        cells.push(json_cell(&group.usage)?);
        Ok(cells)
    }
}
