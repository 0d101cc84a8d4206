//! The bytes of plugins and configurations that price and throttle, or once did, for whoever wants to execute a charge
//! again. They are kept by their digests alone, so the digest decides what is served, whatever the name.

use crate::problem::{Problem, kinds};
use crate::router::{Api, blocking};
use axum::extract::{FromRequestParts, Path, State};
use axum::http::header::CONTENT_TYPE;
use axum::http::request::Parts;
use axum::response::{IntoResponse, Response};
use ledger_core::Digest;
use std::sync::Arc;

pub(crate) async fn component(State(api): State<Arc<Api>>, Named(digest): Named) -> Result<Response, Problem> {
    let missing = || Problem::not_kept(kinds::PLUGIN_NOT_FOUND, "component", &digest);
    let wanted = Digest::parse(&digest).ok_or_else(missing)?;
    let bytes = blocking(move || api.ledger.component_bytes(wanted)).await?.ok_or_else(missing)?;
    Ok(([(CONTENT_TYPE, "application/wasm")], bytes).into_response())
}

pub(crate) async fn config(State(api): State<Arc<Api>>, Named(digest): Named) -> Result<Response, Problem> {
    let missing = || Problem::not_kept(kinds::CONFIG_NOT_FOUND, "configuration", &digest);
    let wanted = Digest::parse(&digest).ok_or_else(missing)?;
    let bytes = blocking(move || api.ledger.config_bytes(wanted)).await?.ok_or_else(missing)?;
    Ok(([(CONTENT_TYPE, "application/json")], bytes).into_response())
}

/// The digest of the path.
pub(crate) struct Named(String);

impl FromRequestParts<Arc<Api>> for Named {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, api: &Arc<Api>) -> Result<Self, Problem> {
        // What is no UTF-8 once decoded is the name of nothing here.
        let decoded = Path::<(String, String)>::from_request_parts(parts, api).await;
        decoded.map(|Path((_, digest))| Self(digest)).map_err(|_| Problem::not_found(parts.uri.path()))
    }
}
