//! `purser serve`: configuration, wiring, serving, draining.

use crate::cli::Serve;
use crate::library::FileLibrary;
use crate::maintenance::{StoreMaintenance, remove_leftovers};
use crate::telemetry::Telemetry;
use crate::{admin_key, components, configuration, running, system};
use anyhow::{Context, anyhow};
use axum::serve::ListenerExt;
use http_api::{Api, router};
use ledger_redb::RedbStore;
use ledger_service::ports::Clock;
use ledger_service::{CustomAmounts, Ledger, Pack, Parts, Releases, Settings, Shop, SystemClock, TestClock};
use purser_config::Config;
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;
use tokio::net::TcpListener;
use tokio::signal::unix::{SignalKind, signal};
use tokio::time::{MissedTickBehavior, interval, timeout};

/// How often what is due is looked for.
const DUE_INTERVAL: Duration = Duration::from_secs(1);

pub(crate) fn run(arguments: &Serve) -> anyhow::Result<ExitCode> {
    system::log("info")?;
    let config = configuration::load(arguments)?;
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
    let releases = components::releases(&config, &host)?;
    let library = Arc::new(FileLibrary::new(data.clone(), host));
    let ledger = open(&config, store.clone(), clock.clone(), releases, library.clone())?;
    let made = ledger.keyring().ensure_admin();
    let made = made.map_err(|error| anyhow!("the administrator's key cannot be stored: {error:?}"))?;
    let exposition = telemetry.exposition(&ledger, &store);
    let api = Arc::new(Api {
        ledger: ledger.clone(),
        public_url: config.server.public_url.clone(),
        limits: http_api::Limits {
            body_bytes_max: config.server.body_bytes_max,
            batch_body_bytes_max: config.server.batch_body_bytes_max,
            batch_items_max: config.server.batch_items_max,
        },
        test_clock,
        maintenance: Some(Arc::new(StoreMaintenance::new(store, data.clone(), clock, library))),
        metrics: http_api::Metrics { exposition: Some(exposition), need_key: config.server.metrics_need_key },
    });
    let listen = config.server.listen;
    let listener = TcpListener::bind(listen).await.with_context(|| {
        format!("cannot listen on {listen}; is another server running there? --listen takes another address")
    })?;
    let address = listener.local_addr().context("the listening address is unknown")?;
    running::announce(data, address)?;
    if let Some(secret) = made {
        println!("administrator's key, shown this once: {secret}");
    }
    println!("purser is listening on http://{address}");
    let listener = listener.tap_io(|stream| {
        // An answer is one small write; waiting to fill a packet would only delay it.
        if let Err(error) = stream.set_nodelay(true) {
            tracing::debug!(%error, "a connection keeps Nagle's algorithm");
        }
    });
    let due = tokio::spawn(keep_due(ledger.clone()));
    let watching = tokio::spawn(telemetry.keep(ledger.clone()));
    let (stop, stopped) = tokio::sync::watch::channel(());
    let server = axum::serve(listener, router(api)).with_graceful_shutdown(until(stopped));
    let mut server = tokio::spawn(async move { server.await });
    tokio::select! {
        ended = &mut server => return Err(anyhow!("the server ended by itself: {ended:?}")),
        signal = told_to_stop() => signal?,
    }
    tracing::info!("stopping: requests under way are finished first");
    due.abort();
    watching.abort();
    drop(stop);
    let drain = Duration::from_millis(config.server.drain_timeout_ms);
    if timeout(drain, &mut server).await.is_err() {
        tracing::warn!(drain_timeout_ms = config.server.drain_timeout_ms, "connections were still busy at the end");
        server.abort();
    }
    let closed = tokio::task::spawn_blocking(move || ledger.close()).await.context("closing panicked")?;
    running::withdraw(data)?;
    closed
        .map_err(|error| anyhow!("the ledger did not close cleanly; the next start replays its journal: {error:?}"))?;
    tracing::info!("stopped");
    Ok(ExitCode::SUCCESS)
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
        releases,
        shop: shop(config)?,
        library: Some(library),
        admin_key: admin_key::of_environment()?,
        settings: Settings {
            keep_ms: config.idempotency.keep_ms,
            max_age_ms: config.idempotency.max_age_ms,
            max_future_ms: config.idempotency.max_future_ms,
            queue_items_max: config.ledger.queue_items_max,
            group_items_max: config.ledger.group_items_max,
            suspended_parents_stop_children: config.ledger.suspended_parents_stop_children,
        },
    })
    .map_err(|error| anyhow!("the ledger cannot be opened: {error:?}"))
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
