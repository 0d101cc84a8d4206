//! What a decision of `rate-limits` with four windows costs: each is made in a fresh instance.
//!
//! `cargo xtask plugins build && cargo bench -p plugin-host --bench decide`
#![allow(clippy::unwrap_used, missing_docs, reason = "this is a measurement, which may panic")]

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use ledger_core::{Quantity, Timestamp, UsageEvent};
use ledger_service::ports::throttling::{Action, Asked, Decision, Reading, ThrottlingPlugin};
use plugin_host::{Limits, PluginHost};
use std::path::Path;
use std::time::Duration;

/// All of them are about the event.
const LIMITS: &str = r#"{"limits": [
    {"name": "burst", "requests": 20, "per_seconds": 60},
    {"name": "agent-hour", "scope": "agent", "credits": "50", "per_seconds": 3600},
    {"name": "models", "scope": "model", "requests": 1000, "per_seconds": 3600, "models": ["gpt-*"]},
    {"name": "day", "scope": "activity", "requests": 10000, "per_seconds": 86400, "activities": ["chat"]}]}"#;

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
        attributes: vec![("conversation".into(), "c_9".into()), ("lead_score".into(), "87".into())],
    }
}

fn decide(c: &mut Criterion) {
    let host = PluginHost::new(Limits::default(), None).unwrap();
    let component = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../target/plugins/rate-limits.wasm");
    let plugin = host.prepare_throttling(&std::fs::read(component).unwrap(), LIMITS).unwrap();
    assert!(plugin.has_snapshot());
    assert_eq!(plugin.windows().len(), 4);
    let event = event();
    let asked =
        Asked { action: Action::Charge, event: &event, estimate: None, remaining_permille: 640, hold_age_ms: None };
    let reading = |value| [Reading { value, resets_in_ms: 1500 }; 4];
    assert_eq!(plugin.decide(&asked, &reading(3)), Ok(Decision::Allow));
    assert!(matches!(plugin.decide(&asked, &reading(20)), Ok(Decision::Deny(_))));
    let mut group = c.benchmark_group("rate-limits with four windows");
    group.throughput(Throughput::Elements(1));
    group.bench_function("allow", |b| b.iter(|| plugin.decide(&asked, &reading(3)).unwrap()));
    group.bench_function("deny", |b| b.iter(|| plugin.decide(&asked, &reading(20)).unwrap()));
    group.finish();
}

criterion_group! {
    name = benches;
    config = Criterion::default().warm_up_time(Duration::from_secs(1)).measurement_time(Duration::from_secs(3));
    targets = decide
}
criterion_main!(benches);
