//! What there is of plugins, for whoever operates them.

use crate::backtest::BacktestDemand;
use crate::error::ServiceError;
use crate::ledger::Ledger;
use crate::ports::{Plugin, PluginKind};
use crate::releases::history::Release;
use crate::releases::set::{Binding, Pair, Releases, Slot};
use ledger_core::{Digest, Timestamp};
use std::collections::BTreeSet;
use std::sync::Arc;

/// A plugin.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PluginView {
    /// Its name.
    pub name: String,
    /// What it does.
    pub kind: PluginKind,
    /// The plugin configurations that are of it.
    pub slots: Vec<SlotView>,
    /// The versions that were uploaded, in order of time.
    pub versions: Vec<Upload>,
    /// The configurations that were uploaded, in order of time.
    pub configs: Vec<Upload>,
    /// What was released of it, newest first.
    pub releases: Vec<Release>,
}

/// What is released for a plugin configuration.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SlotView {
    /// Its name.
    pub name: Arc<str>,
    /// What is live; `None` before the first release.
    pub live: Option<ReleasedView>,
    /// What is live on a share of accounts, and on how many of a hundred.
    pub share: Option<(ReleasedView, u32)>,
    /// What prices beside.
    pub shadow: Option<Pair>,
    /// What the configuration file says.
    pub configured: Option<Pair>,
    /// The backtest that something must have passed before it is released for accounts.
    pub demands: Option<BacktestDemand>,
}

/// A version with a configuration that is live.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ReleasedView {
    /// The component.
    pub digest: Digest,
    /// Its configuration.
    pub config_digest: Digest,
    /// The release that made it live; `None` where it is what the configuration file says.
    pub release: Option<u64>,
}

/// Something that was uploaded.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Upload {
    /// The digest of its bytes.
    pub digest: Digest,
    /// When it came first.
    pub at: Timestamp,
    /// With which key.
    pub key: String,
    /// What the key is called.
    pub actor: String,
    /// Its size, for a version.
    pub bytes: usize,
}

impl Ledger {
    /// All plugins, by name.
    pub fn plugins(&self) -> Vec<PluginView> {
        let set = self.releases();
        let mut names: BTreeSet<String> = self.releases_book().names().into_iter().collect();
        names.extend(set.plugin_names());
        names.iter().filter_map(|name| self.view(&set, name)).collect()
    }

    /// One of them.
    pub fn plugin(&self, name: &str) -> Result<PluginView, ServiceError> {
        let missing = || ServiceError::NotFound { what: "plugin", id: name.to_owned() };
        self.view(&self.releases(), name).ok_or_else(missing)
    }

    fn view(&self, set: &Releases, name: &str) -> Option<PluginView> {
        let book = self.releases_book();
        let kind = set.kind_of(name).or_else(|| book.kind_of(name))?;
        let releases = book.releases_of(name);
        let slots = set.slots_of(name).into_iter().filter_map(|slot| {
            let shadow = book.standing(&slot).shadow;
            let price = set.prices.get(&slot).map(|found| view_of(&slot, found, shadow, &releases));
            price.or_else(|| set.throttles.get(&slot).map(|found| view_of(&slot, found, shadow, &releases)))
        });
        let [versions, configs] = book.uploads_of(name).map(|uploads| {
            let upload = |(digest, upload): (Digest, super::book::Uploaded)| Upload {
                digest,
                at: upload.at(),
                key: upload.key,
                actor: upload.actor,
                bytes: upload.bytes,
            };
            uploads.into_iter().map(upload).collect()
        });
        Some(PluginView { name: name.to_owned(), kind, slots: slots.collect(), versions, configs, releases })
    }
}

fn view_of<T: Plugin + ?Sized>(
    name: &Arc<str>,
    slot: &Slot<T>,
    shadow: Option<Pair>,
    releases: &[Release],
) -> SlotView {
    let released = |binding: &Binding<T>, steps: &[super::Step]| {
        let pair = binding.pair();
        let made = releases
            .iter()
            .find(|release| release.slot == **name && release.pair == Some(pair) && steps.contains(&release.step));
        ReleasedView { digest: pair.0, config_digest: pair.1, release: made.map(|release| release.number) }
    };
    SlotView {
        name: name.clone(),
        live: slot.live.as_ref().map(|live| released(live, &[super::Step::Live, super::Step::Rollback])),
        share: slot.share.as_ref().map(|share| (released(&share.binding, &[super::Step::Share]), share.percent)),
        shadow,
        configured: slot.configured.as_ref().map(Binding::pair),
        demands: slot.demands,
    }
}
