//! The stored form of an open hold.

use super::{StoreError, amount, damaged};
use ledger_core::entry::Draw;
use ledger_core::{Collected, Digest, Hold, HoldTerms, OnExcess, Quantity, Rating, Timestamp};
use serde::{Deserialize, Serialize};
use std::sync::Arc;

#[derive(Serialize, Deserialize)]
pub(super) struct HoldRow {
    sequence: u64,
    plan: Arc<str>,
    activity: Arc<str>,
    agent: Option<Arc<str>>,
    model: Option<Arc<str>>,
    opened_at: i64,
    /// The plugin's name, its digest and its configuration's.
    rating: Option<(Arc<str>, [u8; 32], [u8; 32])>,
    on_excess: Arc<str>,
    expires_at: i64,
    earmarks: Vec<(u64, i64)>,
    overage_held: i64,
    priced: i64,
    settled: i64,
    quantities: Vec<(Arc<str>, u64)>,
    collected: Vec<CollectedRow>,
    has_settled: bool,
}

#[derive(Serialize, Deserialize)]
struct CollectedRow {
    settle: u64,
    at: i64,
    grant: Option<u64>,
    credits: i64,
}

impl From<&Hold> for HoldRow {
    fn from(hold: &Hold) -> Self {
        let terms = &hold.terms;
        let rating = |rating: &Rating| (rating.plugin.clone(), rating.digest.0, rating.config_digest.0);
        let collected = |collected: &Collected| CollectedRow {
            settle: collected.settle,
            at: collected.at.millis(),
            grant: collected.grant,
            credits: collected.credits.micros(),
        };
        Self {
            sequence: hold.sequence,
            plan: terms.plan.clone(),
            activity: terms.activity.clone(),
            agent: terms.agent.clone(),
            model: terms.model.clone(),
            opened_at: terms.opened_at.millis(),
            rating: terms.rating.as_ref().map(rating),
            on_excess: terms.on_excess.name().into(),
            expires_at: hold.expires_at.millis(),
            earmarks: hold.earmarks.iter().map(|earmark| (earmark.grant, earmark.credits.micros())).collect(),
            overage_held: hold.overage_held.micros(),
            priced: hold.priced.micros(),
            settled: hold.settled.micros(),
            quantities: hold.quantities.iter().map(|quantity| (quantity.unit.clone(), quantity.amount)).collect(),
            collected: hold.collected.iter().map(collected).collect(),
            has_settled: hold.has_settled,
        }
    }
}

impl TryFrom<HoldRow> for Hold {
    type Error = StoreError;

    fn try_from(row: HoldRow) -> Result<Self, StoreError> {
        let on_excess = OnExcess::ALL.into_iter().find(|(_, name)| *name == &*row.on_excess);
        let collected = |row: CollectedRow| {
            Ok(Collected {
                settle: row.settle,
                at: Timestamp::from_millis(row.at),
                grant: row.grant,
                credits: amount(row.credits)?,
            })
        };
        Ok(Self {
            sequence: row.sequence,
            terms: HoldTerms {
                plan: row.plan,
                activity: row.activity,
                agent: row.agent,
                model: row.model,
                opened_at: Timestamp::from_millis(row.opened_at),
                rating: row.rating.map(|(plugin, digest, config_digest)| Rating {
                    plugin,
                    digest: Digest(digest),
                    config_digest: Digest(config_digest),
                }),
                on_excess: on_excess.ok_or_else(damaged)?.0,
            },
            expires_at: Timestamp::from_millis(row.expires_at),
            earmarks: row
                .earmarks
                .into_iter()
                .map(|(grant, credits)| Ok(Draw { grant, credits: amount(credits)? }))
                .collect::<Result<_, StoreError>>()?,
            overage_held: amount(row.overage_held)?,
            priced: amount(row.priced)?,
            settled: amount(row.settled)?,
            quantities: row.quantities.into_iter().map(|(unit, amount)| Quantity { unit, amount }).collect(),
            collected: row.collected.into_iter().map(collected).collect::<Result<_, StoreError>>()?,
            has_settled: row.has_settled,
        })
    }
}
