//! What pages for browsers have in common: how they are sent, their style and script, what is said where something goes
//! wrong, and forms.

pub(crate) mod assets;
mod form;

pub(crate) use form::{PageForm, SignInForm, form_of, form_of_nobody, refused_with};

use crate::auth::{Known, Sent};
use crate::console;
use crate::problem::Failed;
use crate::router::Api;
use axum::extract::{FromRequestParts, Request, State};
use axum::http::request::Parts;
use axum::http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode, Uri, header};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use ledger_core::Account;
use ledger_core::calendar::UTC;
use ledger_core::entry::Status;
use pages::{AccountHead, Frame, Links, Message, message_page};
use std::sync::Arc;

/// Nothing is inline and nothing comes from elsewhere, so that text of others that found its way into a page as markup
/// would still do nothing.
const POLICY: &str = "default-src 'none'; style-src 'self'; script-src 'self'; connect-src 'self'; img-src 'self'; base-uri 'none'; \
                      form-action 'self'; frame-ancestors 'none'";

/// What pages say of whoever runs the service.
#[derive(Clone, Debug, Default)]
pub struct PageSettings {
    /// What the service calls itself.
    pub product: String,
    /// Where somebody gets help.
    pub help_url: Option<String>,
    /// Who sells, for receipts.
    pub seller: String,
    /// What else stands on a receipt, line by line: an address, a tax number.
    pub seller_lines: Vec<String>,
}

/// A page, as it is sent: it may have changed a moment later, and is for whoever asked alone.
pub(crate) struct Html(pub(crate) String);

impl IntoResponse for Html {
    fn into_response(self) -> Response {
        let headers: [(HeaderName, &str); 5] = [
            (header::CONTENT_TYPE, "text/html; charset=utf-8"),
            (header::CONTENT_SECURITY_POLICY, POLICY),
            (header::CACHE_CONTROL, "no-store"),
            (header::REFERRER_POLICY, "same-origin"),
            (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
        ];
        (headers, self.0).into_response()
    }
}

/// Sends the browser to another address, which it gets by `GET`.
pub(crate) fn see_other(to: &str) -> Response {
    let location = HeaderValue::try_from(to).unwrap_or(HeaderValue::from_static("/"));
    (
        StatusCode::SEE_OTHER,
        [(header::LOCATION, location), (header::CACHE_CONTROL, HeaderValue::from_static("no-store"))],
    )
        .into_response()
}

/// A cookie that no script reads and no other site's request brings, which ends after so many seconds.
pub(crate) fn cookie(api: &Api, name: &str, value: &str, same_site: &str, seconds: i64) -> Option<HeaderValue> {
    let is_https = api.public_url.as_deref().is_some_and(|url| url.starts_with("https:"));
    let secure = if is_https { "; Secure" } else { "" };
    let text = format!("{name}={value}; Path=/; HttpOnly; SameSite={same_site}; Max-Age={}{secure}", seconds.max(0));
    HeaderValue::try_from(text).ok()
}

/// The frame of a page that is nobody's.
pub(crate) fn frame(api: &Api) -> Frame {
    Frame {
        product: api.pages.product.clone(),
        stylesheet: assets::STYLE.address.clone(),
        script: assets::SCRIPT.address.clone(),
        icon: assets::ICON.address.clone(),
        zone: UTC,
        now: api.ledger.now(),
        account: None,
        links: Links { help: api.pages.help_url.clone(), ..Links::default() },
        notice: None,
    }
}

/// Whose page an account's is.
pub(crate) fn head_of(account: &Account) -> AccountHead {
    AccountHead {
        id: account.id.to_string(),
        name: account.name.as_deref().map(str::to_owned),
        plan: Some(account.plan.to_string()),
        is_suspended: account.status == Status::Suspended,
    }
}

/// Who looks at a page, and with which secret they came.
pub(crate) struct Viewer {
    pub(crate) caller: Arc<ledger_service::Caller>,
    pub(crate) sent: Sent,
}

impl<S: Sync> FromRequestParts<S> for Viewer {
    type Rejection = crate::problem::Problem;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Self::Rejection> {
        let Known(caller) = Known::from_request_parts(parts, state).await?;
        let sent = parts.extensions.get::<Sent>().cloned().ok_or_else(Self::Rejection::unauthenticated)?;
        Ok(Self { caller, sent })
    }
}

/// Says on a page what went wrong, in the place of the problem that a program would be told.
pub(crate) async fn problems(
    State(api): State<Arc<Api>>,
    method: Method,
    uri: Uri,
    request: Request,
    next: Next,
) -> Response {
    let mut response = next.run(request).await;
    let Some(failed) = response.extensions_mut().remove::<Failed>() else {
        return response;
    };
    let status = response.status();
    if status == StatusCode::UNAUTHORIZED && console::is_below(uri.path()) {
        let mut sign_in = see_other(&console::sign_in_address(&method, &uri));
        sign_in.extensions_mut().insert(failed);
        return sign_in;
    }
    let message = match status {
        StatusCode::UNAUTHORIZED => Message::LinkExpired,
        StatusCode::FORBIDDEN => Message::NotAllowed,
        _ if status.is_client_error() && status != StatusCode::TOO_MANY_REQUESTS => Message::NotFound,
        _ => Message::Unavailable,
    };
    let mut page = say(&api, &uri, status, message);
    if let Some(wait) = response.headers_mut().remove(header::RETRY_AFTER) {
        page.headers_mut().insert(header::RETRY_AFTER, wait);
    }
    page.extensions_mut().insert(failed);
    page
}

/// A page that says why there is nothing else.
fn say(api: &Api, uri: &Uri, status: StatusCode, message: Message) -> Response {
    if console::is_below(uri.path()) {
        return (status, Html(console::say(api, message))).into_response();
    }
    let mut frame = frame(api);
    // Who may not buy, say, may still look.
    let of_account = uri.path().strip_prefix("/portal/").and_then(|rest| rest.split('/').next());
    if let Some(account) = of_account.filter(|account| !account.is_empty() && status == StatusCode::FORBIDDEN) {
        frame.links.credits = Some(format!("/portal/{account}"));
    }
    (status, Html(message_page(&frame, message))).into_response()
}

/// Whether a request's headers say that another site has made the browser send it (Fetch Metadata, section 2.3). Browsers
/// that do not say so are old.
fn is_cross_site(headers: &HeaderMap) -> bool {
    let site = headers.get("sec-fetch-site").map(HeaderValue::as_bytes);
    site.is_some_and(|site| site != b"same-origin" && site != b"none")
}
