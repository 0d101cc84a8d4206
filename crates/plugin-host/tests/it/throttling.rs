//! Throttling plugins: what they are handed, what they answer, and the windows that they may ask for.

use crate::shipped::{RATES, component, event};
use ledger_core::Amount;
use ledger_service::ports::PluginFailure;
use ledger_service::ports::throttling::{
    Action, Advice, Asked, Decision, Denial, Measure, Reading, Scope, ThrottlingPlugin, Window,
};
use plugin_host::{Limits, PluginHost, PrepareError, PreparedPlugin, PreparedThrottling, Rejected, World};
use std::fs::Permissions;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

pub(crate) fn policy() -> Vec<u8> {
    component("test/hostile-policy")
}

fn host() -> PluginHost {
    PluginHost::new(Limits { configure_fuel: 500_000_000, ..Limits::default() }, None).unwrap()
}

/// Four readings, the first of so many.
pub(crate) fn readings(value: u64) -> [Reading; 4] {
    [Reading { value, resets_in_ms: 1500 }, Reading::default(), Reading::default(), Reading::default()]
}

pub(crate) fn decide(
    plugin: &PreparedThrottling,
    model: &str,
    readings: &[Reading],
) -> Result<Decision, (PluginFailure, String)> {
    let event = event(model, &[("messages", 1)]);
    let asked =
        Asked { action: Action::Charge, event: &event, estimate: None, remaining_permille: 1000, hold_age_ms: None };
    plugin.decide(&asked, readings)
}

#[test]
fn a_policy_says_its_windows_and_decides_by_their_readings() {
    let plugin = host().prepare_throttling(&policy(), "{}").unwrap();
    assert!(plugin.has_snapshot());
    let window =
        |name: &str, scope, measure, seconds| Window { name: name.into(), scope, measure, seconds, limit: None };
    assert_eq!(
        plugin.windows(),
        [
            Window { limit: Some(20), ..window("messages per minute", Scope::Account, Measure::Requests, 60) },
            window("messages of an agent", Scope::Agent, Measure::Requests, 3600),
            window("credits per day", Scope::Account, Measure::MicroCreditsSpent, 86_400),
            window("calls", Scope::Account, Measure::OpenHolds, 35 * 86_400),
        ]
    );
    assert_eq!(decide(&plugin, "", &readings(19)), Ok(Decision::Allow));
    let denial = Denial {
        policy: "messages per minute".into(),
        reason: "20 messages within a minute".into(),
        retry_after_ms: 1500,
    };
    assert_eq!(decide(&plugin, "", &readings(20)), Ok(Decision::Deny(denial)));
    let advice = Advice { policy: "a".into(), suggestion: "slow down".into() };
    assert_eq!(decide(&plugin, "advice", &readings(0)), Ok(Decision::AllowWithAdvice(advice)));
}

#[test]
fn a_policy_is_handed_all_that_the_port_says() {
    let plugin = host().prepare_throttling(&policy(), "{}").unwrap();
    let event = event("echo", &[("seconds", 61)]);
    let seen = |action, estimate, remaining_permille, hold_age_ms| {
        let asked = Asked { action, event: &event, estimate, remaining_permille, hold_age_ms };
        let readings = [1, 2, 3, 4].map(|n| Reading { value: n, resets_in_ms: u32::try_from(n).unwrap() * 10 });
        match plugin.decide(&asked, &readings) {
            Ok(Decision::Deny(denial)) => denial.reason.to_string(),
            other => panic!("{other:?}"),
        }
    };
    let rest =
        "chat [Quantity { unit: \"seconds\", amount: 61 }] [Attribute { key: \"conversation\", value: \"c_9\" }]";
    let named = "messages per minute=1/10, messages of an agent=2/20, credits per day=3/30, calls=4/40";
    assert_eq!(seen(Action::Charge, None, 1000, None), format!("charge {rest} None 1000 None {named}"));
    assert_eq!(
        seen(Action::OpenHold, Amount::from_micros(5), 1, None),
        format!("open-hold {rest} Some(5) 1 None {named}")
    );
    assert_eq!(
        seen(Action::ExtendHold, None, 0, Some(u64::MAX)),
        format!("extend-hold {rest} None 0 Some({}) {named}", u64::MAX)
    );
}

#[test]
fn windows_are_known_again_from_kept_code() {
    let folder = tempfile::tempdir().unwrap();
    let windows = || {
        let host = PluginHost::new(Limits::default(), Some(folder.path().into())).unwrap();
        let plugin = host.prepare_throttling(&policy(), "{}").unwrap();
        assert_eq!(decide(&plugin, "", &readings(0)), Ok(Decision::Allow));
        plugin.windows().to_vec()
    };
    let learnt = windows();
    let kept = Kept::of(folder.path());
    assert_eq!(windows(), learnt);
    kept.assert_untouched();
}

#[test]
fn a_plugin_is_made_ready_as_what_it_is_and_kept_as_that() {
    let folder = tempfile::tempdir().unwrap();
    let rates = component("per-model-rates");
    let prepare = || {
        let host = PluginHost::new(Limits::default(), Some(folder.path().into())).unwrap();
        let pricing = host.prepare_any(&rates, RATES).unwrap();
        assert!(matches!(&pricing, PreparedPlugin::Pricing(plugin) if plugin.has_snapshot()), "{pricing:?}");
        let throttling = host.prepare_any(&policy(), "{}").unwrap();
        assert!(
            matches!(&throttling, PreparedPlugin::Throttling(plugin) if plugin.windows().len() == 4),
            "{throttling:?}"
        );
        assert!(matches!(host.prepare_any(b"no", "{}"), Err(PrepareError::Rejected(_))));
        assert!(matches!(host.prepare_any(&rates, "{}"), Err(PrepareError::Config(_))));
        // What is kept as one world is not given out as another.
        assert!(matches!(host.prepare(&policy(), "{}"), Err(PrepareError::Rejected(_))));
    };
    prepare();
    let kept = Kept::of(folder.path());
    prepare();
    kept.assert_untouched();
}

/// Files of compiled code, marked so that it shows where one is written again: the new one has no mark.
struct Kept(Vec<PathBuf>);

const MARK: u32 = 0o400;

impl Kept {
    fn of(folder: &Path) -> Self {
        let files: Vec<_> = std::fs::read_dir(folder).unwrap().map(|file| file.unwrap().path()).collect();
        assert!(!files.is_empty());
        for file in &files {
            std::fs::set_permissions(file, Permissions::from_mode(MARK)).unwrap();
        }
        Self(files)
    }

    fn assert_untouched(&self) {
        for file in &self.0 {
            assert_eq!(std::fs::metadata(file).unwrap().permissions().mode() & 0o777, MARK, "{}", file.display());
        }
    }
}

#[test]
fn windows_that_nobody_gets_are_problems_of_the_configuration() {
    let host = host();
    for (config, reason) in [
        ("\"many\"", "17 windows"),
        ("\"twice\"", "two windows named `a`"),
        ("\"unnamed\"", "number 1"),
        ("\"long name\"", "1 to 200 bytes"),
        ("\"no time\"", "0 seconds"),
        ("\"too long\"", "3024001 seconds"),
        ("\"refuse for nothing\"", "names no problem"),
    ] {
        match host.prepare_throttling(&policy(), config) {
            Err(PrepareError::Config(problems)) => assert!(problems[0].reason.contains(reason), "{problems:?}"),
            other => panic!("{config}: {other:?}"),
        }
        assert!(host.check(&policy(), config).is_err(), "{config}");
    }
    // Whatever a plugin has to say, so much of it is heard.
    match host.check(&policy(), "\"refuse\"") {
        Err(PrepareError::Config(problems)) => assert_eq!(problems.len(), 100),
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_policy_that_misbehaves_gives_a_typed_failure() {
    use PluginFailure::{BadAnswer, Memory, OutOfFuel, Trap};
    let limits = Limits { fuel: 500_000_000, deadline_ms: 10_000, configure_fuel: 500_000_000, ..Limits::default() };
    let host = PluginHost::new(limits, None).unwrap();
    for (config, expected) in [("\"loop\"", OutOfFuel), ("\"panic\"", Trap), ("\"very many\"", BadAnswer)] {
        match host.prepare_throttling(&policy(), config) {
            Err(PrepareError::Failed(failure, _)) => assert_eq!(failure, expected, "{config}"),
            other => panic!("{config}: {other:?}"),
        }
    }
    let plugin = host.prepare_throttling(&policy(), "{}").unwrap();
    for (model, expected) in [
        ("loop", OutOfFuel),
        ("panic", Trap),
        ("memory", Memory),
        ("long policy", BadAnswer),
        ("long reason", BadAnswer),
        ("huge reason", BadAnswer),
        ("long suggestion", BadAnswer),
    ] {
        let (failure, detail) = decide(&plugin, model, &readings(0)).unwrap_err();
        assert_eq!(failure, expected, "{model}: {detail}");
        assert_eq!(decide(&plugin, "", &readings(0)), Ok(Decision::Allow), "after {model}");
    }
    assert!(decide(&plugin, "", &readings(0)[..3]).unwrap_err().1.contains("3 readings for 4 windows"));
}

#[test]
fn a_plugin_is_taken_for_what_it_is_alone() {
    let host = host();
    let rates = component("per-model-rates");
    assert_eq!(host.validate(&policy()).unwrap().world, World::Throttling);
    assert_eq!(host.validate(&rates).unwrap().world, World::Pricing);
    let refused = |error: PrepareError, found, needed| {
        assert_eq!(error, PrepareError::Rejected(Rejected::OtherWorld { found, needed }));
    };
    refused(host.prepare(&policy(), "{}").unwrap_err(), World::Throttling, World::Pricing);
    refused(host.prepare_throttling(&rates, "{}").unwrap_err(), World::Pricing, World::Throttling);
}
