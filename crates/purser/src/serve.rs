//! `purser serve`: configuration, wiring, serving, draining.

use crate::cli::Serve;
use crate::library::FileLibrary;
use crate::maintenance::{StoreMaintenance, remove_leftovers};
use crate::telemetry::Telemetry;
use crate::{admin_key, components, configuration, running, system};
use anyhow::{Context, anyhow};
use http_api::{Api, router};
use http_server::{Drained, Tls};
use ledger_redb::RedbStore;
use ledger_service::ports::{Clock, WebhookSender};
use ledger_service::top_ups::{self, PlanTopUps, TopUpRule};
use ledger_service::webhooks::dispatch;
use ledger_service::{
    Alerts, CustomAmounts, Ledger, Pack, Parts, PlanAlerts, Releases, Settings, Shop, SystemClock, TestClock,
};
use purser_config::Config;
use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;
use tokio::net::TcpListener;
use tokio::signal::unix::{SignalKind, signal};
use tokio::task::JoinHandle;
use tokio::time::{MissedTickBehavior, interval};

/// How often what is due is looked for.
const DUE_INTERVAL: Duration = Duration::from_secs(1);

pub(crate) fn run(arguments: &Serve) -> anyhow::Result<ExitCode> {
    system::log("info")?;
    let config = configuration::load(arguments)?;
    system::allow_many_files();
    system::runtime()?.block_on(serve(config, arguments))
}

async fn serve(config: Config, arguments: &Serve) -> anyhow::Result<ExitCode> {
    let test_clock = arguments.test_clock.map(|now| Arc::new(TestClock::new(now)));
    let clock: Arc<dyn Clock> = match &test_clock {
        Some(clock) => clock.clone(),
        None => Arc::new(SystemClock),
    };
    let data = &config.storage.data;
    let telemetry = Telemetry::start(test_clock.is_some())?;
    let store = open_store(&config)?;
    let host = components::server_host(&config)?;
    let library = Arc::new(FileLibrary::new(data.clone(), host));
    let releases = components::releases(&config, &library)?;
    let ledger = open(&config, store.clone(), clock.clone(), releases, library.clone())?;
    let made = ledger.keyring().ensure_admin();
    let made = made.map_err(|error| anyhow!("the administrator's key cannot be stored: {error:?}"))?;
    let sender: Arc<dyn WebhookSender> = Arc::new(sender(&config)?);
    let exposition = telemetry.exposition(&ledger, &store);
    let api = Arc::new(Api {
        ledger: ledger.clone(),
        public_url: config.server.public_url.clone(),
        pages: pages(&config),
        limits: http_api::Limits {
            body_bytes_max: config.server.body_bytes_max,
            batch_body_bytes_max: config.server.batch_body_bytes_max,
            batch_items_max: config.server.batch_items_max,
            batches_bytes_max: config.server.batches_bytes_max,
            body_timeout: Duration::from_millis(config.server.body_timeout_ms),
            requests_max: config.server.requests_max,
            resume_entries_max: config.events.resume_entries_max,
            heartbeat_ms: config.events.heartbeat_ms,
        },
        test_clock,
        sender: sender.clone(),
        maintenance: Some(Arc::new(StoreMaintenance::new(store, data.clone(), clock, library))),
        metrics: http_api::Metrics { exposition: Some(exposition), need_key: config.server.metrics_need_key },
    });
    let tls = tls(&config)?;
    let listen = config.server.listen;
    let listener = TcpListener::bind(listen).await.with_context(|| {
        format!("cannot listen on {listen}; is another server running there? --listen takes another address")
    })?;
    let address = listener.local_addr().context("the listening address is unknown")?;
    let scheme = if tls.is_some() { "https" } else { "http" };
    running::announce(data, scheme, address)?;
    if let Some(secret) = made {
        println!("administrator's key, shown this once: {secret}");
    }
    println!("purser is listening on {scheme}://{address}");
    let due = tokio::spawn(keep_due(ledger.clone()));
    let webhooks = tokio::spawn(dispatch(ledger.clone(), sender));
    let top_ups = tokio::spawn(top_ups::run(ledger.clone()));
    let watching = tokio::spawn(telemetry.keep(ledger.clone()));
    let (stop, stopped) = tokio::sync::watch::channel(());
    let server = http_server::serve(listener, tls.clone(), router(api), connection_limits(&config), until(stopped));
    let mut server = tokio::spawn(server);
    let renewals = tls.map(|tls| tokio::spawn(renew(tls)));
    tokio::select! {
        ended = &mut server => return Err(anyhow!("the server ended by itself: {ended:?}")),
        signal = told_to_stop() => signal?,
    }
    tracing::info!("stopping: requests under way are finished first");
    due.abort();
    // What is being sent at this moment is sent again after the next start, under the same id.
    webhooks.abort();
    top_ups.abort();
    renewals.inspect(JoinHandle::abort);
    // Streams of events have no end of their own.
    ledger.end_feeds();
    watching.abort();
    drop(stop);
    if server.await.context("serving panicked")?? == Drained::Cut {
        tracing::warn!(drain_timeout_ms = config.server.drain_timeout_ms, "connections were still busy at the end");
    }
    let closed = tokio::task::spawn_blocking(move || ledger.close()).await.context("closing panicked")?;
    running::withdraw(data)?;
    closed
        .map_err(|error| anyhow!("the ledger did not close cleanly; the next start replays its journal: {error:?}"))?;
    tracing::info!("stopped");
    Ok(ExitCode::SUCCESS)
}

fn sender(config: &Config) -> anyhow::Result<webhook_sender::Sender> {
    let settings = webhook_sender::Settings {
        timeout: Duration::from_millis(config.webhooks.timeout_ms),
        allow_private_addresses: config.webhooks.allow_private_addresses,
        allow_http: config.webhooks.allow_http,
    };
    webhook_sender::Sender::new(settings).context("TLS for webhooks cannot be set up")
}

/// The certificate, where there is one.
fn tls(config: &Config) -> anyhow::Result<Option<Arc<Tls>>> {
    let load = |(certificate, key): &(PathBuf, PathBuf)| Tls::load(certificate, key).map(Arc::new);
    config.server.tls.as_ref().map(load).transpose().context("TLS cannot be served")
}

/// Reads the certificate anew whenever the process is told to.
async fn renew(tls: Arc<Tls>) {
    let Ok(mut told) = signal(SignalKind::hangup()) else {
        tracing::error!("SIGHUP cannot be watched: a renewed certificate takes a restart");
        return;
    };
    while told.recv().await.is_some() {
        match tls.reload() {
            Ok(()) => tracing::info!("the certificate was read anew"),
            Err(error) => tracing::error!(%error, "the certificate cannot be renewed; the old one counts"),
        }
    }
}

fn connection_limits(config: &Config) -> http_server::Limits {
    let server = &config.server;
    http_server::Limits {
        connections_max: server.connections_max,
        head_timeout: Duration::from_millis(server.head_timeout_ms),
        idle_timeout: Duration::from_millis(server.idle_timeout_ms),
        write_timeout: Duration::from_millis(server.write_timeout_ms),
        head_bytes_max: server.head_bytes_max,
        drain_timeout: Duration::from_millis(server.drain_timeout_ms),
    }
}

fn open_store(config: &Config) -> anyhow::Result<Arc<RedbStore>> {
    let data = &config.storage.data;
    let store = RedbStore::open(data, configuration::store_settings(config));
    let store = store.with_context(|| format!("cannot open {}", data.display()))?;
    // The directory is this process's own from here on.
    running::withdraw(data)?;
    remove_leftovers(data);
    Ok(Arc::new(store))
}

fn open(
    config: &Config,
    store: Arc<RedbStore>,
    clock: Arc<dyn Clock>,
    releases: Releases,
    library: Arc<FileLibrary>,
) -> anyhow::Result<Arc<Ledger>> {
    Ledger::open(Parts {
        store,
        clock,
        random: Arc::new(system::SystemRandom),
        plans: config.plans.iter().map(|plan| plan.definition.clone()).collect(),
        alerts: alerts(config),
        top_ups: plan_top_ups(config),
        releases,
        shop: shop(config)?,
        payments: Vec::new(),
        library: Some(library),
        admin_key: admin_key::of_environment()?,
        settings: Settings {
            keep_ms: config.idempotency.keep_ms,
            max_age_ms: config.idempotency.max_age_ms,
            max_future_ms: config.idempotency.max_future_ms,
            queue_items_max: config.ledger.queue_items_max,
            group_items_max: config.ledger.group_items_max,
            listeners_max: config.events.streams_max,
            listener_commits_max: config.events.waiting_commits_max,
            suspended_parents_stop_children: config.ledger.suspended_parents_stop_children,
        },
    })
    .map_err(|error| anyhow!("the ledger cannot be opened: {error:?}"))
}

/// At which balances somebody wants to be told, by the configuration.
fn plan_top_ups(config: &Config) -> PlanTopUps {
    const DAY_MS: i64 = 86_400_000;
    let rule = |plan: &purser_config::PlanConfig| {
        let rule = plan.auto_top_up.as_ref()?;
        let rule = TopUpRule {
            enabled: true,
            threshold_micros: rule.threshold.micros(),
            pack: rule.pack.clone(),
            at_most: rule.at_most,
            period_ms: i64::from(rule.period_days) * DAY_MS,
        };
        Some((plan.definition.name.clone(), Arc::new(rule)))
    };
    config.plans.iter().filter_map(rule).collect()
}

fn alerts(config: &Config) -> PlanAlerts {
    let of_plan = |plan: &purser_config::PlanConfig| {
        let alerts = Alerts::new(plan.alerts_used_e4.clone(), plan.alerts_remaining.clone());
        (plan.definition.name.clone(), Arc::new(alerts))
    };
    PlanAlerts { plans: config.plans.iter().map(of_plan).collect(), ..PlanAlerts::default() }
}

/// What can be bought, by the configuration.
fn shop(config: &Config) -> anyhow::Result<Shop> {
    let pack = |pack: &purser_config::Pack| {
        Ok(Pack {
            name: pack.name.as_str().into(),
            credits: pack.credits,
            price: pack.price.parse()?,
            currency: pack.currency.as_str().into(),
            currency_decimals: u32::try_from(pack.currency_decimals)?,
        })
    };
    let custom = |custom: &purser_config::CustomCredits| -> anyhow::Result<CustomAmounts> {
        Ok(CustomAmounts {
            credits_min: custom.credits_min,
            credits_max: custom.credits_max,
            price_per_credit: custom.price_per_credit,
            currency: custom.currency.as_str().into(),
            currency_decimals: u32::try_from(custom.currency_decimals)?,
        })
    };
    Ok(Shop {
        packs: config.packs.iter().map(pack).collect::<anyhow::Result<_>>()?,
        custom: config.custom_credits.as_ref().map(custom).transpose()?,
    })
}

/// Books what falls due, and forgets keys that have lapsed.
async fn keep_due(ledger: Arc<Ledger>) {
    let gathering = ledger.clone();
    // Whoever needs it sooner waits for this, or does it: an error is theirs to hear.
    drop(tokio::task::spawn_blocking(move || gathering.gather_families()));
    let mut ticks = interval(DUE_INTERVAL);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        ticks.tick().await;
        if let Err(error) = ledger.run_due().await {
            tracing::warn!(?error, "what is due could not be booked yet");
        }
        if let Err(error) = ledger.forget_lapsed_keys() {
            tracing::warn!(?error, "lapsed keys could not be forgotten yet");
        }
    }
}

async fn until(mut stopped: tokio::sync::watch::Receiver<()>) {
    // An error means that the sender is gone, which is the signal.
    while stopped.changed().await.is_ok() {}
}

async fn told_to_stop() -> anyhow::Result<()> {
    let mut terminate = signal(SignalKind::terminate()).context("SIGTERM cannot be watched")?;
    let mut interrupt = signal(SignalKind::interrupt()).context("SIGINT cannot be watched")?;
    tokio::select! {
        _ = terminate.recv() => {}
        _ = interrupt.recv() => {}
    }
    Ok(())
}

fn pages(config: &Config) -> http_api::PageSettings {
    let mut seller = config.pages.seller.iter().cloned();
    http_api::PageSettings {
        product: config.pages.product.clone(),
        help_url: config.pages.help_url.clone(),
        seller: seller.next().unwrap_or_default(),
        seller_lines: seller.collect(),
    }
}
