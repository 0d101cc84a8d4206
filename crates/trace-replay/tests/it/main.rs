//! Replays against a stand-in server: what is charged once, replayed, refused, tried again, and given up.

#![allow(clippy::unwrap_used, reason = "a test may panic: that is how it fails")]

mod stand_in;

use clap::Parser;
use stand_in::{Fault, KEY, StandIn};
use std::process::ExitCode;
use tempfile::TempDir;
use trace_replay::{Options, Summary, command, run};

/// Rows of the trace: input tokens of 1, 2, 3 … and so 0.0005 × 55 credits in all.
const ROWS: u64 = 10;

struct Bench {
    directory: TempDir,
    server: String,
}

impl Bench {
    fn new(server: String) -> Self {
        let directory = tempfile::tempdir().unwrap();
        let rows: String = (1..=ROWS).map(|n| format!("2023-11-16 18:15:{n:02}.5,{n},1\r\n")).collect();
        let csv = format!("\u{feff}TIMESTAMP,ContextTokens,GeneratedTokens\r\n{rows}");
        std::fs::write(directory.path().join("trace.csv"), csv).unwrap();
        Self { directory, server }
    }

    fn options(&self, more: &str) -> Options {
        #[derive(Parser)]
        struct Cli {
            #[command(flatten)]
            options: Options,
        }
        let concurrency = if more.contains("--concurrency") { "" } else { "--concurrency 3" };
        let trace = self.directory.path().join("trace.csv").display().to_string();
        let fixed = ["--server", &self.server, "--key", KEY, "--start", "2026-11-20T00:00:00Z"];
        let line = ["replay", &trace]
            .into_iter()
            .chain(fixed)
            .chain(more.split_whitespace())
            .chain(concurrency.split_whitespace());
        Cli::try_parse_from(line).unwrap().options
    }

    async fn run(&self, more: &str) -> Summary {
        run(self.options(more)).await.unwrap()
    }
}

fn answers(summary: &Summary) -> Vec<(u16, &str, u64)> {
    summary.answers.iter().map(|answer| (answer.status, answer.outcome.as_str(), answer.events)).collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_second_run_is_all_replays() {
    for form in ["", "--batch 4", "--batch 10000"] {
        let (server, address) = StandIn::start(&[]).await;
        let bench = Bench::new(address);
        let first = bench.run(&format!("--accounts 3 --grant 12.5 {form}")).await;
        assert_eq!((first.charged, first.replayed, first.unanswered()), (ROWS, 0, 0), "{form}");
        assert_eq!(first.credits_total.to_string(), "0.0275");
        assert_eq!(server.accounts(), 3);
        let grants = server.grants();
        assert_eq!(grants.len(), 3);
        assert_eq!(grants[0], (("replay-1".to_owned(), "\"replay-1-grant\"".to_owned()), "\"12.5\"".to_owned()));

        let again = bench.run(&format!("--accounts 3 --grant 12.5 {form}")).await;
        assert_eq!((again.charged, again.replayed, again.replayed_on_retry), (0, ROWS, 0), "{form}");
        assert_eq!(
            (again.credits_charged.to_string(), again.credits_replayed.to_string()),
            ("0".into(), "0.0275".into())
        );
        assert_eq!(server.grants(), grants);
        assert_eq!(server.charges(), 10);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn refusals_are_counted_by_code() {
    for form in ["", "--batch 3"] {
        let (_, address) = StandIn::start(&[]).await;
        let bench = Bench::new(address);
        let line = format!("--models gpt-4o,unknown --seed 7 {form}");
        let summary = bench.run(&line).await;
        assert_eq!(answers(&summary), [(201, "charged", 6), (422, "unpriced", 4)], "{form}");
        assert_eq!((summary.refused, summary.unanswered()), (4, 0));
        for (more, expected) in [("", ExitCode::SUCCESS), ("--expect-no-refusals", ExitCode::FAILURE)] {
            let code = command(bench.options(&format!("{line} {more}")), &mut Vec::new()).await.unwrap();
            assert_eq!(format!("{code:?}"), format!("{expected:?}"), "{more}");
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_passes_is_tried_again() {
    for (form, requests) in [("", 10), ("--batch 5", 3)] {
        let (server, address) = StandIn::start(&[("replay-1-3", Fault::Unavailable)]).await;
        let summary = Bench::new(address).run(form).await;
        assert_eq!(answers(&summary), [(201, "charged", 10)], "{form}");
        assert_eq!((summary.requests, summary.retries), (requests, 1), "{form}");
        assert_eq!(server.charges(), 10);
    }
}

/// The server booked and could not say so: the second attempt is a replay, and the summary tells it apart from an
/// event that another run had charged.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_lost_answer_is_a_replay_on_retry() {
    for (form, on_retry) in [("", 1), ("--batch 10", 4)] {
        let (server, address) = StandIn::start(&[("replay-1-3", Fault::HangUp)]).await;
        let summary = Bench::new(address).run(form).await;
        assert_eq!((summary.charged, summary.replayed), (ROWS - on_retry, on_retry), "{form}");
        assert_eq!((summary.replayed_on_retry, summary.unanswered()), (on_retry, 0), "{form}");
        assert_eq!(summary.credits_total.to_string(), "0.0275");
        assert_eq!(server.charges(), 10);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_lost_server_ends_the_run_and_is_told() {
    let faults = [("replay-1-3", Fault::HangUp)];
    let (_, address) = StandIn::start(&faults).await;
    let bench = Bench::new(address);
    let summary = bench.run("--retry-seconds 0 --concurrency 1").await;
    assert_eq!((summary.charged, summary.failed, summary.not_sent), (3, 1, 6));
    let text = summary.to_string();
    assert!(text.contains("hung up before it answered"), "{text}");
    assert!(text.contains("repeat with --start 2026-11-20T00:00:00Z --seed 1"), "{text}");

    // A passing refusal that does not pass is a failure of that event alone.
    let (_, address) = StandIn::start(&[("replay-1-3", Fault::Unavailable)]).await;
    let summary = Bench::new(address).run("--retry-seconds 0").await;
    assert_eq!(answers(&summary), [(201, "charged", 9), (503, "storage-unavailable", 1)]);
    assert_eq!((summary.failed, summary.not_sent), (1, 0));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_cannot_begin_says_why() {
    let (_, address) = StandIn::start(&[]).await;
    let bench = Bench::new(address);
    let mut no_key = bench.options("");
    no_key.key = Some("another".to_owned());
    // A port that was free a moment ago.
    let free = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let mut nobody = bench.options("--retry-seconds 0");
    nobody.server = format!("http://{free}");
    let mut tls = bench.options("--retry-seconds 0");
    tls.server = format!("https://{free}");
    let mut other_scheme = bench.options("");
    other_scheme.server = format!("ftp://{free}");
    let mut no_trace = bench.options("");
    no_trace.trace = "nowhere.csv".into();
    for (options, part) in [
        (no_key, "does not accept the key"),
        (nobody, "; start one with `purser serve`"),
        (tls, "; start one with `purser serve`"),
        (other_scheme, "write it as http://HOST:PORT"),
        (no_trace, "the trace nowhere.csv cannot be opened"),
    ] {
        let error = run(options).await.unwrap_err();
        assert!(format!("{error:#}").contains(part), "{error:#}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_dry_run_sends_nothing_and_a_summary_is_json() {
    let (server, address) = StandIn::start(&[]).await;
    let bench = Bench::new(address);
    let mut out = Vec::new();
    command(bench.options("--dry-run"), &mut out).await.unwrap();
    assert_eq!(String::from_utf8(out).unwrap().lines().count(), 11);
    assert_eq!(server.accounts(), 0);

    let mut out = Vec::new();
    command(bench.options("--json --limit 2"), &mut out).await.unwrap();
    let summary: serde_json::Value = serde_json::from_slice(&out).unwrap();
    assert_eq!(summary["events"], 2);
    assert_eq!(summary["credits_total"], "0.0015");
}
