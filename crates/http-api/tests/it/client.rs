//! A caller of the routes, without a socket.

use axum::Router;
use axum::body::{Body, to_bytes};
use axum::http::{HeaderMap, Request, Response, StatusCode, header};
use http_api::{Api, Limits, Metrics, PageSettings, router};
use ledger_service::ports::{Maintenance, WebhookSender};
use std::sync::Arc;
use std::time::Duration;
use testkit::{ADMIN_KEY, Anywhere, Kit};
use tower::ServiceExt;

/// The routes over a kit.
pub(crate) struct Client {
    pub(crate) kit: Kit,
    router: Router,
}

/// What came back.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Answer {
    pub(crate) status: StatusCode,
    pub(crate) headers: HeaderMap,
    pub(crate) body: String,
}

impl Client {
    /// Routes with small limits, and the kit's clock as the test clock.
    pub(crate) fn new() -> Self {
        Self::with(None)
    }

    /// The same with somebody who looks after the store.
    pub(crate) fn with(maintenance: Option<Arc<dyn Maintenance>>) -> Self {
        Self::over(Kit::new(), maintenance, 60_000)
    }

    /// Routes where a till takes money.
    pub(crate) fn with_till() -> Self {
        Self::over(Kit::with_till(), None, 60_000)
    }

    /// Routes of which `/metrics` needs a key.
    pub(crate) fn with_closed_metrics() -> Self {
        Self::of(Kit::new(), None, 60_000, true)
    }

    /// The routes over a kit, whose streams say so often that they are there.
    pub(crate) fn over(kit: Kit, maintenance: Option<Arc<dyn Maintenance>>, heartbeat_ms: u64) -> Self {
        Self::of(kit, maintenance, heartbeat_ms, false)
    }

    fn of(kit: Kit, maintenance: Option<Arc<dyn Maintenance>>, heartbeat_ms: u64, need_key: bool) -> Self {
        let api = Api {
            ledger: kit.ledger.clone(),
            public_url: None,
            pages: PageSettings {
                product: "Acme AI".to_owned(),
                seller: "Acme AI Ltd".to_owned(),
                ..PageSettings::default()
            },
            limits: Limits {
                body_bytes_max: 65_536,
                batch_body_bytes_max: 131_072,
                batch_items_max: 100,
                batches_bytes_max: 262_144,
                body_timeout: Duration::from_secs(30),
                requests_max: 1000,
                resume_entries_max: 20,
                heartbeat_ms,
            },
            test_clock: Some(kit.clock.clone()),
            maintenance,
            sender: Arc::new(Anywhere),
            metrics: Metrics { exposition: Some(Arc::new(|| "measured 1\n".to_owned())), need_key },
        };
        Self { kit, router: router(Arc::new(api)) }
    }

    /// Who sends webhooks, but sends none.
    pub(crate) fn sender(&self) -> Arc<dyn WebhookSender> {
        Arc::new(Anywhere)
    }

    /// Sends a request; with the administrator's key, unless it says by whom it comes.
    pub(crate) async fn send(&self, request: Request<Body>) -> Answer {
        let (parts, body) = self.respond(request).await.into_parts();
        let body = String::from_utf8(to_bytes(body, usize::MAX).await.unwrap().to_vec()).unwrap();
        Answer { status: parts.status, headers: parts.headers, body }
    }

    /// The same, without reading the answer's body.
    pub(crate) async fn respond(&self, mut request: Request<Body>) -> Response<Body> {
        let headers = request.headers_mut();
        match headers.get(header::AUTHORIZATION).map(|value| value.as_bytes()) {
            Some(b"none") => drop(headers.remove(header::AUTHORIZATION)),
            None if !headers.contains_key(header::COOKIE) => {
                headers.insert(header::AUTHORIZATION, format!("Bearer {ADMIN_KEY}").parse().unwrap());
            }
            Some(_) | None => {}
        }
        self.router.clone().oneshot(request).await.unwrap()
    }

    /// Posts JSON.
    pub(crate) async fn post(&self, path: &str, body: impl Into<Body>) -> Answer {
        let request = Request::post(path).header(header::CONTENT_TYPE, "application/json");
        self.send(request.body(body.into()).unwrap()).await
    }
}
