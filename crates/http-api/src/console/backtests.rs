//! `GET /console/backtests`: those under way, what came of others, and the next one.

use super::account_acts::day;
use super::once::once;
use super::plugins::pair;
use super::{BACKTESTS, asked, console, form, is_fresh, notice_of, page, refused};
use crate::acts::mark;
use crate::auth::made;
use crate::fields::{number_in, text};
use crate::html::{PageForm, Viewer, see_other};
use crate::json::Json;
use crate::plugins::{actor, digest};
use crate::portal::good;
use crate::problem::Problem;
use crate::router::Api;
use axum::extract::State;
use axum::http::Uri;
use axum::response::Response;
use ledger_core::calendar::{UTC, start_of_day};
use ledger_core::ids::is_account_id;
use ledger_service::{Backtest, BacktestInput, BacktestStatus, PluginView, ServiceError, Upload};
use pages::Notice;
use pages::console::{
    BacktestRow, BacktestStanding, BacktestTarget, BacktestsView, Progress, StartBacktest, backtests_page,
};
use std::borrow::Cow;
use std::sync::Arc;

/// Most accounts that a backtest may name, as over the interface.
const ACCOUNTS_MAX: usize = 1000;
/// Most backtests that are shown; no more than a few are remembered.
const ROWS_MAX: usize = 100;

pub(crate) async fn show(State(api): State<Arc<Api>>, viewer: Viewer, uri: Uri) -> Result<Response, Problem> {
    let (plugin, about) = (asked(&uri, "plugin"), asked(&uri, "backtest"));
    page(&api, viewer, move |api, viewer| {
        let known = about.and_then(|id| api.ledger.backtest(&id).ok()).filter(|known| is_fresh(api, known.created_at));
        let notice = known.map(|known| match known.status {
            BacktestStatus::Cancelled => good("The backtest was called off."),
            _ => good("The backtest was asked for. How far it has come is below."),
        });
        Ok(write(api, viewer, plugin.as_deref(), None, notice))
    })
    .await
}

fn write(
    api: &Api,
    viewer: &Viewer,
    plugin: Option<&str>,
    typed: Option<&[(String, String)]>,
    notice: Option<Notice>,
) -> String {
    let plugins = api.ledger.plugins();
    let chosen = plugins.iter().find(|known| Some(known.name.as_str()) == plugin);
    let view = BacktestsView {
        rows: api.ledger.backtest_list().iter().take(ROWS_MAX).map(row).collect(),
        cancel: Some(form(api, viewer, format!("{BACKTESTS}/cancel"), None)),
        start: Some(StartBacktest {
            form: form(api, viewer, format!("{BACKTESTS}/start"), typed),
            targets: plugins.iter().filter(|known| !known.slots.is_empty()).map(target).collect(),
            chosen: chosen.and_then(|known| known.slots.first()).map(|slot| slot.name.to_string()),
        }),
    };
    backtests_page(&console(api, viewer, notice), &view)
}

fn target(plugin: &PluginView) -> BacktestTarget {
    let uploads = |uploads: &[Upload]| uploads.iter().rev().map(|upload| (upload.digest, upload.at)).collect();
    BacktestTarget {
        plugin: plugin.name.clone(),
        slots: plugin.slots.iter().map(|slot| slot.name.to_string()).collect(),
        versions: uploads(&plugin.versions),
        configs: uploads(&plugin.configs),
    }
}

fn row(backtest: &Backtest) -> BacktestRow {
    let failure = |error: &ServiceError| Problem::from(error.clone()).detail;
    BacktestRow {
        id: backtest.id.to_string(),
        plugin: backtest.plugin.to_string(),
        slot: backtest.slot.to_string(),
        candidate: pair(backtest.pair),
        from: backtest.from,
        to: backtest.to,
        accounts: backtest.accounts.as_ref().and_then(|accounts| u64::try_from(accounts.len()).ok()),
        reason: backtest.reason.clone(),
        actor: backtest.actor.name.clone(),
        created_at: backtest.created_at,
        standing: match backtest.status {
            BacktestStatus::Waiting => BacktestStanding::Waiting,
            BacktestStatus::Running => BacktestStanding::Running,
            BacktestStatus::Done => BacktestStanding::Done,
            BacktestStatus::Cancelled => BacktestStanding::Cancelled,
            BacktestStatus::Failed => {
                BacktestStanding::Failed(backtest.problem.as_ref().map(failure).unwrap_or_default())
            }
        },
        progress: Progress {
            accounts_done: backtest.accounts_done,
            accounts_total: backtest.accounts_total,
            charges_done: backtest.charges_done,
        },
        report_url: backtest.report.is_some().then(|| format!("/v1/backtests/{}", backtest.id)),
    }
}

/// Reads ids of accounts with commas or spaces between.
pub(super) fn accounts(value: Json<'_>) -> Result<Vec<Arc<str>>, String> {
    let Json::Text(listed) = value else { return Err("must be ids of accounts, with commas between".to_owned()) };
    let mut ids: Vec<Arc<str>> = Vec::new();
    for id in listed.split([',', ';', ' ']).filter(|id| !id.is_empty()) {
        if !is_account_id(id) {
            return Err(format!("must be ids of accounts with commas between, and {id:?} is none"));
        }
        if ids.iter().all(|known| **known != *id) {
            ids.push(id.into());
        }
    }
    if (1..=ACCOUNTS_MAX).contains(&ids.len()) { Ok(ids) } else { Err(format!("must be 1 to {ACCOUNTS_MAX} ids")) }
}

/// `POST /console/backtests/start`
pub(crate) async fn start(State(api): State<Arc<Api>>, form: PageForm) -> Result<Response, Problem> {
    let mut fields = form.fields();
    let slot = fields.required("plugin_config", |value| text(value).map(Cow::into_owned));
    let version = fields.optional("digest", digest);
    let config_digest = fields.optional("config_digest", digest);
    let named = fields.optional("accounts", accounts);
    let (from, to) = (fields.optional("from", day), fields.optional("to", day));
    let cpu_percent = fields.optional("cpu_percent", number_in(1..=100));
    let reason = fields.required("reason", |value| text(value).map(Cow::into_owned));
    let read = fields.finish();
    let by = actor(&form.viewer.caller);
    let act = async {
        read?;
        let has_slot = |known: &PluginView| known.slots.iter().any(|own| *own.name == *slot);
        let plugin = api.ledger.plugins().into_iter().find(has_slot);
        let none = || ServiceError::field("plugin_config", format!("no plugin configuration is named {slot:?}"));
        let input = BacktestInput {
            plugin: plugin.ok_or_else(none)?.name,
            slot: Some(slot.clone()),
            digest: version,
            config_digest,
            config: None,
            // Days of the page's zone, the last of them counted whole.
            from: from.map(|day| start_of_day(UTC, day)),
            to: to.map(|day| start_of_day(UTC, day.saturating_add(1))),
            accounts: named,
            cpu_percent,
            reason,
            actor: by,
        };
        api.ledger.start_backtest(input).await.map(|backtest| backtest.id.to_string())
    };
    match once(&api, &form, "start a backtest", act).await {
        Ok(came) => {
            let mut response = made(see_other(&format!("{BACKTESTS}?backtest={}", came.id)), &came.id);
            mark(&mut response, came.replay);
            Ok(response)
        }
        Err(error) => {
            let notice = notice_of(error)?;
            let typed = form.typed().to_vec();
            refused(&api, form.viewer, move |api, viewer| Ok(write(api, viewer, None, Some(&typed), Some(notice))))
                .await
        }
    }
}

/// `POST /console/backtests/cancel`
pub(crate) async fn cancel(State(api): State<Arc<Api>>, form: PageForm) -> Result<Response, Problem> {
    let mut fields = form.fields();
    let id = fields.required("backtest", |value| text(value).map(Cow::into_owned));
    let done = fields.finish().and_then(|()| api.ledger.cancel_backtest(&id));
    match done {
        Ok(backtest) => Ok(made(see_other(&format!("{BACKTESTS}?backtest={}", backtest.id)), &backtest.id)),
        Err(error) => {
            let notice = notice_of(error)?;
            refused(&api, form.viewer, move |api, viewer| Ok(write(api, viewer, None, None, Some(notice)))).await
        }
    }
}
