//! Erasing details: the store's promise that they are gone, and what it takes to keep it.
//!
//! An erasure is listed in the journal first, with what is left to do of it; from then on it happens, be it after the next
//! start. Then each segment that has such details is written anew beside, and takes the old one's place; then the state
//! file, where an account had a name from them; and at last the journal says that it is done. A segment that was written
//! anew is known by its digest, so that an older copy of it is noticed when it comes back, and erased again.

use crate::journal::Parts;
use crate::poisoned;
use crate::record::{Beside, BesideEntry, Chained, Item, pack, parse, unpack};
use crate::state::{self, StateFile};
use crate::store::{Core, RedbStore};
use ledger_core::{Account, AccountNumber, Body, Salted, encoding, hex};
use ledger_store::erasure::{self, Sequences};
use ledger_store::past::Names;
use ledger_store::{Batch, EntryQuery, LedgerStore, Recorded, StoreError, SystemRecord, Unnamed};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, MutexGuard};

/// The topic of what has been listed and may not have happened yet. Keys and sequences are as in the list.
pub(crate) const PENDING: &str = "erasure-pending";
/// The topic of the digests of segments that had something erased, by the number of their first record.
const DIGESTS: &str = "erasure-digest";

/// The salt of a mark, which takes the place of erased details where they had given an account a name.
const MARK_SALT: [u8; 32] = [0; 32];

/// How often the state file is written while commits go on; a checkpoint that comes between makes it old. After that,
/// commits wait for it.
const ATTEMPTS_BESIDE: u32 = 4;

/// The details that are kept beside an entry, or what their erasure left.
pub(crate) fn kept_details(beside: &BesideEntry<'_>) -> (Option<Salted>, Unnamed) {
    match beside.details {
        None => (None, Unnamed::default()),
        Some((salt, text)) => match mark(salt, text) {
            Some(unnamed) => (None, unnamed),
            None => (Some(Salted { salt, text: text.to_owned() }), Unnamed::default()),
        },
    }
}

fn mark(salt: [u8; 32], text: &str) -> Option<Unnamed> {
    if salt == MARK_SALT { Unnamed::from_mark(text) } else { None }
}

/// A record's part beside the chain without the details of the entries at these places.
fn without_details(parts: &Parts, places: &BTreeSet<usize>) -> Result<Vec<u8>, StoreError> {
    let (chained, beside) = (unpack(&parts.chained)?, unpack(&parts.beside)?);
    let chained: Chained<'_> = parse(&chained)?;
    let mut beside: Beside<'_> = parse(&beside)?;
    for (place, bytes, _, kept) in entries(&chained, beside.entries.iter_mut()) {
        if places.contains(&place)
            && let (Some(salted), _) = kept_details(kept)
        {
            let body = encoding::decode(bytes).map_err(StoreError::corrupt)?.body;
            kept.details = Unnamed::by_erasing(&body, &salted)?.mark().map(|mark| (MARK_SALT, mark));
        }
    }
    Ok(pack(&postcard::to_stdvec(&beside).map_err(StoreError::corrupt)?))
}

/// The entries of a record: place, bytes, hash, and what is beside each.
pub(crate) fn entries<'a, T>(
    chained: &'a Chained<'a>,
    mut beside: impl Iterator<Item = T>,
) -> impl Iterator<Item = (usize, &'a [u8], [u8; 32], T)> {
    chained.items.iter().enumerate().filter_map(move |(place, item)| match item {
        Item::Entry { bytes, hash } => beside.next().map(|kept| (place, *bytes, *hash, kept)),
        Item::System { .. } => None,
    })
}

/// What there is to erase.
#[derive(Default)]
struct Found {
    /// Records that have such details, and the places of the entries in them.
    records: BTreeMap<u64, BTreeSet<usize>>,
    /// Entries that have details, with their hashes.
    entries: BTreeMap<u64, BTreeMap<u64, [u8; 32]>>,
    /// Records that were looked at.
    seen: BTreeSet<u64>,
    /// Accounts to which such entries gave a name or metadata, be it that they have lost their details by now.
    named: BTreeSet<u64>,
}

impl Found {
    /// Looks at entries of an account.
    fn look_at(&mut self, core: &Core, account: AccountNumber, sequences: &[u64]) -> Result<(), StoreError> {
        let mut places: BTreeMap<u64, BTreeSet<usize>> = BTreeMap::new();
        let last = core.shared()?.account(account.0)?.map_or(0, |account| account.sequence);
        for sequence in sequences.iter().filter(|sequence| (1..=last).contains(*sequence)) {
            let position = core.shared()?.position(account.0, *sequence)?.ok_or_else(|| {
                StoreError::corrupt(format_args!("entry {sequence} of account number {} has no place", account.0))
            })?;
            places.entry(position.record()).or_default().insert(position.index());
        }
        for (record, places) in places {
            self.look_in(core, record, &|_, place| places.contains(&place))?;
        }
        Ok(())
    }

    /// Looks at everything that is listed and is in segments that begin so.
    fn look_again(&mut self, core: &Core, segments: &BTreeSet<u64>) -> Result<(), StoreError> {
        if segments.is_empty() {
            return Ok(());
        }
        let mut listed = BTreeSet::new();
        for (account, sequences) in by_account(&core.shared()?.system_records(erasure::TOPIC)) {
            listed.extend(sequences.into_iter().map(|sequence| (account.0, sequence)));
        }
        let ranges = core.journal()?.segment_ranges()?;
        for (first, last) in ranges.into_iter().filter(|(first, _)| segments.contains(first)) {
            for record in first..=last {
                self.look_in(core, record, &|entry, _| listed.contains(&entry))?;
            }
        }
        Ok(())
    }

    /// Looks at those entries of a record that are wanted, by account and sequence and by place.
    fn look_in(
        &mut self,
        core: &Core,
        record: u64,
        is_wanted: &dyn Fn((u64, u64), usize) -> bool,
    ) -> Result<(), StoreError> {
        let content = core.journal()?.read(record)?;
        let chained: Chained<'_> = parse(&content.chained)?;
        let beside: Beside<'_> = parse(&content.beside)?;
        for (place, bytes, hash, kept) in entries(&chained, beside.entries.iter()) {
            if kept.details.is_none() {
                continue;
            }
            let entry = encoding::decode(bytes).map_err(StoreError::corrupt)?;
            if !is_wanted((entry.account.0, entry.sequence), place) {
                continue;
            }
            let (details, mut unnamed) = kept_details(kept);
            if let Some(salted) = details {
                unnamed = Unnamed::by_erasing(&entry.body, &salted)?;
                self.records.entry(record).or_default().insert(place);
                self.entries.entry(entry.account.0).or_default().insert(entry.sequence, hash);
            }
            if unnamed.is_any() {
                self.named.insert(entry.account.0);
            }
        }
        self.seen.insert(record);
        Ok(())
    }
}

impl RedbStore {
    /// Erases details, as the store's contract says.
    pub(crate) fn erase_details(&self, wanted: &[(AccountNumber, Vec<u64>)]) -> Result<u64, StoreError> {
        let core = self.core();
        let _one_at_a_time = core.erasing()?;
        let mut found = Found::default();
        for (account, sequences) in wanted {
            found.look_at(core, *account, sequences)?;
        }
        self.commit_system(to_begin(core, &found)?)?;
        let accounts: BTreeSet<AccountNumber> = wanted.iter().map(|(account, _)| *account).collect();
        self.finish(|account| accounts.contains(&account), &BTreeSet::new())?;
        Ok(found.entries.values().map(|entries| u64::try_from(entries.len()).unwrap_or(0)).sum())
    }

    /// At a start: finishes what had begun, and erases again what came back with an older copy of a segment. What cannot be
    /// done now is told, and tried again at the next start: nobody is kept from charging by it.
    pub(crate) fn finish_erasures(&self) {
        let done = self.core().erasing().and_then(|_one_at_a_time| {
            let come_back = self.came_back()?;
            self.finish(|_| true, &come_back)
        });
        if let Err(error) = done {
            tracing::error!(%error, "details that are to be erased may still be there; the next start tries again");
        }
    }

    /// Does what is pending of these accounts, and erases again what is listed from segments that begin so.
    fn finish(&self, of: impl Fn(AccountNumber) -> bool, come_back: &BTreeSet<u64>) -> Result<(), StoreError> {
        let core = self.core();
        let pending: Vec<SystemRecord> = core.shared()?.system_records(PENDING);
        let pending = pending.into_iter().filter(|record| erasure::account_of_key(&record.key).is_some_and(&of));
        let pending: Vec<SystemRecord> = pending.collect();
        if pending.is_empty() && come_back.is_empty() {
            return Ok(());
        }
        let (mut found, mut failures) = (Found::default(), Failures::default());
        for (account, sequences) in by_account(&pending) {
            let looked = found.look_at(core, account, &sequences);
            failures.note(looked, [account.0]);
        }
        failures.note(found.look_again(core, come_back), []);
        let mut digests = Vec::new();
        for (first, last) in core.journal()?.segment_ranges()? {
            if found.records.range(first..=last).next().is_some() {
                let without = |number: u64, parts: &Parts| {
                    found.records.get(&number).map(|places| without_details(parts, places)).transpose()
                };
                // Taken for each segment: a journal that is held cannot be reopened.
                let written = core.journal()?.rewrite(first, &without);
                failures.note(written, found.entries.keys().copied());
            }
            if found.seen.range(first..=last).next().is_some()
                && let Some(digest) = core.journal()?.digest_of(first)?
            {
                digests.push(record(DIGESTS, format!("{first:016}").into(), Some(hex::encode(&digest).into())));
            }
        }
        let named: BTreeSet<u64> = found.named.iter().copied().filter(|account| !failures.is_of(*account)).collect();
        if !named.is_empty() {
            let unnamed = core.unname(&named);
            failures.note(unnamed, named);
        }
        let is_done = |ended: &&SystemRecord| {
            erasure::account_of_key(&ended.key).is_some_and(|account| !failures.is_of(account.0))
        };
        let ended = pending.iter().filter(is_done).map(|ended| record(PENDING, ended.key.clone(), None));
        let mut system: Vec<SystemRecord> = ended.collect();
        // With a failure somewhere, a digest would vouch for what is not so.
        if failures.first.is_none() {
            system.append(&mut digests);
        }
        self.commit_system(system)?;
        failures.first.map_or(Ok(()), Err)
    }

    /// Segments that are another file than the one that was written when something was erased from them.
    fn came_back(&self) -> Result<BTreeSet<u64>, StoreError> {
        let mut others = BTreeSet::new();
        for known in self.core().shared()?.system_records(DIGESTS) {
            let Ok(first) = known.key.parse() else { continue };
            // One that is out of reach is looked at when it is reached at a start.
            if let Some(digest) = self.core().journal()?.digest_of(first)?
                && known.value.as_deref() != Some(&*hex::encode(&digest))
            {
                others.insert(first);
            }
        }
        Ok(others)
    }

    fn commit_system(&self, system: Vec<SystemRecord>) -> Result<(), StoreError> {
        if !system.is_empty() {
            self.commit(Batch { accounts: Vec::new(), system })?;
        }
        Ok(())
    }
}

/// What could not be done, and for whom: others need not wait for it.
#[derive(Default)]
struct Failures {
    first: Option<StoreError>,
    accounts: BTreeSet<u64>,
}

impl Failures {
    fn note(&mut self, done: Result<(), StoreError>, accounts: impl IntoIterator<Item = u64>) {
        if let Err(error) = done {
            self.accounts.extend(accounts);
            self.first.get_or_insert(error);
        }
    }

    fn is_of(&self, account: u64) -> bool {
        self.accounts.contains(&account)
    }
}

fn record(topic: &str, key: Arc<str>, value: Option<Arc<str>>) -> SystemRecord {
    SystemRecord { topic: topic.into(), key, value }
}

/// The records that list what was found, and say that it is to be done.
fn to_begin(core: &Core, found: &Found) -> Result<Vec<SystemRecord>, StoreError> {
    let mut system = Vec::new();
    let shared = core.shared()?;
    let in_force = |topic: &str| {
        let mut by_account: BTreeMap<AccountNumber, Vec<SystemRecord>> = BTreeMap::new();
        for record in shared.system_records(topic) {
            if let Some(account) = erasure::account_of_key(&record.key) {
                by_account.entry(account).or_default().push(record);
            }
        }
        by_account
    };
    let (listed, pending) = (in_force(erasure::TOPIC), in_force(PENDING));
    for (number, entries) in &found.entries {
        let account = shared.account(*number)?;
        let account =
            account.ok_or_else(|| StoreError::corrupt(format_args!("there is no account number {number}")))?;
        let standing = listed.get(&account.number).map_or(&[] as &[SystemRecord], Vec::as_slice);
        system.extend(erasure::to_list(standing, &account, entries)?);
        let mut blocks: BTreeMap<Arc<str>, Vec<u64>> = BTreeMap::new();
        for sequence in entries.keys() {
            blocks.entry(erasure::key_of(account.number, *sequence)).or_default().push(*sequence);
        }
        for (key, mut sequences) in blocks {
            let earlier = pending.get(&account.number).into_iter().flatten().filter(|record| record.key == key);
            sequences.extend(by_account(earlier).into_values().flatten());
            let text = sequences.into_iter().collect::<Sequences>().to_string();
            system.push(record(PENDING, key, Some(text.into())));
        }
    }
    Ok(system)
}

/// The sequences that records of the list, or of what is pending, name.
pub(crate) fn by_account<'a>(records: impl IntoIterator<Item = &'a SystemRecord>) -> BTreeMap<AccountNumber, Vec<u64>> {
    let mut all: BTreeMap<AccountNumber, Vec<u64>> = BTreeMap::new();
    for record in records {
        let value = record.value.as_deref().unwrap_or_default();
        let listed = erasure::Listed::parse(value).map(|listed| listed.sequences());
        if let (Some(account), Some(sequences)) =
            (erasure::account_of_key(&record.key), listed.or_else(|| Sequences::parse(value)))
        {
            all.entry(account).or_default().extend(sequences.iter());
        }
    }
    all
}

/// What an account was called after each of its entries that say so.
struct Called {
    number: u64,
    last: u64,
    changes: Vec<(u64, Names)>,
}

impl Called {
    fn read(core: &Core, number: u64) -> Result<Self, StoreError> {
        let last = core.shared()?.account(number)?.map_or(0, |account| account.sequence);
        let mut called = Self { number, last, changes: Vec::new() };
        let mut updated: Vec<Arc<Recorded>> = Vec::new();
        let mut query = EntryQuery {
            before: Some(last.saturating_add(1)),
            entry_type: Some("updated".to_owned()),
            limit: 1000,
            ..EntryQuery::default()
        };
        loop {
            let page = core.entries(number, &query)?;
            updated.extend(page.entries);
            let Some(next) = page.next else { break };
            query.before = Some(next);
        }
        for recorded in core.entry(number, 1)?.into_iter().chain(updated.into_iter().rev()) {
            called.follow(&recorded)?;
        }
        Ok(called)
    }

    /// Reads what has been committed since.
    fn go_on(&mut self, core: &Core) -> Result<(), StoreError> {
        let last = core.shared()?.account(self.number)?.map_or(0, |account| account.sequence);
        for sequence in self.last + 1..=last {
            if let Some(recorded) = core.entry(self.number, sequence)? {
                self.follow(&recorded)?;
            }
        }
        self.last = last;
        Ok(())
    }

    fn follow(&mut self, recorded: &Recorded) -> Result<(), StoreError> {
        let entry = &recorded.sealed.entry;
        if matches!(entry.body, Body::Opened(_) | Body::Updated(_)) {
            let mut names = self.changes.last().map(|(_, names)| names.clone()).unwrap_or_default();
            names.follow(recorded)?;
            self.changes.push((entry.sequence, names));
        }
        Ok(())
    }

    /// Calls an account, as it is or as it was, what its entries call it.
    fn put_on(&self, account: &mut Account) {
        let known = self.changes.partition_point(|(sequence, _)| *sequence <= account.sequence);
        if let Some((_, names)) = known.checked_sub(1).and_then(|known| self.changes.get(known)) {
            names.put_on(account);
        }
    }
}

impl Core {
    /// For whoever erases, or must see all of an erasure or nothing of it.
    pub(crate) fn erasing(&self) -> Result<MutexGuard<'_, ()>, StoreError> {
        self.erasing.lock().map_err(poisoned)
    }

    /// Makes the names of accounts again of their entries, everywhere. The state file is written anew beside, and commits
    /// wait for no more than the change from one to the other.
    fn unname(&self, numbers: &BTreeSet<u64>) -> Result<(), StoreError> {
        self.unnamed.lock().map_err(poisoned)?.extend(numbers);
        let mut called = BTreeMap::new();
        for number in numbers {
            called.insert(*number, Called::read(self, *number)?);
        }
        for attempt in 1.. {
            self.checkpoint()?;
            let mut writing = (attempt > ATTEMPTS_BESIDE).then(|| self.writing()).transpose()?;
            let view = self.shared()?.view.clone();
            let mend = |called: &BTreeMap<u64, Called>, account: &mut Account| {
                if let Some(called) = called.get(&account.number.0) {
                    called.put_on(account);
                }
            };
            let is_concerned = |number: u64| numbers.contains(&number);
            let cache_bytes = self.settings.state_cache_bytes;
            let file = StateFile::write_anew(&*self.medium, cache_bytes, &view, &is_concerned, &|account| {
                mend(&called, account);
            })?;
            if writing.is_none() {
                writing = Some(self.writing()?);
            }
            let _nobody_checkpoints = self.checkpointing()?;
            // A store that was closed meanwhile is not opened again by this.
            self.state()?;
            let is_newest = {
                let layers = self.shared()?;
                layers.frozen.is_none() && Arc::ptr_eq(&layers.view, &view)
            };
            if !is_newest {
                continue;
            }
            for called in called.values_mut() {
                called.go_on(self)?;
            }
            let new_view = file.view()?.ok_or_else(|| StoreError::corrupt("the new state file has no mark"))?;
            let mut state = self.state.write().map_err(poisoned)?;
            let mut layers = self.layers_mut()?;
            self.medium.rename(state::NEW, state::FILE)?;
            layers.view = Arc::new(new_view);
            for number in numbers {
                layers.mend(*number, &|account| mend(&called, account));
            }
            let old = state.replace(Arc::new(file));
            drop((layers, state, writing));
            // The old file goes once nobody reads from it, which takes a moment for which nobody need wait.
            drop(view);
            drop(old);
            return Ok(());
        }
        Ok(())
    }
}
