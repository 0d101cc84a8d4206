//! What tests share: a ledger in memory with a plugin that needs no WebAssembly, and a store that fails when told to.
#![forbid(unsafe_code)]
#![allow(clippy::unwrap_used, clippy::missing_panics_doc, reason = "this is test code, and panicking is how it fails")]

mod at_most;
mod faulty;
mod library;
mod plugin;
mod sender;
mod till;

pub use at_most::AtMost;
pub use faulty::FaultyStore;
pub use library::{Halted, Shelf};
pub use plugin::PerUnit;
pub use sender::Anywhere;
pub use till::{Answers, Till};

use ledger_core::{Amount, FirstCycle, Period, Plan, Timestamp};
use ledger_service::ports::throttling::{Measure, Scope, ThrottlingPlugin};
use ledger_service::ports::{Clock, PaymentProvider, PricingPlugin, Random};
use ledger_service::top_ups::PlanTopUps;
use ledger_service::{
    AccountInput, Binding, ChargeInput, CustomAmounts, Ledger, Pack, Parts, PlanAlerts, PlanRules, Policy, RateCard,
    Releases, Rule, Settings, Shop, Slot, TestClock, hash_of_secret,
};
use ledger_store::{LedgerStore, MemoryStore};
use std::sync::Arc;
use std::sync::atomic::{AtomicU8, Ordering};

/// Where the clock of a [`Kit`] stands at first.
pub const START: &str = "2026-11-01T00:00:00Z";

/// The administrator's key of a [`Kit`].
pub const ADMIN_KEY: &str = "an-admin-key-for-tests";

/// A ledger with what it is made of. Opening one needs a tokio runtime, as the ledger itself does.
pub struct Kit {
    /// The ledger.
    pub ledger: Arc<Ledger>,
    /// Its clock, which stands until it is moved.
    pub clock: Arc<TestClock>,
    /// Its store.
    pub store: Arc<FaultyStore<MemoryStore>>,
    /// Its plugin.
    pub plugin: Arc<PerUnit>,
    /// Its library, which has that plugin.
    pub library: Arc<Shelf>,
    /// Who takes money for what is sold in it, where it is not sold on invoices alone.
    pub till: Option<Arc<Till>>,
}

/// Salts that are different, and the same in every run.
#[derive(Debug, Default)]
pub struct Counting(AtomicU8);

impl Random for Counting {
    fn bytes32(&self) -> [u8; 32] {
        [self.0.fetch_add(1, Ordering::Relaxed); 32]
    }
}

/// The plans of a kit: `free` with 1 credit, `pro` with 1,000, `max` with 3,000, `debt` with 1 and 5 of overage, `call`
/// with 100, 10 of overage and 3 of grace, each for a month; `weekly` with 70 for a week.
pub fn plans() -> Vec<Plan> {
    let plan = |name: &str, package: i64, overage: i64| Plan {
        name: name.into(),
        cycle: Period::Months(1),
        package: Amount::from_credits(package).unwrap(),
        rollover: None,
        overage_limit: Amount::from_credits(overage).unwrap(),
        grace: Amount::ZERO,
        first_cycle: FirstCycle::Full,
    };
    let weekly = Plan { cycle: Period::Days(7), ..plan("weekly", 70, 0) };
    let call = Plan { grace: Amount::from_credits(3).unwrap(), ..plan("call", 100, 10) };
    vec![plan("free", 1, 0), plan("pro", 1000, 0), plan("debt", 1, 5), plan("max", 3000, 0), weekly, call]
}

/// What a kit sells: `small`, 1,000 credits for 5 dollars, and other amounts at the same price.
pub fn shop() -> Shop {
    let amount = |text: &str| text.parse::<Amount>().unwrap();
    let currency: Arc<str> = "USD".into();
    let small = Pack {
        name: "small".into(),
        credits: amount("1000"),
        price: amount("5"),
        currency: currency.clone(),
        currency_decimals: 2,
    };
    let custom = CustomAmounts {
        credits_min: amount("100"),
        credits_max: amount("100000"),
        price_per_credit: amount("0.005"),
        currency,
        currency_decimals: 2,
    };
    Shop { packs: vec![small], custom: Some(custom) }
}

/// Limits as they ship.
pub fn settings() -> Settings {
    const DAY_MS: i64 = 86_400_000;
    Settings {
        keep_ms: 35 * DAY_MS,
        max_age_ms: 34 * DAY_MS,
        max_future_ms: 300_000,
        suspended_parents_stop_children: false,
        queue_items_max: 10_000,
        group_items_max: 1000,
        listeners_max: 100,
        listener_commits_max: 16,
    }
}

/// What is live in a kit: the plugin, as the configuration `units`, for chats and calls on every plan; and for the activity
/// `limited`, of which a policy lets two through in a minute.
pub fn releases(plugin: Arc<dyn PricingPlugin>) -> Releases {
    let binding = Binding { name: "per-unit".into(), plugin, shadow: None };
    let rules = ["chat", "voice_*", "limited"].map(|activity| Rule {
        activity: activity.to_owned(),
        model: "*".to_owned(),
        prices: "units".into(),
    });
    let rules_of = PlanRules { rate_card: "standard".to_owned(), policies: vec!["limited".to_owned()] };
    let limited =
        Policy { name: "limited".into(), activities: ["limited".to_owned()].into(), throttles: "two-a-minute".into() };
    let two: Arc<dyn ThrottlingPlugin> = Arc::new(AtMost::new(2, Measure::Requests, Scope::Account, 60));
    let two = Binding { name: "at-most".into(), plugin: two, shadow: None };
    Releases {
        rate_cards: [("standard".to_owned(), RateCard { rules: rules.to_vec() })].into(),
        plans: plans().iter().map(|plan| (plan.name.to_string(), rules_of.clone())).collect(),
        policies: [("limited".to_owned(), limited)].into(),
        prices: [("units".into(), Slot::configured(binding))].into(),
        throttles: [("two-a-minute".into(), Slot::configured(two))].into(),
    }
}

impl Kit {
    /// A ledger with everything as it ships, but in memory.
    pub fn new() -> Self {
        Self::with(settings())
    }

    /// A ledger with other limits.
    pub fn with(settings: Settings) -> Self {
        Self::over(Arc::new(FaultyStore::new(MemoryStore::new())), settings)
    }

    /// A ledger over a store, which may hold something already.
    pub fn over(store: Arc<FaultyStore<MemoryStore>>, settings: Settings) -> Self {
        Self::with_top_ups(store, settings, PlanTopUps::default())
    }

    /// Another process over the store and the library of a ledger, at the same time of the clock.
    pub fn sharing(other: &Self) -> Self {
        let clock = Arc::new(TestClock::new(other.clock.now()));
        let around = (other.plugin.clone(), other.library.clone(), other.till.clone());
        Self::of(other.store.clone(), settings(), PlanTopUps::default(), clock, around)
    }

    /// A ledger with everything as it ships, in which a [`Till`] takes money.
    pub fn with_till() -> Self {
        let store = Arc::new(FaultyStore::new(MemoryStore::new()));
        Self::at_start(store, settings(), PlanTopUps::default(), Some(Arc::new(Till::default())))
    }

    /// The same, with plans whose accounts buy by themselves.
    pub fn with_top_ups(store: Arc<FaultyStore<MemoryStore>>, settings: Settings, top_ups: PlanTopUps) -> Self {
        Self::at_start(store, settings, top_ups, None)
    }

    fn at_start(
        store: Arc<FaultyStore<MemoryStore>>,
        settings: Settings,
        top_ups: PlanTopUps,
        till: Option<Arc<Till>>,
    ) -> Self {
        let clock = Arc::new(TestClock::new(Timestamp::parse_rfc3339(START).unwrap()));
        let plugin = Arc::new(PerUnit::default());
        let library = Arc::new(Shelf::new(plugin.clone()));
        Self::of(store, settings, top_ups, clock, (plugin, library, till))
    }

    fn of(
        store: Arc<FaultyStore<MemoryStore>>,
        settings: Settings,
        top_ups: PlanTopUps,
        clock: Arc<TestClock>,
        (plugin, library, till): (Arc<PerUnit>, Arc<Shelf>, Option<Arc<Till>>),
    ) -> Self {
        let releases = releases(plugin.clone());
        let dyn_store: Arc<dyn LedgerStore> = store.clone();
        let parts = Parts {
            store: dyn_store,
            clock: clock.clone(),
            random: Arc::new(Counting::default()),
            plans: plans(),
            alerts: PlanAlerts::default(),
            top_ups,
            releases,
            shop: shop(),
            payments: till.iter().map(|till| till.clone() as Arc<dyn PaymentProvider>).collect(),
            library: Some(library.clone()),
            admin_key: Some(hash_of_secret(ADMIN_KEY)),
            settings,
        };
        Self { ledger: Ledger::open(parts).unwrap(), clock, store, plugin, library, till }
    }

    /// Opens an account.
    pub async fn open_account(&self, account: &str, plan: &str) {
        let input = AccountInput { account: account.into(), plan: plan.into(), ..AccountInput::default() };
        assert!(self.ledger.put_account(input).await.unwrap().opened);
    }

    /// Moves the clock.
    pub fn wait_ms(&self, ms: i64) {
        self.clock.advance_to(self.ledger.now().plus_millis(ms));
    }
}

impl Default for Kit {
    fn default() -> Self {
        Self::new()
    }
}

/// A charge of so many `messages`, each of a thousandth of a credit, under an event id.
pub fn messages(account: &str, id: &str, messages: u64) -> ChargeInput {
    ChargeInput {
        id: Some(id.to_owned()),
        key: None,
        account: account.into(),
        activity: "chat".into(),
        agent: None,
        model: Some("m".into()),
        quantities: [ledger_core::Quantity { unit: "messages".into(), amount: messages }].into(),
        occurred_at: None,
        attributes: Vec::new(),
        on_excess: ledger_core::OnExcess::Reject,
    }
}
