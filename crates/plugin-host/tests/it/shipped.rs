//! The shipped plugins, as components, in the host.

use ledger_core::{Amount, Quantity, Timestamp, UsageEvent};
use ledger_service::ports::{PricingError, PricingPlugin};
use plugin_host::{Limits, PluginHost, PrepareError, Prepared};
use std::path::PathBuf;

/// The bytes of a shipped component, which `cargo xtask plugins build` makes.
pub(crate) fn component(name: &str) -> Vec<u8> {
    let path = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join(format!("../../target/plugins/{name}.wasm"));
    std::fs::read(&path)
        .unwrap_or_else(|error| panic!("{}: {error}; run cargo xtask plugins build first", path.display()))
}

pub(crate) const RATES: &str = r#"{"defaults": {"per_unit": {"messages": "0"}},
    "models": [{"models": ["gpt-4o-mini"], "per_million": {"input_tokens": "150", "output_tokens": "600"}}]}"#;

pub(crate) fn event(model: &str, quantities: &[(&str, u64)]) -> UsageEvent {
    UsageEvent {
        id: "evt".into(),
        account: "acme".into(),
        plan: "pro".into(),
        activity: "chat".into(),
        agent: Some("bot".into()),
        model: Some(model.into()),
        occurred_at: Timestamp::from_millis(1_790_000_000_000),
        quantities: quantities
            .iter()
            .map(|(unit, amount)| Quantity { unit: (*unit).into(), amount: *amount })
            .collect(),
        attributes: vec![("conversation".into(), "c_9".into())],
    }
}

fn total(plugin: &Prepared, event: &UsageEvent) -> Result<String, PricingError> {
    let quote = plugin.price(event)?;
    let sum = quote.items.iter().fold(Amount::ZERO, |sum, item| sum.checked_add(item.credits).unwrap());
    Ok(sum.to_string())
}

#[test]
fn per_model_rates_prices_from_a_snapshot() {
    let host = PluginHost::new(Limits::default(), None).unwrap();
    let plugin = host.prepare(&component("per-model-rates"), RATES).unwrap();
    assert!(plugin.has_snapshot());
    let one = event("gpt-4o-mini", &[("input_tokens", 374), ("messages", 1), ("output_tokens", 44)]);
    assert_eq!(total(&plugin, &one).unwrap(), "0.0825");
    assert!(matches!(
        plugin.price(&event("unknown", &[("input_tokens", 1)])),
        Err(PricingError::Unpriced { model: Some(_), unit: None, .. })
    ));
    assert!(matches!(
        plugin.price(&event("gpt-4o-mini", &[("images", 1)])),
        Err(PricingError::Unpriced { unit: Some(_), .. })
    ));
    let fuels: Vec<Option<u64>> = (0..3).map(|_| plugin.price(&one).unwrap().fuel).collect();
    assert!(fuels[0].is_some() && fuels.iter().all(|fuel| *fuel == fuels[0]), "{fuels:?}");
}

#[test]
fn a_batch_gives_what_single_calls_give() {
    let host = PluginHost::new(Limits::default(), None).unwrap();
    let plugin = host.prepare(&component("per-model-rates"), RATES).unwrap();
    let events: Vec<UsageEvent> = (0..200)
        .map(|n| {
            event(if n % 7 == 0 { "unknown" } else { "gpt-4o-mini" }, &[("input_tokens", n), ("output_tokens", 1)])
        })
        .collect();
    let quotes = plugin.price_all(&events.iter().collect::<Vec<_>>());
    for (event, quote) in events.iter().zip(&quotes) {
        match (plugin.price(event), quote) {
            (Ok(single), Ok(batched)) => assert_eq!(single.items, batched.items),
            (single, batched) => assert_eq!(single.is_err(), batched.is_err()),
        }
    }
    assert!(!plugin.keeps_state());
}

#[test]
fn call_minutes_prices_started_minutes() {
    let host = PluginHost::new(Limits::default(), None).unwrap();
    let plugin = host.prepare(&component("call-minutes"), r#"{"per_minute": "12"}"#).unwrap();
    assert_eq!(total(&plugin, &event("any", &[("seconds", 61)])).unwrap(), "24");
}

#[test]
fn problems_of_a_configuration_come_back_with_their_paths() {
    let host = PluginHost::new(Limits::default(), None).unwrap();
    let error = host.prepare(&component("call-minutes"), r#"{"per_minute": 12, "colour": "red"}"#).unwrap_err();
    let PrepareError::Config(problems) = error else { panic!("{error}") };
    let paths: Vec<&str> = problems.iter().map(|problem| problem.path.as_str()).collect();
    assert_eq!(paths, ["per_minute", "colour"]);
}

#[test]
fn compiled_code_is_kept_and_a_damaged_copy_is_not_trusted() {
    let folder = tempfile::tempdir().unwrap();
    let cache = folder.path().join("compiled");
    let price = || {
        let host = PluginHost::new(Limits::default(), Some(cache.clone())).unwrap();
        let plugin = host.prepare(&component("per-model-rates"), RATES).unwrap();
        total(&plugin, &event("gpt-4o-mini", &[("input_tokens", 374), ("output_tokens", 44)])).unwrap()
    };
    assert_eq!(price(), "0.0825");
    let file = std::fs::read_dir(&cache).unwrap().next().unwrap().unwrap().path();
    let kept = std::fs::read(&file).unwrap();
    assert_eq!(price(), "0.0825");
    assert_eq!(std::fs::read(&file).unwrap(), kept, "nothing was compiled again");
    let mut damaged = kept.clone();
    *damaged.last_mut().unwrap() ^= 1;
    std::fs::write(&file, &damaged).unwrap();
    assert_eq!(price(), "0.0825");
    assert_eq!(std::fs::read(&file).unwrap(), kept, "the damaged copy was replaced");
}
