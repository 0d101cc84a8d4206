//! The book of what was uploaded and released, kept in the store as system records and at hand here.

use crate::error::ServiceError;
use crate::ledger::Ledger;
use crate::ports::{Described, PluginKind};
use crate::releases::Actor;
use crate::releases::history::{Release, Standing};
use ledger_core::{Digest, Timestamp};
use ledger_store::{LedgerStore, SystemRecord};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

const RELEASES: &str = "release";
const VERSIONS: &str = "plugin-version";
const CONFIGS: &str = "plugin-config";

/// What was uploaded and released.
#[derive(Debug, Default)]
pub(crate) struct ReleaseBook {
    state: Mutex<State>,
    /// Held by whoever changes what is released, from the look at it to its effect.
    pub(crate) changing: Arc<tokio::sync::Mutex<()>>,
    /// Held by whoever tries what was uploaded, which compiles it: one at a time leaves cores to requests.
    pub(crate) trying: Arc<tokio::sync::Mutex<()>>,
}

#[derive(Debug, Default)]
struct State {
    releases: Vec<Release>,
    standings: BTreeMap<String, Standing>,
    versions: BTreeMap<(String, Digest), Uploaded>,
    configs: BTreeMap<(String, Digest), Uploaded>,
}

/// The record of an upload.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Uploaded {
    pub(crate) at_ms: i64,
    pub(crate) key: String,
    pub(crate) actor: String,
    /// For a version, its world.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub(crate) world: String,
    #[serde(default, skip_serializing_if = "is_zero")]
    pub(crate) bytes: usize,
}

fn is_zero(bytes: &usize) -> bool {
    *bytes == 0
}

impl Uploaded {
    fn now(ledger: &Ledger, actor: &Actor, world: String, bytes: usize) -> Self {
        Self { at_ms: ledger.now().millis(), key: actor.key.clone(), actor: actor.name.clone(), world, bytes }
    }

    pub(crate) fn at(&self) -> Timestamp {
        Timestamp::from_millis(self.at_ms)
    }

    fn kind(&self) -> PluginKind {
        if self.world.starts_with("throttling") { PluginKind::Throttling } else { PluginKind::Pricing }
    }
}

impl ReleaseBook {
    pub(crate) fn load(store: &dyn LedgerStore) -> Result<Self, ServiceError> {
        let mut state = State::default();
        for record in store.system_records(RELEASES)? {
            let release = Release::read(&record.key, record.value.as_deref().unwrap_or_default());
            state.add(release.ok_or_else(|| damaged("release", &record.key))?)?;
        }
        for (topic, uploads) in [(VERSIONS, &mut state.versions), (CONFIGS, &mut state.configs)] {
            for record in store.system_records(topic)? {
                let name = record
                    .key
                    .split_once('/')
                    .and_then(|(plugin, digest)| Some((plugin.to_owned(), Digest::parse(digest)?)));
                let upload = serde_json::from_str(record.value.as_deref().unwrap_or_default()).ok();
                let (name, upload) = name.zip(upload).ok_or_else(|| damaged(topic, &record.key))?;
                uploads.insert(name, upload);
            }
        }
        Ok(Self { state: Mutex::new(state), ..Self::default() })
    }

    fn state(&self) -> MutexGuard<'_, State> {
        // Whoever panicked with the lock left the book as it was before or after a step.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// How a slot stands.
    pub(crate) fn standing(&self, slot: &str) -> Standing {
        self.state().standings.get(slot).cloned().unwrap_or_default()
    }

    /// How every slot stands of which anything was released.
    pub(crate) fn standings(&self) -> BTreeMap<String, Standing> {
        self.state().standings.clone()
    }

    /// Records a step, durably.
    pub(crate) fn add(&self, ledger: &Ledger, release: Release, standing: Standing) -> Result<Release, ServiceError> {
        let number = self.state().releases.last().map_or(1, |newest| newest.number + 1);
        let release = Release { number, ..release };
        let value = release.write().map_err(|error| unwritable(&error))?;
        let key = format!("{number:020}").into();
        ledger.put_system_record(SystemRecord { topic: RELEASES.into(), key, value: Some(value.into()) })?;
        let mut state = self.state();
        state.standings.insert(release.slot.clone(), standing);
        state.releases.push(release.clone());
        Ok(release)
    }

    /// Records an upload of a version, durably; the first one counts.
    pub(crate) fn add_version(
        &self,
        ledger: &Ledger,
        plugin: &str,
        described: &Described,
        actor: &Actor,
    ) -> Result<(), ServiceError> {
        if self.has_version(plugin, described.digest) {
            return Ok(());
        }
        let upload = Uploaded::now(ledger, actor, described.world.clone(), described.bytes);
        let name = (plugin.to_owned(), described.digest);
        put(ledger, VERSIONS, &name, &upload)?;
        self.state().versions.insert(name, upload);
        Ok(())
    }

    /// The same for a configuration.
    pub(crate) fn add_config(
        &self,
        ledger: &Ledger,
        plugin: &str,
        digest: Digest,
        actor: &Actor,
    ) -> Result<(), ServiceError> {
        let name = (plugin.to_owned(), digest);
        if self.state().configs.contains_key(&name) {
            return Ok(());
        }
        let upload = Uploaded::now(ledger, actor, String::new(), 0);
        put(ledger, CONFIGS, &name, &upload)?;
        self.state().configs.insert(name, upload);
        Ok(())
    }

    /// Whether anything of this name was uploaded.
    pub(crate) fn knows(&self, plugin: &str) -> bool {
        self.state().versions.keys().any(|(known, _)| known == plugin)
    }

    pub(crate) fn has_version(&self, plugin: &str, digest: Digest) -> bool {
        self.state().versions.contains_key(&(plugin.to_owned(), digest))
    }

    /// What versions of this name do.
    pub(crate) fn kind_of(&self, plugin: &str) -> Option<PluginKind> {
        self.state().versions.iter().find(|((known, _), _)| known == plugin).map(|(_, upload)| upload.kind())
    }

    /// The version that was uploaded last.
    pub(crate) fn newest_version(&self, plugin: &str) -> Option<Digest> {
        let state = self.state();
        let versions = state.versions.iter().filter(|((known, _), _)| known == plugin);
        versions.max_by_key(|(_, upload)| upload.at_ms).map(|((_, digest), _)| *digest)
    }

    /// The names of all plugins that were uploaded.
    pub(crate) fn names(&self) -> Vec<String> {
        let mut names: Vec<String> = self.state().versions.keys().map(|(name, _)| name.clone()).collect();
        names.dedup();
        names
    }

    /// The uploads of a plugin: versions, then configurations, each in order of time.
    pub(crate) fn uploads_of(&self, plugin: &str) -> [Vec<(Digest, Uploaded)>; 2] {
        let state = self.state();
        [&state.versions, &state.configs].map(|uploads| {
            let of_plugin = uploads.iter().filter(|((known, _), _)| known == plugin);
            let mut found: Vec<_> = of_plugin.map(|((_, digest), upload)| (*digest, upload.clone())).collect();
            found.sort_by_key(|(_, upload)| upload.at_ms);
            found
        })
    }

    /// What was released of a plugin, newest first.
    pub(crate) fn releases_of(&self, plugin: &str) -> Vec<Release> {
        self.state().releases.iter().rev().filter(|release| release.plugin == plugin).cloned().collect()
    }
}

impl State {
    fn add(&mut self, release: Release) -> Result<(), ServiceError> {
        let standing = self.standings.entry(release.slot.clone()).or_default();
        let after = standing.after(release.step, release.pair, release.share_percent);
        *standing = after.ok_or_else(|| damaged("release", &release.number.to_string()))?;
        self.releases.push(release);
        Ok(())
    }
}

fn put(
    ledger: &Ledger,
    topic: &str,
    (plugin, digest): &(String, Digest),
    upload: &Uploaded,
) -> Result<(), ServiceError> {
    let value = serde_json::to_string(upload).map_err(|error| unwritable(&error))?;
    let key = format!("{plugin}/{digest}").into();
    ledger.put_system_record(SystemRecord { topic: topic.into(), key, value: Some(value.into()) })
}

fn damaged(what: &str, key: &str) -> ServiceError {
    ServiceError::Internal { detail: format!("the record {key} of a {what} is damaged") }
}

fn unwritable(error: &serde_json::Error) -> ServiceError {
    ServiceError::Internal { detail: format!("a record of plugins cannot be written: {error}") }
}
