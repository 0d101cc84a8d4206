//! Holds: credits set aside before the work, settled by totals.

use crate::acts::{mark, wrong_entry};
use crate::auth::Known;
use crate::charges::{EntryAnswer, NeedsKey, RatingAnswer, about, entry_answer, event_id_of, rating};
use crate::entries::UsageAnswer;
use crate::fields::{Fields, account_id, amount, flag, member, name, positive_amount, seconds, text};
use crate::headers::{idempotency_key, required_idempotency_key};
use crate::problem::Problem;
use crate::provider_usage;
use crate::rate_limits::told;
use crate::router::{Api, JsonBody, Page, Segment, blocking};
use crate::shapes::{AccountId, ChargeId, Excess, HoldId, HoldState};
use crate::wire::{Shown, json};
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode, Uri};
use axum::response::Response;
use ledger_core::entry::ReturnInto;
use ledger_core::{Amount, Body, HoldStatus, Id, IdKind, OnExcess, Timestamp};
use ledger_service::{HoldAmount, HoldFilter, HoldInput, HoldReply, HoldStep, HoldView, Seen, ServiceError};
use ledger_store::Instance;
use schemars::JsonSchema;
use serde::Serialize;
use std::borrow::Cow;
use std::sync::Arc;

/// Where a page of holds goes on: after an account, before a sequence in it.
#[derive(Clone, Debug)]
struct Place(String, u64);

impl std::fmt::Display for Place {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}/{}", self.0, self.1)
    }
}

impl std::str::FromStr for Place {
    type Err = ();

    fn from_str(text: &str) -> Result<Self, ()> {
        let (account, sequence) = text.rsplit_once('/').ok_or(())?;
        Ok(Self(account.to_owned(), sequence.parse().map_err(|_| ())?))
    }
}

/// How much: credits, or usage; of either at most one.
fn hold_amount(fields: &mut Fields<'_>, is_required: bool) -> Option<HoldAmount> {
    let has_usage = fields.has("usage") || fields.has("provider_usage");
    match (fields.has("credits"), has_usage) {
        (true, true) => {
            fields.problem("credits", "send credits or usage, not both");
            fields.optional("credits", |_| Ok(()));
            provider_usage::quantities(fields);
            None
        }
        (true, false) if is_required => fields.optional("credits", positive_amount).map(HoldAmount::Credits),
        (true, false) => fields.optional("credits", not_negative).map(HoldAmount::Credits),
        (false, true) => Some(HoldAmount::Usage(provider_usage::quantities(fields).into())),
        (false, false) => {
            if is_required {
                fields.problem("credits", "is required, or usage in its place");
            }
            None
        }
    }
}

fn not_negative(value: crate::json::Json<'_>) -> Result<Amount, String> {
    let amount = amount(value)?;
    if amount.is_negative() { Err("must not be below zero".to_owned()) } else { Ok(amount) }
}

/// `POST /v1/holds`.
pub(crate) async fn create(
    State(api): State<Arc<Api>>,
    caller: Known,
    headers: HeaderMap,
    body: JsonBody,
) -> Result<Response, Problem> {
    let key = idempotency_key(&headers)?;
    let mut fields = Fields::open(body.parse()?)?;
    let id = event_id_of(&mut fields, key.as_deref(), NeedsKey::Yes);
    let amount = hold_amount(&mut fields, true);
    let input = HoldInput {
        id,
        key,
        account: fields.required("account", account_id),
        activity: fields.required("activity", name),
        agent: fields.optional("agent", name),
        model: fields.optional("model", name),
        amount: amount.unwrap_or(HoldAmount::Credits(Amount::ZERO)),
        ttl_ms: fields.required("ttl_seconds", seconds),
        on_excess: fields.optional("on_excess", member(&OnExcess::ALL)).unwrap_or_default(),
        attributes: fields.text_map("attributes").unwrap_or_default(),
    };
    fields.finish()?;
    caller.must_see(&input.account)?;
    let account = input.account.clone();
    let mut seen = Seen::default();
    let reply = api.ledger.open_hold_seen(input, &mut seen).await.map_err(|error| about(error, &account));
    told(&seen, reply.and_then(|reply| answer(StatusCode::CREATED, &reply)))
}

/// `POST /v1/holds/{hold}/settle`.
pub(crate) async fn settle(
    State(api): State<Arc<Api>>,
    Segment(hold): Segment,
    headers: HeaderMap,
    body: JsonBody,
) -> Result<Response, Problem> {
    let key = required_idempotency_key(&headers)?;
    let mut fields = Fields::open(body.parse()?)?;
    let is_final = fields.required("final", flag);
    let amount = hold_amount(&mut fields, false);
    if amount.is_none() && !is_final {
        fields.problem("usage", "is required, or credits in its place, unless final is true");
    }
    fields.finish()?;
    step(&api, &hold, &key, HoldStep::Settle { amount, is_final }).await
}

/// `POST /v1/holds/{hold}/extend`.
pub(crate) async fn extend(
    State(api): State<Arc<Api>>,
    Segment(hold): Segment,
    headers: HeaderMap,
    body: JsonBody,
) -> Result<Response, Problem> {
    let key = required_idempotency_key(&headers)?;
    let mut fields = Fields::open(body.parse()?)?;
    let amount = hold_amount(&mut fields, false);
    let ttl_ms = fields.optional("ttl_seconds", seconds);
    if amount.is_none() && ttl_ms.is_none() {
        fields.problem("ttl_seconds", "is required, unless usage or credits are sent");
    }
    fields.finish()?;
    step(&api, &hold, &key, HoldStep::Extend { amount, ttl_ms }).await
}

/// `POST /v1/holds/{hold}/release`.
pub(crate) async fn release(
    State(api): State<Arc<Api>>,
    Segment(hold): Segment,
    headers: HeaderMap,
    body: JsonBody,
) -> Result<Response, Problem> {
    let key = required_idempotency_key(&headers)?;
    if !body.is_empty() {
        Fields::open(body.parse()?)?.finish()?;
    }
    step(&api, &hold, &key, HoldStep::Release).await
}

async fn step(api: &Api, hold: &str, key: &str, step: HoldStep) -> Result<Response, Problem> {
    let mut seen = Seen::default();
    let reply = api.ledger.step_hold_seen(hold, key, step, &mut seen).await.map_err(Problem::from);
    told(&seen, reply.and_then(|reply| answer(StatusCode::OK, &reply)))
}

/// What came of something done to a hold. Made of its entry, so that a replay is the same.
#[derive(JsonSchema, Serialize)]
#[schemars(rename = "HoldStep")]
pub(crate) struct HoldAnswer<'a> {
    /// The hold.
    #[schemars(with = "HoldId")]
    hold: Shown<Id>,
    /// The account.
    #[schemars(with = "AccountId")]
    account: &'a str,
    /// How the hold stands afterwards.
    #[schemars(with = "HoldState")]
    status: &'static str,
    /// Credits asked for since it was opened.
    requested: Shown<Amount>,
    /// Credits that this moved: set aside, collected, or given back.
    credits: Shown<Amount>,
    /// Credits set aside now.
    held: Shown<Amount>,
    /// Credits collected since it was opened.
    settled: Shown<Amount>,
    /// What of the price could not be collected.
    uncollected: Shown<Amount>,
    /// What of what was asked for could not be set aside or collected.
    shortfall: Shown<Amount>,
    /// Until when the credits suffice, where usage is time.
    covered_until: Option<Shown<Timestamp>>,
    /// When the hold ends by itself.
    expires_at: Shown<Timestamp>,
    /// Credits that are there and not set aside, less debt.
    remaining: Shown<Amount>,
    /// Credits that a charge could take now.
    spendable: Shown<Amount>,
    /// The charge that a settle made.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Option<ChargeId>")]
    charge: Option<Shown<Id>>,
    /// What priced it; null where credits were named.
    rating: Option<RatingAnswer<'a>>,
    /// Its entry in the journal.
    entry: EntryAnswer,
}

fn answer(status: StatusCode, reply: &HoldReply) -> Result<Response, Problem> {
    let mut response = json(status, &HoldAnswer::new(reply)?);
    mark(&mut response, reply.replay);
    Ok(response)
}

impl<'a> HoldAnswer<'a> {
    fn new(reply: &'a HoldReply) -> Result<Self, ServiceError> {
        let recorded = &*reply.recorded;
        let entry = &recorded.sealed.entry;
        let less = |a: Amount, b: Amount| a.checked_sub(b).filter(|left| left.is_positive()).unwrap_or_default();
        let sum = |a: Amount, b: Amount| a.checked_add(b).unwrap_or_default();
        let mut comes_later = Amount::ZERO;
        let id = |kind: IdKind, sequence: u64| Shown(Id { kind, account: entry.account, sequence });
        let (status, requested, credits, held, settled, uncollected, expires_at) = match &entry.body {
            Body::Hold(opened) => {
                let held = opened.covered().unwrap_or_default();
                (HoldStatus::Open, opened.requested, held, held, Amount::ZERO, Amount::ZERO, opened.expires_at)
            }
            Body::Extension(extended) => {
                let more = entry.body.held_change().unwrap_or_default();
                let more = sum(more, extended.overage);
                let (held, settled) = (extended.held, extended.settled);
                (HoldStatus::Open, extended.requested, more, held, settled, Amount::ZERO, extended.expires_at)
            }
            Body::Settle(settle) => {
                let status = match (settle.is_final, settle.late) {
                    (true, _) => HoldStatus::Settled,
                    (false, true) => HoldStatus::Expired,
                    (false, false) => HoldStatus::Open,
                };
                comes_later = sum(settle.refunded, voided(&settle.returns));
                let settled = less(settle.settled, settle.refunded);
                let collected = settle.collected().unwrap_or_default();
                let credits = collected.checked_sub(settle.refunded).unwrap_or_default();
                let uncollected = less(settle.priced, settled);
                (status, settle.priced, credits, settle.held, settled, uncollected, settle.expires_at)
            }
            Body::Release(ended) => {
                let back = ended.returns.iter().fold(ended.overage_held, |all, back| sum(all, back.credits));
                comes_later = voided(&ended.returns);
                let uncollected = less(ended.priced, ended.settled);
                let requested = sum(ended.settled, back);
                (HoldStatus::Released, requested, back, Amount::ZERO, ended.settled, uncollected, ended.expires_at)
            }
            _ => return Err(wrong_entry(recorded)),
        };
        let shortfall = match &entry.body {
            Body::Release(_) => Amount::ZERO,
            Body::Settle(_) => uncollected,
            _ => less(less(requested, held), settled),
        };
        let is_charge = matches!(entry.body, Body::Settle(_));
        Ok(Self {
            hold: id(IdKind::Hold, reply.hold),
            account: &reply.account,
            status: status.name(),
            requested: Shown(requested),
            credits: Shown(credits),
            held: Shown(held),
            settled: Shown(settled),
            uncollected: Shown(uncollected),
            shortfall: Shown(shortfall),
            covered_until: reply.covered_until.map(Shown),
            expires_at: Shown(expires_at),
            // What comes back in entries of its own, right after this one, pays debt first.
            remaining: Shown(sum(entry.remaining, less(comes_later, entry.debt))),
            spendable: Shown(recorded.notes.spendable),
            charge: is_charge.then(|| id(IdKind::Charge, entry.sequence)),
            rating: reply.rating.as_ref().map(|by| rating(by, recorded.notes.instance)),
            entry: entry_answer(recorded),
        })
    }
}

fn voided(returns: &[ledger_core::entry::Return]) -> Amount {
    let voided = returns.iter().filter(|back| back.into == ReturnInto::Voided);
    voided.fold(Amount::ZERO, |sum, back| sum.checked_add(back.credits).unwrap_or(sum))
}

/// `GET /v1/holds/{hold}`.
pub(crate) async fn read(State(api): State<Arc<Api>>, Segment(hold): Segment) -> Result<Response, Problem> {
    let ledger = api.ledger.clone();
    let view = blocking(move || ledger.hold(&hold)).await?;
    Ok(json(StatusCode::OK, &ViewAnswer::new(&view)))
}

/// `GET /v1/holds`.
pub(crate) async fn list(State(api): State<Arc<Api>>, caller: Known, uri: Uri) -> Result<Response, Problem> {
    let mut fields = Fields::of_query(&uri)?;
    let account = fields.optional("account", account_id);
    let id = fields.optional("id", |value| text(value).map(Cow::into_owned));
    let status = fields.optional("status", member(&HoldStatus::ALL));
    let page: Page<Place> = Page::read(&mut fields);
    fields.finish()?;
    if let Some(account) = &account {
        caller.must_see(account)?;
    }
    let after = page.cursor.map(|place| (place.0, place.1));
    let among = caller.0.accounts.clone();
    let filter = HoldFilter { account, among, id, status, after, limit: page.limit };
    let ledger = api.ledger.clone();
    let (views, next) = blocking(move || ledger.holds(&filter)).await?;
    let next = next.map(|(account, sequence)| Place(account, sequence));
    Ok(Page::answer(views.iter().map(ViewAnswer::new).collect(), next))
}

/// A hold as it stands.
#[derive(JsonSchema, Serialize)]
#[schemars(rename = "Hold")]
pub(crate) struct ViewAnswer<'a> {
    /// Its id.
    #[schemars(with = "HoldId")]
    hold: Shown<Id>,
    /// The caller's own id of it.
    id: Option<&'a str>,
    /// The account.
    #[schemars(with = "AccountId")]
    account: &'a str,
    /// How it stands.
    #[schemars(with = "HoldState")]
    status: &'static str,
    /// The activity.
    activity: &'a str,
    /// The agent.
    agent: Option<&'a str>,
    /// The model.
    model: Option<&'a str>,
    /// What happens where credits do not suffice.
    #[schemars(with = "Excess")]
    on_excess: &'static str,
    /// Credits asked for.
    requested: Shown<Amount>,
    /// Credits set aside.
    held: Shown<Amount>,
    /// Credits collected.
    settled: Shown<Amount>,
    /// What could not be collected.
    uncollected: Shown<Amount>,
    /// The latest totals.
    usage: UsageAnswer<'a>,
    /// Until when the credits suffice, where usage is time.
    covered_until: Option<Shown<Timestamp>>,
    /// When it was opened.
    opened_at: Shown<Timestamp>,
    /// When it ends by itself.
    expires_at: Shown<Timestamp>,
    /// When it ended.
    closed_at: Option<Shown<Timestamp>>,
    /// What prices it; null where credits were named.
    rating: Option<RatingAnswer<'a>>,
}

impl<'a> ViewAnswer<'a> {
    fn new(view: &'a HoldView) -> Self {
        let uncollected = view.priced.checked_sub(view.settled).filter(|left| left.is_positive());
        Self {
            hold: Shown(Id { kind: IdKind::Hold, account: view.number, sequence: view.sequence }),
            id: view.id.as_deref(),
            account: &view.account,
            status: view.status.name(),
            activity: &view.terms.activity,
            agent: view.terms.agent.as_deref(),
            model: view.terms.model.as_deref(),
            on_excess: view.terms.on_excess.name(),
            requested: Shown(view.requested),
            held: Shown(view.held),
            settled: Shown(view.settled),
            uncollected: Shown(uncollected.unwrap_or_default()),
            usage: UsageAnswer(&view.quantities),
            covered_until: view.covered_until.map(Shown),
            opened_at: Shown(view.terms.opened_at),
            expires_at: Shown(view.expires_at),
            closed_at: view.closed_at.map(Shown),
            rating: view.terms.rating.as_ref().map(|by| rating(by, Instance::None)),
        }
    }
}
