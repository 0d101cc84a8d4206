//! The ledger as the rest of the program sees it: one value that holds the store, the writer, and what is live.

use crate::access::Keyring;
use crate::activity_kinds::ActivityKinds;
use crate::alerts::{AlertBook, PlanAlerts};
use crate::audit::Audit;
use crate::backtest::Backtests;
use crate::error::ServiceError;
use crate::families::Families;
use crate::feed::Feed;
use crate::measures::LedgerMeasures;
use crate::notices::Notices;
use crate::open_holds::{Counted, OpenHolds, Sums};
use crate::orders::OrderBook;
use crate::payments::Payments;
use crate::ports::{Clock, PaymentProvider, PluginLibrary, Random};
use crate::purchases::Shop;
use crate::releases::{ReleaseBook, Releases};
use crate::telling::Telling;
use crate::throttle::Counters;
use crate::top_ups::{PlanTopUps, TopUpBook};
use crate::webhooks::Webhooks;
use crate::writer::{self, Handle, Put, Request, Task, Writer, Written};
use crate::{plans, scheduler};
use arc_swap::ArcSwap;
use ledger_core::{
    Account, AccountNumber, Balance, Details, Opening, Plan, PlanBook, Refusal, Salted, Status, Timestamp, Update,
    Updated, balance,
};
use ledger_store::{AccountQuery, Batch, Instance, LedgerStore, Recorded, SystemRecord, Wanted};
use std::collections::BTreeSet;
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;

/// What a ledger is made of.
pub struct Parts {
    /// Where everything durable is.
    pub store: Arc<dyn LedgerStore>,
    /// The source of time.
    pub clock: Arc<dyn Clock>,
    /// The source of salts.
    pub random: Arc<dyn Random>,
    /// The plans in force from now on.
    pub plans: Vec<Plan>,
    /// At which balances somebody wants to be told, by plan.
    pub alerts: PlanAlerts,
    /// The rules by which accounts of plans buy by themselves.
    pub top_ups: PlanTopUps,
    /// What prices what.
    pub releases: Releases,
    /// What can be bought.
    pub shop: Shop,
    /// Who takes money for it, besides `manual`, which asks for none.
    pub payments: Vec<Arc<dyn PaymentProvider>>,
    /// What priced what; without it only what is live can be re-executed.
    pub library: Option<Arc<dyn PluginLibrary>>,
    /// The hash of an administrator's key that counts beside the stored ones, where the environment gives one.
    pub admin_key: Option<[u8; 32]>,
    /// Limits and windows.
    pub settings: Settings,
}

/// Limits and windows.
#[derive(Clone, Copy, Debug)]
pub struct Settings {
    /// How long idempotency keys count.
    pub keep_ms: i64,
    /// The oldest event taken; less than `keep_ms`, so that nothing is charged twice.
    pub max_age_ms: i64,
    /// How far in the future an event may be.
    pub max_future_ms: i64,
    /// Whether nothing is spent on an account whose parent is suspended.
    pub suspended_parents_stop_children: bool,
    /// How many requests may wait for the writer; more are refused as overload.
    pub queue_items_max: usize,
    /// How many requests the writer commits at once.
    pub group_items_max: usize,
    /// How many may listen to the feed at once.
    pub listeners_max: usize,
    /// How many commits may wait for one of them, before it is cut off.
    pub listener_commits_max: usize,
}

/// The ledger.
pub struct Ledger {
    store: Arc<dyn LedgerStore>,
    clock: Arc<dyn Clock>,
    random: Arc<dyn Random>,
    plans: Arc<PlanBook>,
    releases: ArcSwap<Releases>,
    releases_book: ReleaseBook,
    backtests: Backtests,
    shop: Shop,
    payments: Payments,
    orders: OrderBook,
    library: Option<Arc<dyn PluginLibrary>>,
    activity_kinds: ActivityKinds,
    keyring: Keyring,
    audit: Audit,
    settings: Settings,
    telling: Arc<Telling>,
    families: Families,
    webhooks: Webhooks,
    open_holds: Arc<OpenHolds>,
    measures: LedgerMeasures,
    /// `None` once the ledger has been closed.
    writer: Mutex<Option<Arc<Handle>>>,
    writer_thread: Mutex<Option<JoinHandle<()>>>,
}

/// An account to be opened, or changed.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct AccountInput {
    /// Its id.
    pub account: Arc<str>,
    /// Display name.
    pub name: Option<Arc<str>>,
    /// The plan it begins on, or is on.
    pub plan: Arc<str>,
    /// Time zone.
    pub zone: Option<chrono_tz::Tz>,
    /// Cycle anchor.
    pub anchor: Option<Timestamp>,
    /// Parent account.
    pub parent: Option<Arc<str>>,
    /// Status.
    pub status: Option<Status>,
    /// Metadata, sorted by key.
    pub metadata: Option<Vec<(String, String)>>,
}

/// What came of putting an account.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PutAccount {
    /// The account.
    pub account: Arc<Account>,
    /// Whether it was opened now.
    pub opened: bool,
}

impl Ledger {
    /// Opens the ledger: records changed plan definitions, and starts the writer.
    pub fn open(parts: Parts) -> Result<Arc<Self>, ServiceError> {
        let now = parts.clock.now();
        let plans = Arc::new(plans::load(&*parts.store, &parts.plans, now)?);
        let (store, clock, random) = (parts.store.clone(), parts.clock.clone(), parts.random.clone());
        let keyring = Keyring::load(store, clock, random, parts.admin_key)?;
        let audit = Audit::load(&*parts.store)?;
        let Settings { listener_commits_max, listeners_max, .. } = parts.settings;
        let telling = Arc::new(Telling {
            plans: plans.clone(),
            alerts: AlertBook::load(&*parts.store, parts.alerts)?,
            top_ups: TopUpBook::load(&*parts.store, parts.top_ups)?,
            notices: Notices::default(),
            feed: Arc::new(Feed::new(listener_commits_max, listeners_max)),
            counters: Counters::default(),
        });
        let webhooks = Webhooks::load(&*parts.store)?;
        let payments = Payments::new(parts.payments)?;
        let orders = OrderBook::load(&*parts.store)?;
        telling.notices.want(webhooks.wanted()?);
        let writer = Writer::new(parts.store.clone(), plans.clone(), parts.settings.keep_ms).telling(telling.clone());
        let open_holds = writer.open_holds().clone();
        let measures = LedgerMeasures::new();
        measures.releases(&parts.releases);
        let (queue, group) = (parts.settings.queue_items_max, parts.settings.group_items_max);
        let (handle, thread) = writer::spawn(writer, parts.clock.clone(), queue, group)
            .map_err(|e| ServiceError::Internal { detail: format!("the writer's thread cannot be started: {e}") })?;
        let releases_book = ReleaseBook::load(&*parts.store)?;
        let backtests = Backtests::load(&*parts.store)?;
        let ledger = Arc::new(Self {
            store: parts.store,
            clock: parts.clock,
            random: parts.random,
            plans,
            releases: ArcSwap::from_pointee(parts.releases),
            releases_book,
            backtests,
            shop: parts.shop,
            payments,
            orders,
            library: parts.library,
            activity_kinds: ActivityKinds::default(),
            keyring,
            audit,
            settings: parts.settings,
            telling,
            families: Families::default(),
            webhooks,
            open_holds,
            measures,
            writer: Mutex::new(Some(Arc::new(handle))),
            writer_thread: Mutex::new(Some(thread)),
        });
        ledger.resume_releases()?;
        Ok(ledger)
    }

    /// Lets the writer finish what was accepted, and closes the store. Requests that come later are answered that the
    /// storage is unavailable.
    pub fn close(&self) -> Result<(), ServiceError> {
        let taken = |_| ServiceError::Internal { detail: "a thread panicked while closing".to_owned() };
        drop(self.writer.lock().map_err(taken)?.take());
        let thread = self.writer_thread.lock().map_err(|_| ServiceError::Overloaded)?.take();
        self.end_feeds();
        self.backtests.close(self.now());
        if let Some(thread) = thread {
            self.open_holds.call_off();
            thread.join().map_err(|_| ServiceError::Internal { detail: "the writer panicked".to_owned() })?;
            self.store.close()?;
        }
        Ok(())
    }

    /// Whether requests are taken.
    pub fn is_ready(&self) -> bool {
        self.handle().is_ok_and(|handle| handle.is_ready()) && !self.store.needs_recovery()
    }

    /// The present instant.
    pub fn now(&self) -> Timestamp {
        self.clock.now()
    }

    /// Opens an account, or changes it.
    pub async fn put_account(&self, input: AccountInput) -> Result<PutAccount, ServiceError> {
        if self.plans.in_force(&input.plan, self.now()).is_none() {
            let known: Vec<&str> = self.plans.latest().map(|plan| &*plan.name).collect();
            let reason = format!("no plan is named {:?}; there are {}", input.plan, known.join(", "));
            return Err(ServiceError::field("plan", reason));
        }
        if let Some(parent) = &input.parent {
            self.check_parent(&input.account, parent)?;
        }
        let details = Details {
            name: input.name.as_deref().map(str::to_owned),
            metadata: input.metadata.clone(),
            ..Details::default()
        };
        let request = Request {
            account: input.account.clone(),
            keys: Vec::new(),
            content: [0; 16],
            looked_up: None,
            task: Task::Put(Box::new(Put {
                opening: Opening {
                    id: input.account,
                    plan: input.plan.clone(),
                    zone: input.zone,
                    anchor: input.anchor,
                    status: input.status.unwrap_or_default(),
                    parent: input.parent.clone(),
                },
                update: Update {
                    plan: input.plan,
                    name: input.name,
                    metadata: input.metadata,
                    settings: Updated {
                        status: input.status,
                        zone: input.zone,
                        anchor: input.anchor,
                        parent: input.parent,
                    },
                },
            })),
            details: Salted::new(&details, self.salt_for(&details)),
            instance: Instance::None,
        };
        match self.submit_one(request).await? {
            Written::Done { account, opened, .. } => {
                self.families.add(&account);
                Ok(PutAccount { account, opened })
            }
            Written::Replay { account, .. } => Ok(PutAccount { account, opened: false }),
        }
    }

    /// An account as it is now, what is due included.
    pub fn account(&self, id: &str) -> Result<Arc<Account>, ServiceError> {
        let account = self.committed(id)?;
        let now = self.now();
        if account.next_due_at() > now { Ok(account) } else { self.as_of_now(&account, now).map(Arc::new) }
    }

    /// An account by its short number, as it was last booked.
    pub fn account_of(&self, number: AccountNumber) -> Result<Option<Arc<Account>>, ServiceError> {
        Ok(self.store.account_by_number(number)?)
    }

    /// An entry of an account that is booked.
    pub fn entry(&self, account: &Account, sequence: u64) -> Result<Option<Arc<Recorded>>, ServiceError> {
        Ok(self.store.entry(account.number, sequence)?)
    }

    /// The balance of an account now, what is due included.
    pub fn balance(&self, id: &str) -> Result<Balance, ServiceError> {
        let account = self.account(id)?;
        Ok(balance(&account, &self.plans, self.now().max(account.last_at)))
    }

    /// Accounts in order of their ids.
    pub fn accounts(&self, query: &AccountQuery) -> Result<Vec<Arc<Account>>, ServiceError> {
        Ok(self.store.accounts(query)?)
    }

    /// The same, of these accounts only where some are named.
    pub fn accounts_among(
        &self,
        query: &AccountQuery,
        among: Option<&[Arc<str>]>,
    ) -> Result<Vec<Arc<Account>>, ServiceError> {
        let Some(among) = among else { return self.accounts(query) };
        let is_asked_for =
            |id: &Arc<str>| id.starts_with(&query.prefix) && query.after.as_deref().is_none_or(|after| **id > *after);
        let ids: BTreeSet<&Arc<str>> = among.iter().filter(|id| is_asked_for(id)).collect();
        let mut accounts = Vec::new();
        for id in ids {
            match self.committed(id) {
                Ok(account) if query.plan.as_deref().is_none_or(|plan| *account.plan == *plan) => {
                    accounts.push(account);
                }
                // A key may name accounts that are yet to be opened.
                Ok(_) | Err(ServiceError::Refused(Refusal::AccountNotFound { .. })) => {}
                Err(error) => return Err(error),
            }
            if accounts.len() == query.limit {
                break;
            }
        }
        Ok(accounts)
    }

    /// Books everything that is due by now, on every account. Returns how many accounts had something due.
    pub async fn run_due(&self) -> Result<usize, ServiceError> {
        // The writer knows of its own commits only, and nobody else reopens the store: after one of a key, of a delivery.
        if self.store.needs_recovery()
            && let Ok(handle) = self.handle()
        {
            handle.look_at_store();
        }
        self.counters().sweep(self.now());
        scheduler::run_due(self).await
    }

    /// Counts accounts and their open holds while commits go on, resting after each page of accounts for as many times as
    /// long as it took. The first count gives the sums that are kept from then on. `None` where a commit failed meanwhile,
    /// so that it must be done again, or the ledger was closed. Blocks.
    pub fn count_open_holds(&self, rest: u32) -> Result<Option<Counted>, ServiceError> {
        let counted = self.open_holds.count(&*self.store, rest)?;
        if let Some(counted) = &counted {
            self.measures.counted();
            let is_broken = counted.difference != Sums::default() || counted.inconsistent_accounts > 0;
            if is_broken {
                tracing::error!(?counted, "the open holds are not the sum over the accounts");
            }
        }
        Ok(counted)
    }

    /// The sums over all accounts; `None` until they were counted.
    pub fn open_holds(&self) -> Option<Sums> {
        self.open_holds.read().0
    }

    /// What the last count of all accounts found, where there was one.
    pub fn last_count(&self) -> Option<Counted> {
        self.open_holds.read().1
    }

    /// How many requests wait for the writer or are being committed, and how many may before more are refused.
    pub fn waiting(&self) -> (usize, usize) {
        self.handle().map_or((0, self.settings.queue_items_max), |handle| handle.waiting())
    }

    /// Brings up to date what is measured by looking, before somebody reads it.
    pub fn measure(&self) {
        let handle = self.handle().ok();
        let (waiting, most) = handle.as_ref().map_or((0, self.settings.queue_items_max), |handle| handle.waiting());
        self.measures.writer(handle.is_some_and(|handle| handle.is_ready()), waiting, most);
        self.measures.holds(&self.open_holds);
    }

    /// Forgets the idempotency keys that no longer count, and what is kept for them alone.
    pub fn forget_lapsed_keys(&self) -> Result<(), ServiceError> {
        let oldest = self.now().plus_millis(-self.settings.keep_ms);
        self.forget_answers(oldest)?;
        self.orders.forget_begun(&*self.store, oldest)?;
        Ok(self.store.forget_keys(oldest)?)
    }

    /// Swaps what is live: each request sees one set from start to end.
    pub fn set_releases(&self, releases: Releases) {
        self.measures.releases(&releases);
        self.releases.store(Arc::new(releases));
    }

    /// Reads the system record under a topic and key.
    pub fn system_record(&self, topic: &str, key: &str) -> Result<Option<Arc<str>>, ServiceError> {
        let records = self.store.system_records(topic)?;
        Ok(records.into_iter().find(|record| &*record.key == key).and_then(|record| record.value))
    }

    /// Makes a system record durable.
    pub fn put_system_record(&self, record: SystemRecord) -> Result<(), ServiceError> {
        self.store.commit(Batch { accounts: Vec::new(), system: vec![record] })?;
        Ok(())
    }

    /// What can be bought.
    pub fn shop(&self) -> &Shop {
        &self.shop
    }

    /// The plans, as they are defined now.
    pub fn plans_now(&self) -> Vec<Plan> {
        self.plans.latest().cloned().collect()
    }

    /// The keys.
    pub fn keyring(&self) -> &Keyring {
        &self.keyring
    }

    /// How long idempotency keys count, in milliseconds.
    pub fn keys_kept_ms(&self) -> i64 {
        self.settings.keep_ms
    }

    pub(crate) fn payments(&self) -> &Payments {
        &self.payments
    }

    pub(crate) fn orders(&self) -> &OrderBook {
        &self.orders
    }

    pub(crate) fn audit(&self) -> &Audit {
        &self.audit
    }

    pub(crate) fn store(&self) -> &dyn LedgerStore {
        &*self.store
    }

    pub(crate) fn plans(&self) -> &PlanBook {
        &self.plans
    }

    pub(crate) fn activity_kinds(&self) -> &ActivityKinds {
        &self.activity_kinds
    }

    pub(crate) fn top_ups(&self) -> &TopUpBook {
        &self.telling.top_ups
    }

    pub(crate) fn counters(&self) -> &Counters {
        &self.telling.counters
    }

    pub(crate) fn backtests(&self) -> &Backtests {
        &self.backtests
    }

    pub(crate) fn releases_book(&self) -> &ReleaseBook {
        &self.releases_book
    }

    pub(crate) fn store_handle(&self) -> Arc<dyn LedgerStore> {
        self.store.clone()
    }

    pub(crate) fn webhooks(&self) -> &Webhooks {
        &self.webhooks
    }

    /// A name that nobody can guess, and nothing else has.
    pub fn random_id(&self) -> String {
        ledger_core::hex::encode(&self.random_bytes()[..16])
    }

    pub(crate) fn random_bytes(&self) -> [u8; 32] {
        self.random.bytes32()
    }

    pub(crate) fn families(&self) -> &Families {
        &self.families
    }

    pub(crate) fn telling(&self) -> &Telling {
        &self.telling
    }

    pub(crate) fn settings(&self) -> &Settings {
        &self.settings
    }

    pub(crate) fn releases(&self) -> Arc<Releases> {
        self.releases.load_full()
    }

    pub(crate) fn library(&self) -> Option<&dyn PluginLibrary> {
        self.library.as_deref()
    }

    /// A fresh salt, where there are details to salt.
    pub(crate) fn salt_for(&self, details: &Details) -> [u8; 32] {
        if details.is_empty() { [0; 32] } else { self.random.bytes32() }
    }

    pub(crate) async fn submit(
        &self,
        requests: Vec<Request>,
    ) -> Result<Vec<Result<Written, ServiceError>>, ServiceError> {
        self.handle()?.submit(requests).await
    }

    pub(crate) async fn submit_one(&self, request: Request) -> Result<Written, ServiceError> {
        self.submit(vec![request]).await?.pop().unwrap_or(Err(ServiceError::Overloaded))
    }

    fn handle(&self) -> Result<Arc<Handle>, ServiceError> {
        let stopped = || ServiceError::StorageUnavailable { detail: "the ledger is closing".to_owned() };
        self.writer.lock().map_err(|_| stopped())?.clone().ok_or_else(stopped)
    }

    /// An account as it was last booked.
    pub(crate) fn committed(&self, id: &str) -> Result<Arc<Account>, ServiceError> {
        let wanted = Wanted { account: Arc::from(id), keys: Vec::new() };
        let loaded = self.store.load(std::slice::from_ref(&wanted))?.pop().unwrap_or_default();
        loaded.account.ok_or_else(|| Refusal::AccountNotFound { account: wanted.account }.into())
    }

    fn check_parent(&self, account: &Arc<str>, parent: &str) -> Result<(), ServiceError> {
        if &**account == parent {
            return Err(ServiceError::field("parent", "an account is not its own parent"));
        }
        match self.committed(parent) {
            Ok(parent) if parent.parent.is_some() => {
                Err(ServiceError::field("parent", "the parent has a parent itself; there are two levels and no more"))
            }
            Ok(_) => Ok(()),
            Err(ServiceError::Refused(_)) => Err(ServiceError::field("parent", "no account has this id")),
            Err(error) => Err(error),
        }
    }
}
