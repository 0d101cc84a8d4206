//! What an entry says of a price: what was asked, what priced it, and what came of it. Receipts and re-execution know
//! entries by [`rated`] alone, so that another kind of entry that a plugin priced is added in one place.

use ledger_core::entry::Draw;
use ledger_core::{
    Amount, Body, Details, Entry, HoldTerms, Id, IdKind, LineItem, Quantity, Rating, Timestamp, UsageEvent,
};
use std::borrow::Cow;
use std::sync::Arc;

/// The priced part of an entry.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rated<'a> {
    /// The name of what was priced.
    pub id: Id,
    /// What priced it.
    pub rating: &'a Rating,
    /// The price: the sum of the lines.
    pub priced: Amount,
    /// What was debited.
    pub credits: Amount,
    /// What of it could not be collected.
    pub uncollected: Amount,
    /// The price's lines.
    pub items: &'a Arc<[LineItem]>,
    /// What was taken from which grants, in burning order.
    pub draws: Cow<'a, [Draw]>,
    /// What went into debt.
    pub overage: Amount,
    /// The plan that the plugin was told.
    pub plan: &'a Arc<str>,
    /// The activity.
    pub activity: &'a Arc<str>,
    /// The agent.
    pub agent: Option<&'a Arc<str>>,
    /// The model.
    pub model: Option<&'a Arc<str>>,
    /// When it happened.
    pub occurred_at: Timestamp,
    /// The quantities, sorted by unit.
    pub quantities: &'a Arc<[Quantity]>,
}

/// What an entry says of a price; `None` where no plugin priced it.
pub fn rated(entry: &Entry) -> Option<Rated<'_>> {
    match &entry.body {
        Body::Charge(charge) => Some(Rated {
            id: Id { kind: IdKind::Charge, account: entry.account, sequence: entry.sequence },
            rating: &charge.rating,
            priced: charge.priced,
            // The range of amounts is the same on both sides of zero, so that the other sign always exists.
            credits: Amount::ZERO.checked_sub(entry.credits).unwrap_or_default(),
            uncollected: charge.uncollected,
            items: &charge.items,
            draws: Cow::Borrowed(&charge.draws),
            overage: charge.overage,
            plan: &charge.plan,
            activity: &charge.activity,
            agent: charge.agent.as_ref(),
            model: charge.model.as_ref(),
            occurred_at: entry.at,
            quantities: &charge.quantities,
        }),
        // A settle by credits, or of what was settled before, was priced by nobody.
        Body::Settle(settle) if !settle.items.is_empty() => settle.terms.rating.as_ref().map(|rating| Rated {
            id: Id { kind: IdKind::Charge, account: entry.account, sequence: entry.sequence },
            rating,
            priced: settle.priced,
            credits: settle.collected().unwrap_or_default(),
            uncollected: settle.uncollected(),
            items: &settle.items,
            draws: settle.from_held.iter().chain(&settle.from_free).copied().collect(),
            overage: settle.overage,
            plan: &settle.terms.plan,
            activity: &settle.terms.activity,
            agent: settle.terms.agent.as_ref(),
            model: settle.terms.model.as_ref(),
            occurred_at: settle.terms.opened_at,
            quantities: &settle.quantities,
        }),
        Body::Settle(_)
        | Body::Opened(_)
        | Body::Updated(_)
        | Body::Grant(_)
        | Body::Effective { .. }
        | Body::Expiry { .. }
        | Body::Rollover(_)
        | Body::PlanChanged(_)
        | Body::PlanScheduled { .. }
        | Body::Hold(_)
        | Body::Extension(_)
        | Body::Release(_)
        | Body::HoldExpiry(_)
        | Body::Refund(_)
        | Body::Void { .. }
        | Body::Deduction(_)
        | Body::TakeBack(_)
        | Body::TransferOut(_)
        | Body::TransferBack(_)
        | Body::TransferEnded { .. }
        | Body::Erasure { .. } => None,
    }
}

/// The whole price of something that is over: of a charge, or of a hold by its end, however it was settled before.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Concluded<'a> {
    pub(crate) id: Id,
    pub(crate) rating: &'a Rating,
    pub(crate) priced: Amount,
    pub(crate) plan: &'a Arc<str>,
    pub(crate) activity: &'a Arc<str>,
    pub(crate) agent: Option<&'a Arc<str>>,
    pub(crate) model: Option<&'a Arc<str>>,
    pub(crate) occurred_at: Timestamp,
    pub(crate) quantities: &'a Arc<[Quantity]>,
    /// The sequence of the entry that has the details which the plugin saw, where this one has none of them.
    pub(crate) details_in: Option<u64>,
}

/// What an entry concludes; `None` where nothing that a plugin prices ends with it.
pub(crate) fn concluded(entry: &Entry) -> Option<Concluded<'_>> {
    let is_priced = |terms: &HoldTerms| terms.rating.is_some();
    let (hold_sequence, terms, quantities, priced) = match &entry.body {
        Body::Settle(settle)
            if settle.is_final && !settle.late && settle.items.is_empty() && is_priced(&settle.terms) =>
        {
            (settle.hold, &settle.terms, &settle.quantities, settle.priced)
        }
        Body::Release(ended) | Body::HoldExpiry(ended) if ended.has_settled && is_priced(&ended.terms) => {
            (ended.hold, &ended.terms, &ended.quantities, ended.priced)
        }
        // The expiry has concluded a hold that was settled before it, and is settled late.
        Body::Settle(settle) if !settle.is_final || (settle.late && !settle.is_first) => return None,
        _ => {
            return rated(entry).map(|rated| Concluded {
                id: rated.id,
                rating: rated.rating,
                priced: rated.priced,
                plan: rated.plan,
                activity: rated.activity,
                agent: rated.agent,
                model: rated.model,
                occurred_at: rated.occurred_at,
                quantities: rated.quantities,
                details_in: None,
            });
        }
    };
    // Without quantities its credits were named.
    let rating = terms.rating.as_ref().filter(|_| !quantities.is_empty())?;
    Some(Concluded {
        id: Id { kind: IdKind::Charge, account: entry.account, sequence: entry.sequence },
        rating,
        priced,
        plan: &terms.plan,
        activity: &terms.activity,
        agent: terms.agent.as_ref(),
        model: terms.model.as_ref(),
        occurred_at: terms.opened_at,
        quantities,
        details_in: Some(hold_sequence),
    })
}

impl Concluded<'_> {
    /// What the plugin was asked, given the account's id and the details.
    pub(crate) fn event(&self, account: &Arc<str>, details: Details) -> UsageEvent {
        UsageEvent {
            id: details.id.unwrap_or_default(),
            account: account.clone(),
            plan: self.plan.clone(),
            activity: self.activity.clone(),
            agent: self.agent.cloned(),
            model: self.model.cloned(),
            occurred_at: self.occurred_at,
            quantities: self.quantities.clone(),
            attributes: details.attributes,
        }
    }
}

impl Rated<'_> {
    /// What the plugin was asked, given the account's id and the entry's details: those that it never had, or has no
    /// longer, are empty.
    pub fn event(&self, account: &Arc<str>, details: Details) -> UsageEvent {
        UsageEvent {
            id: details.id.unwrap_or_default(),
            account: account.clone(),
            plan: self.plan.clone(),
            activity: self.activity.clone(),
            agent: self.agent.cloned(),
            model: self.model.cloned(),
            occurred_at: self.occurred_at,
            quantities: self.quantities.clone(),
            attributes: details.attributes,
        }
    }
}
