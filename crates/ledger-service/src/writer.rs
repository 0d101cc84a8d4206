//! The ledger writer: one per node. It takes what has gathered in a bounded queue, decides and applies in order, hands
//! the store one batch, and answers everyone after the commit; while one batch syncs, the next gathers.
//!
//! [`Writer::step`] is the whole of it, without a thread or a clock: production runs it on a thread of its own
//! ([`spawn`]), tests step it.

mod ended_holds;

use crate::error::ServiceError;
use crate::measures::WriterMeasures;
use crate::open_holds::{HoldsChange, OpenHolds, Sums};
use crate::ports::Clock;
use crate::telling::{Change, Telling};
use ledger_core::balance::spendable;
use ledger_core::{Account, Command, Opening, PlanBook, Refusal, Salted, Timestamp, Update, execute, open};
use ledger_store::{
    AccountCommit, Batch, Instance, KeyFingerprint, KeyRecord, LedgerStore, Loaded, Notes, Recorded, Unnamed, Wanted,
};
use rustc_hash::FxHashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::mpsc::{Receiver, RecvTimeoutError, SyncSender, TryRecvError, sync_channel};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};
use tokio::sync::oneshot;

/// Something for the writer to do to one account.
#[derive(Clone, Debug)]
pub struct Request {
    /// The account's id.
    pub account: Arc<str>,
    /// The idempotency keys under which it is asked.
    pub keys: Vec<KeyFingerprint>,
    /// The fingerprint of what is asked.
    pub content: [u8; 16],
    /// The account's sequence when the keys were looked up, and none of them was there. Every key comes with an entry of
    /// its account, so that an account that has not moved on has no new ones.
    pub looked_up: Option<u64>,
    /// What is asked.
    pub task: Task,
    /// Details to keep beside the entry.
    pub details: Option<Salted>,
    /// In which instance it was priced.
    pub instance: Instance,
}

/// What is asked.
#[derive(Clone, Debug)]
pub enum Task {
    /// Do something to an account that exists.
    Execute(Command),
    /// Open the account, or update it where it exists already. Boxed, since it is large and rare.
    Put(Box<Put>),
}

/// An account to be opened or updated.
#[derive(Clone, Debug)]
pub struct Put {
    /// What it begins as.
    pub opening: Opening,
    /// What changes where it exists.
    pub update: Update,
}

/// What became of a request, once it is durable.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Written {
    /// It was done.
    Done {
        /// The account after it.
        account: Arc<Account>,
        /// Its entry; `None` where nothing had to be written.
        recorded: Option<Arc<Recorded>>,
        /// Whether it opened the account.
        opened: bool,
    },
    /// It had been done before, by the entry with this sequence.
    Replay {
        /// The account.
        account: Arc<Account>,
        /// The entry from which the first answer is rebuilt.
        sequence: u64,
    },
}

impl Written {
    /// The account that it was done to.
    pub(crate) fn account(&self) -> &Arc<Account> {
        match self {
            Self::Done { account, .. } | Self::Replay { account, .. } => account,
        }
    }
}

type Answer = Result<Written, ServiceError>;

/// How often an account whose commit conflicted is decided again before its requests are given up as overload.
const ATTEMPTS_MAX: u32 = 8;

/// Decides, commits, answers.
pub struct Writer {
    store: Arc<dyn LedgerStore>,
    plans: Arc<PlanBook>,
    keep_ms: i64,
    telling: Option<Arc<Telling>>,
    open_holds: Arc<OpenHolds>,
    measures: WriterMeasures,
}

/// A batch while it is made: the accounts that it touches, in order of their first request.
#[derive(Default)]
struct Group {
    accounts: Vec<Working>,
    places: FxHashMap<Arc<str>, usize>,
    /// The keys of the requests done so far. A key's fingerprint covers its account.
    keys: FxHashMap<KeyFingerprint, KeyRecord>,
}

/// An account while a batch is made.
struct Working {
    /// As it was loaded, and as the store must still have it.
    expected_sequence: u64,
    /// As it was loaded. The store has it too, so that to keep it costs no copy.
    before: Option<Arc<Account>>,
    sums_before: Sums,
    account: Option<Arc<Account>>,
    entries: Vec<Arc<Recorded>>,
    keys: Vec<(KeyFingerprint, KeyRecord)>,
    /// Set where an entry did not fit: nothing of the account is committed.
    broken: Option<ServiceError>,
}

/// What a request will be answered, should the commit succeed.
enum Draft {
    Final(Answer),
    /// Done: the working entry's index, if any.
    Done {
        entry: Option<usize>,
        opened: bool,
    },
    Replay {
        sequence: u64,
    },
}

impl Writer {
    /// A writer over a store. `keep_ms` is how long idempotency keys count.
    pub fn new(store: Arc<dyn LedgerStore>, plans: Arc<PlanBook>, keep_ms: i64) -> Self {
        Self { store, plans, keep_ms, telling: None, open_holds: Arc::default(), measures: WriterMeasures::new() }
    }

    /// Has it tell what its commits did.
    pub(crate) fn telling(self, telling: Arc<Telling>) -> Self {
        Self { telling: Some(telling), ..self }
    }

    /// The sums over all accounts that it keeps.
    pub(crate) fn open_holds(&self) -> &Arc<OpenHolds> {
        &self.open_holds
    }

    /// Handles requests as one batch, in order, and answers each. An error of the store answers them all, and the
    /// store must recover before the next step.
    pub fn step(&self, requests: &[Request], now: Timestamp) -> Result<Vec<Answer>, ServiceError> {
        let mut answers: Vec<Option<Answer>> = requests.iter().map(|_| None).collect();
        let mut open: Vec<usize> = (0..requests.len()).collect();
        for _ in 0..ATTEMPTS_MAX {
            if open.is_empty() {
                break;
            }
            open = self.attempt(requests, &open, now, &mut answers)?;
        }
        Ok(answers.into_iter().map(|answer| answer.unwrap_or(Err(ServiceError::Overloaded))).collect())
    }

    /// Tries the requests that are open; returns those whose account had moved on.
    fn attempt(
        &self,
        requests: &[Request],
        open: &[usize],
        now: Timestamp,
        answers: &mut [Option<Answer>],
    ) -> Result<Vec<usize>, ServiceError> {
        let loaded = self.load(requests, open)?;
        let mut group = Group::with_capacity(open.len());
        let mut drafts = Vec::with_capacity(open.len());
        for (index, loaded) in open.iter().zip(loaded) {
            let request = &requests[*index];
            let place = group.place(&request.account, loaded.account);
            drafts.push((*index, place, self.draft(request, &mut group, place, &loaded.keys, now)));
        }
        self.commit(group.accounts, drafts, answers)
    }

    /// Loads the requests' accounts, and the keys that may have come since they were looked up.
    fn load(&self, requests: &[Request], open: &[usize]) -> Result<Vec<Loaded>, ServiceError> {
        let wanted = |request: &Request, keys| Wanted { account: request.account.clone(), keys };
        let first = open.iter().map(|index| &requests[*index]);
        let first = first.map(|request| match request.looked_up {
            Some(_) => wanted(request, Vec::new()),
            None => wanted(request, request.keys.clone()),
        });
        let mut loaded = self.store.load(&first.collect::<Vec<_>>())?;
        let mut moved_on = Vec::new();
        let mut again = Vec::new();
        for (place, (index, loaded)) in open.iter().zip(&loaded).enumerate() {
            let request = &requests[*index];
            let sequence = loaded.account.as_ref().map_or(0, |account| account.sequence);
            if request.looked_up.is_some_and(|looked_up| looked_up != sequence) {
                moved_on.push(place);
                again.push(wanted(request, request.keys.clone()));
            }
        }
        if !again.is_empty() {
            for (place, newer) in moved_on.into_iter().zip(self.store.load(&again)?) {
                // An account that moved on between the two comes to a conflict, and is tried again.
                loaded[place].keys = newer.keys;
            }
        }
        Ok(loaded)
    }

    fn draft(
        &self,
        request: &Request,
        group: &mut Group,
        place: usize,
        keys: &[Option<KeyRecord>],
        now: Timestamp,
    ) -> Draft {
        let in_batch = request.keys.iter().filter_map(|key| group.keys.get(key));
        let oldest = now.plus_millis(-self.keep_ms);
        let before = keys.iter().flatten().filter(|record| record.recorded_at >= oldest);
        if let Some(record) = before.chain(in_batch).next() {
            return if record.content == request.content {
                Draft::Replay { sequence: record.sequence }
            } else {
                let refusal = Refusal::IdempotencyMismatch { first_seen_at: record.recorded_at };
                Draft::Final(Err(refusal.into()))
            };
        }
        let working = &mut group.accounts[place];
        let keys_before = working.keys.len();
        match self.write(request, working, now) {
            Ok(draft) => {
                group.keys.extend(working.keys[keys_before..].iter().copied());
                draft
            }
            Err(error) => {
                if matches!(error, ServiceError::Internal { .. }) {
                    working.broken = Some(error.clone());
                }
                Draft::Final(Err(error))
            }
        }
    }

    fn write(&self, request: &Request, working: &mut Working, now: Timestamp) -> Result<Draft, ServiceError> {
        if let Some(broken) = &working.broken {
            return Err(broken.clone());
        }
        let commitment = request.details.as_ref().map(Salted::commitment);
        let not_found = || Refusal::AccountNotFound { account: request.account.clone() };
        let mut opened = false;
        let (entries, result) = match (&request.task, &mut working.account) {
            (Task::Put(put), None) => {
                opened = true;
                let plan = self.plans.in_force(&put.opening.plan, now);
                let plan = plan.ok_or_else(|| ServiceError::field("plan", "no plan has this name"))?;
                let number = self.store.allocate_account_numbers(1)?;
                let (account, entries) = open(number, &put.opening, plan, commitment, now)?;
                working.account = Some(Arc::new(account));
                (entries, Ok(Some(0)))
            }
            (Task::Put(put), Some(account)) => {
                let command = Command::Update(Box::new(put.update.clone()));
                let outcome = execute(Arc::make_mut(account), &self.plans, &command, commitment, now)?;
                (outcome.entries, outcome.result)
            }
            (Task::Execute(command), Some(account)) => {
                let account = Arc::make_mut(account);
                let mut outcome = execute(account, &self.plans, command, commitment, now)?;
                if let Err(Refusal::HoldNotOpen { hold }) = outcome.result
                    && let Some(ended) = self.ended_hold(account, &working.entries, &outcome.entries, hold)?
                {
                    // An account remembers open holds only; how this one ended is told to the core.
                    let command = ended_holds::told(command, ended);
                    let again = execute(account, &self.plans, &command, commitment, now)?;
                    let before = outcome.entries.len();
                    outcome.result = again.result.map(|own| own.map(|index| before + index));
                    outcome.entries.extend(again.entries);
                }
                (outcome.entries, outcome.result)
            }
            (Task::Execute(_), None) => return Err(not_found().into()),
        };
        let account = working.account.as_mut().ok_or_else(not_found)?;
        if let (Task::Put(put), Ok(Some(_))) = (&request.task, &result) {
            describe(Arc::make_mut(account), &put.update);
        }
        let first = working.entries.len();
        let own = result.as_ref().ok().copied().flatten();
        let spendable = spendable(account, &self.plans, now);
        for (index, sealed) in entries.into_iter().enumerate() {
            let is_own = own == Some(index);
            working.keys.extend(ended_holds::key(&account.id, &sealed.entry));
            if is_own {
                let (sequence, recorded_at) = (sealed.entry.sequence, sealed.entry.recorded_at);
                let record = KeyRecord { content: request.content, sequence, recorded_at };
                working.keys.extend(request.keys.iter().map(|key| (*key, record)));
            }
            let instance = if is_own { request.instance } else { Instance::None };
            working.entries.push(Arc::new(Recorded {
                sealed,
                details: request.details.clone().filter(|_| is_own),
                notes: Notes { noticed_at: now, spendable, instance },
                unnamed: Unnamed::default(),
            }));
        }
        let own = own.map(|index| first + index);
        match result {
            Ok(_) => Ok(Draft::Done { entry: own, opened }),
            Err(refusal) => Ok(Draft::Final(Err(refusal.into()))),
        }
    }

    /// A commit that failed elsewhere leaves the store closed to every other.
    fn look_at_store(&self) -> Result<(), ServiceError> {
        let failed = || ServiceError::StorageUnavailable { detail: "a commit failed outside the writer".to_owned() };
        if self.store.needs_recovery() { Err(failed()) } else { Ok(()) }
    }

    fn commit(
        &self,
        accounts: Vec<Working>,
        drafts: Vec<(usize, usize, Draft)>,
        answers: &mut [Option<Answer>],
    ) -> Result<Vec<usize>, ServiceError> {
        let wanted = self.telling.as_ref().map(|telling| telling.notices.wanted());
        let mut notices_written = false;
        let mut after = Vec::with_capacity(accounts.len());
        let mut commits = Vec::with_capacity(accounts.len());
        // Which account each commit is of.
        let mut places = Vec::with_capacity(accounts.len());
        let mut changes = Vec::new();
        let mut entries = 0;
        for (place, working) in accounts.into_iter().enumerate() {
            let account = working.account;
            if let (Some(account), None, false) = (&account, &working.broken, working.entries.is_empty()) {
                let system = match (&self.telling, &wanted) {
                    (Some(telling), Some(wanted)) => {
                        let (before, entries) = (working.before.as_deref(), &*working.entries);
                        telling.records(wanted, &Change { before, after: account, entries })
                    }
                    _ => Vec::new(),
                };
                notices_written |= !system.is_empty();
                let commit = AccountCommit {
                    expected_sequence: working.expected_sequence,
                    account: account.clone(),
                    entries: working.entries.clone(),
                    keys: working.keys,
                    system,
                };
                changes.extend(HoldsChange::of(working.sums_before, commits.len(), &commit));
                entries += commit.entries.len();
                places.push(place);
                commits.push(commit);
            }
            if let Some(broken) = &working.broken {
                let account = account.as_ref().map(|account| (account.number.0, account.sequence));
                tracing::error!(?account, ?broken, "an entry does not fit its account; nothing of it is committed");
                self.measures.broken();
            }
            after.push(After {
                expected_sequence: working.expected_sequence,
                before: working.before,
                account,
                entries: working.entries,
                broken: working.broken,
                conflicted: false,
            });
        }
        drop(wanted);
        if !commits.is_empty() {
            let committing = self.open_holds.begin(changes);
            let began = Instant::now();
            let committed = self.store.commit(Batch { accounts: commits, system: Vec::new() });
            let committed = committed.inspect_err(|_| self.measures.failed())?;
            self.measures.committed(began.elapsed(), entries, committed.conflicts.len());
            if let Some(committing) = committing {
                committing.end(&committed.conflicts);
            }
            for index in committed.conflicts {
                after[places[index]].conflicted = true;
            }
            if let Some(telling) = &self.telling {
                for after in places.into_iter().map(|place| &after[place]).filter(|after| !after.conflicted) {
                    after.tell(telling);
                }
                if notices_written {
                    telling.notices.wake();
                }
            }
        }
        let mut again = Vec::new();
        for (index, place, draft) in drafts {
            let after = &after[place];
            if after.conflicted {
                again.push(index);
            } else {
                answers[index] = Some(after.answer(draft));
            }
        }
        Ok(again)
    }
}

impl Group {
    fn with_capacity(requests: usize) -> Self {
        Self {
            accounts: Vec::with_capacity(requests),
            places: FxHashMap::with_capacity_and_hasher(requests, rustc_hash::FxBuildHasher),
            keys: FxHashMap::with_capacity_and_hasher(requests, rustc_hash::FxBuildHasher),
        }
    }

    /// Where an account stands in the batch; it joins as it was loaded where it is not there yet.
    fn place(&mut self, id: &Arc<str>, loaded: Option<Arc<Account>>) -> usize {
        if let Some(place) = self.places.get(id) {
            return *place;
        }
        let place = self.accounts.len();
        self.places.insert(id.clone(), place);
        self.accounts.push(Working {
            expected_sequence: loaded.as_ref().map_or(0, |account| account.sequence),
            before: loaded.clone(),
            sums_before: Sums::of(loaded.as_deref()),
            account: loaded,
            entries: Vec::new(),
            keys: Vec::new(),
            broken: None,
        });
        place
    }
}

/// An account once its batch is committed.
struct After {
    expected_sequence: u64,
    before: Option<Arc<Account>>,
    account: Option<Arc<Account>>,
    entries: Vec<Arc<Recorded>>,
    broken: Option<ServiceError>,
    conflicted: bool,
}

impl After {
    fn tell(&self, telling: &Telling) {
        if let Some(account) = &self.account {
            telling.publish(&Change { before: self.before.as_deref(), after: account, entries: &self.entries });
        }
    }

    fn answer(&self, draft: Draft) -> Answer {
        let account = || {
            let missing = ServiceError::Internal { detail: "a request was done to no account".to_owned() };
            self.account.clone().ok_or(missing)
        };
        match (draft, &self.broken) {
            (Draft::Final(answer), _) => answer,
            // What would be replayed was never written.
            (Draft::Replay { sequence }, Some(broken)) if sequence > self.expected_sequence => Err(broken.clone()),
            (Draft::Replay { sequence }, _) => Ok(Written::Replay { account: account()?, sequence }),
            (Draft::Done { .. }, Some(broken)) => Err(broken.clone()),
            (Draft::Done { entry, opened }, None) => {
                let account = account()?;
                let recorded = entry.and_then(|entry| self.entries.get(entry)).cloned();
                Ok(Written::Done { account, recorded, opened })
            }
        }
    }
}

/// Name and metadata are no part of the chain; they reach the account here, and from the details on a replay.
fn describe(account: &mut Account, update: &ledger_core::Update) {
    if let Some(name) = &update.name {
        account.name = Some(name.clone());
    }
    if let Some(metadata) = &update.metadata {
        account.metadata = Arc::new(metadata.clone());
    }
}

/// Requests that are answered together. Without any, the writer looks whether the store still answers.
struct Submission {
    requests: Vec<Request>,
    reply: oneshot::Sender<Vec<Answer>>,
}

/// The way into the writer's thread.
pub(crate) struct Handle {
    queue: SyncSender<Submission>,
    waiting_items: Arc<AtomicUsize>,
    queue_items_max: usize,
    ready: Arc<AtomicBool>,
}

/// Runs a writer on a thread until every handle is gone. The thread ends once everything accepted is answered.
pub(crate) fn spawn(
    writer: Writer,
    clock: Arc<dyn Clock>,
    queue_items_max: usize,
    group_items_max: usize,
) -> std::io::Result<(Handle, JoinHandle<()>)> {
    let (queue, submissions) = sync_channel(queue_items_max);
    let waiting_items = Arc::new(AtomicUsize::new(0));
    let ready = Arc::new(AtomicBool::new(true));
    let handle = Handle { queue, waiting_items: waiting_items.clone(), queue_items_max, ready: ready.clone() };
    let runtime = tokio::runtime::Handle::try_current().ok();
    let thread = std::thread::Builder::new().name("ledger-writer".to_owned()).spawn(move || {
        run(&writer, &*clock, &submissions, &Progress { runtime, waiting_items, ready, group_items_max });
    })?;
    Ok((handle, thread))
}

struct Progress {
    /// Where the callers' tasks run.
    runtime: Option<tokio::runtime::Handle>,
    waiting_items: Arc<AtomicUsize>,
    ready: Arc<AtomicBool>,
    group_items_max: usize,
}

fn run(writer: &Writer, clock: &dyn Clock, submissions: &Receiver<Submission>, progress: &Progress) {
    loop {
        let Ok(first) = submissions.recv() else {
            return;
        };
        // Requests that are nearly here are worth a group of their own less than a place in this one: where the cores are
        // busy, this lets them come first, and where they are not, it does nothing.
        std::thread::yield_now();
        let mut group = vec![first];
        let mut items = group[0].requests.len();
        while items < progress.group_items_max {
            match submissions.try_recv() {
                Ok(next) => {
                    items += next.requests.len();
                    group.push(next);
                }
                Err(TryRecvError::Empty | TryRecvError::Disconnected) => break,
            }
        }
        let looked_at = group.iter().any(|submission| submission.requests.is_empty()).then(|| writer.look_at_store());
        let handled = handle_group(writer, clock, group, items, progress);
        if let Err(error) = handled.and(looked_at.unwrap_or(Ok(()))) {
            stop_until_recovered(writer, submissions, progress, &error);
            // What the failed commit made durable after all was told to nobody: who listens reads the journal again.
            if let Some(telling) = &writer.telling {
                telling.feed.interrupt();
            }
        }
    }
}

fn handle_group(
    writer: &Writer,
    clock: &dyn Clock,
    group: Vec<Submission>,
    items: usize,
    progress: &Progress,
) -> Result<(), ServiceError> {
    let mut requests = Vec::with_capacity(items);
    let mut replies = Vec::with_capacity(group.len());
    for submission in group {
        replies.push((submission.requests.len(), submission.reply));
        requests.extend(submission.requests);
    }
    writer.measures.batch(items);
    let result = writer.step(&requests, clock.now());
    progress.waiting_items.fetch_sub(items, Ordering::Relaxed);
    match result {
        Ok(answers) => {
            let deliver = move || {
                let mut answers = answers.into_iter();
                for (count, reply) in replies {
                    // A caller that has gone away gets no answer; what it asked is done all the same.
                    let _ = reply.send(answers.by_ref().take(count).collect());
                }
                // To let go of them takes time too, which the next group need not wait for.
                drop(requests);
            };
            match &progress.runtime {
                // From within the runtime a waiting task is woken without a call to the kernel; from here each would
                // take one, and the next group would wait for all of them.
                Some(runtime) => drop(runtime.spawn(async move { deliver() })),
                None => deliver(),
            }
            Ok(())
        }
        Err(error) => {
            // Before anyone is answered, who would find the node ready otherwise.
            progress.ready.store(false, Ordering::SeqCst);
            for (count, reply) in replies {
                let _ = reply.send(vec![Err(error.clone()); count]);
            }
            Err(error)
        }
    }
}

/// After a failed commit nobody knows what became durable. Everyone is told so, the node says that it is not ready, and
/// nothing is decided until the store has been reopened.
fn stop_until_recovered(
    writer: &Writer,
    submissions: &Receiver<Submission>,
    progress: &Progress,
    error: &ServiceError,
) {
    tracing::error!(?error, "the store failed; no request is taken until it has been reopened");
    progress.ready.store(false, Ordering::SeqCst);
    let unavailable = ServiceError::StorageUnavailable { detail: "the store is being reopened".to_owned() };
    let mut pause = Duration::from_millis(10);
    while let Err(error) = writer.store.recover() {
        tracing::warn!(%error, retry_in_ms = pause.as_millis(), "the store cannot be reopened yet");
        // An instant, not a pause after each request: callers who try again and again must not put recovery off.
        let again_at = Instant::now() + pause;
        loop {
            match submissions.recv_timeout(again_at.saturating_duration_since(Instant::now())) {
                Ok(submission) => {
                    progress.waiting_items.fetch_sub(submission.requests.len(), Ordering::Relaxed);
                    let _ = submission.reply.send(vec![Err(unavailable.clone()); submission.requests.len()]);
                }
                Err(RecvTimeoutError::Timeout) => break,
                Err(RecvTimeoutError::Disconnected) => return,
            }
        }
        pause = (pause * 2).min(Duration::from_secs(1));
    }
    tracing::info!("the store has been reopened");
    progress.ready.store(true, Ordering::SeqCst);
}

impl Handle {
    /// How many requests wait, and how many may.
    pub(crate) fn waiting(&self) -> (usize, usize) {
        (self.waiting_items.load(Ordering::Relaxed), self.queue_items_max)
    }

    /// Whether the node takes requests.
    pub(crate) fn is_ready(&self) -> bool {
        self.ready.load(Ordering::SeqCst)
    }

    /// Has the writer look whether the store still answers, and reopen it if not. Where too much waits, a request that
    /// does will show it.
    pub(crate) fn look_at_store(&self) {
        let (reply, _) = oneshot::channel();
        let _ = self.queue.try_send(Submission { requests: Vec::new(), reply });
    }

    /// Has requests done as one submission, and waits until they are durable. Refuses at once where too much waits.
    pub(crate) async fn submit(&self, requests: Vec<Request>) -> Result<Vec<Answer>, ServiceError> {
        let items = requests.len();
        if self.waiting_items.fetch_add(items, Ordering::Relaxed) + items > self.queue_items_max.max(items) {
            self.waiting_items.fetch_sub(items, Ordering::Relaxed);
            return Err(ServiceError::Overloaded);
        }
        let (reply, answer) = oneshot::channel();
        if self.queue.try_send(Submission { requests, reply }).is_err() {
            self.waiting_items.fetch_sub(items, Ordering::Relaxed);
            return Err(ServiceError::Overloaded);
        }
        let stopped = |_| ServiceError::StorageUnavailable { detail: "the writer has stopped".to_owned() };
        answer.await.map_err(stopped)
    }
}
