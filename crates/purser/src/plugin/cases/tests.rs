use super::*;
use crate::plugin::cases::rows::aligned;
use plugin_host::World::{Pricing, Throttling};

fn cases(text: &str, world: World) -> Cases {
    Cases::parse(text, world).unwrap_or_else(|problems| panic!("{problems:?}"))
}

/// What a file expects, each case as the texts of its rows.
fn expected(text: &str, world: World) -> Vec<Vec<String>> {
    cases(text, world).cases.iter().map(|case| aligned(&case.expected_rows())).collect()
}

fn rows(text: &str, world: World) -> Vec<Row> {
    text.lines().map(|line| Row::parse(line.trim(), world).unwrap()).collect()
}

#[test]
fn events_are_read() {
    let text = "\
given plan=starter at=2026-11-14T09:00:00Z
chat  model=gpt-4o-mini  output_tokens=44 input_tokens=374
voice  agent=\"the support bot\" attribute.lead_score=87 attribute.a=\"b c\" plan=pro account=beta id=e1
given model=m plan=free
chat  messages=1 messages=2
";
    let shown: Vec<String> = cases(text, Pricing)
        .cases
        .iter()
        .map(|case| {
            let event = &case.given.event;
            let used: Vec<String> = event.quantities.iter().map(|q| format!("{}={}", q.unit, q.amount)).collect();
            let (line, at) = (case.line, event.occurred_at);
            let (agent, model) = (event.agent.as_deref(), event.model.as_deref());
            format!(
                "{line} {} {} {} {at} {agent:?} {model:?} {used:?} {:?}",
                event.activity, event.account, event.plan, event.attributes
            )
        })
        .collect();
    assert_eq!(
        shown,
        [
            "2 chat acme starter 2026-11-14T09:00:00Z None Some(\"gpt-4o-mini\") [\"input_tokens=374\", \"output_tokens=44\"] []",
            "3 voice beta pro 2026-11-14T09:00:00Z Some(\"the support bot\") None [] [(\"a\", \"b c\"), (\"lead_score\", \
             \"87\")]",
            "5 chat acme free 2026-11-14T09:00:00Z None Some(\"m\") [\"messages=2\"] []",
        ]
    );
}

#[test]
fn requests_are_read() {
    let text = "\
voice  action=extend-hold hold_age=5m remaining=19.9% estimate=12.5  seconds=360
    counted   messages per minute   100   resets in 12s
    counted\tspent\t0.5 credits
    allow
";
    let case = &cases(text, Throttling).cases[0];
    let asked = case.given.asked();
    assert_eq!((asked.remaining_permille, asked.hold_age_ms), (199, Some(300_000)));
    assert_eq!(asked.estimate.unwrap().to_string(), "12.5");
    let reading = |window: &str| {
        let reading = case.given.reading(window);
        (reading.value, reading.resets_in_ms)
    };
    assert_eq!((reading("messages per minute"), reading("spent"), reading("x")), ((100, 12_000), (500_000, 0), (0, 0)));
}

#[test]
fn what_is_expected_is_written_as_it_is_read() {
    let priced = "\
# A comment.
chat  input_tokens=374
    input tokens    374    0.0561
    discount          1   -12.5
    # Another one.
    total                 -12.4439

chat
    refused: unpriced model
chat
    total   0
chat
    failed: out-of-fuel
chat
";
    assert_eq!(
        expected(priced, Pricing),
        [
            vec!["input tokens   374     0.0561", "discount         1   -12.5", "total                -12.4439"],
            vec!["refused: unpriced model"],
            vec!["total   0"],
            vec!["failed: out-of-fuel"],
            vec![],
        ]
    );
    let decided = "\
chat
    allow
chat
    advise burst: slow down
chat
    deny burst: 100 requests are allowed, and 100 were made: wait
    retry after 1500ms
chat
    deny
    waiting does not help
";
    assert_eq!(
        expected(decided, Throttling),
        [
            vec!["allow"],
            vec!["advise burst: slow down"],
            vec!["deny burst: 100 requests are allowed, and 100 were made: wait", "retry after 1500ms"],
            vec!["deny", "waiting does not help"],
        ]
    );
}

#[test]
fn everything_that_is_wrong_is_told_with_its_line() {
    let check = |world: World, text: &str, expected: &[&str]| {
        let problems = Cases::parse(text, world).unwrap_err();
        let found: Vec<String> =
            problems.iter().map(|problem| format!("{}: {}", problem.line, problem.reason)).collect();
        assert_eq!(found.len(), expected.len(), "{found:#?}");
        for (found, expected) in found.iter().zip(expected) {
            assert!(found.starts_with(expected), "{found} is to begin with {expected}");
        }
    };
    check(
        Pricing,
        "    total 0\nmodel=m\nchat words\nchat =1\nchat seconds=1.5\nchat at=today\nchat agent=\"x\nchat action=charge\nchat\n    \
         total 0\n    a label   x   1\n    a label   1   1.0000001\n    allow\n    refused\ngiven plan\n",
        &[
            "1: nothing stands before it",
            "2: begins with model=m",
            "3: words is no name=value",
            "4: =1 has no name",
            "5: seconds=1.5: a quantity is a whole number; an attribute is written attribute.seconds=1.5",
            "6: at=today is no date",
            "7: a quote is opened",
            "8: action is for plugins that throttle",
            "10: a line of a price has",
            "11: x is no whole number",
            "12: 1.0000001 is no amount of credits",
            "13: a line of a price has",
            "14: a line of a price has",
            "15: plan is no name=value",
        ],
    );
    check(
        Throttling,
        "chat action=wait remaining=1\nchat remaining=101%\nchat remaining=1.55%\nchat hold_age=5\nchat estimate=x\nchat\n    \
         counted   burst\n    counted   burst   1 credits   in 5s\n    counted   burst   1\n    counted   burst   2\n    maybe\n    \
         allow burst\n    deny\n    counted   other   1\n    retry after 5\n",
        &[
            "1: action=wait must be",
            "2: remaining=101%",
            "3: remaining=1.55%",
            "4: hold_age=5",
            "5: estimate=x",
            "7: is to be `counted",
            "8: is to be `counted",
            "10: burst is counted already",
            "11: a decision is",
            "12: a decision is",
            "14: what is counted stands before",
            "15: 5 is no time",
        ],
    );
}

/// Cases with what is found for each: whether it is as expected, and what is shown and accepted otherwise.
#[test]
fn what_is_not_written_is_not_checked() {
    let price = "input tokens   374   0.0561\nminimum   1   0.0439\ntotal   0.1";
    let denial = "deny burst: too many\nretry after 12s";
    for (world, expected, found, is_same) in [
        (Pricing, price, price, true),
        (Pricing, "total   0.1", price, true),
        (Pricing, "total   0.2", price, false),
        (Pricing, "input tokens   374   0.0561\nminimum   1   0.0439", price, true),
        (Pricing, "input tokens   374   0.0561", price, false),
        (Pricing, "", price, false),
        (Pricing, price, "refused: unpriced model", false),
        (Pricing, "refused: unpriced model", price, false),
        (Pricing, "refused: unpriced model", "refused: unpriced model", true),
        (Throttling, "deny", denial, true),
        (Throttling, "deny burst", denial, true),
        (Throttling, "deny: too many", denial, true),
        (Throttling, "deny burst: too few", denial, false),
        (Throttling, "deny other", denial, false),
        (Throttling, "deny burst\nretry after 12s", denial, true),
        (Throttling, "deny burst\nwaiting does not help", denial, false),
        (Throttling, "allow", denial, false),
        (Throttling, "advise", "advise burst: slow down", true),
        (Throttling, "advise", "allow", false),
    ] {
        let (wanted, found) = (rows(expected, world), rows(found, world));
        assert_eq!(rows::as_detailed_as(&found, &wanted) == wanted, is_same, "{expected}");
    }
}

const TABLE: &str = "\
# What things cost.

chat  input_tokens=374
    # A comment stays.
    input tokens   374   0.05
    total                0.05

chat  input_tokens=1   # of no account
";

#[test]
fn a_difference_is_shown_and_accepted() {
    let text = TABLE.replace("   # of no account", "");
    let parsed = cases(&text, Pricing);
    let found = [
        rows("input tokens   374   0.05\nminimum   1   0.95\ntotal   1", Pricing),
        rows("refused: unpriced model", Pricing),
    ];
    let shown: Vec<Option<String>> =
        parsed.cases.iter().zip(&found).map(|(case, found)| difference(&parsed, case, "cases.txt", found)).collect();
    assert_eq!(
        shown[0].as_deref().unwrap(),
        "\
cases.txt:3  chat  input_tokens=374
     5    input tokens   374   0.05
     6  - total                0.05
        + minimum          1   0.95
        + total                1
"
    );
    assert_eq!(
        shown[1].as_deref().unwrap(),
        "\
cases.txt:8  chat  input_tokens=1
        nothing is expected of it yet
        + refused: unpriced model
"
    );
    let accepted = parsed.accepted(&found);
    assert_eq!(
        accepted,
        "\
# What things cost.

chat  input_tokens=374
    # A comment stays.
    input tokens   374   0.05
    minimum          1   0.95
    total                1

chat  input_tokens=1
    refused: unpriced model
"
    );
    let again = cases(&accepted, Pricing);
    assert!(again.cases.iter().zip(&found).all(|(case, found)| difference(&again, case, "", found).is_none()));
    assert_eq!(again.accepted(&found), accepted, "what is as expected stays as it is written");
}

#[test]
fn a_decision_is_accepted_behind_what_is_counted() {
    let text = "chat\n    counted   burst   5\n\nchat\n    counted   burst   6\n    allow\n";
    let parsed = cases(text, Throttling);
    let found = [rows("allow", Throttling), rows("deny burst: too many\nretry after 12s", Throttling)];
    assert_eq!(
        parsed.accepted(&found),
        "chat\n    counted   burst   5\n    allow\n\nchat\n    counted   burst   6\n    deny burst: too many\n    retry \
         after 12s\n"
    );
}
