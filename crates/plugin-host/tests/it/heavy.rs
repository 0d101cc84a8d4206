//! Heavy guests: the shipped plugins in JavaScript and Python, one in JavaScript that misbehaves, and small ones that are
//! heavy by what they ask for.
//!
//! The real ones take ten seconds each to compile. Their code is kept in the target folder by digest, so that this happens
//! once for each build of them, and not in each run of the tests.

use crate::crafted::{MEMORY, Parts};
use crate::hostile::hostile;
use crate::shipped::event;
use crate::throttling::decide;
use ledger_core::UsageEvent;
use ledger_service::ports::{PluginFailure, PricingError, PricingPlugin, Quote};
use plugin_host::{HeavyLimits, Limits, PluginHost, PrepareError, Prepared, Weight, World};
use std::path::{Path, PathBuf};
use std::sync::OnceLock;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::time::{Duration, Instant};

/// A busy machine fails nobody: what is slow here is other tests.
const PATIENT: HeavyLimits = HeavyLimits { deadline_ms: 60_000, configure_deadline_ms: 60_000, ..HeavyLimits::DEFAULT };

const SCRIPTED: [&str; 3] = ["volume-discount", "bundle-price", "test/js-misbehaving"];

/// The bytes of a component in JavaScript or Python.
fn component(name: &str) -> Vec<u8> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(format!("../../target/plugins/{name}.wasm"));
    std::fs::read(&path)
        .unwrap_or_else(|error| panic!("{}: {error}; run cargo xtask plugins build-scripted first", path.display()))
}

fn cache() -> PathBuf {
    Path::new(env!("CARGO_TARGET_TMPDIR")).join("compiled")
}

/// A host whose code of these components is in the cache.
fn host(heavy: HeavyLimits) -> PluginHost {
    static COMPILED: OnceLock<()> = OnceLock::new();
    let host = || PluginHost::new(Limits { heavy, ..Limits::default() }, Some(cache())).unwrap();
    COMPILED.get_or_init(|| {
        let host = host();
        let digests = SCRIPTED.map(|name| host.validate(&component(name)).unwrap().digest.hex());
        // What was compiled of earlier builds is of no more use.
        for file in std::fs::read_dir(cache()).unwrap() {
            let path = file.unwrap().path();
            if !digests.iter().any(|digest| path.to_string_lossy().contains(digest)) {
                std::fs::remove_file(path).unwrap();
            }
        }
    });
    host()
}

/// The configuration of a shipped plugin's README.
fn readme(folder: &str, name: &str) -> String {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../plugins").join(folder).join("README.md");
    let text = std::fs::read_to_string(path).unwrap();
    let toml = text.split("```toml\n").nth(1).unwrap().split("```").next().unwrap();
    let (_, config) = toml.split_once("\n\n").unwrap();
    purser_config::json_of_toml(&config.replace(&format!("plugin_configs.{name}.config."), "")).unwrap()
}

fn misbehaving(host: &PluginHost) -> Prepared {
    host.prepare(&component("test/js-misbehaving"), "{}").unwrap()
}

/// An event of an activity, by a text such as `chat: images=3 messages=1`.
fn told(text: &str) -> UsageEvent {
    let (activity, quantities) = text.split_once(':').unwrap();
    let quantities: Vec<(&str, u64)> = quantities
        .split_whitespace()
        .map(|quantity| quantity.split_once('=').map(|(unit, amount)| (unit, amount.parse().unwrap())).unwrap())
        .collect();
    UsageEvent { activity: activity.into(), ..event("m", &quantities) }
}

/// An answer, as a text.
fn shown(answer: &Result<Quote, PricingError>) -> String {
    match answer {
        Ok(quote) => {
            let line = |item: &ledger_core::LineItem| format!("{} {} {}", item.label, item.quantity, item.credits);
            quote.items.iter().map(line).collect::<Vec<_>>().join("; ")
        }
        Err(PricingError::Unpriced { unit, .. }) => format!("unpriced {}", unit.as_deref().unwrap_or("?")),
        Err(PricingError::InvalidUsage(reason)) => format!("invalid: {reason}"),
        Err(PricingError::Failed(failure, detail)) => format!("{}: {detail}", failure.name()),
    }
}

const VOLUME: &[(&str, &str)] = &[
    ("render: images=9", "images 9 36"),
    ("render: images=10", "images, 10 % off 10 36"),
    ("render: images=100", "images, 12.5 % off 100 350"),
    ("speak: characters=1234567 messages=2", "characters 1234567 18.518505; messages 2 0"),
    ("speak: characters=1 pages=0", "characters 1 0.000015"),
    ("chat: messages=1 pages=1", "unpriced pages"),
    ("render: images=9007199254740991", "invalid: this costs more than any account can hold"),
    ("chat:", ""),
];

const BUNDLES: &[(&str, &str)] = &[
    ("assistant_chat: messages=1 searches=3", "researched answer 1 5"),
    ("assistant_chat: messages=2 searches=7", "researched answer 2 10; searches 1 1.5"),
    ("chat: messages=1 searches=3", "messages 1 2; searches 3 4.5"),
    ("chat: images=21 pages=0", "ten images 2 60; images 1 4"),
    ("chat: messages=1 pages=1", "unpriced pages"),
    ("chat: images=9007199254740990", "invalid: this costs more than any account can hold"),
    ("chat:", ""),
];

#[test]
fn plugins_in_javascript_and_python_price_alike_reused_and_fresh() {
    let host = host(PATIENT);
    for (name, folder, config, table) in [
        ("volume-discount", "js-volume-discount", "bulk", VOLUME),
        ("bundle-price", "py-bundle-price", "packages", BUNDLES),
    ] {
        let (component, config) = (component(name), readme(folder, config));
        let description = host.validate(&component).unwrap();
        assert_eq!((description.weight, description.imports.len()), (Weight::Heavy, 1), "{description:?}");
        let reused = host.prepare(&component, &config).unwrap();
        assert_eq!(reused.weight(), Weight::Heavy);
        let events: Vec<UsageEvent> = table.iter().map(|(text, _)| told(text)).collect();
        for (event, (text, expected)) in events.iter().zip(table) {
            // What is made ready anew has an instance that nobody asked yet.
            let fresh = [(); 2].map(|()| host.prepare(&component, &config).unwrap().price(event));
            for answer in fresh.iter().chain([&reused.price(event)]) {
                assert_eq!(shown(answer), *expected, "{name} {text}");
            }
            let [first, second] = fresh.map(|answer| answer.map(|quote| quote.fuel.unwrap()));
            assert_eq!(first, second, "{name} {text}: fuel of fresh instances");
        }
        let batch: Vec<&UsageEvent> = events.iter().cycle().take(150).collect();
        for (answer, (text, expected)) in reused.price_all(&batch).iter().zip(table.iter().cycle()) {
            assert_eq!(shown(answer), *expected, "{name} {text}");
            assert!(answer.as_ref().map_or(true, |quote| quote.fuel.is_none()), "{name} {text}");
        }
        assert!(!reused.keeps_state());
        let tried = host.try_out(&component, &config).unwrap();
        // A third of the limit, so that what products send has room.
        assert!(tried.fuel_max < HeavyLimits::DEFAULT.fuel / 3, "{name}: {}", tried.fuel_max);
    }
}

#[test]
fn problems_of_a_configuration_come_back_from_both_languages() {
    let host = host(PATIENT);
    for (name, config, expected) in [
        (
            "volume-discount",
            r#"{"units": {"images": {"price": 4}}, "colour": "red"}"#,
            ["colour", "units.images.price"],
        ),
        ("bundle-price", r#"{"bundles": [7], "colour": "red"}"#, ["colour", "bundles[0]"]),
    ] {
        let refused = |error| match error {
            PrepareError::Config(problems) => problems.into_iter().map(|problem| problem.path).collect::<Vec<_>>(),
            other => panic!("{name}: {other}"),
        };
        assert_eq!(refused(host.prepare(&component(name), config).unwrap_err()), expected);
        assert_eq!(refused(host.check(&component(name), config).unwrap_err()), expected);
    }
    assert_eq!(host.idle_instances(), 0, "what is refused leaves nothing behind");
}

#[test]
fn misbehaviour_in_javascript_is_contained_and_its_instance_replaced() {
    use PluginFailure::{Deadline, Memory, OutOfFuel, Trap};
    let endless = HeavyLimits { fuel: u64::MAX, deadline_ms: 300, ..PATIENT };
    for (limits, model, expected) in [
        (PATIENT, "loop", OutOfFuel),
        (endless, "loop", Deadline),
        (HeavyLimits { fuel: 2_000_000_000, ..PATIENT }, "memory", Memory),
        (PATIENT, "throw", Trap),
        (PATIENT, "nonsense", Trap),
    ] {
        let plugin = misbehaving(&host(limits));
        for _ in 0..2 {
            assert_eq!(shown(&plugin.price(&event("", &[]))), "line 1 3");
            let began = Instant::now();
            let answer = plugin.price(&event(model, &[]));
            let Err(PricingError::Failed(failure, _)) = answer else { panic!("{model}: {answer:?}") };
            // A guest in JavaScript has words for running out of memory, and may stop in its own way.
            let is_expected = failure == expected || (expected == Memory && failure == Trap);
            assert!(is_expected, "{model}: {failure:?}");
            // Not a measurement: the other outcome is that it never ends.
            assert!(began.elapsed() < Duration::from_secs(50), "{model}");
            // The next call is the first of another instance.
            let after = plugin.price(&event("", &[])).unwrap();
            assert!(after.fuel.is_some(), "{model}");
        }
    }
    let hosted = host(endless);
    let refused = PluginHost::new(
        Limits { heavy: HeavyLimits { configure_fuel: 50_000_000, ..PATIENT }, ..*hosted.limits() },
        Some(cache()),
    );
    let error = refused.unwrap().prepare(&component("test/js-misbehaving"), "\"loop\"").unwrap_err();
    assert!(matches!(error, PrepareError::Failed(OutOfFuel, _)), "{error}");
}

#[test]
fn state_that_is_kept_in_javascript_is_found_by_sampling() {
    let plugin = misbehaving(&host(PATIENT));
    let counted = event("counter", &[]);
    let answers: Vec<i64> = (0..80).map(|_| plugin.price(&counted).unwrap().items[0].credits.micros()).collect();
    // It is found at the sixty-fourth call of a reused instance, which answers afresh, as all do from then on.
    assert_eq!(answers[..64], (1..=64).collect::<Vec<i64>>());
    assert_eq!(answers[64..], [1; 16]);
    assert!(plugin.keeps_state());
    // Where every call is sampled, at the first that is not of a fresh instance.
    let all = Limits { heavy: PATIENT, sample_one_in: 1, ..Limits::default() };
    let plugin = misbehaving(&PluginHost::new(all, Some(cache())).unwrap());
    let answers = [(); 3].map(|()| plugin.price(&counted).unwrap().items[0].credits.micros());
    assert_eq!((answers, plugin.keeps_state()), ([1, 1, 1], true));
    // A batch in which it is found is priced again as a whole.
    let plugin = misbehaving(&host(PATIENT));
    let quotes = plugin.price_all(&vec![&counted; 70]);
    assert!(plugin.keeps_state());
    for quote in quotes {
        let quote = quote.unwrap();
        assert_eq!((quote.items[0].credits.micros(), quote.fuel.is_some()), (1, true));
    }
}

#[test]
fn javascript_has_no_clock_and_no_randomness() {
    let host = host(PATIENT);
    for model in ["time", "random"] {
        let answers = [(); 2].map(|()| shown(&misbehaving(&host).price(&event(model, &[]))));
        assert_eq!(answers[0], answers[1], "{model}");
    }
}

#[test]
fn light_calls_keep_their_deadline_beside_a_heavy_compilation() {
    let component = component("volume-discount");
    // Ten times what a call has by default, for the sake of a busy machine; the compilation takes ten times that.
    let limits = Limits { deadline_ms: 500, heavy: PATIENT, ..Limits::default() };
    let host = PluginHost::new(limits, None).unwrap();
    let light = host.prepare(&hostile(), "{}").unwrap();
    let (ended, good) = (AtomicBool::new(false), AtomicU32::new(0));
    std::thread::scope(|scope| {
        let calling = scope.spawn(|| {
            let message = event("", &[("messages", 3)]);
            while !ended.load(Ordering::Relaxed) {
                assert_eq!(shown(&light.price(&message)), "messages 1 3");
                good.fetch_add(1, Ordering::Relaxed);
            }
        });
        let compiled = host.validate(&component);
        ended.store(true, Ordering::Relaxed);
        calling.join().unwrap();
        assert_eq!(compiled.unwrap().weight, Weight::Heavy);
    });
    assert!(good.load(Ordering::Relaxed) > 1_000, "{good:?}");
}

/// A small guest that is heavy, because it starts with more memory than a light one may have.
fn large(parts: &Parts) -> Vec<u8> {
    Parts { fields: LARGE_MEMORY, ..*parts }.component()
}

const LARGE_MEMORY: &str = r#"(memory (export "memory") 257) (global $next (mut i32) (i32.const 1024))
    (global $calls (mut i32) (i32.const 0))"#;

#[test]
fn what_asks_for_more_than_a_slot_has_is_heavy() {
    let host = PluginHost::new(Limits::default(), None).unwrap();
    let light = Parts { fields: MEMORY, ..Parts::default() }.component();
    for (component, weight) in [(light, Weight::Light), (large(&Parts::default()), Weight::Heavy)] {
        assert_eq!(host.validate(&component).unwrap().weight, weight);
        let plugin = host.prepare(&component, "{}").unwrap();
        assert_eq!((plugin.weight(), plugin.has_snapshot()), (weight, weight == Weight::Light));
        let fuels = [(); 2].map(|()| plugin.price(&event("", &[])).unwrap().fuel);
        // The second is told to have been made in an instance that was asked before.
        assert_eq!([fuels[0].is_some(), fuels[1].is_some()], [true, weight == Weight::Light]);
    }
    let limits = host.limits_of(Weight::Heavy);
    assert_eq!((limits.fuel, limits.stack_bytes), (HeavyLimits::DEFAULT.fuel, host.limits().stack_bytes));
}

#[test]
fn a_heavy_plugin_that_throttles_is_reused_too() {
    let host = PluginHost::new(Limits::default(), None).unwrap();
    let component = large(&Parts { world: World::Throttling, ..Parts::default() });
    let plugin = host.prepare_throttling(&component, "{}").unwrap();
    assert_eq!((plugin.weight(), host.idle_instances()), (Weight::Heavy, 1));
    for _ in 0..200 {
        decide(&plugin, "", &[]).unwrap();
    }
    assert_eq!((plugin.keeps_state(), host.idle_instances()), (false, 1));
    assert!(host.try_out(&component, "{}").is_ok());
    drop(plugin);
    assert_eq!(host.idle_instances(), 0, "instances go with their plugin");
}

#[test]
fn an_instance_is_replaced_after_its_calls() {
    let heavy = HeavyLimits { calls_max: 10, ..PATIENT };
    let host = PluginHost::new(Limits { heavy, ..Limits::default() }, None).unwrap();
    let plugin = host.prepare(&large(&Parts::default()), "{}").unwrap();
    let fresh: Vec<usize> = (0..40).filter(|_| plugin.price(&event("", &[])).unwrap().fuel.is_some()).collect();
    assert_eq!(fresh, [0, 10, 20, 30]);
}

/// An instance that fails over what it has gathered is no reason to refuse: a fresh one is asked.
#[test]
fn what_only_a_worn_instance_fails_over_is_answered_by_a_fresh_one() {
    let host = PluginHost::new(Limits { heavy: PATIENT, ..Limits::default() }, None).unwrap();
    let trapping = "(global.set $calls (i32.add (global.get $calls) (i32.const 1)))
        (if (i32.gt_u (global.get $calls) (i32.const 3)) (then (unreachable))) (i32.const 32)";
    let plugin = host.prepare(&large(&Parts { answer: trapping, ..Parts::default() }), "{}").unwrap();
    assert!((0..20).all(|_| plugin.price(&event("", &[])).is_ok()));
    assert!(!plugin.keeps_state(), "its answers are the same");
}

#[test]
fn instances_of_all_plugins_together_are_bounded() {
    let heavy = HeavyLimits { instances_max: 3, ..PATIENT };
    let host = PluginHost::new(Limits { heavy, ..Limits::default() }, None).unwrap();
    let component = large(&Parts::default());
    let plugins: Vec<Prepared> = (0..8).map(|number| host.prepare(&component, &number.to_string()).unwrap()).collect();
    std::thread::scope(|scope| {
        for plugin in &plugins {
            let host = &host;
            scope.spawn(move || {
                for _ in 0..100 {
                    assert!(plugin.price(&event("", &[])).is_ok());
                    assert!(host.idle_instances() <= 6);
                }
            });
        }
    });
    assert!(host.idle_instances() <= 3, "{}", host.idle_instances());
    drop(plugins);
    assert_eq!(host.idle_instances(), 0);
}
