//! The reads. Each answers from one statement, and so from one committed state; where there are two, the second reads
//! what no commit changes.

use crate::convert::{fixed, recorded, rows, searchable, stored, unsigned};
use crate::days;
use crate::failure::Failure;
use crate::session::Session;
use ledger_core::{Account, Timestamp};
use ledger_store::rows::account_from_bytes;
use ledger_store::{AccountQuery, EntryPage, EntryQuery, KeyRecord, Loaded, Recorded, SystemRecord, Wanted, past};
use postgres::Row;
use postgres::fallible_iterator::FallibleIterator;
use std::sync::Arc;

/// How many entries a read looks through before it says where to go on.
pub(crate) const LOOKED_THROUGH_MAX: u64 = 2_000;

// The limit of one says what the planner cannot know of a fingerprint that it has no statistics of: as a plain join it
// reads every key of the account.
const LOAD: &str = "
    SELECT wanted.place, accounts.state, NULL::bytea AS content, NULL::bigint AS sequence, NULL::bigint AS recorded_at
    FROM unnest($1::text[]) WITH ORDINALITY AS wanted(id, place)
    JOIN accounts ON accounts.id = wanted.id
    UNION ALL
    SELECT wanted.place, NULL, found.content, found.sequence, found.recorded_at
    FROM unnest($2::text[], $3::bytea[]) WITH ORDINALITY AS wanted(id, fingerprint, place)
    JOIN accounts ON accounts.id = wanted.id
    CROSS JOIN LATERAL (
        SELECT content, sequence, recorded_at FROM keys
        WHERE keys.account = accounts.number AND keys.fingerprint = wanted.fingerprint LIMIT 1
    ) AS found";

// The columns of `convert::recorded`, here and below.
const ENTRY: &str = "SELECT bytes, hash, salt, details, noticed_at, spendable_micros, instance, fuel
    FROM entries WHERE account = $1 AND sequence = $2";

const ENTRIES: &str = "SELECT bytes, hash, salt, details, noticed_at, spendable_micros, instance, fuel
    FROM entries WHERE account = $1 AND sequence >= $2 AND sequence < $3
    AND ($4::bigint IS NULL OR occurred_at >= $4) AND ($5::bigint IS NULL OR occurred_at < $5)
    AND ($6::text IS NULL OR type = $6) AND ($7::text IS NULL OR activity = $7)
    AND ($8::text IS NULL OR agent = $8) AND ($9::text IS NULL OR model = $9)
    ORDER BY sequence DESC LIMIT $10";

const REVISION: &str = "SELECT revision FROM accounts WHERE number = $1";

const BY_NUMBER: &str = "SELECT state FROM accounts WHERE number = $1";

const CLOSING: &str = "SELECT state FROM closings WHERE account = $1 AND recorded_at <= $2
    ORDER BY recorded_at DESC LIMIT 1";

const ENTRIES_UNTIL: &str = "SELECT bytes, hash, salt, details, noticed_at, spendable_micros, instance, fuel
    FROM entries WHERE account = $1 AND sequence > $2 AND recorded_at <= $3 ORDER BY sequence";

// With an upper end, the index is left where the prefix ends, however few there are.
const LIST: &str = "SELECT state FROM accounts
    WHERE id >= $1 AND id < $2 AND ($3::text IS NULL OR id > $3) AND ($4::text IS NULL OR plan = $4)
    ORDER BY id LIMIT $5";

const DUE: &str = "SELECT id FROM accounts WHERE due_at <= $1 ORDER BY due_at, number LIMIT $2";

const SYSTEM: &str = "SELECT key, value FROM system_records WHERE topic = $1 ORDER BY key";

/// Accounts with the records of the keys asked for.
pub(crate) fn load(session: &mut Session, wanted: &[Wanted]) -> Result<Vec<Loaded>, Failure> {
    let ids: Vec<Option<&str>> = wanted.iter().map(|wanted| searchable(&wanted.account)).collect();
    let mut places = Vec::new();
    let (mut key_ids, mut fingerprints): (Vec<Option<&str>>, Vec<&[u8]>) = (Vec::new(), Vec::new());
    for (place, (wanted, id)) in wanted.iter().zip(&ids).enumerate() {
        for (key_place, key) in wanted.keys.iter().enumerate() {
            places.push((place, key_place));
            key_ids.push(*id);
            fingerprints.push(&key.0);
        }
    }
    let rows = session.query(LOAD, &[&ids, &key_ids, &fingerprints])?;
    let mut loaded: Vec<Loaded> =
        wanted.iter().map(|wanted| Loaded { account: None, keys: vec![None; wanted.keys.len()] }).collect();
    for row in &rows {
        // Places are counted from 1.
        let place = usize::try_from(row.try_get::<_, i64>("place")? - 1).unwrap_or(usize::MAX);
        if let Some(state) = row.try_get::<_, Option<&[u8]>>("state")? {
            if let Some(loaded) = loaded.get_mut(place) {
                loaded.account = Some(Arc::new(account_from_bytes(state)?));
            }
        } else if let Some((place, key_place)) = places.get(place)
            && let Some(key) = loaded.get_mut(*place).and_then(|loaded| loaded.keys.get_mut(*key_place))
        {
            *key = Some(key_record(row)?);
        }
    }
    Ok(loaded)
}

fn key_record(row: &Row) -> Result<KeyRecord, Failure> {
    Ok(KeyRecord {
        content: fixed(row.try_get("content")?)?,
        sequence: unsigned(row.try_get("sequence")?)?,
        recorded_at: Timestamp::from_millis(row.try_get("recorded_at")?),
    })
}

/// One entry.
pub(crate) fn entry(session: &mut Session, account: i64, sequence: u64) -> Result<Option<Arc<Recorded>>, Failure> {
    session.query(ENTRY, &[&account, &stored(sequence)])?.first().map(recorded).transpose()
}

/// A page of entries, newest first.
pub(crate) fn entries(session: &mut Session, account: i64, query: &EntryQuery) -> Result<EntryPage, Failure> {
    let names = [&query.entry_type, &query.activity, &query.agent, &query.model].map(Option::as_deref);
    if names.iter().flatten().any(|name| searchable(name).is_none()) {
        return Ok(EntryPage::default());
    }
    let Some((lowest, highest)) = stretch(session, account, query)? else {
        return Ok(EntryPage::default());
    };
    let before = query.before.map_or(highest.saturating_add(1), |before| before.min(highest.saturating_add(1)));
    let floor = lowest.max(before.saturating_sub(LOOKED_THROUGH_MAX));
    let [from, to] = [query.from, query.to].map(|at| at.map(Timestamp::millis));
    let [entry_type, activity, agent, model] = &names;
    let one_more = rows(query.limit.saturating_add(1));
    let found = session.query(
        ENTRIES,
        &[&account, &stored(floor), &stored(before), &from, &to, entry_type, activity, agent, model, &one_more],
    )?;
    let entries: Vec<_> = found.iter().take(query.limit).map(recorded).collect::<Result<_, _>>()?;
    let last = entries.last().map(|recorded| recorded.sealed.entry.sequence);
    let next = if found.len() > query.limit { last } else { (floor > lowest).then_some(floor) };
    Ok(EntryPage { entries, next })
}

/// The lowest and the highest sequence that can match.
fn stretch(session: &mut Session, account: i64, query: &EntryQuery) -> Result<Option<(u64, u64)>, Failure> {
    if let Some(days) = query.days() {
        return days::stretch(session, account, &days);
    }
    let rows = session.query(REVISION, &[&account])?;
    rows.first().map(|row| Ok((1, unsigned(row.try_get(0)?)?))).transpose()
}

/// An account by its number.
pub(crate) fn account_by_number(session: &mut Session, account: i64) -> Result<Option<Arc<Account>>, Failure> {
    session.query(BY_NUMBER, &[&account])?.first().map(account_in).transpose().map(|account| account.map(Arc::new))
}

/// An account as it was: as it is, where that is old enough, or else from the last day that was closed by then.
pub(crate) fn account_at(session: &mut Session, account: i64, at: Timestamp) -> Result<Option<Arc<Account>>, Failure> {
    match account_by_number(session, account)? {
        None => return Ok(None),
        Some(newest) if newest.last_at <= at => return Ok(Some(newest)),
        Some(_) => {}
    }
    let mut past = session.query(CLOSING, &[&account, &at.millis()])?.first().map(account_in).transpose()?;
    let closed = past.as_ref().map_or(0, |account| account.sequence);
    let statement = session.prepare(ENTRIES_UNTIL)?;
    let mut rows = session.client.query_raw(&statement, [account, stored(closed), at.millis()])?;
    while let Some(row) = rows.next()? {
        past = Some(past::step(past, &*recorded(&row)?)?);
    }
    Ok(past.map(Arc::new))
}

/// Accounts in order of their ids.
pub(crate) fn accounts(session: &mut Session, query: &AccountQuery) -> Result<Vec<Arc<Account>>, Failure> {
    let texts = [Some(&query.prefix), query.plan.as_ref(), query.after.as_ref()];
    if texts.into_iter().flatten().any(|text| searchable(text).is_none()) {
        return Ok(Vec::new());
    }
    let end = format!("{}{}", query.prefix, char::MAX);
    let rows = session.query(LIST, &[&query.prefix, &end, &query.after, &query.plan, &rows(query.limit)])?;
    rows.iter().map(|row| account_in(row).map(Arc::new)).collect()
}

fn account_in(row: &Row) -> Result<Account, Failure> {
    Ok(account_from_bytes(row.try_get("state")?)?)
}

/// Ids of accounts with something due, earliest first.
pub(crate) fn due_accounts(session: &mut Session, now: Timestamp, limit: usize) -> Result<Vec<Arc<str>>, Failure> {
    let rows = session.query(DUE, &[&now.millis(), &rows(limit)])?;
    rows.iter().map(|row| Ok(Arc::from(row.try_get::<_, &str>("id")?))).collect()
}

/// The system records of a topic.
pub(crate) fn system_records(session: &mut Session, topic: &str) -> Result<Vec<SystemRecord>, Failure> {
    let rows = session.query(SYSTEM, &[&topic])?;
    let read = |row: &Row| {
        Ok(SystemRecord {
            topic: topic.into(),
            key: row.try_get::<_, &str>("key")?.into(),
            value: Some(row.try_get::<_, &str>("value")?.into()),
        })
    };
    rows.iter().map(read).collect()
}
