//! The sums of each local day, added to in the transaction of the entries that they sum. The accounts are locked by
//! then, and so are their days.

use crate::commit::Change;
use crate::convert::{number, unsigned};
use crate::failure::Failure;
use crate::session::{Session, Work};
use ledger_core::{DAY_ROWS_MAX, DayUsage};
use ledger_store::day_of;
use ledger_store::rows::{usage_from_bytes, usage_to_bytes};
use std::collections::BTreeMap;
use std::ops::RangeInclusive;

const TOUCHED: &str = "SELECT account, day, sums FROM usage_days
    JOIN unnest($1::bigint[], $2::integer[]) AS touched(account, day) USING (account, day)";

const PUT: &str = "INSERT INTO usage_days (account, day, first_sequence, last_sequence, sums)
    SELECT * FROM unnest($1::bigint[], $2::integer[], $3::bigint[], $4::bigint[], $5::bytea[])
    ON CONFLICT (account, day) DO UPDATE
    SET first_sequence = excluded.first_sequence, last_sequence = excluded.last_sequence, sums = excluded.sums";

const READ: &str = "SELECT day, sums FROM usage_days WHERE account = $1 AND day BETWEEN $2 AND $3 ORDER BY day";

const STRETCH: &str =
    "SELECT min(first_sequence), max(last_sequence) FROM usage_days WHERE account = $1 AND day BETWEEN $2 AND $3";

/// Adds the new entries to the days on which they happened.
pub(crate) fn add(work: &mut Work<'_>, changes: &[Change<'_>]) -> Result<(), Failure> {
    let mut days: BTreeMap<(i64, i32), DayUsage> = BTreeMap::new();
    let placed = || {
        changes.iter().flat_map(|change| {
            let before = change.before.as_ref().map(|before| &before.account);
            let place = move |entry| (change.number, day_of(entry, before, &change.commit.account));
            change.entries().map(move |recorded| (place(&recorded.sealed.entry), &recorded.sealed.entry))
        })
    };
    for (place, _) in placed() {
        days.entry(place).or_default();
    }
    let (accounts, numbers): (Vec<i64>, Vec<i32>) = days.keys().copied().unzip();
    for row in work.query(TOUCHED, &[&accounts, &numbers])? {
        days.insert((row.try_get("account")?, row.try_get("day")?), usage_from_bytes(row.try_get("sums")?)?);
    }
    for (place, entry) in placed() {
        days.entry(place).or_default().add(entry, Some(DAY_ROWS_MAX));
    }
    let first = days.values().map(|day| number(day.first)).collect::<Result<Vec<_>, _>>()?;
    let last = days.values().map(|day| number(day.last)).collect::<Result<Vec<_>, _>>()?;
    let sums = days.values().map(usage_to_bytes).collect::<Result<Vec<_>, _>>()?;
    work.execute(PUT, &[&accounts, &numbers, &first, &last, &sums])?;
    Ok(())
}

/// The sums of an account's days, in order.
pub(crate) fn read(
    session: &mut Session,
    account: i64,
    days: &RangeInclusive<i32>,
) -> Result<Vec<(i32, DayUsage)>, Failure> {
    let rows = session.query(READ, &[&account, days.start(), days.end()])?;
    rows.iter().map(|row| Ok((row.try_get("day")?, usage_from_bytes(row.try_get("sums")?)?))).collect()
}

/// The first and the last sequence of what happened on these days; `None` if nothing did.
pub(crate) fn stretch(
    session: &mut Session,
    account: i64,
    days: &RangeInclusive<i32>,
) -> Result<Option<(u64, u64)>, Failure> {
    let rows = session.query(STRETCH, &[&account, days.start(), days.end()])?;
    let Some(row) = rows.first() else {
        return Ok(None);
    };
    match (row.try_get(0)?, row.try_get(1)?) {
        (Some(first), Some(last)) => Ok(Some((unsigned(first)?, unsigned(last)?))),
        _ => Ok(None),
    }
}
