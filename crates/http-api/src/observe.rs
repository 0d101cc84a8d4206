//! What is seen of each request from outside its handler: its id, how long it took, what came of it. Measures go to the
//! `metrics` facade, and nowhere where the program has no recorder; handles are made once for each operation. Nothing of
//! what was sent is logged but the id of the request and of the key.

mod pulse;

use crate::charges::IDEMPOTENCY_HIT;
use crate::problem::{Failed, Problem};
use crate::request_id::{RequestId, X_REQUEST_ID};
use axum::extract::{Request, State};
use axum::http::StatusCode;
use axum::middleware::Next;
use axum::response::Response;
use ledger_service::Caller;
use metrics::{Counter, Gauge, Histogram, counter, gauge, histogram};
use metrics::{describe_counter, describe_gauge, describe_histogram};
use pulse::Pulse;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, LazyLock, OnceLock, PoisonError, RwLock};
use std::time::{Duration, Instant};
use tracing::Instrument;

/// What belongs to no operation is measured under this route.
const NO_ROUTE: &str = "none";

/// The statuses for which an operation keeps a handle. Others are looked up by name: they do not come often.
const STATUSES: [u16; 20] =
    [200, 201, 202, 204, 303, 400, 401, 402, 403, 404, 405, 408, 409, 413, 415, 422, 429, 431, 500, 503];

/// What all operations share.
pub(crate) struct Measures {
    in_flight: Gauge,
    replays: Counter,
    /// One for each code that was met so far; codes are texts of the program's own.
    refusals: RwLock<Vec<(&'static str, Counter)>>,
    failures_logged: Throttle,
    /// The last few minutes, for the operator's overview.
    pub(crate) pulse: Pulse,
}

impl Measures {
    pub(crate) fn new() -> Self {
        describe_histogram!(
            "purser_http_request_duration_seconds",
            "Time until a request was answered; a stream's answer begins with its first line"
        );
        describe_gauge!("purser_http_requests_in_flight", "Requests that are being answered");
        describe_counter!("purser_idempotent_replays_total", "Answers that were given again under their key");
        describe_counter!("purser_refusals_total", "Requests, and items of batches, that were refused, by code");
        Self {
            in_flight: gauge!("purser_http_requests_in_flight"),
            replays: counter!("purser_idempotent_replays_total"),
            refusals: RwLock::default(),
            failures_logged: Throttle::default(),
            pulse: Pulse::new(),
        }
    }

    /// Counts a refusal, or some.
    pub(crate) fn refused(&self, code: &'static str) {
        let known = |refusals: &[(&'static str, Counter)]| {
            let found = refusals.iter().find(|(known, _)| *known == code);
            found.map(|(_, counter)| counter.increment(1)).is_some()
        };
        if known(&self.refusals.read().unwrap_or_else(PoisonError::into_inner)) {
            return;
        }
        let mut refusals = self.refusals.write().unwrap_or_else(PoisonError::into_inner);
        if !known(&refusals) {
            let counter = counter!("purser_refusals_total", "code" => code);
            counter.increment(1);
            refusals.push((code, counter));
        }
    }

    /// Counts answers given again.
    pub(crate) fn replayed(&self, answers: u64) {
        self.replays.increment(answers);
    }
}

/// One operation, as it is watched.
pub(crate) struct Watched {
    measures: Arc<Measures>,
    method: &'static str,
    route: &'static str,
    by_status: [OnceLock<Histogram>; STATUSES.len()],
    charges: Charges,
}

/// What an operation has to do with charges.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Charges {
    /// Nothing.
    None,
    /// A success is one.
    One,
    /// It says how many it made.
    Many,
    /// A success is one, of a call that goes on or ends: how long it takes is another measure.
    OfHold,
}

impl Charges {
    fn of(method: &str, route: &str) -> Self {
        match (method, route) {
            ("POST", "/v1/charges") => Self::One,
            ("POST", "/v1/charges/batch") => Self::Many,
            ("POST", "/v1/holds/{hold}/settle") => Self::OfHold,
            _ => Self::None,
        }
    }
}

impl Watched {
    pub(crate) fn new(measures: &Arc<Measures>, method: &'static str, route: &'static str) -> Arc<Self> {
        Arc::new(Self {
            measures: measures.clone(),
            method,
            route,
            by_status: [const { OnceLock::new() }; STATUSES.len()],
            charges: Charges::of(method, route),
        })
    }

    /// What comes to no operation.
    pub(crate) fn strays(measures: &Arc<Measures>) -> Arc<Self> {
        Self::new(measures, NO_ROUTE, NO_ROUTE)
    }

    fn record(&self, status: StatusCode, took: Duration) {
        let histogram = || {
            histogram!("purser_http_request_duration_seconds",
                "method" => self.method, "route" => self.route, "status" => status.as_u16().to_string())
        };
        match STATUSES.binary_search(&status.as_u16()) {
            Ok(place) => self.by_status[place].get_or_init(histogram).record(took),
            Err(_) => histogram().record(took),
        }
    }

    /// Counts what was charged; a replay charged nothing.
    fn count_charges(&self, status: StatusCode, is_replay: bool, took: Duration) {
        let pulse = &self.measures.pulse;
        if self.charges == Charges::None || !status.is_success() {
            return;
        }
        if self.charges != Charges::Many && !is_replay {
            pulse.charged(1);
        }
        if self.charges != Charges::OfHold {
            pulse.answered(took);
        }
    }

    /// One line for a request: an error where it failed here, and otherwise only for who asks for everything.
    fn log(&self, seen: &Seen, status: StatusCode, took: Duration, failed: Option<&Failed>) {
        let key = || seen.caller.get().map(|caller| &*caller.id);
        let duration_ms = took.as_secs_f64() * 1e3;
        let (method, route, request_id) = (self.method, self.route, seen.id.as_str());
        if status.is_server_error() {
            let code = failed.map(|failed| failed.code);
            let detail = failed.and_then(|failed| failed.internal.as_deref());
            // When everything fails, the log must not be what fills the disk.
            if let Some(left_out) = self.measures.failures_logged.admit() {
                tracing::error!(
                    method,
                    route,
                    status = status.as_u16(),
                    duration_ms,
                    request_id,
                    key = key(),
                    code,
                    detail,
                    left_out,
                    "request failed"
                );
            }
        } else {
            tracing::debug!(method, route, status = status.as_u16(), duration_ms, request_id, key = key(), "request");
        }
    }
}

/// What is known of a request while it is answered.
pub(crate) struct Seen {
    pub(crate) id: RequestId,
    /// Whoever makes it, once the guard knows.
    pub(crate) caller: OnceLock<Arc<Caller>>,
    pub(crate) measures: Arc<Measures>,
}

impl Seen {
    /// Notes that an item of a batch was refused, or failed here.
    pub(crate) fn item_refused(&self, problem: &Problem) {
        self.measures.refused(problem.kind.code);
        if let Some(internal) = &problem.internal
            && let Some(left_out) = self.measures.failures_logged.admit()
        {
            let (request_id, code) = (self.id.as_str(), problem.kind.code);
            tracing::error!(request_id, code, detail = internal, left_out, "an item of a batch failed");
        }
    }
}

/// Counts a request as under way, until it is answered or its caller has gone away.
struct UnderWay<'a>(&'a Gauge);

impl<'a> UnderWay<'a> {
    fn begin(gauge: &'a Gauge) -> Self {
        gauge.increment(1);
        Self(gauge)
    }
}

impl Drop for UnderWay<'_> {
    fn drop(&mut self) {
        self.0.decrement(1);
    }
}

pub(crate) async fn watch(State(watched): State<Arc<Watched>>, mut request: Request, next: Next) -> Response {
    let began = Instant::now();
    let measures = &watched.measures;
    let _under_way = UnderWay::begin(&measures.in_flight);
    let id = RequestId::of(request.headers());
    let seen = Arc::new(Seen { id, caller: OnceLock::new(), measures: measures.clone() });
    request.extensions_mut().insert(seen.clone());
    let answering = next.run(request);
    let mut response = if tracing::enabled!(tracing::Level::DEBUG) {
        answering.instrument(tracing::debug_span!("request", request_id = seen.id.as_str())).await
    } else {
        answering.await
    };
    response.headers_mut().insert(X_REQUEST_ID, seen.id.header());
    let is_replay = response.headers().contains_key(IDEMPOTENCY_HIT);
    if is_replay {
        measures.replayed(1);
    }
    let failed = response.extensions_mut().remove::<Failed>();
    if let Some(failed) = &failed {
        measures.refused(failed.code);
    }
    let took = began.elapsed();
    watched.record(response.status(), took);
    watched.count_charges(response.status(), is_replay, took);
    watched.log(&seen, response.status(), took, failed.as_ref());
    response
}

/// Lets so many lines through in a second, and counts the others.
#[derive(Debug, Default)]
struct Throttle {
    /// The second that is running, and the lines let through in it.
    admitted: AtomicU64,
    left_out: AtomicU64,
}

const LINES_PER_SECOND: u64 = 10;

impl Throttle {
    /// `None` where the line is to be left out; otherwise how many were, since the last one that was not.
    fn admit(&self) -> Option<u64> {
        static START: LazyLock<Instant> = LazyLock::new(Instant::now);
        self.admit_in(START.elapsed().as_secs())
    }

    fn admit_in(&self, second: u64) -> Option<u64> {
        // Both in one number, so that no lock is needed: a second that has ended is worth nothing.
        let next = |admitted: u64| match (admitted >> 8, admitted & 0xff) {
            (running, lines) if running == second => (lines < LINES_PER_SECOND).then_some(admitted + 1),
            _ => Some(second << 8 | 1),
        };
        match self.admitted.fetch_update(Ordering::Relaxed, Ordering::Relaxed, next) {
            Ok(_) => Some(self.left_out.swap(0, Ordering::Relaxed)),
            Err(_) => {
                self.left_out.fetch_add(1, Ordering::Relaxed);
                None
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_beyond_the_bound_are_counted_and_left_out() {
        let throttle = Throttle::default();
        let admitted: Vec<Option<u64>> = (0..12).map(|_| throttle.admit_in(7)).collect();
        assert_eq!(admitted, [vec![Some(0); 10], vec![None; 2]].concat());
        assert_eq!(throttle.admit_in(8), Some(2));
        assert_eq!(throttle.admit_in(8), Some(0));
    }

    #[test]
    fn statuses_are_found() {
        assert!(STATUSES.is_sorted());
    }
}
