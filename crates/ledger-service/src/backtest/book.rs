//! The jobs that are remembered, and the thread that does them one after another.

use super::Candidate;
use super::job::{Backtest, BacktestStatus, Ended, Job};
use super::record::{BacktestDemand, Records};
use super::report::PricingReport;
use crate::error::ServiceError;
use crate::ledger::Ledger;
use crate::releases::Pair;
use ledger_core::Timestamp;
use ledger_store::LedgerStore;
use std::collections::VecDeque;
use std::fmt;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, RwLock, RwLockReadGuard};

/// How many jobs are remembered; the oldest that have ended go first.
const KEPT: usize = 32;
/// How many may wait for the one that runs.
const WAITING_MAX: usize = 8;

/// The jobs, and what is on record of earlier ones.
pub(crate) struct Backtests {
    state: Mutex<State>,
    /// Whether the ledger has been closed. Held for every read of the store, so that none comes after that.
    is_closed: RwLock<bool>,
}

#[derive(Default)]
struct State {
    /// Oldest first.
    jobs: VecDeque<Arc<Job>>,
    /// Those that are yet to begin, with what they try.
    waiting: VecDeque<(Arc<Job>, Candidate)>,
    /// Whether there is a thread that does them.
    is_running: bool,
    records: Records,
}

impl fmt::Debug for Backtests {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Backtests").field("jobs", &self.state().jobs.len()).finish_non_exhaustive()
    }
}

impl Backtests {
    pub(crate) fn load(store: &dyn LedgerStore) -> Result<Self, ServiceError> {
        let records = Records::load(store)?;
        Ok(Self { state: Mutex::new(State { records, ..State::default() }), is_closed: RwLock::new(false) })
    }

    fn state(&self) -> MutexGuard<'_, State> {
        // Each change of it is whole.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Lets a job read the store, unless the ledger has been closed.
    pub(super) fn still_open(&self) -> Result<RwLockReadGuard<'_, bool>, Ended> {
        let is_closed = self.is_closed.read().unwrap_or_else(PoisonError::into_inner);
        if *is_closed { Err(Ended::Cancelled) } else { Ok(is_closed) }
    }

    /// Calls every job off: from here on none of them reads or writes.
    pub(crate) fn close(&self, now: Timestamp) {
        *self.is_closed.write().unwrap_or_else(PoisonError::into_inner) = true;
        let jobs: Vec<Arc<Job>> = self.state().jobs.iter().cloned().collect();
        jobs.iter().for_each(|job| job.cancel(now));
    }

    /// Has a job done when its turn comes.
    pub(super) fn enqueue(
        &self,
        ledger: &Arc<Ledger>,
        job: &Arc<Job>,
        candidate: Candidate,
    ) -> Result<(), ServiceError> {
        let mut state = self.state();
        // Those that were called off meanwhile wait for nothing.
        state.waiting.retain(|(job, _)| !job.status().is_ended());
        let to_be_done = state.jobs.iter().filter(|job| !job.status().is_ended()).count();
        if to_be_done > WAITING_MAX {
            return Err(ServiceError::Overloaded);
        }
        if state.jobs.len() >= KEPT
            && let Some(oldest) = state.jobs.iter().position(|job| job.status().is_ended())
        {
            state.jobs.remove(oldest);
        }
        state.waiting.push_back((job.clone(), candidate));
        state.jobs.push_back(job.clone());
        if !state.is_running {
            let ledger = ledger.clone();
            let started = std::thread::Builder::new().name("backtest".to_owned()).spawn(move || run(&ledger));
            if let Err(error) = started {
                state.waiting.pop_back();
                state.jobs.pop_back();
                let detail = format!("the thread of a backtest cannot start: {error}");
                return Err(ServiceError::Internal { detail });
            }
            state.is_running = true;
        }
        Ok(())
    }

    pub(super) fn get(&self, id: &str) -> Result<Arc<Job>, ServiceError> {
        let found = self.state().jobs.iter().find(|job| &*job.asked.id == id).cloned();
        found.ok_or_else(|| ServiceError::NotFound { what: "backtest", id: id.to_owned() })
    }

    /// All of them, newest first.
    pub(super) fn all(&self) -> Vec<Backtest> {
        let jobs: Vec<Arc<Job>> = self.state().jobs.iter().rev().cloned().collect();
        jobs.iter().map(|job| job.view()).collect()
    }

    /// Puts what came of a job on record.
    pub(super) fn record(&self, ledger: &Ledger, job: &Job, report: &PricingReport) -> Result<(), Ended> {
        let _open = self.still_open()?;
        if job.status() == BacktestStatus::Cancelled {
            return Err(Ended::Cancelled);
        }
        Ok(self.state().records.add(ledger.store(), job, report, ledger.now())?)
    }

    /// Why a pair does not pass; nothing where it does.
    pub(super) fn shortcoming(
        &self,
        slot: &str,
        pair: Pair,
        demand: &BacktestDemand,
        now: Timestamp,
    ) -> Option<String> {
        self.state().records.shortcoming(slot, pair, demand, now)
    }

    /// The next job; `None` where there is none, and the thread ends.
    fn next(&self) -> Option<(Arc<Job>, Candidate)> {
        let mut state = self.state();
        let next = state.waiting.pop_front();
        state.is_running = next.is_some();
        next
    }
}

/// Does one job after another, until none waits.
fn run(ledger: &Arc<Ledger>) {
    while let Some((job, candidate)) = ledger.backtests().next() {
        if !job.begin(ledger.now()) {
            continue;
        }
        // A panic is a defect, and must not leave a job that never ends and a queue that never moves.
        let ran = catch_unwind(AssertUnwindSafe(|| ledger.run_backtest(&job, &candidate)));
        let panicked = || ServiceError::Internal { detail: "a backtest panicked".to_owned() };
        let ran = ran.unwrap_or_else(|_| Err(Ended::Failed(panicked())));
        match ran {
            Ok(report) => job.end(BacktestStatus::Done, Some(Arc::new(report)), None, ledger.now()),
            Err(Ended::Cancelled) => job.end(BacktestStatus::Cancelled, None, None, ledger.now()),
            Err(Ended::Failed(error)) => {
                tracing::error!(backtest = &*job.asked.id, ?error, "a backtest could not go on");
                job.end(BacktestStatus::Failed, None, Some(error), ledger.now());
            }
        }
    }
}
