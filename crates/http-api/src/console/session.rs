//! Signing in and out. A key is shown once, and a cookie with a session goes on for it: no other site's request brings the
//! cookie, no script reads it, and it ends after a working day, or with its key.

use super::{HOME, SIGN_IN, asked, nobodys};
use crate::auth::{SESSION_COOKIE, cookie};
use crate::fields::text;
use crate::html::{self, Html, PageForm, SignInForm, form_of_nobody, see_other};
use crate::problem::Problem;
use crate::router::{Api, blocking};
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode, Uri, header};
use axum::response::{IntoResponse, Response};
use ledger_service::{Caller, SESSION_MS, Scope};
use pages::console::{SignInRefusal, SignInView, sign_in_page};
use std::borrow::Cow;
use std::sync::Arc;

/// What a key must have one of, to see anything in the console.
const SCOPES: [Scope; 2] = [Scope::Read, Scope::Plugins];

/// Whether a key is for the console at all.
fn is_for_console(caller: &Caller) -> bool {
    caller.accounts.is_none() && caller.has(&SCOPES)
}

pub(crate) async fn show_sign_in(State(api): State<Arc<Api>>, headers: HeaderMap, uri: Uri) -> Response {
    let next = asked(&uri, "next").filter(|next| is_ours(next));
    let is_over = |token: &str| api.ledger.keyring().session_caller(token).is_none();
    let has_ended = cookie(&headers, SESSION_COOKIE).is_some_and(is_over);
    page(&api, StatusCode::OK, next, has_ended.then_some(SignInRefusal::Ended))
}

fn page(api: &Api, status: StatusCode, next: Option<String>, refusal: Option<SignInRefusal>) -> Response {
    let view = SignInView { form: form_of_nobody(api, SIGN_IN.to_owned()), refusal, next };
    (status, Html(sign_in_page(&nobodys(api), &view))).into_response()
}

/// `POST /console/sign-in`
pub(crate) async fn sign_in(State(api): State<Arc<Api>>, form: SignInForm) -> Result<Response, Problem> {
    let mut fields = form.fields();
    let key = fields.optional("key", |value| text(value).map(Cow::into_owned)).unwrap_or_default();
    let next = fields.optional("next", |value| text(value).map(Cow::into_owned)).filter(|next| is_ours(next));
    let caller = api.ledger.keyring().caller(&key).filter(|caller| !caller.is_portal);
    let Some(caller) = caller else {
        return Ok(page(&api, StatusCode::UNAUTHORIZED, next, Some(SignInRefusal::WrongKey)));
    };
    if !is_for_console(&caller) {
        return Ok(page(&api, StatusCode::FORBIDDEN, next, Some(SignInRefusal::NotAllowed)));
    }
    let ledger = api.ledger.clone();
    let Some(session) = blocking(move || ledger.keyring().open_session(&key)).await? else {
        return Ok(page(&api, StatusCode::UNAUTHORIZED, next, Some(SignInRefusal::WrongKey)));
    };
    tracing::info!(key = &*caller.id, "somebody signed in to the console");
    let mut response = see_other(next.as_deref().unwrap_or(HOME));
    if let Some(cookie) = html::cookie(&api, SESSION_COOKIE, &session, "Strict", SESSION_MS / 1000) {
        response.headers_mut().insert(header::SET_COOKIE, cookie);
    }
    Ok(response)
}

/// `POST /console/sign-out`
pub(crate) async fn sign_out(State(api): State<Arc<Api>>, form: PageForm) -> Result<Response, Problem> {
    form.fields().finish()?;
    let mut response = see_other(SIGN_IN);
    if let Some(cookie) = html::cookie(&api, SESSION_COOKIE, "", "Strict", 0) {
        response.headers_mut().insert(header::SET_COOKIE, cookie);
    }
    Ok(response)
}

/// Whether an address is one of this server's pages, and not somebody else's site.
fn is_ours(next: &str) -> bool {
    let is_below = |root: &str| {
        next.strip_prefix(root).is_some_and(|rest| rest.is_empty() || rest.starts_with('/') || rest.starts_with('?'))
    };
    next.bytes().all(|byte| byte.is_ascii_graphic() && byte != b'\\') && (is_below(HOME) || is_below("/portal"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nobody_is_led_elsewhere() {
        for ours in ["/console", "/console?x=1", "/console/accounts/acme?did=en_1_2", "/portal/acme", "/portal"] {
            assert!(is_ours(ours), "{ours}");
        }
        for not_ours in [
            "",
            "//evil.example/console",
            "https://evil.example/console",
            "/\\evil.example",
            "/console\\..",
            "/consoles",
            "/console@evil.example",
            "/v1/keys",
            "/console\r\nset-cookie: x",
            "/console /",
            "/consolé",
        ] {
            assert!(!is_ours(not_ours), "{not_ours}");
        }
    }
}
