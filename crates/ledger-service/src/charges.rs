//! The use cases of spending: charge, charge in batches, quote.

use crate::error::ServiceError;
use crate::idempotency::{Content, key_fingerprint};
use crate::ledger::Ledger;
use crate::ports::{PricingError, PricingPlugin, Quote};
use crate::releases::{Binding, Releases};
use crate::throttle::{Admitted, Question, Seen, Submitted};
use crate::writer::{Request, Task, Written};
use ledger_core::{
    Account, Amount, Body, ChargeRequest, Command, Details, Id, IdKind, OnExcess, Quantity, Rating, Refusal, Salted,
    Status, Timestamp, UsageEvent, advance, execute,
};
use ledger_store::{Instance, KeyFingerprint, KeyKind, Recorded, Wanted};
use std::sync::Arc;

/// A usage event to be charged, as a caller states it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ChargeInput {
    /// The caller's own name for the event, unique in the account.
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
    /// Quantities, sorted by unit, each unit once.
    pub quantities: Arc<[Quantity]>,
    /// When it happened; now if absent.
    pub occurred_at: Option<Timestamp>,
    /// Attributes, sorted by key.
    pub attributes: Vec<(String, String)>,
    /// What to do with what the account cannot cover.
    pub on_excess: OnExcess,
}

/// A charge that is durable.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Charged {
    /// The account's id.
    pub account: Arc<str>,
    /// Its entry.
    pub recorded: Arc<Recorded>,
    /// Whether the entry had been written for an earlier request.
    pub replay: bool,
}

/// What an event would cost.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Quoted {
    /// The price; `None` where there is none, which `refusal` then says.
    pub price: Option<(Quote, Rating, Amount)>,
    /// What a charge would meet now; `None` if it would be made.
    pub refusal: Option<ServiceError>,
}

impl ChargeInput {
    fn keys(&self) -> Vec<KeyFingerprint> {
        let header = self.key.iter().map(|key| key_fingerprint(&self.account, KeyKind::Header, key));
        header.chain(self.id.iter().map(|id| key_fingerprint(&self.account, KeyKind::Event, id))).collect()
    }

    /// A single charge and the same charge in a batch are one content.
    fn content(&self) -> [u8; 16] {
        let mut content = Content::new("POST /v1/charges");
        content.text(&self.account);
        content.option(self.id.as_deref(), Content::text);
        content.text(&self.activity);
        content.option(self.agent.as_deref(), Content::text);
        content.option(self.model.as_deref(), Content::text);
        content.list(&self.quantities, |content, quantity| {
            content.text(&quantity.unit);
            content.number(i128::from(quantity.amount));
        });
        content.option(self.occurred_at, |content, t| content.number(i128::from(t.millis())));
        content.list(&self.attributes, |content, (key, value)| {
            content.text(key);
            content.text(value);
        });
        content.number(match self.on_excess {
            OnExcess::Reject => 0,
            OnExcess::Cap => 1,
            OnExcess::Overflow => 2,
        });
        content.finish()
    }

    fn into_event(self, account: &Account, now: Timestamp) -> UsageEvent {
        UsageEvent {
            id: self.id.unwrap_or_default(),
            account: account.id.clone(),
            plan: account.plan.clone(),
            activity: self.activity,
            agent: self.agent,
            model: self.model,
            occurred_at: self.occurred_at.unwrap_or(now),
            quantities: self.quantities,
            attributes: self.attributes,
        }
    }
}

/// Where a charge stands once it has been looked up.
enum Found {
    /// It was made before.
    Replayed(Charged),
    /// It is new.
    New(Arc<Account>),
}

impl Ledger {
    /// Charges one event.
    pub async fn charge(&self, input: ChargeInput) -> Result<Charged, ServiceError> {
        self.charge_seen(input, &mut Seen::default()).await
    }

    /// The same; what policies say besides is added to `seen`, whether the event is charged or not.
    pub async fn charge_seen(&self, input: ChargeInput, seen: &mut Seen) -> Result<Charged, ServiceError> {
        let now = self.now();
        let wanted = Wanted { account: input.account.clone(), keys: input.keys() };
        let content = input.content();
        let account = match self.find(&wanted, content, now)? {
            Found::Replayed(charged) => return Ok(charged),
            Found::New(account) => account,
        };
        self.check_time(input.occurred_at, now)?;
        let releases = self.releases();
        let on_excess = input.on_excess;
        let event = input.into_event(&account, now);
        let mut admitted = self.admit(&releases, &Question::charge(&event), &account, seen).await?;
        let charge = async {
            let binding = binding(&releases, &event)?;
            let quote = binding.plugin.price(&event).map_err(|error| failed(error, binding))?;
            price_beside(&event, &quote, binding);
            let mut request = self.request(event, on_excess, quote, binding)?;
            (request.keys, request.content, request.looked_up) = (wanted.keys, content, Some(account.sequence));
            let submitted = admitted.submitted();
            let answer = self.submit_one(request).await;
            submitted.answered(&answer);
            self.charged(answer?)
        };
        let charged = charge.await;
        if charged.as_ref().map_or(true, |charged| charged.replay) {
            seen.take_back();
        }
        charged
    }

    /// Charges many events, each for itself, in order; one refusal stops no other. Durable together.
    pub async fn charge_batch(self: &Arc<Self>, inputs: Vec<ChargeInput>) -> Vec<Result<Charged, ServiceError>> {
        self.charge_batch_seen(inputs).await.0
    }

    /// The same, with what policies say besides, of all events together.
    pub async fn charge_batch_seen(
        self: &Arc<Self>,
        inputs: Vec<ChargeInput>,
    ) -> (Vec<Result<Charged, ServiceError>>, Seen) {
        // Pricing thousands of events takes milliseconds: off the threads that serve other requests.
        let ledger = self.clone();
        let prepared = tokio::task::spawn_blocking(move || {
            let mut seen = Seen::default();
            (ledger.prepare_batch(inputs, &mut seen), seen)
        });
        let Ok((prepared, seen)) = prepared.await else {
            let panicked = ServiceError::Internal { detail: "pricing a batch panicked".to_owned() };
            return (vec![Err(panicked)], Seen::default());
        };
        let mut requests = Vec::with_capacity(prepared.len());
        let mut submitted = Vec::with_capacity(prepared.len());
        let mut results: Vec<Option<Result<Charged, ServiceError>>> = Vec::with_capacity(prepared.len());
        for prepared in prepared {
            match prepared {
                Prepared::Submit(request, mut admitted) => {
                    requests.push(*request);
                    submitted.push(admitted.submitted());
                    results.push(None);
                }
                Prepared::Answered(result) => results.push(Some(*result)),
            }
        }
        let mut answers = if requests.is_empty() {
            Ok(Vec::new().into_iter())
        } else {
            self.submit(requests).await.map(Vec::into_iter)
        };
        let mut submitted = submitted.into_iter();
        let mut answer = || {
            let answer = match &mut answers {
                Ok(answers) => answers.next().unwrap_or(Err(ServiceError::Overloaded)),
                Err(error) => Err(error.clone()),
            };
            submitted.next().into_iter().for_each(|submitted: Submitted| submitted.answered(&answer));
            answer.and_then(|written| self.charged(written))
        };
        (results.into_iter().map(|result| result.unwrap_or_else(&mut answer)).collect(), seen)
    }

    /// Prices an event and says what a charge would meet now. Changes nothing.
    pub async fn quote(&self, input: &ChargeInput) -> Result<Quoted, ServiceError> {
        self.quote_seen(input, &mut Seen::default()).await
    }

    /// The same; what policies say besides is added to `seen`.
    pub async fn quote_seen(&self, input: &ChargeInput, seen: &mut Seen) -> Result<Quoted, ServiceError> {
        let now = self.now();
        let account = self.account(&input.account)?;
        if let Err(refusal) = self.check_time(input.occurred_at, now) {
            return Ok(Quoted { price: None, refusal: Some(refusal) });
        }
        let releases = self.releases();
        let event = input.clone().into_event(&account, now);
        let throttled = match self.admit(&releases, &Question::charge(&event), &account, seen).await {
            // Let go of at once: nothing is counted of a question.
            Ok(admitted) => {
                drop(admitted);
                seen.take_back();
                None
            }
            Err(error @ ServiceError::Throttled { .. }) => Some(error),
            Err(error) => return Err(error),
        };
        let priced = binding(&releases, &event)
            .and_then(|b| b.plugin.price(&event).map(|quote| (quote, b)).map_err(|error| failed(error, b)));
        let (quote, binding) = match priced {
            Ok(priced) => priced,
            Err(error @ ServiceError::Unpriced { .. }) => {
                return Ok(Quoted { price: None, refusal: throttled.or(Some(error)) });
            }
            Err(error) => return Err(error),
        };
        let request = self.request(event, input.on_excess, quote.clone(), binding)?;
        let Task::Execute(command @ Command::Charge(charge)) = &request.task else {
            return Err(ServiceError::Internal { detail: "a quote made no charge".to_owned() });
        };
        let mut copy = (*account).clone();
        let refused = execute(&mut copy, self.plans(), command, None, now)?.result.err().map(ServiceError::from);
        let refusal = throttled.or(refused);
        let price = Some((quote, charge.rating.clone(), charge.price));
        Ok(Quoted { price, refusal })
    }

    /// A charge by its id.
    pub fn charge_by_id(&self, text: &str) -> Result<Charged, ServiceError> {
        let not_found = || ServiceError::ChargeNotFound { charge: text.to_owned() };
        let id = Id::parse(text).filter(|id| id.kind == IdKind::Charge).ok_or_else(not_found)?;
        let account = self.store().account_by_number(id.account)?.ok_or_else(not_found)?;
        let recorded = self.store().entry(id.account, id.sequence)?.ok_or_else(not_found)?;
        if !matches!(recorded.sealed.entry.body, Body::Charge(_) | Body::Settle(_)) {
            return Err(not_found());
        }
        Ok(Charged { account: account.id.clone(), recorded, replay: false })
    }

    /// Looks a charge's keys up. A replay answers here, whatever prices say now.
    fn find(&self, wanted: &Wanted, content: [u8; 16], now: Timestamp) -> Result<Found, ServiceError> {
        let loaded = self.store().load(std::slice::from_ref(wanted))?.pop().unwrap_or_default();
        let account = loaded.account.ok_or_else(|| Refusal::AccountNotFound { account: wanted.account.clone() })?;
        let oldest = now.plus_millis(-self.settings().keep_ms);
        match loaded.keys.iter().flatten().find(|record| record.recorded_at >= oldest) {
            Some(record) if record.content == content => {
                self.charged(Written::Replay { account, sequence: record.sequence }).map(Found::Replayed)
            }
            Some(record) => Err(Refusal::IdempotencyMismatch { first_seen_at: record.recorded_at }.into()),
            None => {
                self.check_may_spend(&account)?;
                Ok(Found::New(account))
            }
        }
    }

    /// Refuses a suspended account before anything is priced; the writer refuses it again. Whether a parent's
    /// suspension stops its children is a setting.
    pub(crate) fn check_may_spend(&self, account: &Account) -> Result<(), ServiceError> {
        let is_suspended = |account: &Account| account.status == Status::Suspended;
        let stopped = is_suspended(account)
            || match account.parent.as_ref().filter(|_| self.settings().suspended_parents_stop_children) {
                Some(parent) => is_suspended(&*self.committed(parent)?),
                None => false,
            };
        if stopped { Err(Refusal::AccountSuspended.into()) } else { Ok(()) }
    }

    fn check_time(&self, occurred_at: Option<Timestamp>, now: Timestamp) -> Result<(), ServiceError> {
        let oldest = now.plus_millis(-self.settings().max_age_ms);
        let newest = now.plus_millis(self.settings().max_future_ms);
        match occurred_at {
            Some(t) if t < oldest => Err(Refusal::EventTooOld { oldest }.into()),
            Some(t) if t > newest => Err(Refusal::EventInFuture { newest }.into()),
            _ => Ok(()),
        }
    }

    /// A request for a priced event, under no key yet.
    fn request(
        &self,
        mut event: UsageEvent,
        on_excess: OnExcess,
        quote: Quote,
        binding: &Binding,
    ) -> Result<Request, ServiceError> {
        // Nothing but the details needs these once there is a price.
        let (id, attributes) = (std::mem::take(&mut event.id), std::mem::take(&mut event.attributes));
        let details = Details { id: Some(id).filter(|id| !id.is_empty()), attributes, ..Details::default() };
        let price = sum(&quote).ok_or_else(|| ServiceError::Internal {
            detail: format!("plugin {} priced an event beyond the range of amounts", binding.name),
        })?;
        let rating = Rating {
            plugin: binding.name.clone(),
            digest: binding.plugin.digest(),
            config_digest: binding.plugin.config_digest(),
        };
        let instance = quote.fuel.map_or(Instance::Reused, |fuel| Instance::Fresh { fuel });
        let account = event.account.clone();
        let charge = ChargeRequest { event, items: quote.items.into(), price, rating, on_excess };
        Ok(Request {
            account,
            keys: Vec::new(),
            content: [0; 16],
            looked_up: None,
            task: Task::Execute(Command::Charge(Box::new(charge))),
            details: Salted::new(&details, self.salt_for(&details)),
            instance,
        })
    }

    fn charged(&self, written: Written) -> Result<Charged, ServiceError> {
        let (account, recorded, replay) = match written {
            Written::Done { account, recorded: Some(recorded), .. } => (account, recorded, false),
            Written::Done { recorded: None, .. } => {
                return Err(ServiceError::Internal { detail: "a charge wrote no entry".to_owned() });
            }
            Written::Replay { account, sequence } => {
                let recorded = self.store().entry(account.number, sequence)?;
                let missing = || ServiceError::Internal { detail: "a replayed entry is gone".to_owned() };
                (account, recorded.ok_or_else(missing)?, true)
            }
        };
        Ok(Charged { account: account.id.clone(), recorded, replay })
    }

    /// Does for each item of a batch what `charge` does up to submission; items of one plugin share instances.
    fn prepare_batch(&self, inputs: Vec<ChargeInput>, seen: &mut Seen) -> Vec<Prepared> {
        let now = self.now();
        let releases = self.releases();
        let mut prepared: Vec<Option<Prepared>> = Vec::with_capacity(inputs.len());
        let mut to_price: Vec<ToPrice<'_>> = Vec::with_capacity(inputs.len());
        for (index, input) in inputs.into_iter().enumerate() {
            let wanted = Wanted { account: input.account.clone(), keys: input.keys() };
            let content = input.content();
            let looked_up = self.find(&wanted, content, now).and_then(|found| {
                let Found::New(account) = found else {
                    return Ok(found);
                };
                self.check_time(input.occurred_at, now)?;
                Ok(Found::New(account))
            });
            prepared.push(match looked_up {
                Err(error) => Some(Prepared::Answered(Box::new(Err(error)))),
                Ok(Found::Replayed(charged)) => Some(Prepared::Answered(Box::new(Ok(charged)))),
                Ok(Found::New(account)) => {
                    let on_excess = input.on_excess;
                    let event = input.into_event(&account, now);
                    let admitted = self.admit_blocking(&releases, &Question::charge(&event), &account, seen);
                    match admitted.and_then(|admitted| Ok((admitted, binding(&releases, &event)?))) {
                        Err(error) => Some(Prepared::Answered(Box::new(Err(error)))),
                        Ok((admitted, binding)) => {
                            let (keys, looked_up) = (wanted.keys, account.sequence);
                            to_price.push(ToPrice {
                                index,
                                keys,
                                content,
                                looked_up,
                                event,
                                on_excess,
                                binding,
                                admitted,
                            });
                            None
                        }
                    }
                }
            });
        }
        for (item, quote) in price_all(to_price) {
            let ToPrice { index, keys, content, looked_up, event, on_excess, binding, admitted } = item;
            let request = quote
                .map_err(|error| failed(error, binding))
                .inspect(|quote| price_beside(&event, quote, binding))
                .and_then(|quote| self.request(event, on_excess, quote, binding));
            prepared[index] = Some(match request {
                Ok(request) => {
                    let request = Request { keys, content, looked_up: Some(looked_up), ..request };
                    Prepared::Submit(Box::new(request), admitted)
                }
                Err(error) => Prepared::Answered(Box::new(Err(error))),
            });
        }
        let unanswered = || {
            let detail = "an item of a batch was neither priced nor answered".to_owned();
            Prepared::Answered(Box::new(Err(ServiceError::Internal { detail })))
        };
        prepared.into_iter().map(|prepared| prepared.unwrap_or_else(unanswered)).collect()
    }

    /// The balance-changing part of time: what is due on a copy of an account, for reads.
    pub(crate) fn as_of_now(&self, account: &Account, now: Timestamp) -> Result<Account, ServiceError> {
        let mut copy = account.clone();
        let now = now.max(copy.last_at);
        advance(&mut copy, self.plans(), now)?;
        Ok(copy)
    }
}

enum Prepared {
    Submit(Box<Request>, Admitted),
    Answered(Box<Result<Charged, ServiceError>>),
}

struct ToPrice<'a> {
    index: usize,
    keys: Vec<KeyFingerprint>,
    content: [u8; 16],
    looked_up: u64,
    event: UsageEvent,
    on_excess: OnExcess,
    binding: &'a Binding,
    admitted: Admitted,
}

/// Prices the items of each plugin together, on two threads where there is enough to share.
fn price_all(mut items: Vec<ToPrice<'_>>) -> Vec<(ToPrice<'_>, Result<Quote, PricingError>)> {
    const SHARE_ITEMS_MIN: usize = 128;
    items.sort_by_key(|item| (Arc::as_ptr(&item.binding.plugin).cast::<()>(), item.index));
    let price = |items: &[ToPrice<'_>]| -> Vec<Result<Quote, PricingError>> {
        let same = |a: &ToPrice<'_>, b: &ToPrice<'_>| Arc::ptr_eq(&a.binding.plugin, &b.binding.plugin);
        items
            .chunk_by(same)
            .flat_map(|chunk| {
                let events: Vec<&UsageEvent> = chunk.iter().map(|item| &item.event).collect();
                chunk[0].binding.plugin.price_all(&events)
            })
            .collect()
    };
    let quotes = if items.len() < SHARE_ITEMS_MIN {
        price(&items)
    } else {
        let (left, right) = items.split_at(items.len() / 2);
        std::thread::scope(|scope| {
            let left = scope.spawn(|| price(left));
            let right = price(right);
            let panicked = |_| {
                let failed = PricingError::Failed(crate::ports::PluginFailure::Trap, "the host panicked".to_owned());
                vec![Err(failed); items.len() / 2]
            };
            let mut all = left.join().unwrap_or_else(panicked);
            all.extend(right);
            all
        })
    };
    items.into_iter().zip(quotes).collect()
}

pub(crate) fn binding<'a>(releases: &'a Releases, event: &UsageEvent) -> Result<&'a Binding, ServiceError> {
    releases.find(event).ok_or_else(|| ServiceError::Unpriced {
        model: event.model.clone(),
        activity: event.activity.clone(),
        unit: None,
    })
}

/// Shows a priced event to whoever prices beside what is live.
fn price_beside(event: &UsageEvent, quote: &Quote, binding: &Binding) {
    if let (Some(shadow), Some(price)) = (&binding.shadow, sum(quote)) {
        shadow.offer(event, price);
    }
}

fn failed(error: PricingError, binding: &Binding) -> ServiceError {
    pricing_error(error, &binding.name, &*binding.plugin)
}

pub(crate) fn pricing_error(error: PricingError, name: &Arc<str>, plugin: &dyn PricingPlugin) -> ServiceError {
    match error {
        PricingError::Unpriced { model, activity, unit } => ServiceError::Unpriced { model, activity, unit },
        PricingError::InvalidUsage(reason) => ServiceError::field("usage", reason),
        PricingError::Failed(failure, detail) => ServiceError::PluginFailed {
            plugin: name.clone(),
            digest: plugin.digest(),
            failure,
            detail,
            cut_off: plugin.cut_off(),
        },
    }
}

/// What is said of a price that comes to more than [`sum`] can say.
pub(crate) const BEYOND_AMOUNTS: &str = "comes to more than any account can hold";

/// Why no price came out, in words that follow the name of what was asked for one.
pub(crate) fn no_price(error: &PricingError) -> String {
    match error {
        PricingError::Unpriced { unit: Some(unit), .. } => format!("has no price for the unit {unit}"),
        PricingError::Unpriced { model: Some(model), .. } => format!("has no price for the model {model}"),
        PricingError::Unpriced { activity, .. } => format!("has no price for {activity} without a model"),
        PricingError::InvalidUsage(reason) => format!("refuses the usage: {reason}"),
        PricingError::Failed(failure, _) => format!("fails: {}", failure.name()),
    }
}

/// The price; `None` where it is beyond the range of amounts.
pub(crate) fn sum(quote: &Quote) -> Option<Amount> {
    quote.items.iter().try_fold(Amount::ZERO, |sum, item| sum.checked_add(item.credits))
}
