//! JSON Schemas of values that stand on the wire as texts or numbers with a rule of their own: amounts, instants,
//! identifiers, names. The structs around them derive theirs.

use crate::fields::{KEY_BYTES_MAX, QUANTITY_MAX, TEXT_BYTES_MAX, UNITS_MAX};
use crate::time::Day;
use crate::wire::{Percent, Share, Shown};
use ledger_core::entry::Settlement;
use ledger_core::hex::Hex;
use ledger_core::ids::{ACCOUNT_ID_BYTES_MAX, NAME_BYTES_MAX};
use ledger_core::{Amount, Body, Digest, FirstCycle, HoldStatus, Id, OnExcess, Source, Status, Timestamp};
use ledger_service::{BacktestStatus, NoticeKind, Scope};
use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use std::borrow::Cow;

/// What [`Shown`] writes of a value.
pub(crate) trait ShownSchema {
    /// The name under which the document has it.
    const NAME: &'static str;

    /// What it looks like.
    fn schema() -> Schema;
}

impl<T: ShownSchema> JsonSchema for Shown<T> {
    fn schema_name() -> Cow<'static, str> {
        T::NAME.into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        T::schema()
    }
}

/// Says that a type is written as another one.
macro_rules! written_as {
    ($($type:ty => $other:ty;)*) => {$(
        impl schemars::JsonSchema for $type {
            fn inline_schema() -> bool {
                <$other>::inline_schema()
            }

            fn schema_name() -> std::borrow::Cow<'static, str> {
                <$other>::schema_name()
            }

            fn json_schema(generator: &mut schemars::SchemaGenerator) -> schemars::Schema {
                <$other>::json_schema(generator)
            }
        }
    )*};
}
pub(crate) use written_as;

/// Gives types that only describe a schema, under their own names.
macro_rules! shapes {
    ($($(#[$doc:meta])* $name:ident => $schema:expr;)*) => {$(
        $(#[$doc])*
        pub(crate) struct $name;

        impl JsonSchema for $name {
            fn schema_name() -> Cow<'static, str> {
                stringify!($name).into()
            }

            fn json_schema(_: &mut SchemaGenerator) -> Schema {
                let $name = Self;
                $schema
            }
        }
    )*};
}

/// The same for what [`Shown`] writes.
macro_rules! shown {
    ($($type:ty as $name:literal => $schema:expr;)*) => {$(
        impl ShownSchema for $type {
            const NAME: &'static str = $name;

            fn schema() -> Schema {
                $schema
            }
        }
    )*};
}

shown! {
    Amount as "Amount" => json_schema!({
        "type": "string",
        "pattern": r"^-?[0-9]+(\.[0-9]{1,6})?$",
        "description": "Credits, or money, as decimal text: at most six decimals, no exponent, no trailing zeros.",
        "examples": ["12.5"],
    });
    Timestamp as "Timestamp" => json_schema!({
        "type": "string",
        "format": "date-time",
        "description": "An instant: RFC 3339. Answers are in UTC; requests may have any offset.",
        "examples": ["2026-11-16T18:15:46.68Z"],
    });
    Day as "Day" => json_schema!({
        "type": "string",
        "format": "date",
        "description": "A day in the account's time zone.",
        "examples": ["2026-11-16"],
    });
    Digest as "Digest" => json_schema!({
        "type": "string",
        "pattern": "^sha256:[0-9a-f]{64}$",
        "description": "What bytes are named by: their SHA-256.",
    });
    Percent as "Percent" => json_schema!({
        "type": "string",
        "pattern": r"^[0-9]+(\.[0-9]{1,2})?$",
        "description": "Percent as decimal text, with at most two decimals.",
    });
    Hex as "Hash" => json_schema!({
        "type": "string",
        "pattern": "^[0-9a-f]{64}$",
        "description": "32 bytes in hexadecimal.",
    });
    Id as "Id" => id(&["en", "ch", "gr", "ho", "rf", "pu", "tr"], "What an entry made, or the entry itself.");
}

/// An identifier with one of these prefixes.
fn id(prefixes: &[&str], description: &str) -> Schema {
    json_schema!({
        "type": "string",
        "pattern": format!("^({})_[0-9]+_[0-9]+$", prefixes.join("|")),
        "description": description,
        "examples": [format!("{}_12_812", prefixes[0])],
    })
}

/// One of a list of names.
fn names<T>(all: &[(T, &'static str)], description: &str) -> Schema {
    one_of(all.iter().map(|(_, name)| *name), description)
}

/// One of these texts.
pub(crate) fn one_of(names: impl IntoIterator<Item = &'static str>, description: &str) -> Schema {
    let names: Vec<&str> = names.into_iter().collect();
    json_schema!({ "type": "string", "enum": names, "description": description })
}

/// A text of so many bytes at most, without control characters.
fn plain(length_max: usize, description: &str) -> Schema {
    json_schema!({
        "type": "string",
        "minLength": 1,
        "maxLength": length_max,
        "pattern": r"^[^\u0000-\u001f\u007f-\u009f]+$",
        "description": format!("{description} At most {length_max} bytes in UTF-8, without control characters."),
    })
}

/// What [`crate::fields::amount`] takes.
fn amount_taken(text: &str, least: i64, description: &str) -> Schema {
    json_schema!({
        "type": ["string", "integer"],
        "pattern": text,
        "minimum": least,
        "maximum": 9_000_000_000_000_i64,
        "description": format!(
            "{description}: decimal text with at most six decimals and at most 9000000000000, such as \"12.5\", or a \
             whole number. A JSON number with a point or an exponent is refused, since it is not exact."
        ),
        "examples": ["12.5"],
    })
}

shapes! {
    /// The id of a charge.
    ChargeId => id(&["ch"], "A charge.");
    /// The id of a hold.
    HoldId => id(&["ho"], "A hold.");
    /// The id of a grant.
    GrantId => id(&["gr"], "A grant.");
    /// The id of a refund.
    RefundId => id(&["rf"], "A refund of a charge.");
    /// The id of a purchase.
    PurchaseId => id(&["pu"], "A purchase.");
    /// The id of an order.
    OrderId => json_schema!({
        "type": "string", "pattern": "^or_[0-9a-f]{32}$", "description": "An order: a purchase that had to be paid first.",
    });
    /// The id of a purchase, or of its order.
    PurchaseOrOrderId => json_schema!({
        "type": "string",
        "pattern": "^(pu_[0-9]+_[0-9]+|or_[0-9a-f]{32})$",
        "description": "A purchase; while it waits for its payment, its order.",
        "examples": ["pu_12_812"],
    });
    /// The id of a transfer.
    TransferId => id(&["tr"], "A transfer.");
    /// The id of an entry.
    EntryId => id(&["en"], "An entry.");
    /// An account's own id.
    AccountId => json_schema!({
        "type": "string",
        "minLength": 1,
        "maxLength": ACCOUNT_ID_BYTES_MAX,
        "pattern": "^[A-Za-z0-9._:-]+$",
        "description": "An account: the caller's own id for it.",
        "examples": ["acme"],
    });
    /// A name of a plan, an activity, an agent or a model.
    Name => plain(NAME_BYTES_MAX, "A name of a plan, an activity, an agent, a model or a unit.");
    /// A free text.
    Text => json_schema!({
        "type": "string",
        "minLength": 1,
        "maxLength": TEXT_BYTES_MAX,
        "description": format!("A text of at most {TEXT_BYTES_MAX} bytes in UTF-8."),
    });
    /// An event's own id.
    EventId => json_schema!({
        "type": "string",
        "minLength": 1,
        "maxLength": KEY_BYTES_MAX,
        "description": format!("The caller's own id of an event, of at most {KEY_BYTES_MAX} bytes in UTF-8."),
        "examples": ["evt_1"],
    });
    /// Credits that are sent.
    Credits => amount_taken(r"^[0-9]{1,13}(\.[0-9]{1,6})?$", 0, "Credits");
    /// Credits above zero that are sent.
    PositiveCredits => amount_taken(
        r"^([0-9]{0,12}[1-9][0-9]{0,12}(\.[0-9]{1,6})?|[0-9]{1,13}\.[0-9]{0,5}[1-9][0-9]{0,5})$", 1, "Credits above zero",
    );
    /// Money above zero that is sent.
    PositiveMoney => amount_taken(
        r"^([0-9]{0,12}[1-9][0-9]{0,12}(\.[0-9]{1,6})?|[0-9]{1,13}\.[0-9]{0,5}[1-9][0-9]{0,5})$", 1, "Money above zero",
    );
    /// Quantities by unit.
    Usage => json_schema!({
        "type": "object",
        "maxProperties": UNITS_MAX,
        "propertyNames": { "minLength": 1, "maxLength": NAME_BYTES_MAX, "pattern": r"^[^\u0000-\u001f\u007f-\u009f]+$" },
        "additionalProperties": { "type": "integer", "minimum": 0, "maximum": QUANTITY_MAX },
        "description": "How much was used, by unit. Units are open and disjoint: no token is in two of them.",
        "examples": [{ "input_tokens": 374, "output_tokens": 44, "messages": 1 }],
    });
    /// What was used, in an answer.
    UsedUnits => json_schema!({
        "type": "object",
        "additionalProperties": { "type": "integer", "minimum": 0 },
        "description": "How much was used, by unit.",
        "examples": [{ "input_tokens": 374, "output_tokens": 44, "messages": 1 }],
    });
    /// A map of texts.
    TextMap => json_schema!({
        "type": "object",
        "maxProperties": 64,
        "additionalProperties": { "type": ["string", "number", "boolean"] },
        "description": "Texts by name: at most 64, and 16 KiB in all. Numbers and booleans are kept as their text.",
    });
    /// A map of texts in an answer.
    Texts => json_schema!({
        "type": "object", "additionalProperties": { "type": "string" }, "description": "Texts by name.",
    });
    /// Bytes in an answer.
    HexBytes => json_schema!({
        "type": "string", "pattern": "^([0-9a-f]{2})*$", "description": "Bytes in hexadecimal.",
    });
    /// A time to live.
    Seconds => json_schema!({
        "type": "integer", "minimum": 1, "maximum": 31 * 86_400, "description": "Seconds, up to 31 days.",
    });
    /// How far back.
    Window => json_schema!({
        "type": "string",
        "pattern": "^(all|[0-9]+d)$",
        "description": "How far back: so many days, up to today, such as `30d`; or `all`.",
        "examples": ["30d"],
    });
    /// Where a list goes on.
    Cursor => json_schema!({
        "type": "string", "description": "Where a list goes on: the `next_cursor` of the page before.",
    });
    /// How an account stands.
    AccountStatus => names(&Status::ALL, "How an account stands.");
    /// How a hold stands.
    HoldState => names(&HoldStatus::ALL, "How a hold stands.");
    /// What happens where credits do not suffice.
    Excess => names(&OnExcess::ALL, "What happens where credits do not suffice: `reject` takes all or nothing, `cap` what is free, `overflow` what is free and then the plan's overage.");
    /// Where credits come from.
    GrantSource => names(&Source::ALL, "Where credits come from.");
    /// How a grant stands.
    GrantStatus => one_of(["pending", "active", "spent", "expired", "voided"], "How a grant stands.");
    /// How a purchase's money stands.
    SettlementState => names(&Settlement::ALL, "How the money of a purchase stands.");
    /// What of a package a first cycle has.
    FirstCycleRule => names(&FirstCycle::ALL, "What of the package a first cycle that is shorter gets.");
    /// How a purchase stands.
    PurchaseStatus => one_of(["completed", "pending"], "Whether a purchase is done, or waits for its payment.");
    /// Who takes money.
    Provider => plain(
        NAME_BYTES_MAX,
        "Who takes the money. `manual`, which is always there, grants at once and leaves the invoice to you; others may ask \
         the buyer for a payment first.",
    );
    /// An address for a browser.
    WebAddress => json_schema!({
        "type": "string",
        "maxLength": TEXT_BYTES_MAX,
        "pattern": "^[Hh][Tt][Tt][Pp][Ss]?://",
        "description": format!("An absolute http or https URL of at most {TEXT_BYTES_MAX} bytes."),
        "examples": ["https://example.com/thanks"],
    });
    /// How a statement stands.
    StatementStatus => one_of(["open", "closed"], "Whether the cycle has ended.");
    /// What a key is good for.
    ScopeName => names(&Scope::ALL, "What a key is good for; `admin` includes the others.");
    /// Whether a key counts.
    KeyState => one_of(["active", "expired", "revoked"], "Whether a key counts.");
    /// What webhooks tell.
    NoticeName => names(&NoticeKind::ALL, "What webhooks tell.");
    /// How an endpoint for webhooks stands.
    WebhookStatus => one_of(["enabled", "disabled"], "Whether anything is sent to it.");
    /// What became of a delivery.
    DeliveryStatus => one_of(["pending", "delivered", "dead"], "What became of a delivery; one that is `dead` was given up.");
    /// What a plugin does.
    PluginKindName => one_of(["pricing", "throttling"], "What a plugin does.");
    /// What a step of operating a plugin does.
    ReleaseStep => one_of(["live", "share", "shadow", "end-shadow", "rollback"], "What was done.");
    /// For whom something is released.
    ReleaseModeName => one_of(["live", "share", "shadow"], "For whom: all accounts, a share of them, or none: it prices beside.");
    /// The digest of bytes, as it is sent.
    DigestText => json_schema!({
        "type": "string", "pattern": "^sha256:[0-9a-f]{64}$", "description": "What bytes are named by: their SHA-256.",
    });
    /// How a backtest stands.
    BacktestState => names(&BacktestStatus::ALL, "How a backtest stands.");
    /// Percent, as they are sent.
    /// A configuration of a plugin, or what it is named by.
    ConfigOrDigest => json_schema!({
        "type": ["string", "object"],
        "description": "The digest of a configuration, or the configuration itself, which is then kept.",
    });
    /// Whose setting counts.
    SettingSource => one_of(["account", "plan"], "Whose setting counts.");
    /// A share of credits that were used, as it is sent.
    UsedShare => json_schema!({
        "type": ["number", "string"],
        "exclusiveMinimum": 0,
        "maximum": 1,
        "multipleOf": 0.0001,
        "pattern": r"^(1(\.0{1,6})?|0?\.[0-9]{1,4}0{0,2})$",
        "description": "A share above 0 and up to 1, with at most four decimals, as a number or as decimal text.",
        "examples": [0.8],
    });
    /// What an entry is.
    EntryType => one_of(Body::TYPE_NAMES, "What an entry is about.");
    /// What kind of activity.
    Kind => one_of(["chat", "voice", "other"], "The kind of the activity.");
    /// In which instance a price was computed.
    InstanceKind => one_of(["fresh", "reused"], "Whether a fresh instance of the plugin computed the price.");
}

impl JsonSchema for Share {
    fn schema_name() -> Cow<'static, str> {
        "Share".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({
            "type": "number", "description": "A share of one, with at most four decimals.",
        })
    }
}
