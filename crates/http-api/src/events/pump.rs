//! One stream: first what the client has missed, then what happens.

use super::frames::{End, Frames};
use super::position::{Position, malformed};
use crate::auth::Known;
use crate::router::{Api, blocking};
use crate::stream::body::Part;
use bytes::Bytes;
use ledger_core::{Account, Timestamp};
use ledger_service::{Audience, Ledger, Moved, Notice, NoticeKind, ServiceError, Subscription};
use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::mpsc::Sender;
use tokio::time::{Instant, MissedTickBehavior, interval_at};

/// How many entries are read at a time.
const PAGE_ENTRIES: u64 = 500;
/// How many commits go into one write, at most: those that have gathered need one balance for all.
const COMMITS_AT_ONCE: usize = 64;
/// For how many holds of a commit it is worked out until when they last, which takes calls of their plugins.
const COVERED_AT_ONCE: usize = 16;

/// Where a stream begins: the accounts as they were booked when it had subscribed, and from where each is told.
pub(super) struct Start(Vec<(Arc<Account>, Option<u64>)>);

impl Start {
    /// Reads the accounts that a stream begins with: those that its audience names, or those whose place the client knows.
    pub(super) fn read(ledger: &Ledger, audience: &Audience, positions: Vec<Position>) -> Result<Self, ServiceError> {
        let mut accounts = Vec::new();
        for Position { account, after } in positions {
            let account = ledger.booked(&account)?;
            if after > account.sequence {
                let reason = format!("{} has no entry {after} yet; its last is {}", account.id, account.sequence);
                return Err(malformed(reason));
            }
            accounts.push((account, Some(after)));
        }
        let Audience::Accounts(named) = audience else { return Ok(Self(accounts)) };
        for id in named {
            if accounts.iter().any(|(known, _)| known.id == *id) {
                continue;
            }
            match ledger.booked(id) {
                Ok(account) => accounts.push((account, None)),
                // A key may name an account that is opened later; the feed has it then.
                Err(ServiceError::Refused(_)) => {}
                Err(error) => return Err(error),
            }
        }
        Ok(Self(accounts))
    }
}

/// Makes the frames of a stream and hands them to its body.
pub(super) struct Pump {
    api: Arc<Api>,
    known: Known,
    subscription: Subscription,
    sender: Sender<Part>,
    frames: Frames,
    /// Up to which entry the accounts of the start have been told.
    told: HashMap<Arc<str>, u64>,
}

/// The stream goes on no longer.
enum Stop {
    /// With a last word.
    Ended(End),
    /// The client has gone.
    Gone,
    /// It is broken off: the client must not take this for the end.
    Failed(ServiceError),
}

impl From<ServiceError> for Stop {
    fn from(error: ServiceError) -> Self {
        Self::Failed(error)
    }
}

impl Pump {
    pub(super) fn new(
        api: Arc<Api>,
        known: Known,
        is_of_many: bool,
        subscription: Subscription,
        sender: Sender<Part>,
    ) -> Self {
        let frames = Frames::new(is_of_many);
        Self { api, known, subscription, sender, frames, told: HashMap::new() }
    }

    pub(super) async fn run(mut self, start: Start) {
        let stop = match self.catch_up(start).await {
            Ok(()) => self.go_on().await,
            Err(stop) => stop,
        };
        let end = match stop {
            Stop::Ended(end) => end,
            Stop::Gone => return,
            Stop::Failed(error) => {
                tracing::error!(?error, "a stream of events is broken off");
                return;
            }
        };
        if self.frames.dropped(end).is_ok() && self.flush().await.is_ok() {
            // An error only says that the client has gone.
            let _ = self.sender.send(Part::End).await;
        }
    }

    async fn flush(&mut self) -> Result<(), Stop> {
        if self.frames.is_empty() {
            return Ok(());
        }
        let bytes: Bytes = self.frames.take();
        self.sender.send(Part::Bytes(bytes)).await.map_err(|_| Stop::Gone)
    }

    /// Tells what is in the journal already, then how the accounts stand.
    async fn catch_up(&mut self, Start(accounts): Start) -> Result<(), Stop> {
        self.frames.retry();
        for (account, after) in accounts {
            if let Some(after) = after {
                self.tell_again(&account, after).await?;
            }
            self.frames.balance(&self.api.ledger, &account, true)?;
            self.told.insert(account.id.clone(), account.sequence);
            self.flush().await?;
        }
        self.flush().await
    }

    async fn tell_again(&mut self, account: &Arc<Account>, after: u64) -> Result<(), Stop> {
        if account.sequence.saturating_sub(after) > self.api.limits.resume_entries_max {
            return Ok(self.frames.left_out(account, after)?);
        }
        let mut told = after;
        while told < account.sequence {
            let upto = told.saturating_add(PAGE_ENTRIES).min(account.sequence);
            let (ledger, of) = (self.api.ledger.clone(), account.clone());
            for recorded in blocking(move || ledger.entries_between(&of, told, upto)).await? {
                self.frames.hold(account, &recorded)?;
                self.frames.entry(&self.api.ledger, account, &recorded)?;
            }
            self.flush().await?;
            told = upto;
        }
        Ok(())
    }

    /// Tells what happens, until nobody listens or nothing more may be told.
    async fn go_on(&mut self) -> Stop {
        let period = Duration::from_millis(self.api.limits.heartbeat_ms.max(1));
        let mut heartbeat = interval_at(Instant::now() + period, period);
        heartbeat.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            let step = tokio::select! {
                biased;
                () = self.sender.closed() => return Stop::Gone,
                _ = heartbeat.tick() => None,
                moved = self.subscription.next() => match moved {
                    Ok(moved) => Some(moved),
                    Err(cut) => return Stop::Ended(End::Cut(cut)),
                },
            };
            // Before anything is told: a key that was revoked hears nothing more.
            if !self.api.ledger.keyring().is_still_let_in(&self.known.0) {
                return Stop::Ended(End::CallerEnded);
            }
            let told = match step {
                Some(moved) => self.tell(moved).await,
                None => {
                    self.frames.heartbeat();
                    self.flush().await
                }
            };
            if let Err(stop) = told {
                return stop;
            }
        }
    }

    /// Tells a commit and those that have gathered behind it.
    async fn tell(&mut self, first: Arc<Moved>) -> Result<(), Stop> {
        let mut commits = vec![first];
        while commits.len() < COMMITS_AT_ONCE
            && let Some(next) = self.subscription.next_waiting()
        {
            commits.push(next);
        }
        for (index, moved) in commits.iter().enumerate() {
            let is_newest = !commits[index + 1..].iter().any(|later| later.account.id == moved.account.id);
            self.tell_commit(moved, is_newest).await?;
        }
        self.flush().await
    }

    async fn tell_commit(&mut self, moved: &Moved, is_newest: bool) -> Result<(), Stop> {
        let account = &moved.account;
        let told = self.told.get(&account.id).copied().unwrap_or(0);
        let ledger = self.api.ledger.clone();
        let is_new = |recorded: &&Arc<ledger_store::Recorded>| recorded.sealed.entry.sequence > told;
        let mut entries: Vec<_> = moved.entries.iter().filter(is_new).collect();
        let last = entries.pop();
        for recorded in entries {
            self.frames.hold(account, recorded)?;
            self.frames.entry(&ledger, account, recorded)?;
        }
        if let Some(last) = last {
            self.frames.hold(account, last)?;
        }
        // What was read from the journal at the start comes without its notices, which are in the feed alone.
        for (notice, covered_until) in self.with_ends(&moved.notices).await {
            self.frames.notice(notice, covered_until)?;
        }
        if let Some(last) = last {
            if is_newest {
                self.frames.balance(&ledger, account, false)?;
            }
            self.frames.entry(&ledger, account, last)?;
        }
        Ok(())
    }

    /// Notices with the time until which the hold of one that runs out is covered, where that can be said.
    async fn with_ends<'a>(&self, notices: &'a [Notice]) -> Vec<(&'a Notice, Option<Timestamp>)> {
        let mut all = Vec::with_capacity(notices.len());
        let mut looked_up = 0;
        for notice in notices {
            let hold = notice.data["hold"].as_str().filter(|_| notice.kind == NoticeKind::HoldRunningOut);
            let covered_until = match hold.map(str::to_owned) {
                Some(hold) if looked_up < COVERED_AT_ONCE => {
                    looked_up += 1;
                    let ledger = self.api.ledger.clone();
                    // Without its plugin a hold has no such time, and is told all the same.
                    blocking(move || ledger.hold(&hold)).await.ok().and_then(|view| view.covered_until)
                }
                _ => None,
            };
            all.push((notice, covered_until));
        }
        all
    }
}
