//! The snapshot of the fold: accounts, keys, system records and positions as of one journal record.
//!
//! Only a convenience: it names the record that it stands at, with that record's hash, and one that does not match the
//! journal is thrown away with a warning and made again from the journal.

use crate::failed;
use crate::fold::{Fold, Position};
use crate::journal::Journal;
use crate::medium::{Boxed, Medium};
use ledger_core::account::{Cycle, Totals};
use ledger_core::calendar::{Terms, parse_zone};
use ledger_core::{Account, AccountNumber, Amount, Grant, Period, Source, Status, Timestamp, recount};
use ledger_store::{KeyFingerprint, KeyRecord, StoreError, SystemRecord};
use redb::{Builder, Durability, ReadableDatabase, ReadableTable, TableDefinition};
use serde::{Deserialize, Serialize};
use std::sync::Arc;

const FILE: &str = "state.redb";
/// Changes whenever a row below changes its shape; an older snapshot is then made again from the journal.
const FORMAT: u64 = 1;

const META: TableDefinition<'_, &str, &[u8]> = TableDefinition::new("meta");
const ACCOUNTS: TableDefinition<'_, u64, &[u8]> = TableDefinition::new("accounts");
const POSITIONS: TableDefinition<'_, u64, &[u8]> = TableDefinition::new("positions");
const KEYS: TableDefinition<'_, [u8; 16], &[u8]> = TableDefinition::new("keys");
const SYSTEM: TableDefinition<'_, u64, &[u8]> = TableDefinition::new("system");

/// Reads the snapshot; the number of the record that it stands at, and the fold. `None` where there is none that fits.
pub(crate) fn read(medium: &dyn Medium, journal: &Journal) -> Result<Option<(u64, Fold)>, StoreError> {
    if medium.list(FILE)?.is_empty() {
        return Ok(None);
    }
    read_matching(medium, journal).or_else(|error| {
        // Nothing is lost with it, and one that cannot be read could not be replaced either.
        tracing::warn!(%error, "the state snapshot cannot be read; folding the whole journal again");
        medium.remove(FILE)?;
        Ok(None)
    })
}

fn read_matching(medium: &dyn Medium, journal: &Journal) -> Result<Option<(u64, Fold)>, StoreError> {
    let database = Builder::new().create_with_backend(Boxed(medium.open(FILE)?)).map_err(failed)?;
    let transaction = database.begin_read().map_err(failed)?;
    let Ok(meta) = transaction.open_table(META) else {
        return Ok(None);
    };
    let mark: Option<Mark> = meta.get("mark").map_err(failed)?.map(|v| row(v.value())).transpose()?;
    let Some(mark) = mark.filter(|mark| mark.format == FORMAT) else {
        return Ok(None);
    };
    if mark.record > journal.end()?.last_record || journal.hash_of(mark.record)? != mark.hash {
        tracing::warn!(record = mark.record, "the state snapshot is not of this journal; folding it again");
        return Ok(None);
    }
    let mut fold = Fold::default();
    for stored in transaction.open_table(ACCOUNTS).map_err(failed)?.iter().map_err(failed)? {
        let row: AccountRow = row(stored.map_err(failed)?.1.value())?;
        let account = Account::try_from(row)?;
        recount(&account).map_err(StoreError::corrupt)?;
        fold.state.put_account(Arc::new(account));
    }
    for stored in transaction.open_table(POSITIONS).map_err(failed)?.iter().map_err(failed)? {
        let (number, positions) = stored.map_err(failed)?;
        let positions: Vec<u64> = row(positions.value())?;
        fold.positions.insert(number.value(), positions.into_iter().map(Position).collect());
    }
    for stored in transaction.open_table(KEYS).map_err(failed)?.iter().map_err(failed)? {
        let (key, record) = stored.map_err(failed)?;
        let (content, sequence, millis): ([u8; 16], u64, i64) = row(record.value())?;
        let recorded_at = Timestamp::from_millis(millis);
        fold.state.put_key(KeyFingerprint(key.value()), KeyRecord { content, sequence, recorded_at });
    }
    for stored in transaction.open_table(SYSTEM).map_err(failed)?.iter().map_err(failed)? {
        let value = stored.map_err(failed)?.1;
        let (topic, key, value): (&str, &str, &str) = row(value.value())?;
        fold.state.put_system(&SystemRecord { topic: topic.into(), key: key.into(), value: Some(value.into()) });
    }
    Ok(Some((mark.record, fold)))
}

/// Writes the snapshot in one transaction: a crash leaves the one before it.
pub(crate) fn write(medium: &dyn Medium, journal: &Journal, fold: &Fold) -> Result<(), StoreError> {
    let database = Builder::new().create_with_backend(Boxed(medium.open(FILE)?)).map_err(failed)?;
    let mut transaction = database.begin_write().map_err(failed)?;
    transaction.set_durability(Durability::Immediate).map_err(failed)?;
    transaction.set_quick_repair(true);
    for table in [ACCOUNTS, POSITIONS, SYSTEM] {
        transaction.delete_table(table).map_err(failed)?;
    }
    transaction.delete_table(KEYS).map_err(failed)?;
    {
        let mut accounts = transaction.open_table(ACCOUNTS).map_err(failed)?;
        for account in fold.state.all_accounts() {
            let row = bytes(&AccountRow::from(&**account))?;
            accounts.insert(account.number.0, row.as_slice()).map_err(failed)?;
        }
        let mut positions = transaction.open_table(POSITIONS).map_err(failed)?;
        for (number, of_account) in &fold.positions {
            let row = bytes(&of_account.iter().map(|position| position.0).collect::<Vec<u64>>())?;
            positions.insert(number, row.as_slice()).map_err(failed)?;
        }
        let mut keys = transaction.open_table(KEYS).map_err(failed)?;
        for (key, record) in fold.state.all_keys() {
            let row = bytes(&(record.content, record.sequence, record.recorded_at.millis()))?;
            keys.insert(key.0, row.as_slice()).map_err(failed)?;
        }
        let mut system = transaction.open_table(SYSTEM).map_err(failed)?;
        for (index, record) in (0_u64..).zip(fold.state.all_system()) {
            let row = bytes(&(&*record.topic, &*record.key, record.value.as_deref().unwrap_or("")))?;
            system.insert(index, row.as_slice()).map_err(failed)?;
        }
        let end = journal.end()?;
        let mark = Mark { format: FORMAT, record: end.last_record, hash: end.head };
        let mut meta = transaction.open_table(META).map_err(failed)?;
        meta.insert("mark", bytes(&mark)?.as_slice()).map_err(failed)?;
    }
    transaction.commit().map_err(failed)
}

fn bytes<T: Serialize>(row: &T) -> Result<Vec<u8>, StoreError> {
    postcard::to_stdvec(row).map_err(StoreError::corrupt)
}

fn row<'a, T: Deserialize<'a>>(bytes: &'a [u8]) -> Result<T, StoreError> {
    postcard::from_bytes(bytes).map_err(StoreError::corrupt)
}

/// Which record a snapshot stands at.
#[derive(Serialize, Deserialize)]
struct Mark {
    format: u64,
    record: u64,
    hash: [u8; 32],
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
    parent: Option<Arc<str>>,
    terms: TermsRow,
    next_terms: Option<TermsRow>,
    created_at: i64,
    sequence: u64,
    head: [u8; 32],
    last_at: i64,
    totals: [i64; 12],
    cycle_times: [i64; 2],
    cycle_sums: [i64; 6],
    grants: Vec<GrantRow>,
    grants_made: Vec<u64>,
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
    effective: bool,
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
            grants: row.grants.into_iter().map(Grant::try_from).collect::<Result<_, _>>()?,
            grants_made: Arc::new(row.grants_made),
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
            effective: grant.effective,
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
            effective: row.effective,
        })
    }
}

fn damaged() -> StoreError {
    StoreError::corrupt("a row of the state snapshot holds what no account can be")
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
