use super::*;
use crate::limits::{Standing, Wait, standing};
use plugin_sdk::UsageEvent;
use plugin_sdk::throttling::{Action, Measure, Scope};

const LIMITS: &str = r#"{"limits": [
    {"name": "burst", "requests": 100, "per_seconds": 60, "advise_at_percent": 80},
    {"name": "spend", "credits": "50", "per_seconds": 3600, "advise_at_percent": 50},
    {"name": "calls", "scope": "agent", "open_holds": 5, "activities": "voice_*", "advise_at_percent": 60},
    {"name": "dear", "scope": "model", "requests": 0, "per_seconds": 86400, "models": ["gpt-5*"], "plans": "free"}]}"#;

/// Decides by readings of `value@resets-in-ms`, one for each limit.
fn decided(config: &str, request: &Request, readings: &str) -> String {
    let plugin = RateLimits::configure(config).unwrap();
    let windows = plugin.windows();
    let reading = |(window, text): (Window, &str)| {
        let (value, resets) = text.split_once('@').unwrap_or((text, "0"));
        Reading { window: window.name, value: value.parse().unwrap(), resets_in_ms: resets.parse().unwrap() }
    };
    let readings: Vec<Reading> = windows.into_iter().zip(readings.split_whitespace()).map(reading).collect();
    match plugin.decide(request, &readings) {
        Decision::Allow => "allow".to_owned(),
        Decision::AllowWithAdvice(advice) => format!("advice {}: {}", advice.policy, advice.suggestion),
        Decision::Deny(denial) => format!("deny {} after {}: {}", denial.policy, denial.retry_after_ms, denial.reason),
    }
}

fn request(action: Action, activity: &str) -> Request {
    Request::of(action, UsageEvent::of(activity).model("gpt-4o"))
}

#[test]
fn requests_of_every_kind() {
    let free = |model: &str| {
        let mut event = UsageEvent::of("chat").model(model);
        event.plan = "free".to_owned();
        Request::of(Action::Charge, event)
    };
    let mut by_agent = request(Action::OpenHold, "voice_web");
    by_agent.event.agent = Some("front-desk".to_owned());
    let estimated = |micros: i64| Request { estimate: Some(micros), ..request(Action::OpenHold, "assistant") };
    for (request, readings, expected) in [
        (request(Action::Charge, "chat"), "0 0 0 0", "allow"),
        (request(Action::Charge, "chat"), "79@1 24999999@1 0 0", "allow"),
        (
            request(Action::Charge, "chat"),
            "80@1 0 0 0",
            "advice burst: with this, 81 of the 100 requests in 60 s that are allowed to this account are used: slow down",
        ),
        (
            request(Action::Charge, "chat"),
            "99@1 0 0 0",
            "advice burst: with this, 100 of the 100 requests in 60 s that are allowed to this account are used: slow down",
        ),
        (
            request(Action::Charge, "chat"),
            "100@12500 0 0 0",
            "deny burst after 12500: 100 requests in 60 s are allowed to this account, and 100 were made",
        ),
        (
            request(Action::Charge, "chat"),
            "18446744073709551615@4294967295 18446744073709551615@5 0 0",
            "deny burst after 4294967295: 100 requests in 60 s are allowed to this account, and 18446744073709551615 \
             were made",
        ),
        // The longest wait is named, in whichever order.
        (
            request(Action::Charge, "chat"),
            "100@12500 50000000@1800000 0 0",
            "deny spend after 1800000: 50 credits in 1 h are allowed to this account, and 50 are spent",
        ),
        (
            request(Action::Charge, "chat"),
            "100@12500 50000000@500 0 0",
            "deny burst after 12500: 100 requests in 60 s are allowed to this account, and 100 were made",
        ),
        // What is nearly used up the most is told.
        (
            request(Action::Charge, "chat"),
            "90@1 46000000@1 0 0",
            "advice spend: with this, 46 of the 50 credits in 1 h that are allowed to this account are used: slow down",
        ),
        (
            request(Action::Charge, "chat"),
            "0 49999999@1 0 0",
            "advice spend: with this, 49.999999 of the 50 credits in \
          1 h that are allowed to this account are used: slow down",
        ),
        (estimated(25_000_000), "0 0 9 0", "allow"),
        (
            estimated(30_000_000),
            "0 20000000@1 9 0",
            "advice spend: with this, 50 of the 50 credits in 1 h that are allowed to this account are used: slow down",
        ),
        (
            estimated(30_000_001),
            "0 20000000@9 9 0",
            "deny spend after 9: 50 credits in 1 h are allowed to this account, and 20 are spent; this would set aside \
             30.000001",
        ),
        // Waiting does not help where the limit is below what is wanted.
        (
            estimated(50_000_001),
            "100@12500 0 0 0",
            "deny spend after 0: 50 credits in 1 h are allowed to this account, and 0 are spent; this would set aside \
             50.000001",
        ),
        (estimated(i64::MIN), "0 0 0 0", "allow"),
        // Open holds are for who opens one, of the activities that it is about.
        (request(Action::Charge, "voice_web"), "0 0 5 0", "allow"),
        (request(Action::OpenHold, "chat"), "0 0 5 0", "allow"),
        (
            request(Action::OpenHold, "voice_web"),
            "0 0 5@60000 0",
            "deny calls after 60000: 5 open holds are allowed to requests that name no agent, and 5 are open",
        ),
        (
            by_agent.clone(),
            "0 0 5 0",
            "deny calls after 1: 5 open holds are allowed to the agent front-desk, and 5 are open",
        ),
        (
            by_agent,
            "0 0 3 0",
            "advice calls: with this, 4 of the 5 open holds that are allowed to the agent front-desk are used: settle or \
             release what is no longer needed",
        ),
        // A call that goes on is never cut off by a rate.
        (request(Action::ExtendHold, "voice_web"), "100@1 50000000@1 5@1 0", "allow"),
        (free("gpt-4o"), "0 0 0 9", "allow"),
        (free("gpt-5-mini"), "0 0 0 0", "deny dear after 0: no requests in 1 day are allowed to the model gpt-5-mini"),
    ] {
        assert_eq!(decided(LIMITS, &request, readings), expected, "{:?} {readings}", request.action);
    }
}

#[test]
fn a_limit_is_for_whom_it_names() {
    let limit =
        |patterns: &str| format!(r#"{{"limits": [{{"name": "x", "requests": 0, "per_seconds": 1, {patterns}}}]}}"#);
    let mut event = UsageEvent::of("chat").model("gpt-4o");
    event.agent = Some("bot-1".to_owned());
    let named = Request::of(Action::Charge, event);
    let unnamed = Request::of(Action::Charge, UsageEvent::of("chat"));
    for (patterns, applies, applies_to_unnamed) in [
        (r#""scope": "account""#, true, true),
        (r#""activities": ["voice_*", "chat"]"#, true, true),
        (r#""activities": "voice_*""#, false, false),
        (r#""models": "gpt-*""#, true, false),
        (r#""models": "*""#, true, true),
        (r#""agents": "bot-*""#, true, false),
        (r#""agents": ["x", "y"]"#, false, false),
        (r#""plans": "p*""#, true, true),
        (r#""plans": "free""#, false, false),
        (r#""plans": "pro", "models": "claude-*""#, false, false),
    ] {
        let is_denied = |request: &Request| decided(&limit(patterns), request, "0").starts_with("deny");
        assert_eq!((is_denied(&named), is_denied(&unnamed)), (applies, applies_to_unnamed), "{patterns}");
    }
}

#[test]
fn where_a_limit_stands() {
    let near = |used_permille| Standing::Near { used_permille };
    let over = Standing::Over(Wait::Millis(7));
    let never = Standing::Over(Wait::Forever);
    for (most, percent, value, wanted, expected) in [
        (0, None, 0, 1, never),
        (0, Some(80), u64::MAX, 0, never),
        (1, None, 0, 1, Standing::Within),
        (1, None, 1, 1, over),
        (10, Some(80), 7, 1, Standing::Within),
        (10, Some(80), 8, 1, near(900)),
        (10, Some(80), 9, 1, near(1000)),
        (10, Some(80), 10, 1, over),
        (10, None, 10, 0, over),
        (10, None, 9, 0, Standing::Within),
        (10, None, 0, 11, never),
        (10, None, u64::MAX, 1, over),
        (u64::MAX, None, u64::MAX, 1, over),
        (u64::MAX, Some(99), u64::MAX - 1, 1, near(1000)),
        (u64::MAX, Some(1), 0, u64::MAX, near(1000)),
        (u64::MAX, None, u64::MAX, u64::MAX, over),
    ] {
        let config = r#"{"limits": [{"name": "x", "requests": 1, "per_seconds": 1}]}"#;
        let mut limit = RateLimits::configure(config).unwrap().limits.remove(0);
        (limit.most, limit.advise_at_percent) = (most, percent);
        let reading = Reading { window: "x".to_owned(), value, resets_in_ms: 7 };
        assert_eq!(standing(&limit, &reading, wanted), expected, "{value} + {wanted} of {most}, {percent:?}");
    }
}

#[test]
fn windows_are_what_limits_count() {
    let windows = RateLimits::configure(LIMITS).unwrap().windows();
    let expected = [
        ("burst", Scope::Account, Measure::Requests, 60, 100),
        ("spend", Scope::Account, Measure::MicroCreditsSpent, 3600, 50_000_000),
        ("calls", Scope::Agent, Measure::OpenHolds, 1, 5),
        ("dear", Scope::Model, Measure::Requests, 86_400, 0),
    ];
    let expected = expected.map(|(name, scope, measure, seconds, limit)| Window {
        name: name.to_owned(),
        scope,
        measure,
        seconds,
        limit: Some(limit),
    });
    assert_eq!(windows, expected);
}

#[test]
fn numbers_and_lengths_in_words() {
    for (limit, expected) in [
        (r#""requests": 1, "per_seconds": 1"#, "1 request in 1 s is allowed to this account, and 1 was made"),
        (r#""requests": 1, "per_seconds": 90"#, "1 request in 90 s is allowed to this account, and 1 was made"),
        (r#""requests": 1, "per_seconds": 600"#, "1 request in 10 min is allowed to this account, and 1 was made"),
        (r#""requests": 1, "per_seconds": 7200"#, "1 request in 2 h is allowed to this account, and 1 was made"),
        (r#""requests": 1, "per_seconds": 3024000"#, "1 request in 35 days is allowed to this account, and 1 was made"),
        (
            r#""credits": "0.000001", "per_seconds": 60"#,
            "0.000001 credits in 60 s are allowed to this account, and \
          0.000001 are spent",
        ),
        (r#""open_holds": 1"#, "1 open hold is allowed to this account, and 1 is open"),
        (r#""open_holds": 0"#, "no open holds are allowed to this account"),
    ] {
        let config = format!(r#"{{"limits": [{{"name": "x", {limit}}}]}}"#);
        let decision = decided(&config, &request(Action::OpenHold, "chat"), "1@5");
        assert_eq!(decision.split_once(": ").unwrap().1, expected);
    }
}

#[test]
fn problems_are_named() {
    for (config, expected) in [
        ("{}", &["limits: at least one limit is needed"] as &[&str]),
        (
            r#"{"limits": [{"name": "a", "requests": 1, "per_seconds": 0},
                {"name": "a", "credits": "-1", "per_seconds": 3024001, "advise_at_percent": 100},
                {"name": "b c", "scope": "team", "open_holds": 1, "per_seconds": 60},
                {"requests": 1, "credits": "1", "open_holds": 1, "per_seconds": 60, "models": [], "agents": [""]},
                {"name": "d", "per_seconds": 60, "burst": 1},
                {"name": "e", "credits": 5},
                {"name": "f", "credits": "10000000000000", "per_seconds": 1, "scope": ""}], "x": 1}"#,
            &[
                "limits[0].per_seconds: must be a whole number from 1 to 3024000",
                "limits[1].name: \"a\" is the name of another limit already",
                "limits[1].credits: must not be below zero",
                "limits[1].per_seconds: must be a whole number from 1 to 3024000",
                "limits[1].advise_at_percent: must be a whole number from 1 to 99",
                "limits[2].name: must be 1 to 64 of A-Z a-z 0-9 . _ -",
                "limits[2].scope: must be account, agent, model or activity",
                "limits[2].per_seconds: is not for open_holds: they are counted as they are now",
                "limits[3].name: is required",
                "limits[3].credits: a limit has one of requests, credits and open_holds",
                "limits[3].open_holds: a limit has one of requests, credits and open_holds",
                "limits[3].models: must name at least one",
                "limits[3].agents: must be a text",
                "limits[4].requests: this, credits or open_holds is needed",
                "limits[4].burst: no such setting",
                "limits[5].credits: must be a decimal number in quotes, such as \"0.15\"",
                "limits[5].per_seconds: is required",
                "limits[6].scope: must be a text",
                "limits[6].credits: is more than any account can hold",
                "x: no such setting",
            ],
        ),
    ] {
        let problems = RateLimits::configure(config).unwrap_err();
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
    let event = |activity: &str, model: &str, plan: &str| UsageEvent {
        agent: Some("front-desk".to_owned()),
        plan: plan.to_owned(),
        ..UsageEvent::of(activity).model(model)
    };
    let charge = Request::of(Action::Charge, event("chat", "gpt-4o", "pro"));
    let hold = Request { estimate: Some(5_000_000), ..Request::of(Action::OpenHold, event("chat", "gpt-4o", "pro")) };
    let call = Request::of(Action::OpenHold, event("voice_web", "gpt-realtime", "pro"));
    let dear = Request::of(Action::Charge, event("chat", "gpt-5-pro", "free"));
    for (request, readings, expected) in [
        (&charge, "79@9 0 0 0", "allow"),
        (
            &charge,
            "80@9 0 0 0",
            "advice burst: with this, 81 of the 100 requests in 60 s that are allowed to this account are used: slow down",
        ),
        (
            &charge,
            "100@9 0 0 0",
            "deny burst after 9: 100 requests in 60 s are allowed to this account, and 100 were made",
        ),
        (
            &charge,
            "0 50000000@9 0 0",
            "deny agent-hour after 9: 50 credits in 1 h are allowed to the agent front-desk, and 50 are spent",
        ),
        (
            &hold,
            "0 49500000@9 0 0",
            "deny agent-hour after 9: 50 credits in 1 h are allowed to the agent front-desk, and 49.5 are spent; this \
             would set aside 5",
        ),
        (&call, "0 0 4 0", "allow"),
        (&call, "0 0 5@9 0", "deny calls after 9: 5 open holds are allowed to the activity voice_web, and 5 are open"),
        (&dear, "0 0 0 0", "deny dear-models after 0: no requests in 60 s are allowed to the model gpt-5-pro"),
    ] {
        assert_eq!(decided(&readme("fair-use"), request, readings), expected, "{readings}");
    }
}
