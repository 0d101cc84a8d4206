//! Transfers between a parent and its children: debited on one account, credited on the other, noted on the first. A
//! crash in between is made good by [`Ledger::resume_transfers`], which the scheduler calls for accounts that have
//! something on its way; every step may come twice and does its work once.

use crate::acts::{Act, Acted, ByHand};
use crate::error::ServiceError;
use crate::idempotency::Content;
use crate::ledger::Ledger;
use crate::writer::{Request, Task, Written};
use ledger_core::entry::TransferOut;
use ledger_core::{Account, Amount, Body, Command, EndRequest, Portion, ReceiveRequest, SendRequest};
use ledger_store::Instance;
use std::sync::Arc;

/// Credits to be transferred.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TransferInput {
    /// The sender's id.
    pub from: Arc<str>,
    /// The receiver's id: its parent, or its child.
    pub to: Arc<str>,
    /// How many.
    pub credits: Amount,
    /// Why, and by whom.
    pub by: ByHand,
}

impl Ledger {
    /// Sends credits to a parent or child. The answer is of the sender's entry; by then the receiver has them.
    pub async fn transfer(&self, input: TransferInput) -> Result<Acted, ServiceError> {
        let from = self.committed(&input.from)?;
        let to = self.receiver(&from, &input.to)?;
        let mut content = Content::new("POST /v1/accounts/{from}/transfers");
        content.text(&input.from);
        content.text(&input.to);
        content.number(i128::from(input.credits.micros()));
        content.text(&input.by.reason);
        let command =
            Command::SendTransfer(SendRequest { to: to.number, to_id: to.id.clone(), credits: input.credits });
        let act = Act::new(input.from, &input.by.key, content.finish(), command, input.by.details());
        let sent = self.act(act).await?;
        let recorded = sent.entry()?;
        let entry = &recorded.sealed.entry;
        let Body::TransferOut(out) = &entry.body else {
            return Err(ServiceError::Internal { detail: format!("entry {} sent nothing", entry.id()) });
        };
        if sent.account.acts.in_transit.contains(&entry.sequence) {
            self.deliver(&sent.account, entry.sequence, out).await?;
        }
        Ok(sent)
    }

    /// Brings what an account has sent, and nobody has received, to its end.
    pub(crate) async fn resume_transfers(&self, account: &Account) -> Result<(), ServiceError> {
        for transfer in &account.acts.in_transit {
            let missing = || ServiceError::Internal { detail: "a transfer's entry is gone".to_owned() };
            let recorded = self.store().entry(account.number, *transfer)?.ok_or_else(missing)?;
            if let Body::TransferOut(out) = &recorded.sealed.entry.body {
                self.deliver(account, *transfer, out).await?;
            }
        }
        Ok(())
    }

    async fn deliver(&self, from: &Account, transfer: u64, out: &TransferOut) -> Result<(), ServiceError> {
        let received = match self.store().account_by_number(out.to)? {
            Some(to) => {
                let ours = out.portions.iter().filter_map(|portion| portion.terms.origin);
                let ours = ours.filter(|origin| origin.account == to.number).map(|origin| origin.grant);
                let request = ReceiveRequest {
                    from: from.number,
                    transfer,
                    portions: out.portions.clone(),
                    grants: self.terms_of_grants(&to, ours)?,
                };
                let command = Command::ReceiveTransfer(Box::new(request));
                match self.step_transfer(to.id.clone(), command).await {
                    Ok(_) => true,
                    Err(ServiceError::Refused(refusal)) => {
                        tracing::warn!(?refusal, %to.id, "a transfer is refused by its receiver and goes back");
                        false
                    }
                    Err(error) => return Err(error),
                }
            }
            None => false,
        };
        let sent = |portion: &Portion| portion.terms.sequence;
        let end = EndRequest {
            transfer,
            reversed: (!received).then(|| out.portions.clone()),
            grants: if received { Vec::new() } else { self.terms_of_grants(from, out.portions.iter().map(sent))? },
        };
        self.step_transfer(from.id.clone(), Command::EndTransfer(Box::new(end))).await?;
        Ok(())
    }

    async fn step_transfer(&self, account: Arc<str>, command: Command) -> Result<Written, ServiceError> {
        let task = Task::Execute(command);
        let (keys, content) = (Vec::new(), [0; 16]);
        self.submit_one(Request {
            account,
            keys,
            content,
            looked_up: None,
            task,
            details: None,
            instance: Instance::None,
        })
        .await
    }

    fn receiver(&self, from: &Account, to: &Arc<str>) -> Result<Arc<Account>, ServiceError> {
        let found = self.committed(to).map_err(|error| match error {
            ServiceError::Refused(_) => ServiceError::field("to", format!("no account has the id {to}")),
            error => error,
        })?;
        let is_family = found.parent.as_ref() == Some(&from.id) || from.parent.as_ref() == Some(&found.id);
        if is_family {
            return Ok(found);
        }
        Err(ServiceError::field("to", format!("{to} is neither the parent nor a child of {}", from.id)))
    }
}
