//! Forms of pages. Each carries what only a page of the same session knows, so that no other site can send it, and a name
//! of its own, so that one which is sent twice acts once.

use super::{Viewer, is_cross_site, say};
use crate::auth::Sent;
use crate::fields::Fields;
use crate::headers::media_type;
use crate::problem::Problem;
use crate::router::{Api, read_body};
use axum::extract::{FromRequest, FromRequestParts, Request};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use ledger_core::{Digest, hex};
use pages::{Form, Message};
use std::sync::Arc;
use url::form_urlencoded;

const MEDIA_TYPE: &str = "application/x-www-form-urlencoded";

/// The form that is sent to an address, for whoever looks at a page.
pub(crate) fn form_of(api: &Api, sent: &Sent, action: String) -> Form {
    let request = api.ledger.random_id();
    Form { action, csrf: proof(sent, &request), request }
}

/// What is in a form of a session, and cannot be known without its secret. It is another in every form, so that pages may be
/// compressed: what is the same in many could be guessed by how long they become (BREACH).
fn proof(sent: &Sent, request: &str) -> String {
    let digest = Digest::of(format!("purser form {request} {}", sent.0).as_bytes());
    hex::encode(&digest.0[..16])
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
        if media_type(&parts.headers).as_deref() != Some(MEDIA_TYPE) {
            return Err(refuse(Problem::unsupported_media_type(MEDIA_TYPE)));
        }
        let viewer = Viewer::from_request_parts(&mut parts, api).await.map_err(refuse)?;
        let bytes = read_body(body, api.limits.body_bytes_max, api.limits.body_timeout).await.map_err(refuse)?;
        let mut pairs: Vec<(String, String)> = form_urlencoded::parse(&bytes).into_owned().collect();
        let mut take = |name: &str| {
            let index = pairs.iter().position(|(known, _)| known == name)?;
            Some(pairs.remove(index).1)
        };
        let (csrf, name) = (take("csrf"), take("request"));
        let is_ours = |name: &String| csrf.is_some_and(|csrf| csrf == proof(&viewer.sent, name));
        match name.filter(|name| !is_cross_site(&parts.headers) && is_ours(name)) {
            Some(request) => Ok(Self { viewer, request, pairs }),
            None => Err(say(api, &parts.uri, StatusCode::FORBIDDEN, Message::FormExpired)),
        }
    }
}
