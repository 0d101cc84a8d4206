//! The way in: a token is made by whoever sends a customer to their page, and exchanged for a cookie by the browser.

use crate::auth::{Known, PORTAL_COOKIE};
use crate::fields::{Fields, account_id, list, member, seconds_to, text};
use crate::html::{cookie, see_other};
use crate::problem::Problem;
use crate::router::{Api, JsonBody};
use crate::wire::{Shown, json};
use axum::extract::State;
use axum::http::{HeaderMap, HeaderValue, StatusCode, Uri, header};
use axum::response::Response;
use ledger_core::Timestamp;
use ledger_service::{PORTAL_TTL_MS_MAX, PortalInput, Scope};
use schemars::JsonSchema;
use serde::Serialize;
use std::borrow::Cow;
use std::sync::Arc;
use url::form_urlencoded;

/// An hour, where it is not said for how long.
const TTL_MS: i64 = 3_600_000;
const PORTAL_SCOPES: [(Scope, &str); 2] = [(Scope::Read, "read"), (Scope::Purchase, "purchase")];

pub(crate) async fn create(
    State(api): State<Arc<Api>>,
    caller: Known,
    headers: HeaderMap,
    body: JsonBody,
) -> Result<Response, Problem> {
    let mut fields = Fields::open(body.parse()?)?;
    let account = fields.required("account", account_id);
    let scopes = fields.optional("scopes", |value| list(value, 1..=PORTAL_SCOPES.len(), member(&PORTAL_SCOPES)));
    let scopes = scopes.unwrap_or_else(|| vec![Scope::Read]);
    if !scopes.contains(&Scope::Read) {
        fields.problem("scopes", "must have read: a page that shows nothing sells nothing");
    }
    let ttl_ms = fields.optional("ttl_seconds", |value| seconds_to(value, PORTAL_TTL_MS_MAX)).unwrap_or(TTL_MS);
    fields.finish()?;
    caller.must_see(&account)?;
    api.ledger.account(&account)?;
    let made = api.ledger.keyring().portal_token(&PortalInput { account, scopes, ttl_ms })?;
    let token: String = form_urlencoded::byte_serialize(made.token.as_bytes()).collect();
    let url = format!("{}/portal?token={token}", origin(&api, &headers));
    let answer = TokenAnswer { token: &made.token, url, expires_at: Shown(made.expires_at) };
    let mut response = json(StatusCode::CREATED, &answer);
    response.headers_mut().insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    Ok(response)
}

#[derive(JsonSchema, Serialize)]
#[schemars(rename = "PortalToken")]
pub(crate) struct TokenAnswer<'a> {
    /// The token.
    token: &'a str,
    /// Where the customer's browser is sent.
    url: String,
    /// When it ends.
    expires_at: Shown<Timestamp>,
}

/// Where browsers find this server: as configured, or as the caller found it.
fn origin(api: &Api, headers: &HeaderMap) -> String {
    let host = headers.get(header::HOST).and_then(|host| host.to_str().ok()).unwrap_or("localhost");
    api.public_url.clone().unwrap_or_else(|| format!("http://{host}"))
}

/// `GET /portal?token=…`
pub(crate) async fn open(State(api): State<Arc<Api>>, uri: Uri) -> Result<Response, Problem> {
    let mut fields = Fields::of_query(&uri)?;
    let token = fields.required("token", |value| text(value).map(Cow::into_owned));
    fields.finish()?;
    let caller = api.ledger.keyring().portal_caller(&token).ok_or_else(Problem::link_expired)?;
    let account = caller.accounts.iter().flatten().next().cloned().unwrap_or_default();
    let lasts_ms = caller.expires_at.map_or(0, |end| end.millis_since(api.ledger.now()));
    let mut response = see_other(&super::address(&account, ""));
    // Lax, since the link is on a page of the product, which may be another site.
    if let Some(cookie) = cookie(&api, PORTAL_COOKIE, &token, "Lax", lasts_ms / 1000) {
        response.headers_mut().insert(header::SET_COOKIE, cookie);
    }
    response.headers_mut().insert(header::REFERRER_POLICY, HeaderValue::from_static("no-referrer"));
    Ok(response)
}
