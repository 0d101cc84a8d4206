//! `GET /console`, and `GET /console/live.json`: how the service is doing, in numbers that move.

use super::{HOME, PLUGINS, WEBHOOKS, console, may};
use crate::html::{Html, Viewer, see_other};
use crate::observe::Seen;
use crate::problem::Problem;
use crate::router::{Api, blocking};
use crate::wire::{Shown, credits, json};
use axum::Extension;
use axum::extract::State;
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use ledger_core::{Amount, Timestamp};
use ledger_service::{Scope, ServiceError};
use pages::Tone;
use pages::console::{Attention, EVERY_MS, Live, OverviewView, POINTS_MAX, overview_page};
use serde::Serialize;
use std::sync::Arc;

/// Over how many seconds each point is: as often as the script asks.
const STEP_SECONDS: u64 = EVERY_MS / 1000;

pub(crate) async fn show(
    State(api): State<Arc<Api>>,
    viewer: Viewer,
    Extension(seen): Extension<Arc<Seen>>,
) -> Result<Response, Problem> {
    // Where the console begins, for those who operate plugins alone.
    if !may(&viewer, Scope::Read) {
        return Ok(see_other(PLUGINS));
    }
    let text = blocking(move || {
        let view = OverviewView {
            live: numbers(&api, &seen),
            recent_e3: seen.measures.pulse.rates_e3(STEP_SECONDS, POINTS_MAX),
            live_url: Some(format!("{HOME}/live.json")),
            attention: attention(&api, &viewer)?,
        };
        Ok(overview_page(&console(&api, &viewer, None), &view))
    });
    Ok(Html(text.await?).into_response())
}

fn numbers(api: &Api, seen: &Seen) -> Live {
    let ledger = &api.ledger;
    let pulse = &seen.measures.pulse;
    let (queue, queue_max) = ledger.waiting();
    let sums = ledger.open_holds();
    let count = |number: i64| u64::try_from(number).unwrap_or(0);
    let age_ms = i64::try_from(pulse.age().as_millis()).unwrap_or(0);
    Live {
        charges_per_second_e3: pulse.rates_e3(STEP_SECONDS, 1).last().copied().unwrap_or(0),
        p99_us: pulse.p99_us(),
        queue: u64::try_from(queue).unwrap_or(0),
        queue_max: u64::try_from(queue_max).unwrap_or(0),
        last_checkpoint: api.maintenance.as_ref().and_then(|maintenance| maintenance.last_checkpoint()),
        open_holds: sums.map(|sums| count(sums.holds)),
        held: sums.map(|sums| credits(sums.held_micros).0),
        accounts: sums.map(|sums| count(sums.accounts)),
        started_at: ledger.now().plus_millis(-age_ms),
        version: env!("CARGO_PKG_VERSION").to_owned(),
        is_ready: ledger.is_ready(),
    }
}

/// What somebody should look at, the most urgent first.
fn attention(api: &Api, viewer: &Viewer) -> Result<Vec<Attention>, ServiceError> {
    let ledger = &api.ledger;
    let mut list = Vec::new();
    if !ledger.is_ready() {
        let text = "No request is taken: the store is being reopened, or the server is shutting down.";
        list.push(Attention { tone: Tone::Bad, text: text.to_owned(), url: None });
    }
    let is_broken = |counted: &ledger_service::Counted| {
        counted.inconsistent_accounts > 0 || counted.difference != ledger_service::Sums::default()
    };
    if ledger.last_count().as_ref().is_some_and(is_broken) {
        let text = "The last count of all accounts contradicts what was kept. The log says which; verify the ledger.";
        list.push(Attention { tone: Tone::Bad, text: text.to_owned(), url: None });
    }
    if may(viewer, Scope::Admin) {
        for endpoint in ledger.webhooks_list()? {
            let url = Some(format!("{WEBHOOKS}/{}", endpoint.id));
            let dead = ledger.delivery_figures(&endpoint.id)?.dead;
            let (tone, text) = match (&endpoint.disabled, endpoint.failing_since, dead) {
                (Some(_), ..) => (Tone::Bad, format!("Nothing is sent to {} any more.", endpoint.url)),
                (None, Some(_), _) => (Tone::Warning, format!("Nothing arrives at {}.", endpoint.url)),
                (None, None, 1..) => (Tone::Warning, format!("Deliveries to {} were given up: {dead}.", endpoint.url)),
                (None, None, 0) => continue,
            };
            list.push(Attention { tone, text, url });
        }
    }
    list.sort_by_key(|item| item.tone != Tone::Bad);
    Ok(list)
}

/// The numbers, for the script of the page.
#[derive(Serialize)]
struct LiveAnswer {
    charges_per_second: Shown<Amount>,
    p99_ms: Option<Shown<Amount>>,
    queue: u64,
    open_holds: Option<u64>,
    held: Option<Shown<Amount>>,
    accounts: Option<u64>,
    last_checkpoint: Option<Shown<Timestamp>>,
    started_at: Shown<Timestamp>,
    version: String,
    ready: bool,
}

/// Thousandths as a decimal.
fn thousandths(number_e3: u64) -> Shown<Amount> {
    credits(i128::from(number_e3) * 1000)
}

pub(crate) async fn live(State(api): State<Arc<Api>>, Extension(seen): Extension<Arc<Seen>>) -> Response {
    let numbers = numbers(&api, &seen);
    let answer = LiveAnswer {
        charges_per_second: thousandths(numbers.charges_per_second_e3),
        p99_ms: numbers.p99_us.map(thousandths),
        queue: numbers.queue,
        open_holds: numbers.open_holds,
        held: numbers.held.map(Shown),
        accounts: numbers.accounts,
        last_checkpoint: numbers.last_checkpoint.map(Shown),
        started_at: Shown(numbers.started_at),
        version: numbers.version,
        ready: numbers.is_ready,
    };
    let mut response = json(StatusCode::OK, &answer);
    response.headers_mut().insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    response
}
