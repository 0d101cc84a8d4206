//! Sending the charges: so many workers, each with one connection and one request under way, that take the rows in
//! turn. A worker that loses the server for longer than patience allows stops all of them: the rest would only wait.

use crate::client::{Call, Client, ClientError};
use crate::retry::{self, Patience, Pauses, Tried, is_passing};
use crate::tally::Tally;
use crate::wire;
use crate::{Options, Plan, Summary};
use anyhow::Context;
use indicatif::{ProgressBar, ProgressStyle};
use std::future::Future;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::{Duration, Instant};
use tokio::task::JoinSet;

/// What the workers share.
struct Shared {
    plan: Plan,
    next: AtomicUsize,
    stopped: AtomicBool,
    patience: Patience,
    /// Rows taken at a time, and sent in one request where it is more than a charge of its own.
    batch: Option<usize>,
    progress: ProgressBar,
}

/// Waits until the server answers, for as long as a request would be tried again: it may just be starting.
pub(crate) async fn await_server(client: &Client, options: &Options) -> anyhow::Result<()> {
    let waiting = ProgressBar::new_spinner().with_message(format!("waiting for {}", options.server));
    waiting.tick();
    let patience = Patience { retry_for: Duration::from_secs(options.retry_seconds) };
    let reached = retry::send(client, &Call::get("/healthz"), patience).await;
    waiting.finish_and_clear();
    reached.with_context(|| format!("no server answers at {}; start one with `purser serve`", options.server))?;
    Ok(())
}

/// Sends every charge of a plan and sums up.
pub(crate) async fn drive(client: &Client, options: &Options, plan: Plan) -> anyhow::Result<Summary> {
    let (rows, start) = (plan.len(), plan.start());
    let requests = rows.div_ceil(options.batch.unwrap_or(1));
    let shared = Arc::new(Shared {
        plan,
        next: AtomicUsize::new(0),
        stopped: AtomicBool::new(false),
        patience: Patience { retry_for: Duration::from_secs(options.retry_seconds) },
        batch: options.batch,
        progress: progress_bar(rows)?,
    });
    let began = Instant::now();
    let tallies = on_workers(options.connections().min(requests), || {
        let (client, shared) = (client.with_own_connections(), shared.clone());
        async move { work(&client, &shared).await }
    });
    let tallies = tallies.await?;
    let elapsed = began.elapsed();
    shared.progress.finish_and_clear();
    let mut total = Tally::new()?;
    for tally in tallies {
        total.add(tally?)?;
    }
    Ok(Summary::new(options, start, rows, elapsed, &total))
}

async fn work(client: &Client, shared: &Shared) -> anyhow::Result<Tally> {
    let mut tally = Tally::new()?;
    let step = shared.batch.unwrap_or(1);
    while !shared.stopped.load(Ordering::Relaxed) {
        let first = shared.next.fetch_add(step, Ordering::Relaxed);
        let last = first.saturating_add(step).min(shared.plan.len());
        if first >= last {
            break;
        }
        let sent = match shared.batch {
            None => single(client, shared, first, &mut tally).await,
            Some(_) => batch(client, shared, (first..last).collect(), &mut tally).await,
        };
        if let Err((rows, error)) = sent {
            // The failure is an outcome to count and show, and no reason to lose what was counted.
            tally.failure(rows, || format!("{:#}", anyhow::Error::from(error)));
            shared.stopped.store(true, Ordering::Relaxed);
        }
        shared.progress.inc((last - first) as u64);
    }
    Ok(tally)
}

/// So many rows were left without an outcome, and why.
type Unanswered = (u64, ClientError);

async fn single(client: &Client, shared: &Shared, row: usize, tally: &mut Tally) -> Result<(), Unanswered> {
    let Some(charge) = shared.plan.charge(row) else { return Ok(()) };
    let call = Call::post("/v1/charges", &charge).map_err(|error| (1, error))?;
    let Tried { answer, latency, retries } =
        retry::send(client, &call, shared.patience).await.map_err(|error| (1, error))?;
    tally.request(latency, retries);
    let mut result: wire::Outcome = if answer.is_success() {
        answer.json().map_err(|error| (1, error))?
    } else {
        answer.json().unwrap_or_default()
    };
    result.replay = answer.replay;
    tally.event(answer.status, &result, retries > 0);
    Ok(())
}

/// Sends rows as one batch, and those of them again that were told "not now".
async fn batch(client: &Client, shared: &Shared, mut rows: Vec<usize>, tally: &mut Tally) -> Result<(), Unanswered> {
    let mut pauses = Pauses::new(shared.patience);
    let mut sent_before = false;
    loop {
        let count = rows.len() as u64;
        let call =
            Call::batch(rows.iter().filter_map(|row| shared.plan.charge(*row))).map_err(|error| (count, error))?;
        let tried = retry::send(client, &call, shared.patience).await.map_err(|error| (count, error))?;
        tally.request(tried.latency, tried.retries + u32::from(sent_before));
        let retried = sent_before || tried.retries > 0;
        if tried.answer.status != 200 {
            let result: wire::Outcome = tried.answer.json().unwrap_or_default();
            rows.iter().for_each(|_| tally.event(tried.answer.status, &result, retried));
            return Ok(());
        }
        let results = tried.answer.batch().map_err(|error| (count, error))?;
        if results.len() != rows.len() {
            let missing = (rows.len() as u64).abs_diff(results.len() as u64);
            tally.failure(count, || format!("the answer of a batch of {count} is {missing} results off"));
            return Ok(());
        }
        let waits = results.iter().any(|result| is_passing(result.status)) && pauses.pause(0).await;
        let mut again = Vec::new();
        for (row, result) in rows.into_iter().zip(&results) {
            if waits && is_passing(result.status) {
                again.push(row);
            } else {
                tally.event(result.status, result, retried);
            }
        }
        if again.is_empty() {
            return Ok(());
        }
        rows = again;
        sent_before = true;
    }
}

/// Runs so many workers, at least one, and returns what each came back with.
pub(crate) async fn on_workers<F>(count: usize, mut worker: impl FnMut() -> F) -> anyhow::Result<Vec<F::Output>>
where
    F: Future + Send + 'static,
    F::Output: Send + 'static,
{
    let mut workers: JoinSet<F::Output> = (0..count.max(1)).map(|_| worker()).collect();
    let mut outputs = Vec::with_capacity(count);
    while let Some(output) = workers.join_next().await {
        outputs.push(output.context("a worker of the replay broke off")?);
    }
    Ok(outputs)
}

/// A bar on the terminal, and nothing where the output is none.
fn progress_bar(rows: usize) -> anyhow::Result<ProgressBar> {
    let style =
        ProgressStyle::with_template("{elapsed_precise} [{bar:40}] {pos}/{len} charges, {per_sec}, {eta} to go")?;
    Ok(ProgressBar::new(rows as u64).with_style(style.progress_chars("=> ")))
}
