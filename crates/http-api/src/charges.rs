//! `POST /v1/charges` and `GET /v1/charges/{charge}`.

use crate::answer;
use crate::auth::Known;
use crate::fields::{Fields, Names, account_id, event_id, instant, member};
use crate::headers::idempotency_key;
use crate::json::Json;
use crate::problem::{Problem, kinds};
use crate::provider_usage;
use crate::rate_limits::told;
use crate::router::{Api, JsonBody, Segment};
use crate::shapes::{InstanceKind, written_as};
use crate::wire::Shown;
use axum::extract::State;
use axum::http::{HeaderMap, HeaderName, HeaderValue, StatusCode};
use axum::response::Response;
use ledger_core::hex::Hex;
use ledger_core::{Amount, Digest, LineItem, OnExcess, Rating};
use ledger_service::{ChargeInput, Charged, Seen, ServiceError};
use ledger_store::{Instance, Recorded};
use schemars::JsonSchema;
use serde::{Serialize, Serializer};
use std::sync::Arc;

/// Says that the answer is that of an earlier request.
pub(crate) const IDEMPOTENCY_HIT: HeaderName = HeaderName::from_static("idempotency-hit");

pub(crate) async fn create(
    State(api): State<Arc<Api>>,
    caller: Known,
    headers: HeaderMap,
    body: JsonBody,
) -> Result<Response, Problem> {
    let key = idempotency_key(&headers)?;
    let input = charge_input(body.parse()?, key, NeedsKey::Yes)?;
    caller.must_see(&input.account)?;
    let account = input.account.clone();
    let mut seen = Seen::default();
    let charged = api.ledger.charge_seen(input, &mut seen).await.map_err(|error| about(error, &account));
    told(&seen, charged.and_then(|charged| made(&charged)))
}

fn made(charged: &Charged) -> Result<Response, Problem> {
    let mut response = answer::json(StatusCode::CREATED, charged)?;
    if charged.replay {
        response.headers_mut().insert(IDEMPOTENCY_HIT, HeaderValue::from_static("true"));
    }
    Ok(response)
}

pub(crate) async fn read(State(api): State<Arc<Api>>, Segment(id): Segment) -> Result<Response, Problem> {
    let charged = api.ledger.charge_by_id(&id)?;
    Ok(answer::json(StatusCode::OK, &charged)?)
}

/// A refusal about credits names the account that lacks them.
pub(crate) fn about(error: ServiceError, account: &str) -> Problem {
    let mut problem = Problem::from(error);
    if [kinds::INSUFFICIENT_CREDITS, kinds::ACCOUNT_SUSPENDED].contains(&problem.kind) {
        problem.members.insert("account".to_owned(), account.into());
    }
    problem
}

/// Whether a body must carry what makes it idempotent.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum NeedsKey {
    /// An id in the body, or the header.
    Yes,
    /// It changes nothing.
    No,
}

/// Reads the caller's own id, which must be there where no header is.
pub(crate) fn event_id_of(fields: &mut Fields<'_>, key: Option<&str>, needs: NeedsKey) -> Option<String> {
    if needs == NeedsKey::Yes && key.is_none() && !fields.has("id") {
        fields.problem("id", "is required where no Idempotency-Key header is sent, so that nothing is charged twice");
        return None;
    }
    fields.optional("id", event_id)
}

/// Reads the body of a charge or a quote.
pub(crate) fn charge_input(body: Json<'_>, key: Option<String>, needs: NeedsKey) -> Result<ChargeInput, ServiceError> {
    read_charge(Fields::open(body)?, key, needs)
}

/// Reads the body of a charge that is one of many, which share their names.
pub(crate) fn shared_charge_input<'a>(body: Json<'a>, names: &'a mut Names) -> Result<ChargeInput, ServiceError> {
    read_charge(Fields::open(body)?.sharing(names), None, NeedsKey::Yes)
}

fn read_charge(mut fields: Fields<'_>, key: Option<String>, needs: NeedsKey) -> Result<ChargeInput, ServiceError> {
    let id = event_id_of(&mut fields, key.as_deref(), needs);
    let input = ChargeInput {
        id,
        key,
        account: fields.required("account", account_id),
        activity: fields.required_name("activity"),
        agent: fields.optional_name("agent"),
        model: fields.optional_name("model"),
        quantities: provider_usage::quantities(&mut fields).into(),
        occurred_at: fields.optional("occurred_at", instant),
        attributes: fields.text_map("attributes").unwrap_or_default(),
        on_excess: fields.optional("on_excess", member(&OnExcess::ALL)).unwrap_or_default(),
    };
    fields.finish()?;
    Ok(input)
}

/// The lines of a price.
#[derive(Debug)]
pub(crate) struct ItemsAnswer<'a>(pub(crate) &'a [LineItem]);

#[derive(Debug, JsonSchema, Serialize)]
#[schemars(rename = "LineItem")]
pub(crate) struct ItemAnswer<'a> {
    /// What people call it.
    label: &'a str,
    /// The unit.
    unit: &'a str,
    /// How much of it.
    quantity: u64,
    /// What it comes to.
    credits: Shown<Amount>,
}

#[derive(Debug, JsonSchema, Serialize)]
#[schemars(rename = "EntryPlace")]
pub(crate) struct EntryAnswer {
    /// Its place in the account's journal.
    sequence: u64,
    /// The hash that chains it to all before it.
    hash: Shown<Hex>,
}

#[derive(Debug, JsonSchema, Serialize)]
#[schemars(rename = "Rating")]
pub(crate) struct RatingAnswer<'a> {
    /// The plugin.
    plugin: &'a str,
    /// The digest of its component.
    digest: Shown<Digest>,
    /// The digest of its configuration.
    config_digest: Shown<Digest>,
    /// In which instance.
    #[schemars(with = "InstanceKind")]
    instance: &'static str,
    /// The instructions that it took, where it was a fresh one.
    fuel: Option<u64>,
}

written_as! {
    ItemsAnswer<'_> => Vec<ItemAnswer<'static>>;
}

impl Serialize for ItemsAnswer<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_seq(self.0.iter().map(|item| ItemAnswer {
            label: &item.label,
            unit: &item.unit,
            quantity: item.quantity,
            credits: Shown(item.credits),
        }))
    }
}

pub(crate) fn entry_answer(recorded: &Recorded) -> EntryAnswer {
    EntryAnswer { sequence: recorded.sealed.entry.sequence, hash: Shown(Hex(recorded.sealed.hash)) }
}

pub(crate) fn rating(rating: &Rating, instance: Instance) -> RatingAnswer<'_> {
    let (instance, fuel) = instance_shown(instance);
    RatingAnswer {
        plugin: &rating.plugin,
        digest: Shown(rating.digest),
        config_digest: Shown(rating.config_digest),
        instance,
        fuel,
    }
}

/// What an answer says of the instance, and of the fuel that a price took in it.
pub(crate) fn instance_shown(instance: Instance) -> (&'static str, Option<u64>) {
    match instance {
        Instance::Fresh { fuel } => ("fresh", Some(fuel)),
        Instance::Reused | Instance::None => ("reused", None),
    }
}
