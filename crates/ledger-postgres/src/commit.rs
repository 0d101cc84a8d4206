//! The commit of a batch: one transaction, in which accounts that have moved on are left out.
//!
//! Rows are locked in one order by every node: accounts that exist by their numbers, then new ones by their ids, then
//! system records by their names. So no two commits wait for each other in a ring.

use crate::convert::{instance, names, number};
use crate::days;
use crate::failure::Failure;
use crate::session::{Session, Work};
use ledger_core::calendar::{UTC, local_day};
use ledger_core::{Account, Timestamp};
use ledger_store::rows::{account_from_bytes, account_to_bytes};
use ledger_store::{AccountCommit, Batch, Committed, Recorded, StoreError, SystemRecord, past};
use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

/// Databases that spread their data undo a transaction now and then; one that is undone so often is in trouble.
const ATTEMPTS_MAX: u32 = 5;
const PAUSE: Duration = Duration::from_millis(5);

const LOCK: &str =
    "SELECT number, revision, state FROM accounts WHERE number = ANY($1::bigint[]) ORDER BY number FOR UPDATE";

// An id that somebody else is opening is waited for, and then is a conflict or is free.
const OPEN: &str = "INSERT INTO accounts (number, id, revision, plan, due_at, state)
    SELECT * FROM unnest($1::bigint[], $2::text[], $3::bigint[], $4::text[], $5::bigint[], $6::bytea[])
        AS opened(number, id, revision, plan, due_at, state)
    ORDER BY id COLLATE \"C\" ON CONFLICT DO NOTHING RETURNING number";

const MOVE: &str = "UPDATE accounts
    SET revision = moved.revision, plan = moved.plan, due_at = moved.due_at, state = moved.state
    FROM unnest($1::bigint[], $2::bigint[], $3::bigint[], $4::text[], $5::bigint[], $6::bytea[])
        AS moved(number, expected, revision, plan, due_at, state)
    WHERE accounts.number = moved.number AND accounts.revision = moved.expected";

const CLOSE_DAYS: &str = "INSERT INTO closings (account, recorded_at, state)
    SELECT * FROM unnest($1::bigint[], $2::bigint[], $3::bytea[])";

const WRITE_ENTRIES: &str = "INSERT INTO entries (account, sequence, recorded_at, occurred_at, type, activity, agent,
        model, bytes, hash, salt, details, noticed_at, spendable_micros, instance, fuel)
    SELECT * FROM unnest($1::bigint[], $2::bigint[], $3::bigint[], $4::bigint[], $5::text[], $6::text[], $7::text[],
        $8::text[], $9::bytea[], $10::bytea[], $11::bytea[], $12::text[], $13::bigint[], $14::bigint[],
        $15::smallint[], $16::bigint[])";

const REMEMBER_KEYS: &str = "INSERT INTO keys (account, fingerprint, content, sequence, recorded_at)
    SELECT * FROM unnest($1::bigint[], $2::bytea[], $3::bytea[], $4::bigint[], $5::bigint[])
    ON CONFLICT (account, fingerprint)
    DO UPDATE SET content = excluded.content, sequence = excluded.sequence, recorded_at = excluded.recorded_at";

const PUT_SYSTEM: &str = "INSERT INTO system_records (topic, key, value)
    SELECT * FROM unnest($1::text[], $2::text[], $3::text[])
    ON CONFLICT (topic, key) DO UPDATE SET value = excluded.value";

const END_SYSTEM: &str = "DELETE FROM system_records USING unnest($1::text[], $2::text[]) AS ended(topic, key)
    WHERE system_records.topic = ended.topic AND system_records.key = ended.key";

/// A commit that fits, with what it follows.
pub(crate) struct Change<'a> {
    /// The account's number, as the columns hold it.
    pub(crate) number: i64,
    /// What is to be committed.
    pub(crate) commit: Cow<'a, AccountCommit>,
    /// The account before it; `None` where this opens it.
    pub(crate) before: Option<Before>,
}

/// An account as it is stored, and as the bytes that say so.
pub(crate) struct Before {
    pub(crate) account: Account,
    state: Vec<u8>,
}

impl Change<'_> {
    /// The new entries.
    pub(crate) fn entries(&self) -> impl Iterator<Item = &Recorded> {
        self.commit.entries.iter().map(|recorded| &**recorded)
    }
}

/// Commits a batch, again if others were in the way.
pub(crate) fn commit(session: &mut Session, batch: &Batch) -> Result<Committed, Failure> {
    repeated(session, |session| attempt_once(session, batch))
}

/// Does the work of one transaction, again if others were in the way.
pub(crate) fn repeated<T>(
    session: &mut Session,
    work: impl Fn(&mut Session) -> Result<T, Failure>,
) -> Result<T, Failure> {
    let mut attempt = 1;
    loop {
        match work(session) {
            Err(failure) if attempt < ATTEMPTS_MAX && failure.is_passing() => {
                tracing::debug!(attempt, "the database undid a transaction, which is repeated");
                std::thread::sleep(PAUSE * attempt);
                attempt += 1;
            }
            done => return done,
        }
    }
}

fn attempt_once(session: &mut Session, batch: &Batch) -> Result<Committed, Failure> {
    let mut work = session.begin()?;
    let (changes, conflicts) = claim(&mut work, &batch.accounts)?;
    if !changes.is_empty() {
        move_accounts(&mut work, &changes)?;
        close_days(&mut work, &changes)?;
        write_entries(&mut work, &changes)?;
        remember_keys(&mut work, &changes)?;
        days::add(&mut work, &changes)?;
    }
    put_system(&mut work, changes.iter().flat_map(|change| &change.commit.system).chain(&batch.system))?;
    work.commit()?;
    Ok(Committed { conflicts })
}

/// Locks the accounts and sorts their commits into those that fit and, by index, those that do not.
fn claim<'a>(work: &mut Work<'_>, commits: &'a [AccountCommit]) -> Result<(Vec<Change<'a>>, Vec<usize>), Failure> {
    let mut standing = lock(work, commits)?;
    let opened = open(work, commits)?;
    let (mut changes, mut conflicts) = (Vec::with_capacity(commits.len()), Vec::new());
    for (index, commit) in commits.iter().enumerate() {
        let number = number(commit.account.number.0)?;
        let before = match standing.remove(&number) {
            Some((revision, state)) if revision == commit.expected_sequence && revision > 0 => {
                Some(Before { account: account_from_bytes(&state)?, state })
            }
            None if opened.contains(&number) => None,
            _ => {
                conflicts.push(index);
                continue;
            }
        };
        let mut commit = Cow::Borrowed(commit);
        if let Some(before) = &before
            && let Some(account) = past::named_by_entries(Some(&before.account), &commit)?
        {
            commit.to_mut().account = account;
        }
        changes.push(Change { number, commit, before });
    }
    Ok((changes, conflicts))
}

/// Locks the accounts that should exist. Gives the revision and state of each that does, by number.
fn lock(work: &mut Work<'_>, commits: &[AccountCommit]) -> Result<BTreeMap<i64, (u64, Vec<u8>)>, Failure> {
    let existing = commits.iter().filter(|commit| commit.expected_sequence > 0);
    let numbers = existing.map(|commit| number(commit.account.number.0)).collect::<Result<Vec<_>, _>>()?;
    lock_accounts(work, &numbers)
}

/// Locks accounts. Gives the revision and state of each that is there, by number.
pub(crate) fn lock_accounts(work: &mut Work<'_>, numbers: &[i64]) -> Result<BTreeMap<i64, (u64, Vec<u8>)>, Failure> {
    if numbers.is_empty() {
        return Ok(BTreeMap::new());
    }
    let rows = work.query(LOCK, &[&numbers])?;
    let read = |row: &postgres::Row| {
        let revision: i64 = row.try_get("revision")?;
        Ok((row.try_get("number")?, (revision.cast_unsigned(), row.try_get("state")?)))
    };
    rows.iter().map(read).collect()
}

/// Opens the accounts that should not exist. Gives the numbers of those that did not.
fn open(work: &mut Work<'_>, commits: &[AccountCommit]) -> Result<BTreeSet<i64>, Failure> {
    let mut columns = AccountColumns::default();
    for commit in commits.iter().filter(|commit| commit.expected_sequence == 0) {
        columns.push(commit)?;
    }
    if columns.number.is_empty() {
        return Ok(BTreeSet::new());
    }
    let AccountColumns { number, id, revision, plan, due_at, state, .. } = &columns;
    let rows = work.query(OPEN, &[number, id, revision, plan, due_at, state])?;
    rows.iter().map(|row| Ok(row.try_get(0)?)).collect()
}

/// Puts accounts that exist in their new state.
fn move_accounts(work: &mut Work<'_>, changes: &[Change<'_>]) -> Result<(), Failure> {
    let mut columns = AccountColumns::default();
    for change in changes.iter().filter(|change| change.before.is_some()) {
        columns.push(&change.commit)?;
    }
    if columns.number.is_empty() {
        return Ok(());
    }
    let AccountColumns { number, expected, revision, plan, due_at, state, .. } = &columns;
    let moved = work.execute(MOVE, &[number, expected, revision, plan, due_at, state])?;
    if usize::try_from(moved).ok() != Some(number.len()) {
        return Err(StoreError::corrupt("an account that was locked is not the one that was to be moved").into());
    }
    Ok(())
}

/// Accounts, column by column.
#[derive(Default)]
struct AccountColumns<'a> {
    number: Vec<i64>,
    id: Vec<&'a str>,
    expected: Vec<i64>,
    revision: Vec<i64>,
    plan: Vec<&'a str>,
    due_at: Vec<i64>,
    state: Vec<Vec<u8>>,
}

impl<'a> AccountColumns<'a> {
    fn push(&mut self, commit: &'a AccountCommit) -> Result<(), StoreError> {
        let account = &commit.account;
        self.number.push(number(account.number.0)?);
        self.id.push(&account.id);
        self.expected.push(number(commit.expected_sequence)?);
        self.revision.push(number(account.sequence)?);
        self.plan.push(&account.plan);
        self.due_at.push(account.attention_at().millis());
        self.state.push(account_to_bytes(account)?);
        Ok(())
    }
}

/// Keeps the accounts that go on from one day to another as they were when the first was over.
fn close_days(work: &mut Work<'_>, changes: &[Change<'_>]) -> Result<(), Failure> {
    let day = |at: Timestamp| local_day(UTC, at);
    let closed = changes.iter().filter_map(|change| {
        let before = change.before.as_ref()?;
        let ends = day(before.account.last_at) < day(change.commit.account.last_at);
        ends.then_some((change.number, before.account.last_at.millis(), before.state.as_slice()))
    });
    let (mut accounts, mut recorded_at, mut states) = (Vec::new(), Vec::new(), Vec::new());
    for (account, at, state) in closed {
        accounts.push(account);
        recorded_at.push(at);
        states.push(state);
    }
    if !accounts.is_empty() {
        work.execute(CLOSE_DAYS, &[&accounts, &recorded_at, &states])?;
    }
    Ok(())
}

/// Entries, column by column.
#[derive(Default)]
struct EntryColumns<'a> {
    account: Vec<i64>,
    sequence: Vec<i64>,
    recorded_at: Vec<i64>,
    occurred_at: Vec<i64>,
    type_name: Vec<&'a str>,
    names: [Vec<Option<&'a str>>; 3],
    bytes: Vec<&'a [u8]>,
    hash: Vec<&'a [u8]>,
    salt: Vec<Option<&'a [u8]>>,
    details: Vec<Option<&'a str>>,
    noticed_at: Vec<i64>,
    spendable_micros: Vec<i64>,
    instance: Vec<i16>,
    fuel: Vec<i64>,
}

impl<'a> EntryColumns<'a> {
    fn push(&mut self, account: i64, recorded: &'a Recorded) -> Result<(), StoreError> {
        let Recorded { sealed, details, notes, unnamed: _ } = recorded;
        let (instance, fuel) = instance(notes.instance);
        self.account.push(account);
        self.sequence.push(number(sealed.entry.sequence)?);
        self.recorded_at.push(sealed.entry.recorded_at.millis());
        self.occurred_at.push(sealed.entry.at.millis());
        self.type_name.push(sealed.entry.body.type_name());
        for (column, name) in self.names.iter_mut().zip(names(&sealed.entry.body)) {
            column.push(name);
        }
        self.bytes.push(&sealed.bytes);
        self.hash.push(&sealed.hash);
        self.salt.push(details.as_ref().map(|salted| salted.salt.as_slice()));
        self.details.push(details.as_ref().map(|salted| salted.text.as_str()));
        self.noticed_at.push(notes.noticed_at.millis());
        self.spendable_micros.push(notes.spendable.micros());
        self.instance.push(instance);
        self.fuel.push(fuel);
        Ok(())
    }
}

fn write_entries(work: &mut Work<'_>, changes: &[Change<'_>]) -> Result<(), Failure> {
    let mut columns = EntryColumns::default();
    for change in changes {
        for recorded in change.entries() {
            columns.push(change.number, recorded)?;
        }
    }
    let EntryColumns { account, sequence, recorded_at, occurred_at, type_name, names, .. } = &columns;
    let EntryColumns { bytes, hash, salt, details, noticed_at, spendable_micros, instance, fuel, .. } = &columns;
    let [activity, agent, model] = names;
    work.execute(
        WRITE_ENTRIES,
        &[
            account,
            sequence,
            recorded_at,
            occurred_at,
            type_name,
            activity,
            agent,
            model,
            bytes,
            hash,
            salt,
            details,
            noticed_at,
            spendable_micros,
            instance,
            fuel,
        ],
    )?;
    Ok(())
}

fn remember_keys(work: &mut Work<'_>, changes: &[Change<'_>]) -> Result<(), Failure> {
    // A statement may touch a row once only, so that of a key's records the last is chosen here.
    let mut keys = BTreeMap::new();
    for change in changes {
        for (key, record) in &change.commit.keys {
            keys.insert((change.number, key), record);
        }
    }
    if keys.is_empty() {
        return Ok(());
    }
    let accounts: Vec<i64> = keys.keys().map(|(account, _)| *account).collect();
    let fingerprints: Vec<&[u8]> = keys.keys().map(|(_, key)| key.0.as_slice()).collect();
    let contents: Vec<&[u8]> = keys.values().map(|record| record.content.as_slice()).collect();
    let sequences = keys.values().map(|record| number(record.sequence)).collect::<Result<Vec<_>, _>>()?;
    let recorded_at: Vec<i64> = keys.values().map(|record| record.recorded_at.millis()).collect();
    work.execute(REMEMBER_KEYS, &[&accounts, &fingerprints, &contents, &sequences, &recorded_at])?;
    Ok(())
}

pub(crate) fn put_system<'a>(
    work: &mut Work<'_>,
    records: impl IntoIterator<Item = &'a SystemRecord>,
) -> Result<(), Failure> {
    // The last record under a name is in force; in order of their names, they are locked as on every node.
    let in_force: BTreeMap<(&str, &str), Option<&str>> =
        records.into_iter().map(|record| ((&*record.topic, &*record.key), record.value.as_deref())).collect();
    let (mut put, mut ended) = ((Vec::new(), Vec::new(), Vec::new()), (Vec::new(), Vec::new()));
    for ((topic, key), value) in in_force {
        if let Some(value) = value {
            put.0.push(topic);
            put.1.push(key);
            put.2.push(value);
        } else {
            ended.0.push(topic);
            ended.1.push(key);
        }
    }
    if !put.0.is_empty() {
        work.execute(PUT_SYSTEM, &[&put.0, &put.1, &put.2])?;
    }
    if !ended.0.is_empty() {
        work.execute(END_SYSTEM, &[&ended.0, &ended.1])?;
    }
    Ok(())
}
