//! Executes charges again, with the very bytes that priced them, and says where another price comes out: a price is a
//! function of the event, the plugin and the configuration, all of which are kept.
//!
//! Charges come in one by one, in any order, and are priced in chunks, which may share an instance; whatever does not come
//! out the same is tried once more in a fresh one before it is told. Memory is bounded by the chunk, and by how many pairs
//! of plugin and configuration there ever were.

use crate::charges::sum;
use crate::error::ServiceError;
use crate::ports::{
    DAMAGES_TOLD_MAX, DamageFound, PluginFailure, PluginLibrary, PricingError, PricingPlugin, Quote, Repriced,
    Verification,
};
use crate::rated::{Rated, rated};
use crate::receipts::is_erased;
use ledger_core::{Amount, Details, Digest, Id, LineItem, UsageEvent};
use ledger_store::{Recorded, details_of};
use std::collections::BTreeMap;
use std::sync::Arc;

/// How many charges are priced together. Each holds its event, which may have 64 KiB.
const CHUNK_CHARGES: usize = 256;
/// How often a plugin is asked again that ran out of time, since the machine may have been busy elsewhere.
const DEADLINE_ATTEMPTS: usize = 3;

/// Re-executes charges, and gathers what differs.
pub struct Repricer<'a> {
    library: &'a dyn PluginLibrary,
    waiting: Vec<Waiting>,
    /// Every plugin with a configuration that was met.
    met: BTreeMap<Pair, Met>,
    found: Verification,
    repriced: Repriced,
}

/// The digests of a plugin and of its configuration.
type Pair = (Digest, Digest);

/// A charge that waits for its chunk to be full.
struct Waiting {
    pair: Pair,
    id: Id,
    event: UsageEvent,
    priced: Amount,
    items: Arc<[LineItem]>,
    is_erased: bool,
}

enum Met {
    /// Its bytes are those of the digests.
    Whole,
    /// It cannot be run.
    Unusable { reason: String, first: Id, account: Arc<str>, charges: u64 },
}

impl<'a> Repricer<'a> {
    /// Begins, with nothing seen.
    pub fn new(library: &'a dyn PluginLibrary) -> Self {
        Self {
            library,
            waiting: Vec::new(),
            met: BTreeMap::new(),
            found: Verification::default(),
            repriced: Repriced::default(),
        }
    }

    /// Takes an entry of an account; one that no plugin priced is passed over. Fails only where the library cannot be read
    /// now: what is missing or wrong is a finding.
    pub fn entry(&mut self, account: &Arc<str>, recorded: &Recorded) -> Result<(), ServiceError> {
        let entry = &recorded.sealed.entry;
        let Some(rated) = rated(entry) else {
            return Ok(());
        };
        let details = match details(recorded) {
            Ok(details) => details,
            Err(reason) => {
                self.repriced.not_executed += 1;
                self.damage(account, rated.id, format!("charge {} cannot be re-executed: {reason}", rated.id));
                return Ok(());
            }
        };
        let pair = (rated.rating.digest, rated.rating.config_digest);
        if !self.can_run(pair, account, &rated)? {
            self.repriced.not_executed += 1;
            return Ok(());
        }
        self.waiting.push(Waiting {
            pair,
            id: rated.id,
            priced: rated.priced,
            items: rated.items.clone(),
            event: rated.event(account, details),
            is_erased: is_erased(recorded),
        });
        if self.waiting.len() >= CHUNK_CHARGES { self.price_waiting() } else { Ok(()) }
    }

    /// Prices what is left, and adds what was found to a verification.
    pub fn finish(mut self, verification: &mut Verification) -> Result<(), ServiceError> {
        self.price_waiting()?;
        for met in std::mem::take(&mut self.met).into_values() {
            if let Met::Unusable { reason, first, account, charges } = met {
                let which = if charges == 1 {
                    format!("charge {first} cannot be re-executed")
                } else {
                    format!("{charges} charges cannot be re-executed, of which {first} is the first")
                };
                self.damage(&account, first, format!("{which}: {reason}"));
            }
        }
        let untold = self.found.damages_found - u64::try_from(self.found.damages.len()).unwrap_or(0);
        for damage in self.found.damages {
            verification.add(damage);
        }
        verification.damages_found += untold;
        verification.repriced = Some(self.repriced);
        Ok(())
    }

    fn damage(&mut self, account: &Arc<str>, id: Id, reason: String) {
        let (account, sequence) = (Some(account.to_string()), Some(id.sequence));
        self.found.add(DamageFound { account, sequence, record: None, reason });
    }

    /// Whether what priced a charge can be run. Looked into once for each pair, whatever the library remembers: a plugin
    /// that was made ready before its file was tampered with would hide that.
    fn can_run(&mut self, pair: Pair, account: &Arc<str>, rated: &Rated<'_>) -> Result<bool, ServiceError> {
        match self.met.get_mut(&pair) {
            Some(Met::Whole) => return Ok(true),
            Some(Met::Unusable { charges, .. }) => {
                *charges += 1;
                return Ok(false);
            }
            None => {}
        }
        let met = match unusable(self.library, pair, &rated.rating.plugin)? {
            None => Met::Whole,
            Some(reason) => Met::Unusable { reason, first: rated.id, account: account.clone(), charges: 1 },
        };
        let is_whole = matches!(met, Met::Whole);
        self.met.insert(pair, met);
        Ok(is_whole)
    }

    fn price_waiting(&mut self) -> Result<(), ServiceError> {
        let mut waiting = std::mem::take(&mut self.waiting);
        waiting.sort_by_key(|waiting| waiting.pair);
        for group in waiting.chunk_by(|a, b| a.pair == b.pair) {
            let (digest, config_digest) = group[0].pair;
            let gone = || ServiceError::StorageUnavailable {
                detail: format!("the plugin {digest} or its configuration {config_digest} went away meanwhile"),
            };
            let plugin = self.library.pricing(digest, config_digest)?.ok_or_else(gone)?;
            let events: Vec<&UsageEvent> = group.iter().map(|waiting| &waiting.event).collect();
            for (waiting, quote) in group.iter().zip(plugin.price_all(&events)) {
                self.judge(waiting, &*plugin, &quote);
            }
        }
        waiting.clear();
        self.waiting = waiting;
        Ok(())
    }

    fn judge(&mut self, waiting: &Waiting, plugin: &dyn PricingPlugin, quote: &Result<Quote, PricingError>) {
        let Some(mut difference) = waiting.difference(quote) else {
            self.repriced.same += 1;
            return;
        };
        for _ in 0..DEADLINE_ATTEMPTS {
            let again = plugin.price(&waiting.event);
            match waiting.difference(&again) {
                None => {
                    self.repriced.same += 1;
                    return;
                }
                Some(found) => difference = found,
            }
            if !matches!(again, Err(PricingError::Failed(PluginFailure::Deadline, _))) {
                break;
            }
        }
        if waiting.is_erased {
            self.repriced.erased += 1;
            return;
        }
        self.repriced.different += 1;
        // What is not told need not be written.
        if self.found.damages.len() < DAMAGES_TOLD_MAX {
            let Waiting { id, priced, event, .. } = waiting;
            self.damage(&event.account, *id, format!("charge {id} was priced at {priced} and {difference}"));
        } else {
            self.found.damages_found += 1;
        }
    }
}

impl Waiting {
    /// How a price differs from the one that was charged; `None` where it does not.
    fn difference(&self, quote: &Result<Quote, PricingError>) -> Option<String> {
        Some(match quote {
            Ok(quote) if *quote.items == *self.items && sum(quote) == Some(self.priced) => return None,
            Ok(quote) => match sum(quote) {
                Some(price) if price == self.priced => "re-executes to other lines of the same sum".to_owned(),
                Some(price) => format!("re-executes to {price}"),
                None => "re-executes to more than any account can hold".to_owned(),
            },
            Err(PricingError::Unpriced { .. }) => "re-executes to no price at all".to_owned(),
            Err(PricingError::InvalidUsage(reason)) => format!("is refused when it is re-executed: {reason}"),
            Err(PricingError::Failed(failure, detail)) => {
                format!("fails when it is re-executed ({}): {detail}", failure.name())
            }
        })
    }
}

/// The details of an entry, if they are those that it commits to; empty where there are none, or they were erased.
pub(crate) fn details(recorded: &Recorded) -> Result<Details, String> {
    let Some(salted) = &recorded.details else {
        return Ok(Details::default());
    };
    if Some(salted.commitment()) != recorded.sealed.entry.details_commitment {
        return Err("its details are not those that the chain commits to".to_owned());
    }
    details_of(salted).map_err(|error| error.to_string())
}

/// Why a plugin with a configuration cannot be run; `None` where it can.
fn unusable(library: &dyn PluginLibrary, pair: Pair, name: &str) -> Result<Option<String>, ServiceError> {
    let (digest, config_digest) = pair;
    let looked_into = || {
        if library.component_bytes(digest)?.is_none() {
            return Ok(Some(format!("the plugin {name} {digest} is missing")));
        }
        if library.config_bytes(config_digest)?.is_none() {
            return Ok(Some(format!("the configuration {config_digest} of {name} is missing")));
        }
        let is_there = library.pricing(digest, config_digest)?.is_some();
        Ok((!is_there).then(|| format!("the plugin {name} {digest} or its configuration {config_digest} is missing")))
    };
    match looked_into() {
        Err(ServiceError::Internal { detail }) => Ok(Some(detail)),
        looked_into => looked_into,
    }
}
