//! The sections of single settings. Each has bounds within which the program is known to work: what a limit is there to
//! keep away must not come in by the limit.

use super::named;
use crate::layers::is_shipped;
use crate::node::Value;
use crate::section::{Section, flag, positive_amount, text, whole};
use crate::{
    CustomCredits, Events, HeavyPlugins, Idempotency, Ledger, Pages, Plugins, Server, Storage, Webhooks, currencies,
};
use std::net::{Ipv4Addr, SocketAddr};
use std::path::PathBuf;

const MINUTE_MS: i64 = 60_000;
const HOUR_MS: i64 = 60 * MINUTE_MS;
const DAY_MS: i64 = 24 * HOUR_MS;

pub(super) fn server(section: &mut Section<'_>) -> Server {
    let listen = |value: &Value| {
        let address = text(value)?;
        address.parse().map_err(|_| format!("{address:?} is no address and port, such as \"127.0.0.1:7070\""))
    };
    let default_listen = SocketAddr::from((Ipv4Addr::LOCALHOST, 7070));
    Server {
        listen: section.optional("listen", listen).unwrap_or(default_listen),
        body_bytes_max: section.required("body_kib_max", whole::<usize>(1..=65_536)) << 10,
        batch_body_bytes_max: section.required("batch_body_mib_max", whole::<usize>(1..=1024)) << 20,
        batch_items_max: section.required("batch_items_max", whole(1..=100_000)),
        batches_bytes_max: section.required("batches_mib_max", whole::<usize>(1..=65_536)) << 20,
        requests_max: section.required("requests_max", whole(1..=1_000_000)),
        connections_max: section.required("connections_max", whole(1..=1_000_000)),
        head_bytes_max: section.required("head_kib_max", whole::<usize>(8..=1024)) << 10,
        head_timeout_ms: section.required("head_timeout_ms", whole(1..=3_600_000)),
        body_timeout_ms: section.required("body_timeout_ms", whole(1..=3_600_000)),
        idle_timeout_ms: section.required("idle_timeout_ms", whole(1..=86_400_000)),
        write_timeout_ms: section.required("write_timeout_ms", whole(1..=3_600_000)),
        tls: tls(section),
        drain_timeout_ms: section.required("drain_timeout_ms", whole(1..=3_600_000)),
        public_url: section.required("public_url", origin),
        metrics_need_key: section.required("metrics_need_key", flag),
    }
}

/// Reads the two files of TLS: both or none.
fn tls(section: &mut Section<'_>) -> Option<(PathBuf, PathBuf)> {
    let certificate = section.required("tls_certificate", text_or_none);
    let key = section.required("tls_key", text_or_none);
    if certificate.is_some() != key.is_some() {
        let missing = if key.is_none() { "tls_key" } else { "tls_certificate" };
        section.problem(missing, "is empty; certificate and key go together");
    }
    Some((certificate?.into(), key?.into()))
}

/// Reads a text; an empty one is none.
fn text_or_none(value: &Value) -> Result<Option<String>, String> {
    match value {
        Value::Text(text) | Value::Loose(text) if text.is_empty() => Ok(None),
        _ => text(value).map(Some),
    }
}

/// Reads `https://host[:port]`; an empty text is none.
fn origin(value: &Value) -> Result<Option<String>, String> {
    let Some(url) = text_or_none(value)? else { return Ok(None) };
    let host = url.strip_prefix("https://").or_else(|| url.strip_prefix("http://"));
    match host {
        Some(host) if !host.is_empty() && !host.contains(['/', ' ', '?', '#']) => Ok(Some(url)),
        _ => Err("must be such as \"https://credits.example.com\", without a path".to_owned()),
    }
}

pub(super) fn storage(section: &mut Section<'_>) -> Storage {
    Storage {
        data: PathBuf::from(section.required("data", text)),
        segment_bytes: section.required("segment_mib", whole::<u64>(1..=65_536)) << 20,
        cache_bytes: section.required("cache_mib", whole::<usize>(1..=65_536)) << 20,
        state_cache_bytes: section.required("state_cache_mib", whole::<usize>(1..=65_536)) << 20,
        accounts_cached: section.required("accounts_cached", whole(1..=100_000_000)),
        checkpoint_items: section.required("checkpoint_entries", whole(1000..=10_000_000)),
        checkpoint_interval_ms: section.required("checkpoint_seconds", whole::<u64>(1..=3600)) * 1000,
    }
}

pub(super) fn ledger(section: &mut Section<'_>) -> Ledger {
    Ledger {
        // The queue's memory is taken when it is made, so that a zero too many would end the start for want of it.
        queue_items_max: section.required("queue_items_max", whole(1..=1_048_576)),
        group_items_max: section.required("group_items_max", whole(1..=1_048_576)),
        suspended_parents_stop_children: section.required("suspended_parents_stop_children", flag),
    }
}

pub(super) fn events(section: &mut Section<'_>) -> Events {
    Events {
        streams_max: section.required("streams_max", whole(0..=1_000_000)),
        waiting_commits_max: section.required("waiting_commits_max", whole(1..=65_536)),
        resume_entries_max: section.required("resume_entries_max", whole(0..=1_000_000)),
        heartbeat_ms: section.required("heartbeat_seconds", whole::<u64>(1..=3600)) * 1000,
    }
}

pub(super) fn pages(section: &mut Section<'_>) -> Pages {
    let product = section.required("product", |value| match text(value)?.trim() {
        "" => Err("must not be empty: it heads every page".to_owned()),
        product => Ok(product.to_owned()),
    });
    let help_url = section.required("help_url", help_url);
    let seller = section.required("seller", text_or_none);
    let lines: Vec<String> = seller.iter().flat_map(|text| text.lines()).map(|line| line.trim().to_owned()).collect();
    Pages { seller: if lines.is_empty() { vec![product.clone()] } else { lines }, product, help_url }
}

/// Reads where a link for people may lead; an empty text is nowhere.
fn help_url(value: &Value) -> Result<Option<String>, String> {
    let Some(url) = text_or_none(value)? else { return Ok(None) };
    match ["https://", "http://", "mailto:"].iter().any(|scheme| url.starts_with(scheme)) {
        true => Ok(Some(url)),
        false => Err("must begin with https:// or mailto:".to_owned()),
    }
}

pub(super) fn webhooks(section: &mut Section<'_>) -> Webhooks {
    Webhooks {
        timeout_ms: section.required("timeout_ms", whole(1..=300_000)),
        allow_private_addresses: section.required("allow_private_addresses", flag),
        allow_http: section.required("allow_http", flag),
    }
}

/// Amounts of the buyer's choice; `None` where they are not sold.
pub(super) fn custom_credits(section: &mut Section<'_>) -> Option<CustomCredits> {
    if !section.required("sold", flag) {
        for name in ["price_per_credit", "currency", "credits_min", "credits_max"] {
            drop(section.take(name));
        }
        return None;
    }
    let currency = section.required("currency", named::currency);
    let place = section.place_of("credits_min");
    let custom = CustomCredits {
        price_per_credit: section.required("price_per_credit", positive_amount),
        currency_decimals: currencies::decimals(&currency),
        currency,
        credits_min: section.required("credits_min", positive_amount),
        credits_max: section.required("credits_max", positive_amount),
    };
    if custom.credits_max < custom.credits_min {
        section.problem_at(&place, "credits_min", "must not be more than credits_max".to_owned());
    }
    Some(custom)
}

pub(super) fn idempotency(section: &mut Section<'_>) -> Idempotency {
    let places = ["keep_days", "max_age_days", "max_future_minutes"].map(|key| (key, section.place_of(key)));
    let keep_days = section.required("keep_days", whole::<u32>(1..=3660));
    let max_age_days = section.required("max_age_days", whole::<u32>(1..=3650));
    let max_future_minutes = section.required("max_future_minutes", whole::<u32>(1..=1440));
    let idempotency = Idempotency {
        keep_ms: i64::from(keep_days) * DAY_MS,
        max_age_ms: i64::from(max_age_days) * DAY_MS,
        max_future_ms: i64::from(max_future_minutes) * MINUTE_MS,
    };
    let least_ms = idempotency.max_age_ms + idempotency.max_future_ms + HOUR_MS;
    // A setting that cannot be read is zero here, and is a problem already.
    if keep_days > 0 && idempotency.keep_ms < least_ms {
        // It is said where somebody wrote something, and not at a shipped value that another setting made too small.
        let written = places.iter().find(|(_, place)| !is_shipped(place)).unwrap_or(&places[0]);
        let reason = format!(
            "keep_days ({keep_days}) must cover max_age_days ({max_age_days}) + max_future_minutes \
             ({max_future_minutes}) + 1 hour, or an event that is still taken could be charged twice; keep_days = {} \
             would do",
            (least_ms + DAY_MS - 1) / DAY_MS
        );
        section.problem_at(&written.1, written.0, reason);
    }
    idempotency
}

pub(super) fn plugins(section: &mut Section<'_>) -> Plugins {
    let folders = |value: &Value| match value {
        Value::List(nodes) => nodes.iter().map(|node| text(&node.value).map(PathBuf::from)).collect(),
        Value::Loose(list) => Ok(list.split(':').filter(|folder| !folder.is_empty()).map(PathBuf::from).collect()),
        other => Err(format!("must be a list of folders, not {}", other.kind())),
    };
    Plugins {
        search: section.optional("search", folders).unwrap_or_default(),
        fuel: section.required("fuel", whole(1..=1_000_000_000_000)),
        deadline_ms: section.required("deadline_ms", whole(1..=60_000)),
        // A guest addresses 32 bits.
        memory_bytes: section.required("memory_mib", whole::<usize>(1..=4096)) << 20,
        // A guest runs on the stack of the thread that calls it, which has 2 MiB: beyond it the process would end.
        stack_bytes: section.required("stack_kib", whole::<usize>(16..=1024)) << 10,
        sample_one_in: section.required("sample_one_in", whole(1..=1_000_000)),
        heavy: HeavyPlugins {
            fuel: section.required("heavy_fuel", whole(1..=1_000_000_000_000)),
            deadline_ms: section.required("heavy_deadline_ms", whole(1..=60_000)),
            memory_bytes: section.required("heavy_memory_mib", whole::<usize>(1..=4096)) << 20,
            instances_max: section.required("heavy_instances", whole(1..=1024)),
            calls_max: section.required("heavy_calls", whole(1..=1_000_000_000)),
        },
    }
}
