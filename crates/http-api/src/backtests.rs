//! `/v1/backtests`: what a version of a plugin would have charged or denied, tried on what was recorded. A backtest is
//! read as JSON by programs, as a page by people, and as text in a terminal.

mod answers;
mod chart;
mod figures;
mod page;
mod report;

pub(crate) use answers::BacktestAnswer;

use crate::auth::{Known, made};
use crate::fields::{Fields, account_id, instant, list, number_in, text};
use crate::formats::preferred;
use crate::json::Json;
use crate::plugins::{actor, digest, percent, slot};
use crate::problem::Problem;
use crate::router::{Api, JsonBody, Page, Segment};
use crate::wire::json;
use axum::extract::State;
use axum::http::{HeaderMap, HeaderName, HeaderValue, StatusCode, Uri, header};
use axum::response::{IntoResponse, Response};
use ledger_core::Digest;
use ledger_service::{BACKTEST_CPU_PERCENT_MAX, Backtest, BacktestInput, ServiceError};
use serde_json::{Number, Value};
use std::borrow::Cow;
use std::sync::Arc;
use std::time::Duration;

/// Most accounts that a backtest may name; one over more is better one over all.
const ACCOUNTS_MAX: usize = 1000;
/// For how long a reader may wait for the end.
const WAIT_SECONDS_MAX: u64 = 60;
/// Nothing runs in the page, and nothing is fetched.
const POLICY: &str =
    "default-src 'none'; style-src 'unsafe-inline'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'";

/// In which form a backtest is wanted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Form {
    Json,
    Page,
    Text,
}

const FORMS: [(&str, Form); 3] =
    [("application/json", Form::Json), ("text/html", Form::Page), ("text/plain", Form::Text)];

/// `POST /v1/backtests`.
pub(crate) async fn create(
    State(api): State<Arc<Api>>,
    Known(caller): Known,
    body: JsonBody,
) -> Result<Response, Problem> {
    let mut fields = Fields::open(body.parse()?)?;
    let plugin = fields.required("plugin", |value| text(value).map(Cow::into_owned));
    let slot = slot(&mut fields);
    let digest_sent = fields.optional("digest", digest);
    let config_digest = fields.optional("config_digest", digest);
    let has_config_digest = config_digest.is_some();
    let config = fields.optional("config", config);
    if config.is_some() && has_config_digest {
        fields.problem("config", "stands beside config_digest; send one of them");
    }
    let (config_digest, config) = match config {
        Some(Config::Digest(digest)) => (Some(digest), None),
        Some(Config::Inline(text)) => (None, Some(text)),
        None => (config_digest, None),
    };
    let from = fields.optional("from", instant);
    let to = fields.optional("to", instant);
    let accounts = fields.optional("accounts", |value| list(value, 1..=ACCOUNTS_MAX, account_id));
    let cpu_percent = fields.optional("cpu_percent", percent(BACKTEST_CPU_PERCENT_MAX));
    let reason = fields.optional("reason", |value| text(value).map(Cow::into_owned)).unwrap_or_default();
    fields.finish()?;
    let actor = actor(&caller);
    let input = BacktestInput {
        plugin,
        slot,
        digest: digest_sent,
        config_digest,
        config,
        from,
        to,
        accounts,
        cpu_percent,
        reason,
        actor,
    };
    let backtest = api.ledger.start_backtest(input).await?;
    let mut response = made(json(StatusCode::ACCEPTED, &BacktestAnswer::new(&backtest)), &backtest.id);
    let broken = |error| ServiceError::Internal { detail: format!("a location cannot be written: {error}") };
    let location = HeaderValue::from_str(&format!("/v1/backtests/{}", backtest.id)).map_err(broken)?;
    response.headers_mut().insert(header::LOCATION, location);
    Ok(response)
}

/// `GET /v1/backtests`.
pub(crate) async fn list_backtests(State(api): State<Arc<Api>>, uri: Uri) -> Result<Response, Problem> {
    let mut fields = Fields::of_query(&uri)?;
    let page: Page<String> = Page::read(&mut fields);
    fields.finish()?;
    let all = api.ledger.backtest_list();
    let after = page.cursor.as_ref().and_then(|cursor| all.iter().position(|backtest| *backtest.id == **cursor));
    let shown: Vec<Backtest> = all
        .into_iter()
        .skip(after.map_or(0, |after| after + 1))
        // What it found is read one by one.
        .map(|backtest| Backtest { report: None, ..backtest })
        .collect();
    let last = shown.get(page.limit.saturating_sub(1)).filter(|_| shown.len() > page.limit);
    let last = last.map(|backtest| backtest.id.to_string());
    Ok(Page::answer(shown.iter().take(page.limit).map(BacktestAnswer::new).collect(), last))
}

/// `GET /v1/backtests/{id}`.
pub(crate) async fn read(
    State(api): State<Arc<Api>>,
    Segment(id): Segment,
    headers: HeaderMap,
    uri: Uri,
) -> Result<Response, Problem> {
    let mut fields = Fields::of_query(&uri)?;
    let wait_seconds = fields.optional("wait_seconds", number_in(0..=WAIT_SECONDS_MAX)).unwrap_or(0);
    fields.finish()?;
    let backtest = if wait_seconds == 0 {
        api.ledger.backtest(&id)?
    } else {
        api.ledger.backtest_ended(&id, Duration::from_secs(wait_seconds)).await?
    };
    let answer = match preferred(&headers, &FORMS, Form::Json) {
        Form::Json => json(StatusCode::OK, &BacktestAnswer::new(&backtest)),
        Form::Page => {
            let headers: [(HeaderName, &str); 3] = [
                (header::CONTENT_TYPE, "text/html; charset=utf-8"),
                (header::CONTENT_SECURITY_POLICY, POLICY),
                (header::CACHE_CONTROL, "no-store"),
            ];
            (headers, page::page(&backtest).into_string()).into_response()
        }
        Form::Text => {
            let content_type = HeaderValue::from_static("text/plain; charset=utf-8");
            ([(header::CONTENT_TYPE, content_type)], report::text(&backtest)).into_response()
        }
    };
    Ok(answer)
}

/// `DELETE /v1/backtests/{id}`.
pub(crate) async fn cancel(State(api): State<Arc<Api>>, Segment(id): Segment) -> Result<Response, Problem> {
    let backtest = api.ledger.cancel_backtest(&id)?;
    Ok(json(StatusCode::OK, &BacktestAnswer::new(&backtest)))
}

/// A configuration as it is sent.
enum Config {
    Digest(Digest),
    /// Its JSON text.
    Inline(String),
}

/// Reads a configuration: its digest, or itself.
fn config(value: Json<'_>) -> Result<Config, String> {
    match value {
        Json::Text(_) => digest(value).map(Config::Digest),
        Json::Object(_) => value_of(value).map(|value| Config::Inline(value.to_string())),
        other => Err(format!("must be a digest or an object, not {}", other.kind())),
    }
}

fn value_of(value: Json<'_>) -> Result<Value, String> {
    Ok(match value {
        Json::Null => Value::Null,
        Json::Bool(flag) => Value::Bool(flag),
        Json::Whole(whole) => {
            let number = Number::from_i128(whole).ok_or_else(|| format!("has a number beyond 64 bits: {whole}"))?;
            Value::Number(number)
        }
        Json::Float(float) => Number::from_f64(float).map_or(Value::Null, Value::Number),
        Json::Huge(huge) => return Err(format!("has a number beyond 64 bits: {huge}")),
        Json::Text(text) => Value::String(text.into_owned()),
        Json::List(members) => Value::Array(members.into_iter().map(value_of).collect::<Result<_, _>>()?),
        Json::Object(members) => {
            let member = |(name, value): (Cow<'_, str>, Json<'_>)| Ok((name.into_owned(), value_of(value)?));
            Value::Object(members.into_iter().map(member).collect::<Result<_, String>>()?)
        }
    })
}
