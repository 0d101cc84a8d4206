//! The core under random steps, with what a service and a store know around it.

use super::steps::{DAY_MS, PLANS, Random, Step};
use crate::kit::{charge, rating, remade};
use ledger_core::{
    Account, AccountNumber, Amount, Body, ChargeMade, Command, CostBasis, DeductRequest, EndRequest, EndedHold,
    ExtendRequest, FirstCycle, GrantRequest, GrantTerms, HoldRequest, HoldStatus, HoldTerms, OnExcess, Opening, Period,
    Plan, PlanBook, PlanRequest, Priced, Quantity, ReceiveRequest, RefundRequest, Refusal, ReleaseRequest, Rollover,
    Sealed, SendRequest, SettleRequest, Settlement, Source, Status, TakeBackRequest, Timestamp, Update, Updated,
    execute, grant_terms, open, recount,
};
use std::collections::BTreeMap;

/// When every run begins; at midnight, so that a day of the calendar is one of 24 hours from here.
pub(crate) const START_MS: i64 = 1_767_225_600_000;
/// How long after its end a hold may be settled.
pub(crate) const LATE_MS: i64 = 20 * DAY_MS;
pub(crate) const NAMES: [&str; PLANS] = ["small", "large", "weekly", "free", "monthly"];

/// What a plan is, in whole numbers.
#[derive(Clone, Copy, Debug)]
pub(crate) struct PlanIs {
    pub(crate) days: i64,
    pub(crate) package: i64,
    pub(crate) cap: i64,
    pub(crate) cycles: u32,
    pub(crate) overage: i64,
    pub(crate) grace: i64,
}

/// The plans that every run begins with.
pub(crate) const PLANS_AT_START: [PlanIs; PLANS] = [
    PlanIs { days: 10, package: 100, cap: 30, cycles: 1, overage: 15, grace: 5 },
    PlanIs { days: 10, package: 251, cap: 90, cycles: 3, overage: 0, grace: 9 },
    PlanIs { days: 7, package: 60, cap: 0, cycles: 0, overage: 30, grace: 0 },
    PlanIs { days: 10, package: 0, cap: 0, cycles: 0, overage: 0, grace: 0 },
    PlanIs { days: 30, package: 301, cap: 100, cycles: 2, overage: 40, grace: 10 },
];

/// How a run opens its two accounts: plan, and rule for the first cycle.
pub(crate) fn openings(seed: u64) -> [(usize, usize); 2] {
    let mut random = Random::new(seed);
    [(random.pick(PLANS), random.pick(3)), (random.pick(PLANS), random.pick(3))]
}

/// One command, with everything said in whole numbers.
#[derive(Clone, Debug)]
pub(crate) enum Ask {
    Wait { ms: i64 },
    Define { plan: usize, is: PlanIs },
    Of { who: usize, what: What },
}

#[derive(Clone, Debug)]
pub(crate) enum What {
    Advance,
    Charge { credits: i64, rule: usize },
    Grant { source: usize, credits: i64, priority: Option<u32>, starts: i64, ends: Option<i64>, paid: Option<i64> },
    TakeBack { grant: u64, money: Option<i64>, dispute: bool },
    Hold { credits: i64, ttl_ms: i64, rule: usize },
    Extend { hold: u64, total: Option<i64>, ttl_ms: Option<i64> },
    Settle { hold: u64, total: Option<i64>, used: Option<u64>, is_final: bool },
    Release { hold: u64 },
    Refund { charge: u64, credits: Option<i64> },
    Void { grant: u64 },
    Deduct { credits: i64, debt: bool },
    Plan { plan: usize, next: bool, proportional: bool, restart: bool },
    Status { status: usize },
    Anchor { at: i64 },
    Send { credits: i64 },
    Receive { transfer: u64 },
    Arrived { transfer: u64 },
    Reverse { transfer: u64 },
}

/// What came of a command.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Said {
    Done,
    Nothing,
    Insufficient { required: i64, available: i64 },
    Suspended,
    Closed { status: &'static str, at: i64 },
    ExceedsHold { requested: i64, settled: i64, held: i64, available: i64 },
    UsageDecreased { previous: i64, stated: i64 },
    RefundExceedsCharge { charged: i64, refunded: i64, requested: i64 },
    RefundExceedsPurchase { paid: i64, refunded: i64, requested: i64 },
    NoGrant,
    GrantSpent,
    CycleLength,
    EndsBeforeEffect,
}

impl Said {
    pub(crate) fn kind(&self) -> &'static str {
        match self {
            Self::Done => "done",
            Self::Nothing => "nothing",
            Self::Insufficient { .. } => "insufficient",
            Self::Suspended => "suspended",
            Self::Closed { .. } => "closed",
            Self::ExceedsHold { .. } => "exceeds hold",
            Self::UsageDecreased { .. } => "usage decreased",
            Self::RefundExceedsCharge { .. } => "refund exceeds charge",
            Self::RefundExceedsPurchase { .. } => "refund exceeds purchase",
            Self::NoGrant => "no grant",
            Self::GrantSpent => "grant spent",
            Self::CycleLength => "cycle length",
            Self::EndsBeforeEffect => "ends before effect",
        }
    }
}

pub(crate) struct Driver {
    pub(crate) now: i64,
    pub(crate) plans: PlanBook,
    pub(crate) accounts: [Side; 2],
    definitions: [PlanIs; PLANS],
    /// Whether commands come upon what is due, instead of finding it booked already.
    pub(crate) is_lazy: bool,
}

/// One account with its journal, and what of it is looked up again and again.
pub(crate) struct Side {
    pub(crate) account: Account,
    pub(crate) journal: Vec<Sealed>,
    pub(crate) holds: Vec<u64>,
    charges: Vec<u64>,
    grants: Vec<u64>,
    purchases: Vec<u64>,
    transfers: Vec<u64>,
    terms: Vec<GrantTerms>,
    /// The index of the last entry about each hold.
    last_about: BTreeMap<u64, usize>,
}

fn micros(amount: i64) -> Amount {
    Amount::from_micros(amount).unwrap()
}

pub(crate) fn at(ms: i64) -> Timestamp {
    Timestamp::from_millis(START_MS + ms)
}

fn plan_of(name: &str, is: &PlanIs, first_cycle: FirstCycle) -> Plan {
    Plan {
        name: name.into(),
        cycle: Period::Days(u32::try_from(is.days).unwrap()),
        package: micros(is.package),
        rollover: (is.cap > 0).then(|| Rollover { cap: micros(is.cap), cycles: is.cycles }),
        overage_limit: micros(is.overage),
        first_cycle,
        grace: micros(is.grace),
    }
}

fn rule_of(rule: usize) -> OnExcess {
    [OnExcess::Reject, OnExcess::Cap, OnExcess::Overflow][rule]
}

pub(crate) const STATUSES: [Status; 4] = [Status::Trial, Status::Active, Status::Suspended, Status::Cancelled];
/// Each account is opened with an anchor so many milliseconds before it.
pub(crate) const ANCHORED_MS: [i64; 2] = [0, 3 * DAY_MS];

impl Driver {
    pub(crate) fn new(seed: u64) -> Self {
        let mut plans = PlanBook::default();
        for (name, is) in NAMES.iter().zip(&PLANS_AT_START) {
            plans.define(at(0), plan_of(name, is, FirstCycle::Full));
        }
        let openings = openings(seed);
        let side = |who: usize| {
            let (plan, first) = openings[who];
            let first = [FirstCycle::Full, FirstCycle::Proportional, FirstCycle::None][first];
            let opening = Opening {
                id: ["acme", "child"][who].into(),
                plan: NAMES[plan].into(),
                zone: None,
                anchor: Some(at(-ANCHORED_MS[who])),
                status: Status::Active,
                parent: (who == 1).then(|| "acme".into()),
            };
            let plan = plan_of(NAMES[plan], &PLANS_AT_START[plan], first);
            let number = AccountNumber(who as u64 + 1);
            let (account, entries) = open(number, &opening, &plan, None, at(0)).unwrap();
            let mut side = Side {
                account,
                journal: Vec::new(),
                holds: Vec::new(),
                charges: Vec::new(),
                grants: Vec::new(),
                purchases: Vec::new(),
                transfers: Vec::new(),
                terms: Vec::new(),
                last_about: BTreeMap::new(),
            };
            side.keep(entries);
            side
        };
        Self { now: 0, plans, accounts: [side(0), side(1)], definitions: PLANS_AT_START, is_lazy: false }
    }

    /// Says what exactly a step asks; `None` where there is nothing that it could be about.
    pub(crate) fn resolve(&self, step: &Step) -> Option<Ask> {
        let of = |who: usize, what: What| Some(Ask::Of { who, what });
        let choose = |list: &[u64], pick: usize| {
            // High numbers mean the newest.
            let index =
                if pick < 990 { pick % list.len().max(1) } else { list.len().checked_sub(1 + (1000 - pick))? };
            list.get(index).copied()
        };
        let choose_hold = |side: &Side, pick: usize| {
            // Mostly open ones; now and then any, since those that have ended are asked about too.
            let open: Vec<u64> = side.account.holds.iter().map(|hold| hold.sequence).collect();
            if pick % 6 == 5 || open.is_empty() { choose(&side.holds, pick) } else { choose(&open, pick) }
        };
        let total_of = |side: &Side, hold: u64, more: Option<i64>| {
            let priced = match side.account.holds.get(hold) {
                Some(hold) => hold.priced,
                None => side.ended(hold).map_or(Amount::ZERO, |ended| ended.priced),
            };
            more.map(|more| (priced.micros() + more).max(0))
        };
        match *step {
            Step::Wait { ms, grid_ms } => {
                let until = (self.now + ms + grid_ms - 1).div_euclid(grid_ms) * grid_ms;
                Some(Ask::Wait { ms: until - self.now })
            }
            Step::Advance { who } => of(who, What::Advance),
            Step::Charge { who, credits, rule } => of(who, What::Charge { credits, rule }),
            Step::Grant { who, source, credits, priority, starts_ms, lives_ms } => {
                let starts = self.now + starts_ms;
                let ends = lives_ms.map(|ms| starts + ms);
                of(who, What::Grant { source, credits, priority, starts, ends, paid: None })
            }
            Step::Purchase { who, credits, paid, starts_ms, lives_ms } => {
                let starts = self.now + starts_ms;
                let ends = lives_ms.map(|ms| starts + ms);
                of(who, What::Grant { source: 2, credits, priority: None, starts, ends, paid: Some(paid) })
            }
            Step::TakeBack { who, pick, money, dispute } => {
                // Now and then something that was not bought.
                let side = &self.accounts[who];
                let list = if pick % 10 == 7 { &side.grants } else { &side.purchases };
                of(who, What::TakeBack { grant: choose(list, pick)?, money, dispute })
            }
            Step::Hold { who, credits, ttl_ms, rule } => of(who, What::Hold { credits, ttl_ms, rule }),
            Step::Extend { who, pick, more, ttl_ms } => {
                let side = &self.accounts[who];
                let hold = choose_hold(side, pick)?;
                let there = side.account.holds.get(hold).and_then(|hold| hold.covered()).unwrap_or_default();
                let total = total_of(side, hold, more).map(|total| total + there.micros() / 2);
                of(who, What::Extend { hold, total, ttl_ms })
            }
            Step::Settle { who, pick, more, used, is_final } => {
                let side = &self.accounts[who];
                let hold = choose_hold(side, pick)?;
                of(who, What::Settle { hold, total: total_of(side, hold, more), used, is_final })
            }
            Step::Release { who, pick } => of(who, What::Release { hold: choose_hold(&self.accounts[who], pick)? }),
            Step::Refund { who, pick, credits } => {
                of(who, What::Refund { charge: choose(&self.accounts[who].charges, pick)?, credits })
            }
            Step::Void { who, pick } => {
                let side = &self.accounts[who];
                let unknown = pick % 50 == 7;
                of(who, What::Void { grant: if unknown { 1 } else { choose(&side.grants, pick)? } })
            }
            Step::Deduct { who, credits, debt } => of(who, What::Deduct { credits, debt }),
            Step::Plan { who, plan, next, proportional, restart } => {
                of(who, What::Plan { plan, next, proportional, restart })
            }
            Step::Define { plan, package, cap, cycles, overage, grace, days } => {
                let days = days.unwrap_or(self.definitions[plan].days);
                Some(Ask::Define { plan, is: PlanIs { days, package, cap, cycles, overage, grace } })
            }
            Step::Status { who, status } => of(who, What::Status { status }),
            Step::Anchor { who, at_ms } => of(who, What::Anchor { at: self.now + at_ms - 200 * 3_600_000 }),
            Step::Send { who, credits } => of(who, What::Send { credits }),
            Step::Receive { pick } | Step::Arrived { pick } | Step::Reverse { pick } => {
                let from = pick % 2;
                let transfer = choose(&self.accounts[from].transfers, pick)?;
                let here = &self.accounts[from].account.acts.in_transit;
                let there = &self.accounts[1 - from].account.acts.received;
                let has_arrived = there.contains(&(from as u64 + 1, transfer));
                match step {
                    // What was reversed is never received, and what was received never reversed: the service sees to it.
                    Step::Receive { .. } if here.contains(&transfer) || has_arrived => {
                        of(1 - from, What::Receive { transfer })
                    }
                    Step::Arrived { .. } if has_arrived => of(from, What::Arrived { transfer }),
                    Step::Reverse { .. } if !has_arrived => of(from, What::Reverse { transfer }),
                    _ => None,
                }
            }
        }
    }

    pub(crate) fn execute(&mut self, ask: &Ask) -> Result<Said, String> {
        match ask {
            Ask::Wait { ms } => {
                self.now += ms;
                Ok(Said::Nothing)
            }
            Ask::Define { plan, is } => {
                self.definitions[*plan] = *is;
                self.plans.define(at(self.now), plan_of(NAMES[*plan], is, FirstCycle::Full));
                Ok(Said::Nothing)
            }
            Ask::Of { who, what } => {
                // How a hold has ended, and which plan the account is on, is looked up when what is due has been booked.
                let looks_up = matches!(
                    what,
                    What::Extend { .. }
                        | What::Settle { .. }
                        | What::Release { .. }
                        | What::Hold { .. }
                        | What::Status { .. }
                        | What::Anchor { .. }
                );
                if self.is_lazy && !looks_up {
                    let command = self.command(*who, what);
                    return self.run(*who, &command);
                }
                self.run(*who, &Command::Advance)?;
                let command = self.command(*who, what);
                let before = self.accounts[*who].account.clone();
                let said = self.run(*who, &command)?;
                if !matches!(said, Said::Done) && self.accounts[*who].account != before {
                    return Err("what was refused, or was nothing, changed the account".to_owned());
                }
                self.check_limit(*who, what, &before)?;
                Ok(said)
            }
        }
    }

    /// No charge, hold, extension or settle leaves more debt, or more that rests on overage, than is allowed.
    fn check_limit(&self, who: usize, what: &What, before: &Account) -> Result<(), String> {
        let account = &self.accounts[who].account;
        let owed = |account: &Account| account.totals.debt.micros() + account.totals.overage_held.micros();
        let plan = self.plans.in_force(&account.plan, at(self.now)).unwrap();
        let allowed = plan.overage_limit.micros() + plan.grace.micros();
        let spends =
            matches!(what, What::Charge { .. } | What::Hold { .. } | What::Extend { .. } | What::Settle { .. });
        // A take-back, a deduction or a lower limit may have left more before.
        if spends && owed(account) > allowed.max(owed(before)) {
            return Err(format!("{} owed, {allowed} allowed", owed(account)));
        }
        // Who owes more than is allowed spends nothing but what holds have set aside before.
        let new = |account: &Account| {
            let totals = &account.totals;
            (totals.charged, totals.held, totals.overage_held)
        };
        let is_settle = matches!(what, What::Settle { .. });
        let is_over = before.totals.debt.is_positive() && owed(before) > allowed;
        if spends && !is_settle && is_over && new(account) != new(before) {
            return Err(format!("{} owed, {allowed} allowed, and more was spent", owed(before)));
        }
        Ok(())
    }

    pub(crate) fn command(&self, who: usize, what: &What) -> Command {
        let side = &self.accounts[who];
        let other = &self.accounts[1 - who];
        let priced = |total: i64, used: Option<u64>| {
            let quantities: Vec<Quantity> =
                used.map(|amount| Quantity { unit: "seconds".into(), amount }).into_iter().collect();
            Priced { quantities: quantities.into(), items: [].into(), price: micros(total) }
        };
        match *what {
            What::Advance => Command::Advance,
            What::Charge { credits, rule } => charge(micros(credits), rule_of(rule), at(self.now)),
            What::Grant { source, credits, priority, starts, ends, paid } => Command::Grant(GrantRequest {
                source: [Source::Promotion, Source::Adjustment, Source::Purchase][source],
                credits: micros(credits),
                priority,
                effective_at: Some(at(starts)),
                expires_at: ends.map(at),
                cost: paid.map(|paid| CostBasis {
                    currency: "USD".into(),
                    paid: micros(paid),
                    invoice: None,
                    settlement: Settlement::Paid,
                    pack: None,
                }),
            }),
            What::TakeBack { grant, money, dispute } => {
                Command::TakeBack(TakeBackRequest { grant, money: money.map(micros), is_dispute: dispute })
            }
            What::Hold { credits, ttl_ms, rule } => {
                let terms = HoldTerms {
                    plan: side.account.plan.clone(),
                    activity: "voice_inbound".into(),
                    agent: None,
                    model: None,
                    opened_at: at(self.now),
                    rating: Some(rating()),
                    on_excess: rule_of(rule),
                };
                Command::OpenHold(Box::new(HoldRequest { terms, priced: priced(credits, None), ttl_ms }))
            }
            What::Extend { hold, total, ttl_ms } => Command::ExtendHold(Box::new(ExtendRequest {
                hold,
                priced: total.map(|total| priced(total, None)),
                ttl_ms,
                ended: side.ended(hold).map(Box::new),
            })),
            What::Settle { hold, total, used, is_final } => Command::SettleHold(Box::new(SettleRequest {
                hold,
                priced: total.map(|total| priced(total, used)),
                is_final,
                late_ms_max: LATE_MS,
                ended: side.ended(hold).map(Box::new),
                grants: side.terms.clone(),
                charges: side.settles_of(hold),
            })),
            What::Release { hold } => {
                Command::ReleaseHold(ReleaseRequest { hold, ended: side.ended(hold).map(Box::new) })
            }
            What::Refund { charge, credits } => {
                let charge = ChargeMade::of(side.entry(charge)).unwrap();
                Command::Refund(Box::new(RefundRequest {
                    charge,
                    credits: credits.map(micros),
                    grants: side.terms.clone(),
                }))
            }
            What::Void { grant } => Command::Void(grant),
            What::Deduct { credits, debt } => {
                Command::Deduct(DeductRequest { credits: micros(credits), allow_debt: debt })
            }
            What::Plan { plan, next, proportional, restart } => Command::ChangePlan(PlanRequest {
                plan: NAMES[plan].into(),
                at_next_cycle: next,
                is_proportional: proportional,
                restarts_cycle: restart,
            }),
            What::Status { status } => update(side, Updated { status: Some(STATUSES[status]), ..Updated::default() }),
            What::Anchor { at: anchor } => update(side, Updated { anchor: Some(at(anchor)), ..Updated::default() }),
            What::Send { credits } => Command::SendTransfer(SendRequest {
                to: other.account.number,
                to_id: other.account.id.clone(),
                credits: micros(credits),
            }),
            What::Receive { transfer } => Command::ReceiveTransfer(Box::new(ReceiveRequest {
                from: other.account.number,
                transfer,
                portions: other.sent(transfer),
                grants: side.terms.clone(),
            })),
            What::Arrived { transfer } => {
                Command::EndTransfer(Box::new(EndRequest { transfer, reversed: None, grants: side.terms.clone() }))
            }
            What::Reverse { transfer } => Command::EndTransfer(Box::new(EndRequest {
                transfer,
                reversed: Some(side.sent(transfer)),
                grants: side.terms.clone(),
            })),
        }
    }

    fn run(&mut self, who: usize, command: &Command) -> Result<Said, String> {
        let side = &mut self.accounts[who];
        let outcome = execute(&mut side.account, &self.plans, command, None, at(self.now))
            .map_err(|broken| broken.to_string())?;
        recount(&side.account).map_err(|broken| broken.to_string())?;
        side.keep(outcome.entries);
        Ok(match outcome.result {
            Ok(Some(_)) => Said::Done,
            Ok(None) => Said::Nothing,
            Err(refusal) => said(&refusal),
        })
    }

    /// The journals alone make the accounts.
    pub(crate) fn check_journals(&self) {
        for side in &self.accounts {
            assert_eq!(remade(&side.journal), side.account);
        }
    }
}

fn update(side: &Side, settings: Updated) -> Command {
    Command::Update(Box::new(Update { plan: side.account.plan.clone(), settings, ..Update::default() }))
}

impl Side {
    pub(crate) fn keep(&mut self, entries: Vec<Sealed>) {
        for sealed in entries {
            let entry = &sealed.entry;
            let sequence = entry.sequence;
            if let Some(terms) = grant_terms(entry) {
                self.terms.push(terms);
                self.grants.push(sequence);
            }
            match &entry.body {
                Body::Grant(grant) if grant.source == Source::Purchase => self.purchases.push(sequence),
                Body::Hold(_) => self.holds.push(sequence),
                Body::TransferOut(_) => self.transfers.push(sequence),
                _ => {}
            }
            if ChargeMade::of(entry).is_some() {
                self.charges.push(sequence);
            }
            if let Some(hold) = entry.body.hold(sequence) {
                self.last_about.insert(hold, self.journal.len());
            }
            self.journal.push(sealed);
        }
    }

    fn entry(&self, sequence: u64) -> &ledger_core::Entry {
        &self.journal[usize::try_from(sequence).unwrap() - 1].entry
    }

    fn ended(&self, hold: u64) -> Option<EndedHold> {
        self.last_about.get(&hold).and_then(|index| EndedHold::of(&self.journal[*index].entry))
    }

    /// What the settles of a hold that has ended took, the last first.
    fn settles_of(&self, hold: u64) -> Vec<ChargeMade> {
        if self.ended(hold).is_none() {
            return Vec::new();
        }
        let entries = self.journal.iter().rev().map(|sealed| &sealed.entry);
        entries.filter(|entry| entry.body.hold(entry.sequence) == Some(hold)).filter_map(ChargeMade::of).collect()
    }

    fn sent(&self, transfer: u64) -> Vec<ledger_core::Portion> {
        match &self.entry(transfer).body {
            Body::TransferOut(out) => out.portions.clone(),
            other => panic!("{other:?}"),
        }
    }
}

fn said(refusal: &Refusal) -> Said {
    let m = |amount: &Amount| amount.micros();
    match refusal {
        Refusal::InsufficientCredits { required, available } => {
            Said::Insufficient { required: m(required), available: m(available) }
        }
        Refusal::AccountSuspended => Said::Suspended,
        Refusal::HoldClosed { status, closed_at } => {
            Said::Closed { status: HoldStatus::name(*status), at: closed_at.millis() - START_MS }
        }
        Refusal::ExceedsHold { requested, settled, held, available } => {
            Said::ExceedsHold { requested: m(requested), settled: m(settled), held: m(held), available: m(available) }
        }
        Refusal::UsageDecreased { previous, stated } => {
            Said::UsageDecreased { previous: m(previous), stated: m(stated) }
        }
        Refusal::RefundExceedsCharge { charged, refunded, requested } => {
            Said::RefundExceedsCharge { charged: m(charged), refunded: m(refunded), requested: m(requested) }
        }
        Refusal::RefundExceedsPurchase { paid, refunded, requested, .. } => {
            Said::RefundExceedsPurchase { paid: m(paid), refunded: m(refunded), requested: m(requested) }
        }
        Refusal::GrantNotFound { .. } => Said::NoGrant,
        Refusal::GrantSpent { .. } => Said::GrantSpent,
        Refusal::CycleLengthDiffers { .. } => Said::CycleLength,
        Refusal::GrantEndsBeforeEffect { .. } => Said::EndsBeforeEffect,
        other => panic!("{other:?}"),
    }
}
