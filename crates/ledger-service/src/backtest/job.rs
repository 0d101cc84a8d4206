//! A backtest as a job: what it is to do, how far it has come, what came of it, and its pace.

use super::report::Report;
use crate::error::ServiceError;
use crate::ports::PluginKind;
use crate::releases::{Actor, Pair};
use ledger_core::{AccountNumber, Timestamp};
use ledger_store::StoreError;
use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use tokio::sync::watch;

/// How a backtest stands.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum BacktestStatus {
    /// Others run before it.
    #[default]
    Waiting,
    /// It is under way.
    Running,
    /// It has gone through everything.
    Done,
    /// Somebody called it off.
    Cancelled,
    /// It could not go on.
    Failed,
}

impl BacktestStatus {
    /// All of them with their names on the wire.
    pub const ALL: [(Self, &'static str); 5] = [
        (Self::Waiting, "waiting"),
        (Self::Running, "running"),
        (Self::Done, "done"),
        (Self::Cancelled, "cancelled"),
        (Self::Failed, "failed"),
    ];

    /// Its name on the wire.
    pub fn name(self) -> &'static str {
        Self::ALL.iter().find(|(status, _)| *status == self).map_or("", |(_, name)| name)
    }

    /// Whether nothing more will come of it.
    pub fn is_ended(self) -> bool {
        matches!(self, Self::Done | Self::Cancelled | Self::Failed)
    }
}

/// A backtest, as it stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Backtest {
    /// Its name.
    pub id: Arc<str>,
    /// The plugin.
    pub plugin: Arc<str>,
    /// The plugin configuration under which it would be released.
    pub slot: Arc<str>,
    /// What the plugin does.
    pub kind: PluginKind,
    /// What was tried.
    pub pair: Pair,
    /// From when on.
    pub from: Timestamp,
    /// Until when.
    pub to: Timestamp,
    /// Which accounts; `None` for all.
    pub accounts: Option<Vec<Arc<str>>>,
    /// How much of one core it takes at most, in percent: above 100, a part of several.
    pub cpu_percent: u32,
    /// Why.
    pub reason: String,
    /// Who.
    pub actor: Actor,
    /// When it was asked for.
    pub created_at: Timestamp,
    /// When it began.
    pub started_at: Option<Timestamp>,
    /// When it ended.
    pub ended_at: Option<Timestamp>,
    /// How it stands.
    pub status: BacktestStatus,
    /// Why it could not go on.
    pub problem: Option<ServiceError>,
    /// How many accounts are done.
    pub accounts_done: u64,
    /// Of how many; `None` until they were counted.
    pub accounts_total: Option<u64>,
    /// How many charges were looked at.
    pub charges_done: u64,
    /// What it found, once it is done.
    pub report: Option<Arc<Report>>,
}

/// Why a backtest does not go on.
#[derive(Debug)]
pub(super) enum Ended {
    Cancelled,
    Failed(ServiceError),
}

impl From<ServiceError> for Ended {
    fn from(error: ServiceError) -> Self {
        Self::Failed(error)
    }
}

impl From<StoreError> for Ended {
    fn from(error: StoreError) -> Self {
        Self::Failed(error.into())
    }
}

/// How far it has come.
#[derive(Debug)]
pub(super) struct Progress {
    accounts_done: AtomicU64,
    /// The highest number until it is known.
    accounts_total: AtomicU64,
    charges: AtomicU64,
}

impl Progress {
    fn new() -> Self {
        let unknown = AtomicU64::new(u64::MAX);
        Self { accounts_done: AtomicU64::new(0), accounts_total: unknown, charges: AtomicU64::new(0) }
    }

    pub(super) fn expect_accounts(&self, total: usize) {
        self.accounts_total.store(u64::try_from(total).unwrap_or(u64::MAX), Ordering::Relaxed);
    }

    pub(super) fn accounts_done(&self, count: usize) {
        self.accounts_done.fetch_add(u64::try_from(count).unwrap_or(0), Ordering::Relaxed);
    }

    pub(super) fn charges_done(&self, count: usize) {
        self.charges.fetch_add(u64::try_from(count).unwrap_or(0), Ordering::Relaxed);
    }
}

/// What changes while it runs.
#[derive(Debug, Default)]
struct State {
    status: BacktestStatus,
    started_at: Option<Timestamp>,
    ended_at: Option<Timestamp>,
    problem: Option<ServiceError>,
    report: Option<Arc<Report>>,
}

/// A backtest that was asked for.
#[derive(Debug)]
pub(crate) struct Job {
    pub(super) asked: Asked,
    pub(super) progress: Progress,
    is_cancelled: AtomicBool,
    state: Mutex<State>,
    /// Woken when it is called off, so that nobody waits for its rest to be over.
    called_off: Condvar,
    ended: watch::Sender<bool>,
}

/// What a job is to do, for whom, and why.
#[derive(Debug)]
pub(super) struct Asked {
    pub(super) id: Arc<str>,
    pub(super) plugin: Arc<str>,
    pub(super) slot: Arc<str>,
    pub(super) kind: PluginKind,
    pub(super) pair: Pair,
    pub(super) from: Timestamp,
    pub(super) to: Timestamp,
    /// By id, each with its short number; `None` for all.
    pub(super) accounts: Option<BTreeMap<Arc<str>, AccountNumber>>,
    pub(super) cpu_percent: u32,
    pub(super) reason: String,
    pub(super) actor: Actor,
    pub(super) created_at: Timestamp,
}

impl Asked {
    /// How many threads its share of the processor is for: one for each core that it may take a part of.
    pub(super) fn threads(&self) -> u32 {
        self.cpu_percent.div_ceil(100).max(1)
    }
}

impl Job {
    pub(super) fn new(asked: Asked) -> Self {
        Self {
            asked,
            progress: Progress::new(),
            is_cancelled: AtomicBool::new(false),
            state: Mutex::default(),
            called_off: Condvar::new(),
            ended: watch::Sender::new(false),
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        // Each change of it is whole.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn status(&self) -> BacktestStatus {
        self.state().status
    }

    pub(super) fn view(&self) -> Backtest {
        let state = self.state();
        let total = self.progress.accounts_total.load(Ordering::Relaxed);
        let asked = &self.asked;
        Backtest {
            id: asked.id.clone(),
            plugin: asked.plugin.clone(),
            slot: asked.slot.clone(),
            kind: asked.kind,
            pair: asked.pair,
            from: asked.from,
            to: asked.to,
            accounts: asked.accounts.as_ref().map(|accounts| accounts.keys().cloned().collect()),
            cpu_percent: asked.cpu_percent,
            reason: asked.reason.clone(),
            actor: asked.actor.clone(),
            created_at: asked.created_at,
            started_at: state.started_at,
            ended_at: state.ended_at,
            status: state.status,
            problem: state.problem.clone(),
            accounts_done: self.progress.accounts_done.load(Ordering::Relaxed),
            accounts_total: (total != u64::MAX).then_some(total),
            charges_done: self.progress.charges.load(Ordering::Relaxed),
            report: state.report.clone(),
        }
    }

    /// Whether it has ended, and word of when it does.
    pub(super) fn ending(&self) -> watch::Receiver<bool> {
        self.ended.subscribe()
    }

    /// Begins; not where it was called off before.
    pub(super) fn begin(&self, now: Timestamp) -> bool {
        let mut state = self.state();
        if state.status != BacktestStatus::Waiting {
            return false;
        }
        (state.status, state.started_at) = (BacktestStatus::Running, Some(now));
        true
    }

    /// Calls it off; nothing where it has ended.
    pub(super) fn cancel(&self, now: Timestamp) {
        // Before the lock, so that whoever rests has either seen it or waits already.
        self.is_cancelled.store(true, Ordering::Relaxed);
        self.end(BacktestStatus::Cancelled, None, None, now);
        self.called_off.notify_all();
    }

    /// Ends; the first end counts.
    pub(super) fn end(
        &self,
        status: BacktestStatus,
        report: Option<Arc<Report>>,
        problem: Option<ServiceError>,
        now: Timestamp,
    ) {
        let mut state = self.state();
        if state.status.is_ended() {
            return;
        }
        (state.status, state.report, state.problem, state.ended_at) = (status, report, problem, Some(now));
        self.ended.send_replace(true);
    }

    /// Has one of its threads rest after some work, for as long as that thread's part of the share asks.
    pub(super) fn rest_after(&self, worked: Duration) -> Result<(), Ended> {
        let percent = (self.asked.cpu_percent / self.asked.threads()).clamp(1, 100);
        let rest = worked * (100 - percent) / percent;
        if !rest.is_zero() {
            let is_going_on = |_: &mut State| !self.is_cancelled.load(Ordering::Relaxed);
            // A word that comes before it waits is seen as well.
            drop(self.called_off.wait_timeout_while(self.state(), rest, is_going_on));
        }
        if self.is_cancelled.load(Ordering::Relaxed) { Err(Ended::Cancelled) } else { Ok(()) }
    }
}
