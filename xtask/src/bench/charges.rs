//! The charges that are sent: made up, different from one another, and the same in every run.

use super::random::{Random, mix};
use ledger_core::Timestamp;
use std::io::Write;
use std::sync::atomic::{AtomicU64, Ordering};

const AGENTS: [&str; 5] = ["support-bot", "sales-bot", "onboarding", "research", "triage"];
const MODELS: [&str; 4] = ["gpt-4o-mini", "gpt-4o", "claude-sonnet-4-5", "gemini-2.5-flash"];
const INPUT_TOKENS_MAX: u64 = 8_000;
const OUTPUT_TOKENS_MAX: u64 = 2_000;
/// Each series of charges has this many ids to itself.
const IDS_A_SERIES: u64 = 1 << 40;

/// The account that gets more than its part of a large ledger.
pub(super) const BUSY_ACCOUNT: u64 = 1;
/// One charge in so many is the busy account's.
const BUSY_ONE_IN: u64 = 10;

/// Which accounts are charged.
#[derive(Clone, Copy, Debug)]
pub(super) enum Accounts {
    /// These many, each as often as another.
    Uniform(u64),
    /// This one alone.
    One(u64),
    /// These many, with a tenth of all charges on one of them.
    WithBusyOne(u64),
}

impl Accounts {
    fn pick(self, random: &mut Random) -> u64 {
        match self {
            Self::One(account) => account,
            Self::Uniform(accounts) => 1 + random.below(accounts),
            Self::WithBusyOne(accounts) => {
                if random.below(BUSY_ONE_IN) == 0 {
                    BUSY_ACCOUNT
                } else {
                    2 + random.below(accounts - 1)
                }
            }
        }
    }
}

/// The name of an account by its number, counted from 1.
pub(super) fn account_name(number: u64) -> String {
    format!("bench-{number}")
}

/// A series of charges. No two series of a run have an id in common.
#[derive(Debug)]
pub(super) struct Charges {
    accounts: Accounts,
    random: Random,
    next_id: u64,
}

impl Charges {
    pub(super) fn new(accounts: Accounts) -> Self {
        static SERIES: AtomicU64 = AtomicU64::new(1);
        let series = SERIES.fetch_add(1, Ordering::Relaxed);
        Self { accounts, random: Random::new(series), next_id: series * IDS_A_SERIES }
    }

    /// Appends the next charge as JSON, of an event now or at a time.
    pub(super) fn append(&mut self, out: &mut Vec<u8>, occurred_at: Option<Timestamp>) {
        // Ids of real events do not come in order, so a ledger gets no help from an order.
        let id = mix(self.next_id);
        self.next_id += 1;
        let account = self.accounts.pick(&mut self.random);
        let (agent, model) = (self.random.one_of(&AGENTS), self.random.one_of(&MODELS));
        let input_tokens = 1 + self.random.below(INPUT_TOKENS_MAX);
        let output_tokens = 1 + self.random.below(OUTPUT_TOKENS_MAX);
        // Writing to memory does not fail, here and below.
        let _ = write!(
            out,
            "{{\"id\":\"evt-{id:016x}\",\"account\":\"bench-{account}\",\"activity\":\"chat\",\"agent\":\"{agent}\",\
             \"model\":\"{model}\",\"usage\":{{\"input_tokens\":{input_tokens},\"output_tokens\":{output_tokens},\
             \"messages\":1}}"
        );
        if let Some(at) = occurred_at {
            let _ = write!(out, ",\"occurred_at\":\"{at}\"");
        }
        out.push(b'}');
    }

    /// A number that varies from charge to charge.
    pub(super) fn vary(&mut self, bound: u64) -> u64 {
        self.random.below(bound)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::Value;
    use std::collections::{BTreeMap, BTreeSet};

    fn take(charges: &mut Charges, count: usize) -> Vec<Value> {
        let charge = |_| {
            let mut out = Vec::new();
            charges.append(&mut out, None);
            serde_json::from_slice(&out).unwrap()
        };
        (0..count).map(charge).collect()
    }

    #[test]
    fn a_charge_is_as_the_contract_says() {
        let mut out = Vec::new();
        let mut charges = Charges::new(Accounts::One(7));
        charges.append(&mut out, Some(Timestamp::from_millis(1_764_000_000_123)));
        let charge: Value = serde_json::from_slice(&out).unwrap();
        assert_eq!(charge["account"], "bench-7");
        assert_eq!(charge["occurred_at"], "2025-11-24T16:00:00.123Z");
        assert_eq!(charge["usage"]["messages"], 1);
        assert!(charge["usage"]["input_tokens"].as_u64().unwrap() > 0);
    }

    #[test]
    fn ids_are_unique_over_all_series() {
        let (mut one, mut two) = (Charges::new(Accounts::One(1)), Charges::new(Accounts::One(1)));
        let charges = [take(&mut one, 500), take(&mut two, 500)].concat();
        let ids: BTreeSet<String> = charges.iter().map(|charge| charge["id"].to_string()).collect();
        assert_eq!(ids.len(), 1_000);
    }

    #[test]
    fn a_busy_account_has_a_tenth() {
        let mut counts = BTreeMap::<String, u64>::new();
        for charge in take(&mut Charges::new(Accounts::WithBusyOne(5)), 10_000) {
            *counts.entry(charge["account"].as_str().unwrap().to_owned()).or_default() += 1;
        }
        assert_eq!(counts.len(), 5);
        assert!((900..1_100).contains(&counts["bench-1"]), "{counts:?}");
        assert!((2_000..2_500).contains(&counts["bench-5"]), "{counts:?}");
    }
}
