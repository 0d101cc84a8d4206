//! Accounts that never were, for pages to look at and to try. The same each time: no clock, and no randomness but a
//! small generator with a fixed beginning.

use chrono_tz::Tz;
use ledger_core::{Amount, Balance, Timestamp};
use pages::{
    AccountHead, Address, AgencyView, AlertSettings, AutoTopUp, Company, Confirm, CreditsView, CustomAmount, DaySum,
    Draw, Form, Frame, GrantRow, Grouping, Kind, Line, Links, Log, LogEntry, Money, Pack, Party, PluginUsed,
    PurchaseRow, PurchaseView, ReceiptView, StatementRow, StatementView, Usage, UsageSum, WaitingRow, Window,
};

/// 2026-11-24, the day on which all of it takes place.
pub(crate) const TODAY: i32 = 20_781;
const HOUR_MS: i64 = 3_600_000;

pub(crate) fn credits(text: &str) -> Amount {
    text.parse().unwrap_or_default()
}

fn micros(micros: i64) -> Amount {
    Amount::from_micros(micros).unwrap_or_default()
}

pub(crate) fn time(text: &str) -> Timestamp {
    Timestamp::parse_rfc3339(text).unwrap_or_default()
}

/// Numbers that look random.
struct Dice(u64);

impl Dice {
    fn roll(&mut self, sides: i64) -> i64 {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        i64::try_from((self.0 >> 33) % u64::try_from(sides.max(1)).unwrap_or(1)).unwrap_or(0)
    }
}

pub(crate) fn frame() -> Frame {
    Frame {
        product: "Purser".to_owned(),
        stylesheet: "page.css".to_owned(),
        script: "page.js".to_owned(),
        icon: "icon.svg".to_owned(),
        zone: Tz::Europe__Berlin,
        now: time("2026-11-24T17:42:10Z"),
        account: Some(AccountHead {
            id: "acme".to_owned(),
            name: Some("Acme Dental Group".to_owned()),
            plan: Some("starter".to_owned()),
            is_suspended: false,
        }),
        links: Links {
            credits: Some("credits.html".to_owned()),
            purchase: Some("purchase.html".to_owned()),
            companies: Some("agency.html".to_owned()),
            help: None,
        },
        notice: None,
    }
}

pub(crate) fn balance() -> Balance {
    Balance {
        at: time("2026-11-24T17:42:10Z"),
        cycle: (time("2026-11-05T23:00:00Z"), time("2026-12-05T23:00:00Z")),
        days_left: 12,
        package: credits("1000"),
        plan_package: credits("1000"),
        consumed: credits("340.25"),
        refunded_earlier: Amount::ZERO,
        remaining: credits("910.25"),
        purchased: credits("250"),
        purchased_total: credits("1250"),
        held: credits("12"),
        overage: Amount::ZERO,
        spendable: credits("910.25"),
        package_remaining: credits("647.75"),
        purchased_remaining: credits("250"),
        other_remaining: credits("12.5"),
        used_share_e4: 2695,
        next_expiry: Some((time("2026-12-05T23:00:00Z"), credits("647.75"))),
        daily_average: Some(credits("28.4")),
        runs_out_at: Some(time("2026-12-26T09:00:00Z")),
    }
}

const MODELS: [&str; 4] = ["gpt-4o-mini", "claude-sonnet-4-5", "gpt-4o-realtime", "gemini-2.5-flash"];
const AGENTS: [(&str, &str, Kind); 5] = [
    ("support-bot", "chat", Kind::Chat),
    ("front-desk", "voice_inbound", Kind::Voice),
    ("recall-campaign", "voice_outbound", Kind::Voice),
    ("auto-connect", "auto_trigger", Kind::Chat),
    ("in-app assistant", "assistant", Kind::Other),
];

/// Usage of a window of so many days under these names.
pub(crate) fn usage(days: i32, names: &[&str], agents: &[&str], by: Grouping) -> Usage {
    let mut dice = Dice(7);
    let from = TODAY - days + 1;
    let series = if by == Grouping::Model { names } else { agents };
    let mut by_day = Vec::new();
    for day in from..=TODAY {
        // Quiet weekends, and a day on which a new page rule brought many chats.
        let busy = if (day + 3).rem_euclid(7) > 4 { 1 } else { 4 } * if day == TODAY - 9 { 3 } else { 1 };
        for (index, name) in (1_i64..).zip(series) {
            let sum = dice.roll(4_000_000) * busy / index;
            if (day + 3).rem_euclid(7) != 6 && dice.roll(9) > 0 {
                by_day.push(DaySum { day, name: Some((*name).to_owned()), credits: micros(sum) });
            }
        }
    }
    let total: i64 = by_day.iter().map(|sum| sum.credits.micros()).sum();
    let split = |names: &[&str]| {
        let mut left = total;
        let mut sums = Vec::new();
        for (index, name) in names.iter().enumerate() {
            let credits = if index + 1 == names.len() { left } else { left * 3 / 5 };
            left -= credits;
            let events = u64::try_from(credits / 90_000 / (i64::try_from(index).unwrap_or(0) * 9 + 1)).unwrap_or(0) + 1;
            sums.push(UsageSum { name: Some((*name).to_owned()), credits: micros(credits), events });
        }
        sums
    };
    Usage { from, to: TODAY + 1, by_day, models: split(names), agents: split(agents) }
}

/// A page of the log.
pub(crate) fn log(rows: i64) -> Log {
    let mut dice = Dice(11);
    let mut at = time("2026-11-24T17:38:44.120Z");
    let mut entries = Vec::new();
    for row in 0..rows {
        let sequence = u64::try_from(4_812 - row).unwrap_or(0);
        at = at.plus_millis(-dice.roll(2 * HOUR_MS) - 9_000);
        entries.push(if row % 17 == 12 { bought(sequence, at) } else { used(sequence, at, &mut dice) });
    }
    let older = entries.last().map(|entry| entry.sequence);
    Log { entries, older }
}

fn hash(sequence: u64) -> String {
    let mut dice = Dice(sequence);
    (0..64).map(|_| char::from_digit(u32::try_from(dice.roll(16)).unwrap_or(0), 16).unwrap_or('0')).collect()
}

fn used(sequence: u64, at: Timestamp, dice: &mut Dice) -> LogEntry {
    let (agent, activity, kind) = AGENTS[usize::try_from(dice.roll(5)).unwrap_or(0)];
    let model = MODELS[usize::try_from(dice.roll(4)).unwrap_or(0)];
    let line = |label: &str, unit: &str, quantity: i64, each: i64| Line {
        label: label.to_owned(),
        quantity: quantity.to_string(),
        unit: unit.to_owned(),
        credits: micros(quantity * each),
    };
    let lines = if kind == Kind::Voice {
        vec![line("started minutes", "minutes", 1 + dice.roll(4), 12_000_000)]
    } else {
        let (asked, answered) = (200 + dice.roll(1800), 20 + dice.roll(600));
        vec![line("input tokens", "input_tokens", asked, 150), line("output tokens", "output_tokens", answered, 600)]
    };
    let sum: i64 = lines.iter().map(|line| line.credits.micros()).sum();
    let plugin = if kind == Kind::Voice { "call-minutes" } else { "per-model-rates" };
    LogEntry {
        sequence,
        id: format!("ch_3f_{sequence}"),
        entry_type: "charge".to_owned(),
        kind,
        activity: Some(activity.to_owned()),
        at,
        recorded_at: at.plus_millis(80),
        model: Some(model.to_owned()),
        agent: Some(agent.to_owned()),
        credits: micros(-sum),
        usage: lines.iter().map(|line| (line.unit.clone(), line.quantity.clone())).collect(),
        lines,
        plugin: Some(PluginUsed { name: plugin.to_owned(), version: "sha256:4be1d09c".to_owned() }),
        draws: vec![Draw { grant: "gr_3f_4100".to_owned(), source: Some("package".to_owned()), credits: micros(sum) }],
        details: vec![("conversation".to_owned(), format!("c_{}", dice.roll(90_000)))],
        hash: hash(sequence),
        receipt_url: Some(format!("receipt-{sequence}.json")),
    }
}

fn bought(sequence: u64, at: Timestamp) -> LogEntry {
    LogEntry {
        sequence,
        id: format!("gr_3f_{sequence}"),
        entry_type: "grant".to_owned(),
        kind: Kind::Ledger,
        activity: None,
        at,
        recorded_at: at,
        model: None,
        agent: None,
        credits: credits("250"),
        lines: Vec::new(),
        usage: Vec::new(),
        plugin: None,
        draws: vec![Draw {
            grant: format!("gr_3f_{sequence}"),
            source: Some("purchase".to_owned()),
            credits: credits("250"),
        }],
        details: Vec::new(),
        hash: hash(sequence),
        receipt_url: None,
    }
}

fn grants() -> Vec<GrantRow> {
    let grant = |source: &str, amount: &str, remaining: &str, reason: Option<&str>, ends: Option<&str>| GrantRow {
        id: format!("gr_3f_{remaining}"),
        source: source.to_owned(),
        reason: reason.map(str::to_owned),
        amount: credits(amount),
        remaining: credits(remaining),
        effective_at: None,
        expires_at: ends.map(time),
    };
    vec![
        grant("package", "1000", "647.75", None, Some("2026-12-05T23:00:00Z")),
        grant("promotion", "50", "12.5", Some("Thanks for the patience in October"), Some("2026-12-31T23:00:00Z")),
        grant("purchase", "250", "250", None, None),
    ]
}

fn statements() -> Vec<StatementRow> {
    let row = |number, from: &str, to: &str, consumed: &str, closing: &str| StatementRow {
        number,
        cycle: (time(from), time(to)),
        is_closed: number < 3,
        package: credits("1000"),
        purchased: credits(if number == 2 { "1000" } else { "250" }),
        consumed: credits(consumed),
        closing: credits(closing),
        url: Some("statement.html".to_owned()),
    };
    vec![
        row(3, "2026-11-05T23:00:00Z", "2026-12-05T23:00:00Z", "340.25", "910.25"),
        row(2, "2026-10-05T22:00:00Z", "2026-11-05T23:00:00Z", "1612.0825", "0"),
        row(1, "2026-09-05T22:00:00Z", "2026-10-05T22:00:00Z", "804.5", "445.5"),
    ]
}

/// A credits page of an account that is well.
pub(crate) fn account(window: Window, by: Grouping, rows: i64) -> CreditsView {
    let days = match window {
        Window::Week => 7,
        Window::Month => 30,
        Window::Quarter => 90,
        Window::All => 400,
    };
    let agents = AGENTS.map(|(agent, ..)| agent);
    CreditsView {
        balance: balance(),
        low_share_e4: 8_000,
        address: Address { window, by, ..Address::default() },
        path: "credits.html".to_owned(),
        events_url: None,
        usage: usage(days, &MODELS, &agents, by),
        log: log(rows),
        grants: grants(),
        statements: statements(),
        log_csv_url: Some("entries.csv".to_owned()),
        usage_csv_url: Some("usage.csv".to_owned()),
    }
}

/// More models than there are colours.
pub(crate) fn many_models() -> CreditsView {
    let names: Vec<String> = (1..=12).map(|n| format!("model-{n}")).collect();
    let names: Vec<&str> = names.iter().map(String::as_str).collect();
    let view = account(Window::Quarter, Grouping::Model, 50);
    CreditsView { usage: usage(90, &names, &["support-bot"], Grouping::Model), ..view }
}

/// Names as long, as foreign and as ill-meant as callers may send.
pub(crate) fn strange_names() -> CreditsView {
    let long = "a-model-with-a-name-that-nobody-would-choose-and-somebody-will-".repeat(3);
    let names = [long.as_str(), "עוזר מכירות \u{202e}", "\"><script>alert(1)</script>", "🤖"];
    let mut view = account(Window::Month, Grouping::Model, 12);
    view.usage = usage(30, &names, &names, Grouping::Model);
    for (entry, name) in view.log.entries.iter_mut().zip(names.iter().cycle()) {
        entry.model = Some((*name).to_owned());
        entry.agent = Some((*name).to_owned());
        entry.details = vec![((*name).to_owned(), (*name).to_owned())];
    }
    view
}

pub(crate) fn low() -> CreditsView {
    let mut view = account(Window::Week, Grouping::Model, 12);
    view.balance = Balance {
        consumed: credits("1128.4"),
        remaining: credits("109.6"),
        spendable: credits("109.6"),
        package_remaining: Amount::ZERO,
        other_remaining: Amount::ZERO,
        purchased_remaining: credits("109.6"),
        used_share_e4: 9027,
        daily_average: Some(credits("41.2")),
        runs_out_at: Some(time("2026-11-27T09:33:00Z")),
        next_expiry: None,
        ..view.balance
    };
    view
}

pub(crate) fn exhausted() -> CreditsView {
    let mut view = low();
    view.balance = Balance {
        consumed: credits("1250"),
        remaining: Amount::ZERO,
        spendable: Amount::ZERO,
        purchased_remaining: Amount::ZERO,
        held: Amount::ZERO,
        used_share_e4: 10_000,
        runs_out_at: Some(view.balance.at),
        ..view.balance
    };
    view.grants.clear();
    view
}

pub(crate) fn overdrawn() -> CreditsView {
    let mut view = exhausted();
    view.balance.overage = credits("36.5");
    view.balance.spendable = credits("63.5");
    view
}

/// An account that was opened a moment ago.
pub(crate) fn fresh() -> CreditsView {
    let mut view = account(Window::Month, Grouping::Model, 0);
    view.balance = Balance {
        consumed: Amount::ZERO,
        remaining: credits("1000"),
        spendable: credits("1000"),
        package_remaining: credits("1000"),
        other_remaining: Amount::ZERO,
        purchased: Amount::ZERO,
        purchased_remaining: Amount::ZERO,
        held: Amount::ZERO,
        used_share_e4: 0,
        daily_average: None,
        runs_out_at: None,
        next_expiry: Some((view.balance.cycle.1, credits("1000"))),
        days_left: 30,
        ..view.balance
    };
    view.usage = Usage { from: TODAY - 29, to: TODAY + 1, ..Usage::default() };
    view.grants.truncate(1);
    view.grants[0].remaining = credits("1000");
    view.statements.clear();
    view
}

pub(crate) fn form(action: &str) -> Form {
    Form { action: action.to_owned(), csrf: "c5rf".to_owned(), request: "r1".to_owned(), typed: Vec::new() }
}

pub(crate) fn dollars(amount: &str) -> Money {
    Money { amount: credits(amount), currency: "USD".to_owned(), decimals: 2 }
}

pub(crate) fn purchase() -> PurchaseView {
    let pack = |name: &str, amount: &str, price: &str| Pack {
        name: name.to_owned(),
        credits: credits(amount),
        price: dollars(price),
    };
    let row = |id: &str, at: &str, pack: Option<&str>, amount: &str, remaining: &str, paid: &str| PurchaseRow {
        id: id.to_owned(),
        at: time(at),
        pack: pack.map(str::to_owned),
        credits: credits(amount),
        remaining: credits(remaining),
        paid: dollars(paid),
        refunded: Amount::ZERO,
        settlement: "invoiced".to_owned(),
        receipt_url: Some("receipt.html".to_owned()),
    };
    let mut history = vec![
        row("pu_3f_4210", "2026-11-19T09:12:33Z", None, "250", "250", "1.25"),
        row("pu_3f_2907", "2026-10-21T15:40:02Z", Some("small"), "1000", "0", "5"),
        row("pu_3f_1240", "2026-09-18T07:01:59Z", Some("medium"), "5000", "0", "22.5"),
    ];
    history[2].refunded = credits("22.5");
    history[2].settlement = "refunded".to_owned();
    PurchaseView {
        remaining: credits("897.75"),
        packs: vec![pack("small", "1000", "5"), pack("medium", "5000", "22.5"), pack("large", "20000", "80")],
        custom: Some(CustomAmount {
            least: credits("100"),
            most: credits("1000000"),
            price_per_credit: dollars("0.005"),
        }),
        confirm_path: "confirm.html".to_owned(),
        buy: Some(form("buy")),
        is_paid_first: false,
        waiting: Vec::new(),
        history,
        older_url: None,
        auto_top_up: Some(AutoTopUp {
            form: form("auto-top-up"),
            is_enabled: true,
            threshold: Some(credits("100")),
            pack: Some("small".to_owned()),
            at_most: 3,
            period_days: 30,
            bought: vec![time("2026-11-19T09:12:33Z")],
            is_of_plan: false,
        }),
        alerts: Some(AlertSettings {
            form: form("alerts"),
            used_e4: vec![8_000, 10_000],
            remaining: vec![credits("100"), credits("20")],
            is_of_plan: true,
        }),
    }
}

/// Where customers pay before they have what they buy: two orders wait for that, and one of them is somebody else's to pay.
pub(crate) fn purchase_paid_first() -> PurchaseView {
    let row = |id: &str, at: &str, pack: Option<&str>, amount: &str, price: &str, pay_url: Option<&str>| WaitingRow {
        id: id.to_owned(),
        at: time(at),
        pack: pack.map(str::to_owned),
        credits: credits(amount),
        price: dollars(price),
        pay_url: pay_url.map(str::to_owned),
    };
    let pay_url = Some("https://pay.example/c/4d2f");
    let waiting = vec![
        row("or_9b1f0c", "2026-11-24T08:01:11Z", Some("medium"), "5000", "22.5", pay_url),
        row("or_33d08a", "2026-11-23T16:44:50Z", None, "250", "1.25", None),
    ];
    PurchaseView { is_paid_first: true, waiting, ..purchase() }
}

pub(crate) fn confirm() -> Confirm {
    Confirm {
        form: form("buy"),
        pack: Some("medium".to_owned()),
        credits: credits("5000"),
        price: dollars("22.5"),
        remaining: credits("897.75"),
        is_paid_first: false,
        back_url: "purchase.html".to_owned(),
    }
}

pub(crate) fn receipt() -> ReceiptView {
    let mut history = purchase().history;
    ReceiptView {
        purchase: history.remove(1),
        invoice: Some("INV-2026-0117".to_owned()),
        seller: Party {
            name: "Knock Software GmbH".to_owned(),
            lines: vec!["Lindenstraße 4, 10969 Berlin".to_owned(), "VAT DE 123 456 789".to_owned()],
        },
        buyer: Party { name: "Acme Dental Group".to_owned(), lines: vec!["account acme".to_owned()] },
        hash: hash(9),
        back_url: "purchase.html".to_owned(),
    }
}

pub(crate) fn statement() -> StatementView {
    let view = account(Window::Month, Grouping::Model, 0);
    StatementView {
        row: view.statements[1].clone(),
        opening: credits("445.5"),
        movements: [
            ("package", "1000"),
            ("purchased", "1000"),
            ("charged", "-1620.5825"),
            ("refunded", "8.5"),
            ("expired", "-833.4175"),
            ("voided", "0"),
        ]
        .map(|(name, amount)| (name.to_owned(), credits(amount)))
        .to_vec(),
        models: view.usage.models,
        agents: view.usage.agents,
        back_url: "credits.html".to_owned(),
    }
}

pub(crate) fn agency() -> AgencyView {
    let company = |id: &str, name: &str, consumed: &str, remaining: &str, used_share_e4| Company {
        id: id.to_owned(),
        name: Some(name.to_owned()),
        plan: "starter".to_owned(),
        consumed: credits(consumed),
        remaining: credits(remaining),
        used_share_e4,
        is_suspended: id == "harbour",
        url: Some("credits.html".to_owned()),
    };
    AgencyView {
        remaining: credits("8420.5"),
        companies: vec![
            company("acme", "Acme Dental Group", "340.25", "897.75", 2722),
            company("northside", "Northside Physiotherapy", "912.8", "87.2", 9128),
            company("bluebird", "Bluebird Travel", "1500", "0", 10_000),
            company("harbour", "Harbour Lane Lettings", "0", "1000", 0),
            company("kiln", "Kiln & Clay", "12.5025", "987.4975", 125),
        ],
        more_url: None,
        allocate: Some(form("allocate")),
        chosen: Some("northside".to_owned()),
        path: "agency.html".to_owned(),
    }
}
