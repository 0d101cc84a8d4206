//! A trace at real prices: the total is what anybody computes from the price list, and a second run moves nothing.

use crate::server::{ADMIN_KEY, Server, purser};
use serde_json::Value;
use std::path::Path;

const ROWS: u64 = 500;

/// List prices in micro-credits a token, which are US dollars for a billion tokens: model, input, output.
const PRICES: [(&str, u64, u64); 4] = [
    ("gpt-4o-mini", 150, 600),
    ("gpt-4o", 2500, 10_000),
    ("claude-sonnet-4-5", 3000, 15_000),
    ("gemini-2.5-flash", 300, 2500),
];

/// Token counts that look like nothing in particular, the same in every run.
fn tokens(row: u64) -> (u64, u64) {
    (row * 7919 % 4093, 1 + row * 104_729 % 977)
}

fn run(trace: &Path, more: &[&str]) -> String {
    let models = PRICES.map(|(model, ..)| model).join(",");
    let mut command = purser();
    command.arg("replay").arg(trace).args(["--plan", "pro", "--models", &models, "--accounts", "20", "--seed", "7"]);
    let output = command.args(["--start", "2026-11-01T00:00:00Z"]).args(more).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap()
}

#[test]
fn a_replayed_trace_costs_what_the_price_list_says() {
    let folder = tempfile::tempdir().unwrap();
    let trace = folder.path().join("trace.csv");
    let rows = (0..ROWS).map(|row| {
        let (input, output) = tokens(row);
        format!("2023-11-16 18:{:02}:{:02}.6805900,{input},{output}\r\n", row / 60 % 60, row % 60)
    });
    std::fs::write(&trace, format!("\u{feff}TIMESTAMP,ContextTokens,GeneratedTokens\r\n{}", rows.collect::<String>()))
        .unwrap();

    // Which model each row is of comes from the program; what that costs, from the table above.
    let assigned = run(&trace, &["--dry-run"]);
    let mut lines = assigned.lines();
    let header: Vec<&str> = lines.next().unwrap().split(',').collect();
    let model_at = header.iter().position(|name| *name == "model").unwrap();
    let models: Vec<&str> = lines.map(|line| line.split(',').nth(model_at).unwrap()).collect();
    assert_eq!(models.len() as u64, ROWS);
    let expected: u64 = (0..ROWS)
        .zip(models)
        .map(|(row, model)| {
            let (_, input_price, output_price) = PRICES.iter().find(|(name, ..)| *name == model).unwrap();
            let (input, output) = tokens(row);
            input * input_price + output * output_price
        })
        .sum();
    let expected = format!("{}.{:06}", expected / 1_000_000, expected % 1_000_000);

    let data = tempfile::tempdir().unwrap();
    let clock = ["--test-clock", "2026-11-02T00:00:00Z"];
    let server = Server::start_with(purser().env("PURSER_ADMIN_KEY", ADMIN_KEY), data.path(), &clock);
    let against = ["--server", &server.url, "--key", ADMIN_KEY, "--grant", "100000", "--json"];
    for (form, outcome) in [(["--concurrency", "8"], "charged"), (["--batch", "100"], "replayed")] {
        let summary = run(&trace, &[against.as_slice(), &form].concat());
        let summary: Value = serde_json::from_str(&summary).unwrap();
        assert_eq!(summary["answers"][0]["outcome"], outcome, "{summary}");
        assert_eq!(summary["answers"][0]["events"], ROWS, "{summary}");
        assert_eq!(summary["credits_total"], expected.trim_end_matches('0'), "{summary}");
    }
}
