//! What the service asks of a plugin that throttles.

use crate::ports::{Plugin, PluginFailure};
use ledger_core::{Amount, UsageEvent};
use std::sync::Arc;

/// A plugin that throttles.
pub trait ThrottlingPlugin: Plugin {
    /// The counters that it wants to see.
    fn windows(&self) -> &[Window];

    /// Decides a request in a fresh instance, by the readings of its windows in their order. Blocks the thread for as
    /// long as the plugin computes, which its limits bound.
    fn decide(&self, asked: &Asked<'_>, readings: &[Reading]) -> Result<Decision, (PluginFailure, String)>;
}

/// A counter that a policy wants to see. All are of one account.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Window {
    /// Its name, which no other window of the plugin has.
    pub name: Arc<str>,
    /// Whose counter it is, within the account.
    pub scope: Scope,
    /// What it counts.
    pub measure: Measure,
    /// The last so many seconds count; above 0.
    pub seconds: u32,
    /// What the policy says that it lets through.
    pub limit: Option<u64>,
}

/// Whose counter a window is, within an account.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Scope {
    /// The whole account's.
    Account,
    /// One agent's.
    Agent,
    /// One model's.
    Model,
    /// One activity's.
    Activity,
}

/// What a window counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Measure {
    /// Charges made and holds opened.
    Requests,
    /// Micro-credits that charges and settles debited.
    MicroCreditsSpent,
    /// Holds that are open.
    OpenHolds,
}

/// How a window stands before the request.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Reading {
    /// What is counted.
    pub value: u64,
    /// Until the first of it leaves the window; 0 where nothing is counted.
    pub resets_in_ms: u32,
}

/// What somebody wants to do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Action {
    /// Charge an event.
    Charge,
    /// Open a hold.
    OpenHold,
    /// Extend one.
    ExtendHold,
}

/// A request to be decided.
#[derive(Clone, Copy, Debug)]
pub struct Asked<'a> {
    /// What somebody wants to do.
    pub action: Action,
    /// The event.
    pub event: &'a UsageEvent,
    /// What is to be set aside, where the caller says it in credits.
    pub estimate: Option<Amount>,
    /// Share of the cycle's credits still unspent, in thousandths.
    pub remaining_permille: u32,
    /// For extending a hold: how long ago it was opened.
    pub hold_age_ms: Option<u64>,
}

/// What a policy decides.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Decision {
    /// It may go on.
    Allow,
    /// It may go on, and the caller is told something.
    AllowWithAdvice(Advice),
    /// It may not.
    Deny(Denial),
}

/// What a caller is told along with a yes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Advice {
    /// Which rule says so.
    pub policy: Arc<str>,
    /// What it suggests.
    pub suggestion: Arc<str>,
}

/// A no.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Denial {
    /// Which rule says no.
    pub policy: Arc<str>,
    /// Why.
    pub reason: Arc<str>,
    /// When it may be worth trying again; 0 where waiting does not help.
    pub retry_after_ms: u32,
}
