use super::*;
use plugin_sdk::UsageEvent;
use plugin_sdk::throttling::Action;

const STEPS: &str = r#"{"min_score": "40", "steps": [
    {"below_percent": 50, "min_score": "60"}, {"below_percent": 20, "min_score": "80.5"}]}"#;

fn decided(config: &str, request: &Request) -> String {
    match LeadScoreGate::configure(config).unwrap().decide(request, &[]) {
        Decision::Allow => "allow".to_owned(),
        Decision::AllowWithAdvice(advice) => format!("advice {}: {}", advice.policy, advice.suggestion),
        Decision::Deny(denial) => format!("deny {} after {}: {}", denial.policy, denial.retry_after_ms, denial.reason),
    }
}

fn lead(score: &str) -> UsageEvent {
    UsageEvent::of("auto_trigger").attribute("channel", "mail").attribute("lead_score", score)
}

#[test]
fn the_score_that_is_needed_rises_as_credits_fall() {
    for (permille, score, expected) in [
        (1000, "40", "allow"),
        (u32::MAX, "40.0", "allow"),
        (
            1000,
            "39.999999",
            "deny lead-score after 0: a lead_score of at least 40 is needed, and this lead has 39.999999",
        ),
        (1000, "-5", "deny lead-score after 0: a lead_score of at least 40 is needed, and this lead has -5"),
        (500, "40", "allow"),
        (
            499,
            "59",
            "deny lead-score after 0: a lead_score of at least 60 is needed while less than 50 % of the cycle's credits \
             are left (49.9 % are), and this lead has 59",
        ),
        (
            499,
            "60",
            "advice lead-score: 49.9 % of the cycle's credits are left: only leads with a lead_score of at least 60 are \
             taken",
        ),
        (
            200,
            "60",
            "advice lead-score: 20 % of the cycle's credits are left: only leads with a lead_score of at least 60 \
          are taken",
        ),
        (
            199,
            "80.4",
            "deny lead-score after 0: a lead_score of at least 80.5 is needed while less than 20 % of the cycle's \
             credits are left (19.9 % are), and this lead has 80.4",
        ),
        (
            0,
            "80.5",
            "advice lead-score: 0 % of the cycle's credits are left: only leads with a lead_score of at least 80.5 \
          are taken",
        ),
    ] {
        for action in [Action::Charge, Action::OpenHold] {
            let request = Request::of(action, lead(score)).remaining_permille(permille);
            assert_eq!(decided(STEPS, &request), expected, "{permille} {score}");
        }
    }
}

#[test]
fn whom_it_is_not_about_passes() {
    let low = |action, event| Request::of(action, event).remaining_permille(0);
    assert_eq!(decided(STEPS, &low(Action::ExtendHold, lead("1"))), "allow");
    assert_eq!(decided(STEPS, &low(Action::Charge, UsageEvent::of("chat"))), "allow");
    let config = r#"{"activities": ["outreach_*", "auto_trigger"], "agents": "hunter*", "min_score": "1"}"#;
    let mut event = lead("0");
    assert_eq!(decided(config, &low(Action::Charge, event.clone())), "allow");
    event.agent = Some("hunter-2".to_owned());
    assert!(decided(config, &low(Action::Charge, event.clone())).starts_with("deny"));
    event.activity = "outreach_mail".to_owned();
    assert!(decided(config, &low(Action::OpenHold, event)).starts_with("deny"));
}

#[test]
fn leads_without_a_score_that_can_be_read() {
    let steps = r#""name": "autoconnect", "attribute": "grade", "steps": [{"below_percent": 30, "min_score": "0.7"}]"#;
    let (deny, allow) = (format!("{{{steps}}}"), format!(r#"{{{steps}, "missing": "allow"}}"#));
    let event = |grade: Option<&str>| {
        let event = UsageEvent::of("auto_trigger").attribute("lead_score", "99");
        grade.map_or(event.clone(), |grade| event.attribute("grade", grade))
    };
    let needed = "a grade of at least 0.7 is needed while less than 30 % of the cycle's credits are left (29.9 % are)";
    for (config, grade, permille, expected) in [
        (&deny, None, 300, "allow".to_owned()),
        (&deny, Some("A"), 300, "allow".to_owned()),
        (&deny, None, 299, format!("deny autoconnect after 0: {needed}, and this lead has none")),
        (&deny, Some("A"), 299, format!("deny autoconnect after 0: {needed}, and that of this lead is no decimal number")),
        (&deny, Some("0.69"), 299, format!("deny autoconnect after 0: {needed}, and this lead has 0.69")),
        (
            &allow,
            None,
            299,
            "advice autoconnect: a grade of at least 0.7 would be needed, and this lead has none: send one".to_owned(),
        ),
        (
            &allow,
            Some(""),
            299,
            "advice autoconnect: a grade of at least 0.7 would be needed, and that of this lead is no decimal number: send one"
                .to_owned(),
        ),
        (&allow, Some("0.69"), 299, format!("deny autoconnect after 0: {needed}, and this lead has 0.69")),
    ] {
        let request = Request::of(Action::Charge, event(grade)).remaining_permille(permille);
        assert_eq!(decided(config, &request), expected, "{grade:?} {permille}");
    }
}

#[test]
fn it_needs_no_counters() {
    assert_eq!(LeadScoreGate::configure(STEPS).unwrap().windows(), []);
}

#[test]
fn problems_are_named() {
    for (config, expected) in [
        ("{}", &["steps: at least one step is needed, or a min_score"] as &[&str]),
        (
            r#"{"name": "", "attribute": 1, "activities": [], "min_score": 40, "missing": "maybe", "steps": [
                {"below_percent": 0, "min_score": "1"}, {"below_percent": 101, "min_score": "x"},
                {"below_percent": 20}, {"below_percent": 20, "min_score": "0.5"}, {"min_score": "2", "above": 1}]}"#,
            &[
                "name: must be a text",
                "attribute: must be a text",
                "activities: must name at least one",
                "min_score: must be a decimal number in quotes, such as \"0.15\"",
                "steps[0].below_percent: must be a whole number from 1 to 100",
                "steps[1].below_percent: must be a whole number from 1 to 100",
                "steps[1].min_score: \"x\" is no decimal number such as \"0.15\" or \"7.5e-08\"",
                "steps[2].min_score: is required",
                "steps[3].below_percent: must be less than 20, where the step before it begins",
                "steps[3].min_score: must be at least 1: the fewer credits, the higher the score",
                "steps[4].below_percent: is required",
                "steps[4].above: no such setting",
                "missing: must be deny or allow",
            ],
        ),
        (
            r#"{"min_score": "70", "steps": [{"below_percent": 50, "min_score": "60"}], "colour": 1}"#,
            &[
                "steps[0].min_score: must be at least 70: the fewer credits, the higher the score",
                "colour: no such setting",
            ],
        ),
    ] {
        let problems = LeadScoreGate::configure(config).unwrap_err();
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
    for (permille, score, expected) in [
        (1000, Some("40"), "allow"),
        (1000, Some("39.5"), "deny lead-score after 0: a lead_score of at least 40 is needed, and this lead has 39.5"),
        (500, Some("40"), "allow"),
        (
            385,
            Some("42"),
            "deny lead-score after 0: a lead_score of at least 60 is needed while less than 50 % of the cycle's credits \
             are left (38.5 % are), and this lead has 42",
        ),
        (
            385,
            Some("60"),
            "advice lead-score: 38.5 % of the cycle's credits are left: only leads with a lead_score of at least 60 are \
             taken",
        ),
        (
            0,
            None,
            "deny lead-score after 0: a lead_score of at least 80 is needed while less than 20 % of the cycle's credits \
             are left (0 % are), and this lead has none",
        ),
    ] {
        let event = score.map_or_else(|| UsageEvent::of("auto_trigger"), lead);
        let request = Request::of(Action::Charge, event).remaining_permille(permille);
        assert_eq!(decided(&readme("best-leads"), &request), expected, "{permille} {score:?}");
    }
}
