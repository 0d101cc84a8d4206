//! A candidate in shadow: it prices what was priced, beside, and what it would have cost is compared.
//!
//! Events wait in a bounded queue; what does not fit is counted and not priced, since no request waits for a candidate. One
//! thread prices them, and rests for as long as it worked, so that a candidate takes half a core at most.

use crate::charges::{BEYOND_AMOUNTS, no_price, sum};
use crate::ports::{PricingError, PricingPlugin};
use crate::releases::set::Pair;
use ledger_core::{Amount, Quantity, Timestamp, UsageEvent};
use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::time::Instant;

/// How many events may wait.
const WAITING_MAX: usize = 4096;
/// How many of the largest differences are kept.
const DIFFERENCES_MAX: usize = 100;
/// How many names are told apart in a breakdown; the others are one.
const NAMES_MAX: usize = 200;
/// What the others are called.
const OTHER: &str = "other";

/// A candidate that prices beside.
pub struct Shadow {
    pair: Pair,
    since: Timestamp,
    queue: SyncSender<Priced>,
    dropped: AtomicU64,
    report: Mutex<ShadowReport>,
}

/// What was priced.
struct Priced {
    event: UsageEvent,
    live: Amount,
}

/// What came of it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ShadowReport {
    /// Since when it prices.
    pub since: Timestamp,
    /// How many events it priced or refused.
    pub events: u64,
    /// How many came to the same price.
    pub same: u64,
    /// How many came to another.
    pub different: u64,
    /// How many it has no price for, or says that they make no sense.
    pub refused: u64,
    /// How many it failed on.
    pub failed: u64,
    /// How many it was not asked, since too many waited.
    pub dropped: u64,
    /// What those that both priced cost.
    pub live_micros: i128,
    /// What they would have cost.
    pub candidate_micros: i128,
    /// The same by model.
    pub models: BTreeMap<String, Sums>,
    /// The same by activity.
    pub activities: BTreeMap<String, Sums>,
    /// The largest differences, largest first; refusals and failures count as the whole price.
    pub differences: Vec<Difference>,
}

/// What some of the events cost.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Sums {
    /// How many.
    pub events: u64,
    /// What they cost.
    pub live_micros: i128,
    /// What they would have cost.
    pub candidate_micros: i128,
}

/// An event that the candidate prices otherwise.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Difference {
    /// The account.
    pub account: Arc<str>,
    /// The activity.
    pub activity: Arc<str>,
    /// The agent.
    pub agent: Option<Arc<str>>,
    /// The model.
    pub model: Option<Arc<str>>,
    /// When it happened.
    pub occurred_at: Timestamp,
    /// The quantities.
    pub quantities: Arc<[Quantity]>,
    /// What it cost.
    pub live: Amount,
    /// What it would have cost, or why it has no price.
    pub candidate: Result<Amount, String>,
}

impl Difference {
    fn size(&self) -> u64 {
        let candidate = self.candidate.as_ref().map_or(0, |amount| amount.micros());
        self.live.micros().abs_diff(candidate)
    }
}

impl Shadow {
    /// Has a candidate price beside, from now on, until this is dropped.
    pub(crate) fn start(pair: Pair, plugin: Arc<dyn PricingPlugin>, since: Timestamp) -> std::io::Result<Arc<Self>> {
        let (queue, events) = sync_channel(WAITING_MAX);
        let report = Mutex::new(ShadowReport { since, ..ShadowReport::default() });
        let shadow = Arc::new(Self { pair, since, queue, dropped: AtomicU64::new(0), report });
        let weak = Arc::downgrade(&shadow);
        std::thread::Builder::new().name("shadow".to_owned()).spawn(move || run(&weak, &*plugin, &events))?;
        Ok(shadow)
    }

    /// What prices beside.
    pub fn pair(&self) -> Pair {
        self.pair
    }

    /// Takes an event with what it costs. Never waits.
    pub(crate) fn offer(&self, event: &UsageEvent, live: Amount) {
        if self.queue.try_send(Priced { event: event.clone(), live }).is_err() {
            self.dropped.fetch_add(1, Ordering::Relaxed);
        }
    }

    /// What came of it so far.
    pub fn report(&self) -> ShadowReport {
        ShadowReport { dropped: self.dropped.load(Ordering::Relaxed), ..self.lock().clone() }
    }

    fn lock(&self) -> MutexGuard<'_, ShadowReport> {
        self.report.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl std::fmt::Debug for Shadow {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Shadow").field("since", &self.since).finish_non_exhaustive()
    }
}

/// Ends once nobody holds the shadow any more.
fn run(shadow: &Weak<Shadow>, plugin: &dyn PricingPlugin, events: &Receiver<Priced>) {
    while let Ok(priced) = events.recv() {
        let began = Instant::now();
        let candidate = plugin.price(&priced.event);
        let took = began.elapsed();
        let Some(shadow) = shadow.upgrade() else { return };
        shadow.lock().add(priced, candidate);
        drop(shadow);
        std::thread::sleep(took);
    }
}

impl ShadowReport {
    fn add(&mut self, priced: Priced, candidate: Result<crate::ports::Quote, PricingError>) {
        let Priced { event, live } = priced;
        self.events += 1;
        self.failed += u64::from(matches!(candidate, Err(PricingError::Failed(..))));
        let candidate = match candidate {
            Ok(quote) => sum(&quote).ok_or_else(|| BEYOND_AMOUNTS.to_owned()),
            Err(error) => Err(no_price(&error)),
        };
        match &candidate {
            Ok(amount) => {
                let model = event.model.as_deref().unwrap_or("");
                add_to(&mut self.models, model, live, *amount);
                add_to(&mut self.activities, &event.activity, live, *amount);
                self.live_micros += i128::from(live.micros());
                self.candidate_micros += i128::from(amount.micros());
                if *amount == live {
                    self.same += 1;
                    return;
                }
                self.different += 1;
            }
            Err(_) => self.refused = self.events - self.same - self.different - self.failed,
        }
        self.keep(Difference {
            account: event.account,
            activity: event.activity,
            agent: event.agent,
            model: event.model,
            occurred_at: event.occurred_at,
            quantities: event.quantities,
            live,
            candidate,
        });
    }

    fn keep(&mut self, difference: Difference) {
        let at = self.differences.partition_point(|known| known.size() >= difference.size());
        if at < DIFFERENCES_MAX {
            self.differences.insert(at, difference);
            self.differences.truncate(DIFFERENCES_MAX);
        }
    }
}

fn add_to(sums: &mut BTreeMap<String, Sums>, name: &str, live: Amount, candidate: Amount) {
    let name = if sums.len() < NAMES_MAX || sums.contains_key(name) { name } else { OTHER };
    let sums = sums.entry(name.to_owned()).or_default();
    sums.events += 1;
    sums.live_micros += i128::from(live.micros());
    sums.candidate_micros += i128::from(candidate.micros());
}
