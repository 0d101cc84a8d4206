//! The balance that customers read: the statistics of the credits page, by the definitions of the ledger rules,
//! section 7. A report over an account, never a term of it.

use crate::account::{Account, DAYS_KEPT};
use crate::amount::{Amount, divide_half_even};
use crate::calendar::local_day;
use crate::decide::overage_headroom;
use crate::entry::Source;
use crate::plan::PlanBook;
use crate::time::{DAY_MS, Timestamp};

/// What an account has, at an instant. The account must have nothing due at that instant.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Balance {
    /// When.
    pub at: Timestamp,
    /// The current cycle, [start, end).
    pub cycle: (Timestamp, Timestamp),
    /// Local calendar days until the cycle's end.
    pub days_left: i64,
    /// Package credits granted this cycle, rolled-in ones included.
    pub package: Amount,
    /// The plan's nominal package.
    pub plan_package: Amount,
    /// Charges booked this cycle less refunds of them.
    pub consumed: Amount,
    /// Refunds booked this cycle of earlier charges.
    pub refunded_earlier: Amount,
    /// Free credits.
    pub remaining: Amount,
    /// Bought credits unspent at the cycle's start, and bought since.
    pub purchased: Amount,
    /// Bought credits, ever.
    pub purchased_total: Amount,
    /// Credits set aside.
    pub held: Amount,
    /// Debt.
    pub overage: Amount,
    /// Remaining and unused overage.
    pub spendable: Amount,
    /// Free package credits.
    pub package_remaining: Amount,
    /// Free bought credits.
    pub purchased_remaining: Amount,
    /// Free credits of every other source.
    pub other_remaining: Amount,
    /// The share of credits used, in ten-thousandths, half-even.
    pub used_share_e4: u32,
    /// The next expiry of free credits.
    pub next_expiry: Option<(Timestamp, Amount)>,
    /// Mean net charges of the last seven complete local days; `None` where the account did not exist in any.
    pub daily_average: Option<Amount>,
    /// When the credits run out at that rate; `None` where the average is none or zero.
    pub runs_out_at: Option<Timestamp>,
}

/// Reads the balance of an account that has nothing due at `at`.
pub fn balance(account: &Account, plans: &PlanBook, at: Timestamp) -> Balance {
    let totals = &account.totals;
    let cycle = &account.cycle;
    let sum = |a: Amount, b: Amount| a.checked_add(b).unwrap_or_default();
    let less = |a: Amount, b: Amount| a.checked_sub(b).unwrap_or_default();
    let zone = account.terms.zone;
    let package_remaining = account.remaining_of(Source::Package);
    let purchased_remaining = account.remaining_of(Source::Purchase);
    let daily_average = daily_average(account, at);
    Balance {
        at,
        cycle: (cycle.start, cycle.end),
        days_left: i64::from(local_day(zone, cycle.end)).saturating_sub(i64::from(local_day(zone, at))),
        package: sum(cycle.package_granted, cycle.rolled_in),
        plan_package: plans.in_force(&account.plan, at).map_or(Amount::ZERO, |plan| plan.package),
        consumed: cycle.consumed,
        refunded_earlier: cycle.refunded_earlier,
        remaining: totals.remaining,
        purchased: sum(cycle.purchased_at_start, cycle.purchased).max(Amount::ZERO),
        purchased_total: totals.purchased,
        held: totals.held,
        overage: totals.debt,
        spendable: spendable(account, plans, at),
        package_remaining,
        purchased_remaining,
        other_remaining: less(less(totals.remaining, package_remaining), purchased_remaining),
        used_share_e4: used_share_e4(cycle.consumed, sum(totals.remaining, totals.held)),
        next_expiry: next_expiry(account),
        daily_average,
        runs_out_at: daily_average.and_then(|average| runs_out_at(at, totals.remaining, average)),
    }
}

/// Remaining credits and unused overage.
pub fn spendable(account: &Account, plans: &PlanBook, at: Timestamp) -> Amount {
    let headroom = overage_headroom(account, plans, at);
    account.totals.remaining.checked_add(headroom).unwrap_or(account.totals.remaining)
}

fn next_expiry(account: &Account) -> Option<(Timestamp, Amount)> {
    let expiring = || account.grants.free();
    let at = expiring().filter_map(|g| g.expires_at).min()?;
    let micros = expiring().filter(|g| g.expires_at == Some(at)).map(|g| g.remaining.micros());
    Some((at, Amount::from_micros(micros.fold(0, i64::saturating_add))?))
}

/// consumed ÷ (consumed + left), 0 for 0/0, in ten-thousandths.
fn used_share_e4(consumed: Amount, left: Amount) -> u32 {
    let consumed = i128::from(consumed.micros().max(0));
    let whole = consumed.saturating_add(i128::from(left.micros().max(0)));
    let share = divide_half_even(consumed.saturating_mul(10_000), whole).unwrap_or(0);
    u32::try_from(share).unwrap_or(0)
}

/// Mean over the complete local days among the last seven in which the account existed.
fn daily_average(account: &Account, at: Timestamp) -> Option<Amount> {
    let zone = account.terms.zone;
    let today = local_day(zone, at);
    let week = i32::try_from(DAYS_KEPT).unwrap_or(8).saturating_sub(1);
    let first = today.saturating_sub(week).max(local_day(zone, account.created_at));
    let days = today.saturating_sub(first);
    if days <= 0 {
        return None;
    }
    let in_range = account.days.iter().filter(|(day, _)| (first..today).contains(day));
    let micros = in_range.map(|(_, sum)| i128::from(sum.micros())).sum::<i128>();
    let mean = divide_half_even(micros, i128::from(days))?;
    Amount::from_micros(i64::try_from(mean).ok()?)
}

/// at + remaining ÷ average × 24 h, floored to the second.
fn runs_out_at(at: Timestamp, remaining: Amount, average: Amount) -> Option<Timestamp> {
    if !average.is_positive() {
        return None;
    }
    let elapsed_ms =
        i128::from(remaining.micros()).checked_mul(i128::from(DAY_MS))?.checked_div(i128::from(average.micros()))?;
    let end_ms = i128::from(at.millis()).checked_add(elapsed_ms)?;
    let whole_seconds = end_ms.div_euclid(1000).checked_mul(1000)?;
    let end = Timestamp::from_millis(i64::try_from(whole_seconds).unwrap_or(i64::MAX));
    Some(end)
}
