//! Runs a component on this machine, in the plugin host and under the limits that a server has as shipped.

use crate::plugin::cases::Given;
use crate::plugin::cases::rows::Row;
use crate::plugin::configuration::{Configuration, listed};
use anyhow::{Context, anyhow};
use ledger_core::{Amount, LineItem};
use ledger_service::ports::PluginFailure;
use ledger_service::ports::throttling::{Decision, Reading, ThrottlingPlugin, Window};
use plugin_host::{Limits, PluginHost, PrepareError, Prepared, PreparedPlugin, PreparedThrottling, World};

/// A plugin that is ready to be called.
pub(crate) enum Plugin {
    Pricing(Prepared),
    Throttling(PreparedThrottling),
}

/// A host under the limits of a server as it is shipped.
pub(crate) fn host() -> anyhow::Result<PluginHost> {
    PluginHost::new(Limits::default(), None).context("the plugin host cannot be started")
}

/// Makes a component ready; `name` is what it is called in what is wrong with it.
pub(crate) fn prepare(
    host: &PluginHost,
    name: &str,
    component: &[u8],
    config: &Configuration,
) -> anyhow::Result<Plugin> {
    match host.prepare_any(component, &config.json) {
        Ok(PreparedPlugin::Pricing(plugin)) => Ok(Plugin::Pricing(plugin)),
        Ok(PreparedPlugin::Throttling(plugin)) => Ok(Plugin::Throttling(plugin)),
        Err(error) => Err(refused(name, config, &error)),
    }
}

/// What is wrong with a component or its configuration, with every problem on a line.
pub(crate) fn refused(name: &str, config: &Configuration, error: &PrepareError) -> anyhow::Error {
    match error {
        PrepareError::Config(problems) => {
            let problems: Vec<_> = problems.iter().map(|p| (p.path.clone(), p.reason.clone())).collect();
            let hint = if config.path.is_none() { "\n--config names a file with another one" } else { "" };
            anyhow!("{name} refuses {}\n{}{hint}", config.name(), listed(&problems))
        }
        other => anyhow!("{name} cannot be used: {other}"),
    }
}

impl Plugin {
    pub(crate) fn world(&self) -> World {
        match self {
            Self::Pricing(_) => World::Pricing,
            Self::Throttling(_) => World::Throttling,
        }
    }

    /// The counters that it asks for.
    pub(crate) fn windows(&self) -> &[Window] {
        match self {
            Self::Pricing(_) => &[],
            Self::Throttling(plugin) => plugin.windows(),
        }
    }

    /// What it answers, in a fresh instance, as rows of a table of cases; and how it failed, where it did.
    pub(crate) fn answer(&self, given: &Given) -> Result<Vec<Row>, (PluginFailure, String)> {
        match self {
            Self::Pricing(plugin) => match plugin.price_with_fuel(&given.event)?.0 {
                Ok(items) => Ok(priced(&items)),
                Err(refusal) => Ok(vec![Row::refused(&refusal)]),
            },
            Self::Throttling(plugin) => {
                let readings: Vec<Reading> =
                    plugin.windows().iter().map(|window| given.reading(&window.name)).collect();
                plugin.decide(&given.asked(), &readings).map(decided)
            }
        }
    }
}

/// What a price comes to.
pub(crate) fn total(items: &[LineItem]) -> Amount {
    // The host has checked that there is a sum.
    items.iter().fold(Amount::ZERO, |sum, item| sum.checked_add(item.credits).unwrap_or(sum))
}

fn priced(items: &[LineItem]) -> Vec<Row> {
    let lines = items.iter().map(|item| Row::line(&item.label, item.quantity, item.credits));
    lines.chain([Row::Total(total(items))]).collect()
}

fn decided(decision: Decision) -> Vec<Row> {
    match decision {
        Decision::Allow => vec![Row::Allow],
        Decision::AllowWithAdvice(advice) => vec![Row::advise(&advice.policy, &advice.suggestion)],
        Decision::Deny(denial) => {
            vec![Row::deny(&denial.policy, &denial.reason), Row::Retry(u64::from(denial.retry_after_ms))]
        }
    }
}
