//! The guard before every operation: who calls, with which scope, and whose data it is about. An account that a caller's
//! key does not name does not exist for them.

use crate::admission::Admission;
use crate::idempotent;
use crate::observe::Seen;
use crate::operation::{About, Access, Operation};
use crate::problem::Problem;
use crate::router::Api;
use axum::extract::{FromRequestParts, RawPathParams, Request, State};
use axum::http::request::Parts;
use axum::http::{HeaderMap, Method, header};
use axum::middleware::{Next, from_fn_with_state};
use axum::response::{IntoResponse, Response};
use axum::routing::MethodRouter;
use ledger_core::{Id, IdKind, Refusal};
use ledger_service::{Caller, ServiceError};
use std::sync::Arc;

mod audit;

pub(crate) use audit::{because, made};

/// The cookie that holds a portal token.
pub(crate) const PORTAL_COOKIE: &str = "purser_portal";
/// The cookie that holds an operator's session.
pub(crate) const SESSION_COOKIE: &str = "purser_session";

/// Puts the guard before an operation; behind it the handler knows the caller as [`Known`].
pub(crate) fn guarded(operation: Operation, api: &Arc<Api>, admission: &Arc<Admission>) -> MethodRouter<Arc<Api>> {
    let Operation { method, id, access, keeps_answers, is_page, handler, .. } = operation;
    let Access::Key { scopes, about } = access else { return handler };
    let handler = if keeps_answers {
        handler.route_layer(from_fn_with_state((api.clone(), id), idempotent::keep))
    } else {
        handler
    };
    let audited = audit::is_audited(&method, scopes, id);
    let guard =
        Guard { admission: admission.clone(), api: api.clone(), operation: id, scopes, about, audited, is_page };
    handler.route_layer(from_fn_with_state(Arc::new(guard), guard_request))
}

struct Guard {
    admission: Arc<Admission>,
    api: Arc<Api>,
    operation: &'static str,
    scopes: &'static [ledger_service::Scope],
    about: About,
    audited: bool,
    is_page: bool,
}

async fn guard_request(State(guard): State<Arc<Guard>>, request: Request, next: Next) -> Response {
    // Held until there is an answer; what streams is bounded by its own.
    let _admitted = match guard.admission.request(guard.api.limits.requests_max) {
        Ok(admitted) => admitted,
        Err(problem) => return problem.into_response(),
    };
    let (mut parts, body) = request.into_parts();
    parts.extensions.insert(guard.admission.clone());
    let (caller, sent) = match guard.admit(&mut parts).await {
        Ok(admitted) => admitted,
        Err(problem) => return problem.into_response(),
    };
    parts.extensions.insert(Known(caller.clone()));
    if let Some(sent) = sent {
        parts.extensions.insert(sent);
    }
    if let Some(seen) = parts.extensions.get::<Arc<Seen>>() {
        // Set once, since a request passes one guard.
        let _ = seen.caller.set(caller.clone());
    }
    if !guard.audited {
        return next.run(Request::from_parts(parts, body)).await;
    }
    let act = audit::Act::begin(&guard, &caller, &mut parts).await;
    let response = next.run(Request::from_parts(parts, body)).await;
    act.end(&guard.api.ledger, response).await
}

impl Guard {
    async fn admit(&self, parts: &mut Parts) -> Result<(Arc<Caller>, Option<Sent>), Problem> {
        if let Some(secret) = bearer(&parts.headers) {
            let caller = self.api.ledger.keyring().caller(secret).ok_or_else(Problem::unauthenticated)?;
            let sent = self.is_page.then(|| Sent::new(secret));
            self.let_in(&caller, parts).await?;
            return Ok((caller, sent));
        }
        let mut refused = None;
        for (caller, sent) in self.by_cookies(parts) {
            match self.let_in(&caller, parts).await {
                Ok(()) => return Ok((caller, Some(sent))),
                Err(problem) => drop(refused.get_or_insert(problem)),
            }
        }
        Err(refused.unwrap_or_else(Problem::unauthenticated))
    }

    async fn let_in(&self, caller: &Caller, parts: &mut Parts) -> Result<(), Problem> {
        if !caller.has(self.scopes) {
            return Err(Problem::forbidden_without(self.scopes));
        }
        if caller.accounts.is_none() {
            return Ok(());
        }
        match self.about {
            About::Nobody | About::Named => Ok(()),
            About::Everybody => Err(Problem::forbidden_to_some()),
            About::Account => {
                let account = path_param(parts, "account").await.unwrap_or_default();
                Ok(must_see(caller, &account)?)
            }
            About::Identifier => self.must_see_owner(caller, parts).await,
        }
    }

    /// Whoever it may be by what a browser has in cookies: a portal token, and where support staff look at a customer's page
    /// their session too. Cookies come along with whatever another site makes the browser send, so that they are taken for
    /// reading, and for the forms of pages, which prove where they come from (see [`crate::html::PageForm`]).
    fn by_cookies(&self, parts: &Parts) -> Vec<(Arc<Caller>, Sent)> {
        let keyring = self.api.ledger.keyring();
        let is_for_cookies = self.is_page || parts.method == Method::GET;
        if !is_for_cookies || parts.headers.contains_key(header::AUTHORIZATION) {
            return Vec::new();
        }
        // Nobody gets into the console by a customer's link, and whoever has one is to be asked for a key there.
        let is_for_portal = !parts.uri.path().starts_with("/console");
        let portal = cookie(&parts.headers, PORTAL_COOKIE).filter(|_| is_for_portal);
        let portal = portal.map(|token| (keyring.portal_caller(token), token));
        let session = cookie(&parts.headers, SESSION_COOKIE).map(|token| (keyring.session_caller(token), token));
        let known = [portal, session].into_iter().flatten();
        known.filter_map(|(caller, token)| Some((caller?, Sent::new(token)))).collect()
    }

    /// A charge or hold of an account that the caller does not see is answered as one that does not exist.
    async fn must_see_owner(&self, caller: &Caller, parts: &mut Parts) -> Result<(), Problem> {
        for (name, kind) in [("charge", IdKind::Charge), ("hold", IdKind::Hold)] {
            let Some(text) = path_param(parts, name).await else { continue };
            let owner = match Id::parse(&text).filter(|id| id.kind == kind) {
                Some(id) => self.api.ledger.account_of(id.account)?,
                None => None,
            };
            if owner.is_some_and(|owner| caller.sees(&owner.id)) {
                return Ok(());
            }
            return Err(match kind {
                IdKind::Charge => ServiceError::ChargeNotFound { charge: text },
                _ => ServiceError::NotFound { what: "hold", id: text },
            }
            .into());
        }
        Err(Problem::internal_error("the path of a guarded operation has no identifier".to_owned()))
    }
}

async fn path_param(parts: &mut Parts, wanted: &str) -> Option<String> {
    let params = RawPathParams::from_request_parts(parts, &()).await.ok()?;
    params.iter().find(|(name, _)| *name == wanted).map(|(_, value)| value.to_owned())
}

fn must_see(caller: &Caller, account: &str) -> Result<(), ServiceError> {
    if caller.sees(account) { Ok(()) } else { Err(Refusal::AccountNotFound { account: account.into() }.into()) }
}

/// The secret with which the caller was let in; forms of pages are bound to it.
#[derive(Clone)]
pub(crate) struct Sent(pub(crate) Arc<str>);

impl Sent {
    fn new(secret: &str) -> Self {
        Self(secret.into())
    }
}

/// Whoever makes the request.
#[derive(Clone, Debug)]
pub(crate) struct Known(pub(crate) Arc<Caller>);

impl Known {
    /// Refuses what is about an account that does not exist for the caller.
    pub(crate) fn must_see(&self, account: &str) -> Result<(), ServiceError> {
        must_see(&self.0, account)
    }
}

impl<S: Sync> FromRequestParts<S> for Known {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Problem> {
        parts.extensions.get::<Self>().cloned().ok_or_else(Problem::unauthenticated)
    }
}

/// What is sent as `Authorization: Bearer` (RFC 6750, section 2.1).
pub(crate) fn bearer(headers: &HeaderMap) -> Option<&str> {
    let value = headers.get(header::AUTHORIZATION)?.to_str().ok()?;
    let (scheme, secret) = value.split_once(' ')?;
    scheme.eq_ignore_ascii_case("bearer").then_some(secret.trim())
}

/// The value of a cookie.
pub(crate) fn cookie<'a>(headers: &'a HeaderMap, wanted: &str) -> Option<&'a str> {
    let lines = headers.get_all(header::COOKIE).iter().filter_map(|line| line.to_str().ok());
    let mut cookies = lines.flat_map(|line| line.split(';')).filter_map(|pair| pair.trim().split_once('='));
    cookies.find(|(name, _)| *name == wanted).map(|(_, value)| value)
}
