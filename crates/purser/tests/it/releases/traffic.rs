//! The traffic of the test: the rows of a replayed trace over and over, each time under other ids, over 64 connections
//! that go on until they are told to stop, or until the server is gone.

use super::outside::LIST;
use crate::server::{body, purser};
use serde_json::{Value, json};
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::Duration;
use tokio::sync::watch;
use tokio::time::{MissedTickBehavior, interval};
use trace_replay::client::{Call, Client};

pub(crate) const CALLERS: usize = 64;
pub(crate) const ACCOUNTS: usize = 20;
const ROWS: usize = 2000;
/// One row in so many is a call instead of a message.
const CALL_ONE_IN: usize = 8;
/// How often each connection sends. All do so at once, so that there are always requests in the middle of a release.
const EVERY: Duration = Duration::from_millis(60);

/// A row of the trace.
#[derive(Clone, Debug)]
pub(crate) struct Row {
    id: String,
    pub(crate) account: String,
    agent: String,
    pub(crate) used: Used,
}

/// What was used.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Used {
    Message { model: &'static str, input_tokens: u64, output_tokens: u64 },
    Call { seconds: u64 },
}

/// A charge that was answered, and between which steps.
#[derive(Clone, Debug)]
pub(crate) struct Answered {
    /// Which event.
    pub(crate) event: usize,
    /// Steps that had been acknowledged before it was sent, and that had been sent before it was answered.
    pub(crate) steps: (usize, usize),
    /// The answer.
    pub(crate) answer: Value,
}

/// An event whose fate is unknown, and how many steps had been acknowledged before it was sent first.
type Unanswered = (usize, usize);

/// What all callers share.
pub(crate) struct Traffic {
    pub(crate) rows: Vec<Row>,
    next: AtomicUsize,
    is_over: AtomicBool,
    /// Steps that were sent, and steps that were acknowledged.
    pub(crate) begun: AtomicUsize,
    pub(crate) done: AtomicUsize,
    answered: watch::Sender<usize>,
}

impl Traffic {
    pub(crate) fn new(rows: Vec<Row>) -> Arc<Self> {
        Arc::new(Self {
            rows,
            next: AtomicUsize::new(0),
            is_over: AtomicBool::new(false),
            begun: AtomicUsize::new(0),
            done: AtomicUsize::new(0),
            answered: watch::Sender::new(0),
        })
    }

    pub(crate) fn row(&self, event: usize) -> &Row {
        &self.rows[event % self.rows.len()]
    }

    fn charge(&self, event: usize) -> Call {
        let Row { id, account, agent, used } = self.row(event);
        let id = format!("{id}-{}", event / self.rows.len());
        let charge = match used {
            Used::Message { model, input_tokens, output_tokens } => json!({
                "id": id, "account": account, "activity": "chat", "agent": agent, "model": model,
                "usage": { "input_tokens": input_tokens, "output_tokens": output_tokens, "messages": 1 },
            }),
            Used::Call { seconds } => json!({
                "id": id, "account": account, "activity": "voice_web", "agent": agent, "usage": { "seconds": seconds },
            }),
        };
        Call::post("/v1/charges", &charge).unwrap()
    }

    /// Returns once so many more charges were answered.
    pub(crate) async fn more(&self, charges: usize) {
        let target = *self.answered.borrow() + charges;
        self.answered.subscribe().wait_for(|answered| *answered >= target).await.unwrap();
    }

    /// Tells the callers to stop after one whole round of the trace at least.
    pub(crate) async fn finish(&self) {
        self.answered.subscribe().wait_for(|answered| *answered >= self.rows.len()).await.unwrap();
        self.is_over.store(true, Ordering::SeqCst);
    }

    /// Has every caller send until the traffic is over or the server gone.
    pub(crate) fn start(self: &Arc<Self>, client: &Client, mut unanswered: Vec<Unanswered>) -> Callers {
        let caller = |_| tokio::spawn(self.clone().call(client.with_own_connections(), unanswered.pop()));
        Callers((0..CALLERS).map(caller).collect())
    }

    async fn call(
        self: Arc<Self>,
        client: Client,
        mut again: Option<Unanswered>,
    ) -> (Vec<Answered>, Option<Unanswered>) {
        let mut answered = Vec::new();
        let mut ticks = interval(EVERY);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Skip);
        loop {
            let acknowledged = self.done.load(Ordering::SeqCst);
            let retried = again.take();
            if retried.is_none() && self.is_over.load(Ordering::SeqCst) {
                return (answered, None);
            }
            let (event, first) = retried.unwrap_or_else(|| (self.next.fetch_add(1, Ordering::SeqCst), acknowledged));
            let Ok(answer) = client.send(&self.charge(event)).await else {
                // The server is gone: what came of this one nobody knows.
                return (answered, Some((event, first)));
            };
            assert_eq!(answer.status, 201, "no request fails: {}", answer.problem());
            assert!(retried.is_some() || !answer.replay, "no event is sent twice");
            // A replay was priced at some time since it was sent first.
            let since = if answer.replay { first } else { acknowledged };
            let steps = (since, self.begun.load(Ordering::SeqCst));
            answered.push(Answered { event, steps, answer: body(&answer) });
            self.answered.send_modify(|answered| *answered += 1);
            ticks.tick().await;
        }
    }
}

/// Callers that send.
pub(crate) struct Callers(Vec<tokio::task::JoinHandle<(Vec<Answered>, Option<Unanswered>)>>);

impl Callers {
    /// What was answered, and what was not, once all have ended.
    pub(crate) async fn ended(self) -> (Vec<Answered>, Vec<Unanswered>) {
        let (mut answered, mut unanswered) = (Vec::new(), Vec::new());
        for caller in self.0 {
            let (more, last) = caller.await.unwrap();
            answered.extend(more);
            unanswered.extend(last);
        }
        (answered, unanswered)
    }
}

/// The rows of a trace, with the accounts, agents and models that `purser replay` gives them; some are calls.
pub(crate) fn rows(folder: &Path) -> Vec<Row> {
    let trace = folder.join("trace.csv");
    let line = |row: usize| {
        let (input, output) = (row * 7919 % 4093, 1 + row * 104_729 % 977);
        format!("2023-11-16 18:{:02}:{:02}.6805900,{input},{output}\n", row / 60 % 60, row % 60)
    };
    let lines: String = (0..ROWS).map(line).collect();
    std::fs::write(&trace, format!("TIMESTAMP,ContextTokens,GeneratedTokens\n{lines}")).unwrap();
    let models = LIST.map(|(model, ..)| model).join(",");
    let mut command = purser();
    command.arg("replay").arg(&trace).args(["--dry-run", "--models", &models, "--seed", "7", "--accounts"]);
    let output = command.arg(ACCOUNTS.to_string()).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let said = String::from_utf8(output.stdout).unwrap();
    let mut lines = said.lines().map(|line| line.split(',').collect::<Vec<_>>());
    let header = lines.next().unwrap();
    let at = |name: &str| header.iter().position(|known| *known == name).unwrap();
    let [id, account, agent, model] = ["id", "account", "agent", "model"].map(at);
    let [input, output] = ["input_tokens", "output_tokens"].map(at);
    let row = |(number, fields): (usize, Vec<&str>)| {
        let (input_tokens, output_tokens): (u64, u64) =
            (fields[input].parse().unwrap(), fields[output].parse().unwrap());
        let used = if number % CALL_ONE_IN == 0 {
            Used::Call { seconds: 1 + input_tokens % 600 }
        } else {
            let (model, ..) = LIST.into_iter().find(|(name, ..)| *name == fields[model]).unwrap();
            Used::Message { model, input_tokens, output_tokens }
        };
        let [id, account, agent] = [id, account, agent].map(|at| fields[at].to_owned());
        Row { id, account, agent, used }
    };
    let rows: Vec<Row> = lines.enumerate().map(row).collect();
    assert_eq!(rows.len(), ROWS);
    rows
}
