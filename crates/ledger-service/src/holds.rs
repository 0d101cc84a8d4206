//! The use cases of holds: set credits aside, extend, settle, give back (ledger rules, section 4); and how long a call
//! may last.
//!
//! A hold is priced by the plugin and configuration that were live when it was opened, to its end. What an answer says
//! is read off the entry that was written, so that a replay says the same.

mod covered;
mod views;

pub use views::{HoldFilter, HoldPage, HoldView};

use crate::acts::Act;
use crate::charges::{binding, pricing_error, sum};
use crate::error::ServiceError;
use crate::idempotency::{Content, key_fingerprint};
use crate::ledger::Ledger;
use crate::measured::Measured;
use crate::ports::PricingPlugin;
use crate::ports::throttling::Action;
use crate::releases::Releases;
use crate::throttle::{Admitted, Question, Seen};
use crate::writer::{Request, Task};
use ledger_core::entry::HoldOpened;
use ledger_core::{
    Account, Amount, Body, ChargeMade, Command, Details, ExtendRequest, HoldRequest, HoldTerms, IdKind, OnExcess,
    Priced, Quantity, Rating, Refusal, ReleaseRequest, Salted, SettleRequest, Timestamp, UsageEvent,
};
use ledger_store::{EntryQuery, Instance, KeyFingerprint, KeyKind, Recorded, details_of};
use std::sync::Arc;

/// How much is to be set aside, or is settled: since the hold was opened.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum HoldAmount {
    /// So many credits.
    Credits(Amount),
    /// What this usage costs; sorted by unit, each unit once.
    Usage(Arc<[Quantity]>),
}

/// Credits to be set aside.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HoldInput {
    /// The caller's own name for the hold, unique in the account.
    pub id: Option<String>,
    /// The `Idempotency-Key` header.
    pub key: Option<String>,
    /// The account's id.
    pub account: Arc<str>,
    /// The activity.
    pub activity: Arc<str>,
    /// The agent.
    pub agent: Option<Arc<str>>,
    /// The model.
    pub model: Option<Arc<str>>,
    /// How much.
    pub amount: HoldAmount,
    /// For how long, in milliseconds.
    pub ttl_ms: i64,
    /// What happens to what it does not cover.
    pub on_excess: OnExcess,
    /// Attributes, sorted by key.
    pub attributes: Vec<(String, String)>,
}

/// Something to be done to a hold.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum HoldStep {
    /// Set more aside, or for longer.
    Extend {
        /// How much since it was opened; `None` for what there is.
        amount: Option<HoldAmount>,
        /// For how long from now, in milliseconds.
        ttl_ms: Option<i64>,
    },
    /// Debit what the work cost.
    Settle {
        /// How much since it was opened; `None` for what was settled before.
        amount: Option<HoldAmount>,
        /// Whether the hold ends.
        is_final: bool,
    },
    /// Give it back.
    Release,
}

/// What came of something done to a hold.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HoldReply {
    /// The account's id.
    pub account: Arc<str>,
    /// The sequence of the entry that opened the hold.
    pub hold: u64,
    /// The entry that was written.
    pub recorded: Arc<Recorded>,
    /// Whether an earlier request had written it.
    pub replay: bool,
    /// The plugin and configuration that price the hold.
    pub rating: Option<Rating>,
    /// How long what is settled and set aside lasts; `None` where the usage has no seconds, or without an end.
    pub covered_until: Option<Timestamp>,
}

/// How many entries are read at a time to find a hold's settles.
const SETTLES_PAGE: usize = 1000;

impl HoldAmount {
    fn credits(&self) -> Option<Amount> {
        match self {
            Self::Credits(credits) => Some(*credits),
            Self::Usage(_) => None,
        }
    }

    fn quantities(&self) -> Arc<[Quantity]> {
        match self {
            Self::Credits(_) => Arc::default(),
            Self::Usage(quantities) => quantities.clone(),
        }
    }
}

type Attributes = Vec<(String, String)>;

/// What a step asks of the core, with the attributes that its price may depend on, and where that was computed.
type Step = (Command, Attributes, Instance);

/// A price with what made it.
struct Pricing {
    priced: Priced,
    instance: Instance,
}

impl HoldInput {
    fn content(&self) -> [u8; 16] {
        let mut content = Content::new("POST /v1/holds");
        content.text(&self.account);
        content.option(self.id.as_deref(), Content::text);
        content.text(&self.activity);
        content.option(self.agent.as_deref(), Content::text);
        content.option(self.model.as_deref(), Content::text);
        add_amount(&mut content, &self.amount);
        content.number(i128::from(self.ttl_ms));
        content.text(self.on_excess.name());
        content.list(&self.attributes, |content, (key, value)| {
            content.text(key);
            content.text(value);
        });
        content.finish()
    }
}

fn add_amount(content: &mut Content, amount: &HoldAmount) {
    match amount {
        HoldAmount::Credits(credits) => {
            content.text("credits");
            content.number(i128::from(credits.micros()));
        }
        HoldAmount::Usage(quantities) => {
            content.text("usage");
            content.list(quantities, |content, quantity| {
                content.text(&quantity.unit);
                content.number(i128::from(quantity.amount));
            });
        }
    }
}

impl HoldStep {
    fn content(&self, hold: &str) -> [u8; 16] {
        let mut content = Content::new("POST /v1/holds/{hold}");
        content.text(hold);
        match self {
            Self::Extend { amount, ttl_ms } => {
                content.text("extend");
                content.option(amount.as_ref(), add_amount);
                content.option(*ttl_ms, |content, ttl_ms| content.number(i128::from(ttl_ms)));
            }
            Self::Settle { amount, is_final } => {
                content.text("settle");
                content.option(amount.as_ref(), add_amount);
                content.number(i128::from(*is_final));
            }
            Self::Release => content.text("release"),
        }
        content.finish()
    }
}

impl Ledger {
    /// Sets credits aside.
    pub async fn open_hold(&self, input: HoldInput) -> Result<HoldReply, ServiceError> {
        self.open_hold_seen(input, &mut Seen::default()).await
    }

    /// The same; what policies say besides is added to `seen`.
    pub async fn open_hold_seen(&self, input: HoldInput, seen: &mut Seen) -> Result<HoldReply, ServiceError> {
        let now = self.now();
        let header = input.key.iter().map(|key| key_fingerprint(&input.account, KeyKind::Header, key));
        let named = input.id.iter().map(|id| key_fingerprint(&input.account, KeyKind::Event, id));
        let keys: Vec<_> = header.chain(named).collect();
        let content = input.content();
        let (account, known) = self.known(&input.account, &keys, content)?;
        if let Some(recorded) = known {
            return self.hold_reply(&account, &opening_of(&recorded)?, recorded, true);
        }
        self.check_may_spend(&account)?;
        let terms = HoldTerms {
            plan: account.plan.clone(),
            activity: input.activity.clone(),
            agent: input.agent.clone(),
            model: input.model.clone(),
            opened_at: now,
            rating: None,
            on_excess: input.on_excess,
        };
        let releases = self.releases();
        let event = event(&account, &terms, input.amount.quantities(), input.attributes.clone(), input.id.as_deref());
        let estimate = input.amount.credits();
        let question = Question { action: Action::OpenHold, event: &event, estimate, opened_at: None };
        let mut admitted = self.admit(&releases, &question, &account, seen).await?;
        let opened = self.open_admitted(input, keys, content, (terms, event, &releases), &mut admitted).await;
        if opened.as_ref().map_or(true, |reply| reply.replay) {
            seen.take_back();
        }
        opened
    }

    /// Sets credits aside for a hold that policies have let through.
    async fn open_admitted(
        &self,
        input: HoldInput,
        keys: Vec<KeyFingerprint>,
        content: [u8; 16],
        (mut terms, event, releases): (HoldTerms, UsageEvent, &Releases),
        admitted: &mut Admitted,
    ) -> Result<HoldReply, ServiceError> {
        let live = match (binding(releases, &event), &input.amount) {
            (Ok(binding), _) => Some(binding),
            // Credits need no price; usage that is settled later would be unpriced.
            (Err(_), HoldAmount::Credits(_)) => None,
            (Err(error), HoldAmount::Usage(_)) => return Err(error),
        };
        terms.rating = live.map(|binding| Rating {
            plugin: binding.name.clone(),
            digest: binding.plugin.digest(),
            config_digest: binding.plugin.config_digest(),
        });
        let plugin = live.map(|binding| binding.plugin.clone());
        let Pricing { priced, instance } = price(plugin.as_deref(), &terms, event, &input.amount)?;
        let details = Details { id: input.id.clone(), attributes: input.attributes, ..Details::default() };
        let request = Request {
            account: input.account,
            keys,
            content,
            looked_up: None,
            task: Task::Execute(Command::OpenHold(Box::new(HoldRequest { terms, priced, ttl_ms: input.ttl_ms }))),
            details: Salted::new(&details, self.salt_for(&details)),
            instance,
        };
        let submitted = admitted.submitted();
        let written = self.submit_one(request).await;
        submitted.answered(&written);
        let acted = self.acted(written?)?;
        let recorded = acted.entry()?;
        self.hold_reply(&acted.account, &opening_of(&recorded)?, recorded, acted.replay)
    }

    /// Does something to a hold, under an `Idempotency-Key`.
    pub async fn step_hold(&self, hold: &str, key: &str, step: HoldStep) -> Result<HoldReply, ServiceError> {
        self.step_hold_seen(hold, key, step, &mut Seen::default()).await
    }

    /// The same; what policies say besides is added to `seen`.
    pub async fn step_hold_seen(
        &self,
        hold: &str,
        key: &str,
        step: HoldStep,
        seen: &mut Seen,
    ) -> Result<HoldReply, ServiceError> {
        let (named, sequence) = self.named(IdKind::Hold, "hold", hold)?;
        let content = step.content(hold);
        let keys = [key_fingerprint(&named.id, KeyKind::Header, key)];
        let (account, known) = self.known(&named.id, &keys, content)?;
        let opening = self.opening(&account, sequence)?.ok_or_else(|| not_found(hold))?;
        if let Some(recorded) = known {
            return self.hold_reply(&account, &opening, recorded, true);
        }
        if let HoldStep::Extend { amount, .. } = &step {
            self.check_may_spend(&account)?;
            let terms = &opening.opened.terms;
            let quantities = amount.as_ref().map(HoldAmount::quantities).unwrap_or_default();
            let mut event = event(&account, terms, quantities, opening.attributes.clone(), opening.id.as_deref());
            // The policies that count are those of the account's plan now.
            event.plan = account.plan.clone();
            let estimate = amount.as_ref().and_then(HoldAmount::credits);
            let opened_at = Some(terms.opened_at);
            let question = Question { action: Action::ExtendHold, event: &event, estimate, opened_at };
            self.admit(&self.releases(), &question, &account, seen).await?;
        }
        let (command, attributes, instance) = self.hold_command(&account, sequence, &opening, step)?;
        let act = Act {
            account: account.id.clone(),
            key: Some(key.to_owned()),
            content,
            command,
            details: Details { attributes, ..Details::default() },
            instance,
        };
        let acted = match self.act(act).await {
            Err(ServiceError::Refused(Refusal::HoldNotOpen { .. })) => {
                // It ended so long ago that the writer knows no more of it.
                let ended = self.ended_hold(&account, sequence)?.ok_or_else(|| not_found(hold))?;
                let refusal = Refusal::HoldClosed { status: ended.status, closed_at: ended.closed_at };
                return Err(refusal.into());
            }
            acted => acted?,
        };
        self.hold_reply(&acted.account, &opening, acted.entry()?, acted.replay)
    }

    /// The command of a step, priced by what the hold has pinned; with the attributes that the price may depend on.
    fn hold_command(
        &self,
        account: &Account,
        sequence: u64,
        opening: &Opening,
        step: HoldStep,
    ) -> Result<Step, ServiceError> {
        let terms = &opening.opened.terms;
        let price = |amount: Option<HoldAmount>| -> Result<(Option<Priced>, Attributes, Instance), ServiceError> {
            let Some(amount) = amount else {
                return Ok((None, Vec::new(), Instance::None));
            };
            let plugin = match (&amount, &terms.rating) {
                (HoldAmount::Usage(_), Some(rating)) => Some(self.plugin_of(rating)?),
                _ => None,
            };
            let event = event(account, terms, Arc::default(), opening.attributes.clone(), None);
            let priced = price(plugin.as_deref(), terms, event, &amount)?;
            let attributes = if plugin.is_some() { opening.attributes.clone() } else { Vec::new() };
            Ok((Some(priced.priced), attributes, priced.instance))
        };
        Ok(match step {
            HoldStep::Extend { amount, ttl_ms } => {
                let (priced, attributes, instance) = price(amount)?;
                let request = ExtendRequest { hold: sequence, priced, ttl_ms, ended: None };
                (Command::ExtendHold(Box::new(request)), attributes, instance)
            }
            HoldStep::Settle { amount, is_final } => {
                let (priced, attributes, instance) = price(amount)?;
                if let Some(priced) = priced.as_ref().filter(|_| is_final) {
                    self.settle_beside(account, opening, priced);
                }
                // Only in the end a total may be lower than before, and give back what was taken.
                let charges = match account.holds.get(sequence) {
                    None if is_final => self.settles_of(account, sequence, terms)?,
                    _ => Vec::new(),
                };
                let of_open = account.holds.get(sequence).into_iter().flat_map(|hold| &hold.collected);
                let of_ended = charges.iter().flat_map(|charge| &charge.taken).filter_map(|(grant, _)| *grant);
                let drawn = of_open.filter_map(|collected| collected.grant).chain(of_ended);
                let grants = if is_final { self.terms_of_grants(account, drawn)? } else { Vec::new() };
                let late_ms_max = self.settings().max_age_ms;
                let request =
                    SettleRequest { hold: sequence, priced, is_final, late_ms_max, ended: None, grants, charges };
                (Command::SettleHold(Box::new(request)), attributes, instance)
            }
            HoldStep::Release => {
                (Command::ReleaseHold(ReleaseRequest { hold: sequence, ended: None }), Vec::new(), Instance::None)
            }
        })
    }

    /// Shows what a hold came to in the end to whoever prices beside what is live.
    fn settle_beside(&self, account: &Account, opening: &Opening, priced: &Priced) {
        let quantities = priced.quantities.clone();
        let event = event(account, &opening.opened.terms, quantities, opening.attributes.clone(), None);
        let releases = self.releases();
        if let Some(shadow) = releases.find(&event).and_then(|binding| binding.shadow.as_ref())
            && !priced.items.is_empty()
        {
            shadow.offer(&event, priced.price);
        }
    }

    fn hold_reply(
        &self,
        account: &Account,
        opening: &Opening,
        recorded: Arc<Recorded>,
        replay: bool,
    ) -> Result<HoldReply, ServiceError> {
        let entry = &recorded.sealed.entry;
        let hold = entry.body.hold(entry.sequence).ok_or_else(|| of_no_hold(&recorded))?;
        let (covers, quantities) = match &entry.body {
            Body::Hold(opened) => (opened.covered(), &opened.quantities),
            Body::Extension(extended) => (extended.held.checked_add(extended.settled), &extended.quantities),
            Body::Settle(settle) => (settle.held.checked_add(settle.settled), &settle.quantities),
            _ => (None, &opening.opened.quantities),
        };
        // An extension by time, or by credits, covers the usage that the hold was opened for.
        let quantities = if quantities.is_empty() { &opening.opened.quantities } else { quantities };
        let covered_until = match covers {
            Some(covers) => self.covered_until(account, opening, quantities, covers)?,
            None => None,
        };
        let rating = opening.opened.terms.rating.clone();
        Ok(HoldReply { account: account.id.clone(), hold, recorded, replay, rating, covered_until })
    }

    /// The entry that opened a hold.
    fn opening(&self, account: &Account, sequence: u64) -> Result<Option<Opening>, ServiceError> {
        let recorded = self.store().entry(account.number, sequence)?;
        let opened = recorded.filter(|recorded| matches!(recorded.sealed.entry.body, Body::Hold(_)));
        opened.map(|recorded| opening_of(&recorded)).transpose()
    }

    /// What the settles of a hold took, the last first.
    fn settles_of(&self, account: &Account, hold: u64, terms: &HoldTerms) -> Result<Vec<ChargeMade>, ServiceError> {
        let named = |name: &Option<Arc<str>>| name.as_deref().map(str::to_owned);
        let mut query = EntryQuery {
            entry_type: Some("charge".to_owned()),
            activity: Some(terms.activity.to_string()),
            agent: named(&terms.agent),
            model: named(&terms.model),
            limit: SETTLES_PAGE,
            ..EntryQuery::default()
        };
        let mut charges = Vec::new();
        loop {
            let page = self.store().entries(account.number, &query)?;
            let of_hold = page.entries.iter().map(|recorded| &recorded.sealed.entry);
            let of_hold = of_hold.filter(|entry| entry.body.hold(entry.sequence) == Some(hold));
            charges.extend(of_hold.filter_map(ChargeMade::of));
            match page.next.filter(|next| *next > hold) {
                Some(next) => query.before = Some(next),
                None => return Ok(charges),
            }
        }
    }

    /// The plugin that a rating names: it may no longer be live.
    fn plugin_of(&self, rating: &Rating) -> Result<Arc<dyn PricingPlugin>, ServiceError> {
        if let Some(live) = self.releases().plugin_with(rating.digest, rating.config_digest) {
            return Ok(live.clone());
        }
        let found = self.plugin_with(rating.digest, rating.config_digest)?;
        let measured = |plugin| -> Arc<dyn PricingPlugin> { Arc::new(Measured::new(&rating.plugin, plugin)) };
        found.map(measured).ok_or_else(|| ServiceError::PluginFailed {
            plugin: rating.plugin.clone(),
            digest: rating.digest,
            failure: crate::ports::PluginFailure::BadAnswer,
            detail: "the plugin or the configuration that the hold was opened under is not here".to_owned(),
            cut_off: None,
        })
    }
}

/// How a hold began.
struct Opening {
    opened: HoldOpened,
    attributes: Vec<(String, String)>,
    id: Option<String>,
}

/// How a hold began, by the entry that opened it.
fn opening_of(recorded: &Recorded) -> Result<Opening, ServiceError> {
    let Body::Hold(opened) = &recorded.sealed.entry.body else {
        return Err(of_no_hold(recorded));
    };
    let details = recorded.details.as_ref().map(details_of).transpose()?.unwrap_or_default();
    Ok(Opening { opened: (**opened).clone(), attributes: details.attributes, id: details.id })
}

/// A key stands for one kind of request, so that its entry is of that kind; anything else is damage.
fn of_no_hold(recorded: &Recorded) -> ServiceError {
    ServiceError::Internal { detail: format!("entry {} is of no hold", recorded.sealed.entry.id()) }
}

fn not_found(hold: &str) -> ServiceError {
    ServiceError::NotFound { what: "hold", id: hold.to_owned() }
}

/// The event that a hold's plugin prices: what has been used in all, at the time of the opening, so that a call costs by
/// one price from its beginning to its end.
/// What plugins are asked about a hold.
pub(crate) fn event(
    account: &Account,
    terms: &HoldTerms,
    quantities: Arc<[Quantity]>,
    attributes: Vec<(String, String)>,
    id: Option<&str>,
) -> UsageEvent {
    UsageEvent {
        id: id.unwrap_or_default().to_owned(),
        account: account.id.clone(),
        plan: terms.plan.clone(),
        activity: terms.activity.clone(),
        agent: terms.agent.clone(),
        model: terms.model.clone(),
        occurred_at: terms.opened_at,
        quantities,
        attributes,
    }
}

fn price(
    plugin: Option<&dyn PricingPlugin>,
    terms: &HoldTerms,
    event: UsageEvent,
    amount: &HoldAmount,
) -> Result<Pricing, ServiceError> {
    let quantities = match amount {
        HoldAmount::Credits(credits) => {
            let priced = Priced { price: *credits, ..Priced::default() };
            return Ok(Pricing { priced, instance: Instance::None });
        }
        HoldAmount::Usage(quantities) => quantities.clone(),
    };
    let (Some(plugin), Some(rating)) = (plugin, &terms.rating) else {
        let (model, activity) = (terms.model.clone(), terms.activity.clone());
        return Err(ServiceError::Unpriced { model, activity, unit: None });
    };
    let event = UsageEvent { quantities: quantities.clone(), ..event };
    let quote = plugin.price(&event).map_err(|error| pricing_error(error, &rating.plugin, plugin))?;
    let price = sum(&quote).ok_or_else(|| ServiceError::Internal {
        detail: format!("plugin {} priced an event beyond the range of amounts", rating.plugin),
    })?;
    let instance = quote.fuel.map_or(Instance::Reused, |fuel| Instance::Fresh { fuel });
    Ok(Pricing { priced: Priced { quantities, items: quote.items.into(), price }, instance })
}
