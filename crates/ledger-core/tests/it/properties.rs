//! Properties that hold whatever is asked: over random journals, with clocks that go back, with very many holds and
//! grants, and at the ends of amounts and time. What holds after each single command is checked beside the model.

use crate::kit::{amount, assert_conserved, charge, rating, remade, time};
use crate::model::driver::{Ask, Driver};
use crate::model::steps::{HOUR_MS, Random, generate};
use ledger_core::entry::Draw;
use ledger_core::{
    Account, AccountNumber, Amount, Body, ChargeMade, Command, CostBasis, DeductRequest, ExtendRequest, FirstCycle,
    Grant, GrantRequest, HoldRequest, HoldTerms, OnExcess, Opening, Outcome, Period, Plan, PlanBook, PlanRequest,
    Priced, RefundRequest, Refusal, ReleaseRequest, Rollover, Sealed, SettleRequest, Settlement, Source, Status,
    TakeBackRequest, Timestamp, Update, Updated, advance, apply, balance, calendar, execute, open, recount,
};
use proptest::prelude::*;

/// Random journals, of both accounts of each run.
fn journals(seeds: std::ops::Range<u64>) -> impl Iterator<Item = Vec<Sealed>> {
    seeds.flat_map(|seed| {
        let mut driver = Driver::new(seed);
        for step in generate(seed, 160) {
            if let Some(ask) = driver.resolve(&step) {
                driver.execute(&ask).unwrap();
            }
        }
        driver.accounts.map(|side| side.journal)
    })
}

/// Looks at every entry of random journals with the account before it and after it.
fn each_entry(seeds: std::ops::Range<u64>, mut look: impl FnMut(&Account, &Sealed, &Account)) {
    for journal in journals(seeds) {
        let mut account = Account::begin(&journal[0]).unwrap();
        for sealed in &journal[1..] {
            let before = account.clone();
            apply(&mut account, sealed).unwrap();
            look(&before, sealed, &account);
        }
    }
}

#[test]
fn credits_are_conserved_and_no_balance_is_below_zero_after_every_entry() {
    each_entry(0..400, |before, sealed, after| {
        assert_conserved(after);
        recount(after).unwrap();
        let net = |account: &Account| {
            let t = &account.totals;
            t.remaining.micros() + t.held.micros() - t.debt.micros()
        };
        assert_eq!(sealed.entry.credits.micros(), net(after) - net(before), "{sealed:?}");
        assert_eq!((sealed.entry.remaining, sealed.entry.debt), (after.totals.remaining, after.totals.debt));
    });
}

#[test]
fn entries_never_go_back_in_time_and_nothing_is_due_in_the_past() {
    each_entry(0..400, |before, sealed, after| {
        assert!(sealed.entry.recorded_at >= before.last_at);
        assert!(sealed.entry.at <= sealed.entry.recorded_at);
        assert!(after.cycle.start <= after.cycle.end);
        assert_eq!(after.last_at, sealed.entry.recorded_at);
    });
}

/// The order of the ledger rules, section 2, worked out anew from the grants.
fn free_in_burning_order(account: &Account) -> Vec<Grant> {
    let mut free: Vec<Grant> =
        account.grants.iter().filter(|g| g.effective && g.remaining.is_positive()).copied().collect();
    free.sort_by_key(|g| (g.priority, g.expires_at.map_or(i64::MAX, Timestamp::millis), g.effective_at, g.sequence));
    free
}

#[test]
fn every_debit_takes_free_credits_in_burning_order_to_the_last_of_each_grant() {
    let mut seen = 0;
    each_entry(0..400, |before, sealed, _| {
        let draws: &[Draw] = match &sealed.entry.body {
            Body::Charge(charge) => &charge.draws,
            Body::Hold(hold) => &hold.earmarks,
            Body::Extension(extended) => &extended.earmarks,
            Body::Settle(settle) => &settle.from_free,
            Body::Deduction(deduction) => &deduction.draws,
            _ => return,
        };
        for (index, (draw, grant)) in draws.iter().zip(free_in_burning_order(before)).enumerate() {
            assert_eq!(draw.grant, grant.sequence, "{sealed:?}");
            let is_last = index + 1 == draws.len();
            assert!(draw.credits == grant.remaining || (is_last && draw.credits < grant.remaining), "{sealed:?}");
            seen += 1;
        }
    });
    assert!(seen > 10_000, "{seen}");
}

#[test]
fn debt_comes_only_when_nothing_is_free_any_more() {
    each_entry(0..400, |before, sealed, after| {
        if after.totals.debt > before.totals.debt {
            assert!(after.totals.remaining.is_zero(), "{sealed:?}");
        }
    });
}

#[test]
fn bought_grants_are_the_same_before_and_after_renewals_rollovers_and_plan_changes() {
    let bought = |account: &Account| -> Vec<Grant> {
        account.grants.iter().filter(|grant| grant.source == Source::Purchase).copied().collect()
    };
    let mut seen = 0;
    each_entry(0..400, |before, sealed, after| {
        let is_of_a_plan = match &sealed.entry.body {
            Body::Grant(grant) => grant.source == Source::Package,
            Body::Expiry { grant, .. } => {
                before.grants.get(*grant).is_some_and(|grant| grant.source == Source::Package)
            }
            Body::Rollover(_) | Body::PlanChanged(_) | Body::PlanScheduled { .. } => true,
            _ => false,
        };
        if is_of_a_plan {
            assert_eq!(bought(before), bought(after), "{sealed:?}");
            seen += usize::from(!bought(before).is_empty());
        }
    });
    assert!(seen > 5_000, "{seen}");
}

#[test]
fn held_and_open_holds_equal_a_recount_at_every_entry() {
    each_entry(0..400, |_, _, account| {
        let sum: i64 = account.holds.iter().map(|hold| hold.held().unwrap().micros()).sum();
        let of_grants: i64 = account.grants.iter().map(|grant| grant.held.micros()).sum();
        let on_overage: i64 = account.holds.iter().map(|hold| hold.overage_held.micros()).sum();
        let totals = &account.totals;
        assert_eq!((sum, of_grants), (totals.held.micros(), totals.held.micros()));
        assert_eq!(on_overage, totals.overage_held.micros());
    });
}

#[test]
fn no_more_rolled_credits_are_alive_than_the_cap_when_they_roll() {
    let mut seen = 0;
    for seed in 0..200 {
        let mut driver = Driver::new(seed);
        for step in generate(seed, 160) {
            let Some(ask) = driver.resolve(&step) else { continue };
            let known = driver.accounts.each_ref().map(|side| side.journal.len());
            driver.execute(&ask).unwrap();
            for (side, known) in driver.accounts.iter().zip(known) {
                let mut rolled =
                    side.journal[known..].iter().filter(|sealed| matches!(sealed.entry.body, Body::Rollover(_)));
                let Some(rolled) = rolled.next_back() else { continue };
                let account = remade(&side.journal[..usize::try_from(rolled.entry.sequence).unwrap()]);
                let alive =
                    account.grants.iter().filter(|g| g.source == Source::Rollover && !g.is_over(account.last_at));
                let alive: i64 = alive.map(|g| g.remaining.micros() + g.held.micros()).sum();
                // The largest cap that a plan of these runs ever has.
                assert!(alive <= 120, "{alive}");
                seen += 1;
            }
        }
    }
    assert!(seen > 500, "{seen}");
}

#[test]
fn noticing_late_noticing_at_once_and_coming_upon_it_write_the_same_bytes_and_hashes() {
    for seed in 0..400 {
        let mut at_once = Driver::new(seed);
        let mut late = Driver::new(seed);
        late.is_lazy = true;
        for step in generate(seed, 160) {
            // What is asked is worked out once, on the account that has everything booked.
            let Some(ask) = at_once.resolve(&step) else { continue };
            if matches!(ask, Ask::Define { .. }) {
                // A definition counts from an instant on at which nobody has looked yet: a boundary that falls on the very
                // instant of its making would otherwise be booked by the old one or by the new, as it is noticed.
                for who in [0, 1] {
                    let what = crate::model::driver::What::Advance;
                    late.is_lazy = false;
                    late.execute(&Ask::Of { who, what }).unwrap();
                    late.is_lazy = true;
                }
            }
            let by_late = late.execute(&ask).unwrap();
            let by_at_once = match &ask {
                Ask::Wait { ms } => {
                    let mut left = *ms;
                    let mut said = None;
                    while left > 0 {
                        let piece = left.min(5 * HOUR_MS);
                        left -= piece;
                        said = Some(at_once.execute(&Ask::Wait { ms: piece }).unwrap());
                        for side in [0, 1] {
                            let now = ledger_core::Timestamp::from_millis(crate::model::driver::START_MS + at_once.now);
                            let side = &mut at_once.accounts[side];
                            let entries = advance(&mut side.account, &at_once.plans, now).unwrap();
                            side.keep(entries);
                        }
                    }
                    said.unwrap_or(by_late.clone())
                }
                _ => at_once.execute(&ask).unwrap(),
            };
            assert_eq!(by_late, by_at_once, "seed {seed}, {ask:?}");
        }
        let end = crate::model::driver::at(at_once.now);
        for (a, b) in at_once.accounts.iter_mut().zip(&mut late.accounts) {
            let entries = advance(&mut b.account, &late.plans, end).unwrap();
            b.keep(entries);
            let entries = advance(&mut a.account, &at_once.plans, end).unwrap();
            a.keep(entries);
            for (x, y) in a.journal.iter().zip(&b.journal) {
                assert_eq!((&x.bytes, x.hash), (&y.bytes, y.hash), "seed {seed}: {:?}\n{:?}", x.entry, y.entry);
            }
            assert_eq!(a.account, b.account, "seed {seed}");
        }
    }
}

#[test]
fn a_clock_that_goes_back_books_nothing_before_what_is_booked() {
    for seed in 0..100 {
        let mut driver = Driver::new(seed);
        let mut random = Random::new(seed);
        for step in generate(seed, 120) {
            let Some(ask) = driver.resolve(&step) else { continue };
            driver.execute(&ask).unwrap();
            let side = &mut driver.accounts[0];
            let back = side.account.last_at.plus_millis(-random.within(1, 1_000_000_000));
            let last_at = side.account.last_at;
            for command in [Command::Advance, charge(Amount::ZERO, OnExcess::Reject, back)] {
                let outcome = execute(&mut side.account, &driver.plans, &command, None, back).unwrap();
                for sealed in &outcome.entries {
                    assert_eq!(sealed.entry.recorded_at, last_at, "seed {seed}");
                }
                side.keep(outcome.entries);
            }
        }
        driver.check_journals();
    }
}

#[test]
fn an_entry_that_was_changed_is_never_taken_in_silence() {
    // Each entry of a journal, decoded from damaged bytes: it is refused by the decoder, by `apply`, or its hash differs.
    let mut random = Random::new(7);
    let mut taken = 0;
    each_entry(0..12, |before, sealed, after| {
        for _ in 0..20 {
            let mut bytes = sealed.bytes.clone();
            let at = random.pick(bytes.len());
            bytes[at] ^= u8::try_from(random.within(1, 256)).unwrap();
            let Ok(entry) = ledger_core::encoding::decode(&bytes) else { continue };
            let damaged = Sealed::new(entry, &before.head);
            let mut account = before.clone();
            if apply(&mut account, &damaged).is_ok() {
                // What a damaged entry may still say must keep the ledger whole, and its place in the chain tells.
                assert_conserved(&account);
                assert_ne!(account.head, after.head);
                taken += 1;
            }
        }
    });
    assert!(taken > 0);
}

// ---- Sizes.

fn plan() -> Plan {
    Plan {
        name: "pro".into(),
        cycle: Period::Months(1),
        package: amount("1000"),
        rollover: Some(Rollover { cap: amount("100"), cycles: 2 }),
        overage_limit: amount("50"),
        first_cycle: FirstCycle::Full,
        grace: amount("5"),
    }
}

fn opening(plan: &Plan) -> Opening {
    Opening {
        id: "acme".into(),
        plan: plan.name.clone(),
        zone: None,
        anchor: None,
        status: Status::Active,
        parent: None,
    }
}

fn opened(plan: &Plan, now: Timestamp) -> (PlanBook, Account, Vec<Sealed>) {
    let mut plans = PlanBook::default();
    plans.define(now, plan.clone());
    let (account, entries) = open(AccountNumber(1), &opening(plan), plan, None, now).unwrap();
    (plans, account, entries)
}

fn hold(credits: Amount, ttl_ms: i64, on_excess: OnExcess) -> Command {
    let terms = HoldTerms {
        plan: "pro".into(),
        activity: "voice_inbound".into(),
        agent: None,
        model: None,
        opened_at: Timestamp::default(),
        rating: Some(rating()),
        on_excess,
    };
    let priced = Priced { price: credits, ..Priced::default() };
    Command::OpenHold(Box::new(HoldRequest { terms, priced, ttl_ms }))
}

fn promotion(credits: Amount) -> GrantRequest {
    GrantRequest {
        source: Source::Promotion,
        credits,
        priority: None,
        effective_at: None,
        expires_at: None,
        cost: None,
    }
}

#[test]
fn ten_thousand_open_holds_work_and_end() {
    let start = time("2026-01-01");
    let (plans, mut account, mut journal) = opened(&plan(), start);
    let mut run = |account: &mut Account, command: &Command, now: Timestamp| {
        let outcome = execute(account, &plans, command, None, now).unwrap();
        assert!(outcome.result.is_ok(), "{:?}", outcome.result);
        journal.extend(outcome.entries.iter().cloned());
        outcome
    };
    for index in 0..10_000_i64 {
        run(&mut account, &hold(amount("0.1"), 60_000 + index % 500, OnExcess::Reject), start.plus_millis(index / 100));
    }
    assert_eq!(
        (account.holds.len(), account.totals.held, account.totals.remaining),
        (10_000, amount("1000"), Amount::ZERO)
    );
    recount(&account).unwrap();
    // One settled, one released, one extended; the others end by themselves in the next minute.
    let holds: Vec<u64> = account.holds.iter().map(|hold| hold.sequence).collect();
    let priced = Some(Priced { price: amount("0.05"), ..Priced::default() });
    let settle = SettleRequest {
        hold: holds[5000],
        priced,
        is_final: true,
        late_ms_max: 0,
        ended: None,
        grants: Vec::new(),
        charges: Vec::new(),
    };
    run(&mut account, &Command::SettleHold(Box::new(settle)), start.plus_millis(1000));
    run(&mut account, &Command::ReleaseHold(ReleaseRequest { hold: holds[1], ended: None }), start.plus_millis(1000));
    let extend = ExtendRequest { hold: holds[2], priced: None, ttl_ms: Some(3_600_000), ended: None };
    run(&mut account, &Command::ExtendHold(Box::new(extend)), start.plus_millis(1000));
    let ended = run(&mut account, &Command::Advance, start.plus_millis(120_000)).entries.len();
    assert_eq!((ended, account.holds.len()), (9_997, 1));
    assert_eq!(account.totals.remaining, amount("999.85"));
    recount(&account).unwrap();
    assert_eq!(remade(&journal), account);
}

#[test]
fn a_thousand_grants_burn_in_order() {
    let start = time("2026-01-01");
    let (plans, mut account, mut journal) = opened(&plan(), start);
    for index in 0..1000_i64 {
        let request = GrantRequest {
            priority: Some(u32::try_from(index * 7 % 13).unwrap()),
            expires_at: (index % 3 != 0).then(|| start.plus_millis((1 + index * 11 % 97) * 86_400_000)),
            ..promotion(amount("1"))
        };
        journal.extend(execute(&mut account, &plans, &Command::Grant(request), None, start).unwrap().entries);
    }
    let expected: Vec<u64> = free_in_burning_order(&account).iter().map(|grant| grant.sequence).collect();
    assert_eq!(expected.len(), 1001);
    let all = account.totals.remaining;
    let outcome = execute(&mut account, &plans, &charge(all, OnExcess::Reject, start), None, start).unwrap();
    let Body::Charge(charge) = &outcome.entries[0].entry.body else { panic!() };
    assert_eq!(charge.draws.iter().map(|draw| draw.grant).collect::<Vec<_>>(), expected);
    journal.extend(outcome.entries);
    assert!(account.grants.is_empty());
    assert_eq!(remade(&journal), account);
}

#[test]
fn two_thousand_small_charges_leave_what_they_must() {
    let start = time("2026-01-01");
    let (plans, mut account, _) = opened(&Plan { package: amount("200"), ..plan() }, start);
    for _ in 0..2000 {
        execute(&mut account, &plans, &charge(amount("0.099999"), OnExcess::Reject, start), None, start).unwrap();
    }
    assert_eq!(account.totals.remaining, amount("0.002"));
    assert_eq!(account.totals.charged, amount("199.998"));
}

#[test]
fn three_hundred_years_of_missed_cycles_are_caught_up_one_by_one() {
    let (plans, mut account, _) = opened(&plan(), time("2026-01-31"));
    let entries = advance(&mut account, &plans, time("2326-01-31")).unwrap();
    let packages = entries.iter().filter(|sealed| matches!(&sealed.entry.body, Body::Grant(_))).count();
    assert_eq!(packages, 3600);
    assert_eq!(account.cycle.start, time("2326-01-31"));
}

// ---- The ends of amounts and time.

const EXTREMES: [&str; 8] =
    ["0", "0.000001", "1", "4500000000000", "8999999999999.999999", "9000000000000", "1000", "3.5"];
const TIMES: [&str; 8] = [
    "0001-01-01T00:00:00Z",
    "0001-01-01T00:00:00.001Z",
    "0001-02-28T23:59:59.999Z",
    "1969-12-31T23:59:59.999Z",
    "2026-01-31T00:00:00Z",
    "9998-12-31T23:59:59.999Z",
    "9999-12-30T00:00:00Z",
    "9999-12-31T23:59:59.999Z",
];

/// Every command with extreme amounts, at an extreme time.
fn extreme_command(account: &Account, journal: &[Sealed], random: &mut Random, now: Timestamp) -> Command {
    let credits = amount(EXTREMES[random.pick(EXTREMES.len())]);
    let positive = credits.max(amount("0.000001"));
    let rule = OnExcess::ALL[random.pick(3)].0;
    let span = [1, 1000, 86_400_000, i64::MAX][random.pick(4)];
    let holds: Vec<u64> = account.holds.iter().map(|hold| hold.sequence).collect();
    let any_hold = holds.get(random.pick(holds.len().max(1))).copied().unwrap_or(99);
    let made = |sealed: &Sealed| ledger_core::grant_terms(&sealed.entry);
    let grants: Vec<_> = journal.iter().filter_map(made).collect();
    let any_grant = grants[random.pick(grants.len())].sequence;
    let priced = Some(Priced { price: credits, ..Priced::default() });
    match random.pick(13) {
        0 | 1 => charge(credits, rule, now),
        2 => Command::Grant(GrantRequest {
            effective_at: random.once_in(3).then(|| now.plus_millis(span)),
            ..promotion(positive)
        }),
        3 => Command::Grant(GrantRequest {
            source: Source::Purchase,
            expires_at: random.once_in(2).then(|| now.plus_millis(span)),
            cost: Some(CostBasis {
                currency: "USD".into(),
                paid: credits,
                invoice: None,
                settlement: Settlement::Paid,
                pack: None,
            }),
            ..promotion(positive)
        }),
        4 => hold(credits, span, rule),
        5 => {
            let ttl_ms = Some(span);
            Command::ExtendHold(Box::new(ExtendRequest { hold: any_hold, priced, ttl_ms, ended: None }))
        }
        6 => Command::SettleHold(Box::new(SettleRequest {
            hold: any_hold,
            priced,
            is_final: random.once_in(2),
            late_ms_max: i64::MAX,
            ended: None,
            grants,
            charges: Vec::new(),
        })),
        7 => Command::ReleaseHold(ReleaseRequest { hold: any_hold, ended: None }),
        8 => match journal.iter().rev().find_map(|sealed| ChargeMade::of(&sealed.entry)) {
            Some(charge) => Command::Refund(Box::new(RefundRequest { charge, credits: Some(positive), grants })),
            None => Command::Advance,
        },
        9 => Command::Void(any_grant),
        10 => Command::Deduct(DeductRequest { credits: positive, allow_debt: random.once_in(2) }),
        11 => Command::TakeBack(TakeBackRequest { grant: any_grant, money: None, is_dispute: false }),
        _ => Command::ChangePlan(PlanRequest {
            plan: ["pro", "huge", "daily"][random.pick(3)].into(),
            at_next_cycle: random.once_in(3),
            is_proportional: true,
            restarts_cycle: random.once_in(2),
        }),
    }
}

#[test]
fn extreme_amounts_and_times_are_refused_or_done_and_never_panic_nor_break() {
    let huge = Plan {
        name: "huge".into(),
        package: amount("9000000000000"),
        overage_limit: amount("9000000000000"),
        grace: amount("9000000000000"),
        rollover: Some(Rollover { cap: amount("9000000000000"), cycles: 24 }),
        cycle: Period::Months(12),
        ..plan()
    };
    let daily = Plan { name: "daily".into(), cycle: Period::Days(u32::MAX), rollover: None, ..plan() };
    for seed in 0..8000 {
        let mut random = Random::new(seed);
        let start = time(TIMES[random.pick(TIMES.len())]);
        let mut plans = PlanBook::default();
        for plan in [plan(), huge.clone(), daily.clone()] {
            plans.define(start, plan);
        }
        let first = [plan(), huge.clone(), daily.clone()][random.pick(3)].clone();
        let zone = ["UTC", "Pacific/Apia", "America/New_York"][random.pick(3)];
        let opening = Opening {
            zone: calendar::parse_zone(zone),
            anchor: random.once_in(2).then(|| time(TIMES[random.pick(TIMES.len())])),
            ..opening(&first)
        };
        let (mut account, mut journal) = open(AccountNumber(1), &opening, &first, None, start).unwrap();
        let mut now = start;
        for _ in 0..25 {
            now = now.plus_millis([0, 1, 3_600_000, 40 * 86_400_000][random.pick(4)]);
            let command = extreme_command(&account, &journal, &mut random, now);
            let Outcome { entries, .. } = execute(&mut account, &plans, &command, None, now)
                .unwrap_or_else(|broken| panic!("seed {seed}, at {now}: {broken}: {command:?}"));
            journal.extend(entries);
            recount(&account).unwrap();
            assert_conserved(&account);
            let b = balance(&account, &plans, now);
            assert!(!b.remaining.is_negative() && !b.spendable.is_negative() && b.used_share_e4 <= 10_000);
        }
        assert_eq!(remade(&journal), account);
    }
}

#[test]
fn settings_at_the_ends_of_time_are_taken_in() {
    for start in TIMES {
        for anchor in TIMES {
            let (plans, mut account, _) = opened(&plan(), time(start));
            let settings =
                Updated { anchor: Some(time(anchor)), zone: calendar::parse_zone("Asia/Tokyo"), ..Updated::default() };
            let update = Update { plan: "pro".into(), settings, ..Update::default() };
            let now = time(start).plus_millis(86_400_000);
            let outcome = execute(&mut account, &plans, &Command::Update(Box::new(update)), None, now).unwrap();
            assert!(outcome.result.is_ok());
            let later = time(start).plus_millis(100 * 86_400_000);
            advance(&mut account, &plans, later).unwrap();
            assert!(
                account.cycle.end > later || account.cycle.end == Timestamp::from_millis(i64::MAX),
                "{start} {anchor}"
            );
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 600, ..ProptestConfig::default() })]

    /// Boundaries rise, and the first after an instant is after it, with none between.
    #[test]
    fn the_first_boundary_after_an_instant_is_the_next(
        anchor_ms in -60_000_000_000_000_i64..200_000_000_000_000,
        after_ms in -60_000_000_000_000_i64..200_000_000_000_000,
        (months, count) in (any::<bool>(), 1_u32..400),
        zone in prop::sample::select(vec!["UTC", "Europe/Berlin", "America/New_York", "Australia/Lord_Howe", "Pacific/Apia"]),
    ) {
        let period = if months { Period::Months(count) } else { Period::Days(count) };
        let zone = calendar::parse_zone(zone).unwrap();
        let terms = calendar::Terms { zone, anchor: Timestamp::from_millis(anchor_ms), period };
        let t = Timestamp::from_millis(after_ms);
        let next = terms.first_boundary_after(t);
        prop_assert!(next > t);
        let last = terms.last_boundary_until(t);
        prop_assert!(last <= t);
        prop_assert_eq!(terms.first_boundary_after(last), next);
        prop_assert_eq!(terms.first_boundary_after(next.plus_millis(-1)), next);
    }

    /// A share of credits and the rest of them: neither loses nor makes a micro-credit.
    #[test]
    fn take_backs_in_any_pieces_take_what_one_takes(
        credits in 1_i64..1_000_000_000, paid in 1_i64..1000, pieces in prop::collection::vec(1_i64..300, 0..12),
    ) {
        let start = time("2026-01-01");
        let (plans, mut account, _) = opened(&Plan { package: Amount::ZERO, ..plan() }, start);
        let micros = |n: i64| Amount::from_micros(n).unwrap();
        let cost = CostBasis { currency: "USD".into(), paid: micros(paid), invoice: None, settlement: Settlement::Paid, pack: None };
        let request = GrantRequest { source: Source::Purchase, cost: Some(cost), ..promotion(micros(credits)) };
        execute(&mut account, &plans, &Command::Grant(request), None, start).unwrap();
        let mut back = 0;
        for piece in pieces {
            let request = TakeBackRequest { grant: 3, money: Some(micros(piece)), is_dispute: false };
            let outcome = execute(&mut account, &plans, &Command::TakeBack(request), None, start).unwrap();
            let fits = back + piece <= paid;
            let is_refused = matches!(outcome.result, Err(Refusal::RefundExceedsPurchase { .. }));
            prop_assert_eq!(is_refused, !fits);
            if fits {
                back += piece;
            }
            let exact = i128::from(credits) * i128::from(back) * 2 / i128::from(paid);
            let taken = i128::from(account.totals.voided.micros()) * 2;
            prop_assert!((taken - exact).abs() <= 1, "{} taken, {} half-micros due", taken, exact);
        }
        execute(&mut account, &plans, &Command::TakeBack(TakeBackRequest { grant: 3, money: None, is_dispute: false }), None, start).unwrap();
        prop_assert_eq!(account.totals.voided, micros(credits));
        prop_assert!(account.totals.remaining.is_zero());
    }
}
