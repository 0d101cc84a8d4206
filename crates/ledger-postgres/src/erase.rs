//! Erasing details: one transaction, under the locks of the accounts that are concerned.
//!
//! The database keeps what it has updated away until it is vacuumed, and longer in its write-ahead log; that is for who
//! runs the database.

use crate::commit::{lock_accounts, put_system};
use crate::convert::{number, recorded, unsigned};
use crate::failure::Failure;
use crate::session::{Session, Work};
use ledger_core::{Account, AccountNumber};
use ledger_store::past::Names;
use ledger_store::rows::{account_from_bytes, account_to_bytes};
use ledger_store::{SystemRecord, erasure};
use std::collections::{BTreeMap, BTreeSet};

/// How many entries one statement is about.
const ENTRIES_MAX: usize = 10_000;

const WITH_DETAILS: &str = "SELECT sequence, bytes, hash, salt, details, noticed_at, spendable_micros, instance, fuel
    FROM entries JOIN unnest($2::bigint[]) AS wanted(sequence) USING (sequence)
    WHERE account = $1 AND salt IS NOT NULL ORDER BY sequence";

const ERASE: &str = "UPDATE entries SET salt = NULL, details = erased.mark
    FROM unnest($2::bigint[], $3::text[]) AS erased(sequence, mark)
    WHERE entries.account = $1 AND entries.sequence = erased.sequence";

const NAMING: &str = "SELECT sequence, bytes, hash, salt, details, noticed_at, spendable_micros, instance, fuel
    FROM entries WHERE account = $1 AND type IN ('opened', 'updated') ORDER BY sequence";

const RENAME: &str = "UPDATE accounts SET state = $2 WHERE number = $1";

const CLOSINGS: &str = "SELECT recorded_at, state FROM closings WHERE account = $1";

const RENAME_CLOSINGS: &str = "UPDATE closings SET state = renamed.state
    FROM unnest($2::bigint[], $3::bytea[]) AS renamed(recorded_at, state)
    WHERE closings.account = $1 AND closings.recorded_at = renamed.recorded_at";

const LISTED: &str = "SELECT key, value FROM system_records WHERE topic = $1 AND key = ANY($2::text[])";

/// Erases details, again if others were in the way.
pub(crate) fn erase(session: &mut Session, wanted: &[(AccountNumber, Vec<u64>)]) -> Result<u64, Failure> {
    let mut by_account: BTreeMap<AccountNumber, BTreeSet<u64>> = BTreeMap::new();
    for (account, sequences) in wanted {
        by_account.entry(*account).or_default().extend(sequences);
    }
    crate::commit::repeated(session, |session| {
        let mut work = session.begin()?;
        let numbers = by_account.keys().map(|account| number(account.0)).collect::<Result<Vec<_>, _>>()?;
        let standing = lock_accounts(&mut work, &numbers)?;
        let (mut count, mut listed) = (0, Vec::new());
        for (account, sequences) in &by_account {
            let Some((_, state)) = standing.get(&number(account.0)?) else { continue };
            let erased = erase_of(&mut work, &account_from_bytes(state)?, sequences)?;
            count += u64::try_from(erased.entries.len()).unwrap_or(0);
            listed.extend(erased.listed);
        }
        put_system(&mut work, &listed)?;
        work.commit()?;
        Ok(count)
    })
}

#[derive(Default)]
struct Erased {
    entries: BTreeMap<u64, [u8; 32]>,
    is_named: bool,
    listed: Vec<SystemRecord>,
}

fn erase_of(work: &mut Work<'_>, account: &Account, sequences: &BTreeSet<u64>) -> Result<Erased, Failure> {
    let of = number(account.number.0)?;
    let mut erased = Erased::default();
    // What no column can hold is the sequence of nothing.
    let sequences: Vec<i64> = sequences.iter().filter_map(|sequence| i64::try_from(*sequence).ok()).collect();
    for some in sequences.chunks(ENTRIES_MAX) {
        let (mut stored, mut marks) = (Vec::new(), Vec::new());
        for row in work.query(WITH_DETAILS, &[&of, &some])? {
            let sequence: i64 = row.try_get("sequence")?;
            if let Some(without) = recorded(&row)?.erased()? {
                erased.entries.insert(unsigned(sequence)?, without.sealed.hash);
                erased.is_named |= without.unnamed.is_any();
                stored.push(sequence);
                marks.push(without.unnamed.mark());
            }
        }
        work.execute(ERASE, &[&of, &stored, &marks])?;
    }
    if erased.is_named {
        rename(work, account)?;
    }
    let keys = erased.entries.keys().map(|sequence| erasure::key_of(account.number, *sequence));
    let keys: Vec<String> = keys.collect::<BTreeSet<_>>().iter().map(|key| key.to_string()).collect();
    let mut standing = Vec::new();
    for row in work.query(LISTED, &[&erasure::TOPIC, &keys])? {
        let [key, value] = [row.try_get::<_, &str>("key")?, row.try_get("value")?];
        standing.push(SystemRecord { topic: erasure::TOPIC.into(), key: key.into(), value: Some(value.into()) });
    }
    erased.listed = erasure::to_list(&standing, account, &erased.entries)?;
    Ok(erased)
}

/// Makes the names of an account again of its entries, as it is and as it was.
fn rename(work: &mut Work<'_>, account: &Account) -> Result<(), Failure> {
    let of = number(account.number.0)?;
    let (mut names, mut changes) = (Names::default(), Vec::new());
    for row in work.query(NAMING, &[&of])? {
        names.follow(&*recorded(&row)?)?;
        changes.push((unsigned(row.try_get("sequence")?)?, names.clone()));
    }
    let renamed = |mut account: Account| {
        let known = changes.iter().rev().find(|(sequence, _)| *sequence <= account.sequence);
        known.map_or(&Names::default(), |(_, names)| names).put_on(&mut account);
        account_to_bytes(&account)
    };
    work.execute(RENAME, &[&of, &renamed(account.clone())?])?;
    let (mut times, mut states) = (Vec::new(), Vec::new());
    for row in work.query(CLOSINGS, &[&of])? {
        times.push(row.try_get::<_, i64>("recorded_at")?);
        states.push(renamed(account_from_bytes(row.try_get("state")?)?)?);
    }
    work.execute(RENAME_CLOSINGS, &[&of, &times, &states])?;
    Ok(())
}
