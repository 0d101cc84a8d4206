//! Who may call. For now there is the administrator's key; every route but the health checks wants it.

use crate::problem::Problem;
use crate::router::Api;
use axum::extract::{Request, State};
use axum::http::{HeaderMap, header};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use ledger_core::Digest;
use std::sync::Arc;
use subtle::{Choice, ConstantTimeEq};

/// The keys that are accepted, by the hashes of their secrets.
#[derive(Clone, Debug, Default)]
pub struct Keys {
    admin: Vec<[u8; 32]>,
}

/// What is stored of a secret. Secrets are long and random, so a plain hash is enough: there is nothing to guess.
pub fn hash_of_secret(secret: &str) -> [u8; 32] {
    Digest::of(secret.as_bytes()).0
}

impl Keys {
    /// Accepts these administrator's keys, given by their hashes.
    pub fn of_admins(hashes: Vec<[u8; 32]>) -> Self {
        Self { admin: hashes }
    }

    /// Compares in constant time, with every key, so that the time tells nothing.
    fn accepts(&self, secret: &str) -> bool {
        let hash = hash_of_secret(secret);
        let found = self.admin.iter().fold(Choice::from(0), |found, known| found | known.as_slice().ct_eq(&hash));
        found.into()
    }
}

/// Lets a request pass that carries an accepted key.
pub(crate) async fn require_key(State(api): State<Arc<Api>>, request: Request, next: Next) -> Response {
    match bearer(request.headers()) {
        Some(secret) if api.keys.accepts(secret) => next.run(request).await,
        _ => Problem::unauthenticated().into_response(),
    }
}

fn bearer(headers: &HeaderMap) -> Option<&str> {
    let value = headers.get(header::AUTHORIZATION)?.to_str().ok()?;
    let (scheme, secret) = value.split_once(' ')?;
    scheme.eq_ignore_ascii_case("bearer").then_some(secret.trim())
}
