//! What plugins in Rust, JavaScript and Python cost: once, for a fresh instance, and for one that is reused. The figures of
//! `docs/plugins/languages.md` come from here. Times are of the calling thread on its core, as Linux tells them, and
//! not by the clock, which holds what else the machine does: criterion measures by the clock, and is not used here.
//!
//! `cargo xtask plugins build && cargo xtask plugins build-scripted && cargo bench -p plugin-host --bench languages`
#![allow(clippy::unwrap_used, missing_docs, reason = "this is a measurement, which may panic")]
#![allow(clippy::print_stdout, reason = "it says what it measured")]

use ledger_core::{Quantity, Timestamp, UsageEvent};
use ledger_service::ports::PricingPlugin;
use plugin_host::{HeavyLimits, Limits, PluginHost, Prepared, Weight};
use std::path::Path;
use std::time::Duration;

/// A plugin of each language, with a configuration of three units.
const PLUGINS: [(&str, &str, &str); 3] = [
    (
        "Rust",
        "per-model-rates",
        r#"{"models": [{"models": ["*"], "per_unit": {"images": "4", "messages": "1", "searches": "1.5"}}]}"#,
    ),
    (
        "JavaScript",
        "volume-discount",
        r#"{"units": {"images": {"price": "4", "discounts": [{"from": 10, "percent": "10"}]},
            "messages": {"price": "1"}, "searches": {"price": "1.5"}}}"#,
    ),
    (
        "Python",
        "bundle-price",
        r#"{"bundles": [{"name": "answer", "units": {"messages": 1, "searches": 3}, "price": "5"}],
            "per_unit": {"images": "4", "messages": "1", "searches": "1.5"}}"#,
    ),
];

fn component(name: &str) -> Vec<u8> {
    std::fs::read(Path::new(env!("CARGO_MANIFEST_DIR")).join(format!("../../target/plugins/{name}.wasm"))).unwrap()
}

fn event() -> UsageEvent {
    let quantities = [("images", 12), ("messages", 1), ("searches", 4)];
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

/// A host on a busy machine: what is measured must not fail for what else runs.
fn host(heavy: HeavyLimits, cache: &Path) -> PluginHost {
    let heavy = HeavyLimits { deadline_ms: 10_000, configure_deadline_ms: 10_000, ..heavy };
    PluginHost::new(Limits { deadline_ms: 10_000, heavy, ..Limits::default() }, Some(cache.to_owned())).unwrap()
}

/// Memory of this process that is not elsewhere.
fn resident_bytes() -> usize {
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).unwrap();
    line.trim().trim_end_matches(" kB").parse::<usize>().unwrap() << 10
}

/// How long this thread has been on a core.
fn on_core() -> Duration {
    let told = std::fs::read_to_string("/proc/thread-self/schedstat").unwrap();
    Duration::from_nanos(told.split(' ').next().unwrap().parse().unwrap())
}

/// How long a call takes on a core, over enough of them for a clock that moves in milliseconds.
fn each(mut call: impl FnMut()) -> Duration {
    let (mut calls, began) = (0, on_core());
    while on_core() - began < Duration::from_secs(2) {
        for _ in 0..100 {
            call();
        }
        calls += 100;
    }
    (on_core() - began) / calls
}

/// What is paid once: the component's size, compiling it, and finding it compiled; then fuel, and memory of an instance.
fn once(language: &str, name: &str, config: &str, cache: &Path) {
    let component = component(name);
    let compiling = host(HeavyLimits::DEFAULT, cache);
    let began = on_core();
    let plugin = compiling.prepare(&component, config).unwrap();
    let compiled = on_core() - began;
    let event = event();
    let fuel = plugin.price(&event).unwrap().fuel.unwrap();
    // Of a call, the fuel is told where it is the first of its instance: another one tells it again.
    let mut hosts = [(); 8].map(|()| host(HeavyLimits::DEFAULT, cache)).into_iter();
    let again = hosts.next_back().unwrap();
    let began = on_core();
    hosts.by_ref().for_each(|host| drop(host.prepare(&component, config).unwrap()));
    let loaded = (on_core() - began) / 7;
    let found = again.prepare(&component, config).unwrap();
    assert_eq!(found.price(&event).unwrap().fuel, Some(fuel));
    let code: u64 = std::fs::read_dir(cache)
        .unwrap()
        .map(|file| file.unwrap())
        .filter(|file| {
            file.file_name().to_string_lossy().contains(&compiling.validate(&component).unwrap().digest.hex())
        })
        .map(|file| file.metadata().unwrap().len())
        .sum();
    let most = again.try_out(&component, config).unwrap().fuel_max;
    println!(
        "{language}: {} bytes, {code} compiled; prepared in {compiled:.2?}, from the cache in {loaded:.2?}; fuel {fuel} \
         fresh, {most} at most over the samples",
        component.len()
    );
    if found.weight() == Weight::Heavy {
        let wide = host(HeavyLimits { instances_max: 16, ..HeavyLimits::DEFAULT }, cache);
        let warm = wide.prepare(&component, config).unwrap();
        warm.price(&event).unwrap();
        let before = resident_bytes();
        let held: Vec<Prepared> = (0..8).map(|_| wide.prepare(&component, config).unwrap()).collect();
        for plugin in &held {
            for _ in 0..60 {
                plugin.price(&event).unwrap();
            }
        }
        println!("{language}: {} KiB resident for each instance", resident_bytes().saturating_sub(before) / 8 / 1024);
    }
}

fn main() {
    let folder = tempfile::tempdir().unwrap();
    for (language, name, config) in PLUGINS {
        once(language, name, config, folder.path());
    }
    let event = event();
    for (language, name, config) in PLUGINS {
        let component = component(name);
        let single = host(HeavyLimits { calls_max: 1, ..HeavyLimits::DEFAULT }, folder.path());
        let fresh = single.prepare(&component, config).unwrap();
        println!("{language}: {:.1?} for a quote of a fresh instance", each(|| drop(fresh.price(&event).unwrap())));
        let many = host(HeavyLimits::DEFAULT, folder.path());
        let reused = many.prepare(&component, config).unwrap();
        let quote = if reused.weight() == Weight::Heavy {
            // With every sixty-fourth call made twice, and a new instance after a thousand.
            each(|| drop(reused.price(&event).unwrap()))
        } else {
            let events = vec![&event; 1000];
            each(|| drop(reused.price_all(&events))) / 1000
        };
        println!("{language}: {quote:.1?} for a quote of a reused one");
    }
}
