//! Sends webhooks: one POST each, within a time, without following anybody elsewhere, and to public addresses only.
//!
//! An endpoint's address is whatever a customer wrote, and the server stands where its operator's other services do. So the
//! addresses of private networks are refused, at the connection: what a name resolves to is looked at in the same step that
//! connects to it, and cannot be another address a moment later.
#![forbid(unsafe_code)]
#![cfg_attr(test, allow(clippy::unwrap_used, reason = "a test may panic: that is how it fails"))]

mod addresses;
mod resolver;

pub use addresses::is_public;

use bytes::Bytes;
use http_body_util::{BodyExt, Full, Limited};
use hyper::header::{CONTENT_TYPE, RETRY_AFTER, USER_AGENT};
use hyper::{Request, Response, Uri};
use hyper_rustls::{HttpsConnector, HttpsConnectorBuilder};
use hyper_util::client::legacy;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::TokioExecutor;
use ledger_service::ports::{SendOutcome, WebhookRequest, WebhookSender};
use resolver::PublicResolver;
use rustls::{ClientConfig, RootCertStore};
use std::error::Error;
use std::net::IpAddr;
use std::pin::Pin;
use std::sync::Arc;
use std::time::{Duration, SystemTime};
use tokio::time::{Instant, timeout_at};

/// How much of an answer is read, so that the connection may be used again.
const ANSWER_BYTES_MAX: usize = 8 * 1024;

/// What is allowed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Settings {
    /// How long an endpoint may take to answer.
    pub timeout: Duration,
    /// Whether addresses of private networks may be sent to.
    pub allow_private_addresses: bool,
    /// Whether endpoints without TLS may be sent to.
    pub allow_http: bool,
}

/// A sender over HTTP/1.1.
pub struct Sender {
    http: legacy::Client<HttpsConnector<HttpConnector<PublicResolver>>, Full<Bytes>>,
    settings: Settings,
}

impl Sender {
    /// A sender that trusts the web's certificate authorities and those of this machine.
    ///
    /// # Errors
    /// Where TLS cannot be set up.
    pub fn new(settings: Settings) -> Result<Self, rustls::Error> {
        let mut roots = RootCertStore { roots: webpki_roots::TLS_SERVER_ROOTS.to_vec() };
        roots.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let tls = ClientConfig::builder_with_provider(provider).with_safe_default_protocol_versions()?;
        let tls = tls.with_root_certificates(roots).with_no_client_auth();
        let mut connector = HttpConnector::new_with_resolver(PublicResolver::new(settings.allow_private_addresses));
        connector.enforce_http(false);
        connector.set_nodelay(true);
        connector.set_connect_timeout(Some(settings.timeout));
        let https = HttpsConnectorBuilder::new().with_tls_config(tls).https_or_http().enable_http1();
        let http = legacy::Client::builder(TokioExecutor::new())
            .pool_max_idle_per_host(2)
            .build(https.wrap_connector(connector));
        Ok(Self { http, settings })
    }

    async fn send_one(&self, request: WebhookRequest) -> SendOutcome {
        let address = match self.address(&request.url) {
            Ok(address) => address,
            Err(reason) => return SendOutcome::Failed { reason },
        };
        let deadline = Instant::now() + self.settings.timeout;
        let mut builder = Request::post(address)
            .header(CONTENT_TYPE, "application/json")
            .header(USER_AGENT, concat!("Purser/", env!("CARGO_PKG_VERSION")));
        for (name, value) in &request.headers {
            builder = builder.header(*name, value);
        }
        let request = match builder.body(Full::new(Bytes::from(request.body))) {
            Ok(request) => request,
            Err(error) => return SendOutcome::Failed { reason: error.to_string() },
        };
        let response = match timeout_at(deadline, self.http.request(request)).await {
            Ok(Ok(response)) => response,
            Ok(Err(error)) => return SendOutcome::Failed { reason: said(&error) },
            Err(_) => {
                let reason = format!("no answer within {} s", self.settings.timeout.as_secs_f64());
                return SendOutcome::Failed { reason };
            }
        };
        #[allow(clippy::disallowed_methods, reason = "a date is the receiver's, whatever clock the ledger runs on")]
        let now = SystemTime::now();
        let outcome = SendOutcome::Answered {
            status: response.status().as_u16(),
            retry_after_ms: retry_after_ms(&response, now),
        };
        // What else it says is of no interest and changes nothing; a connection that is not read to its end is closed.
        let rest = Limited::new(response.into_body(), ANSWER_BYTES_MAX).collect();
        let _ = timeout_at(deadline, rest).await;
        outcome
    }

    /// Where a URL leads, if that is allowed. It is written anew as it was understood, so that whoever connects cannot
    /// understand another host.
    fn address(&self, url: &str) -> Result<Uri, String> {
        let parsed = url::Url::parse(url).map_err(|error| format!("must be a URL: {error}"))?;
        match parsed.scheme() {
            "https" => {}
            "http" if self.settings.allow_http => {}
            "http" => return Err("must be https; webhooks.allow_http allows http".to_owned()),
            _ => return Err("must be an https URL".to_owned()),
        }
        if !parsed.username().is_empty() || parsed.password().is_some() {
            return Err("must not have a user or password in it; deliveries are signed".to_owned());
        }
        let address: Uri = parsed.as_str().parse().map_err(|error| format!("must be a URL: {error}"))?;
        // An address in the place of a name is connected to without being resolved.
        let host = address.host().ok_or("must name a host")?;
        let literal: Option<IpAddr> = host.trim_start_matches('[').trim_end_matches(']').parse().ok();
        match literal.filter(|literal| !self.settings.allow_private_addresses && !is_public(*literal)) {
            None => Ok(address),
            Some(literal) => {
                Err(format!("{literal} is no public address; webhooks.allow_private_addresses allows others"))
            }
        }
    }
}

impl WebhookSender for Sender {
    fn send(&self, request: WebhookRequest) -> Pin<Box<dyn Future<Output = SendOutcome> + Send + '_>> {
        Box::pin(self.send_one(request))
    }

    fn check(&self, url: &str) -> Result<(), String> {
        self.address(url).map(drop)
    }
}

/// An error with its causes, since the first of them only says that it failed.
fn said(error: &dyn Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(inner) = cause {
        text.push_str(": ");
        text.push_str(&inner.to_string());
        cause = inner.source();
    }
    text
}

/// `Retry-After` (RFC 9110, section 10.2.3): seconds, or a date.
fn retry_after_ms<B>(response: &Response<B>, now: SystemTime) -> Option<i64> {
    let text = response.headers().get(RETRY_AFTER)?.to_str().ok()?.trim();
    let wait = match text.parse::<u64>() {
        Ok(seconds) => Duration::from_secs(seconds),
        Err(_) => httpdate::parse_http_date(text).ok()?.duration_since(now).unwrap_or_default(),
    };
    i64::try_from(wait.as_millis()).ok()
}

#[cfg(test)]
mod tests;
