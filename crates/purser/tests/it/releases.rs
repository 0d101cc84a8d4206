//! The Show: prices are released, shared, shadowed and rolled back while traffic goes on, and the server is killed in the
//! middle of it. No request fails, and every charge is priced by what was in effect at its time, to the micro-credit.

mod outside;
mod traffic;

use crate::raw;
use crate::receipts::verified;
use crate::server::{Server, expect};
use outside::{Calls, LIST, Prices, is_in_share, micros};
use serde_json::{Value, json};
use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use trace_replay::client::{Call, Client};
use traffic::{Answered, Traffic, Used};

const GRANT: &str = "5000000";
/// What accounts have before anything is charged: the package of their plan, and what was granted.
const CREDITS_MICROS: i128 = 5_010_000_000_000;
/// How many charges lie between two steps at least.
const BETWEEN: usize = 150;

/// What releases are made of: a plugin, and a plugin configuration of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    Messages,
    Calls,
}

impl Kind {
    fn plugin(self) -> &'static str {
        match self {
            Self::Messages => "per-model-rates",
            Self::Calls => "call-minutes",
        }
    }

    fn slot(self) -> &'static str {
        match self {
            Self::Messages => "list-prices",
            Self::Calls => "voice",
        }
    }
}

/// A configuration, by its index in one of the two tables.
#[derive(Clone, Copy, Debug)]
enum Step {
    Live(Kind, usize),
    /// The same on so many accounts of a hundred.
    Share(Kind, usize, u64),
    Shadow(Kind, usize),
    Back(Kind),
}

const LIST_PRICES: Prices = Prices { models: LIST, markup_e4: 10_000, minimum_micros: 0 };

/// The first is what the configuration file says.
const PRICES: [Prices; 6] = [
    LIST_PRICES,
    Prices { markup_e4: 12_500, ..LIST_PRICES },
    Prices { markup_e4: 11_111, minimum_micros: 1_250_000, ..LIST_PRICES },
    Prices {
        models: [
            ("gpt-4o-mini", 14_735, 61_250),
            ("gpt-4o", 249_999, 1_000_001),
            ("claude-sonnet-4-5", 315_005, 1_400_000),
            ("gemini-2.5-flash", 30_001, 249_995),
        ],
        markup_e4: 15_000,
        minimum_micros: 500_000,
    },
    Prices { markup_e4: 20_000, ..LIST_PRICES },
    Prices { markup_e4: 3_333, minimum_micros: 1, ..LIST_PRICES },
];

const STARTED_MINUTES: Calls = Calls {
    per_minute_micros: 12_000_000,
    increment_seconds: 60,
    free_seconds: 0,
    connection_micros: 0,
    minimum_micros: 0,
};

const CALLS: [Calls; 4] = [
    STARTED_MINUTES,
    Calls { per_minute_micros: 13_333_333, increment_seconds: 1, ..STARTED_MINUTES },
    Calls { increment_seconds: 6, free_seconds: 10, connection_micros: 1_500_000, ..STARTED_MINUTES },
    Calls { per_minute_micros: 9_999_999, increment_seconds: 7, minimum_micros: 20_000_000, ..STARTED_MINUTES },
];

/// Ten releases, of which one is on a share of accounts of messages, another of calls, and one in shadow; three rollbacks.
const BEFORE_THE_KILL: [Step; 7] = [
    Step::Live(Kind::Messages, 1),
    Step::Live(Kind::Calls, 1),
    Step::Live(Kind::Messages, 2),
    Step::Back(Kind::Messages),
    Step::Share(Kind::Messages, 3, 30),
    Step::Live(Kind::Messages, 3),
    Step::Live(Kind::Calls, 2),
];
const AFTER_THE_KILL: [Step; 6] = [
    Step::Back(Kind::Calls),
    Step::Shadow(Kind::Messages, 4),
    Step::Live(Kind::Messages, 5),
    Step::Share(Kind::Calls, 3, 50),
    Step::Back(Kind::Calls),
    Step::Live(Kind::Messages, 0),
];

/// What is in effect for one kind: what was made live, the newest last, and what is live on a share.
#[derive(Clone, Debug)]
struct Standing {
    lives: Vec<Released>,
    share: Option<(Released, u64)>,
}

/// A configuration with the digests that entries must name.
#[derive(Clone, Debug)]
struct Released {
    config: usize,
    digest: String,
    config_digest: String,
}

/// What is in effect after each step.
#[derive(Clone, Debug)]
struct State {
    messages: Standing,
    calls: Standing,
}

impl State {
    fn of(&mut self, kind: Kind) -> &mut Standing {
        match kind {
            Kind::Messages => &mut self.messages,
            Kind::Calls => &mut self.calls,
        }
    }

    /// What a row costs, and by which digests.
    fn price(&self, account: &str, used: Used) -> (i128, &Released) {
        let (kind, standing) = match used {
            Used::Message { .. } => (Kind::Messages, &self.messages),
            Used::Call { .. } => (Kind::Calls, &self.calls),
        };
        let released = match &standing.share {
            Some((released, percent)) if is_in_share(kind.slot(), account, *percent) => released,
            _ => standing.lives.last().unwrap(),
        };
        let price = match used {
            Used::Message { model, input_tokens, output_tokens } => {
                PRICES[released.config].of(model, input_tokens.into(), output_tokens.into())
            }
            Used::Call { seconds } => CALLS[released.config].of(seconds.into()),
        };
        (price, released)
    }
}

/// Who releases.
struct Operator {
    client: Client,
    url: String,
    traffic: Arc<Traffic>,
    states: Vec<State>,
}

impl Operator {
    async fn start(server: &Server, traffic: Arc<Traffic>) -> Self {
        let client = server.client();
        let mut configured = Vec::new();
        for kind in [Kind::Messages, Kind::Calls] {
            let plugin = expect(&client, Call::get(format!("/v1/plugins/{}", kind.plugin())), 200).await;
            let live = &plugin["plugin_configs"][0]["live"];
            let released =
                Released { config: 0, digest: text(live, "digest"), config_digest: text(live, "config_digest") };
            configured.push(Standing { lives: vec![released], share: None });
        }
        let (calls, messages) = (configured.pop().unwrap(), configured.pop().unwrap());
        Self { client, url: server.url.clone(), traffic, states: vec![State { messages, calls }] }
    }

    /// Takes a step while the traffic goes on.
    async fn step(&mut self, step: Step, version: Option<&str>) -> Value {
        self.traffic.more(BETWEEN).await;
        let mut state = self.states.last().unwrap().clone();
        let (kind, path, request) = match step {
            Step::Back(kind) => {
                let standing = state.of(kind);
                if standing.share.take().is_none() {
                    standing.lives.pop();
                }
                (kind, "rollback", json!({ "reason": "not what was meant" }))
            }
            Step::Live(kind, config) | Step::Share(kind, config, _) | Step::Shadow(kind, config) => {
                let released = self.released(kind, config, version, state.of(kind).lives.last().unwrap()).await;
                let mut request = json!({
                    "digest": version, "config_digest": released.config_digest, "mode": "live", "reason": "new prices",
                });
                if version.is_none() {
                    // What is left out stays.
                    request.as_object_mut().unwrap().remove("digest");
                }
                match step {
                    Step::Share(_, _, percent) => {
                        (request["mode"], request["share_percent"]) = ("share".into(), percent.into());
                        state.of(kind).share = Some((released, percent));
                    }
                    Step::Shadow(..) => request["mode"] = "shadow".into(),
                    _ => {
                        state.of(kind).share = None;
                        state.of(kind).lives.push(released);
                    }
                }
                (kind, "releases", request)
            }
        };
        self.states.push(state);
        self.traffic.begun.fetch_add(1, Ordering::SeqCst);
        let call = Call::post(format!("/v1/plugins/{}/{path}", kind.plugin()), &request).unwrap();
        let release = expect(&self.client, call, 201).await;
        self.traffic.done.fetch_add(1, Ordering::SeqCst);
        assert_eq!(release["release"], self.states.len() - 1, "{step:?}");
        release
    }

    /// Uploads a configuration.
    async fn released(&self, kind: Kind, config: usize, version: Option<&str>, live: &Released) -> Released {
        let json = match kind {
            Kind::Messages => PRICES[config].json(),
            Kind::Calls => CALLS[config].json(),
        };
        let path = format!("/v1/plugins/{}/configs", kind.plugin());
        let uploaded = expect(&self.client, Call::put(path, &json).unwrap(), 201).await;
        let digest = version.map_or_else(|| live.digest.clone(), str::to_owned);
        Released { config, digest, config_digest: text(&uploaded, "config_digest") }
    }

    /// Uploads what is live under other bytes: the same component, with a note at its end.
    async fn upload_twin(&self, data: &Path) -> String {
        let live = &self.states[0].messages.lives[0].digest;
        let file = format!("{}.wasm", live.strip_prefix("sha256:").unwrap());
        let mut component = std::fs::read(data.join("plugins").join(file)).unwrap();
        // A section of a component that means nothing: its kind, its length, and a name.
        component.extend(b"\0\x05\x04note");
        let (status, answer) = raw::upload(&self.url, Kind::Messages.plugin(), &component).await;
        assert_eq!(status, 201, "{answer}");
        let twin = text(&answer, "digest");
        assert_ne!(&twin, live);
        twin
    }

    /// Everything that there is to be known of what is released.
    async fn plugins(&self) -> Value {
        expect(&self.client, Call::get("/v1/plugins"), 200).await
    }
}

fn text(value: &Value, member: &str) -> String {
    value[member].as_str().unwrap_or_else(|| panic!("no {member}: {value}")).to_owned()
}

async fn open_accounts(client: &Client, names: &BTreeSet<&str>) {
    for name in names {
        expect(client, Call::put(format!("/v1/accounts/{name}"), &json!({ "plan": "pro" })).unwrap(), 201).await;
        let grant = json!({ "credits": GRANT, "reason": "room" });
        let grant = Call::post(format!("/v1/accounts/{name}/grants"), &grant).unwrap();
        expect(client, grant.with_idempotency_key("room"), 201).await;
    }
}

async fn open_hold(client: &Client, id: &str) -> Value {
    let hold = json!({
        "id": id, "account": "on-the-phone", "activity": "voice_web", "usage": { "seconds": 600 }, "ttl_seconds": 3600,
        "on_excess": "reject",
    });
    expect(client, Call::post("/v1/holds", &hold).unwrap(), 201).await
}

/// Settles a call of 61 seconds, at the price that counted when its hold was opened.
async fn settle(client: &Client, opened: &Value, calls: &Calls) {
    let path = format!("/v1/holds/{}/settle", text(opened, "hold"));
    let end = Call::post(path, &json!({ "usage": { "seconds": 61 }, "final": true })).unwrap();
    let settled = expect(client, end.with_idempotency_key(text(opened, "hold")), 200).await;
    assert_eq!(micros(&text(&settled, "settled")), calls.of(61), "{settled}");
    for digest in ["digest", "config_digest"] {
        assert_eq!(settled["rating"][digest], opened["rating"][digest], "{settled}");
    }
}

/// Holds every charge of an account's journal against what its steps allow; answers how many there are, and what priced
/// them.
async fn check_account(
    client: Client,
    account: String,
    mut expected: BTreeMap<String, Answered>,
    traffic: Arc<Traffic>,
    states: Arc<Vec<State>>,
) -> (usize, BTreeSet<(String, String)>) {
    let (mut charges, mut cursor) = (Vec::new(), String::new());
    loop {
        let path = format!("/v1/accounts/{account}/entries?window=all&type=charge&limit=1000{cursor}");
        let page = expect(&client, Call::get(path), 200).await;
        charges
            .extend(page["items"].as_array().unwrap().iter().map(|entry| (text(entry, "id"), text(entry, "credits"))));
        let Some(next) = page["next_cursor"].as_str() else { break };
        cursor = format!("&cursor={next}");
    }
    let (mut sum, mut count, mut met) = (0, 0, BTreeSet::new());
    // In the order of the journal, which is told newest first. What can be in effect only moves forward.
    let mut earliest = 0;
    for (id, credits) in charges.iter().rev() {
        let Answered { event, steps, answer } = expected.remove(id).unwrap_or_else(|| panic!("nobody made {id}"));
        let charge = expect(&client, Call::get(format!("/v1/charges/{id}")), 200).await;
        let found = |member: &str| text(&charge["rating"], member);
        assert_eq!(charge["rating"]["plugin"], answer["rating"]["plugin"]);
        let row = traffic.row(event);
        let allowed = states[steps.0..=steps.1].iter().map(|state| state.price(&row.account, row.used));
        let is_of = |released: &Released| {
            (&released.digest, &released.config_digest) == (&found("digest"), &found("config_digest"))
        };
        let priced = allowed.clone().find(|(_, released)| is_of(released));
        let (price, _) = priced.unwrap_or_else(|| {
            panic!(
                "{id}, between the steps {steps:?}: {}\nallowed: {:?}",
                charge["rating"],
                allowed.collect::<Vec<_>>()
            )
        });
        assert_eq!(micros(credits), -price, "{id}: {row:?} {}", charge["rating"]);
        assert_eq!(micros(&text(&answer, "credits")), price, "{id}: what was answered is what is booked");
        earliest = earliest.max(steps.0);
        assert!(steps.1 >= earliest, "{id} was booked after something that was sent after its answer");
        met.insert((found("digest"), found("config_digest")));
        sum += price;
        count += 1;
    }
    assert!(expected.is_empty(), "{account} lacks {:?}", expected.keys());
    let balance = expect(&client, Call::get(format!("/v1/accounts/{account}/balance")), 200).await;
    assert_eq!(micros(&text(&balance, "consumed")), sum, "{account}");
    assert_eq!(micros(&text(&balance, "remaining")), CREDITS_MICROS - sum, "{account}");
    (count, met)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn prices_change_under_traffic_and_every_charge_is_of_its_time() {
    let root = tempfile::tempdir().unwrap();
    let data = root.path().join("data");
    let traffic = Traffic::new(traffic::rows(root.path()));
    let names: BTreeSet<&str> = traffic.rows.iter().map(|row| row.account.as_str()).chain(["on-the-phone"]).collect();
    assert_eq!(names.len(), traffic::ACCOUNTS + 1);

    let first = Server::start(&data);
    open_accounts(&first.client(), &names).await;
    let mut operator = Operator::start(&first, traffic.clone()).await;
    let callers = traffic.start(&first.client(), Vec::new());
    let oldest_hold = open_hold(&operator.client, "oldest").await;
    let mut later_hold = Value::Null;
    for step in BEFORE_THE_KILL {
        operator.step(step, None).await;
        if matches!(step, Step::Live(Kind::Calls, 1)) {
            let same = open_hold(&operator.client, "settled at once").await;
            settle(&operator.client, &oldest_hold, &CALLS[0]).await;
            settle(&operator.client, &same, &CALLS[1]).await;
            later_hold = open_hold(&operator.client, "later").await;
        }
    }
    traffic.more(BETWEEN).await;
    let released = operator.plugins().await;
    first.kill();
    let (mut answered, unanswered) = callers.ended().await;
    assert_eq!(unanswered.len(), traffic::CALLERS, "all were in the middle of it");

    let second = Server::start(&data);
    (operator.client, operator.url) = (second.client(), second.url.clone());
    assert_eq!(operator.plugins().await, released, "what was released is released");
    let callers = traffic.start(&second.client(), unanswered);
    settle(&operator.client, &later_hold, &CALLS[1]).await;
    let twin = operator.upload_twin(&data).await;
    for (number, step) in AFTER_THE_KILL.into_iter().enumerate() {
        let is_last = number + 1 == AFTER_THE_KILL.len();
        operator.step(step, is_last.then_some(twin.as_str())).await;
        if matches!(step, Step::Live(Kind::Messages, 5)) {
            let shadow = expect(&operator.client, Call::get("/v1/plugins/per-model-rates/shadow"), 200).await;
            assert!(shadow["different"].as_u64().unwrap() > 0, "a mark-up of 2 is another price: {shadow}");
            assert_eq!((&shadow["failed"], &shadow["refused"]), (&json!(0), &json!(0)), "{shadow}");
        }
    }
    traffic.more(BETWEEN).await;
    traffic.finish().await;
    let (more, unanswered) = callers.ended().await;
    assert!(unanswered.is_empty(), "the server did not answer {unanswered:?}");
    answered.extend(more);

    let mut by_account: BTreeMap<&str, BTreeMap<String, Answered>> = BTreeMap::new();
    let total = answered.len();
    let client = second.client();
    for one in answered {
        let of_account = by_account.entry(&traffic.row(one.event).account).or_default();
        assert!(of_account.insert(text(&one.answer, "charge"), one).is_none(), "one charge for two events");
    }
    let states = Arc::new(operator.states);
    let checks: Vec<_> = by_account
        .into_iter()
        .map(|(account, charges)| {
            tokio::spawn(check_account(client.clone(), account.to_owned(), charges, traffic.clone(), states.clone()))
        })
        .collect();
    let (mut checked, mut met) = (0, BTreeSet::new());
    for check in checks {
        let (charges, pairs) = check.await.unwrap();
        checked += charges;
        met.extend(pairs);
    }
    assert_eq!(checked, total);
    // Everything but the candidate was in effect for somebody, and all of it left its mark.
    let standings = states.iter().flat_map(|state| [&state.messages, &state.calls]);
    let released = standings.flat_map(|standing| standing.lives.iter().chain(standing.share.iter().map(|(of, _)| of)));
    assert_eq!(met, released.map(|of| (of.digest.clone(), of.config_digest.clone())).collect());

    // Three calls were settled besides.
    let all = format!("\n{} charges, {} re-executed to the same price\n", total + 3, total + 3);
    let said = verified(&data, &["--reprice"], 0);
    assert!(said.contains(&all), "beside the running server: {said}");
    second.stop();
    let said = verified(&data, &["--reprice"], 0);
    assert!(said.contains(&all), "in the directory: {said}");
}
