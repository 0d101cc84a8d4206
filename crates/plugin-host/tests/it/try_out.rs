//! Plugins that are tried out by samples.

use crate::hostile::hostile;
use crate::shipped::{RATES, component};
use crate::throttling::policy;
use ledger_service::ports::PluginFailure;
use plugin_host::{Limits, PluginHost, PrepareError, World};

#[test]
fn a_plugin_that_answers_all_samples_is_described() {
    let host = PluginHost::new(Limits::default(), None).unwrap();
    let rates = component("per-model-rates");
    for (component, config, world, calls) in [
        (&rates, RATES, World::Pricing, 20),
        (&component("call-minutes"), r#"{"per_minute": "12"}"#, World::Pricing, 20),
        (&policy(), "{}", World::Throttling, 120),
    ] {
        let tried = host.try_out(component, config).unwrap();
        assert_eq!((tried.description.world, tried.calls), (world, calls));
        assert_eq!(tried.description, host.validate(component).unwrap());
        assert!((1..host.limits().fuel).contains(&tried.fuel_max), "{}", tried.fuel_max);
        assert_eq!(host.try_out(component, config).unwrap(), tried, "again the same");
    }
    assert_eq!(host.free_slots(), PluginHost::new(Limits::default(), None).unwrap().free_slots());
}

#[test]
fn a_sample_that_a_plugin_fails_over_is_named() {
    use PluginFailure::{BadAnswer, OutOfFuel, Trap};
    let host = PluginHost::new(Limits::default(), None).unwrap();
    let largest = "over the sample `the largest quantities`";
    let first = "over the sample `a chat message`";
    let charging = "over the sample `a chat message, charging`";
    for (component, config, expected, over) in [
        // It multiplies without looking, which the largest quantities find out.
        (hostile(), "{}", Trap, largest),
        (hostile(), "\"always panic\"", Trap, first),
        (hostile(), "\"always loop\"", OutOfFuel, first),
        (hostile(), "\"always negative\"", BadAnswer, first),
        (policy(), "\"always panic\"", Trap, charging),
        (policy(), "\"always long reason\"", BadAnswer, charging),
        (hostile(), "\"panic\"", Trap, "while it loads its configuration"),
    ] {
        let error = host.try_out(&component, config).unwrap_err();
        let PrepareError::Failed(failure, detail) = &error else { panic!("{config}: {error}") };
        assert_eq!(*failure, expected, "{config}: {detail}");
        assert!(detail.starts_with(over), "{config}: {detail}");
        let said = format!("the plugin fails ({}) {over}: ", failure.name());
        assert!(error.to_string().starts_with(&said), "{error}");
    }
}

#[test]
fn what_is_no_plugin_and_what_is_badly_configured_is_not_tried() {
    let host = PluginHost::new(Limits::default(), None).unwrap();
    assert!(matches!(host.try_out(b"no", "{}"), Err(PrepareError::Rejected(_))));
    assert!(matches!(host.try_out(&component("call-minutes"), "{}"), Err(PrepareError::Config(_))));
    assert!(matches!(host.try_out(&policy(), "\"twice\""), Err(PrepareError::Config(_))));
}
