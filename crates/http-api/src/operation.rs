//! An operation of the interface, defined once: the route, who may call it, and what the OpenAPI document says of it.

use crate::admission::Admission;
use crate::auth;
use crate::html;
use crate::observe::{Measures, Watched, watch};
use crate::router::Api;
use axum::Router;
use axum::handler::Handler;
use axum::http::Method;
use axum::middleware::from_fn_with_state;
use axum::routing::{MethodFilter, MethodRouter, on};
use ledger_service::Scope;
use std::sync::Arc;
use tower_http::compression::CompressionLayer;

/// One method of one path.
pub(crate) struct Operation {
    pub(crate) method: Method,
    /// As axum and OpenAPI both write it: `/v1/accounts/{account}`.
    pub(crate) path: &'static str,
    /// Its name in the OpenAPI document, and in the audit.
    pub(crate) id: &'static str,
    pub(crate) access: Access,
    /// Whether the answer to a request with an `Idempotency-Key` is kept; see [`crate::idempotent`].
    pub(crate) keeps_answers: bool,
    /// Whether browsers are answered, and not programs: it is no part of the document, cookies are taken, and what goes
    /// wrong is said on a page.
    pub(crate) is_page: bool,
    pub(crate) handler: MethodRouter<Arc<Api>>,
}

/// Who may call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Access {
    /// Anyone, without a key.
    Open,
    /// Whoever has one of these scopes.
    Key { scopes: &'static [Scope], about: About },
}

/// Whose data it is about, so that nobody reaches an account that their key does not name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum About {
    /// `{account}` of the path.
    Account,
    /// The account whose number is in the identifier `{charge}` or `{hold}` of the path.
    Identifier,
    /// Accounts that the body or the query names: the handler asks [`auth::Known::must_see`] for each of them.
    Named,
    /// Nobody's.
    Nobody,
    /// Everybody's: a key for certain accounts may not.
    Everybody,
}

/// A method as a label, of which there are few.
fn verb_of(method: &Method) -> &'static str {
    match *method {
        Method::GET => "GET",
        Method::POST => "POST",
        Method::PUT => "PUT",
        Method::DELETE => "DELETE",
        _ => "other",
    }
}

impl Operation {
    fn new<H: Handler<T, Arc<Api>>, T: 'static>(
        method: Method,
        filter: MethodFilter,
        (path, id): (&'static str, &'static str),
        access: Access,
        handler: H,
    ) -> Self {
        Self { method, path, id, access, keeps_answers: false, is_page: false, handler: on(filter, handler) }
    }

    /// A `GET`.
    pub(crate) fn get<H: Handler<T, Arc<Api>>, T: 'static>(
        path: &'static str,
        id: &'static str,
        access: Access,
        handler: H,
    ) -> Self {
        Self::new(Method::GET, MethodFilter::GET, (path, id), access, handler)
    }

    /// A `POST`.
    pub(crate) fn post<H: Handler<T, Arc<Api>>, T: 'static>(
        path: &'static str,
        id: &'static str,
        access: Access,
        handler: H,
    ) -> Self {
        Self::new(Method::POST, MethodFilter::POST, (path, id), access, handler)
    }

    /// A `PUT`.
    pub(crate) fn put<H: Handler<T, Arc<Api>>, T: 'static>(
        path: &'static str,
        id: &'static str,
        access: Access,
        handler: H,
    ) -> Self {
        Self::new(Method::PUT, MethodFilter::PUT, (path, id), access, handler)
    }

    /// A `DELETE`.
    pub(crate) fn delete<H: Handler<T, Arc<Api>>, T: 'static>(
        path: &'static str,
        id: &'static str,
        access: Access,
        handler: H,
    ) -> Self {
        Self::new(Method::DELETE, MethodFilter::DELETE, (path, id), access, handler)
    }

    /// Has the answer to a request with an `Idempotency-Key` kept: for those that write no entry.
    pub(crate) fn keeping_answers(self) -> Self {
        Self { keeps_answers: true, ..self }
    }

    /// Makes a page of it.
    pub(crate) fn for_browsers(self) -> Self {
        Self { is_page: true, ..self }
    }

    /// Adds it to the routes, behind its guard, and watched.
    pub(crate) fn add_to(
        self,
        router: Router<Arc<Api>>,
        api: &Arc<Api>,
        admission: &Arc<Admission>,
        measures: &Arc<Measures>,
    ) -> Router<Arc<Api>> {
        let path = self.path;
        let watched = Watched::new(measures, verb_of(&self.method), path);
        let is_page = self.is_page;
        let guarded = auth::guarded(self, api, admission);
        let guarded = if is_page {
            guarded.route_layer(from_fn_with_state(api.clone(), html::problems)).route_layer(CompressionLayer::new())
        } else {
            guarded
        };
        router.route(path, guarded.route_layer(from_fn_with_state(watched, watch)))
    }
}
