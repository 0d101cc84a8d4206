//! The accounts of one scenario, with the journal of each: what a service and its store know around the core.

use super::describe::{refused, written};
use crate::kit::{assert_conserved, remade};
use ledger_core::{
    Account, AccountNumber, Body, ChargeMade, Command, EndedHold, GrantTerms, Opening, Plan, PlanBook, Sealed,
    Timestamp, execute, grant_terms, open, recount,
};
use std::collections::BTreeMap;

#[derive(Default)]
pub(super) struct World {
    pub(super) now: Timestamp,
    pub(super) plans: PlanBook,
    pub(super) accounts: BTreeMap<String, Kept>,
    /// What plans allow at the most, debt and grace together, by what was ever defined in the scenario.
    allowed: i64,
    /// What was written on the way to a command.
    pub(super) noted: String,
}

/// An account with what a store keeps of it.
pub(super) struct Kept {
    pub(super) account: Account,
    pub(super) journal: Vec<Sealed>,
    /// Holds by the names that the scenario gave them.
    pub(super) holds: BTreeMap<String, u64>,
    /// Whether something was done that may leave more debt than is allowed.
    may_exceed: bool,
}

impl World {
    pub(super) fn define(&mut self, plan: Plan) {
        self.allowed = self.allowed.max(plan.overage_limit.micros() + plan.grace.micros());
        self.plans.define(self.now, plan);
    }

    pub(super) fn open(&mut self, name: &str, opening: &Opening) -> String {
        let plan = self.plans.in_force(&opening.plan, self.now).unwrap().clone();
        let number = AccountNumber(self.accounts.len() as u64 + 1);
        let (account, entries) = open(number, opening, &plan, None, self.now).unwrap();
        let text = written(&entries).join("; ");
        let kept = Kept { account, journal: entries, holds: BTreeMap::new(), may_exceed: false };
        self.accounts.insert(name.to_owned(), kept);
        self.check(name);
        text
    }

    pub(super) fn kept(&self, name: &str) -> &Kept {
        self.accounts.get(name).unwrap_or_else(|| panic!("no account {name}"))
    }

    /// Executes a command, and holds whatever must hold after each.
    pub(super) fn execute(&mut self, name: &str, command: &Command) -> String {
        let (plans, now) = (&self.plans, self.now);
        let kept = self.accounts.get_mut(name).unwrap_or_else(|| panic!("no account {name}"));
        let before = kept.account.clone();
        let outcome = execute(&mut kept.account, plans, command, None, now).unwrap();
        kept.journal.extend(outcome.entries.iter().cloned());
        kept.may_exceed |= matches!(command, Command::TakeBack(_) | Command::Deduct(_) | Command::ChangePlan(_));
        let mut parts = written(&outcome.entries);
        match &outcome.result {
            Err(refusal) => {
                // A refusal changes nothing that would not have come by itself.
                let mut alone = before;
                let due = execute(&mut alone, plans, &Command::Advance, None, now).unwrap();
                assert_eq!((&alone, &due.entries), (&kept.account, &outcome.entries), "a refusal changed something");
                parts.push(refused(refusal));
            }
            Ok(Some(own)) => assert!(*own < outcome.entries.len()),
            Ok(None) => {}
        }
        self.check(name);
        parts.join("; ")
    }

    fn check(&self, name: &str) {
        let kept = self.kept(name);
        recount(&kept.account).unwrap();
        assert_conserved(&kept.account);
        assert_eq!(remade(&kept.journal), kept.account, "the journal alone makes the account");
        let totals = &kept.account.totals;
        let owed = totals.debt.micros() + totals.overage_held.micros();
        assert!(kept.may_exceed || owed <= self.allowed, "{owed} micro-credits of debt, {} allowed", self.allowed);
    }
}

impl Kept {
    pub(super) fn hold(&self, name: &str) -> u64 {
        *self.holds.get(name).unwrap_or_else(|| panic!("no hold {name}"))
    }

    /// What the last entry about a hold says of it, where it has ended.
    pub(super) fn ended(&self, hold: u64) -> Option<Box<EndedHold>> {
        let about = |sealed: &&Sealed| sealed.entry.body.hold(sealed.entry.sequence) == Some(hold);
        self.journal.iter().rev().find(about).and_then(|sealed| EndedHold::of(&sealed.entry)).map(Box::new)
    }

    /// What the settles of a hold took, the last first.
    pub(super) fn settles_of(&self, hold: u64) -> Vec<ChargeMade> {
        let entries = self.journal.iter().rev().map(|sealed| &sealed.entry);
        entries.filter(|entry| entry.body.hold(entry.sequence) == Some(hold)).filter_map(ChargeMade::of).collect()
    }

    /// What entries say of all grants ever made.
    pub(super) fn grant_terms(&self) -> Vec<GrantTerms> {
        self.journal.iter().filter_map(|sealed| grant_terms(&sealed.entry)).collect()
    }

    pub(super) fn entry(&self, sequence: u64) -> &ledger_core::Entry {
        &self.journal[usize::try_from(sequence).unwrap() - 1].entry
    }

    /// What a transfer sent.
    pub(super) fn sent(&self, sequence: u64) -> &ledger_core::entry::TransferOut {
        match &self.entry(sequence).body {
            Body::TransferOut(out) => out,
            other => panic!("entry {sequence} is no transfer: {other:?}"),
        }
    }
}
