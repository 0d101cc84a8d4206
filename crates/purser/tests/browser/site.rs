//! A server with something to look at, and the ways to its pages.

use crate::server::{ADMIN_KEY, Server, expect, purser};
use serde_json::{Value, json};
use trace_replay::client::{Call, Client};

/// Where the test clock of every site begins: a month before anything is looked at.
const OPENED_AT: &str = "2026-10-20T09:00:00Z";
/// When pages are looked at.
pub(crate) const NOW: &str = "2026-11-24T09:00:00Z";

/// A server on a test clock.
pub(crate) struct Site {
    pub(crate) server: Server,
    pub(crate) client: Client,
    _data: tempfile::TempDir,
}

impl Site {
    /// A server on which nothing has happened.
    pub(crate) fn new() -> Self {
        let data = tempfile::tempdir().unwrap();
        let clock = ["--test-clock", OPENED_AT];
        let server = Server::start_with(purser().env("PURSER_ADMIN_KEY", ADMIN_KEY), data.path(), &clock);
        Self { client: server.client(), server, _data: data }
    }

    /// A server with `acme`, which has used credits on some days of the last weeks: 2 a long time ago, 20 within ninety
    /// days, 200 within thirty, and 2000 within seven.
    pub(crate) async fn with_history() -> Self {
        let site = Self::new();
        site.put("acme", json!({ "name": "Acme Ltd", "plan": "pro" })).await;
        site.charge("old", json!({ "model": "gpt-4o", "agent": "support", "usage": { "seconds": 0 } })).await;
        for (at, minutes, agent) in [
            ("2026-10-22T08:00:00Z", 1, "reception"),
            ("2026-11-10T08:00:00Z", 10, "sales"),
            ("2026-11-22T08:00:00Z", 100, "support"),
        ] {
            site.set_clock(at).await;
            let usage = json!({ "seconds": minutes * 60 });
            let call = json!({ "activity": "voice_inbound", "model": null, "agent": agent, "usage": usage });
            site.charge(at, call).await;
        }
        site.set_clock(NOW).await;
        site
    }

    /// A server with `acme`, which has used credits on every day of the last month, by several models and agents.
    pub(crate) async fn busy() -> Self {
        let site = Self::new();
        site.put("acme", json!({ "name": "Acme Ltd", "plan": "pro", "timezone": "Europe/Berlin" })).await;
        let models = ["gpt-4o", "claude-sonnet-4-5", "gemini-2.5-flash", "gpt-4o-mini"];
        let agents = ["support", "sales", "onboarding"];
        for day in 0..35_usize {
            let date = if day < 12 { format!("2026-10-{}", 20 + day) } else { format!("2026-11-{:02}", day - 11) };
            site.set_clock(&format!("{date}T12:{:02}:00Z", day % 60)).await;
            for (place, model) in models.iter().enumerate() {
                // As much as looks like a business that grows, with weekends; no randomness, so that pictures are the same.
                let busy = if day % 7 < 2 { 1 } else { 3 } * (20 + day) * (place + 2);
                let usage = json!({ "input_tokens": 45 * busy, "output_tokens": 7 * busy, "messages": busy / 10 });
                let event = json!({ "model": model, "agent": agents[(day + place) % 3], "usage": usage });
                site.charge(&format!("{day}-{place}"), event).await;
            }
            let call = json!({ "activity": "voice_inbound", "model": "gpt-realtime", "agent": "reception",
                               "usage": { "seconds": 60 * (2 + day % 5) } });
            site.charge(&format!("{day}-call"), call).await;
        }
        let bought = Call::post("/v1/accounts/acme/purchases", &json!({ "pack": "medium" })).unwrap();
        expect(&site.client, bought.with_idempotency_key("pack"), 201).await;
        site.set_clock(NOW).await;
        site
    }

    pub(crate) async fn set_clock(&self, now: &str) {
        expect(&self.client, Call::post("/v1/test-clock", &json!({ "now": now })).unwrap(), 200).await;
    }

    pub(crate) async fn put(&self, account: &str, body: Value) {
        let call = Call::put(format!("/v1/accounts/{account}"), &body).unwrap();
        let answer = self.client.send(&call).await.unwrap();
        assert!(answer.is_success(), "{}", answer.problem());
    }

    /// Charges `acme` for a chat message, or what is said in its place.
    pub(crate) async fn charge(&self, id: &str, other: Value) -> Value {
        let answer = self.client.send(&Self::charging(id, &other)).await.unwrap();
        assert_eq!(answer.status, 201, "{}", answer.problem());
        answer.json().unwrap()
    }

    /// The request for it.
    pub(crate) fn charging(id: &str, other: &Value) -> Call {
        let mut event = json!({
            "id": id, "account": "acme", "activity": "chat", "model": "gpt-4o-mini", "agent": "support",
            "usage": { "input_tokens": 374, "output_tokens": 44, "messages": 1 },
        });
        event.as_object_mut().unwrap().extend(other.as_object().unwrap().clone());
        Call::post("/v1/charges", &event).unwrap()
    }

    /// A link to an account's page.
    pub(crate) async fn link(&self, account: &str, more: Value) -> String {
        let mut wanted = json!({ "account": account, "scopes": ["read", "purchase"] });
        wanted.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        let made = expect(&self.client, Call::post("/v1/portal-tokens", &wanted).unwrap(), 201).await;
        made["url"].as_str().unwrap().to_owned()
    }

    /// An address of the server.
    pub(crate) fn at(&self, path: &str) -> String {
        format!("{}{path}", self.server.url)
    }

    pub(crate) async fn balance(&self, account: &str) -> Value {
        expect(&self.client, Call::get(format!("/v1/accounts/{account}/balance")), 200).await
    }
}
