//! Credits in and out by hand: grants, voids, deductions.

use crate::acts::{Act, Acted, ByHand};
use crate::error::ServiceError;
use crate::idempotency::Content;
use crate::ledger::Ledger;
use ledger_core::{
    Amount, Body, Command, CostBasis, DeductRequest, Destination, GrantRequest, IdKind, Refusal, Source, Timestamp,
};
use ledger_store::Recorded;
use std::sync::Arc;

/// Credits to be granted by hand.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct GrantInput {
    /// The account's id.
    pub account: Arc<str>,
    /// How many.
    pub credits: Amount,
    /// Promotion or adjustment.
    pub source: Source,
    /// Place in the burning order.
    pub priority: Option<u32>,
    /// When they take effect.
    pub effective_at: Option<Timestamp>,
    /// When they end.
    pub expires_at: Option<Timestamp>,
    /// Why, and by whom.
    pub by: ByHand,
}

/// Credits to be taken by hand.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DeductionInput {
    /// The account's id.
    pub account: Arc<str>,
    /// How many.
    pub credits: Amount,
    /// Whether what is not there becomes debt.
    pub allow_debt: bool,
    /// Why, and by whom.
    pub by: ByHand,
}

/// A grant with what is left of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct GrantView {
    /// The entry that made it.
    pub recorded: Arc<Recorded>,
    /// Free credits of it.
    pub remaining: Amount,
    /// What open holds have set aside of it.
    pub held: Amount,
    /// Whether it was voided.
    pub is_voided: bool,
    /// What was paid for it, as the payment stands; `None` for a grant as it was made.
    pub cost: Option<CostBasis>,
}

impl GrantView {
    /// A grant as its entry made it.
    pub fn as_made(recorded: Arc<Recorded>) -> Result<Self, ServiceError> {
        let mut view = Self { recorded, remaining: Amount::ZERO, held: Amount::ZERO, is_voided: false, cost: None };
        let paid = match &view.recorded.sealed.entry.body {
            Body::Grant(grant) => grant.debt_paid,
            _ => Amount::ZERO,
        };
        view.remaining = view.credits()?.checked_sub(paid).unwrap_or_default();
        Ok(view)
    }

    /// How many credits it brought, before debt was paid.
    pub fn credits(&self) -> Result<Amount, ServiceError> {
        let entry = &self.recorded.sealed.entry;
        let other = || ServiceError::Internal { detail: format!("entry {} made no grant", entry.id()) };
        let is_adjustment = |into: &Destination| matches!(into, Destination::Adjustment { .. });
        match &entry.body {
            Body::Grant(grant) => Ok(grant.amount),
            Body::Rollover(rolled) => Ok(rolled.amount),
            Body::Refund(refund) => {
                let made = refund.into.iter().find(|part| is_adjustment(&part.into));
                made.map(|part| part.credits).ok_or_else(other)
            }
            Body::TransferBack(back) if is_adjustment(&back.into) => {
                back.credits.checked_sub(back.debt_paid).ok_or_else(other)
            }
            _ => Err(other()),
        }
    }

    /// What was paid for it.
    pub fn cost(&self) -> Option<&CostBasis> {
        match &self.recorded.sealed.entry.body {
            Body::Grant(grant) => self.cost.as_ref().or(grant.cost.as_ref()),
            _ => None,
        }
    }
}

impl Ledger {
    /// Grants credits by hand.
    pub async fn grant(&self, input: GrantInput) -> Result<Acted, ServiceError> {
        let mut content = Content::new("POST /v1/accounts/{account}/grants");
        content.text(&input.account);
        content.number(i128::from(input.credits.micros()));
        content.text(input.source.name());
        content.option(input.priority, |content, priority| content.number(i128::from(priority)));
        content.option(input.effective_at, |content, t| content.number(i128::from(t.millis())));
        content.option(input.expires_at, |content, t| content.number(i128::from(t.millis())));
        content.text(&input.by.reason);
        let command = Command::Grant(GrantRequest {
            source: input.source,
            credits: input.credits,
            priority: input.priority,
            effective_at: input.effective_at,
            expires_at: input.expires_at,
            cost: None,
        });
        let details = input.by.details();
        self.act(Act::new(input.account, &input.by.key, content.finish(), command, details)).await
    }

    /// Ends the free credits of a grant.
    pub async fn void_grant(&self, account: Arc<str>, grant: &str, by: ByHand) -> Result<Acted, ServiceError> {
        let sequence = self.grant_of(&account, grant)?;
        let mut content = Content::new("POST /v1/accounts/{account}/grants/{id}/void");
        content.text(&account);
        content.text(grant);
        content.text(&by.reason);
        let act = Act::new(account, &by.key, content.finish(), Command::Void(sequence), by.details());
        self.act(act).await.map_err(|error| match error {
            ServiceError::Refused(Refusal::GrantNotFound { .. }) => {
                ServiceError::NotFound { what: "grant", id: grant.to_owned() }
            }
            error => error,
        })
    }

    /// Takes credits by hand.
    pub async fn deduct(&self, input: DeductionInput) -> Result<Acted, ServiceError> {
        let mut content = Content::new("POST /v1/accounts/{account}/deductions");
        content.text(&input.account);
        content.number(i128::from(input.credits.micros()));
        content.number(i128::from(input.allow_debt));
        content.text(&input.by.reason);
        let command = Command::Deduct(DeductRequest { credits: input.credits, allow_debt: input.allow_debt });
        let details = input.by.details();
        self.act(Act::new(input.account, &input.by.key, content.finish(), command, details)).await
    }

    /// At most `limit` grants of an account, newest first, those before the one with sequence `before` only.
    pub fn grants(&self, id: &str, before: Option<u64>, limit: usize) -> Result<Vec<GrantView>, ServiceError> {
        let account = self.committed(id)?;
        let older = account.grants_made.iter().rev().filter(|sequence| before.is_none_or(|before| **sequence < before));
        let mut views = Vec::new();
        for sequence in older.take(limit) {
            let recorded = self.store().entry(account.number, *sequence)?;
            let missing = || ServiceError::Internal { detail: "a grant's entry is gone".to_owned() };
            let live = account.grants.get(*sequence);
            views.push(GrantView {
                recorded: recorded.ok_or_else(missing)?,
                remaining: live.map_or(Amount::ZERO, |grant| grant.remaining),
                held: live.map_or(Amount::ZERO, |grant| grant.held),
                is_voided: account.acts.voided.contains(sequence),
                cost: account.acts.purchases.get(sequence).map(|purchase| purchase.cost.clone()),
            });
        }
        Ok(views)
    }

    /// The sequence that a grant's id names, on this account.
    fn grant_of(&self, account: &Arc<str>, grant: &str) -> Result<u64, ServiceError> {
        let (owner, sequence) = self.named(IdKind::Grant, "grant", grant)?;
        self.committed(account)?;
        if owner.id == *account {
            Ok(sequence)
        } else {
            Err(ServiceError::NotFound { what: "grant", id: grant.to_owned() })
        }
    }
}
