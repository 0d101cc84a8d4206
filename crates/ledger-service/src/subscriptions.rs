//! Changes of plan, and what they would do.

use crate::error::ServiceError;
use crate::ledger::Ledger;
use crate::writer::{Request, Task};
use ledger_core::{
    Account, Amount, Balance, Body, Command, Details, PlanRequest, Refusal, Salted, Timestamp, balance, execute,
};
use ledger_store::Instance;
use std::sync::Arc;

/// A change of plan.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SubscriptionInput {
    /// The account's id.
    pub account: Arc<str>,
    /// The plan.
    pub plan: Arc<str>,
    /// At the current cycle's end, and not now.
    pub at_next_cycle: bool,
    /// For a change now: whether the package follows in proportion to what is left of the cycle.
    pub is_proportional: bool,
    /// For a change now: whether a new cycle begins with it.
    pub restarts_cycle: bool,
    /// Who.
    pub actor: String,
}

/// What a change of plan does, or would do.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SubscriptionChange {
    /// The account after it.
    pub account: Arc<Account>,
    /// Whether anything changed.
    pub is_change: bool,
    /// When it takes effect.
    pub effective_at: Timestamp,
    /// Package credits that it grants.
    pub granted: Amount,
    /// Package credits that it ends.
    pub expired: Amount,
    /// Package credits that it rolls over.
    pub rolled: Amount,
    /// The balance after it.
    pub balance: Balance,
}

impl SubscriptionInput {
    fn command(&self) -> Command {
        Command::ChangePlan(PlanRequest {
            plan: self.plan.clone(),
            at_next_cycle: self.at_next_cycle,
            is_proportional: self.is_proportional,
            restarts_cycle: self.restarts_cycle,
        })
    }
}

impl Ledger {
    /// Puts an account on another plan.
    pub async fn change_plan(&self, input: &SubscriptionInput) -> Result<SubscriptionChange, ServiceError> {
        // What it grants and ends is read off the preview: nothing else is between the two but what happened anyhow.
        let preview = self.preview_plan(input)?;
        let details = Details { actor: Some(input.actor.clone()), ..Details::default() };
        let request = Request {
            account: input.account.clone(),
            keys: Vec::new(),
            content: [0; 16],
            looked_up: None,
            task: Task::Execute(input.command()),
            details: Salted::new(&details, self.salt_for(&details)),
            instance: Instance::None,
        };
        let written = self.submit_one(request).await.map_err(plan_error)?;
        let acted = self.acted(written)?;
        let balance = balance(&acted.account, self.plans(), self.now().max(acted.account.last_at));
        Ok(SubscriptionChange { account: acted.account, is_change: acted.recorded.is_some(), balance, ..preview })
    }

    /// What a change of plan would do now. Changes nothing.
    pub fn preview_plan(&self, input: &SubscriptionInput) -> Result<SubscriptionChange, ServiceError> {
        let account = self.account(&input.account)?;
        let mut after = (*account).clone();
        let now = self.now().max(after.last_at);
        let outcome = execute(&mut after, self.plans(), &input.command(), None, now)?;
        let is_change = outcome.result.map_err(|refusal| plan_error(refusal.into()))?.is_some();
        let sum = |pick: fn(&Body) -> Option<Amount>| {
            let amounts = outcome.entries.iter().filter_map(|sealed| pick(&sealed.entry.body));
            Amount::from_micros(amounts.map(Amount::micros).fold(0, i64::saturating_add)).unwrap_or_default()
        };
        let granted = sum(|body| if let Body::Grant(grant) = body { Some(grant.amount) } else { None });
        let expired = sum(|body| if let Body::Expiry { expired, .. } = body { Some(*expired) } else { None });
        let rolled = sum(|body| if let Body::Rollover(rolled) = body { Some(rolled.amount) } else { None });
        let effective_at = if input.at_next_cycle { account.cycle.end } else { now };
        let balance = balance(&after, self.plans(), now);
        Ok(SubscriptionChange { account: Arc::new(after), is_change, effective_at, granted, expired, rolled, balance })
    }
}

fn plan_error(error: ServiceError) -> ServiceError {
    match error {
        ServiceError::Refused(Refusal::PlanNotFound { plan }) => {
            ServiceError::field("plan", format!("no plan is named {plan:?}; GET /v1/plans lists them"))
        }
        ServiceError::Refused(Refusal::CycleLengthDiffers { plan }) => {
            let reason = format!(
                "{plan} has cycles of another length: send restart_cycle true to begin a new cycle now, or when next_cycle"
            );
            ServiceError::field("restart_cycle", reason)
        }
        error => error,
    }
}
