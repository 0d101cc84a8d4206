//! `GET` and `DELETE /v1/plugins/{name}/shadow`: what a candidate would have charged, and letting go of it.

use super::views::{PairAnswer, ReleaseAnswer};
use super::{actor, slot};
use crate::auth::{Known, made};
use crate::entries::UsageAnswer;
use crate::fields::Fields;
use crate::problem::Problem;
use crate::router::{Api, Segment};
use crate::wire::{Shown, credits, json};
use axum::extract::State;
use axum::http::{StatusCode, Uri};
use axum::response::Response;
use ledger_core::{Amount, Timestamp};
use ledger_service::{Difference, ServiceError, ShadowReport, ShadowSums};
use schemars::JsonSchema;
use serde::Serialize;
use std::collections::BTreeMap;
use std::sync::Arc;

fn none(plugin: &str) -> ServiceError {
    ServiceError::NotFound { what: "shadow", id: plugin.to_owned() }
}

pub(crate) async fn read_shadow(
    State(api): State<Arc<Api>>,
    Segment(plugin): Segment,
    uri: Uri,
) -> Result<Response, Problem> {
    let mut fields = Fields::of_query(&uri)?;
    let slot = slot(&mut fields);
    fields.finish()?;
    let (pair, report) = api.ledger.shadow_report(&plugin, slot.as_deref())?.ok_or_else(|| none(&plugin))?;
    let candidate = PairAnswer::new(pair);
    Ok(json(StatusCode::OK, &ShadowAnswer::new(candidate, &report)))
}

pub(crate) async fn end_shadow(
    State(api): State<Arc<Api>>,
    Known(caller): Known,
    Segment(plugin): Segment,
    uri: Uri,
) -> Result<Response, Problem> {
    let mut fields = Fields::of_query(&uri)?;
    let slot = slot(&mut fields);
    fields.finish()?;
    let ended = api.ledger.end_shadow(&plugin, slot.as_deref(), String::new(), actor(&caller)).await?;
    let ended = ended.ok_or_else(|| none(&plugin))?;
    Ok(made(json(StatusCode::OK, &ReleaseAnswer::new(&ended)), &ended.number.to_string()))
}

/// What a candidate in shadow would have charged.
#[derive(JsonSchema, Serialize)]
#[schemars(rename = "Shadow")]
pub(crate) struct ShadowAnswer<'a> {
    /// The candidate.
    candidate: PairAnswer,
    /// Since when it prices beside; a restart begins anew.
    since: Shown<Timestamp>,
    /// How many events it was asked about.
    events: u64,
    /// How many came to the same price.
    same: u64,
    /// How many came to another.
    different: u64,
    /// How many it has no price for, or says that they make no sense.
    refused: u64,
    /// How many it failed on.
    failed: u64,
    /// How many it was not asked about, since too many waited: live requests never wait for a candidate.
    dropped: u64,
    /// What those that both priced cost.
    live_credits: Shown<Amount>,
    /// What they would have cost.
    candidate_credits: Shown<Amount>,
    /// The same by model; events without one are under the empty name.
    models: BTreeMap<&'a str, SumsAnswer>,
    /// The same by activity.
    activities: BTreeMap<&'a str, SumsAnswer>,
    /// The largest differences, largest first. What the candidate refuses differs by its whole price.
    differences: Vec<DifferenceAnswer<'a>>,
}

impl<'a> ShadowAnswer<'a> {
    fn new(candidate: PairAnswer, report: &'a ShadowReport) -> Self {
        let sums = |sums: &'a BTreeMap<String, ShadowSums>| {
            sums.iter().map(|(name, sums)| (name.as_str(), SumsAnswer::new(sums))).collect()
        };
        Self {
            candidate,
            since: Shown(report.since),
            events: report.events,
            same: report.same,
            different: report.different,
            refused: report.refused,
            failed: report.failed,
            dropped: report.dropped,
            live_credits: credits(report.live_micros),
            candidate_credits: credits(report.candidate_micros),
            models: sums(&report.models),
            activities: sums(&report.activities),
            differences: report.differences.iter().map(DifferenceAnswer::new).collect(),
        }
    }
}

/// What some of the events cost, and would have cost.
#[derive(JsonSchema, Serialize)]
#[schemars(rename = "ShadowSums")]
struct SumsAnswer {
    /// How many.
    events: u64,
    /// What they cost.
    live_credits: Shown<Amount>,
    /// What they would have cost.
    candidate_credits: Shown<Amount>,
}

impl SumsAnswer {
    fn new(sums: &ShadowSums) -> Self {
        Self {
            events: sums.events,
            live_credits: credits(sums.live_micros),
            candidate_credits: credits(sums.candidate_micros),
        }
    }
}

/// An event that the candidate prices otherwise.
#[derive(JsonSchema, Serialize)]
#[schemars(rename = "ShadowDifference")]
struct DifferenceAnswer<'a> {
    /// The account.
    account: &'a str,
    /// The activity.
    activity: &'a str,
    /// The agent.
    agent: Option<&'a str>,
    /// The model.
    model: Option<&'a str>,
    /// When it happened.
    occurred_at: Shown<Timestamp>,
    /// The quantities.
    usage: UsageAnswer<'a>,
    /// What it cost.
    live_credits: Shown<Amount>,
    /// What it would have cost; null where the candidate does not price it.
    candidate_credits: Option<Shown<Amount>>,
    /// Why the candidate does not price it.
    reason: Option<&'a str>,
}

impl<'a> DifferenceAnswer<'a> {
    fn new(difference: &'a Difference) -> Self {
        Self {
            account: &difference.account,
            activity: &difference.activity,
            agent: difference.agent.as_deref(),
            model: difference.model.as_deref(),
            occurred_at: Shown(difference.occurred_at),
            usage: UsageAnswer(&difference.quantities),
            live_credits: Shown(difference.live),
            candidate_credits: difference.candidate.as_ref().ok().copied().map(Shown),
            reason: difference.candidate.as_ref().err().map(String::as_str),
        }
    }
}
