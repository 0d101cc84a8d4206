//! What a durable commit costs, by the size of its group, with redb's quick-repair and without: why it is off.
#![allow(missing_docs, clippy::unwrap_used, reason = "a benchmark may panic: that is how it fails")]

use criterion::{BatchSize, BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};
use ledger_redb::{RedbStore, Settings};
use ledger_store::LedgerStore;
use ledger_store::conformance::work::Groups;
use std::time::Duration;

fn commits(criterion: &mut Criterion) {
    for quick_repair in [false, true] {
        let mut group = criterion.benchmark_group(if quick_repair { "commit, quick-repair" } else { "commit" });
        for entries in [1_u64, 64, 1000] {
            let root = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).unwrap();
            let store = RedbStore::open(root.path(), Settings { quick_repair, ..Settings::default() }).unwrap();
            let mut groups = Groups::begin(&store, entries);
            group.throughput(Throughput::Elements(entries));
            group.bench_function(BenchmarkId::from_parameter(entries), |bencher| {
                bencher.iter_batched(
                    || groups.next_batch(),
                    |batch| assert!(store.commit(batch).unwrap().conflicts.is_empty()),
                    BatchSize::PerIteration,
                );
            });
        }
        group.finish();
    }
}

criterion_group! {
    name = benches;
    config = Criterion::default().warm_up_time(Duration::from_secs(1)).measurement_time(Duration::from_secs(4)).sample_size(20);
    targets = commits
}
criterion_main!(benches);
