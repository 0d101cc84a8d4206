//! The demo account on the server: made when it is missing, granted a welcome, and charged its history.

use super::history::{ACCOUNT, Event};
use anyhow::{Context, Result, bail};
use serde::Deserialize;
use serde_json::json;
use std::collections::BTreeMap;
use std::fmt;
use std::time::Duration;
use trace_replay::client::{Answer, Call, Client};
use trace_replay::retry::{self, Patience};

/// Charges in one request.
const BATCH_ITEMS: usize = 1_000;
/// How long the link to the credits page counts.
const LINK_SECONDS: u32 = 86_400;
const PATIENCE: Patience = Patience { retry_for: Duration::from_secs(10) };

/// What the account came to.
#[derive(Debug)]
pub(super) struct Filled {
    plan: String,
    balance: Balance,
    added: u64,
    known: u64,
    refused: BTreeMap<String, u64>,
}

#[derive(Debug, Deserialize)]
struct Account {
    plan: String,
}

#[derive(Debug, Deserialize)]
struct Balance {
    consumed: String,
    remaining: String,
}

impl fmt::Display for Filled {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Balance { consumed, remaining } = &self.balance;
        write!(f, "plan {}, {consumed} credits consumed this cycle, {remaining} remaining\n  history    ", self.plan)?;
        write!(f, "{} events of the last 30 days added, {} were there", self.added, self.known)?;
        for (code, count) in &self.refused {
            write!(f, ", {count} refused ({code})")?;
        }
        Ok(())
    }
}

/// The address of the account's credits page, which lets its customer look and buy.
pub(super) async fn page(client: &Client) -> Result<String> {
    #[derive(Deserialize)]
    struct Link {
        url: String,
    }
    let wanted = json!({ "account": ACCOUNT, "scopes": ["read", "purchase"], "ttl_seconds": LINK_SECONDS });
    let answer = send(client, &Call::post("/v1/portal-tokens", &wanted)?).await?;
    Ok(done(answer)?.json::<Link>()?.url)
}

/// Brings the account up to date.
pub(super) async fn fill(client: &Client, events: &[Event]) -> Result<Filled> {
    let account = ensure_account(client).await?;
    let (mut added, mut known, mut refused) = (0, 0, BTreeMap::new());
    for events in events.chunks(BATCH_ITEMS) {
        let answer = send(client, &Call::batch(events.iter().map(Event::charge))?).await?;
        for outcome in done(answer)?.batch()? {
            match (outcome.status, outcome.replay) {
                (200..=299, false) => added += 1,
                (200..=299, true) => known += 1,
                (status, _) => {
                    *refused.entry(outcome.code.unwrap_or_else(|| status.to_string())).or_insert(0) += 1;
                }
            }
        }
    }
    let balance = send(client, &Call::get(format!("/v1/accounts/{ACCOUNT}/balance"))).await?;
    let balance = done(balance)?.json().context("the balance")?;
    Ok(Filled { plan: account.plan, balance, added, known, refused })
}

async fn ensure_account(client: &Client) -> Result<Account> {
    let path = format!("/v1/accounts/{ACCOUNT}");
    let found = send(client, &Call::get(&path)).await?;
    if found.status != 404 {
        // Whoever plays with the demo may have changed its plan; that is theirs.
        return done(found)?.json().context("the account");
    }
    let body = json!({ "name": "Demo Company", "plan": "pro", "timezone": "Europe/Berlin" });
    let opened = send(client, &Call::put(&path, &body)?).await?;
    // Only where the account is new: keys are not kept for ever, and a welcome is given once.
    let welcome = json!({ "credits": "2500", "source": "promotion", "reason": "welcome to the demo" });
    let welcome = Call::post(format!("{path}/grants"), &welcome)?.with_idempotency_key("demo-welcome");
    done(send(client, &welcome).await?)?;
    done(opened)?.json().context("the account")
}

async fn send(client: &Client, call: &Call) -> Result<Answer> {
    Ok(retry::send(client, call, PATIENCE).await?.answer)
}

fn done(answer: Answer) -> Result<Answer> {
    if !answer.is_success() {
        bail!("the server answered {}", answer.problem());
    }
    Ok(answer)
}
