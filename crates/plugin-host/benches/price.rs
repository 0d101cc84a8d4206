//! What a price costs: in a fresh instance, on two threads, and in an instance that a batch shares.
//!
//! `cargo xtask plugins build && cargo bench -p plugin-host`
#![allow(clippy::unwrap_used, missing_docs, reason = "this is a measurement, which may panic")]

use criterion::{BatchSize, Criterion, Throughput, criterion_group, criterion_main};
use ledger_core::{Quantity, Timestamp, UsageEvent};
use ledger_service::ports::PricingPlugin;
use plugin_host::{Limits, PluginHost, Prepared};
use std::path::Path;
use std::time::{Duration, Instant};

fn event() -> UsageEvent {
    let quantities = [("input_tokens", 374), ("messages", 1), ("output_tokens", 44)];
    UsageEvent {
        id: "evt_1".into(),
        account: "acme".into(),
        plan: "pro".into(),
        activity: "chat".into(),
        agent: Some("support-bot".into()),
        model: Some("gpt-4o-mini".into()),
        occurred_at: Timestamp::from_millis(1_790_000_000_000),
        quantities: quantities.map(|(unit, amount)| Quantity { unit: unit.into(), amount }).into(),
        attributes: vec![("conversation".into(), "c_9".into())],
    }
}

/// `per-model-rates` with the shipped rates.
fn plugin(host: &PluginHost) -> Prepared {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    let component = std::fs::read(root.join("target/plugins/per-model-rates.wasm")).unwrap();
    let read_file = |_: &Path| Err(std::io::Error::from(std::io::ErrorKind::NotFound));
    let inputs =
        purser_config::Inputs { file: None, environment: Vec::new(), flags: Vec::new(), read_file: &read_file };
    let config = purser_config::load(&inputs).unwrap();
    let rates = config.plugin_configs.iter().find(|config| config.name == "list-prices").unwrap();
    host.prepare(&component, &rates.json).unwrap()
}

fn price(c: &mut Criterion) {
    let host = PluginHost::new(Limits::default(), None).unwrap();
    let plugin = plugin(&host);
    assert!(plugin.has_snapshot());
    let event = event();
    let mut group = c.benchmark_group("per-model-rates");
    group.throughput(Throughput::Elements(1));
    group.bench_function("fresh instance", |b| b.iter(|| plugin.price(&event).unwrap()));
    group.bench_function("fresh instances on two threads", |b| {
        b.iter_custom(|iterations| {
            let each = iterations.div_ceil(2);
            let started = Instant::now();
            std::thread::scope(|scope| {
                for _ in 0..2 {
                    scope.spawn(|| {
                        for _ in 0..each {
                            plugin.price(&event).unwrap();
                        }
                    });
                }
            });
            started.elapsed()
        });
    });
    group.throughput(Throughput::Elements(1000));
    group.bench_function("batch of 1000", |b| {
        let events = vec![&event; 1000];
        b.iter_batched(|| (), |()| plugin.price_all(&events), BatchSize::PerIteration);
    });
    group.finish();
}

criterion_group! {
    name = benches;
    config = Criterion::default().warm_up_time(Duration::from_secs(1)).measurement_time(Duration::from_secs(3));
    targets = price
}
criterion_main!(benches);
