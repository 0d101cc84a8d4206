//! Events as they are on the wire.

use crate::accounts::BalanceAnswer;
use crate::entries::EntryAnswer;
use crate::wire::{Shown, json_bytes};
use ledger_core::{Account, Amount, Body, Id, IdKind, Timestamp};
use ledger_service::{Cut, Ledger, Notice, NoticeKind, ServiceError};
use ledger_store::Recorded;
use serde::Serialize;
use serde_json::{Value, json};
use std::io::Write;

/// After how long a client that lost its stream should try again.
const RETRY_MS: u32 = 2000;

/// Frames that are sent at once.
pub(super) struct Frames {
    bytes: Vec<u8>,
    /// Whether ids name their account.
    is_of_many: bool,
}

impl Frames {
    pub(super) fn new(is_of_many: bool) -> Self {
        Self { bytes: Vec::new(), is_of_many }
    }

    pub(super) fn is_empty(&self) -> bool {
        self.bytes.is_empty()
    }

    /// What there is; it is empty afterwards.
    pub(super) fn take(&mut self) -> bytes::Bytes {
        std::mem::take(&mut self.bytes).into()
    }

    pub(super) fn retry(&mut self) {
        // Writing to memory does not fail.
        let _ = write!(self.bytes, "retry: {RETRY_MS}\n\n");
    }

    /// A comment, which says that the stream is there.
    pub(super) fn heartbeat(&mut self) {
        self.bytes.extend_from_slice(b":\n\n");
    }

    fn event(&mut self, name: &str, id: Option<(&str, u64)>, data: &impl Serialize) -> Result<(), ServiceError> {
        let _ = writeln!(self.bytes, "event: {name}");
        match id {
            Some((account, sequence)) if self.is_of_many => {
                let _ = writeln!(self.bytes, "id: {account}:{sequence}");
            }
            Some((_, sequence)) => {
                let _ = writeln!(self.bytes, "id: {sequence}");
            }
            None => {}
        }
        self.bytes.extend_from_slice(b"data: ");
        // JSON has no line breaks of its own, so that one line holds it.
        json_bytes(&mut self.bytes, data)?;
        self.bytes.extend_from_slice(b"\n\n");
        Ok(())
    }

    /// The balance, which carries an id where everything up to that sequence has been sent.
    pub(super) fn balance(&mut self, ledger: &Ledger, account: &Account, with_id: bool) -> Result<(), ServiceError> {
        let balance = ledger.balance_of(account)?;
        let id = with_id.then_some((&*account.id, account.sequence));
        self.event("balance", id, &BalanceAnswer::new(&account.id, &balance))
    }

    /// What an entry did to a hold, if it is about one.
    pub(super) fn hold(&mut self, account: &Account, recorded: &Recorded) -> Result<(), ServiceError> {
        match HoldEvent::of_entry(&account.id, recorded) {
            Some(event) => self.event("hold", None, &event),
            None => Ok(()),
        }
    }

    /// An entry; always the last event that stems from it.
    pub(super) fn entry(
        &mut self,
        ledger: &Ledger,
        account: &Account,
        recorded: &Recorded,
    ) -> Result<(), ServiceError> {
        let id = Some((&*account.id, recorded.sealed.entry.sequence));
        self.event("entry", id, &EntryAnswer::new(ledger, &account.id, recorded)?)
    }

    /// A notice, if it is of a kind that streams tell.
    pub(super) fn notice(&mut self, notice: &Notice, covered_until: Option<Timestamp>) -> Result<(), ServiceError> {
        match notice.kind {
            NoticeKind::ThresholdReached => self.threshold(notice, "reached"),
            NoticeKind::ThresholdRecovered => self.threshold(notice, "recovered"),
            NoticeKind::HoldRunningOut => {
                let data = &notice.data;
                let event = RunningOutEvent {
                    account: &data["account"],
                    hold: &data["hold"],
                    status: "running_out",
                    held: &data["held"],
                    free: &data["free"],
                    expires_at: &data["expires_at"],
                    covered_until: covered_until.map(Shown),
                    at: Shown(notice.at),
                };
                self.event("hold", None, &event)
            }
            NoticeKind::Exhausted
            | NoticeKind::PurchaseCompleted
            | NoticeKind::AutoTopUpDone
            | NoticeKind::AutoTopUpFailed
            | NoticeKind::ReleaseChanged
            | NoticeKind::WebhookDisabled => Ok(()),
        }
    }

    fn threshold(&mut self, notice: &Notice, status: &'static str) -> Result<(), ServiceError> {
        let threshold = &notice.data["threshold"];
        let event = ThresholdEvent {
            account: &notice.data["account"],
            kind: &threshold["kind"],
            share: threshold.get("share"),
            remaining: threshold.get("remaining"),
            status,
            at: Shown(notice.at),
            balance: &notice.data["balance"],
        };
        self.event("threshold", None, &event)
    }

    /// Says that the stream ends, and why.
    pub(super) fn dropped(&mut self, why: End) -> Result<(), ServiceError> {
        let (reason, detail) = match why {
            End::Cut(Cut::TooSlow) => {
                ("too-slow", "the stream was read more slowly than it was written; connect again with the last id")
            }
            End::Cut(Cut::Interrupted) => {
                ("interrupted", "the storage had failed and is there again; connect again with the last id")
            }
            End::Cut(Cut::ShuttingDown) => ("shutting-down", "the server is stopping; connect again with the last id"),
            End::CallerEnded => ("key-ended", "the key was revoked, or its time or the token's is over"),
        };
        self.event("dropped", None, &json!({ "reason": reason, "detail": detail }))
    }

    /// Says which entries are left out; the stream goes on behind them.
    pub(super) fn left_out(&mut self, account: &Account, after: u64) -> Result<(), ServiceError> {
        let event = json!({
            "reason": "too-far-behind",
            "detail": "the entries after `after` up to `sequence` are too many to be given again here; the log has them",
            "account": &*account.id,
            "after": after,
            "sequence": account.sequence,
            "entries": format!("/v1/accounts/{}/entries", account.id),
        });
        self.event("dropped", None, &event)
    }
}

/// Why a stream ends.
#[derive(Clone, Copy, Debug)]
pub(super) enum End {
    Cut(Cut),
    CallerEnded,
}

/// A threshold that was passed; what it is made of is in its notice.
#[derive(Serialize)]
struct ThresholdEvent<'a> {
    account: &'a Value,
    /// `share` or `remaining`; the member of that name has the threshold.
    kind: &'a Value,
    #[serde(skip_serializing_if = "Option::is_none")]
    share: Option<&'a Value>,
    #[serde(skip_serializing_if = "Option::is_none")]
    remaining: Option<&'a Value>,
    status: &'static str,
    at: Shown<Timestamp>,
    balance: &'a Value,
}

/// A hold that runs out; what it is made of is in its notice.
#[derive(Serialize)]
struct RunningOutEvent<'a> {
    account: &'a Value,
    hold: &'a Value,
    status: &'static str,
    held: &'a Value,
    free: &'a Value,
    expires_at: &'a Value,
    /// Until when what is set aside lasts, for a hold of seconds that are priced.
    covered_until: Option<Shown<Timestamp>>,
    at: Shown<Timestamp>,
}

/// What became of a hold.
#[derive(Serialize)]
struct HoldEvent<'a> {
    account: &'a str,
    hold: Shown<Id>,
    status: &'static str,
    /// Of a settle: whether it ended the hold.
    #[serde(skip_serializing_if = "Option::is_none")]
    r#final: Option<bool>,
    /// What is set aside now.
    held: Shown<Amount>,
    /// What was collected since it was opened.
    settled: Shown<Amount>,
    expires_at: Shown<Timestamp>,
    at: Shown<Timestamp>,
}

impl<'a> HoldEvent<'a> {
    fn of_entry(account: &'a str, recorded: &Recorded) -> Option<Self> {
        let entry = &recorded.sealed.entry;
        let hold = Id { kind: IdKind::Hold, account: entry.account, sequence: entry.body.hold(entry.sequence)? };
        let (status, is_final, held, settled, expires_at) = match &entry.body {
            Body::Hold(opened) => {
                ("opened", None, opened.covered().unwrap_or_default(), Amount::ZERO, opened.expires_at)
            }
            Body::Extension(extended) => ("extended", None, extended.held, extended.settled, extended.expires_at),
            Body::Settle(settle) => {
                let settled = settle.settled.checked_sub(settle.refunded).unwrap_or_default();
                ("settled", Some(settle.is_final), settle.held, settled, settle.expires_at)
            }
            Body::Release(ended) => ("released", None, Amount::ZERO, ended.settled, ended.expires_at),
            Body::HoldExpiry(ended) => ("expired", None, Amount::ZERO, ended.settled, ended.expires_at),
            _ => return None,
        };
        Some(Self {
            account,
            hold: Shown(hold),
            status,
            r#final: is_final,
            held: Shown(held),
            settled: Shown(settled),
            expires_at: Shown(expires_at),
            at: Shown(entry.at),
        })
    }
}
