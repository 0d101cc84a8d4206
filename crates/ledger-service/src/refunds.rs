//! Refunds of charges.

use crate::acts::{Act, Acted, ByHand};
use crate::error::ServiceError;
use crate::idempotency::Content;
use crate::ledger::Ledger;
use ledger_core::{Amount, ChargeMade, Command, RefundRequest};

impl Ledger {
    /// Gives credits back for a charge; all that have not been given back yet, where it is not said how many.
    pub async fn refund(&self, charge: &str, credits: Option<Amount>, by: ByHand) -> Result<Acted, ServiceError> {
        let charged = self.charge_by_id(charge)?;
        let entry = &charged.recorded.sealed.entry;
        let made = ChargeMade::of(entry).ok_or_else(|| ServiceError::ChargeNotFound { charge: charge.to_owned() })?;
        let account = self.committed(&charged.account)?;
        let grants = self.terms_of_grants(&account, made.taken.iter().filter_map(|(grant, _)| *grant))?;
        let mut content = Content::new("POST /v1/charges/{charge}/refunds");
        content.text(charge);
        content.option(credits, |content, credits| content.number(i128::from(credits.micros())));
        content.text(&by.reason);
        let command = Command::Refund(Box::new(RefundRequest { charge: made, credits, grants }));
        self.act(Act::new(charged.account, &by.key, content.finish(), command, by.details())).await
    }
}
