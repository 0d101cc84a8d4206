//! Every answer that is no success, in one place: problem details for HTTP APIs (RFC 9457).
//!
//! The matches are exhaustive, without a catch-all: a new refusal does not compile until it has a kind and its members.
//! What the kinds are is in [`kinds`].

pub(crate) mod kinds;

use crate::wire::Percent;
use axum::Extension;
use axum::http::{HeaderMap, HeaderValue, Method, StatusCode, header};
use axum::response::{IntoResponse, Response};
use kinds::Kind;
use ledger_core::Refusal;
use ledger_service::error::FieldProblem;
use ledger_service::{Scope, ServiceError};
use serde_json::{Map, Value, json};
use std::time::Duration;

/// Where the codes are explained; the last segment is the code. A reference without a host, so that it leads to a page of
/// the very server that answered, and to nobody else's.
const TYPE_BASE: &str = "/docs/problems/";

/// A problem, ready to be sent.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Problem {
    pub(crate) kind: &'static Kind,
    pub(crate) detail: String,
    pub(crate) members: Map<String, Value>,
    pub(crate) retry_after_s: Option<u32>,
    /// What only the log may know.
    pub(crate) internal: Option<String>,
}

impl Problem {
    pub(crate) fn new(kind: &'static Kind, detail: impl Into<String>) -> Self {
        Self { kind, detail: detail.into(), members: Map::new(), retry_after_s: None, internal: None }
    }

    fn with(mut self, members: Value) -> Self {
        if let Value::Object(members) = members {
            self.members.extend(members);
        }
        self
    }

    fn retry_after_s(mut self, seconds: u32) -> Self {
        self.retry_after_s = Some(seconds);
        self
    }

    fn internal(mut self, detail: String) -> Self {
        self.internal = Some(detail);
        self
    }

    /// The body.
    pub(crate) fn body(&self) -> Map<String, Value> {
        let mut body = Map::new();
        body.insert("type".into(), format!("{TYPE_BASE}{}", self.kind.code).into());
        body.insert("title".into(), self.kind.title.into());
        body.insert("status".into(), self.kind.status.as_u16().into());
        body.insert("detail".into(), self.detail.as_str().into());
        body.insert("code".into(), self.kind.code.into());
        body.extend(self.members.clone());
        body
    }

    pub(crate) fn unauthenticated() -> Self {
        let detail = "send a key as \"Authorization: Bearer <key>\"";
        Self::new(kinds::UNAUTHENTICATED, detail)
    }

    /// The token of a link counts no more, or never did.
    pub(crate) fn link_expired() -> Self {
        let detail = "the link has expired; open the page again where you found it";
        Self::new(kinds::UNAUTHENTICATED, detail)
    }

    /// The key is good, and not for this.
    pub(crate) fn forbidden_without(scopes: &[Scope]) -> Self {
        let names: Vec<&str> = scopes.iter().map(|scope| scope.name()).collect();
        let detail = format!("the key lacks the scope that this needs: {}", names.join(" or "));
        Self::new(kinds::FORBIDDEN, detail).with(json!({ "scopes": names }))
    }

    /// The key is for some accounts, and this is about all.
    pub(crate) fn forbidden_to_some() -> Self {
        let detail = "the key is for certain accounts, and this concerns all of them";
        Self::new(kinds::FORBIDDEN, detail)
    }

    pub(crate) fn not_found(path: &str) -> Self {
        Self::new(kinds::NOT_FOUND, format!("there is no route {path}"))
    }

    /// Bytes of a plugin's, which are named by their digest.
    pub(crate) fn not_kept(kind: &'static Kind, what: &str, digest: &str) -> Self {
        let detail = format!("no {what} with the digest {digest} is kept here");
        Self::new(kind, detail).with(json!({ "digest": digest }))
    }

    pub(crate) fn method_not_allowed(method: &Method, path: &str) -> Self {
        let detail = format!("{path} does not take {method}; see the Allow header");
        Self::new(kinds::METHOD_NOT_ALLOWED, detail)
    }

    pub(crate) fn payload_too_large(bytes_max: usize) -> Self {
        let detail = format!("the body may have at most {bytes_max} bytes");
        Self::new(kinds::PAYLOAD_TOO_LARGE, detail).with(json!({ "bytes_max": bytes_max }))
    }

    pub(crate) fn request_timeout(time_max: Duration) -> Self {
        let detail = format!("the body did not come within {} seconds", time_max.as_secs_f64());
        Self::new(kinds::REQUEST_TIMEOUT, detail)
    }

    pub(crate) fn unsupported_media_type(taken: &str) -> Self {
        let detail = format!("send the body as {taken}");
        Self::new(kinds::UNSUPPORTED_MEDIA_TYPE, detail)
    }

    pub(crate) fn internal_error(detail: String) -> Self {
        Self::new(kinds::INTERNAL, "nothing was changed; the log says more").internal(detail)
    }
}

/// What an answer tells those who watch beside its body.
#[derive(Clone, Debug)]
pub(crate) struct Failed {
    pub(crate) code: &'static str,
    /// What only the log may know.
    pub(crate) internal: Option<String>,
}

impl From<ServiceError> for Problem {
    fn from(error: ServiceError) -> Self {
        match error {
            ServiceError::Refused(refusal) => refused(refusal),
            ServiceError::Invalid(problems) => invalid(problems),
            ServiceError::Unpriced { model, activity, unit } => {
                let detail = match (&model, &unit) {
                    (_, Some(unit)) => format!("there is no price for the unit {unit} of activity {activity}"),
                    (Some(model), None) => format!("there is no price for the model {model} in activity {activity}"),
                    (None, None) => format!("there is no price for activity {activity} without a model"),
                };
                Self::new(kinds::UNPRICED, detail)
                    .with(json!({ "model": model.as_deref(), "activity": &*activity, "unit": unit.as_deref() }))
            }
            ServiceError::PluginFailed { plugin, digest, failure, detail, cut_off } => {
                let name = failure.name();
                // Rounded up, so that whoever waits for as long finds it called again.
                let seconds =
                    cut_off.map_or(1, |left| u32::try_from(left.as_millis().div_ceil(1000)).unwrap_or(u32::MAX).max(1));
                let text = if cut_off.is_some() {
                    format!(
                        "plugin {plugin} failed most of its calls ({name}) and is cut off for another {seconds} s; nothing \
                         was charged"
                    )
                } else {
                    format!("plugin {plugin} failed ({name}); nothing was charged")
                };
                Self::new(kinds::PLUGIN_FAILED, text)
                    .with(json!({ "plugin": &*plugin, "digest": digest.to_string(), "failure": name }))
                    .retry_after_s(seconds)
                    .internal(detail)
            }
            ServiceError::Throttled { policy, reason, retry_after_ms } => {
                Self::new(kinds::THROTTLED, format!("{policy}: {reason}"))
                    .with(json!({ "policy": &*policy, "reason": &*reason, "retry_after_ms": retry_after_ms }))
                    .retry_after_s(retry_after_ms.div_ceil(1000).max(1))
            }
            ServiceError::PluginRejected { plugin, reason, failure } => {
                let problem = Self::new(kinds::PLUGIN_REJECTED, reason).with(json!({ "plugin": &*plugin }));
                match failure {
                    Some(failure) => problem.with(json!({ "failure": failure.name() })),
                    None => problem,
                }
            }
            ServiceError::VersionNotFound { plugin, digest } => {
                Self::new(kinds::PLUGIN_NOT_FOUND, format!("{plugin} has no component or configuration {digest}"))
                    .with(json!({ "plugin": &*plugin, "digest": digest.to_string() }))
            }
            ServiceError::NothingToRollBack { slot } => {
                let detail = format!("nothing was released for {slot} that could be taken back");
                Self::new(kinds::NOTHING_TO_ROLL_BACK, detail).with(json!({ "plugin_config": &*slot }))
            }
            ServiceError::BacktestMissing { slot, demand, reason } => {
                let detail = format!("{slot} demands a backtest that passed: {reason}");
                let percent = |e4: Option<u32>| e4.map(|e4| Percent(e4).to_string());
                Self::new(kinds::BACKTEST_REQUIRED, detail).with(json!({
                    "plugin_config": &*slot,
                    "reason": reason,
                    "days": demand.days,
                    "total_change_percent_max": percent(demand.total_change_e4_max),
                    "account_change_percent_max": percent(demand.account_change_e4_max),
                }))
            }
            ServiceError::PaymentNotBegun { provider, detail } => {
                Self::new(kinds::PAYMENT_NOT_BEGUN, format!("{provider} did not begin the payment; nothing was bought"))
                    .with(json!({ "provider": &*provider }))
                    .retry_after_s(1)
                    .internal(detail)
            }
            ServiceError::NotFound { what, id } => {
                Self::new(not_found_kind(what), format!("no {what} has the id {id}")).with(json!({ what: id }))
            }
            ServiceError::ChargeNotFound { charge } => {
                Self::new(kinds::CHARGE_NOT_FOUND, format!("no charge has the id {charge}"))
                    .with(json!({ "charge": charge }))
            }
            ServiceError::AccountNotYetOpened { account, opened_at } => Self::new(
                kinds::ACCOUNT_NOT_FOUND,
                format!("account {account} was opened at {opened_at}, after the time asked for"),
            )
            .with(json!({ "account": &*account, "opened_at": opened_at.to_string() })),
            ServiceError::MaintenanceRunning { work } => Self::new(
                kinds::MAINTENANCE_RUNNING,
                format!("a {work} is running, and one runs at a time; try again when it has ended"),
            )
            .with(json!({ "work": work })),
            ServiceError::Overloaded => {
                Self::new(kinds::OVERLOADED, "nothing was changed; try again after Retry-After").retry_after_s(1)
            }
            ServiceError::StorageUnavailable { detail } => Self::new(
                kinds::STORAGE_UNAVAILABLE,
                "send the same request again, with the same key, after Retry-After",
            )
            .retry_after_s(1)
            .internal(detail),
            ServiceError::Internal { detail } => Self::internal_error(detail),
        }
    }
}

fn refused(refusal: Refusal) -> Problem {
    match refusal {
        Refusal::InsufficientCredits { required, available } => {
            let shortfall = required.checked_sub(available).unwrap_or_default();
            Problem::new(
                kinds::INSUFFICIENT_CREDITS,
                format!("{required} credits are required and {available} are available: {shortfall} are missing"),
            )
            .with(json!({
                "required": required.to_string(),
                "available": available.to_string(),
                "shortfall": shortfall.to_string(),
            }))
        }
        Refusal::AccountSuspended => {
            Problem::new(kinds::ACCOUNT_SUSPENDED, "nothing can be spent until the account is active again")
        }
        Refusal::AccountNotFound { account } => {
            Problem::new(kinds::ACCOUNT_NOT_FOUND, crate::fields::no_such_account(&account))
                .with(json!({ "account": &*account }))
        }
        Refusal::IdempotencyMismatch { first_seen_at } => Problem::new(
            kinds::IDEMPOTENCY_MISMATCH,
            "a key or id stands for one request; use a new one for another request",
        )
        .with(json!({ "first_seen_at": first_seen_at.to_string() })),
        Refusal::EventTooOld { oldest } => Problem::new(
            kinds::EVENT_TOO_OLD,
            format!("events are taken from {oldest} on, since keys are not kept for longer"),
        )
        .with(json!({ "oldest": oldest.to_string() })),
        Refusal::EventInFuture { newest } => {
            Problem::new(kinds::EVENT_IN_FUTURE, format!("events are taken up to {newest}; check the sender's clock"))
                .with(json!({ "newest": newest.to_string() }))
        }
        Refusal::PlanChangeNeedsSubscription { plan } => Problem::new(
            kinds::PLAN_CHANGE_NEEDS_SUBSCRIPTION,
            format!("the account is on plan {plan}; its plan changes through its subscription"),
        )
        .with(json!({ "plan": &*plan })),
        Refusal::GrantEndsBeforeEffect { effective_at, expires_at } => invalid(vec![FieldProblem {
            field: "expires_at".into(),
            reason: format!("must be after the grant takes effect at {effective_at}, and is {expires_at}"),
        }]),
        Refusal::PlanNotFound { plan } => {
            invalid(vec![FieldProblem { field: "plan".into(), reason: format!("no plan is named {plan:?}") }])
        }
        Refusal::CycleLengthDiffers { plan } => invalid(vec![FieldProblem {
            field: "restart_cycle".into(),
            reason: format!("{plan} has cycles of another length, so that a change now must begin a new one"),
        }]),
        Refusal::HoldClosed { status, closed_at } => {
            Problem::new(kinds::HOLD_CLOSED, format!("the hold is {} since {closed_at}", status.name()))
                .with(json!({ "hold_status": status.name(), "closed_at": closed_at.to_string() }))
        }
        Refusal::HoldNotOpen { .. } => Problem::new(kinds::HOLD_NOT_FOUND, "no hold of this id is open"),
        Refusal::ExceedsHold { requested, settled, held, available } => Problem::new(
            kinds::EXCEEDS_HOLD,
            format!(
                "{requested} credits are asked for in all; {settled} are settled, {held} are set aside and {available} \
                 are free, which the hold's on_excess does not take"
            ),
        )
        .with(json!({
            "requested": requested.to_string(),
            "settled": settled.to_string(),
            "held": held.to_string(),
            "available": available.to_string(),
        })),
        Refusal::UsageDecreased { previous, stated } => Problem::new(
            kinds::USAGE_DECREASED,
            format!("totals of a hold only grow until the final one: {previous} credits before, {stated} now"),
        )
        .with(json!({ "previous": previous.to_string(), "stated": stated.to_string() })),
        Refusal::RefundExceedsCharge { charged, refunded, requested } => Problem::new(
            kinds::REFUND_EXCEEDS_CHARGE,
            format!("{charged} credits were charged and {refunded} given back; {requested} more are too many"),
        )
        .with(json!({
            "charged": charged.to_string(),
            "refunded": refunded.to_string(),
            "requested": requested.to_string(),
        })),
        Refusal::RefundExceedsPurchase { paid, refunded, requested, currency } => Problem::new(
            kinds::REFUND_EXCEEDS_PURCHASE,
            format!("{paid} {currency} were paid and {refunded} have gone back; {requested} more are too many"),
        )
        .with(json!({
            "paid": paid.to_string(),
            "refunded": refunded.to_string(),
            "requested": requested.to_string(),
            "currency": &*currency,
        })),
        Refusal::GrantNotFound { .. } => Problem::new(kinds::GRANT_NOT_FOUND, "no grant has this id"),
        Refusal::GrantSpent { .. } => Problem::new(
            kinds::GRANT_SPENT,
            "it is spent, has expired, or was voided before; a deduction takes other credits",
        ),
        Refusal::AmountOutOfRange => invalid(vec![FieldProblem {
            field: "credits".into(),
            reason: "a sum of the account would exceed 9000000000000 credits".into(),
        }]),
    }
}

fn invalid(problems: Vec<FieldProblem>) -> Problem {
    let named = |p: &FieldProblem| {
        if p.field.is_empty() { p.reason.clone() } else { format!("{}: {}", p.field, p.reason) }
    };
    let detail = problems.iter().map(named).collect::<Vec<_>>().join("; ");
    let errors: Vec<Value> = problems.into_iter().map(|p| json!({ "field": p.field, "reason": p.reason })).collect();
    Problem::new(kinds::INVALID_REQUEST, detail).with(json!({ "errors": errors }))
}

/// The kind of what is not there, by what was looked for.
fn not_found_kind(what: &str) -> &'static Kind {
    kinds::of_code(&format!("{what}-not-found")).unwrap_or(kinds::NOT_FOUND)
}

impl IntoResponse for Problem {
    fn into_response(self) -> Response {
        let mut headers = HeaderMap::new();
        headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/problem+json"));
        if let Some(seconds) = self.retry_after_s {
            headers.insert(header::RETRY_AFTER, HeaderValue::from(seconds));
        }
        if self.kind.status == StatusCode::UNAUTHORIZED {
            headers.insert(header::WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"));
        }
        let body = Value::Object(self.body()).to_string();
        let failed = Failed { code: self.kind.code, internal: self.internal };
        (self.kind.status, headers, Extension(failed), body).into_response()
    }
}
