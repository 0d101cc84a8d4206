//! Buys for accounts that stand below their threshold.

use super::book::TopUpRule;
use crate::error::ServiceError;
use crate::ledger::Ledger;
use crate::notices::{Notice, NoticeKind};
use crate::purchases::{PurchaseInput, PurchaseItem};
use ledger_core::{Account, Id, IdKind, Refusal, Status, Timestamp};
use ledger_store::AccountQuery;
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

/// Runs for as long as it is polled. One for a ledger.
pub async fn run(ledger: Arc<Ledger>) {
    if let Err(error) = wake_all(&ledger) {
        tracing::error!(?error, "accounts that should buy by themselves cannot be found; each is found when it moves");
    }
    let mut ticks = interval(LOOK_INTERVAL);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let mut waiting: BTreeMap<Arc<str>, Timestamp> = BTreeMap::new();
    loop {
        for account in ledger.top_ups().take() {
            match top_up(&ledger, &account).await {
                Ok(Some(again_at)) => drop(waiting.insert(account, again_at)),
                Ok(None) => drop(waiting.remove(&account)),
                Err(error) => {
                    tracing::warn!(?error, %account, "an auto top-up could not be made; it is tried again");
                    waiting.insert(account, ledger.now());
                }
            }
        }
        tokio::select! {
            () = ledger.top_ups().woken.notified() => {}
            _ = ticks.tick() => {
                let now = ledger.now();
                let due = waiting.iter().filter(|(_, again_at)| **again_at <= now).map(|(account, _)| account.clone());
                due.collect::<Vec<_>>().into_iter().for_each(|account| ledger.top_ups().wake(account));
            }
        }
    }
}

/// After a start nobody knows who moved before it.
fn wake_all(ledger: &Ledger) -> Result<(), ServiceError> {
    let book = ledger.top_ups();
    book.accounts_with_rules().into_iter().for_each(|account| book.wake(account));
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

/// Buys until the account is no longer below its threshold. Answers when to look again, where it may not buy any more for
/// now.
async fn top_up(ledger: &Arc<Ledger>, id: &Arc<str>) -> Result<Option<Timestamp>, ServiceError> {
    loop {
        let account = ledger.account(id)?;
        let (Some(rule), _) = ledger.top_ups().rule(&account) else { return Ok(None) };
        let is_below = account.totals.remaining < rule.threshold();
        let may_buy = matches!(account.status, Status::Trial | Status::Active);
        if !rule.enabled || !is_below || !may_buy {
            return Ok(None);
        }
        let now = ledger.now();
        let kept = ledger.top_ups().kept(id).unwrap_or_default();
        let from_ms = now.plus_millis(-rule.period_ms).millis();
        let in_period: Vec<i64> = kept.bought_at_ms.iter().copied().filter(|at_ms| *at_ms > from_ms).collect();
        if in_period.len() >= usize::try_from(rule.at_most).unwrap_or(usize::MAX) {
            let first_ms = in_period.first().copied().unwrap_or_else(|| now.millis());
            let again_at = Timestamp::from_millis(first_ms).plus_millis(rule.period_ms);
            failed(ledger, &account, &rule, "limit-reached", kept.bought)?;
            return Ok(Some(again_at));
        }
        let input = PurchaseInput {
            account: id.clone(),
            key: format!("auto-top-up:{}", kept.bought),
            item: PurchaseItem::Pack(rule.pack.clone()),
            actor: ACTOR.to_owned(),
        };
        let (bought_at, purchase) = match ledger.purchase(input).await {
            Ok(acted) => {
                let recorded = acted
                    .recorded
                    .ok_or_else(|| ServiceError::Internal { detail: "a purchase wrote no entry".to_owned() })?;
                let entry = &recorded.sealed.entry;
                let purchase = Id { kind: IdKind::Purchase, account: entry.account, sequence: entry.sequence };
                (entry.recorded_at, Some(purchase.to_string()))
            }
            // The same number bought another pack, before the rule was changed and the program stopped.
            Err(ServiceError::Refused(Refusal::IdempotencyMismatch { first_seen_at })) => (first_seen_at, None),
            Err(ServiceError::Invalid(_)) => {
                failed(ledger, &account, &rule, "pack-not-sold", kept.bought)?;
                return Ok(Some(now.plus_millis(rule.period_ms)));
            }
            Err(error) => return Err(error),
        };
        if let Some(purchase) = &purchase {
            let data = json!({ "purchase": purchase, "pack": rule.pack, "bought_in_period": in_period.len() + 1 });
            tell(ledger, &account, NoticeKind::AutoTopUpDone, &format!("done_{}", kept.bought), data)?;
        }
        blocking_change(ledger, id, move |kept| {
            kept.bought += 1;
            kept.bought_at_ms = in_period;
            kept.bought_at_ms.push(bought_at.millis());
            kept.told = None;
        })
        .await?;
    }
}

/// Tells once that an account should have bought and could not.
fn failed(
    ledger: &Arc<Ledger>,
    account: &Account,
    rule: &TopUpRule,
    reason: &str,
    number: u64,
) -> Result<(), ServiceError> {
    let kept = ledger.top_ups().kept(&account.id).unwrap_or_default();
    if kept.told.as_deref() == Some(reason) {
        return Ok(());
    }
    let data = json!({ "reason": reason, "pack": rule.pack, "at_most": rule.at_most });
    tell(ledger, account, NoticeKind::AutoTopUpFailed, &format!("failed_{number}_{reason}"), data)?;
    ledger.top_ups().change(ledger, &account.id, |kept| kept.told = Some(reason.to_owned()))
}

fn tell(ledger: &Ledger, account: &Account, kind: NoticeKind, id: &str, mut data: Value) -> Result<(), ServiceError> {
    data["account"] = json!(&*account.id);
    data["remaining_before"] = json!(account.totals.remaining.to_string());
    let notice = Notice {
        id: format!("nt_top_up_{}_{id}", account.number.0).into(),
        kind,
        account: Some(account.id.clone()),
        at: ledger.now(),
        data,
    };
    ledger.record_notice(&notice).map(|_| ())
}

async fn blocking_change(
    ledger: &Arc<Ledger>,
    account: &Arc<str>,
    change: impl FnOnce(&mut super::book::Kept) + Send + 'static,
) -> Result<(), ServiceError> {
    let (ledger, account) = (ledger.clone(), account.clone());
    let panicked = |error| ServiceError::Internal { detail: format!("an auto top-up's record: {error}") };
    tokio::task::spawn_blocking(move || ledger.top_ups().change(&ledger, &account, change)).await.map_err(panicked)?
}
