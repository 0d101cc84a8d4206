//! What was used: by model, agent, activity and day, of windows and intervals.

use ledger_core::calendar::{UTC, local_day, parse_zone};
use ledger_core::{DAY_ROWS_MAX, Quantity, Timestamp};
use ledger_service::{
    AccountInput, Breakdown, ChargeInput, KeyValue, ServiceError, UsageGroup, UsageKey, UsageQuery, UsageReader, Window,
};
use testkit::{Kit, messages};

const HOUR_MS: i64 = 3_600_000;
const DAY_MS: i64 = 24 * HOUR_MS;

fn day(date: &str) -> i32 {
    local_day(UTC, Timestamp::parse_rfc3339(&format!("{date}T00:00:00Z")).unwrap())
}

fn by(group_by: &[UsageKey]) -> UsageQuery {
    UsageQuery { group_by: group_by.to_vec(), ..UsageQuery::default() }
}

async fn charge(kit: &Kit, id: &str, model: Option<&str>, agent: Option<&str>, count: u64) {
    let (model, agent) = (model.map(Into::into), agent.map(Into::into));
    kit.ledger.charge(ChargeInput { model, agent, ..messages("acme", id, count) }).await.unwrap();
}

/// Groups as lines: key, credits, events, share.
fn lines(breakdown: &Breakdown) -> Vec<String> {
    let value = |value: &KeyValue| match value {
        KeyValue::Day(day) => day.to_string(),
        KeyValue::Name(name) => name.as_deref().unwrap_or("-").to_owned(),
    };
    let line = |group: &UsageGroup| {
        let key: Vec<String> = group.key.iter().map(value).collect();
        format!("{} {} {} {}", key.join("/"), group.credits, group.events, breakdown.summary.share_e4(group))
    };
    breakdown.groups.iter().map(line).collect()
}

#[tokio::test]
async fn groups_are_ordered_by_day_then_credits_then_key() {
    let kit = Kit::new();
    kit.open_account("acme", "pro").await;
    charge(&kit, "1", Some("b"), Some("bot"), 10).await;
    charge(&kit, "2", Some("a"), None, 10).await;
    charge(&kit, "3", None, Some("bot"), 1).await;
    kit.wait_ms(DAY_MS);
    charge(&kit, "4", Some("a"), Some("bot"), 9).await;
    let calls = ChargeInput {
        activity: "voice_web".into(),
        quantities: [Quantity { unit: "seconds".into(), amount: 3 }].into(),
        ..messages("acme", "5", 0)
    };
    kit.ledger.charge(calls).await.unwrap();
    let read = |keys: &[UsageKey]| kit.ledger.usage("acme", &by(keys), 100).unwrap();
    assert_eq!(lines(&read(&[UsageKey::Model])), ["a 0.019 2 5758", "b 0.01 1 3030", "m 0.003 1 909", "- 0.001 1 303"]);
    assert_eq!(lines(&read(&[UsageKey::Agent])), ["bot 0.02 3 6061", "- 0.013 2 3939"]);
    assert_eq!(lines(&read(&[UsageKey::Activity])), ["chat 0.03 4 9091", "voice_web 0.003 1 909"]);
    let (first, second) = (day("2026-11-01"), day("2026-11-02"));
    assert_eq!(
        lines(&read(&[UsageKey::Model, UsageKey::Day])),
        [
            format!("a/{first} 0.01 1 3030"),
            format!("b/{first} 0.01 1 3030"),
            format!("-/{first} 0.001 1 303"),
            format!("a/{second} 0.009 1 2727"),
            format!("m/{second} 0.003 1 909"),
        ]
    );
    let all = read(&[UsageKey::Day, UsageKey::Activity, UsageKey::Agent, UsageKey::Model]);
    assert_eq!(all.groups.len(), 5);
    assert_eq!((all.summary.total.to_string(), all.summary.events), ("0.033".into(), 5));
    assert_eq!((all.summary.from, all.summary.to), (first, second + 1), "from its opening to today");
    let units: Vec<String> = read(&[UsageKey::Activity]).groups[1]
        .quantities
        .iter()
        .map(|quantity| format!("{} {}", quantity.unit, quantity.amount))
        .collect();
    assert_eq!(units, ["seconds 3"]);
    assert_eq!(kit.ledger.account("acme").unwrap().totals.charged, all.summary.total);
}

#[tokio::test]
async fn a_share_is_rounded_half_to_even_and_nothing_of_nothing() {
    let kit = Kit::new();
    kit.open_account("acme", "pro").await;
    charge(&kit, "0", Some("nothing"), None, 0).await;
    let read = || lines(&kit.ledger.usage("acme", &by(&[UsageKey::Model]), 100).unwrap());
    assert_eq!(read(), ["nothing 0 1 0"]);
    // 1 of 20,000 is 0.00005, and 3 are 0.00015: half to even, both ways.
    charge(&kit, "1", Some("a"), None, 1).await;
    charge(&kit, "2", Some("b"), None, 3).await;
    charge(&kit, "3", Some("c"), None, 19_996).await;
    assert_eq!(read(), ["c 19.996 1 9998", "b 0.003 1 2", "a 0.001 1 0", "nothing 0 1 0"]);
}

#[tokio::test]
async fn days_are_cut_in_the_accounts_zone_and_by_the_time_of_the_event() {
    let kit = Kit::new();
    let zone = parse_zone("America/New_York");
    let input = AccountInput { account: "acme".into(), plan: "pro".into(), zone, ..AccountInput::default() };
    kit.ledger.put_account(input).await.unwrap();
    // It is 20:00 on 31 October there; an event of three days ago, one of now, and one five hours later.
    let late = Some(kit.ledger.now().plus_millis(-3 * DAY_MS));
    kit.ledger.charge(ChargeInput { occurred_at: late, ..messages("acme", "late", 1) }).await.unwrap();
    charge(&kit, "now", Some("m"), None, 2).await;
    kit.wait_ms(5 * HOUR_MS);
    charge(&kit, "next", Some("m"), None, 4).await;
    let read = |window: Window, from: Option<&str>, to: Option<&str>| {
        let query = UsageQuery { window, from: from.map(day), to: to.map(day), group_by: vec![UsageKey::Day] };
        let breakdown = kit.ledger.usage("acme", &query, 100).unwrap();
        let days: Vec<KeyValue> = breakdown.groups.iter().map(|group| group.key[0].clone()).collect();
        (days, breakdown.summary.total.to_string(), breakdown.summary.from, breakdown.summary.to)
    };
    let days = |dates: &[&str]| dates.iter().map(|date| KeyValue::Day(day(date))).collect::<Vec<_>>();
    let (oct28, oct31, nov1, nov2) = ("2026-10-28", "2026-10-31", "2026-11-01", "2026-11-02");
    for (window, from, to, expected, total, shown_from, shown_to) in [
        // The late event lies before the account was opened, and is still shown.
        (Window::All, None, None, vec![oct28, oct31, nov1], "0.007", oct28, nov2),
        (Window::Days(1), None, None, vec![nov1], "0.004", nov1, nov2),
        (Window::Days(2), None, None, vec![oct31, nov1], "0.006", oct31, nov2),
        (Window::Days(4), None, None, vec![oct31, nov1], "0.006", "2026-10-29", nov2),
        (Window::Days(5), None, None, vec![oct28, oct31, nov1], "0.007", oct28, nov2),
        (Window::All, Some(oct31), None, vec![oct31, nov1], "0.006", oct31, nov2),
        (Window::All, Some(oct31), Some(nov1), vec![oct31], "0.002", oct31, nov1),
        (Window::All, None, Some(oct31), vec![oct28], "0.001", oct28, oct31),
        (Window::Days(2), Some(oct28), Some(nov1), vec![oct31], "0.002", oct31, nov1),
        (Window::All, Some(nov1), Some(nov1), vec![], "0", nov1, nov1),
        (Window::Days(1), None, Some(oct28), vec![], "0", nov1, nov1),
        (
            Window::All,
            Some("0001-01-01"),
            Some("9999-12-31"),
            vec![oct28, oct31, nov1],
            "0.007",
            "0001-01-01",
            "9999-12-31",
        ),
    ] {
        let expected = (days(&expected), total.to_owned(), day(shown_from), day(shown_to));
        assert_eq!(read(window, from, to), expected, "{window:?} {from:?} {to:?}");
    }
}

#[tokio::test]
async fn what_a_day_does_not_keep_apart_is_other() {
    let kit = Kit::new();
    kit.open_account("acme", "pro").await;
    // A model of that very name is counted together with the rest: on the wire nobody could tell them apart.
    charge(&kit, "o", Some("other"), None, 1).await;
    for n in 1..2 * DAY_ROWS_MAX + 5 {
        charge(&kit, &format!("e{n}"), Some(&format!("m{n}")), None, 1).await;
    }
    let breakdown = kit.ledger.usage("acme", &by(&[UsageKey::Model]), 1000).unwrap();
    assert_eq!(breakdown.groups.len(), 2 * DAY_ROWS_MAX);
    assert_eq!(lines(&breakdown)[0], "other 0.006 6 116", "6 of 517");
    let refused = kit.ledger.usage("acme", &by(&[UsageKey::Model]), 100);
    assert!(matches!(&refused, Err(ServiceError::Invalid(problems)) if problems[0].field == "group_by"), "{refused:?}");
}

#[tokio::test]
async fn many_agents_leave_models_and_activities_exact() {
    let kit = Kit::new();
    kit.open_account("acme", "pro").await;
    for n in 0..DAY_ROWS_MAX + 44 {
        charge(&kit, &format!("e{n}"), Some("m"), Some(&format!("a{n}")), 1).await;
    }
    let groups = |key| kit.ledger.usage("acme", &by(&[key]), 1000).unwrap();
    assert_eq!(lines(&groups(UsageKey::Model)), ["m 0.3 300 10000"]);
    assert_eq!(lines(&groups(UsageKey::Activity)), ["chat 0.3 300 10000"]);
    let agents = groups(UsageKey::Agent);
    assert_eq!(agents.groups.len(), DAY_ROWS_MAX + 1);
    assert_eq!(lines(&agents)[0], "other 0.044 44 1467");
}

#[tokio::test]
async fn a_reader_reads_the_same_groups_however_many_days_there_are() {
    let kit = Kit::new();
    kit.open_account("acme", "pro").await;
    for n in 0..80_u64 {
        charge(&kit, &format!("e{n}"), Some(&format!("m{}", n % 7)), Some(&format!("a{}", n % 3)), n).await;
        kit.wait_ms(5 * DAY_MS);
    }
    for keys in [
        vec![UsageKey::Day],
        vec![UsageKey::Model],
        vec![UsageKey::Agent, UsageKey::Day],
        vec![UsageKey::Day, UsageKey::Model, UsageKey::Agent, UsageKey::Activity],
        vec![UsageKey::Activity, UsageKey::Agent],
    ] {
        for window in [Window::All, Window::Days(90), Window::Days(365)] {
            let query = UsageQuery { window, ..by(&keys) };
            let whole = kit.ledger.usage("acme", &query, 1000).unwrap();
            let mut reader = UsageReader::new(kit.ledger.clone(), "acme", &query).unwrap();
            assert_eq!(*reader.summary(), whole.summary);
            let mut read = Vec::new();
            while let Some(groups) = reader.next_page().unwrap() {
                read.extend(groups);
            }
            assert_eq!(read, whole.groups, "{keys:?} {window:?}");
            let credits: i64 = read.iter().map(|group| group.credits.micros()).sum();
            assert_eq!(credits, whole.summary.total.micros());
        }
    }
}
