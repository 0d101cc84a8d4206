//! What it costs to be listened to: how much longer a commit takes where notices are wanted and where somebody listens,
//! and how much memory a stream holds on which nothing happens. Each batch charges a thousand accounts once, so that
//! every charge is a commit of its own account; the cases take turns, and the figures are medians.
#![allow(missing_docs, clippy::unwrap_used, reason = "a benchmark may panic: that is how it fails")]
#![allow(clippy::print_stdout, reason = "its figures are what it is for")]

use axum::Router;
use axum::body::Body;
use axum::http::Request;
use http_api::{Api, Limits, Metrics, PageSettings, router};
use http_body_util::BodyExt;
use ledger_service::{Audience, NoticeKind, Settings, Subscription, WantedNotices};
use std::sync::Arc;
use std::time::Instant;
use testkit::{ADMIN_KEY, Anywhere, Kit, messages};

const ACCOUNTS: usize = 1000;
const STREAMS: usize = 2000;
const ROUNDS: usize = 60;

#[derive(Clone, Copy)]
enum Case {
    Nobody,
    Wanted,
    IdleListeners,
    Listeners,
}

const CASES: [(Case, &str); 4] = [
    (Case::Nobody, "nobody wants or hears anything"),
    (Case::Wanted, "every kind of notice is wanted, and none is due"),
    (Case::IdleListeners, "2,000 listen, to other accounts"),
    (Case::Listeners, "somebody listens to each account"),
];

#[tokio::main]
async fn main() {
    let settings = Settings { listeners_max: 100_000, listener_commits_max: 128, ..testkit::settings() };
    let kit = Kit::with(settings);
    for n in 0..ACCOUNTS.max(STREAMS) {
        kit.open_account(&format!("a{n}"), "max").await;
    }
    commits(&kit).await;
    streams(&kit).await;
}

async fn commits(kit: &Kit) {
    let mut taken_ns: Vec<Vec<f64>> = vec![Vec::new(); CASES.len()];
    for round in 0..ROUNDS {
        for (index, (case, _)) in CASES.iter().enumerate() {
            let mut listening = arrange(kit, *case);
            let charges = (0..ACCOUNTS).map(|n| messages(&format!("a{n}"), &format!("{round}-{index}"), 1)).collect();
            let start = Instant::now();
            let answers = kit.ledger.charge_batch(charges).await;
            let elapsed = start.elapsed();
            assert!(answers.iter().all(Result::is_ok));
            if matches!(case, Case::Listeners) {
                assert!(listening.iter_mut().all(|subscription| subscription.next_waiting().is_some()));
            }
            taken_ns[index].push(elapsed.as_secs_f64() * 1e9 / f64::from(u32::try_from(ACCOUNTS).unwrap()));
        }
    }
    for ((_, name), taken) in CASES.iter().zip(&mut taken_ns) {
        taken.sort_by(f64::total_cmp);
        println!("{name}: {:.0} ns a charge (least {:.0})", taken[taken.len() / 2], taken[0]);
    }
}

fn arrange(kit: &Kit, case: Case) -> Vec<Subscription> {
    let mut wanted = WantedNotices::default();
    let listen = |account: String| kit.ledger.listen(Audience::Accounts(vec![account.into()])).unwrap();
    let listening = match case {
        Case::Nobody => Vec::new(),
        Case::Wanted => {
            wanted.of_all = NoticeKind::ALL.into_iter().map(|(kind, _)| kind).collect();
            Vec::new()
        }
        Case::IdleListeners => (0..STREAMS).map(|n| listen(format!("idle{n}"))).collect(),
        Case::Listeners => (0..ACCOUNTS).map(|n| listen(format!("a{n}"))).collect(),
    };
    kit.ledger.notices().want(wanted);
    listening
}

async fn streams(kit: &Kit) {
    let limits = Limits {
        body_bytes_max: 65_536,
        batch_body_bytes_max: 65_536,
        batch_items_max: 100,
        batches_bytes_max: 65_536,
        body_timeout: std::time::Duration::from_secs(30),
        requests_max: 10_000,
        resume_entries_max: 1000,
        heartbeat_ms: 15_000,
    };
    let (ledger, public_url, test_clock, maintenance) = (kit.ledger.clone(), None, None, None);
    let metrics = Metrics { exposition: None, need_key: false };
    let sender = Arc::new(Anywhere);
    let pages = PageSettings::default();
    let router = router(Arc::new(Api { ledger, public_url, pages, limits, test_clock, sender, maintenance, metrics }));
    // What is made once, for the first, is no stream's.
    let first = open(&router, 0).await;
    let before = resident_bytes();
    let mut open_streams = vec![first];
    for n in 1..=STREAMS {
        open_streams.push(open(&router, n % ACCOUNTS).await);
    }
    let grown = resident_bytes() - before;
    println!("{STREAMS} streams on which nothing happens: {} bytes each", grown / STREAMS);
}

async fn open(router: &Router, account: usize) -> Body {
    let request = Request::get(format!("/v1/accounts/a{account}/events"));
    let request = request.header("authorization", format!("Bearer {ADMIN_KEY}")).body(Body::empty()).unwrap();
    let mut body = tower::ServiceExt::oneshot(router.clone(), request).await.unwrap().into_body();
    let balance = body.frame().await.unwrap().unwrap().into_data().unwrap();
    assert!(balance.starts_with(b"retry"));
    body
}

fn resident_bytes() -> usize {
    let pages = std::fs::read_to_string("/proc/self/statm").unwrap();
    pages.split(' ').nth(1).unwrap().parse::<usize>().unwrap() * 4096
}
