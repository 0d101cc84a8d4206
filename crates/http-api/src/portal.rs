//! The way of a customer to their own page: `POST /v1/portal-tokens` makes a link, `GET /portal` exchanges its token for
//! a cookie, so that no secret stays in an address, and `GET /portal/{account}` shows the account.

use crate::auth::{Known, PORTAL_COOKIE};
use crate::fields::{Fields, account_id, list, member, seconds_to};
use crate::problem::Problem;
use crate::router::{Api, JsonBody, Segment};
use crate::wire::{Shown, json};
use axum::extract::State;
use axum::http::{HeaderMap, HeaderName, HeaderValue, StatusCode, Uri, header};
use axum::response::{IntoResponse, Response};
use ledger_core::{Balance, Timestamp};
use ledger_service::{PORTAL_TTL_MS_MAX, PortalInput, Scope, ServiceError};
use maud::{DOCTYPE, Markup, html};
use schemars::JsonSchema;
use serde::Serialize;
use std::sync::Arc;
use url::form_urlencoded;

/// An hour, where it is not said for how long.
const TTL_MS: i64 = 3_600_000;
const PORTAL_SCOPES: [(Scope, &str); 2] = [(Scope::Read, "read"), (Scope::Purchase, "purchase")];
/// Nothing runs in these pages, and nothing is fetched but their style.
const POLICY: &str =
    "default-src 'none'; style-src 'self'; base-uri 'none'; form-action 'self'; frame-ancestors 'none'";

pub(crate) async fn create_token(
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
    let token = fields.required("token", |value| crate::fields::text(value).map(std::borrow::Cow::into_owned));
    fields.finish()?;
    let caller = api.ledger.keyring().caller(&token).filter(|caller| caller.is_portal);
    let caller = caller.ok_or_else(Problem::link_expired)?;
    let account = caller.accounts.iter().flatten().next().cloned().unwrap_or_default();
    let lasts_ms = caller.expires_at.map_or(0, |end| end.millis_since(api.ledger.now()));
    let is_https = api.public_url.as_deref().is_some_and(|url| url.starts_with("https:"));
    let cookie = format!(
        "{PORTAL_COOKIE}={token}; Path=/; HttpOnly; SameSite=Lax; Max-Age={}{}",
        lasts_ms / 1000,
        if is_https { "; Secure" } else { "" }
    );
    let broken = |error| ServiceError::Internal { detail: format!("a cookie cannot be written: {error}") };
    let cookie = HeaderValue::from_str(&cookie).map_err(broken)?;
    let page = HeaderValue::from_str(&format!("/portal/{account}")).map_err(broken)?;
    let mut response = StatusCode::SEE_OTHER.into_response();
    let headers = response.headers_mut();
    headers.insert(header::SET_COOKIE, cookie);
    headers.insert(header::LOCATION, page);
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    headers.insert(header::REFERRER_POLICY, HeaderValue::from_static("no-referrer"));
    Ok(response)
}

/// `GET /portal/{account}`
pub(crate) async fn show(State(api): State<Arc<Api>>, Segment(account): Segment) -> Result<Response, Problem> {
    let known = api.ledger.account(&account)?;
    let balance = api.ledger.balance(&account)?;
    Ok(page(known.name.as_deref().unwrap_or(&account), &balance))
}

/// `GET /assets/portal.css`
pub(crate) async fn style() -> Response {
    ([(header::CONTENT_TYPE, HeaderValue::from_static("text/css; charset=utf-8"))], STYLE).into_response()
}

fn page(name: &str, balance: &Balance) -> Response {
    let statistics = [
        ("Package", balance.package),
        ("Consumed", balance.consumed),
        ("Remaining", balance.remaining),
        ("Purchased", balance.purchased),
    ];
    let body = html! {
        (DOCTYPE)
        html lang="en" {
            head {
                meta charset="utf-8";
                meta name="viewport" content="width=device-width, initial-scale=1";
                title { "Credits of " (name) }
                link rel="stylesheet" href="/assets/portal.css";
            }
            body {
                main {
                    h1 { "Credits of " (name) }
                    dl { @for (label, amount) in statistics { div { dt { (label) } dd { (amount) } } } }
                    p { (until_reset(balance)) }
                }
            }
        }
    };
    let headers: [(HeaderName, &str); 4] = [
        (header::CONTENT_TYPE, "text/html; charset=utf-8"),
        (header::CONTENT_SECURITY_POLICY, POLICY),
        (header::CACHE_CONTROL, "no-store"),
        (header::REFERRER_POLICY, "no-referrer"),
    ];
    (headers, body.into_string()).into_response()
}

fn until_reset(balance: &Balance) -> Markup {
    let end = balance.cycle.1.to_string();
    html! { "The package is renewed on " time datetime=(end) { (end.get(..10).unwrap_or(&end)) } ", in "
    (balance.days_left) " days." }
}

const STYLE: &str = "
:root { color-scheme: light dark; font: 16px/1.5 system-ui, sans-serif }
main { max-width: 48rem; margin: 3rem auto; padding: 0 1rem }
h1 { font-size: 1.4rem; font-weight: 600 }
dl { display: grid; grid-template-columns: repeat(auto-fit, minmax(10rem, 1fr)); gap: 1rem }
dl div { border: 1px solid color-mix(in srgb, currentColor 20%, transparent); border-radius: .6rem; padding: 1rem }
dt { font-size: .85rem; opacity: .7 }
dd { margin: 0; font-size: 1.6rem; font-variant-numeric: tabular-nums }
";
