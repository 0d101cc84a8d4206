//! The state file: what the journal says, folded, as of one of its records. Written by checkpoints in large
//! transactions; read through a view of the last of them.
//!
//! It may be deleted at any time, and is then made again from the journal.
//!
//! What a checkpoint changes is kept together, since a changed row costs the page that it is on: the places of an
//! account's newest entries are in the account's own row, until there are enough for a row that never changes again;
//! sums are ordered by day, so that those of today are neighbours, however long the history is.

mod anew;

use crate::failed;
use crate::keys::Run;
use crate::medium::{Boxed, Medium};
use crate::names::{NAMES, NameCache, Naming, stored_name, usage_of};
use crate::overlay::{Mark, Overlay, Stretch};
use crate::position::Places;
use ledger_core::{Account, DayUsage, Timestamp};
use ledger_store::rows::{ROWS_FORMAT, account_from_bytes, account_to_bytes};
use ledger_store::{StoreError, SystemRecord};
use redb::{
    Builder, Database, Durability, ReadOnlyTable, ReadableDatabase, ReadableTable, ReadableTableMetadata, Table,
    TableDefinition, WriteTransaction,
};
use serde::{Deserialize, Serialize};
use std::cmp::Ordering;
use std::ops::{Bound, RangeInclusive};
use std::sync::Arc;

pub(crate) const FILE: &str = "state.redb";
/// A state file that is being written to take the place of the other.
pub(crate) const NEW: &str = "new-state.redb";

/// Changes whenever a table below changes its shape.
const STATE_FORMAT: u64 = 3;

const META: TableDefinition<'_, &str, &[u8]> = TableDefinition::new("meta");
/// Account number → when it is next due, in milliseconds as eight bytes; the length of what follows in two; the places of
/// the entries of its last, unfinished chunk; its row.
const ACCOUNTS: TableDefinition<'_, u64, &[u8]> = TableDefinition::new("accounts");
const IDS: TableDefinition<'_, &str, u64> = TableDefinition::new("ids");
const DUE: TableDefinition<'_, (i64, u64), ()> = TableDefinition::new("due");
/// Account number and chunk → where the entries of a finished chunk are.
const POSITIONS: TableDefinition<'_, (u64, u64), &[u8]> = TableDefinition::new("positions");
/// Day and account number → sums.
const USAGE: TableDefinition<'_, (i32, u64), &[u8]> = TableDefinition::new("usage");
/// Account number and time of its last entry then → its row then.
const PAST: TableDefinition<'_, (u64, i64), &[u8]> = TableDefinition::new("past");
const SYSTEM: TableDefinition<'_, (&str, &str), &str> = TableDefinition::new("system");

/// Entries of one row of positions.
const CHUNK_ENTRIES: u64 = 32;

/// The state file, open.
#[derive(Debug)]
pub(crate) struct StateFile {
    database: Database,
    names: Arc<NameCache>,
}

/// The state as of one checkpoint. Later checkpoints do not change what a view reads.
pub(crate) struct View {
    pub(crate) mark: Mark,
    /// Names of the runs of keys, oldest first.
    pub(crate) runs: Vec<String>,
    accounts: ReadOnlyTable<u64, &'static [u8]>,
    ids: ReadOnlyTable<&'static str, u64>,
    due: ReadOnlyTable<(i64, u64), ()>,
    positions: ReadOnlyTable<(u64, u64), &'static [u8]>,
    usage: ReadOnlyTable<(i32, u64), &'static [u8]>,
    names: ReadOnlyTable<u64, &'static str>,
    name_cache: Arc<NameCache>,
    past: ReadOnlyTable<(u64, i64), &'static [u8]>,
    system: ReadOnlyTable<(&'static str, &'static str), &'static str>,
}

impl std::fmt::Debug for View {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("View").field("mark", &self.mark).finish_non_exhaustive()
    }
}

#[derive(Serialize, Deserialize)]
struct Meta {
    format: u64,
    record: u64,
    hash: [u8; 32],
    runs: Vec<String>,
}

impl StateFile {
    /// Opens the file, making an empty one where there is none.
    pub(crate) fn open(medium: &dyn Medium, cache_bytes: usize) -> Result<Self, StoreError> {
        let mut builder = Builder::new();
        builder.set_cache_size(cache_bytes);
        Self::over(builder.create_with_backend(Boxed(medium.open(FILE)?)).map_err(failed)?)
    }

    /// A state of nothing, in memory, with its view.
    pub(crate) fn empty() -> Result<(Self, View), StoreError> {
        let database = Builder::new().create_with_backend(redb::backends::InMemoryBackend::new()).map_err(failed)?;
        let state = Self::over(database)?;
        let view = state.view()?.ok_or_else(|| StoreError::corrupt("an empty state has no mark"))?;
        Ok((state, view))
    }

    fn over(database: Database) -> Result<Self, StoreError> {
        let state = Self { database, names: Arc::default() };
        let is_new = state.database.begin_read().map_err(failed)?.open_table(META).is_err();
        if is_new {
            state.write(&Overlay::default(), &[], Mark { record: 0, hash: crate::record::GENESIS })?;
        }
        Ok(state)
    }

    /// The state as it is now; `None` where another version of Purser wrote it.
    pub(crate) fn view(&self) -> Result<Option<View>, StoreError> {
        let transaction = self.database.begin_read().map_err(failed)?;
        let meta = transaction.open_table(META).map_err(failed)?;
        let Some(meta) = meta.get("state").map_err(failed)? else {
            return Ok(None);
        };
        let Ok(meta) = postcard::from_bytes::<Meta>(meta.value()) else {
            return Ok(None);
        };
        if meta.format != format() {
            return Ok(None);
        }
        Ok(Some(View {
            mark: Mark { record: meta.record, hash: meta.hash },
            runs: meta.runs,
            accounts: transaction.open_table(ACCOUNTS).map_err(failed)?,
            ids: transaction.open_table(IDS).map_err(failed)?,
            due: transaction.open_table(DUE).map_err(failed)?,
            positions: transaction.open_table(POSITIONS).map_err(failed)?,
            usage: transaction.open_table(USAGE).map_err(failed)?,
            names: transaction.open_table(NAMES).map_err(failed)?,
            name_cache: self.names.clone(),
            past: transaction.open_table(PAST).map_err(failed)?,
            system: transaction.open_table(SYSTEM).map_err(failed)?,
        }))
    }

    /// Writes changes in one transaction: a crash leaves the checkpoint before it.
    pub(crate) fn write(&self, overlay: &Overlay, runs: &[Arc<Run>], mark: Mark) -> Result<(), StoreError> {
        let written = self.write_all(overlay, runs, mark);
        if written.is_err() {
            self.names.forget();
        }
        written
    }

    fn write_all(&self, overlay: &Overlay, runs: &[Arc<Run>], mark: Mark) -> Result<(), StoreError> {
        let mut transaction = self.database.begin_write().map_err(failed)?;
        transaction.set_durability(Durability::Immediate).map_err(failed)?;
        // A start after a crash must not walk the whole file; beside a checkpoint's work the cost is nothing.
        transaction.set_quick_repair(true);
        write_accounts(&transaction, overlay)?;
        write_usage(&transaction, overlay, &self.names)?;
        write_past(&transaction, overlay)?;
        write_system(&transaction, overlay)?;
        let runs = runs.iter().map(|run| run.name.clone()).collect();
        let meta = meta(mark, runs)?;
        transaction.open_table(META).map_err(failed)?.insert("state", meta.as_slice()).map_err(failed)?;
        transaction.commit().map_err(failed)
    }
}

fn write_accounts(transaction: &WriteTransaction, overlay: &Overlay) -> Result<(), StoreError> {
    let mut accounts = transaction.open_table(ACCOUNTS).map_err(failed)?;
    let mut due = transaction.open_table(DUE).map_err(failed)?;
    let mut ids = transaction.open_table(IDS).map_err(failed)?;
    for (id, number) in &overlay.ids {
        ids.insert(&**id, number).map_err(failed)?;
    }
    let mut chunks = transaction.open_table(POSITIONS).map_err(failed)?;
    // In the order of the tree: neighbours share pages.
    for number in sorted(overlay.accounts.keys()) {
        let Some(account) = overlay.accounts.get(&number) else { continue };
        let old = match accounts.get(number).map_err(failed)? {
            Some(row) => Some(AccountRow::split(row.value())?.owned()?),
            None => None,
        };
        let (was_due_ms, mut tail) = old.map_or((None, Places::default()), |(due_ms, tail)| (Some(due_ms), tail));
        if let Some(stretch) = overlay.positions.get(&number) {
            append(&mut chunks, number, &mut tail, stretch)?;
        }
        let due_ms = account.attention_at().millis();
        let row = AccountRow::join(due_ms, &tail, &account_to_bytes(account)?)?;
        accounts.insert(number, row.as_slice()).map_err(failed)?;
        if was_due_ms != Some(due_ms) {
            if let Some(was_due_ms) = was_due_ms {
                due.remove((was_due_ms, number)).map_err(failed)?;
            }
            due.insert((due_ms, number), ()).map_err(failed)?;
        }
    }
    Ok(())
}

/// The format of the tables and of the rows that the store's contract gives.
fn format() -> u64 {
    STATE_FORMAT << 32 | ROWS_FORMAT
}

/// What a state file says of itself.
fn meta(mark: Mark, runs: Vec<String>) -> Result<Vec<u8>, StoreError> {
    let meta = Meta { format: format(), record: mark.record, hash: mark.hash, runs };
    postcard::to_stdvec(&meta).map_err(StoreError::corrupt)
}

/// Adds the places of new entries to those of the last chunk; writes the chunks that are finished with them.
fn append(
    chunks: &mut Table<'_, (u64, u64), &'static [u8]>,
    number: u64,
    tail: &mut Places,
    stretch: &Stretch,
) -> Result<(), StoreError> {
    let before = stretch.first.saturating_sub(1);
    let kept = u64::try_from(tail.positions.len()).unwrap_or(0);
    if before % CHUNK_ENTRIES != kept {
        return Err(StoreError::corrupt(format_args!("places of entries of account number {number} have a gap")));
    }
    let mut chunk = before / CHUNK_ENTRIES;
    for (position, at) in &stretch.entries {
        tail.push(*position, *at);
        if u64::try_from(tail.positions.len()).unwrap_or(0) == CHUNK_ENTRIES {
            chunks.insert((number, chunk), tail.to_bytes()?.as_slice()).map_err(failed)?;
            *tail = Places::default();
            chunk += 1;
        }
    }
    Ok(())
}

/// A row of an account, in its parts.
struct AccountRow<'a> {
    due: [u8; 8],
    tail: &'a [u8],
    account: &'a [u8],
}

impl<'a> AccountRow<'a> {
    fn split(row: &'a [u8]) -> Result<Self, StoreError> {
        let parts = || {
            let (due, rest) = row.split_first_chunk::<8>()?;
            let (length, rest) = rest.split_first_chunk::<2>()?;
            let (tail, account) = rest.split_at_checked(usize::from(u16::from_le_bytes(*length)))?;
            Some(Self { due: *due, tail, account })
        };
        parts().ok_or_else(|| StoreError::corrupt("a row of an account is cut short"))
    }

    fn owned(&self) -> Result<(i64, Places), StoreError> {
        Ok((i64::from_le_bytes(self.due), Places::from_bytes(self.tail)?))
    }

    fn join(due_ms: i64, tail: &Places, account: &[u8]) -> Result<Vec<u8>, StoreError> {
        let tail = tail.to_bytes()?;
        let mut row = Vec::with_capacity(10 + tail.len() + account.len());
        row.extend_from_slice(&due_ms.to_le_bytes());
        row.extend_from_slice(&u16::try_from(tail.len()).map_err(StoreError::corrupt)?.to_le_bytes());
        row.extend_from_slice(&tail);
        row.extend_from_slice(account);
        Ok(row)
    }
}

fn write_usage(transaction: &WriteTransaction, overlay: &Overlay, names: &NameCache) -> Result<(), StoreError> {
    let mut table = transaction.open_table(USAGE).map_err(failed)?;
    let mut naming = Naming::open(transaction, names)?;
    let days = overlay.usage.iter().flat_map(|(number, days)| days.iter().map(|(day, later)| (*day, *number, later)));
    let mut days: Vec<(i32, u64, &DayUsage)> = days.collect();
    days.sort_unstable_by_key(|(day, number, _)| (*day, *number));
    for (day, number, later) in days {
        let joined = {
            let row = table.get((day, number)).map_err(failed)?;
            naming.join(row.as_ref().map(|row| row.value()), later)?
        };
        table.insert((day, number), joined.as_slice()).map_err(failed)?;
    }
    Ok(())
}

fn write_past(transaction: &WriteTransaction, overlay: &Overlay) -> Result<(), StoreError> {
    let mut table = transaction.open_table(PAST).map_err(failed)?;
    for number in sorted(overlay.past.keys()) {
        for account in overlay.past.get(&number).into_iter().flatten() {
            let row = account_to_bytes(account)?;
            table.insert((number, account.last_at.millis()), row.as_slice()).map_err(failed)?;
        }
    }
    Ok(())
}

fn write_system(transaction: &WriteTransaction, overlay: &Overlay) -> Result<(), StoreError> {
    let mut table = transaction.open_table(SYSTEM).map_err(failed)?;
    for ((topic, key), value) in &overlay.system {
        match value {
            Some(value) => drop(table.insert((&**topic, &**key), &**value).map_err(failed)?),
            None => drop(table.remove((&**topic, &**key)).map_err(failed)?),
        }
    }
    Ok(())
}

impl View {
    pub(crate) fn account(&self, number: u64) -> Result<Option<Account>, StoreError> {
        let row = self.accounts.get(number).map_err(failed)?;
        row.map(|row| account_from_bytes(AccountRow::split(row.value())?.account)).transpose()
    }

    pub(crate) fn number(&self, id: &str) -> Result<Option<u64>, StoreError> {
        Ok(self.ids.get(id).map_err(failed)?.map(|number| number.value()))
    }

    pub(crate) fn highest_number(&self) -> Result<u64, StoreError> {
        Ok(self.accounts.last().map_err(failed)?.map_or(0, |(number, _)| number.value()))
    }

    /// Ids from one on, in order, each with its number.
    pub(crate) fn ids_from(
        &self,
        from: Bound<&str>,
    ) -> Result<impl Iterator<Item = Result<(Arc<str>, u64), StoreError>>, StoreError> {
        let range = self.ids.range::<&str>((from, Bound::Unbounded)).map_err(failed)?;
        Ok(range.map(|row| row.map(|(id, number)| (Arc::from(id.value()), number.value())).map_err(failed)))
    }

    /// Account numbers with something due up to an instant, in order of time.
    pub(crate) fn due(
        &self,
        now: Timestamp,
    ) -> Result<impl Iterator<Item = Result<(Timestamp, u64), StoreError>>, StoreError> {
        let range = self.due.range(..=(now.millis(), u64::MAX)).map_err(failed)?;
        Ok(range.map(|row| {
            let (key, ()) = row.map(|(key, _)| (key.value(), ())).map_err(failed)?;
            Ok((Timestamp::from_millis(key.0), key.1))
        }))
    }

    /// Where the entry is that is `sequence`, and where those before it are in the same row: the first sequence, and the
    /// places from there. Times are those of the whole row.
    pub(crate) fn places_to(&self, number: u64, sequence: u64) -> Result<(u64, Places), StoreError> {
        let Some(index) = sequence.checked_sub(1) else {
            return Ok((1, Places::default()));
        };
        let chunk = index / CHUNK_ENTRIES;
        let mut places = match self.positions.get((number, chunk)).map_err(failed)? {
            Some(row) => Places::from_bytes(row.value())?,
            None => match self.accounts.get(number).map_err(failed)? {
                Some(row) => AccountRow::split(row.value())?.owned()?.1,
                None => Places::default(),
            },
        };
        places.positions.truncate(usize::try_from(index % CHUNK_ENTRIES).unwrap_or(0) + 1);
        Ok((chunk * CHUNK_ENTRIES + 1, places))
    }

    pub(crate) fn usage(&self, number: u64, days: &RangeInclusive<i32>) -> Result<Vec<(i32, DayUsage)>, StoreError> {
        // No more days than anything happened on, on any account.
        let first = self.usage.first().map_err(failed)?.map(|(key, _)| key.value().0);
        let last = self.usage.last().map_err(failed)?.map(|(key, _)| key.value().0);
        let (Some(first), Some(last)) = (first, last) else {
            return Ok(Vec::new());
        };
        let mut found = Vec::new();
        for day in first.max(*days.start())..=last.min(*days.end()) {
            if let Some(row) = self.usage.get((day, number)).map_err(failed)? {
                found.push((day, self.usage_of(row.value())?));
            }
        }
        Ok(found)
    }

    fn usage_of(&self, row: &[u8]) -> Result<DayUsage, StoreError> {
        usage_of(row, |number| stored_name(&self.names, &self.name_cache, number))
    }

    /// The latest kept account that had booked nothing after an instant.
    pub(crate) fn past(&self, number: u64, at: Timestamp) -> Result<Option<Account>, StoreError> {
        let mut range = self.past.range((number, i64::MIN)..=(number, at.millis())).map_err(failed)?;
        let latest = range.next_back().transpose().map_err(failed)?;
        latest.map(|(_, row)| account_from_bytes(row.value())).transpose()
    }

    pub(crate) fn system(&self) -> Result<Vec<SystemRecord>, StoreError> {
        let records = self.system.iter().map_err(failed)?;
        records
            .map(|row| {
                let (name, value) = row.map_err(failed)?;
                let (topic, key) = name.value();
                Ok(SystemRecord { topic: topic.into(), key: key.into(), value: Some(value.value().into()) })
            })
            .collect()
    }
}

/// One table of a view against that of another.
macro_rules! hold_against {
    ($live:expr, $again:expr, $told:expr, $name:literal, |$key:ident| $number:expr, |$a:ident, $b:ident| $same:expr) => {{
        let mut live = $live.iter().map_err(failed)?;
        let mut again = $again.iter().map_err(failed)?;
        let (mut a, mut b) = (live.next(), again.next());
        loop {
            let ordering = match (&a, &b) {
                (None, None) => break,
                (Some(_), None) => Ordering::Less,
                (None, Some(_)) => Ordering::Greater,
                (Some(Ok((a, _))), Some(Ok((b, _)))) => a.value().cmp(&b.value()),
                _ => Ordering::Equal,
            };
            match ordering {
                Ordering::Less => {
                    let (key, _) = a.transpose_row()?;
                    let $key = key.value();
                    $told($number, concat!("the state file has a row too many in ", $name).to_owned());
                    a = live.next();
                }
                Ordering::Greater => {
                    let (key, _) = b.transpose_row()?;
                    let $key = key.value();
                    $told($number, concat!("the state file lacks a row in ", $name).to_owned());
                    b = again.next();
                }
                Ordering::Equal => {
                    let ((key, live_row), (_, again_row)) = (a.transpose_row()?, b.transpose_row()?);
                    let ($a, $b) = (live_row.value(), again_row.value());
                    if !$same {
                        let $key = key.value();
                        $told(
                            $number,
                            concat!("the state file has another row than the journal makes in ", $name).to_owned(),
                        );
                    }
                    (a, b) = (live.next(), again.next());
                }
            }
        }
    }};
}

/// A row that is there, or the error in its place.
trait Row<T> {
    fn transpose_row(self) -> Result<T, StoreError>;
}

impl<T> Row<T> for Option<Result<T, redb::StorageError>> {
    fn transpose_row(self) -> Result<T, StoreError> {
        self.transpose().map_err(failed)?.ok_or_else(|| StoreError::corrupt("a table ended early"))
    }
}

impl View {
    /// Tells of each row that another view has otherwise, with the account's number where it is of one. Accounts as they
    /// were are held against nothing here: where they are kept is a matter of when checkpoints came.
    pub(crate) fn differences(
        &self,
        again: &Self,
        told: &mut dyn FnMut(Option<u64>, String),
    ) -> Result<(), StoreError> {
        hold_against!(self.accounts, again.accounts, told, "accounts", |number| Some(number), |a, b| a == b);
        hold_against!(self.ids, again.ids, told, "ids", |_id| None, |a, b| a == b);
        // These rows are all key.
        hold_against!(self.due, again.due, told, "what is due", |key| Some(key.1), |_a, _b| true);
        hold_against!(self.positions, again.positions, told, "places of entries", |key| Some(key.0), |a, b| a == b);
        hold_against!(self.usage, again.usage, told, "sums by day", |key| Some(key.1), |a, b| self.usage_of(a)?
            == again.usage_of(b)?);
        hold_against!(self.system, again.system, told, "system records", |_name| None, |a, b| a == b);
        Ok(())
    }

    pub(crate) fn accounts_count(&self) -> Result<u64, StoreError> {
        self.accounts.len().map_err(failed)
    }
}

fn sorted<'a>(numbers: impl Iterator<Item = &'a u64>) -> Vec<u64> {
    let mut numbers: Vec<u64> = numbers.copied().collect();
    numbers.sort_unstable();
    numbers
}
