use super::*;
use crate::duration::left_seconds;
use plugin_sdk::UsageEvent;
use plugin_sdk::throttling::Action;

const LIMITS: &str = r#"{"warn_before_seconds": 30, "limits": [
    {"plans": "free", "activities": "voice_*", "max_seconds": 300},
    {"activities": ["voice_*"], "max_seconds": 1800, "steps": [
        {"below_percent": 20, "max_seconds": 600}, {"below_percent": 5, "max_seconds": 0}]}]}"#;

fn decided(config: &str, request: &Request) -> String {
    match CallDurationLimit::configure(config).unwrap().decide(request, &[]) {
        Decision::Allow => "allow".to_owned(),
        Decision::AllowWithAdvice(advice) => format!("advice {}: {}", advice.policy, advice.suggestion),
        Decision::Deny(denial) => format!("deny {} after {}: {}", denial.policy, denial.retry_after_ms, denial.reason),
    }
}

fn on(plan: &str) -> UsageEvent {
    UsageEvent { plan: plan.to_owned(), ..UsageEvent::of("voice_web") }
}

#[test]
fn a_call_is_extended_until_it_has_lasted_long_enough() {
    for (plan, permille, age_ms, expected) in [
        ("pro", 1000, 0, "allow"),
        ("pro", 1000, 1_769_999, "allow"),
        ("pro", 1000, 1_770_000, "advice call-duration: the call ends in 30 s: begin to say goodbye"),
        ("pro", 1000, 1_799_999, "advice call-duration: the call ends in 1 s: begin to say goodbye"),
        ("pro", 1000, 1_800_000, "deny call-duration after 0: a call may last 1800 s, and this one has lasted 1800 s"),
        (
            "pro",
            u32::MAX,
            u64::MAX,
            "deny call-duration after 0: a call may last 1800 s, and this one has lasted 18446744073709551 s",
        ),
        ("pro", 200, 600_000, "allow"),
        ("pro", 199, 569_999, "allow"),
        ("pro", 199, 570_000, "advice call-duration: the call ends in 30 s: begin to say goodbye"),
        (
            "pro",
            199,
            600_000,
            "deny call-duration after 0: a call may last 600 s while less than 20 % of the cycle's credits are left, and \
             this one has lasted 600 s",
        ),
        (
            "pro",
            0,
            0,
            "deny call-duration after 0: no call may be made while less than 5 % of the cycle's credits are left",
        ),
        // The first limit that takes the call counts, and has no steps.
        ("free", 0, 299_000, "advice call-duration: the call ends in 1 s: begin to say goodbye"),
        ("free", 0, 301_500, "deny call-duration after 0: a call may last 300 s, and this one has lasted 301 s"),
    ] {
        let request = Request::of(Action::ExtendHold, on(plan)).remaining_permille(permille).hold_age_ms(age_ms);
        assert_eq!(decided(LIMITS, &request), expected, "{plan} {permille} {age_ms}");
    }
    let unknown = decided(LIMITS, &Request::of(Action::ExtendHold, on("pro")));
    assert_eq!(
        unknown,
        "deny call-duration after 0: a call may last 1800 s, and how long this one has lasted is not known"
    );
}

#[test]
fn a_call_is_not_begun_for_longer_than_it_may_last() {
    for (permille, quantities, expected) in [
        (1000, "", "allow"),
        (1000, "seconds=1800", "allow"),
        (1000, "minutes=30", "allow"),
        (1000, "seconds=1801", "deny call-duration after 0: a call may last 1800 s, and 1801 s are asked for"),
        (1000, "minutes=30 seconds=1", "deny call-duration after 0: a call may last 1800 s, and 1801 s are asked for"),
        (
            1000,
            "minutes=18446744073709551615 seconds=18446744073709551615",
            "deny call-duration after 0: a call may last 1800 s, and 18446744073709551615 s are asked for",
        ),
        (
            199,
            "seconds=600",
            "advice call-duration: a call may last 600 s while less than 20 % of the cycle's credits are left",
        ),
        (
            199,
            "seconds=601",
            "deny call-duration after 0: a call may last 600 s while less than 20 % of the cycle's credits are left, and \
             601 s are asked for",
        ),
        (49, "", "deny call-duration after 0: no call may be made while less than 5 % of the cycle's credits are left"),
    ] {
        let mut event = on("pro");
        for pair in quantities.split_whitespace() {
            let (unit, amount) = pair.split_once('=').unwrap();
            event = event.quantity(unit, amount.parse().unwrap());
        }
        let request = Request::of(Action::OpenHold, event).remaining_permille(permille);
        assert_eq!(decided(LIMITS, &request), expected, "{permille} {quantities}");
    }
}

#[test]
fn whom_it_is_not_about_passes() {
    let long = |action, event: UsageEvent| Request::of(action, event).remaining_permille(0).hold_age_ms(u64::MAX);
    assert_eq!(decided(LIMITS, &long(Action::Charge, on("pro").quantity("seconds", 99_999))), "allow");
    assert_eq!(decided(LIMITS, &long(Action::ExtendHold, UsageEvent::of("chat"))), "allow");
    let config = r#"{"limits": [{"models": "gpt-realtime*", "agents": ["sales", "support"], "max_seconds": 0}]}"#;
    let mut event = on("pro").model("gpt-realtime-mini");
    assert_eq!(decided(config, &long(Action::OpenHold, event.clone())), "allow");
    event.agent = Some("sales".to_owned());
    assert_eq!(decided(config, &long(Action::OpenHold, event)), "deny call-duration after 0: no call may be made");
}

#[test]
fn what_is_left_of_a_call() {
    for (max_seconds, age_ms, expected) in [
        (0, 0, 0),
        (0, u64::MAX, 0),
        (1, 0, 1),
        (1, 1, 1),
        (1, 999, 1),
        (1, 1000, 0),
        (60, 30_000, 30),
        (60, 29_999, 31),
        (u64::MAX, 0, u64::MAX.div_ceil(1000)),
        (u64::MAX, u64::MAX, 0),
    ] {
        assert_eq!(left_seconds(max_seconds, age_ms), expected, "{max_seconds} {age_ms}");
    }
}

#[test]
fn without_a_warning_a_call_ends_all_the_same() {
    let config = r#"{"name": "length", "warn_before_seconds": 0, "limits": [{"max_seconds": 60}]}"#;
    let aged = |age_ms| Request::of(Action::ExtendHold, on("pro")).hold_age_ms(age_ms);
    assert_eq!(decided(config, &aged(59_999)), "allow");
    assert!(decided(config, &aged(60_000)).starts_with("deny length"));
    // Extended minute by minute, a call is warned with its last minute.
    let config = r#"{"limits": [{"max_seconds": 300}]}"#;
    assert_eq!(decided(config, &aged(180_000)), "allow");
    assert!(decided(config, &aged(240_000)).starts_with("advice call-duration: the call ends in 60 s"));
}

#[test]
fn it_needs_no_counters() {
    assert_eq!(CallDurationLimit::configure(LIMITS).unwrap().windows(), []);
}

#[test]
fn problems_are_named() {
    for (config, expected) in [
        ("{}", &["limits: at least one limit is needed"] as &[&str]),
        (
            r#"{"name": 1, "warn_before_seconds": "30", "limits": [
                {"max_seconds": -1, "plans": [], "colour": 1},
                {"max_seconds": 600, "steps": [{"below_percent": 0, "max_seconds": 601}, {"below_percent": 20},
                    {"below_percent": 20, "max_seconds": 600}, {"below_percent": 101, "max_seconds": 1}]},
                {"activities": ""}]}"#,
            &[
                "name: must be a text",
                "warn_before_seconds: must be a whole number, not below zero",
                "limits[0].max_seconds: must be a whole number, not below zero",
                "limits[0].plans: must name at least one",
                "limits[0].colour: no such setting",
                "limits[1].steps[0].below_percent: must be a whole number from 1 to 100",
                "limits[1].steps[0].max_seconds: must be at most 600: the fewer credits, the shorter the call",
                "limits[1].steps[1].max_seconds: is required",
                "limits[1].steps[2].below_percent: must be less than 20, where the step before it begins",
                "limits[1].steps[3].below_percent: must be a whole number from 1 to 100",
                "limits[2].max_seconds: is required",
                "limits[2].activities: must be a text",
            ],
        ),
    ] {
        let problems = CallDurationLimit::configure(config).unwrap_err();
        let found: Vec<String> = problems.iter().map(|p| format!("{}: {}", p.path, p.reason)).collect();
        assert_eq!(found, expected, "{config}");
    }
}

/// The configuration of a name in the README, as the host hands it over.
fn readme(name: &str) -> String {
    let text = include_str!("../README.md").split("```toml\n").nth(1).unwrap();
    let value: toml::Value = toml::from_str(text.split("```").next().unwrap()).unwrap();
    serde_json::to_string(&value["plugin_configs"][name]["config"]).unwrap()
}

#[test]
fn the_readmes_examples() {
    let open = |unit: &str, amount| Request::of(Action::OpenHold, on("pro").quantity(unit, amount));
    let extend = |plan: &str, seconds: u64| Request::of(Action::ExtendHold, on(plan)).hold_age_ms(seconds * 1000);
    for (request, expected) in [
        (open("seconds", 1800), "allow"),
        (open("minutes", 31), "deny call-duration after 0: a call may last 1800 s, and 1860 s are asked for"),
        (extend("pro", 1739), "allow"),
        (extend("pro", 1770), "advice call-duration: the call ends in 30 s: begin to say goodbye"),
        (extend("pro", 1800), "deny call-duration after 0: a call may last 1800 s, and this one has lasted 1800 s"),
        (
            extend("pro", 600).remaining_permille(199),
            "deny call-duration after 0: a call may last 600 s while less than 20 % of the cycle's credits are left, and \
             this one has lasted 600 s",
        ),
        (
            open("seconds", 1).remaining_permille(49),
            "deny call-duration after 0: no call may be made while less than 5 % of the cycle's credits are left",
        ),
        (extend("free", 300), "deny call-duration after 0: a call may last 300 s, and this one has lasted 300 s"),
    ] {
        assert_eq!(decided(&readme("call-length"), &request), expected);
    }
}
