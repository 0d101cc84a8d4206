//! `/v1/plugins`: versions and configurations are uploaded, released, put in shadow, and rolled back.

mod bytes;
mod shadow;
mod views;

pub(crate) use bytes::{component, config};
pub(crate) use shadow::{ShadowAnswer, end_shadow, read_shadow};
pub(crate) use views::{PluginAnswer, ReleaseAnswer, list, read};

use crate::admission::Admission;
use crate::auth::{Known, made};
use crate::fields::{Fields, member, text};
use crate::headers::media_type;
use crate::json::Json;
use crate::problem::Problem;
use crate::router::{Api, JsonBody, Segment, read_body};
use crate::wire::{Shown, json};
use axum::Extension;
use axum::body::Body;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode, Uri, header};
use axum::response::Response;
use ledger_core::Digest;
use ledger_service::ports::{CallLimits, ConfigFormat};
use ledger_service::{Actor, Caller, ReleaseInput, ReleaseMode};
use schemars::JsonSchema;
use serde::Serialize;
use std::borrow::Cow;
use std::sync::Arc;

/// The largest component that is taken: one with a whole language runtime in it has some forty MiB.
pub(crate) const COMPONENT_BYTES_MAX: usize = 64 << 20;
/// The largest configuration that is taken.
const CONFIG_BYTES_MAX: usize = 4 << 20;

const MODES: [(Mode, &str); 3] = [(Mode::Live, "live"), (Mode::Shadow, "shadow"), (Mode::Share, "share")];

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Mode {
    Live,
    Shadow,
    Share,
}

pub(crate) fn actor(caller: &Caller) -> Actor {
    Actor { key: caller.id.to_string(), name: caller.name.to_string() }
}

/// `PUT /v1/plugins/{name}/versions`.
pub(crate) async fn upload_version(
    State(api): State<Arc<Api>>,
    Known(caller): Known,
    Extension(admission): Extension<Arc<Admission>>,
    Segment(name): Segment,
    headers: HeaderMap,
    body: Body,
) -> Result<Response, Problem> {
    match media_type(&headers).as_deref() {
        None | Some("application/wasm" | "application/octet-stream") => {}
        Some(_) => return Err(Problem::unsupported_media_type("application/wasm")),
    }
    let stated: Option<usize> = headers.get(header::CONTENT_LENGTH).and_then(|value| value.to_str().ok()?.parse().ok());
    if stated.is_some_and(|bytes| bytes > COMPONENT_BYTES_MAX) {
        return Err(Problem::payload_too_large(COMPONENT_BYTES_MAX));
    }
    // Uploads share what bodies of batches may take of the memory.
    let _admitted = admission
        .batch_body(stated.unwrap_or(COMPONENT_BYTES_MAX), api.limits.batches_bytes_max.max(COMPONENT_BYTES_MAX))?;
    let bytes = read_body(body, COMPONENT_BYTES_MAX, api.limits.body_timeout).await?;
    let described = api.ledger.upload_version(&name, bytes, &actor(&caller)).await?;
    let digest = described.digest;
    let answer = VersionAnswer {
        digest: Shown(digest),
        world: &described.world,
        imports: &described.imports,
        exports: &described.exports,
        bytes: described.bytes,
        limits: LimitsAnswer::new(&described.limits),
    };
    Ok(made(json(StatusCode::CREATED, &answer), &digest.to_string()))
}

/// `PUT /v1/plugins/{name}/configs`.
pub(crate) async fn upload_config(
    State(api): State<Arc<Api>>,
    Known(caller): Known,
    Segment(name): Segment,
    uri: Uri,
    headers: HeaderMap,
    body: Body,
) -> Result<Response, Problem> {
    let mut fields = Fields::of_query(&uri)?;
    let version = fields.optional("digest", digest);
    fields.finish()?;
    let format = match media_type(&headers).as_deref() {
        None | Some("application/json") => ConfigFormat::Json,
        Some("application/toml" | "text/toml" | "text/x-toml") => ConfigFormat::Toml,
        Some(_) => return Err(Problem::unsupported_media_type("application/json or application/toml")),
    };
    let bytes = read_body(body, CONFIG_BYTES_MAX, api.limits.body_timeout).await?;
    let text = String::from_utf8_lossy(&bytes).into_owned();
    let digest = api.ledger.upload_config(&name, &text, format, version, &actor(&caller)).await?;
    let answer = ConfigAnswer { config_digest: Shown(digest) };
    Ok(made(json(StatusCode::CREATED, &answer), &digest.to_string()))
}

/// `POST /v1/plugins/{name}/releases`.
pub(crate) async fn release(
    State(api): State<Arc<Api>>,
    Known(caller): Known,
    Segment(plugin): Segment,
    body: JsonBody,
) -> Result<Response, Problem> {
    let mut fields = Fields::open(body.parse()?)?;
    let slot = slot(&mut fields);
    let names_nothing = !fields.has("digest") && !fields.has("config_digest");
    let digest_sent = fields.optional("digest", digest);
    let config_digest = fields.optional("config_digest", digest);
    let mode = fields.required("mode", |value| member(&MODES)(value).map(Some));
    let has_percent = fields.has("share_percent");
    let share_percent = fields.optional("share_percent", percent(100));
    match (mode, share_percent) {
        (Some(Mode::Share), None) if !has_percent => fields.problem("share_percent", "is required for a share"),
        (Some(Mode::Live | Mode::Shadow), Some(_)) => fields.problem("share_percent", "goes with the mode share only"),
        _ => {}
    }
    if names_nothing {
        fields.problem("digest", "is required, or config_digest: what is left out stays as it is live");
    }
    let reason = fields.required("reason", |value| text(value).map(Cow::into_owned));
    fields.finish()?;
    let mode = match (mode, share_percent) {
        (Some(Mode::Share), Some(percent)) => ReleaseMode::Share(percent),
        (Some(Mode::Shadow), _) => ReleaseMode::Shadow,
        _ => ReleaseMode::Live,
    };
    let input = ReleaseInput { plugin, slot, digest: digest_sent, config_digest, mode, reason, actor: actor(&caller) };
    let released = api.ledger.release(input).await?;
    Ok(made(json(StatusCode::CREATED, &ReleaseAnswer::new(&released)), &released.number.to_string()))
}

/// `POST /v1/plugins/{name}/rollback`.
pub(crate) async fn roll_back(
    State(api): State<Arc<Api>>,
    Known(caller): Known,
    Segment(plugin): Segment,
    body: JsonBody,
) -> Result<Response, Problem> {
    let (mut slot_sent, mut reason) = (None, None);
    if !body.is_empty() {
        let mut fields = Fields::open(body.parse()?)?;
        slot_sent = slot(&mut fields);
        reason = fields.optional("reason", |value| text(value).map(Cow::into_owned));
        fields.finish()?;
    }
    let reason = reason.unwrap_or_default();
    let released = api.ledger.roll_back(&plugin, slot_sent.as_deref(), reason, actor(&caller)).await?;
    Ok(made(json(StatusCode::CREATED, &ReleaseAnswer::new(&released)), &released.number.to_string()))
}

/// Reads the name of a plugin configuration.
pub(crate) fn slot(fields: &mut Fields<'_>) -> Option<String> {
    fields.optional("plugin_config", |value| text(value).map(Cow::into_owned))
}

#[allow(clippy::needless_pass_by_value, reason = "readers of fields all have one shape")]
pub(crate) fn percent(most: u32) -> impl FnOnce(Json<'_>) -> Result<u32, String> {
    move |value| {
        let percent = if let Json::Whole(percent) = value { u32::try_from(percent).ok() } else { None };
        percent
            .filter(|percent| (1..=most).contains(percent))
            .ok_or_else(|| format!("must be a whole number from 1 to {most}"))
    }
}

pub(crate) fn digest(value: Json<'_>) -> Result<Digest, String> {
    let text = text(value)?;
    Digest::parse(&text).ok_or_else(|| "must be sha256: and 64 hexadecimal digits".to_owned())
}

/// What an uploaded component is.
#[derive(JsonSchema, Serialize)]
#[schemars(rename = "PluginVersion")]
pub(crate) struct VersionAnswer<'a> {
    /// What its bytes are named by.
    digest: Shown<Digest>,
    /// The world that it is of: `pricing-plugin` or `throttling-plugin`.
    world: &'a str,
    /// What it imports: types at most.
    imports: &'a [String],
    /// What it exports.
    exports: &'a [String],
    /// Its size.
    bytes: usize,
    /// What a call of it may use.
    limits: LimitsAnswer,
}

/// What a call of a plugin may use.
#[derive(JsonSchema, Serialize)]
#[schemars(rename = "CallLimits")]
pub(crate) struct LimitsAnswer {
    /// Fuel, about one instruction each.
    fuel: u64,
    /// Wall-clock time, in milliseconds.
    deadline_ms: u64,
    /// Linear memory, in bytes.
    memory_bytes: usize,
    /// Stack, in bytes.
    stack_bytes: usize,
    /// The event that is handed in, in bytes.
    input_bytes_max: usize,
    /// What is lifted out of an answer, in bytes.
    output_bytes_max: usize,
}

impl LimitsAnswer {
    fn new(limits: &CallLimits) -> Self {
        Self {
            fuel: limits.fuel,
            deadline_ms: limits.deadline_ms,
            memory_bytes: limits.memory_bytes,
            stack_bytes: limits.stack_bytes,
            input_bytes_max: limits.input_bytes_max,
            output_bytes_max: limits.output_bytes_max,
        }
    }
}

/// An uploaded configuration.
#[derive(JsonSchema, Serialize)]
#[schemars(rename = "PluginConfig")]
pub(crate) struct ConfigAnswer {
    /// What its bytes are named by: JSON with sorted keys, so that the same configuration has the same digest however it
    /// was written.
    config_digest: Shown<Digest>,
}
