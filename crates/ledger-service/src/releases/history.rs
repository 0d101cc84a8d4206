//! What was released: a record for each step, and what follows from all of them for a slot.

use crate::releases::set::Pair;
use ledger_core::{Digest, Timestamp};
use serde::{Deserialize, Serialize};

/// What a step does.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Step {
    /// Live for all accounts.
    Live,
    /// Live for a share of accounts.
    Share,
    /// Prices beside what is live.
    Shadow,
    /// No longer prices beside.
    EndShadow,
    /// Back to what was live before.
    Rollback,
}

impl Step {
    /// All of them with their names on the wire.
    pub const ALL: [(Self, &'static str); 5] = [
        (Self::Live, "live"),
        (Self::Share, "share"),
        (Self::Shadow, "shadow"),
        (Self::EndShadow, "end-shadow"),
        (Self::Rollback, "rollback"),
    ];

    /// Its name on the wire.
    pub fn name(self) -> &'static str {
        Self::ALL.iter().find(|(step, _)| *step == self).map_or("", |(_, name)| name)
    }
}

/// A step that was taken, as it is recorded.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Release {
    /// Counts all steps.
    pub number: u64,
    /// The plugin's name.
    pub plugin: String,
    /// The name of the plugin configuration.
    pub slot: String,
    /// What it did.
    pub step: Step,
    /// What was released; after a rollback what is live, where that is not what the configuration file says.
    pub pair: Option<Pair>,
    /// How many accounts of a hundred, for a share.
    pub share_percent: Option<u32>,
    /// Why.
    pub reason: String,
    /// With which key.
    pub key: String,
    /// What the key is called.
    pub actor: String,
    /// When.
    pub at: Timestamp,
}

/// The record of a step, in the store.
#[derive(Serialize, Deserialize)]
struct Written {
    plugin: String,
    slot: String,
    step: Step,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    digest: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    config_digest: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    share_percent: Option<u32>,
    reason: String,
    key: String,
    actor: String,
    at_ms: i64,
}

impl Release {
    pub(crate) fn write(&self) -> Result<String, serde_json::Error> {
        serde_json::to_string(&Written {
            plugin: self.plugin.clone(),
            slot: self.slot.clone(),
            step: self.step,
            digest: self.pair.map(|(digest, _)| digest.to_string()),
            config_digest: self.pair.map(|(_, config_digest)| config_digest.to_string()),
            share_percent: self.share_percent,
            reason: self.reason.clone(),
            key: self.key.clone(),
            actor: self.actor.clone(),
            at_ms: self.at.millis(),
        })
    }

    /// Reads a record; `None` where it is damaged.
    pub(crate) fn read(number: &str, value: &str) -> Option<Self> {
        let written: Written = serde_json::from_str(value).ok()?;
        let pair = match (&written.digest, &written.config_digest) {
            (Some(digest), Some(config_digest)) => Some((Digest::parse(digest)?, Digest::parse(config_digest)?)),
            (None, None) => None,
            _ => return None,
        };
        Some(Self {
            number: number.parse().ok()?,
            plugin: written.plugin,
            slot: written.slot,
            step: written.step,
            pair,
            share_percent: written.share_percent,
            reason: written.reason,
            key: written.key,
            actor: written.actor,
            at: Timestamp::from_millis(written.at_ms),
        })
    }
}

/// What follows for a slot from the steps that were taken on it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Standing {
    /// What was made live and not rolled back, the newest last; what the configuration file says lies below them.
    lives: Vec<Pair>,
    pub(crate) share: Option<(Pair, u32)>,
    pub(crate) shadow: Option<Pair>,
}

impl Standing {
    /// What is live; `None` for what the configuration file says.
    pub(crate) fn live(&self) -> Option<Pair> {
        self.lives.last().copied()
    }

    /// What is live after a rollback, or `None` where there is nothing to roll back. The newest change goes: the share if
    /// there is one, and else what was made live last.
    pub(crate) fn rolled_back(&self) -> Option<Self> {
        let mut after = self.clone();
        let is_share = after.share.take().is_some();
        (is_share || after.lives.pop().is_some()).then_some(after)
    }

    /// The standing after a step.
    pub(crate) fn after(&self, step: Step, pair: Option<Pair>, share_percent: Option<u32>) -> Option<Self> {
        let mut after = self.clone();
        match (step, pair) {
            (Step::Live, Some(pair)) => {
                after.share = None;
                // What is live is no longer a candidate.
                after.shadow = after.shadow.filter(|shadow| *shadow != pair);
                after.lives.push(pair);
            }
            (Step::Share, Some(pair)) => after.share = Some((pair, share_percent?)),
            (Step::Shadow, Some(pair)) => after.shadow = Some(pair),
            (Step::EndShadow, _) => after.shadow = None,
            (Step::Rollback, _) => return self.rolled_back(),
            (Step::Live | Step::Share | Step::Shadow, None) => return None,
        }
        Some(after)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A pair by a letter.
    fn pair(name: &str) -> Pair {
        (Digest::of(name.as_bytes()), Digest::of(b"{}"))
    }

    #[test]
    fn steps_and_what_follows_from_them() {
        // Steps; what is live, on a share, and in shadow afterwards. A dash is what the file says, or nothing.
        let table = "
            : - - -
            live a: a - -
            live a, live b: b - -
            live a, live b, back: a - -
            live a, live b, back, back: - - -
            share a: - a -
            share a, share b: - b -
            share a, back: - - -
            live a, share b, back: a - -
            live a, share b, live b: b - -
            live a, share b, live b, back: a - -
            live a, share b, live b, back, back: - - -
            shadow a: - - a
            shadow a, live a: a - -
            shadow a, live b: b - a
            shadow a, share b, back: - - a
            shadow a, end: - - -
            live a, live a, back: a - -
        ";
        for line in table.lines().map(str::trim).filter(|line| !line.is_empty()) {
            let (steps, expected) = line.split_once(':').unwrap();
            let mut standing = Standing::default();
            for step in steps.split(", ").filter(|step| !step.is_empty()) {
                let (what, name) = step.split_once(' ').unwrap_or((step, ""));
                let pair = Some(pair(name));
                standing = match what {
                    "live" => standing.after(Step::Live, pair, None),
                    "share" => standing.after(Step::Share, pair, Some(10)),
                    "shadow" => standing.after(Step::Shadow, pair, None),
                    "end" => standing.after(Step::EndShadow, None, None),
                    _ => standing.after(Step::Rollback, None, None),
                }
                .unwrap();
            }
            let name = |found: Option<Pair>| ["a", "b"].into_iter().find(|name| found == Some(pair(name)));
            let (live, share) = (standing.live(), standing.share.map(|(pair, _)| pair));
            let found = [live, share, standing.shadow].map(|found| name(found).unwrap_or("-")).join(" ");
            assert_eq!(found, expected.trim(), "{line}");
        }
        assert_eq!(Standing::default().rolled_back(), None);
        assert_eq!(Standing::default().after(Step::Live, None, None), None);
    }

    #[test]
    fn records_are_read_as_they_were_written() {
        let release = Release {
            number: 7,
            plugin: "per-model-rates".to_owned(),
            slot: "list-prices".to_owned(),
            step: Step::Share,
            pair: Some(pair("a")),
            share_percent: Some(5),
            reason: "new prices".to_owned(),
            key: "key_1".to_owned(),
            actor: "on call".to_owned(),
            at: Timestamp::from_millis(12),
        };
        let written = release.write().unwrap();
        assert_eq!(Release::read("00007", &written), Some(release));
        assert_eq!(Release::read("00007", &written.replace("\"digest\"", "\"other\"")), None);
    }
}
