//! Plugins written against a released version of the WIT load and answer, whatever versions came after it. Neither the
//! guests nor what is expected of them ever changes; a later version brings guests of its own.

use crate::shipped::{component, event};
use ledger_core::{Amount, UsageEvent};
use ledger_service::ports::throttling::{
    Action, Advice, Asked, Decision, Denial, Measure, Reading, Scope, ThrottlingPlugin,
};
use ledger_service::ports::{PricingError, PricingPlugin};
use plugin_host::{Limits, PluginHost, PrepareError};

#[test]
fn a_pricing_plugin_of_0_1_answers() {
    let host = PluginHost::new(Limits::default(), None).unwrap();
    let bytes = component("test/pricing-0-1");
    assert_eq!(host.validate(&bytes).unwrap().exports, ["purser:plugin/pricing@0.1.0"]);
    let Err(PrepareError::Config(problems)) = host.prepare(&bytes, "{}") else { panic!("it takes anything") };
    assert_eq!((problems[0].path.as_str(), problems[0].reason.as_str()), ("per_unit", "must be a number"));
    let plugin = host.prepare(&bytes, "250000").unwrap();
    assert!(plugin.has_snapshot());
    let chat = event("any", &[("input_tokens", 2), ("messages", 1)]);
    let quote = plugin.price(&chat).unwrap();
    let lines: Vec<_> =
        quote.items.iter().map(|item| (&*item.label, &*item.unit, item.quantity, item.credits.micros())).collect();
    assert_eq!(
        lines,
        [("input_tokens at 0.1", "input_tokens", 2, 500_000), ("messages at 0.1", "messages", 1, 250_000)]
    );
    let refused = UsageEvent { attributes: vec![("refuse".into(), "yes".into())], ..chat };
    assert_eq!(plugin.price(&refused), Err(PricingError::InvalidUsage("evt is to be refused".to_owned())));
    let unpriced =
        PricingError::Unpriced { model: Some("any".into()), activity: "chat".into(), unit: Some("seconds".into()) };
    assert_eq!(plugin.price(&event("any", &[("seconds", u64::MAX)])), Err(unpriced));
}

#[test]
fn a_throttling_plugin_of_0_1_answers() {
    let host = PluginHost::new(Limits::default(), None).unwrap();
    let bytes = component("test/throttling-0-1");
    assert_eq!(host.validate(&bytes).unwrap().exports, ["purser:plugin/throttling@0.1.0"]);
    assert!(matches!(host.prepare_throttling(&bytes, "{}"), Err(PrepareError::Config(_))));
    let plugin = host.prepare_throttling(&bytes, "20").unwrap();
    let windows: Vec<_> = plugin.windows().iter().map(|w| (&*w.name, w.scope, w.measure, w.seconds, w.limit)).collect();
    assert_eq!(
        windows,
        [
            ("window 0", Scope::Account, Measure::Requests, 3600, Some(20)),
            ("window 1", Scope::Agent, Measure::MicroCreditsSpent, 3600, None),
            ("window 2", Scope::Model, Measure::OpenHolds, 3600, None),
            ("window 3", Scope::Activity, Measure::Requests, 3600, None),
        ]
    );
    let event = event("any", &[("messages", 1)]);
    let decide = |action, value, remaining_permille| {
        let (estimate, hold_age_ms) = (Amount::from_micros(7), Some(9));
        let asked = Asked { action, event: &event, estimate, remaining_permille, hold_age_ms };
        let reading = Reading { value, resets_in_ms: 1500 };
        plugin.decide(&asked, &[reading, Reading::default(), Reading::default(), Reading::default()]).unwrap()
    };
    let deny =
        |reason: &str| Decision::Deny(Denial { policy: "hourly".into(), reason: reason.into(), retry_after_ms: 1500 });
    assert_eq!(decide(Action::Charge, 19, 1000), Decision::Allow);
    assert_eq!(decide(Action::Charge, 20, 1000), deny("no more charges of acme"));
    assert_eq!(decide(Action::OpenHold, 20, 1000), deny("no more holds of acme"));
    assert_eq!(decide(Action::ExtendHold, 20, 1000), deny("no more extensions of acme"));
    let suggestion = "credits run out: Some(7), Some(9)".into();
    assert_eq!(
        decide(Action::Charge, 0, 99),
        Decision::AllowWithAdvice(Advice { policy: "hourly".into(), suggestion })
    );
}
