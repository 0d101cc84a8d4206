//! The scenario language: one command a line. See the module above for its words.

use super::describe::{balance_line, field, grants_line, holds_line, optional_amount};
use super::world::World;
use crate::kit::{amount, charge, rating, time};
use ledger_core::calendar::parse_zone;
use ledger_core::{
    Amount, ChargeMade, Command, CostBasis, DeductRequest, EndRequest, ExtendRequest, FirstCycle, GrantRequest,
    HoldRequest, HoldTerms, LineItem, OnExcess, Opening, Period, Plan, PlanRequest, Priced, Quantity, ReceiveRequest,
    RefundRequest, ReleaseRequest, Rollover, SendRequest, SettleRequest, Settlement, Source, Status, TakeBackRequest,
    Update, Updated, advance, balance,
};

const DAY_MS: i64 = 86_400_000;
/// How late a hold may be settled, unless the scenario says otherwise.
const LATE_DAYS: i64 = 34;

/// The words of a line.
struct Words<'a>(Vec<&'a str>);

impl<'a> Words<'a> {
    fn get(&self, index: usize) -> &'a str {
        self.0.get(index).unwrap_or_else(|| panic!("a word is missing in {:?}", self.0))
    }

    fn has(&self, word: &str) -> bool {
        self.0.contains(&word)
    }

    /// The word after another.
    fn after(&self, word: &str) -> Option<&'a str> {
        self.0.iter().position(|w| *w == word).map(|index| self.get(index + 1))
    }

    fn amount_after(&self, word: &str) -> Amount {
        self.after(word).map(amount).unwrap_or_default()
    }

    fn on_excess(&self) -> OnExcess {
        let found = OnExcess::ALL.into_iter().find(|(_, name)| self.has(name));
        found.map_or(OnExcess::Reject, |(rule, _)| rule)
    }
}

/// `60s`, `5m`, `2h` or `3d`, in milliseconds.
fn duration(text: &str) -> i64 {
    let (number, unit) = text.split_at(text.len() - 1);
    let unit = match unit {
        "s" => 1000,
        "m" => 60_000,
        "h" => 3_600_000,
        "d" => DAY_MS,
        other => panic!("no unit of time: {other}"),
    };
    number.parse::<i64>().unwrap() * unit
}

/// A price, with the usage that `used seconds=60` says it is of.
fn priced(words: &Words<'_>, price: &str) -> Priced {
    let quantities: Vec<Quantity> = words.after("used").map_or(Vec::new(), |used| {
        let (unit, count) = used.split_once('=').unwrap();
        vec![Quantity { unit: unit.into(), amount: count.parse().unwrap() }]
    });
    let price = amount(price);
    let items = [LineItem { label: "price".into(), unit: "".into(), quantity: 1, credits: price }];
    Priced { quantities: quantities.into(), items: items.into(), price }
}

impl World {
    /// Runs a line, `NAME: COMMAND` for any account but acme.
    pub(super) fn run(&mut self, line: &str) -> String {
        let mut words: Vec<&str> = line.split_whitespace().collect();
        let mut name = "acme";
        if let Some(other) = words[0].strip_suffix(':') {
            name = other;
            words.remove(0);
        }
        let words = Words(words);
        match words.get(0) {
            "plan" => {
                self.define(plan(&words));
                String::new()
            }
            "at" => {
                self.now = time(words.get(1));
                String::new()
            }
            "open" => self.open(name, &opening(name, &words)),
            "balance" | "show" | "grants" | "holds" => self.look(name, &words),
            "transfer" => {
                // The three steps of a transfer that nothing comes between.
                let to = words.after("to").unwrap().to_owned();
                let sent = self.run_command(name, &Words(vec!["send", words.get(1), "to", &to]));
                if sent.contains("refused") {
                    return sent;
                }
                let transfer = self.kept(name).account.sequence.to_string();
                let received = self.run_command(&to, &Words(vec!["receive", name, &transfer]));
                let ended = self.run_command(name, &Words(vec!["arrived", &transfer]));
                format!("{sent} | {received} | {ended}")
            }
            _ => self.run_command(name, &words),
        }
    }

    fn look(&self, name: &str, words: &Words<'_>) -> String {
        // A read ahead on a copy must see what booking would write.
        let mut copy = self.kept(name).account.clone();
        advance(&mut copy, &self.plans, self.now).unwrap();
        let b = balance(&copy, &self.plans, self.now.max(copy.last_at));
        let parts = [b.package_remaining, b.purchased_remaining, b.other_remaining].map(Amount::micros);
        assert_eq!(parts.iter().sum::<i64>(), b.remaining.micros(), "the parts of remaining sum to it");
        match words.get(0) {
            "balance" => balance_line(&b),
            "grants" => grants_line(&copy),
            "holds" => holds_line(&copy),
            _ => words.0[1..].iter().map(|name| field(name, &b, &copy)).collect::<Vec<_>>().join(", "),
        }
    }

    fn run_command(&mut self, name: &str, words: &Words<'_>) -> String {
        if matches!(words.get(0), "extend" | "settle" | "release") {
            // What is due is booked before the store is asked how a hold has ended.
            self.noted = self.execute(name, &Command::Advance);
        }
        let kept = self.kept(name);
        let by_name = |index: usize| kept.hold(words.get(index));
        let command = match words.get(0) {
            "advance" => Command::Advance,
            "grant" | "purchase" => Command::Grant(grant(words)),
            "charge" => {
                let occurred_at = words.after("occurred").map_or(self.now, time);
                charge(amount(words.get(1)), words.on_excess(), occurred_at)
            }
            "status" | "zone" | "anchor" | "parent" | "put" => Command::Update(Box::new(update(kept, words))),
            "hold" => {
                let terms = HoldTerms {
                    plan: kept.account.plan.clone(),
                    activity: "voice_inbound".into(),
                    agent: None,
                    model: None,
                    opened_at: self.now,
                    rating: Some(rating()),
                    on_excess: words.on_excess(),
                };
                let ttl_ms = duration(words.after("ttl").unwrap_or("1h"));
                let command =
                    Command::OpenHold(Box::new(HoldRequest { terms, priced: priced(words, words.get(2)), ttl_ms }));
                let opens = words.get(1).to_owned();
                let text = self.execute(name, &command);
                let sequence = self.kept(name).account.sequence;
                if let Some(kept) =
                    self.accounts.get_mut(name).filter(|kept| kept.account.holds.get(sequence).is_some())
                {
                    kept.holds.insert(opens, sequence);
                }
                return text;
            }
            "extend" => {
                let hold = by_name(1);
                Command::ExtendHold(Box::new(ExtendRequest {
                    hold,
                    priced: optional_amount(words.0.get(2)).map(|_| priced(words, words.get(2))),
                    ttl_ms: words.after("ttl").map(duration),
                    ended: kept.ended(hold),
                }))
            }
            "settle" => {
                let hold = by_name(1);
                Command::SettleHold(Box::new(SettleRequest {
                    hold,
                    priced: optional_amount(words.0.get(2)).map(|_| priced(words, words.get(2))),
                    is_final: words.has("final"),
                    late_ms_max: words.after("late").map_or(LATE_DAYS * DAY_MS, duration),
                    ended: kept.ended(hold),
                    grants: kept.grant_terms(),
                    charges: kept.settles_of(hold),
                }))
            }
            "release" => {
                let hold = by_name(1);
                Command::ReleaseHold(ReleaseRequest { hold, ended: kept.ended(hold) })
            }
            "refund" => {
                let charge = ChargeMade::of(kept.entry(words.get(1).parse().unwrap())).unwrap();
                let credits = optional_amount(words.0.get(2));
                Command::Refund(Box::new(RefundRequest { charge, credits, grants: kept.grant_terms() }))
            }
            "void" => Command::Void(words.get(1).parse().unwrap()),
            "deduct" => Command::Deduct(DeductRequest { credits: amount(words.get(1)), allow_debt: words.has("debt") }),
            "take-back" => Command::TakeBack(TakeBackRequest {
                grant: words.get(1).parse().unwrap(),
                money: optional_amount(words.0.get(2)),
                is_dispute: words.has("dispute"),
            }),
            "change-plan" => Command::ChangePlan(PlanRequest {
                plan: words.get(1).into(),
                at_next_cycle: words.has("next"),
                is_proportional: !words.has("none"),
                restarts_cycle: words.has("restart"),
            }),
            "send" => {
                let to = self.kept(words.after("to").unwrap());
                Command::SendTransfer(SendRequest {
                    to: to.account.number,
                    to_id: to.account.id.clone(),
                    credits: amount(words.get(1)),
                })
            }
            "receive" => {
                let from = self.kept(words.get(1));
                let transfer = words.get(2).parse().unwrap();
                Command::ReceiveTransfer(Box::new(ReceiveRequest {
                    from: from.account.number,
                    transfer,
                    portions: from.sent(transfer).portions.clone(),
                    grants: kept.grant_terms(),
                }))
            }
            "arrived" | "reverse" => {
                let transfer = words.get(1).parse().unwrap();
                let is_reversed = words.get(0) == "reverse";
                Command::EndTransfer(Box::new(EndRequest {
                    transfer,
                    reversed: is_reversed.then(|| kept.sent(transfer).portions.clone()),
                    grants: kept.grant_terms(),
                }))
            }
            "erase" => {
                let range = |text: &&str| {
                    let (first, last) = text.split_once('-').unwrap();
                    (first.parse().unwrap(), last.parse().unwrap())
                };
                Command::Erase(words.0[1..].iter().map(range).collect())
            }
            other => panic!("no such command: {other}"),
        };
        let noted = std::mem::take(&mut self.noted);
        let text = self.execute(name, &command);
        [noted, text].iter().filter(|part| !part.is_empty()).cloned().collect::<Vec<_>>().join("; ")
    }
}

fn plan(words: &Words<'_>) -> Plan {
    let number = |text: &str| text.parse::<u32>().unwrap();
    let cycle = match (words.after("days"), words.after("months")) {
        _ if words.has("weekly") => Period::Days(7),
        _ if words.has("yearly") => Period::Months(12),
        (Some(days), _) => Period::Days(number(days)),
        (None, months) => Period::Months(months.map_or(1, number)),
    };
    let rollover = words.after("rollover").map(|rule| {
        let (cap, cycles) = rule.split_once('x').unwrap();
        Rollover { cap: amount(cap), cycles: cycles.parse().unwrap() }
    });
    Plan {
        name: words.get(1).into(),
        cycle,
        package: amount(words.get(2)),
        rollover,
        overage_limit: words.amount_after("overage"),
        first_cycle: words.after("first").map_or(FirstCycle::Full, |rule| FirstCycle::parse(rule).unwrap()),
        grace: words.amount_after("grace"),
    }
}

fn opening(name: &str, words: &Words<'_>) -> Opening {
    Opening {
        id: name.into(),
        plan: words.get(1).into(),
        zone: words.after("zone").map(|zone| parse_zone(zone).unwrap()),
        anchor: words.after("anchor").map(time),
        status: Status::ALL.into_iter().find(|(_, name)| words.has(name)).map_or(Status::Active, |(status, _)| status),
        parent: words.after("parent").map(Into::into),
    }
}

/// `grant SOURCE CREDITS …`, or `purchase CREDITS paid MONEY CURRENCY [pack PACK] …`.
fn grant(words: &Words<'_>) -> GrantRequest {
    let (source, credits) = match words.get(0) {
        "purchase" => (Source::Purchase, words.get(1)),
        _ => (Source::parse(words.get(1)).unwrap(), words.get(2)),
    };
    let cost = words.0.iter().position(|word| *word == "paid").map(|paid| CostBasis {
        currency: words.get(paid + 2).into(),
        paid: amount(words.get(paid + 1)),
        invoice: None,
        settlement: Settlement::Paid,
        pack: words.after("pack").map(Into::into),
    });
    GrantRequest {
        source,
        credits: amount(credits),
        priority: words.after("priority").map(|p| p.parse().unwrap()),
        effective_at: words.after("effective").map(time),
        expires_at: words.after("expires").map(time),
        cost,
    }
}

fn update(kept: &super::world::Kept, words: &Words<'_>) -> Update {
    let mut settings = Updated::default();
    match words.get(0) {
        "status" => settings.status = Status::parse(words.get(1)),
        "zone" => settings.zone = parse_zone(words.get(1)),
        "anchor" => settings.anchor = Some(time(words.get(1))),
        "parent" => settings.parent = Some(words.get(1).into()),
        _ => {}
    }
    let plan = if words.get(0) == "put" { words.get(1).into() } else { kept.account.plan.clone() };
    Update { plan, settings, ..Update::default() }
}
