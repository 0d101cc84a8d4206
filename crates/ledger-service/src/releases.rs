//! Plugins in operation: versions and configurations that are uploaded, and what is released of them.
//!
//! A release names the bytes of a component and of a configuration by their digests, under a name that rate cards and
//! policies know: a plugin configuration. What ships is in the configuration file; what is released while the service runs
//! wins over it, is recorded with who, when and why, and outlives restarts. Making a release ready takes seconds and
//! happens beside the traffic; it takes effect between two requests, in one step.

mod book;
mod history;
mod set;
mod shadow;
mod views;

pub use history::{Release, Step};
pub use set::{Binding, Pair, PlanRules, Policy, Releases, Share, Slot};
pub use shadow::{Difference, Shadow, ShadowReport, Sums};
pub use views::{PluginView, ReleasedView, SlotView, Upload};

pub(crate) use book::ReleaseBook;

use crate::breaker::Guarded;
use crate::error::{FieldProblem, ServiceError};
use crate::ledger::Ledger;
use crate::measured::Measured;
use crate::notices::NoticeKind;
use crate::ports::throttling::ThrottlingPlugin;
use crate::ports::{ConfigFormat, Described, PluginKind, PluginLibrary, PricingPlugin, Unfit};
use history::Standing;
use ledger_core::Digest;
use serde_json::json;
use std::collections::BTreeSet;
use std::sync::Arc;
use tokio::sync::OwnedMutexGuard;

/// The longest name of a plugin.
const NAME_BYTES_MAX: usize = 100;

/// Who does something, for the record.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Actor {
    /// The id of the key.
    pub key: String,
    /// What the key is called.
    pub name: String,
}

/// Something to be released.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ReleaseInput {
    /// The plugin's name.
    pub plugin: String,
    /// The name of the plugin configuration; needed where several are of the plugin.
    pub slot: Option<String>,
    /// The component; what is live where there is none.
    pub digest: Option<Digest>,
    /// The configuration; what is live where there is none.
    pub config_digest: Option<Digest>,
    /// For whom.
    pub mode: ReleaseMode,
    /// Why.
    pub reason: String,
    /// Who.
    pub actor: Actor,
}

/// For whom something is released.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ReleaseMode {
    /// For all accounts.
    Live,
    /// For so many accounts of a hundred.
    Share(u32),
    /// For none: it prices beside.
    Shadow,
}

/// A plugin as it is called: measured, and cut off where it fails most of the time.
pub fn watched_pricing(name: &Arc<str>, plugin: Arc<dyn PricingPlugin>) -> Binding<dyn PricingPlugin> {
    let measured: Arc<dyn PricingPlugin> = Arc::new(Measured::new(name, plugin));
    Binding { name: name.clone(), plugin: Arc::new(Guarded::new(name.clone(), measured)), shadow: None }
}

/// The same for one that throttles.
pub fn watched_throttling(name: &Arc<str>, plugin: Arc<dyn ThrottlingPlugin>) -> Binding<dyn ThrottlingPlugin> {
    let measured: Arc<dyn ThrottlingPlugin> = Arc::new(Measured::new(name, plugin));
    Binding { name: name.clone(), plugin: Arc::new(Guarded::new(name.clone(), measured)), shadow: None }
}

impl Ledger {
    /// Takes a version of a plugin: describes it, tries it with the configurations that are live, and keeps its bytes for
    /// ever.
    pub async fn upload_version(
        self: &Arc<Self>,
        plugin: &str,
        component: impl AsRef<[u8]> + Send + 'static,
        actor: &Actor,
    ) -> Result<Described, ServiceError> {
        check_name(plugin)?;
        let (plugin, actor) = (plugin.to_owned(), actor.clone());
        self.trying(move |ledger| ledger.try_version(&plugin, component.as_ref(), &actor)).await
    }

    /// Takes a configuration of a plugin, checks it with a version of it (what is live, where none is named), and keeps its
    /// bytes for ever.
    pub async fn upload_config(
        self: &Arc<Self>,
        plugin: &str,
        text: &str,
        format: ConfigFormat,
        version: Option<Digest>,
        actor: &Actor,
    ) -> Result<Digest, ServiceError> {
        check_name(plugin)?;
        let (plugin, text, actor) = (plugin.to_owned(), text.to_owned(), actor.clone());
        self.trying(move |ledger| ledger.try_config(&plugin, &text, format, version, &actor)).await
    }

    /// Does what tries a plugin, and blocks for as long as that takes. One at a time: those that wait hold no thread, since
    /// there are not enough of them for everybody who may wait.
    pub(crate) async fn trying<R: Send + 'static>(
        self: &Arc<Self>,
        work: impl FnOnce(&Arc<Self>) -> Result<R, ServiceError> + Send + 'static,
    ) -> Result<R, ServiceError> {
        let turn = self.releases_book().trying.clone().lock_owned().await;
        let ledger = self.clone();
        let tried = tokio::task::spawn_blocking(move || {
            // It goes on where whoever asked waits no longer, and is still one at a time.
            let _turn = turn;
            work(&ledger)
        });
        tried.await.map_err(|_| ServiceError::Internal { detail: "trying a plugin panicked".to_owned() })?
    }

    fn try_version(&self, plugin: &str, component: &[u8], actor: &Actor) -> Result<Described, ServiceError> {
        let library = self.needed_library()?;
        let described = library.describe(component).map_err(|unfit| rejected(plugin, unfit))?;
        let known = self.releases_book().kind_of(plugin).or_else(|| self.releases().kind_of(plugin));
        if let Some(known) = known.filter(|known| *known != described.kind) {
            return Err(ServiceError::PluginRejected {
                plugin: plugin.into(),
                reason: format!(
                    "{plugin} is a plugin for {}, and this component is one for {}",
                    known.name(),
                    described.kind.name()
                ),
                failure: None,
            });
        }
        library.keep_component(component)?;
        // A new version may want another configuration: it is refused for what it does, not for what it does not take.
        let configs: BTreeSet<Digest> =
            self.releases().pairs_of(plugin).map(|(_, config_digest)| config_digest).collect();
        for config_digest in configs {
            match library.try_out(described.digest, config_digest) {
                Ok(()) | Err(Unfit::Config(_)) => {}
                Err(unfit) => return Err(rejected(plugin, unfit)),
            }
        }
        self.releases_book().add_version(self, plugin, &described, actor)?;
        Ok(described)
    }

    /// What [`Ledger::upload_config`] does once it is its turn.
    pub(crate) fn try_config(
        &self,
        plugin: &str,
        text: &str,
        format: ConfigFormat,
        version: Option<Digest>,
        actor: &Actor,
    ) -> Result<Digest, ServiceError> {
        let library = self.needed_library()?;
        let json = library.read_config(text, format).map_err(|unfit| rejected(plugin, unfit))?;
        let live = || self.releases().pairs_of(plugin).next().map(|(digest, _)| digest);
        let version = version.or_else(live).or_else(|| self.releases_book().newest_version(plugin));
        let Some(version) = version else {
            return Err(ServiceError::NotFound { what: "plugin", id: plugin.to_owned() });
        };
        self.must_have_version(plugin, version)?;
        let digest = library.keep_config(json.as_bytes())?;
        library.try_out(version, digest).map_err(|unfit| rejected(plugin, unfit))?;
        self.releases_book().add_config(self, plugin, digest, actor)?;
        Ok(digest)
    }

    /// Releases a version with a configuration. Returns once it is in effect; requests that have begun before end with what
    /// they began with.
    pub async fn release(self: &Arc<Self>, input: ReleaseInput) -> Result<Release, ServiceError> {
        let book = self.releases_book();
        let changing = book.changing.clone().lock_owned().await;
        let slot = self.slot_of(&input.plugin, input.slot.as_deref())?;
        let set = self.releases();
        let live = set.live_pair(&slot);
        let missing = |member: &str| {
            ServiceError::field(member, format!("is required: nothing is live for {slot} whose {member} could stay"))
        };
        let digest = input.digest.or(live.map(|(digest, _)| digest)).ok_or_else(|| missing("digest"))?;
        let config_digest =
            input.config_digest.or(live.map(|(_, digest)| digest)).ok_or_else(|| missing("config_digest"))?;
        self.must_have_version(&input.plugin, digest)?;
        let (step, share_percent) = match input.mode {
            ReleaseMode::Live => (Step::Live, None),
            ReleaseMode::Share(percent) => (Step::Share, Some(percent)),
            ReleaseMode::Shadow => (Step::Shadow, None),
        };
        let pair = (digest, config_digest);
        if step != Step::Shadow {
            self.must_have_passed(&slot, pair)?;
        }
        let standing = book.standing(&slot).after(step, Some(pair), share_percent);
        let standing = standing.ok_or_else(|| ServiceError::field("mode", "does not go with what is sent"))?;
        let release = self.step(&input.plugin, &slot, step, Some(pair), input.reason, input.actor);
        self.change(changing, Release { share_percent, ..release }, standing, Some(pair)).await
    }

    /// Goes back to what was live before: ends the share, or takes back what was made live last.
    pub async fn roll_back(
        self: &Arc<Self>,
        plugin: &str,
        slot: Option<&str>,
        reason: String,
        actor: Actor,
    ) -> Result<Release, ServiceError> {
        let book = self.releases_book();
        let changing = book.changing.clone().lock_owned().await;
        let slot = self.slot_of(plugin, slot)?;
        let standing = book.standing(&slot).rolled_back();
        let standing = standing.ok_or_else(|| ServiceError::NothingToRollBack { slot: slot.clone() })?;
        if standing.live().is_none() && !self.releases().is_configured(&slot) {
            return Err(ServiceError::NothingToRollBack { slot });
        }
        let release = self.step(plugin, &slot, Step::Rollback, standing.live(), reason, actor);
        self.change(changing, release, standing, None).await
    }

    /// Ends a shadow. Returns `None` where there is none.
    pub async fn end_shadow(
        self: &Arc<Self>,
        plugin: &str,
        slot: Option<&str>,
        reason: String,
        actor: Actor,
    ) -> Result<Option<Release>, ServiceError> {
        let book = self.releases_book();
        let changing = book.changing.clone().lock_owned().await;
        let slot = self.slot_of(plugin, slot)?;
        let standing = book.standing(&slot);
        let (Some(pair), Some(after)) = (standing.shadow, standing.after(Step::EndShadow, None, None)) else {
            return Ok(None);
        };
        let release = self.step(plugin, &slot, Step::EndShadow, Some(pair), reason, actor);
        self.change(changing, release, after, None).await.map(Some)
    }

    fn step(
        &self,
        plugin: &str,
        slot: &Arc<str>,
        step: Step,
        pair: Option<Pair>,
        reason: String,
        actor: Actor,
    ) -> Release {
        Release {
            number: 0,
            plugin: plugin.to_owned(),
            slot: slot.to_string(),
            step,
            pair,
            share_percent: None,
            reason,
            key: actor.key,
            actor: actor.name,
            at: self.now(),
        }
    }

    /// Makes what follows from a step ready beside the traffic, records the step, and puts it into effect. Nobody else
    /// changes anything before that has ended, also where whoever asked for it waits no longer.
    async fn change(
        self: &Arc<Self>,
        changing: OwnedMutexGuard<()>,
        release: Release,
        standing: Standing,
        to_try: Option<Pair>,
    ) -> Result<Release, ServiceError> {
        let ledger = self.clone();
        let changed = tokio::task::spawn_blocking(move || {
            let _one_at_a_time = changing;
            if let Some((digest, config_digest)) = to_try {
                let tried = ledger.needed_library()?.try_out(digest, config_digest);
                tried.map_err(|unfit| rejected(&release.plugin, unfit))?;
            }
            let next = ledger.with_standing(&ledger.releases(), &release.slot, &standing)?;
            let release = ledger.releases_book().add(&ledger, release, standing)?;
            ledger.set_releases(next);
            ledger.tell_of(&release);
            Ok(release)
        });
        changed.await.map_err(|_| ServiceError::Internal { detail: "making a release ready panicked".to_owned() })?
    }

    /// What is live once a slot stands so. Plugins that are live already are taken as they are.
    fn with_standing(&self, set: &Releases, slot: &str, standing: &Standing) -> Result<Releases, ServiceError> {
        let mut next = set.clone();
        if let Some(known) = next.prices.get_mut(slot) {
            let shadow = standing.shadow.map(|pair| self.shadow_of(known, pair)).transpose()?;
            known.restand(standing, |name, pair| {
                let plugin = self.needed_library()?.pricing(pair.0, pair.1)?;
                plugin.map(|plugin| watched_pricing(name, plugin)).ok_or_else(|| not_kept(name, pair))
            })?;
            known.in_shadow_of(shadow.as_ref());
        } else if let Some(known) = next.throttles.get_mut(slot) {
            if standing.shadow.is_some() {
                return Err(ServiceError::field("mode", "must be live or share: a policy decides by its own counts"));
            }
            known.restand(standing, |name, pair| {
                let plugin = self.needed_library()?.throttling(pair.0, pair.1)?;
                plugin.map(|plugin| watched_throttling(name, plugin)).ok_or_else(|| not_kept(name, pair))
            })?;
        }
        Ok(next)
    }

    /// The shadow of a slot by a candidate: the one that runs where it is of this candidate, and else a new one.
    fn shadow_of(&self, slot: &Slot<dyn PricingPlugin>, pair: Pair) -> Result<Arc<Shadow>, ServiceError> {
        let running = slot.bindings().find_map(|binding| binding.shadow.as_ref());
        if let Some(running) = running.filter(|running| running.pair() == pair) {
            return Ok(running.clone());
        }
        let name = &slot.plugin;
        let plugin = self.needed_library()?.pricing(pair.0, pair.1)?.ok_or_else(|| not_kept(name, pair))?;
        // Its failures are its own: neither measures nor the breaker of what is live know of them.
        let started = Shadow::start(pair, plugin, self.now());
        started.map_err(|error| ServiceError::Internal { detail: format!("a shadow's thread cannot start: {error}") })
    }

    /// Puts what was released while earlier processes ran into effect: at the start, before anybody asks.
    pub(crate) fn resume_releases(&self) -> Result<(), ServiceError> {
        let mut set = (*self.releases()).clone();
        for (slot, standing) in self.releases_book().standings() {
            if !set.has_slot(&slot) {
                tracing::warn!(
                    slot,
                    "what was released for this plugin configuration rests: no configuration names it"
                );
                continue;
            }
            set = self.with_standing(&set, &slot, &standing)?;
            if let Some((digest, config_digest)) = standing.live() {
                tracing::warn!(
                    slot, %digest, %config_digest,
                    "a release is live in place of what the configuration file says; a rollback goes back to it"
                );
            }
        }
        self.set_releases(set);
        Ok(())
    }

    /// What a shadow found so far; `None` where there is none.
    pub fn shadow_report(
        &self,
        plugin: &str,
        slot: Option<&str>,
    ) -> Result<Option<(Pair, ShadowReport)>, ServiceError> {
        let slot = self.slot_of(plugin, slot)?;
        let set = self.releases();
        let shadow = set.prices.get(&slot).and_then(|slot| slot.live.as_ref()).and_then(|live| live.shadow.clone());
        Ok(shadow.map(|shadow| (shadow.pair(), shadow.report())))
    }

    /// The plugin configuration that a release is for.
    pub(crate) fn slot_of(&self, plugin: &str, named: Option<&str>) -> Result<Arc<str>, ServiceError> {
        let set = self.releases();
        let slots = set.slots_of(plugin);
        let list = || slots.iter().map(|slot| &**slot).collect::<Vec<_>>().join(", ");
        match (named, &slots[..]) {
            (_, []) if self.releases_book().knows(plugin) => Err(ServiceError::field(
                "plugin_config",
                format!(
                    "no plugin configuration is of {plugin}; add one to the configuration file, and a rule that uses it"
                ),
            )),
            (_, []) => Err(ServiceError::NotFound { what: "plugin", id: plugin.to_owned() }),
            (None, [only]) => Ok(only.clone()),
            (None, _) => Err(ServiceError::field("plugin_config", format!("is required: {plugin} has {}", list()))),
            (Some(named), _) => slots.iter().find(|slot| &***slot == named).cloned().ok_or_else(|| {
                ServiceError::field("plugin_config", format!("{plugin} has none of this name; it has {}", list()))
            }),
        }
    }

    pub(crate) fn must_have_version(&self, plugin: &str, digest: Digest) -> Result<(), ServiceError> {
        let is_live = self.releases().pairs_of(plugin).any(|(known, _)| known == digest);
        if is_live || self.releases_book().has_version(plugin, digest) {
            return Ok(());
        }
        Err(ServiceError::VersionNotFound { plugin: plugin.into(), digest })
    }

    pub(crate) fn needed_library(&self) -> Result<&dyn PluginLibrary, ServiceError> {
        self.library().ok_or_else(|| ServiceError::Internal { detail: "there is no library of plugins".to_owned() })
    }

    /// Tells endpoints that want to know. A notice that cannot be written leaves the release as it is.
    fn tell_of(&self, release: &Release) {
        let data = json!({
            "plugin": release.plugin,
            "plugin_config": release.slot,
            "mode": release.step.name(),
            "digest": release.pair.map(|(digest, _)| digest.to_string()),
            "config_digest": release.pair.map(|(_, config_digest)| config_digest.to_string()),
            "share_percent": release.share_percent,
            "reason": release.reason,
            "actor": release.actor,
        });
        let id = format!("nt_release_{}", release.number);
        if let Err(error) = self.tell(&id, NoticeKind::ReleaseChanged, data) {
            tracing::error!(?error, "endpoints could not be told of a release");
        }
    }
}

/// A name that can stand in a path and a file: a plugin's.
fn check_name(plugin: &str) -> Result<(), ServiceError> {
    let is_allowed = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_');
    if plugin.is_empty() || plugin.len() > NAME_BYTES_MAX || !plugin.bytes().all(is_allowed) {
        let rule = format!("must be 1 to {NAME_BYTES_MAX} of A-Z a-z 0-9 - _");
        return Err(ServiceError::field("name", rule));
    }
    Ok(())
}

/// The component is known where this is asked, so that it is the configuration which is not there.
fn not_kept(plugin: &Arc<str>, (_, config_digest): Pair) -> ServiceError {
    ServiceError::VersionNotFound { plugin: plugin.clone(), digest: config_digest }
}

/// What the library says against an upload.
fn rejected(plugin: &str, unfit: Unfit) -> ServiceError {
    match unfit {
        Unfit::Component(reason) => ServiceError::PluginRejected { plugin: plugin.into(), reason, failure: None },
        Unfit::Failed(failure, reason) => {
            ServiceError::PluginRejected { plugin: plugin.into(), reason, failure: Some(failure) }
        }
        Unfit::Config(problems) => {
            let problem = |(path, reason): (String, String)| FieldProblem { field: path, reason };
            ServiceError::Invalid(problems.into_iter().map(problem).collect())
        }
        Unfit::NotKept(digest) => ServiceError::VersionNotFound { plugin: plugin.into(), digest },
        Unfit::Error(error) => error,
    }
}

impl PluginKind {
    fn name(self) -> &'static str {
        match self {
            Self::Pricing => "pricing",
            Self::Throttling => "throttling",
        }
    }
}
