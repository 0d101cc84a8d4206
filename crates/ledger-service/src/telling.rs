//! What a commit tells: notices of what its account passed, and the live feed.
//!
//! Notices are worked out from the account before the commit and after it, and from its entries, and from nothing else,
//! so that a commit that is decided again tells the same under the same ids. Where nobody wants to hear of an account,
//! nothing is worked out.

use crate::alerts::{AlertBook, Crossing, Standing, Threshold, crossings};
use crate::feed::{Feed, Moved};
use crate::notices::{Notice, NoticeKind, Notices, WantedNotices};
use crate::throttle::Counters;
use crate::top_ups::TopUpBook;
use ledger_core::balance::spendable;
use ledger_core::{Account, Amount, Body, Id, IdKind, NewGrant, PlanBook, Source};
use ledger_store::{Recorded, SystemRecord};
use serde_json::{Value, json};
use std::sync::Arc;

/// What the writer tells with, shared with the ledger.
pub(crate) struct Telling {
    pub(crate) plans: Arc<PlanBook>,
    pub(crate) alerts: AlertBook,
    pub(crate) notices: Notices,
    pub(crate) feed: Arc<Feed>,
    pub(crate) top_ups: TopUpBook,
    pub(crate) counters: Counters,
}

/// An account's commit.
pub(crate) struct Change<'a> {
    /// As it was; `None` for one that is opened.
    pub(crate) before: Option<&'a Account>,
    pub(crate) after: &'a Arc<Account>,
    pub(crate) entries: &'a [Arc<Recorded>],
}

impl Telling {
    /// The records of those notices that somebody wants to be told of by a webhook: for the change's own commit.
    pub(crate) fn records(&self, wanted: &WantedNotices, change: &Change<'_>) -> Vec<SystemRecord> {
        let kinds = wanted.of_account(&change.after.id);
        if kinds.is_empty() {
            return Vec::new();
        }
        let notices = self.notices_of(change);
        notices.iter().filter(|notice| kinds.has(notice.kind)).map(Notice::to_record).collect()
    }

    /// Tells those who listen, once the change is durable.
    pub(crate) fn publish(&self, change: &Change<'_>) {
        self.top_ups.look(change.after);
        self.counters.committed(&change.after.id, change.entries);
        self.feed.publish(&change.after.id, || Moved {
            account: change.after.clone(),
            entries: change.entries.to_vec(),
            notices: self.notices_of(change),
        });
    }

    /// Everything worth a notice, in one order.
    pub(crate) fn notices_of(&self, change: &Change<'_>) -> Vec<Notice> {
        let mut told = Told { change, after: self.now_of(change.after), notices: Vec::new() };
        for recorded in change.entries {
            if let Body::Grant(grant) = &recorded.sealed.entry.body
                && grant.source == Source::Purchase
            {
                told.purchase(recorded, grant);
            }
        }
        let before = change.before.map_or_else(|| opened(change.entries), |account| self.now_of(account));
        let (alerts, _) = self.alerts.of(change.after);
        for crossing in crossings(&before.standing, &told.after.standing, &alerts) {
            told.threshold(crossing);
        }
        if before.spendable.is_positive() && !told.after.spendable.is_positive() {
            told.push(NoticeKind::Exhausted, json!({}));
        }
        told.holds_running_out(before.spendable);
        told.notices
    }

    fn now_of(&self, account: &Account) -> Now {
        Now { standing: Standing::of(account), spendable: spendable(account, &self.plans, account.last_at) }
    }
}

/// How an account stood that was opened in this commit: with what it was opened with, since nothing dropped until then.
fn opened(entries: &[Arc<Recorded>]) -> Now {
    let began = entries.iter().take_while(|e| matches!(e.sealed.entry.body, Body::Opened(_) | Body::Grant(_))).last();
    let remaining = began.map(|recorded| recorded.sealed.entry.remaining).unwrap_or_default();
    Now {
        standing: Standing { consumed: Amount::ZERO, remaining, held: Amount::ZERO },
        spendable: began.map(|recorded| recorded.notes.spendable).unwrap_or_default(),
    }
}

/// How an account stands, overage included.
struct Now {
    standing: Standing,
    spendable: Amount,
}

struct Told<'a> {
    change: &'a Change<'a>,
    after: Now,
    notices: Vec<Notice>,
}

impl Told<'_> {
    fn push(&mut self, kind: NoticeKind, data: Value) {
        let account = self.change.after;
        let Value::Object(mut members) = data else { return };
        members.insert("account".to_owned(), Value::from(&*account.id));
        members.insert("balance".to_owned(), self.balance());
        self.notices.push(Notice {
            id: Notice::id_of_commit(account.number, account.sequence, self.notices.len()),
            kind,
            account: Some(account.id.clone()),
            at: account.last_at,
            data: Value::Object(members),
        });
    }

    fn balance(&self) -> Value {
        let Now { standing, spendable } = &self.after;
        let totals = &self.change.after.totals;
        json!({
            "sequence": self.change.after.sequence,
            "consumed": standing.consumed.to_string(),
            "remaining": standing.remaining.to_string(),
            "held": standing.held.to_string(),
            "overage": totals.debt.to_string(),
            "spendable": spendable.to_string(),
        })
    }

    fn threshold(&mut self, crossing: Crossing) {
        let kind = if crossing.is_reached { NoticeKind::ThresholdReached } else { NoticeKind::ThresholdRecovered };
        let threshold = match crossing.threshold {
            Threshold::Used { share_e4 } => json!({ "kind": "share", "share": f64::from(share_e4) / 10_000.0 }),
            Threshold::Remaining { credits } => json!({ "kind": "remaining", "remaining": credits.to_string() }),
        };
        self.push(kind, json!({ "threshold": threshold }));
    }

    fn purchase(&mut self, recorded: &Recorded, grant: &NewGrant) {
        let entry = &recorded.sealed.entry;
        let id = |kind| Id { kind, account: entry.account, sequence: entry.sequence }.to_string();
        let cost = grant.cost.as_ref();
        let data = json!({
            "purchase": id(IdKind::Purchase),
            "grant": id(IdKind::Grant),
            "credits": grant.amount.to_string(),
            "pack": cost.and_then(|cost| cost.pack.as_deref()),
            "paid": cost.map(|cost| cost.paid.to_string()),
            "currency": cost.map(|cost| &*cost.currency),
        });
        self.push(NoticeKind::PurchaseCompleted, data);
    }

    /// A hold runs out when what is free is less than what it has set aside, so that another step of the same size is not
    /// covered; it is told when that becomes so.
    fn holds_running_out(&mut self, free_before: Amount) {
        let account = self.change.after;
        let free = self.after.spendable;
        let set_aside = account.totals.held.checked_add(account.totals.overage_held);
        // No hold has set more aside than all of them together: mostly this is the whole of it.
        if account.holds.is_empty() || set_aside.is_some_and(|all| free >= all) {
            return;
        }
        for hold in account.holds.iter() {
            let held = hold.covered().unwrap_or_default();
            let was = self.change.before.and_then(|before| before.holds.get(hold.sequence));
            let had = was.map(|was| was.covered().unwrap_or_default());
            if free >= held || had.is_some_and(|had| free_before < had) {
                continue;
            }
            let data = json!({
                "hold": Id { kind: IdKind::Hold, account: account.number, sequence: hold.sequence }.to_string(),
                "held": held.to_string(),
                "free": free.to_string(),
                "expires_at": hold.expires_at.to_string(),
            });
            self.push(NoticeKind::HoldRunningOut, data);
        }
    }
}
