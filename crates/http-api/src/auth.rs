//! Who may call. For now there is the administrator's key; every route but the health checks wants it.

use crate::operation::Access;
use crate::problem::Problem;
use crate::router::Api;
use axum::extract::{FromRequestParts, Request, State};
use axum::http::request::Parts;
use axum::http::{HeaderMap, header};
use axum::middleware::{Next, from_fn_with_state};
use axum::response::{IntoResponse, Response};
use axum::routing::MethodRouter;
use ledger_core::Digest;
use ledger_service::{Caller, Scope};
use std::sync::Arc;
use subtle::{Choice, ConstantTimeEq};

/// The keys that are accepted, by the hashes of their secrets.
#[derive(Clone, Debug)]
pub struct Keys {
    admin: Vec<[u8; 32]>,
    caller: Arc<Caller>,
}

/// What is stored of a secret. Secrets are long and random, so a plain hash is enough: there is nothing to guess.
pub fn hash_of_secret(secret: &str) -> [u8; 32] {
    Digest::of(secret.as_bytes()).0
}

impl Keys {
    /// Accepts these administrator's keys, given by their hashes.
    pub fn of_admins(hashes: Vec<[u8; 32]>) -> Self {
        let caller = Caller { id: "admin".into(), name: "admin".into(), scopes: vec![Scope::Admin], accounts: None };
        Self { admin: hashes, caller: Arc::new(caller) }
    }

    /// Who sends a secret. Compares in constant time, with every key, so that the time tells nothing.
    fn caller(&self, secret: &str) -> Option<Arc<Caller>> {
        let hash = hash_of_secret(secret);
        let found = self.admin.iter().fold(Choice::from(0), |found, known| found | known.as_slice().ct_eq(&hash));
        bool::from(found).then(|| self.caller.clone())
    }
}

/// A route that lets only those pass who may call it; they are known to the handler as [`Known`].
pub(crate) fn guarded(
    handler: MethodRouter<Arc<Api>>,
    api: &Arc<Api>,
    operation: &'static str,
    access: Access,
) -> MethodRouter<Arc<Api>> {
    let guard = Arc::new(Guard { api: api.clone(), operation, access });
    handler.route_layer(from_fn_with_state(guard, guard_request))
}

struct Guard {
    api: Arc<Api>,
    #[allow(dead_code, reason = "the audit names it")]
    operation: &'static str,
    access: Access,
}

async fn guard_request(State(guard): State<Arc<Guard>>, mut request: Request, next: Next) -> Response {
    match guard.admit(&request) {
        Ok(caller) => {
            request.extensions_mut().insert(Known(caller));
            next.run(request).await
        }
        Err(problem) => problem.into_response(),
    }
}

impl Guard {
    fn admit(&self, request: &Request) -> Result<Arc<Caller>, Problem> {
        let secret = bearer(request.headers()).ok_or_else(Problem::unauthenticated)?;
        let caller = self.api.keys.caller(secret).ok_or_else(Problem::unauthenticated)?;
        let Access::Key { scopes: _, about: _ } = self.access else { return Ok(caller) };
        Ok(caller)
    }
}

/// Whoever makes the request.
#[derive(Clone, Debug)]
pub(crate) struct Known(pub(crate) Arc<Caller>);

impl<S: Sync> FromRequestParts<S> for Known {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Problem> {
        parts.extensions.get::<Self>().cloned().ok_or_else(Problem::unauthenticated)
    }
}

fn bearer(headers: &HeaderMap) -> Option<&str> {
    let value = headers.get(header::AUTHORIZATION)?.to_str().ok()?;
    let (scheme, secret) = value.split_once(' ')?;
    scheme.eq_ignore_ascii_case("bearer").then_some(secret.trim())
}
