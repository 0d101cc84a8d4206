//! What operators watch of the writer, the accounts and the plugins, through the `metrics` facade: without a recorder it
//! all goes nowhere. Handles are made once, when the ledger is opened, so that nothing is looked up by name on the way
//! of a charge. `docs/operations/monitoring.md` says what each means.

use crate::open_holds::OpenHolds;
use crate::releases::Releases;
use ledger_core::Digest;
use metrics::{Counter, Gauge, Histogram, counter, gauge, histogram};
use metrics::{describe_counter, describe_gauge, describe_histogram};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

/// What the writer tells as it goes.
pub(crate) struct WriterMeasures {
    batch_items: Histogram,
    commit_seconds: Histogram,
    commit_failures: Counter,
    entries: Counter,
    conflicts: Counter,
    broken_accounts: Counter,
}

impl WriterMeasures {
    pub(crate) fn new() -> Self {
        describe_histogram!("purser_writer_batch_items", "Requests that the writer handled as one batch");
        describe_histogram!("purser_writer_commit_seconds", "Time in which the store made a batch durable");
        describe_counter!(
            "purser_writer_commit_failures_total",
            "Batches of which the store did not say that they are durable"
        );
        describe_counter!("purser_entries_total", "Entries made durable");
        describe_counter!("purser_writer_conflicts_total", "Accounts decided again because they had moved on");
        describe_counter!(
            "purser_conservation_failures_total",
            "Times that an entry did not fit its account, so that nothing of it was committed"
        );
        Self {
            batch_items: histogram!("purser_writer_batch_items"),
            commit_seconds: histogram!("purser_writer_commit_seconds"),
            commit_failures: counter!("purser_writer_commit_failures_total"),
            entries: counter!("purser_entries_total"),
            conflicts: counter!("purser_writer_conflicts_total"),
            broken_accounts: counter!("purser_conservation_failures_total"),
        }
    }

    pub(crate) fn batch(&self, items: usize) {
        self.batch_items.record(as_f64(items));
    }

    pub(crate) fn committed(&self, took: Duration, entries: usize, conflicts: usize) {
        self.commit_seconds.record(took);
        self.entries.increment(u64::try_from(entries).unwrap_or(0));
        if conflicts > 0 {
            self.conflicts.increment(u64::try_from(conflicts).unwrap_or(0));
        }
    }

    pub(crate) fn failed(&self) {
        self.commit_failures.increment(1);
    }

    pub(crate) fn broken(&self) {
        self.broken_accounts.increment(1);
    }
}

/// What is read when somebody asks, so that it costs nothing in between.
pub(crate) struct LedgerMeasures {
    ready: Gauge,
    queue_items: Gauge,
    queue_items_max: Gauge,
    accounts: Gauge,
    open_holds: Gauge,
    held_credits: Gauge,
    known: Gauge,
    recounted: Recounted,
    /// What is live, each of it 1.
    live: Mutex<Vec<Gauge>>,
}

/// What the last count of all accounts found.
struct Recounted {
    open_holds: Gauge,
    held_credits: Gauge,
    holds_difference: Gauge,
    credits_difference: Gauge,
    inconsistent: Gauge,
    counts: Counter,
}

impl LedgerMeasures {
    pub(crate) fn new() -> Self {
        describe_gauge!("purser_ready", "1 while requests are taken");
        describe_gauge!("purser_release_info", "1 for each plugin and configuration that is live");
        describe_gauge!("purser_writer_queue_items", "Requests that wait for the writer or are being committed");
        describe_gauge!("purser_writer_queue_items_max", "How many may wait before more are refused");
        describe_gauge!("purser_accounts", "Accounts");
        describe_gauge!("purser_open_holds", "Holds that are open");
        describe_gauge!("purser_held_credits", "Credits that open holds have set aside of grants");
        describe_gauge!(
            "purser_holds_known",
            "1 once all accounts were counted, so that the numbers of accounts and holds are meaningful"
        );
        describe_gauge!("purser_recounted_open_holds", "Open holds as of the last count of all accounts");
        describe_gauge!("purser_recounted_held_credits", "Credits set aside, as of the last count of all accounts");
        describe_gauge!(
            "purser_recount_holds_difference",
            "Open holds counted less those kept: 0, or something is broken"
        );
        describe_gauge!(
            "purser_recount_held_credits_difference",
            "Credits set aside as counted less as kept: 0, or something is broken"
        );
        describe_gauge!(
            "purser_inconsistent_accounts",
            "Accounts in the last count whose totals contradict their holds or are not conserved"
        );
        describe_counter!("purser_recounts_total", "Times that all accounts were counted");
        Self {
            ready: gauge!("purser_ready"),
            queue_items: gauge!("purser_writer_queue_items"),
            queue_items_max: gauge!("purser_writer_queue_items_max"),
            accounts: gauge!("purser_accounts"),
            open_holds: gauge!("purser_open_holds"),
            held_credits: gauge!("purser_held_credits"),
            known: gauge!("purser_holds_known"),
            live: Mutex::default(),
            recounted: Recounted {
                open_holds: gauge!("purser_recounted_open_holds"),
                held_credits: gauge!("purser_recounted_held_credits"),
                holds_difference: gauge!("purser_recount_holds_difference"),
                credits_difference: gauge!("purser_recount_held_credits_difference"),
                inconsistent: gauge!("purser_inconsistent_accounts"),
                counts: counter!("purser_recounts_total"),
            },
        }
    }

    pub(crate) fn writer(&self, is_ready: bool, queue_items: usize, queue_items_max: usize) {
        self.ready.set(if is_ready { 1 } else { 0 });
        self.queue_items.set(as_f64(queue_items));
        self.queue_items_max.set(as_f64(queue_items_max));
    }

    pub(crate) fn holds(&self, open_holds: &OpenHolds) {
        let (kept, counted) = open_holds.read();
        self.known.set(if kept.is_some() { 1 } else { 0 });
        if let Some(kept) = kept {
            self.accounts.set(kept.accounts as f64);
            self.open_holds.set(kept.holds as f64);
            self.held_credits.set(credits(kept.held_micros));
        }
        if let Some(counted) = counted {
            self.recounted.open_holds.set(counted.sums.holds as f64);
            self.recounted.held_credits.set(credits(counted.sums.held_micros));
            self.recounted.holds_difference.set(counted.difference.holds as f64);
            self.recounted.credits_difference.set(credits(counted.difference.held_micros));
            self.recounted.inconsistent.set(counted.inconsistent_accounts as f64);
        }
    }

    /// Says what is live, in place of what was.
    pub(crate) fn releases(&self, releases: &Releases) {
        let mut live = self.live.lock().unwrap_or_else(PoisonError::into_inner);
        live.drain(..).for_each(|gauge| gauge.set(0));
        for (name, (digest, config_digest)) in releases.live() {
            let (digest, config_digest) = (short(digest), short(config_digest));
            let gauge = gauge!("purser_release_info",
                "plugin" => name.to_string(), "digest" => digest, "config_digest" => config_digest);
            gauge.set(1);
            live.push(gauge);
        }
    }

    pub(crate) fn counted(&self) {
        self.recounted.counts.increment(1);
    }
}

/// For people to look at: a float has room for every count that there will be, and rounds a sum of micro-credits only
/// beyond nine billion credits.
fn credits(micros: i128) -> f64 {
    micros as f64 / 1e6
}

/// How much of a digest is a label: enough to tell a few versions apart.
const DIGEST_DIGITS: usize = 12;

/// The first digits of a digest.
pub(crate) fn short(digest: Digest) -> String {
    let text = digest.to_string();
    let digits = text.strip_prefix("sha256:").unwrap_or(&text);
    digits.chars().take(DIGEST_DIGITS).collect()
}

fn as_f64(count: usize) -> f64 {
    count as f64
}
