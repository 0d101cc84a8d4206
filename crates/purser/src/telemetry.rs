//! What operators watch of the running server: the recorder behind the `metrics` facade, what only looking can tell, and
//! the text that `GET /metrics` answers.

mod process;

use anyhow::Context;
use ledger_redb::RedbStore;
use ledger_service::Ledger;
use metrics::{Gauge, describe_gauge, gauge};
use metrics_exporter_prometheus::{Matcher, PrometheusBuilder, PrometheusHandle};
use std::sync::Arc;
use std::time::{Duration, Instant};
use tokio::time::{MissedTickBehavior, interval};

/// How often measured times are sorted into their buckets: until then each of them takes room.
const UPKEEP_INTERVAL: Duration = Duration::from_secs(1);
/// How often all accounts are counted again, to hold the sum of their holds against the one that is kept.
const RECOUNT_INTERVAL: Duration = Duration::from_secs(3600);
/// A first count keeps one core half busy, and a later one a tenth.
const FIRST_COUNT_RESTS: u32 = 1;
const RECOUNT_RESTS: u32 = 9;

/// From a quarter of a millisecond to ten seconds.
const REQUEST_SECONDS: &[f64] =
    &[0.00025, 0.0005, 0.001, 0.002, 0.004, 0.008, 0.016, 0.032, 0.064, 0.125, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0];
const COMMIT_SECONDS: &[f64] =
    &[0.00025, 0.0005, 0.001, 0.002, 0.004, 0.008, 0.016, 0.032, 0.064, 0.125, 0.25, 0.5, 1.0, 2.5, 5.0];
/// A call takes some ten microseconds; its deadline is tens of milliseconds.
const PLUGIN_SECONDS: &[f64] = &[
    0.000_005, 0.000_01, 0.000_02, 0.000_04, 0.000_1, 0.000_2, 0.000_5, 0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.5,
];
const CHECKPOINT_SECONDS: &[f64] = &[0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0];
const BATCH_ITEMS: &[f64] =
    &[1.0, 2.0, 4.0, 8.0, 16.0, 32.0, 64.0, 128.0, 256.0, 512.0, 1024.0, 2048.0, 4096.0, 8192.0, 16_384.0];
const FUEL: &[f64] = &[1e3, 3e3, 1e4, 3e4, 1e5, 3e5, 1e6, 3e6, 1e7, 3e7, 1e8];

/// Where each kind of measure is sorted into.
const BUCKETS: [(&str, &[f64]); 6] = [
    ("purser_http_request_duration_seconds", REQUEST_SECONDS),
    ("purser_writer_commit_seconds", COMMIT_SECONDS),
    ("purser_plugin_call_seconds", PLUGIN_SECONDS),
    ("purser_checkpoint_seconds", CHECKPOINT_SECONDS),
    ("purser_writer_batch_items", BATCH_ITEMS),
    ("purser_plugin_fuel", FUEL),
];

/// The recorder. Whatever is to be measured must be made after it.
#[derive(Clone)]
pub(crate) struct Telemetry {
    recorder: PrometheusHandle,
}

impl Telemetry {
    /// Has everything recorded from now on.
    pub(crate) fn start(has_test_clock: bool) -> anyhow::Result<Self> {
        let mut builder = PrometheusBuilder::new();
        for (name, buckets) in BUCKETS {
            builder = builder.set_buckets_for_metric(Matcher::Full(name.to_owned()), buckets).context("no buckets")?;
        }
        let recorder = builder.install_recorder().context("another recorder is at work")?;
        describe_gauge!("purser_build_info", "1, with the version that runs");
        gauge!("purser_build_info", "version" => env!("CARGO_PKG_VERSION")).set(1);
        describe_gauge!("purser_test_clock", "1 where time is a test's: such a server is for tests alone");
        gauge!("purser_test_clock").set(if has_test_clock { 1 } else { 0 });
        Ok(Self { recorder })
    }

    /// What writes everything that is measured.
    pub(crate) fn exposition(&self, ledger: &Arc<Ledger>, store: &Arc<RedbStore>) -> http_api::Exposition {
        let (recorder, ledger, store) = (self.recorder.clone(), ledger.clone(), store.clone());
        let measures = StoreMeasures::new();
        Arc::new(move || {
            ledger.measure();
            measures.look(&store);
            let mut text = recorder.render();
            process::write(&mut text);
            text
        })
    }

    /// Keeps memory bounded, and counts the open holds: at once, and again now and then.
    pub(crate) async fn keep(self, ledger: Arc<Ledger>) {
        let mut ticks = interval(UPKEEP_INTERVAL);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let counting = tokio::spawn(keep_counted(ledger));
        // Ends with this task.
        let _counting = AbortOnDrop(counting);
        loop {
            ticks.tick().await;
            self.recorder.run_upkeep();
        }
    }
}

struct AbortOnDrop(tokio::task::JoinHandle<()>);

impl Drop for AbortOnDrop {
    fn drop(&mut self) {
        self.0.abort();
    }
}

async fn keep_counted(ledger: Arc<Ledger>) {
    let mut ticks = interval(UPKEEP_INTERVAL);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let mut counted_at: Option<Instant> = None;
    loop {
        ticks.tick().await;
        // After a failed commit the sums are unknown, and nobody waits for an hour to pass.
        let is_known = ledger.open_holds().is_some();
        if is_known && counted_at.is_some_and(|at| at.elapsed() < RECOUNT_INTERVAL) {
            continue;
        }
        let counting = ledger.clone();
        let rests = if is_known { RECOUNT_RESTS } else { FIRST_COUNT_RESTS };
        match tokio::task::spawn_blocking(move || counting.count_open_holds(rests)).await {
            Ok(Ok(Some(_))) => counted_at = Some(Instant::now()),
            // A commit failed meanwhile: again.
            Ok(Ok(None)) => {}
            Ok(Err(error)) => tracing::warn!(?error, "the open holds could not be counted yet"),
            Err(error) => tracing::error!(%error, "counting the open holds panicked"),
        }
    }
}

/// How the store stands, as it is when somebody asks.
struct StoreMeasures {
    waiting_items: Gauge,
    age_seconds: Gauge,
    segments: [Gauge; 3],
    journal_bytes: Gauge,
    state_bytes: Gauge,
}

impl StoreMeasures {
    fn new() -> Self {
        describe_gauge!("purser_entries_since_checkpoint", "Entries and records that are not in the state file yet");
        describe_gauge!(
            "purser_checkpoint_age_seconds",
            "How long the oldest of them has waited; 0 where there is none"
        );
        describe_gauge!("purser_journal_segments", "Segments of the journal, by state");
        describe_gauge!("purser_journal_bytes", "What the journal takes in the data directory");
        describe_gauge!("purser_state_bytes", "What the state file takes");
        Self {
            waiting_items: gauge!("purser_entries_since_checkpoint"),
            age_seconds: gauge!("purser_checkpoint_age_seconds"),
            segments: ["open", "sealed", "away"].map(|state| gauge!("purser_journal_segments", "state" => state)),
            journal_bytes: gauge!("purser_journal_bytes"),
            state_bytes: gauge!("purser_state_bytes"),
        }
    }

    fn look(&self, store: &RedbStore) {
        // Where the store is being reopened, the last figures stay: `purser_ready` says so.
        let Ok(figures) = store.figures() else { return };
        self.waiting_items.set(figures.waiting_items as f64);
        self.age_seconds.set(figures.waiting_for.as_secs_f64());
        let segments = [figures.open_segments, figures.sealed_segments, figures.away_segments];
        for (gauge, count) in self.segments.iter().zip(segments) {
            gauge.set(count as f64);
        }
        self.journal_bytes.set(figures.journal_bytes as f64);
        self.state_bytes.set(figures.state_bytes as f64);
    }
}
