//! Scenarios: one command a line, and after `=>` what must come of it. A new test is a new file in `scenarios/`.
//!
//! ```text
//! plan NAME PACKAGE [monthly|weekly|N days] [rollover CAP×CYCLES] [overage LIMIT]
//! at TIME                              the clock
//! open PLAN [zone ZONE] [anchor TIME] [cancelled]
//! grant SOURCE CREDITS [priority N] [effective TIME] [expires TIME]
//! charge CREDITS [cap|overflow]
//! status STATUS
//! advance                              books what is due
//! balance                              what a customer reads
//! ```

use ledger_core::calendar::parse_zone;
use ledger_core::entry::Draw;
use ledger_core::{
    Account, AccountNumber, Amount, Body, ChargeRequest, Command, Digest, Entry, GrantRequest, LineItem, OnExcess,
    Opening, Period, Plan, PlanBook, Rating, Refusal, Rollover, Sealed, Source, Status, Timestamp, Update, Updated,
    UsageEvent, advance, balance, execute, open, recount,
};
use std::fs;
use std::path::Path;

#[test]
fn every_scenario_comes_out_as_written() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/it/scenarios");
    let mut files: Vec<_> = fs::read_dir(folder).unwrap().map(|file| file.unwrap().path()).collect();
    files.sort();
    assert!(files.len() >= 10, "{files:?}");
    let mut wrong = Vec::new();
    for file in &files {
        let text = fs::read_to_string(file).unwrap();
        let mut world = World::default();
        for (number, line) in text.lines().enumerate() {
            let line = line.split('#').next().unwrap().trim();
            if line.is_empty() {
                continue;
            }
            let (command, expected) = line.split_once("=>").map_or((line, ""), |(c, e)| (c.trim(), e.trim()));
            let found = world.run(command);
            if found != expected {
                wrong.push(format!(
                    "{}:{}: {command}\n   expected {expected}\n   found    {found}",
                    file.file_name().unwrap().to_string_lossy(),
                    number + 1
                ));
            }
        }
    }
    assert!(wrong.is_empty(), "\n{}", wrong.join("\n"));
}

#[derive(Default)]
struct World {
    now: Timestamp,
    plans: PlanBook,
    account: Option<Account>,
}

pub(crate) fn amount(text: &str) -> Amount {
    text.parse().unwrap_or_else(|error| panic!("{text}: {error}"))
}

fn time(text: &str) -> Timestamp {
    let full = if text.len() == 10 { format!("{text}T00:00:00Z") } else { text.to_owned() };
    Timestamp::parse_rfc3339(&full).unwrap_or_else(|| panic!("{text} is no time"))
}

impl World {
    fn run(&mut self, line: &str) -> String {
        let words: Vec<&str> = line.split_whitespace().collect();
        let option = |name: &str| words.iter().position(|w| *w == name).map(|i| words[i + 1]);
        match words[0] {
            "plan" => {
                let cycle = match option("days") {
                    _ if words.contains(&"weekly") => Period::Days(7),
                    Some(days) => Period::Days(days.parse().unwrap()),
                    None => Period::Months(1),
                };
                let rollover = option("rollover").map(|rule| {
                    let (cap, cycles) = rule.split_once('x').unwrap();
                    Rollover { cap: amount(cap), cycles: cycles.parse().unwrap() }
                });
                self.plans.define(
                    self.now,
                    Plan {
                        name: words[1].into(),
                        cycle,
                        package: amount(words[2]),
                        rollover,
                        overage_limit: option("overage").map(amount).unwrap_or_default(),
                        grace: Amount::ZERO,
                    },
                );
                String::new()
            }
            "at" => {
                self.now = time(words[1]);
                String::new()
            }
            "open" => {
                let opening = Opening {
                    id: "acme".into(),
                    plan: words[1].into(),
                    zone: option("zone").map(|zone| parse_zone(zone).unwrap()),
                    anchor: option("anchor").map(time),
                    status: if words.contains(&"cancelled") { Status::Cancelled } else { Status::Active },
                    parent: None,
                };
                let plan = self.plans.in_force(words[1], self.now).unwrap().clone();
                let (account, entries) = open(AccountNumber(1), &opening, &plan, None, self.now).unwrap();
                self.account = Some(account);
                written(&entries)
            }
            "grant" => self.execute(&Command::Grant(GrantRequest {
                source: Source::parse(words[1]).unwrap(),
                credits: amount(words[2]),
                priority: option("priority").map(|p| p.parse().unwrap()),
                effective_at: option("effective").map(time),
                expires_at: option("expires").map(time),
            })),
            "charge" => {
                let on_excess = match words.get(2) {
                    Some(&"cap") => OnExcess::Cap,
                    Some(&"overflow") => OnExcess::Overflow,
                    _ => OnExcess::Reject,
                };
                self.execute(&charge(amount(words[1]), on_excess, self.now))
            }
            "status" => {
                let settings = Updated { status: Status::parse(words[1]), ..Updated::default() };
                let plan = self.account.as_ref().unwrap().plan.clone();
                self.execute(&Command::Update(Box::new(Update { plan, settings, ..Update::default() })))
            }
            "advance" => self.execute(&Command::Advance),
            "balance" => {
                // A read ahead on a copy must see what booking would write.
                let mut copy = self.account.clone().unwrap();
                advance(&mut copy, &self.plans, self.now).unwrap();
                let b = balance(&copy, &self.plans, self.now);
                let mut parts = vec![
                    format!("package {}", b.package),
                    format!("consumed {}", b.consumed),
                    format!("remaining {}", b.remaining),
                    format!("purchased {}", b.purchased),
                ];
                let others = [("overage", b.overage), ("other", b.other_remaining)];
                parts.extend(others.iter().filter(|(_, a)| !a.is_zero()).map(|(name, a)| format!("{name} {a}")));
                parts.push(format!("until {}", short(b.cycle.1)));
                parts.join(", ")
            }
            other => panic!("no such command: {other}"),
        }
    }

    fn execute(&mut self, command: &Command) -> String {
        let account = self.account.as_mut().unwrap();
        let outcome = execute(account, &self.plans, command, None, self.now).unwrap();
        recount(account).unwrap();
        let mut parts = Vec::new();
        if !outcome.entries.is_empty() {
            parts.push(written(&outcome.entries));
        }
        if let Err(refusal) = outcome.result {
            parts.push(match refusal {
                Refusal::InsufficientCredits { required, available } => {
                    format!("refused: {required} required, {available} available")
                }
                other => format!("refused: {other:?}"),
            });
        }
        parts.join("; ")
    }
}

/// A charge of a price.
pub(crate) fn charge(price: Amount, on_excess: OnExcess, now: Timestamp) -> Command {
    let event = UsageEvent {
        id: "evt".into(),
        account: "acme".into(),
        plan: "pro".into(),
        activity: "chat".into(),
        agent: None,
        model: None,
        occurred_at: now,
        quantities: [].into(),
        attributes: Vec::new(),
    };
    let items = [LineItem { label: "price".into(), unit: "".into(), quantity: 1, credits: price }];
    let rating = Rating { plugin: "test".into(), digest: Digest::default(), config_digest: Digest::default() };
    Command::Charge(Box::new(ChargeRequest { event, items: items.into(), price, rating, on_excess }))
}

fn written(entries: &[Sealed]) -> String {
    entries.iter().map(|sealed| describe(&sealed.entry)).collect::<Vec<_>>().join("; ")
}

fn short(t: Timestamp) -> String {
    let text = t.to_string();
    text.strip_suffix("T00:00:00Z").map_or(text.clone(), str::to_owned)
}

/// An entry in a few words: sequence, what happened, from which grants, and when, if that is not now.
fn describe(entry: &Entry) -> String {
    let n = entry.sequence;
    let draws = |draws: &[Draw]| draws.iter().map(|d| format!(" {}:{}", d.grant, d.credits)).collect::<String>();
    let paid = |paid: Amount| if paid.is_zero() { String::new() } else { format!(" paying {paid}") };
    match &entry.body {
        Body::Opened(_) => format!("{n} opened"),
        Body::Updated(_) => format!("{n} updated"),
        Body::Grant(grant) => {
            let at = if grant.cycle.is_some() { format!(" on {}", short(entry.recorded_at)) } else { String::new() };
            format!("{n} {} {}{}{at}", grant.source.name(), grant.amount, paid(grant.debt_paid))
        }
        Body::Effective { grant, debt_paid } => {
            format!("{n} effective {grant}{} on {}", paid(*debt_paid), short(entry.recorded_at))
        }
        Body::Charge(charge) => {
            let overage = if charge.overage.is_zero() { String::new() } else { format!(" overage {}", charge.overage) };
            let uncollected = if charge.uncollected.is_zero() {
                String::new()
            } else {
                format!(" uncollected {}", charge.uncollected)
            };
            format!("{n} charged{}{overage}{uncollected}", draws(&charge.draws))
        }
        Body::Expiry { grant, expired } => format!("{n} expired {grant}:{expired} on {}", short(entry.recorded_at)),
        Body::Rollover(rolled) => {
            format!(
                "{n} rolled{} until {} on {}",
                draws(&rolled.from),
                short(rolled.expires_at),
                short(entry.recorded_at)
            )
        }
    }
}
