//! Accounts, what they are given, and what they buy, described.

use super::spending::PageQuery;
use super::{Description, Part, Tag};
use crate::accounts::{AccountAnswer, BalanceAnswer};
use crate::deductions::DeductionAnswer;
use crate::erasures::ErasureAnswer;
use crate::grants::{GrantAnswer, VoidAnswer};
use crate::problem::kinds;
use crate::purchases::{PacksAnswer, PurchaseAnswer, PurchaseItemAnswer, TakeBackAnswer};
use crate::router::PageAnswer;
use crate::shapes::{
    AccountId, AccountStatus, Name, PositiveCredits, PositiveMoney, Provider, Text, TextMap, WebAddress,
};
use crate::subscriptions::{ChangeAnswer, PlanAnswer};
use crate::transfers::TransferAnswer;
use crate::wire::Shown;
use ledger_core::Timestamp;
use schemars::JsonSchema;

pub(super) const ALL: Part = &[
    ("listAccounts", list_accounts),
    ("putAccount", put_account),
    ("getAccount", get_account),
    ("getBalance", get_balance),
    ("grant", grant),
    ("listGrants", list_grants),
    ("voidGrant", void_grant),
    ("deduct", deduct),
    ("putSubscription", put_subscription),
    ("previewSubscription", preview_subscription),
    ("transfer", transfer),
    ("erase", erase),
    ("listPacks", list_packs),
    ("listPlans", list_plans),
    ("purchase", purchase),
    ("listPurchases", list_purchases),
    ("refundPurchase", refund_purchase),
];

#[derive(JsonSchema)]
#[allow(dead_code, reason = "it describes what is read by hand")]
struct AccountsQuery {
    /// Accounts whose ids begin so.
    #[schemars(extend("examples" = ["ac"]))]
    prefix: Option<Text>,
    /// Accounts on this plan.
    plan: Option<Text>,
    #[schemars(flatten)]
    page: PageQuery,
}

/// An account. What is left out stays as it is.
#[derive(JsonSchema)]
#[schemars(rename = "AccountSettings", deny_unknown_fields)]
#[allow(dead_code, reason = "it describes what is read by hand")]
struct AccountSettings {
    /// What people call it.
    name: Option<Text>,
    /// Its plan. An account that is on another one changes through its subscription.
    plan: Name,
    /// The IANA time zone in which its days and cycles are counted; UTC where it is never said.
    #[schemars(extend("examples" = ["Europe/Berlin"]))]
    timezone: Option<Text>,
    /// What its cycles are counted from; when it was opened where it is never said.
    cycle_anchor: Option<Shown<Timestamp>>,
    /// The account that it belongs to.
    parent: Option<AccountId>,
    /// How it stands.
    status: Option<AccountStatus>,
    /// What you want to keep with it; replaces what was kept before.
    metadata: Option<TextMap>,
}

#[derive(JsonSchema)]
#[allow(dead_code, reason = "it describes what is read by hand")]
struct BalanceQuery {
    /// What it had at an earlier time.
    at: Option<Shown<Timestamp>>,
}

/// Credits given by hand.
#[derive(JsonSchema)]
#[schemars(rename = "NewGrant", deny_unknown_fields)]
#[allow(dead_code, reason = "it describes what is read by hand")]
struct NewGrant {
    /// How many.
    credits: PositiveCredits,
    /// What they are; an adjustment where it is left out.
    source: Option<NewGrantSource>,
    /// Lower burns first.
    #[schemars(range(min = 0, max = 1000))]
    priority: Option<u32>,
    /// From when they count; from now on where it is left out.
    effective_at: Option<Shown<Timestamp>>,
    /// When what is left of them ends; never where it is left out.
    expires_at: Option<Shown<Timestamp>>,
    /// Why.
    reason: Text,
}

#[derive(JsonSchema)]
#[schemars(rename = "NewGrantSource", rename_all = "lowercase")]
#[allow(dead_code, reason = "it describes what is read by hand")]
enum NewGrantSource {
    Promotion,
    Adjustment,
}

/// Why something is done by hand.
#[derive(JsonSchema)]
#[schemars(rename = "Reason", deny_unknown_fields)]
#[allow(dead_code, reason = "it describes what is read by hand")]
struct Reason {
    /// Why.
    reason: Text,
}

/// Credits to take.
#[derive(JsonSchema)]
#[schemars(rename = "NewDeduction", deny_unknown_fields)]
#[allow(dead_code, reason = "it describes what is read by hand")]
struct NewDeduction {
    /// How many.
    credits: PositiveCredits,
    /// Whether what is not there becomes debt; it is refused where this is left out.
    allow_debt: Option<bool>,
    /// Why.
    reason: Text,
}

/// A plan to be on.
#[derive(JsonSchema)]
#[schemars(rename = "Subscription", deny_unknown_fields)]
#[allow(dead_code, reason = "it describes what is read by hand")]
struct Subscription {
    /// The plan.
    plan: Name,
    /// When it changes; now where it is left out.
    when: Option<When>,
    /// What of its package there is for the rest of the cycle; a proportional part where it is left out.
    package_credits: Option<PackageCredits>,
    /// Whether a new cycle begins now; it does not where this is left out.
    restart_cycle: Option<bool>,
}

#[derive(JsonSchema)]
#[schemars(rename = "SubscriptionTime", rename_all = "snake_case")]
#[allow(dead_code, reason = "it describes what is read by hand")]
enum When {
    Now,
    NextCycle,
}

#[derive(JsonSchema)]
#[schemars(rename = "PackageCredits", rename_all = "snake_case")]
#[allow(dead_code, reason = "it describes what is read by hand")]
enum PackageCredits {
    Proportional,
    None,
}

/// Credits to pass on.
#[derive(JsonSchema)]
#[schemars(rename = "NewTransfer", deny_unknown_fields)]
#[allow(dead_code, reason = "it describes what is read by hand")]
struct NewTransfer {
    /// The account's parent, or one of its children.
    to: AccountId,
    /// How many.
    credits: PositiveCredits,
    /// Why.
    reason: Text,
}

/// Whose details are erased. Of `subject`, `entries` and `before` send exactly one.
#[derive(JsonSchema)]
#[schemars(rename = "NewErasure", deny_unknown_fields)]
#[allow(dead_code, reason = "it describes what is read by hand")]
struct NewErasure {
    /// Entries whose details have this text as a value.
    subject: Option<Text>,
    /// Entries by their sequences.
    #[schemars(inner(range(min = 1)))]
    entries: Option<Vec<u64>>,
    /// Entries booked before this.
    before: Option<Shown<Timestamp>>,
    /// Why.
    reason: Text,
}

/// What is bought: a pack, or an amount of credits. Of the two send one.
#[derive(JsonSchema)]
#[schemars(rename = "PurchaseOrder", deny_unknown_fields)]
#[allow(dead_code, reason = "it describes what is read by hand")]
struct PurchaseOrder {
    /// A pack by its name.
    #[schemars(extend("examples" = ["small"]))]
    pack: Option<Text>,
    /// How many credits.
    credits: Option<PositiveCredits>,
    /// Who takes the money; `manual` where it is left out, and for a customer with a portal token whoever asks them for it.
    provider: Option<Provider>,
    /// Where a buyer comes back to who had to pay elsewhere.
    return_url: Option<WebAddress>,
}

/// Money that goes back.
#[derive(JsonSchema)]
#[schemars(rename = "NewPurchaseRefund", deny_unknown_fields)]
#[allow(dead_code, reason = "it describes what is read by hand")]
struct NewPurchaseRefund {
    /// How much; all that is left of it where it is left out.
    amount: Option<PositiveMoney>,
    /// Whether the buyer had it charged back.
    dispute: Option<bool>,
    /// Why.
    reason: Text,
}

fn list_accounts() -> Description {
    Description::new(Tag::Accounts, "List accounts", "By their ids, in order.")
        .query::<AccountsQuery>()
        .answers::<PageAnswer<AccountAnswer<'_>>>(200, "A page of accounts.")
}

fn put_account() -> Description {
    Description::new(
        Tag::Accounts,
        "Open or change an account",
        "Opens the account where there is none, and changes what is sent where there is. A new account has the credits \
         of its plan at once.",
    )
    .path("account", "The account, by an id of your own.", "acme-2")
    .body::<AccountSettings>(r#"{"plan":"pro","name":"Acme","timezone":"Europe/Berlin","metadata":{"crm":"4711"}}"#)
    .answers::<AccountAnswer<'_>>(201, "It is opened.")
    .answers::<AccountAnswer<'_>>(200, "It is changed.")
    .refuses(&[kinds::PLAN_CHANGE_NEEDS_SUBSCRIPTION])
}

fn get_account() -> Description {
    Description::new(Tag::Accounts, "Read an account", "Its settings, and the cycle it is in.")
        .answers::<AccountAnswer<'_>>(200, "The account.")
}

fn get_balance() -> Description {
    Description::new(
        Tag::Accounts,
        "Read what an account has",
        "What is left, what is set aside, what expires next, and how long it will last; now, or at an earlier time.",
    )
    .query::<BalanceQuery>()
    .answers::<BalanceAnswer<'_>>(200, "What it has.")
}

fn grant() -> Description {
    Description::new(Tag::Accounts, "Give credits", "Credits by hand, with a reason: a promotion, or a correction.")
        .idempotent()
        .body::<NewGrant>(
            r#"{"credits":"50","source":"promotion","expires_at":"2026-12-31T00:00:00Z","reason":"welcome"}"#,
        )
        .answers::<GrantAnswer<'_>>(201, "The grant, as it was made.")
}

fn list_grants() -> Description {
    Description::new(Tag::Accounts, "List grants", "All that an account was given, the newest first.")
        .query::<PageQuery>()
        .answers::<PageAnswer<GrantAnswer<'_>>>(200, "A page of grants.")
}

fn void_grant() -> Description {
    Description::new(
        Tag::Accounts,
        "End a grant",
        "What is left of the grant and not set aside is gone; what a hold has of it goes when the hold gives it back.",
    )
    .idempotent()
    .body::<Reason>(r#"{"reason":"given twice"}"#)
    .answers::<VoidAnswer<'_>>(200, "It is ended.")
    .refuses(&[kinds::GRANT_NOT_FOUND, kinds::GRANT_SPENT])
}

fn deduct() -> Description {
    Description::new(Tag::Accounts, "Take credits", "Credits by hand, from all grants in the order in which they burn.")
        .idempotent()
        .body::<NewDeduction>(r#"{"credits":"5","reason":"granted to the wrong account"}"#)
        .answers::<DeductionAnswer<'_>>(201, "They are taken.")
        .refuses(&[kinds::INSUFFICIENT_CREDITS])
}

fn put_subscription() -> Description {
    Description::new(Tag::Buying, "Change the plan", "Now, or at the next cycle. Saying it again changes nothing more.")
        .body::<Subscription>(r#"{"plan":"max","when":"next_cycle"}"#)
        .answers::<ChangeAnswer<'_>>(200, "What changed.")
}

fn preview_subscription() -> Description {
    Description::new(Tag::Buying, "See what a change of plan would do", "Nothing changes.")
        .body::<Subscription>(r#"{"plan":"max"}"#)
        .answers::<ChangeAnswer<'_>>(200, "What would change.")
}

fn transfer() -> Description {
    Description::new(
        Tag::Accounts,
        "Pass credits on",
        "Between a parent and its children. Credits keep when they expire.",
    )
    .idempotent()
    .body::<NewTransfer>(r#"{"to":"acme:team","credits":"10","reason":"their share"}"#)
    .answers::<TransferAnswer<'_>>(201, "They are sent.")
    .refuses(&[kinds::INSUFFICIENT_CREDITS, kinds::ACCOUNT_SUSPENDED])
}

fn erase() -> Description {
    Description::new(
        Tag::Accounts,
        "Forget a person",
        "Erases personal details of entries (ids, attributes, reasons, names) for ever. Amounts and the chain stay, and \
         the chain still proves them.",
    )
    .idempotent()
    .body::<NewErasure>(r#"{"subject":"c_1","reason":"asked to"}"#)
    .answers::<ErasureAnswer<'_>>(201, "They are erased.")
}

fn list_packs() -> Description {
    Description::new(Tag::Buying, "List packs", "What is sold, all on one page.")
        .query::<PageQuery>()
        .answers::<PacksAnswer>(200, "What is sold.")
}

fn list_plans() -> Description {
    Description::new(Tag::Buying, "List plans", "The plans that there are, all on one page.")
        .query::<PageQuery>()
        .answers::<PageAnswer<PlanAnswer<'_>>>(200, "The plans.")
}

fn purchase() -> Description {
    Description::new(
        Tag::Buying,
        "Buy credits",
        "A pack, or an amount of your choice where that is sold. With the provider `manual` the credits are there at \
         once, and the money is recorded as to be invoiced. A provider that asks for money first answers with `status` \
         `pending` and the `checkout_url` at which the buyer pays: the credits come when it says that they are paid, once \
         and without another request. Repeated under its key, the request is answered with the same bytes, and never asks \
         for a second payment; how it stands by then is in the list of purchases.",
    )
    .idempotent()
    .body::<PurchaseOrder>(r#"{"pack":"small"}"#)
    .answers::<PurchaseAnswer<'_>>(201, "It is bought, or waits for its payment.")
    .refuses(&[kinds::PAYMENT_NOT_BEGUN])
}

fn list_purchases() -> Description {
    Description::new(Tag::Buying, "List purchases", "Those that wait for their payment, then those that were made, each the newest first. One that was not paid is not listed any more.").query::<PageQuery>().answers::<PageAnswer<
        PurchaseItemAnswer<'_>,
    >>(
        200,
        "A page of purchases.",
    )
}

fn refund_purchase() -> Description {
    Description::new(
        Tag::Buying,
        "Give money back",
        "Records that money went back, and takes the same share of the credits; what is spent of them already becomes \
         debt.",
    )
    .idempotent()
    .body::<NewPurchaseRefund>(r#"{"amount":"2.50","reason":"half of it was not wanted"}"#)
    .answers::<TakeBackAnswer<'_>>(201, "It is taken back.")
    .refuses(&[kinds::PURCHASE_NOT_FOUND, kinds::REFUND_EXCEEDS_PURCHASE])
}
