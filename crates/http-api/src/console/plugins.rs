//! `GET /console/plugins`: the plugins, and what is live of each.

use super::{PLUGINS, console, page, segment};
use crate::html::Viewer;
use crate::problem::Problem;
use crate::router::Api;
use axum::extract::State;
use axum::response::Response;
use ledger_service::ports::PluginKind as Kind;
use ledger_service::{PluginView, ReleasedView, SlotView};
use pages::console::{Demand, Pair, PluginKind, PluginRow, PluginSlot, PluginsView, Released, plugins_page};
use std::sync::Arc;

pub(crate) async fn show(State(api): State<Arc<Api>>, viewer: Viewer) -> Result<Response, Problem> {
    page(&api, viewer, |api, viewer| {
        let rows = api.ledger.plugins().iter().map(row).collect();
        Ok(plugins_page(&console(api, viewer, None), &PluginsView { rows }))
    })
    .await
}

/// Where a plugin's page is.
pub(super) fn address(plugin: &str, below: &str) -> String {
    format!("{PLUGINS}/{}{below}", segment(plugin))
}

fn row(plugin: &PluginView) -> PluginRow {
    PluginRow {
        name: plugin.name.clone(),
        kind: kind_of(plugin.kind),
        slots: plugin.slots.iter().map(slot).collect(),
        uploaded_at: plugin.versions.last().map(|newest| newest.at),
        url: address(&plugin.name, ""),
    }
}

pub(super) fn kind_of(kind: Kind) -> PluginKind {
    match kind {
        Kind::Pricing => PluginKind::Pricing,
        Kind::Throttling => PluginKind::Throttling,
    }
}

pub(super) fn pair((digest, config_digest): ledger_service::Pair) -> Pair {
    Pair { digest, config_digest }
}

pub(super) fn slot(slot: &SlotView) -> PluginSlot {
    let released =
        |view: &ReleasedView| Released { pair: pair((view.digest, view.config_digest)), release: view.release };
    PluginSlot {
        name: slot.name.to_string(),
        live: slot.live.as_ref().map(released),
        share: slot.share.as_ref().map(|(share, percent)| (released(share), *percent)),
        shadow: slot.shadow.map(pair),
        configured: slot.configured.map(pair),
        demands: slot.demands.map(|demand| Demand {
            days: demand.days,
            total_change_e4_max: demand.total_change_e4_max,
            account_change_e4_max: demand.account_change_e4_max,
        }),
    }
}
