//! Renewals and expiries happen when they are due, even if nobody asks for the account; and what an account has sent to
//! another arrives, even if the program was stopped in between.

use crate::error::ServiceError;
use crate::ledger::Ledger;
use crate::writer::{Request, Task};
use ledger_core::Command;
use ledger_store::Instance;

/// How many accounts are advanced in one submission: enough to share a commit, few enough to let charges in between.
const GROUP_ACCOUNTS: usize = 256;

/// Books what is due by now, on every account.
pub(crate) async fn run_due(ledger: &Ledger) -> Result<usize, ServiceError> {
    let now = ledger.now();
    let mut advanced = 0;
    loop {
        let due = ledger.store().due_accounts(now, GROUP_ACCOUNTS)?;
        if due.is_empty() {
            return Ok(advanced);
        }
        let advance = |account| Request {
            account,
            keys: Vec::new(),
            content: [0; 16],
            looked_up: None,
            task: Task::Execute(Command::Advance),
            details: None,
            instance: Instance::None,
        };
        let requests: Vec<Request> = due.into_iter().map(advance).collect();
        let before = advanced;
        let mut sent = Vec::new();
        for answer in ledger.submit(requests).await? {
            match answer {
                Ok(written) => {
                    advanced += 1;
                    let account = written.account();
                    sent.extend((!account.acts.in_transit.is_empty()).then(|| account.clone()));
                }
                Err(error) => tracing::error!(?error, "what is due on an account cannot be booked"),
            }
        }
        let mut stuck = 0;
        for account in sent {
            if let Err(error) = ledger.resume_transfers(&account).await {
                tracing::error!(?error, account = %account.id, "what an account has sent cannot be delivered yet");
                stuck += 1;
            }
        }
        if advanced - before == stuck {
            // Only accounts that cannot be advanced are left: the log names them, and the others are done.
            return Ok(advanced);
        }
    }
}
