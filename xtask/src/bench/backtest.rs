//! Other prices are tried on a month of charges: how many a second with everything that a backtest may take, and what it
//! does to those who are charged meanwhile, while the server takes half of what it can.

use super::charges::Accounts;
use super::goals::{Goal, median};
use super::machine;
use super::operator::Operator;
use super::paced::{self, Over, Paced};
use super::process::cpu_seconds;
use super::report::{Kind, Row, whole};
use super::server::{Launch, Purser};
use super::sources::{Batches, Budget, History};
use super::{interrupt, load};
use anyhow::{Context, Result, ensure};
use serde_json::{Value, json};
use std::fs;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};
use tokio::runtime::Builder;

const ACCOUNTS: u64 = 2_000;
const CONNECTIONS: usize = 64;
const FILLED_WITHIN: Duration = Duration::from_secs(900);
const SPAN_MS: u64 = 25 * 24 * 60 * 60 * 1_000;
const MARGIN_MS: i64 = 60_000;
const PLUGIN: &str = "per-model-rates";
/// Charges a second that are tried at least, on two idle cores.
const PER_SECOND_MIN: f64 = 150_000.0;
/// How much slower the slowest hundredth of live charges may become.
const P99_RATIO_MAX: f64 = 1.25;
const LIVE_SHARE: f64 = 0.5;

/// How much is measured.
#[derive(Clone, Copy, Debug)]
pub(super) struct Lengths {
    pub(super) charges: u64,
    pub(super) part: Duration,
    pub(super) rounds: u32,
}

/// A backtest that was waited for.
struct Tried {
    charges: f64,
    took: Duration,
    cpu_s: f64,
}

impl Tried {
    fn per_second(&self) -> f64 {
        self.charges / self.took.as_secs_f64()
    }
}

/// Measures a server of its own.
pub(super) fn run(launch: &Launch, lengths: Lengths) -> Result<Vec<Row>> {
    let (purser, _) = launch.start()?;
    purser.open_accounts(ACCOUNTS)?;
    fill(&purser, lengths.charges)?;
    let rates = fs::read_to_string(launch.working_directory.join("config/rates.toml")).context("no list prices")?;
    let runtime = Builder::new_current_thread().enable_all().build().context("no runtime")?;
    let config = runtime.block_on(upload(purser.address, &rates))?;
    let cores = std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
    let mut alone = Vec::new();
    for round in 1..=lengths.rounds {
        interrupt::check()?;
        let tried = runtime.block_on(tried(&purser, &config, Some(cores * 100)))?;
        println!(
            "backtest: round {round}, {} charges with {} % of a core: {}/s, {:.2} µs of processor a charge",
            whole(tried.charges),
            cores * 100,
            whole(tried.per_second()),
            tried.cpu_s / tried.charges * 1e6
        );
        alone.push(tried);
    }
    let accounts = Accounts::Uniform(ACCOUNTS);
    let rate = purser.charge(CONNECTIONS, accounts, lengths.part)?.events_per_second() * LIVE_SHARE;
    let over = Over { connections: CONNECTIONS, accounts };
    let (mut usual, mut beside) = (Vec::new(), Vec::new());
    for round in 1..=lengths.rounds {
        let without = paced::run(&purser, over, rate, lengths.part)?;
        without.tell(&format!("backtest: round {round}, half of what can be done"));
        let with = beside_backtests(&purser, &config, || paced::run(&purser, over, rate, lengths.part))?;
        with.tell(&format!("backtest: round {round}, the same beside backtests"));
        usual.push(without);
        beside.push(with);
    }
    let p99 = |all: &[Paced]| median(all.iter().map(|paced| paced.p99_us() as f64));
    let failed: u64 = beside.iter().map(|paced| paced.refused).sum();
    Ok(vec![
        Row::bounded(
            format!("backtest of {} charges", whole(lengths.charges as f64)),
            Kind::PerSecond,
            median(alone.iter().map(Tried::per_second)).unwrap_or_default(),
            Goal::AtLeast(PER_SECOND_MIN),
        ),
        Row {
            work: "backtest: p99 of live charges beside it".to_owned(),
            kind: Kind::Microseconds,
            purser: p99(&beside).unwrap_or_default(),
            against: "without one, half of what is sustained".to_owned(),
            against_figure: p99(&usual),
            goal: Some(Goal::AtMost(P99_RATIO_MAX)),
        },
        Row::bounded("backtest: live charges refused beside it", Kind::Count, failed as f64, Goal::AtMost(0.0)),
    ])
}

/// Makes a month of history.
fn fill(purser: &Purser, charges: u64) -> Result<()> {
    let begin = machine::now().plus_millis(-MARGIN_MS - i64::try_from(SPAN_MS)?);
    let history = History { begin, span_ms: SPAN_MS, count: charges };
    let budget = Budget::new(0, charges);
    let sources = Batches::connections(purser.address, 2, Accounts::Uniform(ACCOUNTS), &budget, Some(history));
    let outcome = load::drive(purser.address, sources, FILLED_WITHIN).context("the ledger could not be filled")?;
    ensure!(outcome.tally.events == charges, "of {charges} charges {} were made", outcome.tally.events);
    println!("backtest: {} charges on {} accounts", whole(charges as f64), whole(ACCOUNTS as f64));
    Ok(())
}

/// Uploads other prices, and gives their digest.
async fn upload(address: SocketAddr, rates: &str) -> Result<Value> {
    let config = format!("markup = \"1.1\"\n{rates}");
    let path = format!("/v1/plugins/{PLUGIN}/configs");
    let mut operator = Operator::connect(address).await?;
    Ok(operator.send("PUT", &path, "application/toml", config.as_bytes()).await?["config_digest"].take())
}

/// Has the prices tried on everything, and waits for the end.
async fn tried(purser: &Purser, config: &Value, cpu_percent: Option<usize>) -> Result<Tried> {
    let mut operator = Operator::connect(purser.address).await?;
    let mut asked = json!({ "plugin": PLUGIN, "config_digest": config, "reason": "a measurement" });
    if let Some(cpu_percent) = cpu_percent {
        asked["cpu_percent"] = cpu_percent.into();
    }
    // The plugin is ready when this is answered.
    let backtest = operator.send("POST", "/v1/backtests", "application/json", asked.to_string().as_bytes()).await?;
    let (began, cpu_before_s) = (Instant::now(), cpu_seconds(purser.id())?);
    let path = format!("/v1/backtests/{}?wait_seconds=60", backtest["backtest"].as_str().context("it has no name")?);
    loop {
        interrupt::check()?;
        let now = operator.read(&path).await?;
        if now["ended_at"].is_null() {
            continue;
        }
        let (took, cpu_s) = (began.elapsed(), cpu_seconds(purser.id())? - cpu_before_s);
        ensure!(now["status"] == "done", "the backtest ended as {}", now["status"]);
        let compared = now["pricing"]["compared"]["charges"].as_f64().unwrap_or_default();
        let done = now["progress"]["charges_done"].as_f64().unwrap_or_default();
        ensure!(compared > 0.0 && compared >= done, "of {done} charges {compared} were priced");
        return Ok(Tried { charges: done, took, cpu_s });
    }
}

/// Does some work while one backtest after another runs, each with the share that one has where nobody says.
fn beside_backtests(purser: &Purser, config: &Value, work: impl FnOnce() -> Result<Paced>) -> Result<Paced> {
    let is_over = AtomicBool::new(false);
    std::thread::scope(|scope| {
        let trying = scope.spawn(|| {
            let runtime = Builder::new_current_thread().enable_all().build().context("no runtime")?;
            runtime.block_on(try_until(purser.address, config, &is_over))
        });
        let outcome = work();
        is_over.store(true, Ordering::Relaxed);
        trying.join().map_err(|_| anyhow::anyhow!("the backtests panicked"))??;
        outcome
    })
}

/// Keeps a backtest under way until it is over, and calls the last one off.
async fn try_until(address: SocketAddr, config: &Value, is_over: &AtomicBool) -> Result<()> {
    let mut operator = Operator::connect(address).await?;
    let asked = json!({ "plugin": PLUGIN, "config_digest": config, "reason": "a measurement" }).to_string();
    while !is_over.load(Ordering::Relaxed) && !interrupt::asked() {
        let backtest = operator.send("POST", "/v1/backtests", "application/json", asked.as_bytes()).await?;
        let path = format!("/v1/backtests/{}", backtest["backtest"].as_str().context("it has no name")?);
        while operator.read(&format!("{path}?wait_seconds=1")).await?["ended_at"].is_null() {
            if is_over.load(Ordering::Relaxed) || interrupt::asked() {
                operator.delete(&path).await?;
                break;
            }
        }
    }
    Ok(())
}
