//! What must be there before the first row: the accounts, and their credits where a grant is asked for. Both requests
//! have no effect when they are sent again.

use crate::client::{Answer, Call, Client};
use crate::drive::on_workers;
use crate::retry::{self, Patience};
use crate::{Options, Plan};
use anyhow::{Context, bail};
use serde_json::json;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

/// Accounts are made on so many connections at most; more would only queue in the ledger's writer.
const CONNECTIONS_MAX: usize = 64;

/// Creates the accounts that are missing and grants each its credits.
pub(crate) async fn prepare(client: &Client, options: &Options, plan: &Plan) -> anyhow::Result<()> {
    let accounts: Arc<[String]> = plan.accounts().into();
    let next = Arc::new(AtomicUsize::new(0));
    let connections = options.connections().min(CONNECTIONS_MAX).min(accounts.len());
    let patience = Patience { retry_for: Duration::from_secs(options.retry_seconds) };
    let results = on_workers(connections, || {
        let (client, options) = (client.with_own_connections(), options.clone());
        let (accounts, next) = (accounts.clone(), next.clone());
        async move {
            while let Some(account) = accounts.get(next.fetch_add(1, Ordering::Relaxed)) {
                prepare_one(&client, &options, account, patience).await?;
            }
            anyhow::Ok(())
        }
    });
    results.await?.into_iter().collect()
}

async fn prepare_one(client: &Client, options: &Options, account: &str, patience: Patience) -> anyhow::Result<()> {
    let put = Call::put(format!("/v1/accounts/{account}"), &json!({ "plan": options.plan }))?;
    let tried = retry::send(client, &put, patience).await;
    let tried = tried.with_context(|| format!("account {account} could not be created"))?;
    check(&tried.answer, &format!("account {account} could not be created"))?;
    let Some(credits) = options.grant else { return Ok(()) };
    let body = json!({ "credits": credits.to_string(), "source": "promotion", "reason": "replay of a trace" });
    let grant = Call::post(format!("/v1/accounts/{account}/grants"), &body)?
        .with_idempotency_key(format!("replay-{}-grant", options.seed));
    let tried = retry::send(client, &grant, patience).await;
    let tried = tried.with_context(|| format!("account {account} could not be granted credits"))?;
    check(&tried.answer, &format!("account {account} could not be granted credits"))
}

fn check(answer: &Answer, what: &str) -> anyhow::Result<()> {
    match answer.status {
        200..=299 => Ok(()),
        401 => bail!("the server does not accept the key; give one with --key or PURSER_KEY"),
        _ => bail!("{what}: {}", answer.problem()),
    }
}
