//! `POST` and `GET /v1/keys`, `DELETE /v1/keys/{id}`.

use crate::auth::{Known, bearer, made};
use crate::charges::IDEMPOTENCY_HIT;
use crate::fields::{Fields, account_id, instant, list, name};
use crate::headers::idempotency_key;
use crate::json::Json;
use crate::problem::Problem;
use crate::router::{Api, JsonBody, Page, Segment, blocking};
use crate::shapes::{AccountId, KeyState, ScopeName};
use crate::wire::{Shown, json};
use axum::extract::State;
use axum::http::{HeaderMap, HeaderValue, StatusCode, Uri, header};
use axum::response::Response;
use ledger_core::Timestamp;
use ledger_service::{Key, KeyInput, Scope};
use schemars::JsonSchema;
use serde::Serialize;
use std::sync::Arc;

/// Most accounts that a key may name; a key for more is better one for all.
const ACCOUNTS_MAX: usize = 1000;

pub(crate) async fn create(
    State(api): State<Arc<Api>>,
    Known(caller): Known,
    headers: HeaderMap,
    body: JsonBody,
) -> Result<Response, Problem> {
    let key = idempotency_key(&headers)?;
    let mut fields = Fields::open(body.parse()?)?;
    let scopes = fields.required("scopes", |value| list(value, 1..=Scope::ALL.len(), scope));
    let accounts = fields.optional("accounts", |value| list(value, 1..=ACCOUNTS_MAX, account_id));
    let expires_at = fields.optional("expires_at", instant);
    let called = fields.optional("name", name);
    fields.finish()?;
    let input = KeyInput {
        name: called.unwrap_or_else(|| names_of(&scopes).join(" ").into()),
        scopes,
        accounts,
        expires_at,
        by: Some(caller.id.clone()),
        once: key.map(|key| (key, bearer(&headers).unwrap_or_default().to_owned())),
    };
    let ledger = api.ledger.clone();
    let created = blocking(move || ledger.keyring().create(input, ledger.keys_kept_ms())).await?;
    let answer = CreatedAnswer { secret: &created.secret, key: KeyAnswer::new(&created.key, None) };
    let mut response = made(json(StatusCode::CREATED, &answer), &created.key.id);
    response.headers_mut().insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    if created.replay {
        response.headers_mut().insert(IDEMPOTENCY_HIT, HeaderValue::from_static("true"));
    }
    Ok(response)
}

fn scope(value: Json<'_>) -> Result<Scope, String> {
    crate::fields::member(&Scope::ALL)(value)
}

fn names_of(scopes: &[Scope]) -> Vec<&'static str> {
    scopes.iter().map(|scope| scope.name()).collect()
}

pub(crate) async fn list_keys(State(api): State<Arc<Api>>, uri: Uri) -> Result<Response, Problem> {
    let mut fields = Fields::of_query(&uri)?;
    let page: Page<String> = Page::read(&mut fields);
    fields.finish()?;
    let now = api.ledger.now();
    let mut keys = api.ledger.keyring().list();
    keys.retain(|key| page.cursor.as_deref().is_none_or(|after| &*key.id > after));
    let last = keys.get(page.limit.saturating_sub(1)).filter(|_| keys.len() > page.limit).map(|key| key.id.to_string());
    let items: Vec<KeyAnswer<'_>> = keys.iter().take(page.limit).map(|key| KeyAnswer::new(key, Some(now))).collect();
    Ok(Page::answer(items, last))
}

/// Takes a key back. One that was taken back before is answered in the same way.
pub(crate) async fn revoke(State(api): State<Arc<Api>>, Segment(id): Segment) -> Result<Response, Problem> {
    let ledger = api.ledger.clone();
    let key = blocking(move || ledger.keyring().revoke(&id)).await?;
    Ok(json(StatusCode::OK, &KeyAnswer::new(&key, Some(api.ledger.now()))))
}

#[derive(JsonSchema, Serialize)]
#[schemars(rename = "CreatedKey")]
pub(crate) struct CreatedAnswer<'a> {
    /// What is sent as `Authorization: Bearer`; shown here, and never again.
    secret: &'a str,
    #[serde(flatten)]
    key: KeyAnswer<'a>,
}

#[derive(JsonSchema, Serialize)]
#[schemars(rename = "Key")]
pub(crate) struct KeyAnswer<'a> {
    /// Its id.
    id: &'a str,
    /// What it is called; acts are signed so.
    name: &'a str,
    /// What it is good for.
    #[schemars(with = "Vec<ScopeName>")]
    scopes: Vec<&'static str>,
    /// The accounts that it is for; null for all.
    #[schemars(with = "Option<Vec<AccountId>>")]
    accounts: Option<&'a [Arc<str>]>,
    /// When it ends.
    expires_at: Option<Shown<Timestamp>>,
    /// When it was made.
    created_at: Shown<Timestamp>,
    /// The id of the key by which it was made.
    created_by: Option<&'a str>,
    /// Whether it counts.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Option<KeyState>")]
    status: Option<&'static str>,
    /// When it was taken back.
    #[serde(skip_serializing_if = "Option::is_none")]
    revoked_at: Option<Shown<Timestamp>>,
}

impl<'a> KeyAnswer<'a> {
    /// `now` is `None` for a key as it was made, which a replay shows again.
    fn new(key: &'a Key, now: Option<Timestamp>) -> Self {
        Self {
            id: &key.id,
            name: &key.name,
            scopes: names_of(&key.scopes),
            accounts: key.accounts.as_deref(),
            expires_at: key.expires_at.map(Shown),
            created_at: Shown(key.created_at),
            created_by: key.created_by.as_deref(),
            status: now.map(|now| key.status(now).name()),
            revoked_at: key.revoked_at.filter(|_| now.is_some()).map(Shown),
        }
    }
}
