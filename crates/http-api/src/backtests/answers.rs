//! A backtest as JSON.

use super::figures::{bounds, change_percent};
use crate::problem::Problem;
use crate::shapes::{BacktestState, PluginKindName};
use crate::wire::{Percent, Shown, credits};
use ledger_core::{Amount, Digest, Id, Timestamp};
use ledger_service::ports::PluginKind;
use ledger_service::{
    AccountGroups, Backtest, Change, Denials, DeniedRequest, Groups, PriceSums, PricingReport, Report, RunOut,
    ThrottlingReport,
};
use schemars::JsonSchema;
use serde::Serialize;
use std::sync::Arc;

/// A version of a plugin that is tried on what was recorded.
#[derive(JsonSchema, Serialize)]
#[schemars(rename = "Backtest")]
pub(crate) struct BacktestAnswer<'a> {
    /// Its id.
    backtest: &'a str,
    /// The plugin.
    plugin: &'a str,
    /// The plugin configuration under which it would be released.
    plugin_config: &'a str,
    /// What the plugin does, and so which of `pricing` and `throttling` says what was found.
    #[schemars(with = "PluginKindName")]
    kind: &'static str,
    /// The component.
    digest: Shown<Digest>,
    /// Its configuration.
    config_digest: Shown<Digest>,
    /// What happened at this time or later.
    from: Shown<Timestamp>,
    /// What happened before this time.
    to: Shown<Timestamp>,
    /// The accounts; null for all.
    accounts: Option<Vec<&'a str>>,
    /// How much of one core it takes at most, in percent; above 100, of several.
    cpu_percent: u32,
    /// Why.
    reason: &'a str,
    /// The id of the key.
    key: &'a str,
    /// What the key is called.
    actor: &'a str,
    /// When it was asked for.
    created_at: Shown<Timestamp>,
    /// When it began.
    started_at: Option<Shown<Timestamp>>,
    /// When it ended.
    ended_at: Option<Shown<Timestamp>>,
    /// How it stands.
    #[schemars(with = "BacktestState")]
    status: &'static str,
    /// Why it could not go on, as the code of a problem, where its status is `failed`.
    problem: Option<&'static str>,
    /// How far it has come.
    progress: BacktestProgress,
    /// What a plugin that prices would have charged, once it is done; null in lists.
    pricing: Option<PricingAnswer<'a>>,
    /// What a plugin that throttles would have denied, once it is done; null in lists.
    throttling: Option<ThrottlingAnswer<'a>>,
}

impl<'a> BacktestAnswer<'a> {
    pub(crate) fn new(backtest: &'a Backtest) -> Self {
        let (pricing, throttling) = match backtest.report.as_deref() {
            Some(Report::Pricing(report)) => (Some(PricingAnswer::new(report)), None),
            Some(Report::Throttling(report)) => (None, Some(ThrottlingAnswer::new(report))),
            None => (None, None),
        };
        Self {
            backtest: &backtest.id,
            plugin: &backtest.plugin,
            plugin_config: &backtest.slot,
            kind: match backtest.kind {
                PluginKind::Pricing => "pricing",
                PluginKind::Throttling => "throttling",
            },
            digest: Shown(backtest.pair.0),
            config_digest: Shown(backtest.pair.1),
            from: Shown(backtest.from),
            to: Shown(backtest.to),
            accounts: backtest.accounts.as_ref().map(|accounts| accounts.iter().map(|account| &**account).collect()),
            cpu_percent: backtest.cpu_percent,
            reason: &backtest.reason,
            key: &backtest.actor.key,
            actor: &backtest.actor.name,
            created_at: Shown(backtest.created_at),
            started_at: backtest.started_at.map(Shown),
            ended_at: backtest.ended_at.map(Shown),
            status: backtest.status.name(),
            problem: backtest.problem.clone().map(|error| Problem::from(error).kind.code),
            progress: BacktestProgress {
                accounts_done: backtest.accounts_done,
                accounts_total: backtest.accounts_total,
                charges_done: backtest.charges_done,
            },
            pricing,
            throttling,
        }
    }
}

/// How far a backtest has come.
#[derive(JsonSchema, Serialize)]
struct BacktestProgress {
    /// Accounts that it has gone through.
    accounts_done: u64,
    /// Of how many; null until they are counted.
    accounts_total: Option<u64>,
    /// Charges that it has gone through.
    charges_done: u64,
}

/// What some charges cost, and would have cost.
#[derive(JsonSchema, Serialize)]
#[schemars(rename = "BacktestSums")]
struct SumsAnswer {
    /// How many.
    charges: u64,
    /// What they cost.
    old_credits: Shown<Amount>,
    /// What they would have cost.
    new_credits: Shown<Amount>,
    /// How much more that is; negative for less.
    difference: Shown<Amount>,
    /// How far that is in percent of what they cost, rounded to two decimals; null where they cost nothing.
    change_percent: Option<String>,
}

impl SumsAnswer {
    fn new(sums: &PriceSums) -> Self {
        Self {
            charges: sums.charges,
            old_credits: credits(sums.old_micros),
            new_credits: credits(sums.new_micros),
            difference: credits(sums.difference_micros()),
            change_percent: change_percent(sums),
        }
    }
}

/// Charges for which no price came out.
#[derive(JsonSchema, Serialize)]
#[schemars(rename = "BacktestUnpriced")]
struct UnpricedAnswer {
    /// How many.
    charges: u64,
    /// What they cost.
    old_credits: Shown<Amount>,
}

/// Why some charges have no price.
#[derive(JsonSchema, Serialize)]
#[schemars(rename = "BacktestReason")]
struct ReasonAnswer<'a> {
    /// Why.
    reason: &'a str,
    /// How many.
    charges: u64,
    /// What they cost.
    old_credits: Shown<Amount>,
    /// One of them.
    example: Shown<Id>,
}

/// Sums by a name.
#[derive(JsonSchema, Serialize)]
#[schemars(rename = "BacktestGroups")]
struct GroupsAnswer<'a> {
    /// By the name; those that change most first.
    groups: Vec<GroupAnswer<'a>>,
    /// All that were too many to be told apart.
    other: SumsAnswer,
}

/// What charges of one name cost, and would have cost.
#[derive(JsonSchema, Serialize)]
#[schemars(rename = "BacktestGroup")]
struct GroupAnswer<'a> {
    /// The name; null for charges without one.
    name: Option<&'a str>,
    #[serde(flatten)]
    sums: SumsAnswer,
}

impl<'a> GroupsAnswer<'a> {
    fn new(groups: &'a Groups) -> Self {
        let group = |(name, sums): (Option<&'a Arc<str>>, &PriceSums)| GroupAnswer {
            name: name.map(|name| &**name),
            sums: SumsAnswer::new(sums),
        };
        Self { groups: groups.by_change().into_iter().map(group).collect(), other: SumsAnswer::new(&groups.other) }
    }
}

/// Sums by account.
#[derive(JsonSchema, Serialize)]
#[schemars(rename = "BacktestAccounts")]
struct AccountsAnswer<'a> {
    /// How many accounts had charges that were compared.
    compared: u64,
    /// How many would have paid more.
    dearer: u64,
    /// How many would have paid less.
    cheaper: u64,
    /// The furthest that any of them changes either way, in percent of what it paid, rounded up; null where one paid
    /// nothing and would have paid something.
    change_percent_max: Option<String>,
    /// Those that change most, most first.
    largest: Vec<AccountAnswer<'a>>,
    /// All others.
    other: SumsAnswer,
}

/// What the charges of one account cost, and would have cost.
#[derive(JsonSchema, Serialize)]
#[schemars(rename = "BacktestAccount")]
struct AccountAnswer<'a> {
    /// The account.
    account: &'a str,
    #[serde(flatten)]
    sums: SumsAnswer,
}

impl<'a> AccountsAnswer<'a> {
    fn new(accounts: &'a AccountGroups) -> Self {
        let largest = accounts.largest.iter();
        Self {
            compared: accounts.accounts,
            dearer: accounts.dearer,
            cheaper: accounts.cheaper,
            change_percent_max: Some(accounts.change_e4_max)
                .filter(|e4| *e4 != u32::MAX)
                .map(|e4| Percent(e4).to_string()),
            largest: largest.map(|(account, sums)| AccountAnswer { account, sums: SumsAnswer::new(sums) }).collect(),
            other: SumsAnswer::new(&accounts.other),
        }
    }
}

/// How many charges change by so much.
#[derive(JsonSchema, Serialize)]
#[schemars(rename = "BacktestStep")]
struct StepAnswer {
    /// From how many percent; null without an end. Both are 0 for what does not change.
    from_percent: Option<i64>,
    /// To how many percent; null without an end. Of the two, the one further from zero is included.
    to_percent: Option<i64>,
    /// How many charges.
    charges: u64,
}

/// A charge that would have cost something else.
#[derive(JsonSchema, Serialize)]
#[schemars(rename = "BacktestChange")]
struct ChangeAnswer<'a> {
    /// The charge.
    charge: Shown<Id>,
    /// The account.
    account: &'a str,
    /// The activity.
    activity: &'a str,
    /// The agent.
    agent: Option<&'a str>,
    /// The model.
    model: Option<&'a str>,
    /// When it happened.
    occurred_at: Shown<Timestamp>,
    /// What it cost.
    old_credits: Shown<Amount>,
    /// What it would have cost.
    new_credits: Shown<Amount>,
}

impl<'a> ChangeAnswer<'a> {
    fn new(change: &'a Change) -> Self {
        Self {
            charge: Shown(change.charge),
            account: &change.account,
            activity: &change.activity,
            agent: change.agent.as_deref(),
            model: change.model.as_deref(),
            occurred_at: Shown(change.occurred_at),
            old_credits: Shown(change.old),
            new_credits: Shown(change.new),
        }
    }
}

/// Who would have run out of credits.
#[derive(JsonSchema, Serialize)]
#[schemars(rename = "BacktestRunOuts")]
struct RunOutsAnswer<'a> {
    /// How many accounts would have.
    found: u64,
    /// How many accounts did, as it was recorded.
    ran_out: u64,
    /// The first of those that would have, in order of time.
    first: Vec<RunOutAnswer<'a>>,
}

/// An account that would have run out of credits.
#[derive(JsonSchema, Serialize)]
#[schemars(rename = "BacktestRunOut")]
struct RunOutAnswer<'a> {
    /// The account.
    account: &'a str,
    /// When what could be spent would first have gone below zero.
    at: Shown<Timestamp>,
    /// The entry after which it would have.
    entry: Shown<Id>,
    /// The charge, where that entry is one that was compared.
    charge: Option<Shown<Id>>,
    /// How much would have been missing.
    shortfall: Shown<Amount>,
    /// What could be spent then as it was recorded.
    spendable: Shown<Amount>,
    /// When it ran out as it was recorded: nothing could be spent any more, or a price not be collected in full; null
    /// where that never was within the period. What was refused for want of credits leaves no entry to go by.
    ran_out_at: Option<Shown<Timestamp>>,
}

impl<'a> RunOutAnswer<'a> {
    fn new(run_out: &'a RunOut) -> Self {
        Self {
            account: &run_out.account,
            at: Shown(run_out.at),
            entry: Shown(run_out.entry),
            charge: run_out.charge.map(Shown),
            shortfall: Shown(run_out.shortfall),
            spendable: Shown(run_out.spendable),
            ran_out_at: run_out.ran_out_at.map(Shown),
        }
    }
}

/// What a plugin that prices would have charged.
#[derive(JsonSchema, Serialize)]
#[schemars(rename = "PricingBacktest")]
pub(crate) struct PricingAnswer<'a> {
    /// Charges that have a price both ways.
    compared: SumsAnswer,
    /// How many of them come to the same.
    same: u64,
    /// How many come to something else.
    different: u64,
    /// Charges that it has no price for, or says that they make no sense.
    refused: UnpricedAnswer,
    /// Charges that it failed on.
    failed: UnpricedAnswer,
    /// Why it refused and failed.
    reasons: Vec<ReasonAnswer<'a>>,
    /// Charges whose details were erased, by what is left of them: in no other sum.
    erased: SumsAnswer,
    /// Charges that another plugin configuration prices now.
    other_plugins: u64,
    /// Settles of holds whose end has the whole price.
    partial_settles: u64,
    /// By model.
    models: GroupsAnswer<'a>,
    /// By agent.
    agents: GroupsAnswer<'a>,
    /// By activity.
    activities: GroupsAnswer<'a>,
    /// By account.
    accounts: AccountsAnswer<'a>,
    /// How many charges change by how much, from the largest decrease to the largest increase.
    histogram: Vec<StepAnswer>,
    /// The charges that change most, most first.
    largest_changes: Vec<ChangeAnswer<'a>>,
    /// Who would have run out of credits.
    run_outs: RunOutsAnswer<'a>,
}

impl<'a> PricingAnswer<'a> {
    fn new(report: &'a PricingReport) -> Self {
        let step = |(step, charges): (usize, &u64)| {
            let (from_percent, to_percent) = bounds(step);
            StepAnswer { from_percent, to_percent, charges: *charges }
        };
        Self {
            compared: SumsAnswer::new(&report.compared),
            same: report.same,
            different: report.different,
            refused: UnpricedAnswer { charges: report.refused, old_credits: credits(report.refused_micros) },
            failed: UnpricedAnswer { charges: report.failed, old_credits: credits(report.failed_micros) },
            reasons: report
                .reasons
                .iter()
                .map(|(reason, unpriced)| ReasonAnswer {
                    reason,
                    charges: unpriced.charges,
                    old_credits: credits(unpriced.old_micros),
                    example: Shown(unpriced.example),
                })
                .collect(),
            erased: SumsAnswer::new(&report.erased),
            other_plugins: report.other_plugins,
            partial_settles: report.partial_settles,
            models: GroupsAnswer::new(&report.models),
            agents: GroupsAnswer::new(&report.agents),
            activities: GroupsAnswer::new(&report.activities),
            accounts: AccountsAnswer::new(&report.accounts),
            histogram: report.histogram.iter().enumerate().map(step).collect(),
            largest_changes: report.changes.iter().map(ChangeAnswer::new).collect(),
            run_outs: RunOutsAnswer {
                found: report.run_outs_found,
                ran_out: report.ran_out,
                first: report.run_outs.iter().map(RunOutAnswer::new).collect(),
            },
        }
    }
}

/// What a plugin that throttles would have denied.
#[derive(JsonSchema, Serialize)]
#[schemars(rename = "ThrottlingBacktest")]
pub(crate) struct ThrottlingAnswer<'a> {
    /// The policies that use the plugin configuration.
    policies: Vec<&'a str>,
    /// Whether no plan has any of them, so that the requests of all plans were put to it.
    everywhere: bool,
    /// Charges, and holds opened or extended, that were put to it.
    requests: u64,
    /// How many it would have denied.
    denied: u64,
    /// How many it would have let through with a suggestion.
    advised: u64,
    /// How many it failed on, which would have been refused.
    failed: u64,
    /// What the charges cost that it would have denied.
    denied_credits: Shown<Amount>,
    /// By rule.
    rules: Vec<RuleAnswer<'a>>,
    /// How many accounts would have been denied something.
    accounts_denied: u64,
    /// Those that would have been denied most, most first.
    accounts: Vec<DeniedAccountAnswer<'a>>,
    /// The first requests that would have been denied, in order of time.
    first: Vec<DeniedAnswer<'a>>,
}

/// What would have been denied, and when.
#[derive(JsonSchema, Serialize)]
#[schemars(rename = "BacktestDenials")]
struct DenialsAnswer {
    /// How many requests.
    requests: u64,
    /// When the first was made.
    first_at: Shown<Timestamp>,
    /// When the last was made.
    last_at: Shown<Timestamp>,
}

impl DenialsAnswer {
    fn new(denials: &Denials) -> Self {
        Self { requests: denials.requests, first_at: Shown(denials.first), last_at: Shown(denials.last) }
    }
}

/// What one rule would have denied.
#[derive(JsonSchema, Serialize)]
#[schemars(rename = "BacktestRule")]
struct RuleAnswer<'a> {
    /// The rule.
    rule: &'a str,
    #[serde(flatten)]
    denials: DenialsAnswer,
}

/// What one account would have been denied.
#[derive(JsonSchema, Serialize)]
#[schemars(rename = "BacktestDeniedAccount")]
struct DeniedAccountAnswer<'a> {
    /// The account.
    account: &'a str,
    #[serde(flatten)]
    denials: DenialsAnswer,
}

/// A request that would have been denied.
#[derive(JsonSchema, Serialize)]
#[schemars(rename = "BacktestDenied")]
struct DeniedAnswer<'a> {
    /// When it was made.
    at: Shown<Timestamp>,
    /// The charge, or the hold.
    id: Shown<Id>,
    /// The account.
    account: &'a str,
    /// The activity.
    activity: &'a str,
    /// The agent.
    agent: Option<&'a str>,
    /// The model.
    model: Option<&'a str>,
    /// Which rule says no.
    rule: &'a str,
    /// Why.
    reason: &'a str,
}

impl<'a> DeniedAnswer<'a> {
    fn new(denied: &'a DeniedRequest) -> Self {
        Self {
            at: Shown(denied.at),
            id: Shown(denied.id),
            account: &denied.account,
            activity: &denied.activity,
            agent: denied.agent.as_deref(),
            model: denied.model.as_deref(),
            rule: &denied.rule,
            reason: &denied.reason,
        }
    }
}

impl<'a> ThrottlingAnswer<'a> {
    fn new(report: &'a ThrottlingReport) -> Self {
        let rules = report.rules.iter();
        let accounts = report.accounts.iter();
        Self {
            policies: report.policies.iter().map(|policy| &**policy).collect(),
            everywhere: report.is_everywhere,
            requests: report.requests,
            denied: report.denied,
            advised: report.advised,
            failed: report.failed,
            denied_credits: credits(report.denied_micros),
            rules: rules.map(|(rule, denials)| RuleAnswer { rule, denials: DenialsAnswer::new(denials) }).collect(),
            accounts_denied: report.accounts_denied,
            accounts: accounts
                .map(|(account, denials)| DeniedAccountAnswer { account, denials: DenialsAnswer::new(denials) })
                .collect(),
            first: report.first.iter().map(DeniedAnswer::new).collect(),
        }
    }
}
