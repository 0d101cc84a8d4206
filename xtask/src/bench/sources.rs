//! What the connections send to Purser: accounts to begin with, charges one by one, charges in batches.

use super::charges::{Accounts, Charges, account_name};
use super::http::{Answer, head, set_length};
use super::load::{Source, Tally};
use super::server::KEY;
use ledger_core::Timestamp;
use serde::Deserialize;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

/// Charges in one batch.
pub(super) const BATCH_CHARGES: u64 = 1_000;
/// How an item of a batch begins that was charged, as Purser writes it. What begins otherwise is read with care.
const CHARGED_ITEM: &[u8] = b"{\"status\":201,\"replay\":false,";
/// How far charges of a large ledger are out of the order of time.
const JITTER_MS: u64 = 10 * 60 * 1_000;

/// One charge a request.
#[derive(Debug)]
pub(super) struct Singles {
    head: String,
    charges: Charges,
}

impl Singles {
    pub(super) fn connections(server: SocketAddr, connections: usize, accounts: Accounts) -> Vec<Self> {
        let head = head("POST", "/v1/charges", server, KEY, "application/json");
        (0..connections).map(|_| Self { head: head.clone(), charges: Charges::new(accounts) }).collect()
    }
}

impl Source for Singles {
    fn write_next(&mut self, request: &mut Vec<u8>) -> bool {
        request.extend_from_slice(self.head.as_bytes());
        self.charges.append(request, None);
        set_length(request, self.head.len());
        true
    }

    fn judge(&self, answer: Answer<'_>, tally: &mut Tally) {
        // A replay is quick and charges nothing.
        if answer.status == 201 && !answer.replay {
            tally.accept(1);
        } else {
            tally.refuse(answer.status, answer.body);
        }
    }
}

/// When the charges of a large ledger happened: from `begin` on, `count` of them over `span_ms`.
#[derive(Clone, Copy, Debug)]
pub(super) struct History {
    pub(super) begin: Timestamp,
    pub(super) span_ms: u64,
    pub(super) count: u64,
}

impl History {
    /// When a charge happened: mostly later than those before it, and never before the beginning or after the end.
    fn at(&self, index: u64, jitter_ms: u64) -> Timestamp {
        let share = index as f64 / self.count as f64;
        let offset_ms = (share * self.span_ms as f64).round();
        #[allow(
            clippy::cast_possible_truncation,
            reason = "a share of a number of milliseconds fits as the whole does"
        )]
        let offset_ms = offset_ms as i64;
        let jitter_ms = i64::try_from(jitter_ms).unwrap_or(0);
        self.begin.plus_millis((offset_ms - jitter_ms).max(0))
    }
}

/// How many charges all connections together still send.
#[derive(Clone, Debug)]
pub(super) struct Budget {
    sent: Arc<AtomicU64>,
    until: u64,
}

impl Budget {
    /// Starts at a number of charges that were sent before, and ends at another.
    pub(super) fn new(from: u64, until: u64) -> Self {
        Self { sent: Arc::new(AtomicU64::new(from)), until }
    }

    /// Takes the next few; the number of the first, and how many there are.
    fn take(&self, most: u64) -> Option<(u64, u64)> {
        let first = self.sent.fetch_add(most, Ordering::Relaxed);
        (first < self.until).then(|| (first, most.min(self.until - first)))
    }
}

/// Many charges a request, as lines.
#[derive(Debug)]
pub(super) struct Batches {
    head: String,
    charges: Charges,
    budget: Budget,
    history: Option<History>,
}

impl Batches {
    pub(super) fn connections(
        server: SocketAddr,
        connections: usize,
        accounts: Accounts,
        budget: &Budget,
        history: Option<History>,
    ) -> Vec<Self> {
        let head = head("POST", "/v1/charges/batch", server, KEY, "application/x-ndjson");
        let connection =
            |_| Self { head: head.clone(), charges: Charges::new(accounts), budget: budget.clone(), history };
        (0..connections).map(connection).collect()
    }
}

impl Source for Batches {
    fn write_next(&mut self, request: &mut Vec<u8>) -> bool {
        let Some((first, count)) = self.budget.take(BATCH_CHARGES) else { return false };
        request.extend_from_slice(self.head.as_bytes());
        for index in first..first + count {
            let jitter_ms = self.charges.vary(JITTER_MS);
            self.charges.append(request, self.history.map(|history| history.at(index, jitter_ms)));
            request.push(b'\n');
        }
        set_length(request, self.head.len());
        true
    }

    fn judge(&self, answer: Answer<'_>, tally: &mut Tally) {
        if answer.status != 200 {
            tally.refuse(answer.status, answer.body);
            return;
        }
        for line in answer.body.split(|byte| *byte == b'\n').filter(|line| !line.is_empty()) {
            if line.starts_with(CHARGED_ITEM) || is_charged(line) {
                tally.accept(1);
            } else {
                tally.refuse(answer.status, line);
            }
        }
    }
}

/// Whether an item of a batch was charged, in whatever order its members come.
fn is_charged(line: &[u8]) -> bool {
    #[derive(Deserialize)]
    struct Item {
        status: u16,
        replay: bool,
    }
    serde_json::from_slice::<Item>(line).is_ok_and(|item| item.status == 201 && !item.replay)
}

/// Opens accounts and gives each more credits than all charges can take.
#[derive(Debug)]
pub(super) struct Opening {
    server: SocketAddr,
    next: u64,
    step: u64,
    last: u64,
    granting: bool,
}

impl Opening {
    /// Shares the accounts from 1 to `last` among connections.
    pub(super) fn connections(server: SocketAddr, connections: u64, last: u64) -> Vec<Self> {
        (1..=connections).map(|next| Self { server, next, step: connections, last, granting: false }).collect()
    }
}

impl Source for Opening {
    fn write_next(&mut self, request: &mut Vec<u8>) -> bool {
        if self.next > self.last {
            return false;
        }
        let path = format!("/v1/accounts/{}", account_name(self.next));
        let (mut head, body) = if self.granting {
            let grant = r#"{"credits":"1000000000","source":"promotion","reason":"to be charged by a measurement"}"#;
            (head("POST", &format!("{path}/grants"), self.server, KEY, "application/json"), grant)
        } else {
            (head("PUT", &path, self.server, KEY, "application/json"), r#"{"plan":"pro"}"#)
        };
        if self.granting {
            let line_end = head.find("\r\n").unwrap_or_default() + 2;
            head.insert_str(line_end, &format!("idempotency-key: bench-grant-{}\r\n", self.next));
            self.next += self.step;
        }
        self.granting = !self.granting;
        request.extend_from_slice(head.as_bytes());
        request.extend_from_slice(body.as_bytes());
        set_length(request, head.len());
        true
    }

    fn judge(&self, answer: Answer<'_>, tally: &mut Tally) {
        if answer.status == 201 {
            tally.accept(1);
        } else {
            tally.refuse(answer.status, answer.body);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn server() -> SocketAddr {
        "127.0.0.1:7070".parse().unwrap()
    }

    fn written(source: &mut impl Source) -> Option<String> {
        let mut request = Vec::new();
        source.write_next(&mut request).then(|| String::from_utf8(request).unwrap())
    }

    #[test]
    fn every_request_has_a_charge_of_its_own() {
        let mut source = Singles::connections(server(), 1, Accounts::One(3)).remove(0);
        let (one, two) = (written(&mut source).unwrap(), written(&mut source).unwrap());
        for request in [&one, &two] {
            let (head, body) = request.split_once("\r\n\r\n").unwrap();
            assert!(head.ends_with(&format!("content-length: {:08}", body.len())), "{head}");
            assert!(body.contains("\"account\":\"bench-3\""), "{body}");
        }
        assert_ne!(one, two);
    }

    #[test]
    fn batches_end_with_their_budget() {
        let history = History { begin: Timestamp::from_millis(0), span_ms: 1_000, count: 2_500 };
        let budget = Budget::new(0, 2_500);
        let mut sources = Batches::connections(server(), 2, Accounts::Uniform(9), &budget, Some(history));
        let mut lines = 0;
        for index in [0, 1, 0] {
            let request = written(&mut sources[index]).unwrap();
            lines += request.split_once("\r\n\r\n").unwrap().1.lines().count();
        }
        assert_eq!(lines, 2_500);
        assert!(sources.iter_mut().all(|source| written(source).is_none()));
    }

    #[test]
    fn a_history_stays_in_its_time() {
        let history = History { begin: Timestamp::from_millis(5_000), span_ms: 1_000, count: 10 };
        for (index, jitter_ms, expected_ms) in [(0, 0, 5_000), (5, 0, 5_500), (5, 200, 5_300), (1, 999, 5_000)] {
            assert_eq!(history.at(index, jitter_ms).millis(), expected_ms);
        }
    }

    #[test]
    fn items_of_a_batch_are_judged_one_by_one() {
        let body = b"{\"status\":201,\"replay\":false,\"charge\":\"ch_1_2\"}\n{\"replay\":false,\"status\":201}\n\
            {\"status\":201,\"replay\":true}\n{\"code\":\"unpriced\",\"status\":422,\"replay\":false}\n";
        let source = Batches::connections(server(), 1, Accounts::One(1), &Budget::new(0, 1), None).remove(0);
        let mut tally = Tally::new().unwrap();
        source.judge(Answer { status: 200, replay: false, body }, &mut tally);
        assert_eq!(tally.events, 2);
        let refusal = tally.ensure_all_accepted().unwrap_err().to_string();
        assert!(refusal.starts_with("2 events were refused"), "{refusal}");
    }

    #[test]
    fn accounts_are_opened_and_then_granted() {
        let mut sources = Opening::connections(server(), 2, 3);
        let mut lines = Vec::new();
        while let Some(request) = written(&mut sources[0]) {
            lines.push(request.lines().next().unwrap_or_default().to_owned());
        }
        let expected = ["PUT /v1/accounts/bench-1", "POST /v1/accounts/bench-1/grants", "PUT /v1/accounts/bench-3"];
        for (line, expected) in lines.iter().zip(expected) {
            assert_eq!(line, &format!("{expected} HTTP/1.1"));
        }
        assert_eq!(lines.len(), 4);
    }
}
