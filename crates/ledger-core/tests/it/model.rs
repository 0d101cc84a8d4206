//! Random commands on an account beside a model that is written for obviousness: a plain list of grants, searched and
//! sorted anew each time.

use crate::scenario::charge;
use ledger_core::{
    AccountNumber, Amount, Body, Command, GrantRequest, OnExcess, Opening, Period, Plan, PlanBook, Refusal, Sealed,
    Source, Status, Timestamp, encoding, execute, open, recount,
};
use proptest::prelude::*;

#[derive(Clone, Debug)]
enum Step {
    Wait { hours: i64 },
    Grant { source: Source, credits: i64, priority: Option<u32>, starts_in_hours: i64, lives_hours: Option<i64> },
    Charge { credits: i64, on_excess: OnExcess },
}

fn step() -> impl Strategy<Value = Step> {
    let source = prop_oneof![Just(Source::Promotion), Just(Source::Adjustment), Just(Source::Purchase)];
    let on_excess = prop_oneof![4 => Just(OnExcess::Reject), 1 => Just(OnExcess::Cap), 1 => Just(OnExcess::Overflow)];
    prop_oneof![
        2 => (1_i64..400).prop_map(|hours| Step::Wait { hours }),
        3 => (source, 1_i64..50, prop::option::of(0_u32..60), 0_i64..50, prop::option::of(1_i64..2000)).prop_map(
            |(source, credits, priority, starts_in_hours, lives_hours)| Step::Grant {
                source, credits, priority, starts_in_hours, lives_hours
            }
        ),
        6 => (0_i64..40, on_excess).prop_map(|(credits, on_excess)| Step::Charge { credits, on_excess }),
    ]
}

const HOUR_MS: i64 = 3_600_000;
const PACKAGE: i64 = 100;
const OVERAGE: i64 = 15;

/// The naive model: whole credits, whole hours, cycles of ten days.
#[derive(Default)]
struct Model {
    hour: i64,
    debt: i64,
    charged: i64,
    expired: i64,
    granted: i64,
    grants: Vec<ModelGrant>,
    cycles: i64,
}

#[derive(Clone)]
struct ModelGrant {
    priority: u32,
    expires: Option<i64>,
    starts: i64,
    order: usize,
    left: i64,
    started: bool,
}

impl ModelGrant {
    fn burning_key(&self) -> (u32, i64, i64, usize) {
        (self.priority, self.expires.unwrap_or(i64::MAX), self.starts, self.order)
    }
}

const CYCLE_HOURS: i64 = 240;

impl Model {
    fn receive(&mut self, index: usize) {
        let amount = self.grants[index].left;
        let paid = amount.min(self.debt);
        self.debt -= paid;
        self.granted += amount;
        self.grants[index].left -= paid;
        self.grants[index].started = true;
    }

    fn add(&mut self, priority: u32, left: i64, starts: i64, expires: Option<i64>) {
        let order = self.grants.len();
        self.grants.push(ModelGrant { priority, expires, starts, order, left, started: false });
        if starts <= self.hour {
            self.receive(order);
        }
    }

    /// Hour by hour: expiries, then the new package, then what takes effect.
    fn wait(&mut self, hours: i64) {
        for _ in 0..hours {
            self.hour += 1;
            let now = self.hour;
            for grant in self.grants.iter_mut().filter(|g| g.started && g.expires.is_some_and(|e| e <= now)) {
                self.expired += grant.left;
                grant.left = 0;
            }
            if now % CYCLE_HOURS == 0 {
                self.cycles += 1;
                self.add(10, PACKAGE, now, Some(now + CYCLE_HOURS));
            }
            // What takes effect at one instant pays debt in burning order.
            let due = |g: &ModelGrant| !g.started && g.starts <= now;
            let mut taking_effect: Vec<usize> = (0..self.grants.len()).filter(|i| due(&self.grants[*i])).collect();
            taking_effect.sort_by_key(|i| self.grants[*i].burning_key());
            for index in taking_effect {
                self.receive(index);
            }
        }
    }

    fn remaining(&self) -> i64 {
        self.grants.iter().filter(|g| g.started).map(|g| g.left).sum()
    }

    /// What is collected, or `None` for a refusal.
    fn charge(&mut self, credits: i64, on_excess: OnExcess) -> Option<i64> {
        let free = self.remaining().min(credits);
        let headroom = (OVERAGE - self.debt).max(0);
        let overage = if on_excess == OnExcess::Cap { 0 } else { (credits - free).min(headroom) };
        if on_excess == OnExcess::Reject && free + overage < credits {
            return None;
        }
        let mut left = free;
        let mut order: Vec<usize> = (0..self.grants.len()).filter(|i| self.grants[*i].started).collect();
        order.sort_by_key(|i| self.grants[*i].burning_key());
        for index in order {
            let taken = left.min(self.grants[index].left);
            self.grants[index].left -= taken;
            left -= taken;
        }
        self.debt += overage;
        self.charged += free + overage;
        Some(free + overage)
    }
}

fn credits(whole: i64) -> Amount {
    Amount::from_credits(whole).unwrap()
}

fn at(hour: i64) -> Timestamp {
    Timestamp::from_millis(1_790_000_000_000 - 1_790_000_000_000 % HOUR_MS + hour * HOUR_MS)
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 400, ..ProptestConfig::default() })]

    #[test]
    fn the_ledger_agrees_with_the_model(steps in prop::collection::vec(step(), 1..80)) {
        let mut plans = PlanBook::default();
        let plan = Plan {
            name: "pro".into(),
            cycle: Period::Days(10),
            package: credits(PACKAGE),
            rollover: None,
            overage_limit: credits(OVERAGE),
            grace: Amount::ZERO,
        };
        plans.define(at(0), plan.clone());
        let opening = Opening {
            id: "acme".into(), plan: "pro".into(), zone: None, anchor: None, status: Status::Active, parent: None,
        };
        let (mut account, entries) = open(AccountNumber(1), &opening, &plan, None, at(0)).unwrap();
        let mut journal: Vec<Sealed> = entries;
        let mut model = Model::default();
        model.add(10, PACKAGE, 0, Some(CYCLE_HOURS));

        for step in steps {
            let before = model.remaining();
            let (command, expected) = match step {
                Step::Wait { hours } => {
                    model.wait(hours);
                    (Command::Advance, None)
                }
                Step::Grant { source, credits: amount, priority, starts_in_hours, lives_hours } => {
                    let starts = model.hour + starts_in_hours;
                    let expires = lives_hours.map(|hours| starts + hours);
                    let request = GrantRequest {
                        source,
                        credits: credits(amount),
                        priority,
                        effective_at: Some(at(starts)),
                        expires_at: expires.map(at),
                    };
                    model.add(priority.unwrap_or(source.default_priority()), amount, starts, expires);
                    (Command::Grant(request), None)
                }
                Step::Charge { credits: amount, on_excess } => {
                    let collected = model.charge(amount, on_excess);
                    (charge(credits(amount), on_excess, at(model.hour)), Some((amount, collected)))
                }
            };
            let outcome = execute(&mut account, &plans, &command, None, at(model.hour)).unwrap();
            journal.extend(outcome.entries.clone());
            if let Some((amount, collected)) = expected {
                match (&outcome.result, collected) {
                    (Ok(Some(index)), Some(collected)) => {
                        let Body::Charge(charge) = &outcome.entries[*index].entry.body else { panic!() };
                        prop_assert_eq!(charge.debited(), Some(credits(collected)));
                    }
                    (Err(Refusal::InsufficientCredits { required, available }), None) => {
                        prop_assert_eq!(*required, credits(amount));
                        prop_assert_eq!(*available, credits(before + (OVERAGE - model.debt).max(0)));
                    }
                    (result, collected) => prop_assert!(false, "{:?} beside {:?}", result, collected),
                }
            }
            recount(&account).unwrap();
            let totals = &account.totals;
            prop_assert_eq!(totals.remaining, credits(model.remaining()));
            prop_assert_eq!(totals.debt, credits(model.debt));
            prop_assert_eq!(totals.charged, credits(model.charged));
            prop_assert_eq!(totals.expired, credits(model.expired));
            prop_assert_eq!(totals.granted, credits(model.granted));
            prop_assert!(totals.debt <= credits(OVERAGE));
        }

        // The journal alone gives the account again, through its bytes, and its chain holds.
        let mut hash = encoding::GENESIS;
        let mut folded: Option<ledger_core::Account> = None;
        for sealed in &journal {
            prop_assert_eq!(encoding::decode(&sealed.bytes), Ok(sealed.entry.clone()));
            hash = encoding::chain(&hash, &sealed.bytes);
            prop_assert_eq!(hash, sealed.hash);
            match &mut folded {
                None => folded = Some(ledger_core::Account::begin(sealed).unwrap()),
                Some(account) => ledger_core::apply(account, sealed).unwrap(),
            }
        }
        prop_assert_eq!(folded, Some(account));
    }
}
