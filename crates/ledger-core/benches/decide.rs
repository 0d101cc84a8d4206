//! What the core costs: executing a charge (decide, encode, hash, apply) by what the account carries, and what of it is
//! encoding and hashing. The clone that the writer makes of an account before it decides is measured with it where the
//! name says so.
#![allow(missing_docs, clippy::unwrap_used, reason = "a benchmark may panic: that is how it fails")]

use criterion::{BatchSize, Criterion, criterion_group, criterion_main};
use ledger_core::encoding::{chain, encode};
use ledger_core::{
    Account, AccountNumber, Amount, ChargeRequest, Command, Digest, FirstCycle, GrantRequest, HoldRequest, HoldTerms,
    LineItem, OnExcess, Opening, Period, Plan, PlanBook, Priced, Quantity, Rating, SettleRequest, Source, Status,
    Timestamp, UsageEvent, apply, decide::decide, execute, open,
};
use std::hint::black_box;
use std::time::Duration;

fn now() -> Timestamp {
    Timestamp::from_millis(1_790_000_000_000)
}

fn credits(text: &str) -> Amount {
    text.parse().unwrap()
}

fn rating() -> Rating {
    Rating { plugin: "per-model-rates".into(), digest: Digest([1; 32]), config_digest: Digest([2; 32]) }
}

fn charge() -> Command {
    let quantity = |unit: &str, amount: u64| Quantity { unit: unit.into(), amount };
    let line = |unit: &str, quantity: u64, price: &str| LineItem {
        label: unit.replace('_', " ").into(),
        unit: unit.into(),
        quantity,
        credits: credits(price),
    };
    let event = UsageEvent {
        id: "evt-1".into(),
        account: "acme".into(),
        plan: "pro".into(),
        activity: "chat".into(),
        agent: Some("support-bot".into()),
        model: Some("gpt-4o-mini".into()),
        occurred_at: now(),
        quantities: [quantity("input_tokens", 374), quantity("output_tokens", 181)].into(),
        attributes: Vec::new(),
    };
    let items = [line("input_tokens", 374, "0.0561"), line("output_tokens", 181, "0.1086")];
    Command::Charge(Box::new(ChargeRequest {
        event,
        items: items.into(),
        price: credits("0.1647"),
        rating: rating(),
        on_excess: OnExcess::Reject,
    }))
}

fn hold(price: &str, index: i64) -> Command {
    let terms = HoldTerms {
        plan: "pro".into(),
        activity: "voice_inbound".into(),
        agent: None,
        model: None,
        opened_at: now(),
        rating: Some(rating()),
        on_excess: OnExcess::Reject,
    };
    let priced = Priced { price: credits(price), ..Priced::default() };
    Command::OpenHold(Box::new(HoldRequest { terms, priced, ttl_ms: 3_600_000 + index }))
}

/// An account with so many grants and open holds.
fn account(grants: i64, holds: i64) -> (PlanBook, Account) {
    let plan = Plan {
        name: "pro".into(),
        cycle: Period::Months(1),
        package: credits("100000"),
        rollover: None,
        overage_limit: credits("50"),
        first_cycle: FirstCycle::Full,
        grace: Amount::ZERO,
    };
    let mut plans = PlanBook::default();
    plans.define(now(), plan.clone());
    let opening = Opening {
        id: "acme".into(),
        plan: "pro".into(),
        zone: None,
        anchor: None,
        status: Status::Active,
        parent: None,
    };
    let (mut account, _) = open(AccountNumber(1), &opening, &plan, None, now()).unwrap();
    for index in 1..grants {
        let request = GrantRequest {
            source: Source::Promotion,
            credits: credits("10"),
            priority: None,
            effective_at: None,
            expires_at: Some(now().plus_millis(86_400_000 * (1 + index))),
            cost: None,
        };
        assert!(execute(&mut account, &plans, &Command::Grant(request), None, now()).unwrap().result.is_ok());
    }
    for index in 0..holds {
        assert!(execute(&mut account, &plans, &hold("1", index), None, now()).unwrap().result.is_ok());
    }
    (plans, account)
}

/// Executes a command again and again on the same account, which is put back between.
fn executes(criterion: &mut Criterion, name: &str, account: &Account, plans: &PlanBook, command: &Command) {
    criterion.bench_function(name, |bencher| {
        bencher.iter_batched_ref(
            || account.clone(),
            |account| execute(account, plans, command, None, now()).unwrap(),
            BatchSize::SmallInput,
        );
    });
}

/// The same with the clone that the writer makes.
fn clones_and_executes(criterion: &mut Criterion, name: &str, account: &Account, plans: &PlanBook, command: &Command) {
    criterion.bench_function(name, |bencher| {
        bencher.iter(|| {
            let mut copy = account.clone();
            let outcome = execute(&mut copy, plans, command, None, now()).unwrap();
            (copy, outcome)
        });
    });
}

fn charges(criterion: &mut Criterion) {
    let (plans, usual) = account(20, 5);
    executes(criterion, "charge, 20 grants and 5 holds", &usual, &plans, &charge());
    clones_and_executes(criterion, "charge and clone, 20 grants and 5 holds", &usual, &plans, &charge());

    // What of that is what.
    criterion.bench_function("charge, 20 grants and 5 holds: decide alone", |bencher| {
        bencher.iter(|| decide(black_box(&usual), &plans, black_box(charge_once()), now()));
    });
    let mut copy = usual.clone();
    let sealed = execute(&mut copy, &plans, &charge(), None, now()).unwrap().entries.remove(0);
    criterion.bench_function("charge: encode", |bencher| bencher.iter(|| encode(black_box(&sealed.entry))));
    criterion.bench_function("charge: SHA-256", |bencher| {
        bencher.iter(|| chain(black_box(&usual.head), black_box(&sealed.bytes)));
    });
    criterion.bench_function("charge, 20 grants and 5 holds: apply alone", |bencher| {
        bencher.iter_batched_ref(|| usual.clone(), |account| apply(account, &sealed).unwrap(), BatchSize::SmallInput);
    });

    let (plans, wide) = account(1000, 0);
    executes(criterion, "charge, 1000 grants", &wide, &plans, &charge());
    clones_and_executes(criterion, "charge and clone, 1000 grants", &wide, &plans, &charge());
}

fn holds(criterion: &mut Criterion) {
    let (plans, busy) = account(2, 10_000);
    clones_and_executes(criterion, "charge and clone, 10000 holds", &busy, &plans, &charge());
    clones_and_executes(criterion, "hold and clone, 10000 holds", &busy, &plans, &hold("1", 7));
    let middle = busy.holds.iter().nth(5000).unwrap().sequence;
    let settle = Command::SettleHold(Box::new(SettleRequest {
        hold: middle,
        priced: Some(Priced { price: credits("0.5"), ..Priced::default() }),
        is_final: true,
        late_ms_max: 0,
        ended: None,
        grants: Vec::new(),
        charges: Vec::new(),
    }));
    clones_and_executes(criterion, "settle and clone, 10000 holds", &busy, &plans, &settle);
}

/// The command of the benchmarks, made once.
fn charge_once() -> &'static Command {
    static CHARGE: std::sync::OnceLock<Command> = std::sync::OnceLock::new();
    CHARGE.get_or_init(charge)
}

criterion_group! {
    name = benches;
    config = Criterion::default().warm_up_time(Duration::from_secs(1)).measurement_time(Duration::from_secs(3)).sample_size(30);
    targets = charges, holds
}
criterion_main!(benches);
