//! The stored form of accounts and of sums by day: bytes that a store may keep in a row of its own.
//!
//! Rows are a copy of what the journal says, and can be made again of it, so that a change of their shape needs a new
//! [`ROWS_FORMAT`] and nothing else.

mod acts;
mod holds;

use crate::error::StoreError;
use ledger_core::account::{Cycle, Totals};
use ledger_core::calendar::{Terms, parse_zone};
use ledger_core::{
    Account, AccountNumber, Amount, DayUsage, Grant, Grants, Hold, Holds, Origin, Period, Quantity, Source, Status,
    Timestamp, UsageName, UsageRow,
};
use serde::{Deserialize, Serialize};
use std::sync::Arc;

/// Changes whenever a row below changes its shape; rows of another format are made again from the journal.
pub const ROWS_FORMAT: u64 = 4;

/// An account as bytes.
pub fn account_to_bytes(account: &Account) -> Result<Vec<u8>, StoreError> {
    to_bytes(&AccountRow::from(account))
}

/// The account that the bytes hold.
pub fn account_from_bytes(bytes: &[u8]) -> Result<Account, StoreError> {
    Account::try_from(from_bytes::<AccountRow>(bytes)?)
}

/// The sums of a day as bytes.
pub fn usage_to_bytes(usage: &DayUsage) -> Result<Vec<u8>, StoreError> {
    to_bytes(&DayRow::from(usage))
}

/// The sums of a day that the bytes hold.
pub fn usage_from_bytes(bytes: &[u8]) -> Result<DayUsage, StoreError> {
    DayUsage::try_from(from_bytes::<DayRow<'_>>(bytes)?)
}

fn to_bytes<T: Serialize>(row: &T) -> Result<Vec<u8>, StoreError> {
    postcard::to_stdvec(row).map_err(StoreError::corrupt)
}

fn from_bytes<'a, T: Deserialize<'a>>(bytes: &'a [u8]) -> Result<T, StoreError> {
    postcard::from_bytes(bytes).map_err(StoreError::corrupt)
}

/// The stored form of a day's sums.
#[derive(Serialize, Deserialize)]
struct DayRow<'a> {
    first: u64,
    last: u64,
    #[serde(borrow)]
    rows: Vec<SumsRow<'a>>,
}

#[derive(Serialize, Deserialize)]
struct SumsRow<'a> {
    #[serde(borrow)]
    name: NameRow<'a>,
    credits: i64,
    events: u64,
    #[serde(borrow)]
    quantities: Vec<(&'a str, u64)>,
}

/// See [`UsageName`].
#[derive(Serialize, Deserialize)]
enum NameRow<'a> {
    Named(&'a str, #[serde(borrow)] Option<&'a str>, #[serde(borrow)] Option<&'a str>),
    OtherAgents(&'a str, #[serde(borrow)] Option<&'a str>),
    Other,
}

impl<'a> From<&'a DayUsage> for DayRow<'a> {
    fn from(usage: &'a DayUsage) -> Self {
        let sums = |row: &'a UsageRow| SumsRow {
            name: match &row.name {
                UsageName::Named { activity, agent, model } => {
                    NameRow::Named(activity, agent.as_deref(), model.as_deref())
                }
                UsageName::OtherAgents { activity, model } => NameRow::OtherAgents(activity, model.as_deref()),
                UsageName::Other => NameRow::Other,
            },
            credits: row.credits.micros(),
            events: row.events,
            quantities: row.quantities.iter().map(|quantity| (&*quantity.unit, quantity.amount)).collect(),
        };
        Self { first: usage.first, last: usage.last, rows: usage.rows.iter().map(sums).collect() }
    }
}

impl TryFrom<DayRow<'_>> for DayUsage {
    type Error = StoreError;

    fn try_from(row: DayRow<'_>) -> Result<Self, StoreError> {
        let sums = |row: SumsRow<'_>| {
            Ok(UsageRow {
                name: match row.name {
                    NameRow::Named(activity, agent, model) => UsageName::Named {
                        activity: activity.into(),
                        agent: agent.map(Arc::from),
                        model: model.map(Arc::from),
                    },
                    NameRow::OtherAgents(activity, model) => {
                        UsageName::OtherAgents { activity: activity.into(), model: model.map(Arc::from) }
                    }
                    NameRow::Other => UsageName::Other,
                },
                credits: amount(row.credits)?,
                events: row.events,
                quantities: row
                    .quantities
                    .into_iter()
                    .map(|(unit, amount)| Quantity { unit: unit.into(), amount })
                    .collect(),
            })
        };
        let rows = row.rows.into_iter().map(sums).collect::<Result<_, StoreError>>()?;
        Ok(Self { first: row.first, last: row.last, rows })
    }
}

/// The stored form of an account.
#[derive(Serialize, Deserialize)]
struct AccountRow {
    number: u64,
    id: Arc<str>,
    name: Option<Arc<str>>,
    metadata: Vec<(String, String)>,
    status: Arc<str>,
    plan: Arc<str>,
    next_plan: Option<Arc<str>>,
    parent: Option<Arc<str>>,
    terms: TermsRow,
    next_terms: Option<TermsRow>,
    created_at: i64,
    sequence: u64,
    head: [u8; 32],
    last_at: i64,
    totals: [i64; 13],
    cycle_times: [i64; 2],
    cycle_sums: [i64; 6],
    grants: Vec<GrantRow>,
    grants_made: Vec<u64>,
    holds: Vec<holds::HoldRow>,
    acts: acts::ActsRow,
    cycles: Vec<(u64, i64)>,
    days: Vec<(i32, i64)>,
}

#[derive(Serialize, Deserialize)]
struct TermsRow {
    zone: Arc<str>,
    anchor: i64,
    months: Option<u32>,
    days: Option<u32>,
}

#[derive(Serialize, Deserialize)]
struct GrantRow {
    sequence: u64,
    source: Arc<str>,
    priority: u32,
    effective_at: i64,
    expires_at: Option<i64>,
    remaining: i64,
    held: i64,
    effective: bool,
    voided: bool,
    rolls_into: Option<u64>,
    room: i64,
    origin: Option<[u64; 3]>,
}

impl From<&Account> for AccountRow {
    fn from(account: &Account) -> Self {
        let t = &account.totals;
        let c = &account.cycle;
        Self {
            number: account.number.0,
            id: account.id.clone(),
            name: account.name.clone(),
            metadata: (*account.metadata).clone(),
            status: account.status.name().into(),
            plan: account.plan.clone(),
            next_plan: account.next_plan.clone(),
            parent: account.parent.clone(),
            terms: TermsRow::from(&account.terms),
            next_terms: account.next_terms.as_ref().map(TermsRow::from),
            created_at: account.created_at.millis(),
            sequence: account.sequence,
            head: account.head,
            last_at: account.last_at.millis(),
            totals: [
                t.granted,
                t.refunded,
                t.transferred_in,
                t.debt,
                t.remaining,
                t.held,
                t.charged,
                t.expired,
                t.voided,
                t.deducted,
                t.transferred_out,
                t.purchased,
                t.overage_held,
            ]
            .map(Amount::micros),
            cycle_times: [c.start.millis(), c.end.millis()],
            cycle_sums: [
                c.package_granted,
                c.rolled_in,
                c.consumed,
                c.refunded_earlier,
                c.purchased_at_start,
                c.purchased,
            ]
            .map(Amount::micros),
            grants: account.grants.iter().map(GrantRow::from).collect(),
            grants_made: (*account.grants_made).clone(),
            holds: account.holds.iter().map(|hold| holds::HoldRow::from(&**hold)).collect(),
            acts: acts::ActsRow::from(&*account.acts),
            cycles: account.cycles.iter().map(|(sequence, start)| (*sequence, start.millis())).collect(),
            days: account.days.iter().map(|(day, sum)| (*day, sum.micros())).collect(),
        }
    }
}

impl TryFrom<AccountRow> for Account {
    type Error = StoreError;

    fn try_from(row: AccountRow) -> Result<Self, StoreError> {
        let [
            granted,
            refunded,
            transferred_in,
            debt,
            remaining,
            held,
            charged,
            expired,
            voided,
            deducted,
            transferred_out,
            purchased,
            overage_held,
        ] = amounts(row.totals)?;
        let [package_granted, rolled_in, consumed, refunded_earlier, purchased_at_start, cycle_purchased] =
            amounts(row.cycle_sums)?;
        let [start, end] = row.cycle_times.map(Timestamp::from_millis);
        Ok(Self {
            number: AccountNumber(row.number),
            id: row.id,
            name: row.name,
            metadata: Arc::new(row.metadata),
            status: Status::parse(&row.status).ok_or_else(damaged)?,
            plan: row.plan,
            next_plan: row.next_plan,
            parent: row.parent,
            terms: Terms::try_from(row.terms)?,
            next_terms: row.next_terms.map(Terms::try_from).transpose()?,
            created_at: Timestamp::from_millis(row.created_at),
            sequence: row.sequence,
            head: row.head,
            last_at: Timestamp::from_millis(row.last_at),
            totals: Totals {
                granted,
                refunded,
                transferred_in,
                debt,
                remaining,
                held,
                charged,
                expired,
                voided,
                deducted,
                transferred_out,
                purchased,
                overage_held,
            },
            cycle: Cycle {
                start,
                end,
                package_granted,
                rolled_in,
                consumed,
                refunded_earlier,
                purchased_at_start,
                purchased: cycle_purchased,
            },
            grants: Grants::new(row.grants.into_iter().map(Grant::try_from).collect::<Result<_, _>>()?),
            grants_made: Arc::new(row.grants_made),
            holds: Holds::new(row.holds.into_iter().map(Hold::try_from).collect::<Result<_, _>>()?),
            acts: Arc::new(row.acts.try_into()?),
            cycles: Arc::new(row.cycles.into_iter().map(|(s, start)| (s, Timestamp::from_millis(start))).collect()),
            days: row.days.into_iter().map(|(day, sum)| Ok((day, amount(sum)?))).collect::<Result<_, StoreError>>()?,
        })
    }
}

impl From<&Terms> for TermsRow {
    fn from(terms: &Terms) -> Self {
        let (months, days) = match terms.period {
            Period::Months(n) => (Some(n), None),
            Period::Days(n) => (None, Some(n)),
        };
        Self { zone: terms.zone.name().into(), anchor: terms.anchor.millis(), months, days }
    }
}

impl TryFrom<TermsRow> for Terms {
    type Error = StoreError;

    fn try_from(row: TermsRow) -> Result<Self, StoreError> {
        let period = match (row.months, row.days) {
            (Some(n), None) => Period::Months(n),
            (None, Some(n)) => Period::Days(n),
            _ => return Err(damaged()),
        };
        let zone = parse_zone(&row.zone).ok_or_else(damaged)?;
        Ok(Self { zone, anchor: Timestamp::from_millis(row.anchor), period })
    }
}

impl From<&Grant> for GrantRow {
    fn from(grant: &Grant) -> Self {
        Self {
            sequence: grant.sequence,
            source: grant.source.name().into(),
            priority: grant.priority,
            effective_at: grant.effective_at.millis(),
            expires_at: grant.expires_at.map(Timestamp::millis),
            remaining: grant.remaining.micros(),
            held: grant.held.micros(),
            effective: grant.effective,
            voided: grant.voided,
            rolls_into: grant.rolls_into,
            room: grant.room.micros(),
            origin: grant.origin.map(|origin| [origin.account.0, origin.transfer, origin.grant]),
        }
    }
}

impl TryFrom<GrantRow> for Grant {
    type Error = StoreError;

    fn try_from(row: GrantRow) -> Result<Self, StoreError> {
        Ok(Self {
            sequence: row.sequence,
            source: Source::parse(&row.source).ok_or_else(damaged)?,
            priority: row.priority,
            effective_at: Timestamp::from_millis(row.effective_at),
            expires_at: row.expires_at.map(Timestamp::from_millis),
            remaining: amount(row.remaining)?,
            held: amount(row.held)?,
            effective: row.effective,
            voided: row.voided,
            rolls_into: row.rolls_into,
            room: amount(row.room)?,
            origin: row.origin.map(|[account, transfer, grant]| Origin {
                account: AccountNumber(account),
                transfer,
                grant,
            }),
        })
    }
}

fn damaged() -> StoreError {
    StoreError::corrupt("a stored row holds what no account can be")
}

fn amount(micros: i64) -> Result<Amount, StoreError> {
    Amount::from_micros(micros).ok_or_else(damaged)
}

fn amounts<const N: usize>(micros: [i64; N]) -> Result<[Amount; N], StoreError> {
    if micros.iter().any(|m| Amount::from_micros(*m).is_none()) {
        return Err(damaged());
    }
    Ok(micros.map(|m| Amount::from_micros(m).unwrap_or_default()))
}
