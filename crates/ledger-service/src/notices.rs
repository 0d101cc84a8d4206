//! What happens that somebody may want to be told of: balances that cross a threshold, purchases, holds that run out.
//!
//! A notice that an endpoint for webhooks asked for is written as a system record under [`TOPIC`], in the same commit as
//! what it is about, so that it is lost no more than that; the dispatcher of webhooks takes it from there. One that nobody
//! asked for is written nowhere.

mod record;

use crate::error::ServiceError;
use crate::ledger::Ledger;
use arc_swap::ArcSwap;
use ledger_core::{AccountNumber, Timestamp};
use rustc_hash::FxHashMap;
use serde_json::Value;
use std::sync::Arc;
use tokio::sync::Notify;

/// The topic of the system records that hold notices which are yet to be handed to endpoints.
pub const TOPIC: &str = "notice";

/// What a notice is of. The names are the event types of webhooks.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum NoticeKind {
    /// The balance has dropped to a threshold.
    ThresholdReached,
    /// The balance is beyond a threshold again.
    ThresholdRecovered,
    /// Nothing can be spent any more.
    Exhausted,
    /// Credits were bought and are there.
    PurchaseCompleted,
    /// Credits were bought by the account's own rule.
    AutoTopUpDone,
    /// The rule asked for credits and they could not be bought.
    AutoTopUpFailed,
    /// What is free does not cover another step of an open hold.
    HoldRunningOut,
    /// Another version of a plugin is live.
    ReleaseChanged,
    /// An endpoint failed for so long that nothing is sent to it any more.
    WebhookDisabled,
}

impl NoticeKind {
    /// Every kind with its name on the wire.
    pub const ALL: [(Self, &'static str); 9] = [
        (Self::ThresholdReached, "balance.threshold_reached"),
        (Self::ThresholdRecovered, "balance.threshold_recovered"),
        (Self::Exhausted, "balance.exhausted"),
        (Self::PurchaseCompleted, "purchase.completed"),
        (Self::AutoTopUpDone, "auto_top_up.done"),
        (Self::AutoTopUpFailed, "auto_top_up.failed"),
        (Self::HoldRunningOut, "hold.running_out"),
        (Self::ReleaseChanged, "release.changed"),
        (Self::WebhookDisabled, "webhook.disabled"),
    ];

    /// Its name on the wire.
    pub fn name(self) -> &'static str {
        match self {
            Self::ThresholdReached => "balance.threshold_reached",
            Self::ThresholdRecovered => "balance.threshold_recovered",
            Self::Exhausted => "balance.exhausted",
            Self::PurchaseCompleted => "purchase.completed",
            Self::AutoTopUpDone => "auto_top_up.done",
            Self::AutoTopUpFailed => "auto_top_up.failed",
            Self::HoldRunningOut => "hold.running_out",
            Self::ReleaseChanged => "release.changed",
            Self::WebhookDisabled => "webhook.disabled",
        }
    }

    /// The kind of a name on the wire.
    pub fn named(name: &str) -> Option<Self> {
        Self::ALL.iter().find(|(_, known)| *known == name).map(|(kind, _)| *kind)
    }
}

/// One thing that happened.
#[derive(Clone, Debug, PartialEq)]
pub struct Notice {
    /// Its id, the same however often it is delivered: receivers know it by this (`webhook-id`).
    pub id: Arc<str>,
    /// What it is of.
    pub kind: NoticeKind,
    /// The account that it is about, if it is about one.
    pub account: Option<Arc<str>>,
    /// When it happened.
    pub at: Timestamp,
    /// What receivers are told: the `data` of the webhook.
    pub data: Value,
}

impl Notice {
    /// The id of what an account's commit tells: the same whenever the commit is decided again, and no other commit's.
    /// `index` counts the notices of the commit.
    pub fn id_of_commit(account: AccountNumber, sequence: u64, index: usize) -> Arc<str> {
        format!("nt_{}_{sequence}_{index}", account.0).into()
    }
}

/// A set of kinds.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct NoticeKinds(u16);

impl NoticeKinds {
    /// Whether it has none.
    pub fn is_empty(self) -> bool {
        self.0 == 0
    }

    /// Whether it has a kind.
    pub fn has(self, kind: NoticeKind) -> bool {
        self.0 & Self::bit(kind) != 0
    }

    /// It and a kind.
    #[must_use]
    pub fn with(self, kind: NoticeKind) -> Self {
        Self(self.0 | Self::bit(kind))
    }

    /// What is in either.
    #[must_use]
    pub fn or(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }

    fn bit(kind: NoticeKind) -> u16 {
        1 << (kind as u16)
    }
}

impl FromIterator<NoticeKind> for NoticeKinds {
    fn from_iter<I: IntoIterator<Item = NoticeKind>>(kinds: I) -> Self {
        kinds.into_iter().fold(Self::default(), Self::with)
    }
}

/// Which notices somebody wants.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct WantedNotices {
    /// These, of whatever account, and those that are about none.
    pub of_all: NoticeKinds,
    /// These besides, of these accounts.
    pub of_accounts: FxHashMap<Arc<str>, NoticeKinds>,
}

impl WantedNotices {
    /// Whether a notice of this kind is wanted, about this account or about none.
    pub fn wants(&self, kind: NoticeKind, account: Option<&str>) -> bool {
        account.map_or(self.of_all, |account| self.of_account(account)).has(kind)
    }

    /// Every kind that is wanted of an account.
    pub fn of_account(&self, account: &str) -> NoticeKinds {
        // Asked at every commit, mostly of an empty map.
        if self.of_accounts.is_empty() {
            return self.of_all;
        }
        self.of_all.or(self.of_accounts.get(account).copied().unwrap_or_default())
    }
}

/// What is wanted, and word that something was written: what the writer and the dispatcher of webhooks share.
#[derive(Debug, Default)]
pub struct Notices {
    wanted: ArcSwap<WantedNotices>,
    written: Notify,
}

impl Notices {
    /// Says what is wanted from now on. What happened before is not written later.
    pub fn want(&self, wanted: WantedNotices) {
        self.wanted.store(Arc::new(wanted));
    }

    /// What is wanted.
    pub fn wanted(&self) -> arc_swap::Guard<Arc<WantedNotices>> {
        self.wanted.load()
    }

    /// Waits until a notice was written since the last time that somebody waited. One task may wait; it reads
    /// [`Ledger::pending_notices`] before it does so for the first time, for those of an earlier life of the program.
    pub async fn written(&self) {
        self.written.notified().await;
    }

    /// Wakes whoever waits for notices.
    pub(crate) fn wake(&self) {
        self.written.notify_one();
    }
}

impl Ledger {
    /// What notices are wanted, and word of those that were written.
    pub fn notices(&self) -> &Notices {
        &self.telling().notices
    }

    /// Makes a notice durable by itself, if it is wanted. Those that stem from an account's entries are written by the
    /// writer, in the entries' commit. Returns whether it was wanted.
    pub fn record_notice(&self, notice: &Notice) -> Result<bool, ServiceError> {
        if !self.notices().wanted().wants(notice.kind, notice.account.as_deref()) {
            return Ok(false);
        }
        self.put_system_record(notice.to_record())?;
        self.notices().wake();
        Ok(true)
    }

    /// Tells of something that is about no account, now.
    pub(crate) fn tell(&self, id: &str, kind: NoticeKind, data: Value) -> Result<bool, ServiceError> {
        self.record_notice(&Notice { id: id.into(), kind, account: None, at: self.now(), data })
    }

    /// The notices that are yet to be handed on, oldest first. One that is done with is ended by [`Notice::done`], in the
    /// same commit as whatever it became.
    pub fn pending_notices(&self) -> Result<Vec<Notice>, ServiceError> {
        let records = self.store().system_records(TOPIC)?;
        let read = |record| {
            Notice::from_record(record).unwrap_or_else(|reason| {
                tracing::error!(key = %record.key, reason, "a notice cannot be read; it stays where it is");
                None
            })
        };
        let mut notices: Vec<Notice> = records.iter().filter_map(read).collect();
        // Those of one instant in the order in which their accounts tell them: entry 9 before entry 10.
        let numbers = |id: &str| id.split('_').filter_map(|part| part.parse().ok()).collect::<Vec<u64>>();
        notices.sort_by_cached_key(|notice| (notice.at, numbers(&notice.id)));
        Ok(notices)
    }
}
