//! `GET /v1/plugins` and `GET /v1/plugins/{name}`: what there is, what is live, and who released it.

use crate::fields::Fields;
use crate::problem::Problem;
use crate::router::{Api, Page, Segment};
use crate::shapes::{PluginKindName, ReleaseStep};
use crate::wire::{Percent, Shown, json};
use axum::extract::State;
use axum::http::{StatusCode, Uri};
use axum::response::Response;
use ledger_core::{Digest, Timestamp};
use ledger_service::ports::PluginKind;
use ledger_service::{BacktestDemand, Pair, PluginView, Release, ReleasedView, SlotView, Upload};
use schemars::JsonSchema;
use serde::Serialize;
use std::sync::Arc;

pub(crate) async fn list(State(api): State<Arc<Api>>, uri: Uri) -> Result<Response, Problem> {
    let mut fields = Fields::of_query(&uri)?;
    let page: Page<String> = Page::read(&mut fields);
    fields.finish()?;
    let mut plugins = api.ledger.plugins();
    plugins.retain(|plugin| page.cursor.as_ref().is_none_or(|after| plugin.name > *after));
    let more = plugins.len() > page.limit;
    plugins.truncate(page.limit);
    let last = plugins.last().filter(|_| more).map(|plugin| plugin.name.clone());
    Ok(Page::answer(plugins.iter().map(PluginAnswer::new).collect(), last))
}

pub(crate) async fn read(State(api): State<Arc<Api>>, Segment(name): Segment) -> Result<Response, Problem> {
    Ok(json(StatusCode::OK, &PluginAnswer::new(&api.ledger.plugin(&name)?)))
}

/// A plugin.
#[derive(JsonSchema, Serialize)]
#[schemars(rename = "Plugin")]
pub(crate) struct PluginAnswer<'a> {
    /// Its name.
    name: &'a str,
    /// What it does.
    #[schemars(with = "PluginKindName")]
    kind: &'static str,
    /// The plugin configurations that are of it, under which it is released.
    plugin_configs: Vec<SlotAnswer<'a>>,
    /// The versions that were uploaded, in order of time.
    versions: Vec<UploadAnswer<'a>>,
    /// The configurations that were uploaded, in order of time.
    configs: Vec<UploadAnswer<'a>>,
    /// What was released of it, newest first.
    releases: Vec<ReleaseAnswer<'a>>,
}

impl<'a> PluginAnswer<'a> {
    fn new(plugin: &'a PluginView) -> Self {
        Self {
            name: &plugin.name,
            kind: match plugin.kind {
                PluginKind::Pricing => "pricing",
                PluginKind::Throttling => "throttling",
            },
            plugin_configs: plugin.slots.iter().map(SlotAnswer::new).collect(),
            versions: plugin.versions.iter().map(|upload| UploadAnswer::new(upload, true)).collect(),
            configs: plugin.configs.iter().map(|upload| UploadAnswer::new(upload, false)).collect(),
            releases: plugin.releases.iter().map(ReleaseAnswer::new).collect(),
        }
    }
}

/// What is released for a plugin configuration.
#[derive(JsonSchema, Serialize)]
#[schemars(rename = "PluginConfigState")]
struct SlotAnswer<'a> {
    /// Its name in the configuration file.
    name: &'a str,
    /// What is live; null before the first release, where the configuration file leaves it to releases.
    live: Option<LiveAnswer>,
    /// What is live on a share of accounts.
    share: Option<LiveAnswer>,
    /// On how many accounts of a hundred.
    share_percent: Option<u32>,
    /// What prices beside.
    shadow: Option<PairAnswer>,
    /// What the configuration file says.
    configured: Option<PairAnswer>,
    /// The backtest that something must have passed before it is released live or on a share; null where none is demanded.
    backtest_required: Option<DemandAnswer>,
}

impl<'a> SlotAnswer<'a> {
    fn new(slot: &'a SlotView) -> Self {
        Self {
            name: &slot.name,
            live: slot.live.map(LiveAnswer::new),
            share: slot.share.map(|(share, _)| LiveAnswer::new(share)),
            share_percent: slot.share.map(|(_, percent)| percent),
            shadow: slot.shadow.map(PairAnswer::new),
            configured: slot.configured.map(PairAnswer::new),
            backtest_required: slot.demands.map(DemandAnswer::new),
        }
    }
}

/// The backtest that is demanded before a release.
#[derive(JsonSchema, Serialize)]
#[schemars(rename = "BacktestRequired")]
struct DemandAnswer {
    /// Over how many days at least.
    days: u16,
    /// How far what all pay together may change either way, in percent; null for any.
    total_change_percent_max: Option<Shown<Percent>>,
    /// How far what any one account pays may change either way, in percent; null for any.
    account_change_percent_max: Option<Shown<Percent>>,
}

impl DemandAnswer {
    fn new(demand: BacktestDemand) -> Self {
        Self {
            days: demand.days,
            total_change_percent_max: demand.total_change_e4_max.map(|e4| Shown(Percent(e4))),
            account_change_percent_max: demand.account_change_e4_max.map(|e4| Shown(Percent(e4))),
        }
    }
}

/// A version with a configuration.
#[derive(JsonSchema, Serialize)]
#[schemars(rename = "VersionAndConfig")]
pub(crate) struct PairAnswer {
    /// The component.
    digest: Shown<Digest>,
    /// Its configuration.
    config_digest: Shown<Digest>,
}

impl PairAnswer {
    pub(crate) fn new((digest, config_digest): Pair) -> Self {
        Self { digest: Shown(digest), config_digest: Shown(config_digest) }
    }
}

/// A version with a configuration that is live, and what made it so.
#[derive(JsonSchema, Serialize)]
#[schemars(rename = "LiveVersion")]
struct LiveAnswer {
    /// The component.
    digest: Shown<Digest>,
    /// Its configuration.
    config_digest: Shown<Digest>,
    /// The number of the release that made it live; null where it is what the configuration file says.
    release: Option<u64>,
}

impl LiveAnswer {
    fn new(live: ReleasedView) -> Self {
        Self { digest: Shown(live.digest), config_digest: Shown(live.config_digest), release: live.release }
    }
}

/// Something that was uploaded.
#[derive(JsonSchema, Serialize)]
#[schemars(rename = "PluginUpload")]
struct UploadAnswer<'a> {
    /// What its bytes are named by.
    digest: Shown<Digest>,
    /// When it came first.
    uploaded_at: Shown<Timestamp>,
    /// The id of the key that sent it.
    key: &'a str,
    /// What the key is called.
    actor: &'a str,
    /// Its size, for a version.
    #[serde(skip_serializing_if = "Option::is_none")]
    bytes: Option<usize>,
}

impl<'a> UploadAnswer<'a> {
    fn new(upload: &'a Upload, has_size: bool) -> Self {
        Self {
            digest: Shown(upload.digest),
            uploaded_at: Shown(upload.at),
            key: &upload.key,
            actor: &upload.actor,
            bytes: has_size.then_some(upload.bytes),
        }
    }
}

/// A step of operating a plugin, on record for ever.
#[derive(JsonSchema, Serialize)]
#[schemars(rename = "Release")]
pub(crate) struct ReleaseAnswer<'a> {
    /// Counts all steps.
    release: u64,
    /// The plugin.
    plugin: &'a str,
    /// The plugin configuration under which it was released.
    plugin_config: &'a str,
    /// What it did.
    #[schemars(with = "ReleaseStep")]
    mode: &'static str,
    /// The component; after a rollback, what is live then, and null for what the configuration file says.
    digest: Option<Shown<Digest>>,
    /// Its configuration.
    config_digest: Option<Shown<Digest>>,
    /// How many accounts of a hundred, for a share.
    share_percent: Option<u32>,
    /// Why.
    reason: &'a str,
    /// The id of the key.
    key: &'a str,
    /// What the key is called.
    actor: &'a str,
    /// When.
    at: Shown<Timestamp>,
}

impl<'a> ReleaseAnswer<'a> {
    pub(crate) fn new(release: &'a Release) -> Self {
        Self {
            release: release.number,
            plugin: &release.plugin,
            plugin_config: &release.slot,
            mode: release.step.name(),
            digest: release.pair.map(|(digest, _)| Shown(digest)),
            config_digest: release.pair.map(|(_, config_digest)| Shown(config_digest)),
            share_percent: release.share_percent,
            reason: &release.reason,
            key: &release.key,
            actor: &release.actor,
            at: Shown(release.at),
        }
    }
}
