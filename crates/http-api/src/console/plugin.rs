//! `GET /console/plugins/{name}`: what is live of a plugin, what its shadow found, what was uploaded and released.

use super::plugins::{address, kind_of, pair, slot};
use super::{BACKTESTS, account_url, asked, console, encoded, form, is_fresh, page};
use crate::html::Viewer;
use crate::portal::good;
use crate::problem::Problem;
use crate::router::{Api, Segment};
use crate::wire::credits;
use axum::extract::State;
use axum::http::Uri;
use axum::response::Response;
use ledger_service::{Difference, PluginView as Known, Release, ServiceError, ShadowReport, Step, Upload};
use pages::Notice;
use pages::console::{
    Mode, PluginForms, PluginView, ReleaseRow, ShadowDifference, ShadowSums, ShadowView, UploadRow, plugin_page,
};
use std::collections::BTreeMap;
use std::sync::Arc;

/// Most releases that are shown.
const RELEASES_MAX: usize = 50;
/// Most uploads of a kind that are shown.
const UPLOADS_MAX: usize = 50;
/// Most differences of a shadow that are shown.
const DIFFERENCES_MAX: usize = 20;

/// What can be done with a plugin by a form of its page.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum ByForm {
    Release,
    RollBack,
    EndShadow,
}

impl ByForm {
    /// Where its form is sent.
    pub(super) fn address(self, plugin: &str) -> String {
        address(
            plugin,
            match self {
                Self::Release => "/release",
                Self::RollBack => "/rollback",
                Self::EndShadow => "/end-shadow",
            },
        )
    }
}

pub(crate) async fn show(
    State(api): State<Arc<Api>>,
    viewer: Viewer,
    Segment(name): Segment,
    uri: Uri,
) -> Result<Response, Problem> {
    let step: Option<u64> = asked(&uri, "step").and_then(|step| step.parse().ok());
    page(&api, viewer, move |api, viewer| {
        let known = api.ledger.plugin(&name)?;
        let taken = known.releases.iter().find(|release| Some(release.number) == step);
        let notice = taken.filter(|release| is_fresh(api, release.at)).map(said_of);
        write(api, viewer, &known, None, notice)
    })
    .await
}

/// The page of a plugin of which a form was refused.
pub(super) fn again(
    api: &Api,
    viewer: &Viewer,
    name: &str,
    refused: (ByForm, &[(String, String)]),
    notice: Notice,
) -> Result<String, ServiceError> {
    write(api, viewer, &api.ledger.plugin(name)?, Some(refused), Some(notice))
}

fn said_of(release: &Release) -> Notice {
    let (number, slot) = (release.number, &release.slot);
    good(match (release.step, release.share_percent) {
        (Step::Live, _) => format!("Release {number} is live for {slot}, for all accounts."),
        (Step::Share, percent) => {
            format!("Release {number} is live for {slot}, on {} of a hundred accounts.", percent.unwrap_or(0))
        }
        (Step::Shadow, _) => format!("Release {number} prices beside {slot} from now on, and nobody pays by it."),
        (Step::EndShadow, _) => format!("The shadow of {slot} has ended."),
        (Step::Rollback, _) => format!("{slot} is back to what was live before."),
    })
}

fn write(
    api: &Api,
    viewer: &Viewer,
    known: &Known,
    refused: Option<(ByForm, &[(String, String)])>,
    notice: Option<Notice>,
) -> Result<String, ServiceError> {
    let make = |by: ByForm| {
        let typed = refused.filter(|(refused, _)| *refused == by).map(|(_, typed)| typed);
        Some(form(api, viewer, by.address(&known.name), typed))
    };
    let mut shadows = Vec::new();
    for slot in known.slots.iter().filter(|slot| slot.shadow.is_some()) {
        if let Some((candidate, report)) = api.ledger.shadow_report(&known.name, Some(&slot.name))? {
            shadows.push(shadow(viewer, &slot.name, candidate, &report));
        }
    }
    let uploads = |uploads: &[Upload], has_size: bool| {
        let newest = uploads.iter().rev().take(UPLOADS_MAX);
        newest.map(|upload| upload_row(upload, has_size)).collect::<Vec<_>>()
    };
    let view = PluginView {
        name: known.name.clone(),
        kind: kind_of(known.kind),
        slots: known.slots.iter().map(slot).collect(),
        versions: uploads(&known.versions, true),
        configs: uploads(&known.configs, false),
        releases: known.releases.iter().take(RELEASES_MAX).map(release_row).collect(),
        shadows,
        forms: PluginForms {
            release: make(ByForm::Release),
            roll_back: make(ByForm::RollBack),
            end_shadow: make(ByForm::EndShadow),
        },
        backtest_url: (!known.slots.is_empty()).then(|| format!("{BACKTESTS}?plugin={}#start", encoded(&known.name))),
    };
    Ok(plugin_page(&console(api, viewer, notice), &view))
}

fn upload_row(upload: &Upload, has_size: bool) -> UploadRow {
    UploadRow {
        digest: upload.digest,
        at: upload.at,
        actor: upload.actor.clone(),
        bytes: has_size.then_some(upload.bytes),
    }
}

fn release_row(release: &Release) -> ReleaseRow {
    ReleaseRow {
        number: release.number,
        slot: release.slot.clone(),
        mode: match release.step {
            Step::Live => Mode::Live,
            Step::Share => Mode::Share,
            Step::Shadow => Mode::Shadow,
            Step::EndShadow => Mode::EndShadow,
            Step::Rollback => Mode::Rollback,
        },
        pair: release.pair.map(pair),
        share_percent: release.share_percent,
        reason: release.reason.clone(),
        actor: release.actor.clone(),
        at: release.at,
    }
}

fn shadow(viewer: &Viewer, slot: &str, candidate: ledger_service::Pair, report: &ShadowReport) -> ShadowView {
    ShadowView {
        slot: slot.to_owned(),
        candidate: pair(candidate),
        since: report.since,
        events: report.events,
        same: report.same,
        different: report.different,
        refused: report.refused,
        failed: report.failed,
        dropped: report.dropped,
        live: credits(report.live_micros).0,
        would: credits(report.candidate_micros).0,
        models: sums(&report.models),
        activities: sums(&report.activities),
        differences: report.differences.iter().take(DIFFERENCES_MAX).map(|found| difference(viewer, found)).collect(),
    }
}

fn sums(sums: &BTreeMap<String, ledger_service::ShadowSums>) -> Vec<ShadowSums> {
    let row = |(name, sums): (&String, &ledger_service::ShadowSums)| ShadowSums {
        // Events without a model are under the empty name.
        name: Some(name.clone()).filter(|name| !name.is_empty()),
        events: sums.events,
        live: credits(sums.live_micros).0,
        would: credits(sums.candidate_micros).0,
    };
    sums.iter().map(row).collect()
}

fn difference(viewer: &Viewer, found: &Difference) -> ShadowDifference {
    ShadowDifference {
        account: found.account.to_string(),
        account_url: account_url(viewer, &found.account),
        activity: found.activity.to_string(),
        agent: found.agent.as_deref().map(str::to_owned),
        model: found.model.as_deref().map(str::to_owned),
        at: found.occurred_at,
        usage: found
            .quantities
            .iter()
            .map(|quantity| (quantity.amount.to_string(), quantity.unit.to_string()))
            .collect(),
        live: found.live,
        would: found.candidate.clone(),
    }
}
