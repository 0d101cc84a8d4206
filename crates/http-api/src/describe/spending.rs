//! Charges, quotes, refunds and holds, described.

use super::{Description, Form, NDJSON, Part, Tag};
use crate::charges::{EntryAnswer, ItemAnswer, RatingAnswer};
use crate::document::AnyProblem;
use crate::holds::{HoldAnswer, ViewAnswer};
use crate::problem::kinds;
use crate::quotes::QuoteAnswer;
use crate::receipts::ReceiptAnswer;
use crate::refunds::RefundAnswer;
use crate::router::PageAnswer;
use crate::shapes::{
    AccountId, ChargeId, Credits, Cursor, EventId, Excess, HoldState, Name, PositiveCredits, Seconds, Text, TextMap,
    Usage,
};
use crate::wire::Shown;
use ledger_core::{Amount, Timestamp};
use schemars::JsonSchema;
use std::collections::BTreeMap;

pub(super) const ALL: Part = &[
    ("charge", charge),
    ("chargeBatch", charge_batch),
    ("quote", quote),
    ("getCharge", get_charge),
    ("refundCharge", refund_charge),
    ("getReceipt", get_receipt),
    ("openHold", open_hold),
    ("listHolds", list_holds),
    ("getHold", get_hold),
    ("settleHold", settle_hold),
    ("extendHold", extend_hold),
    ("releaseHold", release_hold),
];

/// Something that an agent did, with what it used. Send `usage`, or `provider_usage` in its place.
#[derive(JsonSchema)]
#[schemars(rename = "Event", deny_unknown_fields)]
#[allow(dead_code, reason = "it describes what is read by hand")]
struct Event {
    /// Your own id of it: the same id is charged once. It may be left out where `Idempotency-Key` is sent.
    id: Option<EventId>,
    /// Who pays.
    account: AccountId,
    /// What was done; with the model it decides which plugin prices it.
    activity: Name,
    /// Which of your agents did it.
    agent: Option<Name>,
    /// The model that was used.
    model: Option<Name>,
    /// How much was used.
    usage: Option<Usage>,
    /// The usage object of a provider, as it came.
    provider_usage: Option<ProviderUsage>,
    /// When it happened; now where it is left out.
    occurred_at: Option<Shown<Timestamp>>,
    /// What you want to find with the entry. It is erased on request.
    attributes: Option<TextMap>,
    /// What happens where credits do not suffice; `reject` where it is left out.
    on_excess: Option<Excess>,
}

/// A provider's own usage object, whose counts are made disjoint.
#[derive(JsonSchema)]
#[schemars(rename = "ProviderUsage", deny_unknown_fields)]
#[allow(dead_code, reason = "it describes what is read by hand")]
struct ProviderUsage {
    /// Whose object it is; those who speak OpenAI's API count as it.
    provider: ProviderName,
    /// The object, as the provider sent it.
    usage: BTreeMap<String, serde_json::Value>,
}

#[derive(JsonSchema)]
#[schemars(rename = "ProviderName", rename_all = "lowercase")]
#[allow(dead_code, reason = "it describes what is read by hand")]
enum ProviderName {
    Openai,
    Anthropic,
    Google,
}

/// A charge that was made.
#[derive(JsonSchema)]
#[schemars(rename = "Charge")]
#[allow(dead_code, reason = "it describes what `answer` writes by hand")]
struct Charge {
    /// Its id.
    charge: ChargeId,
    /// Who paid.
    account: AccountId,
    /// Credits collected.
    credits: Shown<Amount>,
    /// What of the price could not be collected; absent where all was.
    #[schemars(skip_serializing_if = "Option::is_none")]
    uncollected: Option<Shown<Amount>>,
    /// The lines of the price.
    items: Vec<ItemAnswer<'static>>,
    /// Credits that are there afterwards and not set aside, less debt.
    remaining: Shown<Amount>,
    /// Credits that a charge could take afterwards, with what the plan allows beyond.
    spendable: Shown<Amount>,
    /// Its entry in the journal.
    entry: EntryAnswer,
    /// What priced it; null where credits were named.
    rating: Option<RatingAnswer<'static>>,
}

/// What came of one item of a batch.
#[derive(JsonSchema)]
#[schemars(rename = "BatchResult", untagged)]
#[allow(dead_code, clippy::large_enum_variant, reason = "it describes what `batch` writes by hand, and is never made")]
enum BatchResult {
    Charged(ChargedItem),
    Refused(RefusedItem),
}

/// An item that was charged.
#[derive(JsonSchema)]
#[schemars(rename = "ChargedItem")]
#[allow(dead_code, reason = "it describes what `batch` writes by hand")]
struct ChargedItem {
    /// 201.
    #[schemars(range(min = 201, max = 201))]
    status: u16,
    /// Whether it had been charged before.
    replay: bool,
    #[schemars(flatten)]
    charge: Charge,
}

/// An item that was not charged: its problem.
#[derive(JsonSchema)]
#[schemars(rename = "RefusedItem")]
#[allow(dead_code, reason = "it describes what `batch` writes by hand")]
struct RefusedItem {
    /// False.
    replay: bool,
    #[schemars(flatten)]
    problem: AnyProblem,
}

/// Credits to set aside: named, or as usage that is priced. Of `credits`, `usage` and `provider_usage` send one.
#[derive(JsonSchema)]
#[schemars(rename = "NewHold", deny_unknown_fields)]
#[allow(dead_code, reason = "it describes what is read by hand")]
struct NewHold {
    /// Your own id of it, which may stand in place of `Idempotency-Key`.
    id: Option<EventId>,
    /// Who pays.
    account: AccountId,
    /// What is going to be done.
    activity: Name,
    /// Which of your agents does it.
    agent: Option<Name>,
    /// The model that is used.
    model: Option<Name>,
    /// Credits to set aside.
    credits: Option<PositiveCredits>,
    /// Usage to set credits aside for.
    usage: Option<Usage>,
    /// The same as a provider's own object.
    provider_usage: Option<ProviderUsage>,
    /// How long the hold lasts unless it is extended.
    ttl_seconds: Seconds,
    /// What happens where credits do not suffice; `reject` where it is left out.
    on_excess: Option<Excess>,
    /// What you want to find with the entries.
    attributes: Option<TextMap>,
}

/// Totals since the hold was opened. Of `credits`, `usage` and `provider_usage` send one; none where `final` is true and
/// nothing is new.
#[derive(JsonSchema)]
#[schemars(rename = "Settlement", deny_unknown_fields)]
#[allow(dead_code, reason = "it describes what is read by hand")]
struct Settle {
    /// Whether the work is done: the hold then ends, and what is left goes back.
    r#final: bool,
    /// Credits used since the hold was opened.
    credits: Option<Credits>,
    /// What was used since the hold was opened.
    usage: Option<Usage>,
    /// The same as a provider's own object.
    provider_usage: Option<ProviderUsage>,
}

/// Totals that the hold should cover, or more time, or both.
#[derive(JsonSchema)]
#[schemars(rename = "Extension", deny_unknown_fields)]
#[allow(dead_code, reason = "it describes what is read by hand")]
struct Extend {
    /// Credits to be covered since the hold was opened.
    credits: Option<Credits>,
    /// Usage to be covered since the hold was opened.
    usage: Option<Usage>,
    /// The same as a provider's own object.
    provider_usage: Option<ProviderUsage>,
    /// How long the hold lasts from now on.
    ttl_seconds: Option<Seconds>,
}

/// Nothing.
#[derive(JsonSchema)]
#[schemars(rename = "Nothing", deny_unknown_fields)]
pub(super) struct Nothing {}

#[derive(JsonSchema)]
#[allow(dead_code, reason = "it describes what is read by hand")]
struct HoldsQuery {
    /// Holds of this account.
    account: Option<AccountId>,
    /// The hold that was opened with this id.
    id: Option<Text>,
    /// Holds that stand so.
    status: Option<HoldState>,
    #[schemars(flatten)]
    page: PageQuery,
}

/// Which page of a list.
#[derive(JsonSchema)]
#[allow(dead_code, reason = "it describes what is read by hand")]
pub(super) struct PageQuery {
    /// How many at most; 50 where it is left out.
    #[schemars(range(min = 1, max = 1000))]
    limit: Option<u32>,
    /// Where the page goes on: the `next_cursor` of the page before.
    cursor: Option<Cursor>,
}

/// Some credits of a charge, or all of them.
#[derive(JsonSchema)]
#[schemars(rename = "NewRefund", deny_unknown_fields)]
#[allow(dead_code, reason = "it describes what is read by hand")]
struct NewRefund {
    /// How many; all that is left of the charge where it is left out.
    credits: Option<PositiveCredits>,
    /// Why.
    reason: Text,
}

/// What may go wrong where something is priced and taken.
const SPENDING: [&kinds::Kind; 6] = [
    kinds::INSUFFICIENT_CREDITS,
    kinds::ACCOUNT_SUSPENDED,
    kinds::UNPRICED,
    kinds::PLUGIN_FAILED,
    kinds::THROTTLED,
    kinds::INVALID_REQUEST,
];

const EVENT: &str = r#"{"id":"evt_9","account":"acme","activity":"chat","agent":"support-bot","model":"m","usage":{"messages":1},"attributes":{"conversation":"c_9"}}"#;

fn charge() -> Description {
    Description::new(
        Tag::Charges,
        "Charge an event",
        "Prices the event and takes the credits, all at once and durably: what is answered has happened. The same `id`, \
         or the same `Idempotency-Key`, is charged once, and answered with the same bytes again.",
    )
    .idempotent_or_by_id()
    .body::<Event>(EVENT)
    .answers::<Charge>(201, "It is charged.")
    .refuses(&SPENDING)
    .refuses(&[kinds::EVENT_TOO_OLD, kinds::EVENT_IN_FUTURE])
}

fn charge_batch() -> Description {
    Description::new(
        Tag::Charges,
        "Charge many events",
        "Up to 10,000 events of any accounts, as a JSON array or as lines of JSON. Each stands alone and needs an `id`: \
         one that is refused stops no other. The results are in the order of the items, in the form that came in; each \
         has the `status` that the single call would have had. Where nothing at all could be done, the whole is refused.",
    )
    .body::<Vec<Event>>(concat!(
        r#"[{"id":"evt_8","account":"acme","activity":"chat","model":"m","usage":{"messages":1}},"#,
        r#"{"id":"evt_9","account":"nobody","activity":"chat","model":"m","usage":{"messages":1}}]"#
    ))
    .or_body::<Event>(NDJSON, Form::Lines)
    .answers::<Vec<BatchResult>>(200, "What came of each item.")
    .or::<BatchResult>(NDJSON, Form::Lines)
}

fn quote() -> Description {
    Description::new(
        Tag::Charges,
        "Ask for the price",
        "Prices an event as a charge would, and says whether it would be charged now. Nothing changes.",
    )
    .body::<Event>(r#"{"account":"acme","activity":"chat","model":"m","usage":{"messages":20}}"#)
    .answers::<QuoteAnswer<'_>>(200, "The price.")
    .refuses(&[kinds::PLUGIN_FAILED])
}

fn get_charge() -> Description {
    Description::new(Tag::Charges, "Find a charge", "The charge as it was answered when it was made.")
        .answers::<Charge>(200, "The charge.")
        .refuses(&[kinds::CHARGE_NOT_FOUND])
}

fn refund_charge() -> Description {
    Description::new(
        Tag::Charges,
        "Give a charge back",
        "Credits go back to the grants that paid, the last first; what has expired since becomes an adjustment. Debt is \
         paid before that.",
    )
    .idempotent()
    .body::<NewRefund>(r#"{"credits":"0.001","reason":"the answer was cut off"}"#)
    .answers::<RefundAnswer<'_>>(201, "It is given back.")
    .refuses(&[kinds::CHARGE_NOT_FOUND, kinds::REFUND_EXCEEDS_CHARGE])
}

fn get_receipt() -> Description {
    Description::new(
        Tag::Charges,
        "Get what proves a charge",
        "All that is needed to execute a charge again and to check its place in the chain, without trusting this server.",
    )
    .answers::<ReceiptAnswer<'_>>(200, "The receipt.")
    .refuses(&[kinds::CHARGE_NOT_FOUND])
}

fn open_hold() -> Description {
    Description::new(
        Tag::Holds,
        "Set credits aside",
        "For work whose price is known afterwards, such as a call: what is set aside is there when it is settled. A hold \
         ends by itself after `ttl_seconds`, and what is left of it goes back.",
    )
    .idempotent_or_by_id()
    .body::<NewHold>(
        r#"{"id":"call-9","account":"acme","activity":"voice_web","usage":{"seconds":60},"ttl_seconds":300,"on_excess":"cap"}"#,
    )
    .answers::<HoldAnswer<'_>>(201, "It is set aside.")
    .refuses(&SPENDING)
}

fn list_holds() -> Description {
    Description::new(Tag::Holds, "List holds", "The newest of each account first.")
        .query::<HoldsQuery>()
        .answers::<PageAnswer<ViewAnswer<'_>>>(200, "A page of holds.")
}

fn get_hold() -> Description {
    Description::new(Tag::Holds, "Find a hold", "The hold as it stands.")
        .answers::<ViewAnswer<'_>>(200, "The hold.")
        .refuses(&[kinds::HOLD_NOT_FOUND])
}

fn settle_hold() -> Description {
    Description::new(
        Tag::Holds,
        "Settle a hold",
        "Usage and credits are totals since the hold was opened; what they come to beyond the last settle is collected. \
         The final one ends the hold. One that comes after a hold has run out still collects what is there.",
    )
    .idempotent()
    .body::<Settle>(r#"{"usage":{"seconds":45},"final":true}"#)
    .answers::<HoldAnswer<'_>>(200, "It is settled.")
    .refuses(&SPENDING)
    .refuses(&[kinds::HOLD_NOT_FOUND, kinds::HOLD_CLOSED, kinds::EXCEEDS_HOLD, kinds::USAGE_DECREASED])
}

fn extend_hold() -> Description {
    Description::new(
        Tag::Holds,
        "Extend a hold",
        "Usage and credits are totals since the hold was opened. The answer says what could be set aside and until when \
         it suffices.",
    )
    .idempotent()
    .body::<Extend>(r#"{"usage":{"seconds":120},"ttl_seconds":300}"#)
    .answers::<HoldAnswer<'_>>(200, "It is extended.")
    .refuses(&SPENDING)
    .refuses(&[kinds::HOLD_NOT_FOUND, kinds::HOLD_CLOSED, kinds::EXCEEDS_HOLD, kinds::USAGE_DECREASED])
}

fn release_hold() -> Description {
    Description::new(Tag::Holds, "Give a hold back", "Ends the hold; what is set aside goes back.")
        .idempotent()
        .body::<Nothing>("{}")
        .body_optional()
        .answers::<HoldAnswer<'_>>(200, "It is given back.")
        .refuses(&[kinds::HOLD_NOT_FOUND, kinds::HOLD_CLOSED])
}
