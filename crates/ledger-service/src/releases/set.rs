//! What is live: one set of rate cards, policies and released plugins, which each request sees whole from start to end.

use crate::backtest::BacktestDemand;
use crate::ports::throttling::ThrottlingPlugin;
use crate::ports::{Plugin, PluginKind, PricingPlugin};
use crate::rate_card::{RateCard, matches};
use crate::releases::history::Standing;
use crate::releases::shadow::Shadow;
use ledger_core::{Digest, UsageEvent};
use sha2::{Digest as _, Sha256};
use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;

/// What is live.
#[derive(Clone, Debug, Default)]
pub struct Releases {
    /// Rate cards by name.
    pub rate_cards: BTreeMap<String, RateCard>,
    /// Throttling policies by name.
    pub policies: BTreeMap<String, Policy>,
    /// What counts for each plan.
    pub plans: BTreeMap<String, PlanRules>,
    /// The plugin configurations that rate cards name.
    pub prices: BTreeMap<Arc<str>, Slot<dyn PricingPlugin>>,
    /// The plugin configurations that policies name.
    pub throttles: BTreeMap<Arc<str>, Slot<dyn ThrottlingPlugin>>,
}

/// What prices and what throttles the accounts of a plan.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct PlanRules {
    /// The name of its rate card.
    pub rate_card: String,
    /// The names of its policies, in the order in which they are asked.
    pub policies: Vec<String>,
}

/// Which plugin configuration throttles what.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Policy {
    /// Its name.
    pub name: Arc<str>,
    /// Patterns of activities that it is asked about; `*` stands for any run of characters.
    pub activities: Arc<[String]>,
    /// The name of the plugin configuration.
    pub throttles: Arc<str>,
}

impl Policy {
    pub(crate) fn is_about(&self, activity: &str) -> bool {
        self.activities.iter().any(|pattern| matches(pattern, activity))
    }
}

/// A plugin configuration: the name under which releases are made.
pub struct Slot<T: ?Sized> {
    /// The plugin's name.
    pub plugin: Arc<str>,
    /// What the configuration file says; `None` where it leaves this to releases.
    pub configured: Option<Binding<T>>,
    /// What is live for accounts outside the share; `None` before the first release.
    pub live: Option<Binding<T>>,
    /// What is live on a share of accounts.
    pub share: Option<Share<T>>,
    /// The backtest that something must have passed before it is released for accounts.
    pub demands: Option<BacktestDemand>,
}

/// A release on a share of accounts.
pub struct Share<T: ?Sized> {
    /// How many accounts of a hundred.
    pub percent: u32,
    /// What is live for them.
    pub binding: Binding<T>,
}

/// A plugin with its configuration, under the plugin's name.
pub struct Binding<T: ?Sized = dyn PricingPlugin> {
    /// The plugin's name.
    pub name: Arc<str>,
    /// The plugin, configured.
    pub plugin: Arc<T>,
    /// Who is to see the same requests, beside.
    pub shadow: Option<Arc<Shadow>>,
}

/// The digests of a component and of its configuration: what a release releases.
pub type Pair = (Digest, Digest);

impl<T: ?Sized> Slot<T> {
    /// A slot of which what the configuration says is live.
    pub fn configured(binding: Binding<T>) -> Self {
        Self {
            plugin: binding.name.clone(),
            configured: Some(binding.clone()),
            live: Some(binding),
            share: None,
            demands: None,
        }
    }

    /// A slot of which nothing is live before the first release.
    pub fn by_release(plugin: Arc<str>) -> Self {
        Self { plugin, configured: None, live: None, share: None, demands: None }
    }

    /// The same, where something must have passed a backtest before it is released for accounts.
    #[must_use]
    pub fn demanding(self, demands: Option<BacktestDemand>) -> Self {
        Self { demands, ..self }
    }

    /// What is live for an account.
    fn for_account(&self, slot: &str, account: &str) -> Option<&Binding<T>> {
        match &self.share {
            Some(share) if place_of(slot, account) < u64::from(share.percent) => Some(&share.binding),
            _ => self.live.as_ref(),
        }
    }

    /// Has everything that is live priced beside, or nothing.
    pub(crate) fn in_shadow_of(&mut self, shadow: Option<&Arc<Shadow>>) {
        let bindings = self.live.iter_mut().chain(self.share.iter_mut().map(|share| &mut share.binding));
        bindings.for_each(|binding| binding.shadow = shadow.cloned());
    }

    /// Everything of it that is live.
    pub(crate) fn bindings(&self) -> impl Iterator<Item = &Binding<T>> {
        self.live.iter().chain(self.share.iter().map(|share| &share.binding))
    }
}

impl<T: Plugin + ?Sized> Slot<T> {
    /// Takes on what follows from its releases. What it has ready stays as it is; a function makes ready what it has not.
    pub(crate) fn restand<E>(
        &mut self,
        standing: &Standing,
        make: impl Fn(&Arc<str>, Pair) -> Result<Binding<T>, E>,
    ) -> Result<(), E> {
        let load = |pair: Pair| match self.bindings().chain(&self.configured).find(|known| known.pair() == pair) {
            Some(known) => Ok(known.clone()),
            None => make(&self.plugin, pair),
        };
        let live = standing.live().map(load).transpose()?;
        let binding_of = |(pair, percent)| load(pair).map(|binding| Share { percent, binding });
        let share = standing.share.map(binding_of).transpose()?;
        self.live = live.or_else(|| self.configured.clone());
        self.share = share;
        Ok(())
    }

    /// The digests of what is live outside the share.
    fn live_pair(&self) -> Option<Pair> {
        self.live.as_ref().map(Binding::pair)
    }

    /// The digests of everything that is live or configured.
    fn pairs(&self) -> impl Iterator<Item = Pair> {
        self.bindings().chain(&self.configured).map(Binding::pair)
    }

    /// Everything that is live, under the plugin's name.
    fn live_pairs(&self) -> impl Iterator<Item = (&Arc<str>, Pair)> {
        self.bindings().map(|binding| (&binding.name, binding.pair()))
    }
}

/// Where an account stands among a hundred, by a hash that no restart and no other node sees differently. The slot is in
/// it, so that not always the same accounts come first.
fn place_of(slot: &str, account: &str) -> u64 {
    let hash = Sha256::new().chain_update(slot).chain_update([0]).chain_update(account).finalize();
    let head = hash.first_chunk().copied().unwrap_or_default();
    u64::from_be_bytes(head) % 100
}

impl Releases {
    /// What prices an event; `None` where nothing does.
    pub fn find(&self, event: &UsageEvent) -> Option<&Binding> {
        let slot = self.slot_for(&event.plan, &event.activity, event.model.as_deref())?;
        self.prices.get(slot)?.for_account(slot, &event.account)
    }

    /// The plugin configuration that prices such events; `None` where no rule does.
    pub(crate) fn slot_for(&self, plan: &str, activity: &str, model: Option<&str>) -> Option<&Arc<str>> {
        self.rate_cards.get(&self.plans.get(plan)?.rate_card)?.find(activity, model)
    }

    /// What throttles an event, in order.
    pub(crate) fn policies_for<'a>(
        &'a self,
        event: &'a UsageEvent,
    ) -> impl Iterator<Item = (&'a Policy, &'a Binding<dyn ThrottlingPlugin>)> {
        let names = self.plans.get(&*event.plan).into_iter().flat_map(|rules| &rules.policies);
        let policies = names.filter_map(|name| self.policies.get(name));
        policies.filter(|policy| policy.is_about(&event.activity)).filter_map(|policy| {
            let slot = self.throttles.get(&policy.throttles)?;
            Some((policy, slot.for_account(&policy.throttles, &event.account)?))
        })
    }

    /// The plugin configurations that are of a plugin.
    pub(crate) fn slots_of(&self, plugin: &str) -> Vec<Arc<str>> {
        let prices = self.prices.iter().filter(|(_, slot)| *slot.plugin == *plugin).map(|(name, _)| name);
        let throttles = self.throttles.iter().filter(|(_, slot)| *slot.plugin == *plugin).map(|(name, _)| name);
        prices.chain(throttles).cloned().collect()
    }

    /// The names of all plugins that plugin configurations are of.
    pub(crate) fn plugin_names(&self) -> impl Iterator<Item = String> {
        let prices = self.prices.values().map(|slot| &slot.plugin);
        prices.chain(self.throttles.values().map(|slot| &slot.plugin)).map(|name| name.to_string())
    }

    /// Everything that is live: the plugin's name, and what.
    pub(crate) fn live(&self) -> impl Iterator<Item = (&Arc<str>, Pair)> {
        self.prices.values().flat_map(Slot::live_pairs).chain(self.throttles.values().flat_map(Slot::live_pairs))
    }

    pub(crate) fn has_slot(&self, slot: &str) -> bool {
        self.prices.contains_key(slot) || self.throttles.contains_key(slot)
    }

    /// What a plugin does, where a plugin configuration is of it.
    pub(crate) fn kind_of(&self, plugin: &str) -> Option<PluginKind> {
        if self.prices.values().any(|slot| *slot.plugin == *plugin) {
            return Some(PluginKind::Pricing);
        }
        self.throttles.values().any(|slot| *slot.plugin == *plugin).then_some(PluginKind::Throttling)
    }

    /// What is live and configured of a plugin, some of it more than once.
    pub(crate) fn pairs_of(&self, plugin: &str) -> impl Iterator<Item = Pair> {
        let prices = self.prices.values().filter(move |slot| *slot.plugin == *plugin);
        let throttles = self.throttles.values().filter(move |slot| *slot.plugin == *plugin);
        prices.flat_map(Slot::pairs).chain(throttles.flat_map(Slot::pairs))
    }

    /// What is live for a plugin configuration.
    pub(crate) fn live_pair(&self, slot: &str) -> Option<Pair> {
        let price = self.prices.get(slot).and_then(Slot::live_pair);
        price.or_else(|| self.throttles.get(slot)?.live_pair())
    }

    /// The backtest that a plugin configuration demands.
    pub(crate) fn demand_of(&self, slot: &str) -> Option<BacktestDemand> {
        self.prices.get(slot)?.demands
    }

    /// Whether the configuration file says something for a plugin configuration.
    pub(crate) fn is_configured(&self, slot: &str) -> bool {
        self.prices.get(slot).is_some_and(|slot| slot.configured.is_some())
            || self.throttles.get(slot).is_some_and(|slot| slot.configured.is_some())
    }

    /// The plugin with these digests, where it is live.
    pub(crate) fn plugin_with(&self, digest: Digest, config_digest: Digest) -> Option<&Arc<dyn PricingPlugin>> {
        let mut live = self.prices.values().flat_map(Slot::bindings);
        live.find(|binding| binding.pair() == (digest, config_digest)).map(|binding| &binding.plugin)
    }
}

impl<T: Plugin + ?Sized> Binding<T> {
    pub(crate) fn pair(&self) -> Pair {
        (self.plugin.digest(), self.plugin.config_digest())
    }
}

// Derived, these would ask for what the plugin's type cannot do.
impl<T: ?Sized> Clone for Slot<T> {
    fn clone(&self) -> Self {
        Self {
            plugin: self.plugin.clone(),
            configured: self.configured.clone(),
            live: self.live.clone(),
            share: self.share.clone(),
            demands: self.demands,
        }
    }
}

impl<T: ?Sized> Clone for Share<T> {
    fn clone(&self) -> Self {
        Self { percent: self.percent, binding: self.binding.clone() }
    }
}

impl<T: ?Sized> Clone for Binding<T> {
    fn clone(&self) -> Self {
        Self { name: self.name.clone(), plugin: self.plugin.clone(), shadow: self.shadow.clone() }
    }
}

impl<T: ?Sized> fmt::Debug for Slot<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let share = self.share.as_ref().map(|share| share.percent);
        f.debug_struct("Slot").field("plugin", &self.plugin).field("share", &share).finish_non_exhaustive()
    }
}

impl<T: ?Sized> fmt::Debug for Binding<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Binding").field("name", &self.name).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_share_is_about_as_large_as_it_says_and_grows_by_accounts_only() {
        let below = |percent: u64| {
            let accounts = (0..10_000).map(|n| format!("account-{n}"));
            accounts.filter(|account| place_of("list-prices", account) < percent).collect::<Vec<_>>()
        };
        let (few, more) = (below(5), below(20));
        assert!((450..550).contains(&few.len()), "{}", few.len());
        assert!((1900..2100).contains(&more.len()), "{}", more.len());
        assert!(few.iter().all(|account| more.contains(account)));
        assert!(below(100).len() == 10_000 && below(0).is_empty());
        assert_eq!(place_of("list-prices", "acme"), place_of("list-prices", "acme"));
    }
}
