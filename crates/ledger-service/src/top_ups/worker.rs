//! Buys for accounts that stand below their threshold.

use super::book::{Kept, TopUpRule};
use crate::error::ServiceError;
use crate::ledger::Ledger;
use crate::notices::{Notice, NoticeKind};
use crate::purchases::{PurchaseInput, PurchaseItem};
use ledger_core::{Account, Amount, Body, Id, IdKind, NewGrant, Refusal, Source, Timestamp};
use ledger_store::{AccountQuery, Recorded};
use rustc_hash::FxHashSet;
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;
use tokio::time::{MissedTickBehavior, interval};

/// Who buys, as it is in the journal.
const ACTOR: &str = "auto top-up";
/// How often those are looked at again that had to wait for their period.
const LOOK_INTERVAL: Duration = Duration::from_millis(500);
/// How many accounts are read at a time when a plan's rule is new to them.
const STRETCH: usize = 1000;

/// How long an account is left alone whose parent keeps it from spending: nothing wakes it when that ends.
const STOPPED_MS: i64 = 60_000;

/// Runs for as long as it is polled. One for a ledger.
pub async fn run(ledger: Arc<Ledger>) {
    let mut worker = Worker { ledger: ledger.clone(), sure: FxHashSet::default() };
    let mut ticks = interval(LOOK_INTERVAL);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let mut has_woken_all = false;
    // When to look again at accounts of which nothing may be heard until then.
    let mut waiting: BTreeMap<Arc<str>, Timestamp> = BTreeMap::new();
    loop {
        tokio::select! {
            () = ledger.top_ups().woken.notified() => {}
            _ = ticks.tick() => {
                let now = ledger.now();
                let due = waiting.iter().filter(|(_, again_at)| **again_at <= now).map(|(account, _)| account.clone());
                due.for_each(|account| ledger.top_ups().wake(account));
                if !has_woken_all {
                    match blocking(&ledger, wake_all).await {
                        Ok(()) => has_woken_all = true,
                        Err(error) => tracing::warn!(?error, "accounts that buy by themselves cannot be found yet"),
                    }
                }
            }
        }
        for account in ledger.top_ups().take() {
            match worker.top_up(&account).await {
                Ok(Some(again_at)) => drop(waiting.insert(account, again_at)),
                Ok(None) => drop(waiting.remove(&account)),
                Err(error) => {
                    tracing::warn!(?error, %account, "an auto top-up could not be made; it is tried again");
                    waiting.insert(account, ledger.now());
                }
            }
        }
    }
}

/// After a start nobody knows who moved before it.
fn wake_all(ledger: &Ledger) -> Result<(), ServiceError> {
    let book = ledger.top_ups();
    book.known_accounts().into_iter().for_each(|account| book.wake(account));
    for plan in book.plans() {
        let mut after = None;
        loop {
            let query = AccountQuery { plan: Some(plan.to_string()), after, limit: STRETCH, ..AccountQuery::default() };
            let accounts = ledger.accounts(&query)?;
            accounts.iter().for_each(|account| book.look(account));
            match accounts.last().filter(|_| accounts.len() == STRETCH) {
                Some(last) => after = Some(last.id.to_string()),
                None => break,
            }
        }
    }
    Ok(())
}

struct Worker {
    ledger: Arc<Ledger>,
    /// Accounts whose next purchase is known not to be made: whoever began before a crash, or got no answer from the
    /// store, asks the store first.
    sure: FxHashSet<Arc<str>>,
}

impl Worker {
    /// Buys until the account is no longer below its threshold. Answers when to look again, where it may not buy any more
    /// for now.
    async fn top_up(&mut self, id: &Arc<str>) -> Result<Option<Timestamp>, ServiceError> {
        let ledger = self.ledger.clone();
        let book = ledger.top_ups();
        loop {
            let kept = book.kept(id).unwrap_or_default();
            let key = format!("auto-top-up:{}", kept.bought);
            if !self.sure.contains(id) {
                if let Some(recorded) = ledger.written_under(id, &key)? {
                    self.bought(id, recorded).await?;
                    continue;
                }
                self.sure.insert(id.clone());
            }
            let account = ledger.account(id)?;
            let Some(rule) = book.rule(&account).0.filter(|rule| rule.asks(&account)) else {
                if kept.told.is_some() {
                    let id = id.clone();
                    blocking(&ledger, move |ledger| {
                        ledger.top_ups().change(ledger, &id, None, |kept| kept.told = None)
                    })
                    .await?;
                }
                return Ok(None);
            };
            let now = ledger.now();
            match ledger.check_may_spend(&account) {
                Err(ServiceError::Refused(_)) => return Ok(Some(now.plus_millis(STOPPED_MS))),
                may => may?,
            }
            if let Some(again_at) = rule.barred_until(&kept, now) {
                self.failed(&account, &rule, "limit-reached", Some(again_at)).await?;
                return Ok(Some(again_at));
            }
            let item = PurchaseItem::Pack(rule.pack.clone());
            let (account_id, actor) = (id.clone(), ACTOR.to_owned());
            // Nobody is there to pay, so that it is bought on an invoice.
            let input = PurchaseInput { account: account_id, key, item, provider: None, return_url: None, actor };
            self.sure.remove(id);
            match ledger.purchase_on_invoice(input).await {
                Ok(acted) => self.bought(id, acted.entry()?).await?,
                // Something was written under the number meanwhile: it is looked at.
                Err(ServiceError::Refused(Refusal::IdempotencyMismatch { .. })) => {}
                Err(ServiceError::Invalid(_)) => {
                    self.failed(&account, &rule, "pack-not-sold", None).await?;
                    return Ok(None);
                }
                Err(ServiceError::Refused(refusal)) => {
                    tracing::warn!(?refusal, account = %id, "an auto top-up was refused");
                    self.failed(&account, &rule, "refused", None).await?;
                    return Ok(None);
                }
                Err(error) => return Err(error),
            }
        }
    }

    /// Writes down what was bought, with the notice of it. A number under which somebody else wrote something is passed
    /// over.
    async fn bought(&mut self, id: &Arc<str>, recorded: Arc<Recorded>) -> Result<(), ServiceError> {
        let write = move |ledger: &Ledger, id: &Arc<str>| {
            let (account, entry) = (ledger.account(id)?, &recorded.sealed.entry);
            let kept = ledger.top_ups().kept(id).unwrap_or_default();
            let rule = ledger.top_ups().rule(&account).0;
            let notice = match &entry.body {
                Body::Grant(grant) if grant.source == Source::Purchase => {
                    Some(done(&recorded, grant, rule.as_deref(), &kept))
                }
                _ => None,
            };
            let notice = notice.map(|(number, data)| Notice {
                id: format!("nt_{}_{number}_done", account.number.0).into(),
                kind: NoticeKind::AutoTopUpDone,
                account: Some(id.clone()),
                at: entry.recorded_at,
                data: with_account(data, &account, entry.remaining),
            });
            ledger.top_ups().change(ledger, id, notice.as_ref(), |kept| {
                kept.bought += 1;
                kept.told = None;
                if notice.is_some() {
                    kept.bought_at_ms.push(entry.recorded_at.millis());
                    let most = usize::try_from(TopUpRule::AT_MOST_MAX).unwrap_or(usize::MAX);
                    kept.bought_at_ms.drain(..kept.bought_at_ms.len().saturating_sub(most));
                }
            })
        };
        let of = id.clone();
        blocking(&self.ledger, move |ledger| write(ledger, &of)).await
    }

    /// Tells once that an account should have bought and could not.
    async fn failed(
        &self,
        account: &Arc<Account>,
        rule: &Arc<TopUpRule>,
        reason: &'static str,
        allowed_again_at: Option<Timestamp>,
    ) -> Result<(), ServiceError> {
        let (account, rule) = (account.clone(), rule.clone());
        let write = move |ledger: &Ledger| {
            let kept = ledger.top_ups().kept(&account.id).unwrap_or_default();
            if kept.told.as_deref() == Some(reason) {
                return Ok(());
            }
            let now = ledger.now();
            let data = json!({
                "reason": reason,
                "pack": rule.pack,
                "threshold": rule.threshold().to_string(),
                "at_most": rule.at_most,
                "bought_in_period": rule.in_period(&kept, now).count(),
                "allowed_again_at": allowed_again_at.map(|at| at.to_string()),
            });
            let notice = Notice {
                id: format!("nt_{}_{}_failed_{}", account.number.0, account.sequence, now.millis()).into(),
                kind: NoticeKind::AutoTopUpFailed,
                account: Some(account.id.clone()),
                at: now,
                data: with_account(data, &account, account.totals.remaining),
            };
            let told = |kept: &mut Kept| kept.told = Some(reason.to_owned());
            ledger.top_ups().change(ledger, &account.id, Some(&notice), told)
        };
        blocking(&self.ledger, write).await
    }
}

/// The purchase's number in the account, and what is told of it.
fn done(recorded: &Recorded, grant: &NewGrant, rule: Option<&TopUpRule>, kept: &Kept) -> (u64, Value) {
    let entry = &recorded.sealed.entry;
    let cost = grant.cost.as_ref();
    let data = json!({
        "purchase": Id { kind: IdKind::Purchase, account: entry.account, sequence: entry.sequence }.to_string(),
        "credits": grant.amount.to_string(),
        "pack": cost.and_then(|cost| cost.pack.as_deref()),
        "paid": cost.map(|cost| cost.paid.to_string()),
        "currency": cost.map(|cost| &*cost.currency),
        "threshold": rule.map(|rule| rule.threshold().to_string()),
        "at_most": rule.map(|rule| rule.at_most),
        "bought_in_period": rule.map(|rule| rule.in_period(kept, entry.recorded_at).count() + 1),
    });
    (entry.sequence, data)
}

fn with_account(mut data: Value, account: &Account, remaining: Amount) -> Value {
    data["account"] = json!(&*account.id);
    data["remaining"] = json!(remaining.to_string());
    data
}

async fn blocking<T: Send + 'static>(
    ledger: &Arc<Ledger>,
    work: impl FnOnce(&Ledger) -> Result<T, ServiceError> + Send + 'static,
) -> Result<T, ServiceError> {
    let ledger = ledger.clone();
    let panicked = |error| ServiceError::Internal { detail: format!("the work of an auto top-up panicked: {error}") };
    tokio::task::spawn_blocking(move || work(&ledger)).await.map_err(panicked)?
}
