//! Forms of pages. Each carries what only a page of the same session knows, so that no other site can send it, and a name
//! of its own, so that one which is sent twice acts once.

use super::{Viewer, is_cross_site, say};
use crate::auth::Sent;
use crate::fields::Fields;
use crate::headers::media_type;
use crate::problem::Problem;
use crate::router::{Api, read_body};
use axum::body::Body;
use axum::extract::{FromRequest, FromRequestParts, Request};
use axum::http::StatusCode;
use axum::http::request::Parts;
use axum::response::{IntoResponse, Response};
use ledger_core::{Digest, hex};
use pages::{Form, Message};
use std::sync::Arc;
use url::form_urlencoded;

const MEDIA_TYPE: &str = "application/x-www-form-urlencoded";

/// The form that is sent to an address, for whoever looks at a page.
pub(crate) fn form_of(api: &Api, sent: &Sent, action: String) -> Form {
    let request = api.ledger.random_id();
    Form { action, csrf: proof(sent, &request), request, typed: Vec::new() }
}

/// What is in a form of a session, and cannot be known without its secret. It is another in every form, so that pages may be
/// compressed: what is the same in many could be guessed by how long they become (BREACH).
fn proof(sent: &Sent, request: &str) -> String {
    let digest = Digest::of(format!("purser form {request} {}", sent.0).as_bytes());
    hex::encode(&digest.0[..16])
}

/// The form of somebody who has no session yet, which therefore proves nothing.
pub(crate) fn form_of_nobody(api: &Api, action: String) -> Form {
    Form { action, csrf: String::new(), request: api.ledger.random_id(), typed: Vec::new() }
}

/// A form as it is shown again after it was refused, with what was typed.
pub(crate) fn refused_with(form: Form, typed: &[(String, String)]) -> Form {
    Form { typed: typed.to_vec(), ..form }
}

/// A form that came from a page of this session.
pub(crate) struct PageForm {
    /// Who sent it.
    pub(crate) viewer: Viewer,
    /// The form's own name.
    request: String,
    pairs: Vec<(String, String)>,
}

impl PageForm {
    /// Under which idempotency key the form does what it does.
    pub(crate) fn key(&self) -> String {
        format!("form-{}", self.request)
    }

    /// What was sent, but for what proves where it comes from.
    pub(crate) fn typed(&self) -> &[(String, String)] {
        &self.pairs
    }

    /// Takes all values of a field that may come more than once; empty ones were not filled in.
    pub(crate) fn take_all(&mut self, name: &str) -> Vec<String> {
        let (taken, left) = std::mem::take(&mut self.pairs).into_iter().partition(|(known, _)| known == name);
        self.pairs = left;
        let values = Vec::into_iter(taken).map(|(_, value): (String, String)| value.trim().to_owned());
        values.filter(|value| !value.is_empty()).collect()
    }

    /// Whether somebody has said that it is meant, which is then taken out of the fields.
    pub(crate) fn take_confirmed(&mut self) -> bool {
        self.take_all("confirmed") == ["yes"]
    }

    /// Its fields. An empty one was not filled in.
    pub(crate) fn fields(&self) -> Fields<'_> {
        Fields::of_form(&self.pairs)
    }
}

impl FromRequest<Arc<Api>> for PageForm {
    type Rejection = Response;

    async fn from_request(request: Request, api: &Arc<Api>) -> Result<Self, Response> {
        let refuse = |problem: Problem| problem.into_response();
        let (mut parts, body) = request.into_parts();
        must_be_form(&parts).map_err(refuse)?;
        let viewer = Viewer::from_request_parts(&mut parts, api).await.map_err(refuse)?;
        let mut pairs = read_pairs(body, api).await.map_err(refuse)?;
        let (csrf, name) = (take(&mut pairs, "csrf"), take(&mut pairs, "request"));
        let is_ours = |name: &String| csrf.is_some_and(|csrf| csrf == proof(&viewer.sent, name));
        match name.filter(|name| !is_cross_site(&parts.headers) && is_ours(name)) {
            Some(request) => Ok(Self { viewer, request, pairs }),
            None => Err(say(api, &parts.uri, StatusCode::FORBIDDEN, Message::FormExpired)),
        }
    }
}

/// The form of somebody who signs in. No other site may send it, so that nobody is signed in as somebody else.
pub(crate) struct SignInForm {
    pairs: Vec<(String, String)>,
}

impl SignInForm {
    /// Its fields. An empty one was not filled in.
    pub(crate) fn fields(&self) -> Fields<'_> {
        Fields::of_form(&self.pairs)
    }
}

impl FromRequest<Arc<Api>> for SignInForm {
    type Rejection = Response;

    async fn from_request(request: Request, api: &Arc<Api>) -> Result<Self, Response> {
        let refuse = |problem: Problem| problem.into_response();
        let (parts, body) = request.into_parts();
        must_be_form(&parts).map_err(refuse)?;
        if is_cross_site(&parts.headers) {
            return Err(say(api, &parts.uri, StatusCode::FORBIDDEN, Message::FormExpired));
        }
        let mut pairs = read_pairs(body, api).await.map_err(refuse)?;
        // They are in every form, and of no use in this one.
        let _ = (take(&mut pairs, "csrf"), take(&mut pairs, "request"));
        Ok(Self { pairs })
    }
}

fn must_be_form(parts: &Parts) -> Result<(), Problem> {
    let is_form = media_type(&parts.headers).as_deref() == Some(MEDIA_TYPE);
    if is_form { Ok(()) } else { Err(Problem::unsupported_media_type(MEDIA_TYPE)) }
}

async fn read_pairs(body: Body, api: &Api) -> Result<Vec<(String, String)>, Problem> {
    let bytes = read_body(body, api.limits.body_bytes_max, api.limits.body_timeout).await?;
    Ok(form_urlencoded::parse(&bytes).into_owned().collect())
}

fn take(pairs: &mut Vec<(String, String)>, name: &str) -> Option<String> {
    let index = pairs.iter().position(|(known, _)| known == name)?;
    Some(pairs.remove(index).1)
}
