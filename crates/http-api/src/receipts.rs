//! `GET /v1/charges/{charge}/receipt`: all that is needed to execute a charge again and to check its place in the chain,
//! without trusting who serves it. `docs/receipts.md` explains each field, and has a check in another language.

use crate::charges::ItemsAnswer;
use crate::entries::UsageAnswer;
use crate::problem::Problem;
use crate::router::{Api, Segment, blocking};
use crate::shapes::{AccountId, ChargeId, EntryType, GrantId, HexBytes, Texts, written_as};
use crate::wire::{Shown, json};
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::Response;
use ledger_core::entry::Draw;
use ledger_core::hex::{self, Hex};
use ledger_core::{AccountNumber, Amount, Digest, Id, IdKind, Rating, Timestamp, UsageEvent};
use ledger_service::{Receipt, ServiceError};
use schemars::JsonSchema;
use serde::ser::SerializeMap;
use serde::{Serialize, Serializer};
use std::sync::Arc;

pub(crate) async fn read(State(api): State<Arc<Api>>, Segment(id): Segment) -> Result<Response, Problem> {
    let receipt = blocking(move || api.ledger.receipt(&id)).await?;
    Ok(json(StatusCode::OK, &ReceiptAnswer::new(&receipt, &receipt.event()?)?))
}

/// A receipt on the wire.
#[derive(JsonSchema, Serialize)]
#[schemars(rename = "Receipt")]
pub(crate) struct ReceiptAnswer<'a> {
    /// The charge.
    #[schemars(with = "ChargeId")]
    charge: Shown<Id>,
    /// The account.
    #[schemars(with = "AccountId")]
    account: &'a str,
    /// The account's number, as its journal has it.
    account_number: u64,
    /// The entry.
    entry: EntryAnswer<'a>,
    /// The price.
    priced: Shown<Amount>,
    /// Credits collected.
    credits: Shown<Amount>,
    /// What could not be collected.
    uncollected: Shown<Amount>,
    /// What became debt.
    overage: Shown<Amount>,
    /// The lines of the price.
    items: ItemsAnswer<'a>,
    /// The grants that paid.
    draws: Vec<DrawAnswer>,
    /// What the plugin was asked.
    event: EventAnswer<'a>,
    /// Whether the chain commits to details that are gone.
    erased: bool,
    /// The personal details and their salt.
    details: Option<DetailsAnswer<'a>>,
    /// What the entry commits to in their place.
    details_commitment: Option<Shown<Hex>>,
    /// What priced it, and where its bytes are.
    rating: RatingAnswer<'a>,
}

#[derive(JsonSchema, Serialize)]
#[schemars(rename = "ReceiptEntry")]
struct EntryAnswer<'a> {
    /// Its place in the account's journal.
    sequence: u64,
    /// What it is about.
    #[schemars(with = "EntryType")]
    r#type: &'static str,
    /// Its canonical encoding.
    bytes: Bytes<'a>,
    /// Its hash.
    hash: Shown<Hex>,
    /// The hash of the entry before it.
    previous_hash: Shown<Hex>,
}

/// Bytes in hexadecimal.
struct Bytes<'a>(&'a [u8]);

#[derive(JsonSchema, Serialize)]
#[schemars(rename = "ReceiptDraw")]
struct DrawAnswer {
    /// The grant.
    #[schemars(with = "GrantId")]
    grant: Shown<Id>,
    /// How many credits of it.
    credits: Shown<Amount>,
}

/// What the plugin was asked.
#[derive(JsonSchema, Serialize)]
#[schemars(rename = "PricedEvent")]
struct EventAnswer<'a> {
    /// The caller's own id; null where it was erased, as the attributes are then.
    id: Option<&'a str>,
    /// The account.
    #[schemars(with = "AccountId")]
    account: &'a str,
    /// Its plan then.
    plan: &'a str,
    /// The activity.
    activity: &'a str,
    /// The agent.
    agent: Option<&'a str>,
    /// The model.
    model: Option<&'a str>,
    /// When it happened.
    occurred_at: Shown<Timestamp>,
    /// What was used.
    usage: UsageAnswer<'a>,
    /// Its attributes.
    attributes: Option<Attributes<'a>>,
}

struct Attributes<'a>(&'a [(String, String)]);

#[derive(JsonSchema, Serialize)]
#[schemars(rename = "ReceiptDetails")]
struct DetailsAnswer<'a> {
    /// The salt.
    salt: Shown<Hex>,
    /// The canonical text, to the byte: what the commitment is over.
    text: &'a str,
}

#[derive(JsonSchema, Serialize)]
#[schemars(rename = "ReceiptRating")]
struct RatingAnswer<'a> {
    /// The plugin.
    plugin: &'a str,
    /// The digest of its component.
    digest: Shown<Digest>,
    /// The digest of its configuration.
    config_digest: Shown<Digest>,
    /// Where the component is served.
    plugin_url: String,
    /// Where the configuration is served.
    config_url: String,
}

impl<'a> ReceiptAnswer<'a> {
    fn new(receipt: &'a Receipt, event: &'a UsageEvent) -> Result<Self, ServiceError> {
        let sealed = &receipt.recorded.sealed;
        let rated = receipt.rated()?;
        let is_erased = receipt.is_erased();
        Ok(Self {
            charge: Shown(rated.id),
            account: &receipt.account.id,
            account_number: sealed.entry.account.0,
            entry: EntryAnswer {
                sequence: sealed.entry.sequence,
                r#type: sealed.entry.body.type_name(),
                bytes: Bytes(&sealed.bytes),
                hash: Shown(Hex(sealed.hash)),
                previous_hash: Shown(Hex(receipt.previous_hash)),
            },
            priced: Shown(rated.priced),
            credits: Shown(rated.credits),
            uncollected: Shown(rated.uncollected),
            overage: Shown(rated.overage),
            items: ItemsAnswer(rated.items),
            draws: draws(sealed.entry.account, &rated.draws),
            event: EventAnswer {
                id: (!is_erased).then_some(event.id.as_str()),
                account: &event.account,
                plan: &event.plan,
                activity: &event.activity,
                agent: event.agent.as_deref(),
                model: event.model.as_deref(),
                occurred_at: Shown(event.occurred_at),
                usage: UsageAnswer(&event.quantities),
                attributes: (!is_erased).then_some(Attributes(&event.attributes)),
            },
            erased: is_erased,
            details: receipt
                .recorded
                .details
                .as_ref()
                .map(|salted| DetailsAnswer { salt: Shown(Hex(salted.salt)), text: &salted.text }),
            details_commitment: sealed.entry.details_commitment.map(|commitment| Shown(Hex(commitment))),
            rating: rating(rated.rating),
        })
    }
}

fn draws(account: AccountNumber, draws: &[Draw]) -> Vec<DrawAnswer> {
    let answer = |draw: &Draw| DrawAnswer {
        grant: Shown(Id { kind: IdKind::Grant, account, sequence: draw.grant }),
        credits: Shown(draw.credits),
    };
    draws.iter().map(answer).collect()
}

/// What priced it, and where its bytes are. A plugin's name is that of a file, and needs no escapes in a path.
fn rating(rating: &Rating) -> RatingAnswer<'_> {
    let Rating { plugin, digest, config_digest } = rating;
    RatingAnswer {
        plugin,
        digest: Shown(*digest),
        config_digest: Shown(*config_digest),
        plugin_url: format!("/v1/plugins/{plugin}/versions/{digest}"),
        config_url: format!("/v1/plugins/{plugin}/configs/{config_digest}"),
    }
}

written_as! {
    Bytes<'_> => HexBytes;
    Attributes<'_> => Texts;
}

impl Serialize for Bytes<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&hex::encode(self.0))
    }
}

impl Serialize for Attributes<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(Some(self.0.len()))?;
        for (key, value) in self.0 {
            map.serialize_entry(key, value)?;
        }
        map.end()
    }
}
