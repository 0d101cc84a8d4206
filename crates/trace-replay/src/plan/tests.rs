//! Plans as data: a trace and options in, charges out.

use super::*;
use clap::Parser;

#[derive(Parser)]
struct Cli {
    #[command(flatten)]
    options: Options,
}

fn options(line: &str) -> Options {
    Cli::parse_from(["replay", "t.csv"].into_iter().chain(line.split_whitespace())).options
}

fn plan(line: &str) -> anyhow::Result<Plan> {
    let trace = "TIMESTAMP,ContextTokens,GeneratedTokens\n\
                 2023-11-16 18:15:46.6805900,374,44\n\
                 2023-11-16 18:15:50.9951690,396,109\n\
                 2023-11-16 18:15:46.1,0,0\n";
    Plan::new(trace::read(trace.as_bytes(), None)?, &options(line))
}

#[test]
fn rows_are_shifted_and_assigned() {
    let plan = plan("--start 2026-11-20T00:00:00Z --seed 7 --accounts 200 --agents x,y,z --models a,b,c,d").unwrap();
    let mut csv = Vec::new();
    plan.write_csv(&mut csv).unwrap();
    assert_eq!(
        String::from_utf8(csv).unwrap(),
        "row,id,account,agent,model,input_tokens,output_tokens,occurred_at\n\
         0,replay-7-0,replay-78,x,d,374,44,2026-11-20T00:00:00Z\n\
         1,replay-7-1,replay-117,y,a,396,109,2026-11-20T00:00:04.315Z\n\
         2,replay-7-2,replay-94,x,a,0,0,2026-11-19T23:59:59.420Z\n"
    );
}

#[test]
fn a_charge_has_the_names_of_the_interface() {
    let plan = plan("--start 2026-11-20T00:00:00Z --activity assistant --accounts 1 --account-prefix acme.").unwrap();
    let charge = serde_json::to_string(&plan.charge(1).unwrap()).unwrap();
    assert_eq!(
        charge,
        "{\"id\":\"replay-1-1\",\"account\":\"acme.1\",\"activity\":\"assistant\",\"agent\":\"sales-bot\",\
         \"model\":\"gpt-4o-mini\",\"usage\":{\"input_tokens\":396,\"output_tokens\":109,\"messages\":1},\
         \"occurred_at\":\"2026-11-20T00:00:04.315Z\"}"
    );
    assert_eq!(plan.charge(3), None);
}

/// Without a start the latest row happens now, so that no event is in the future.
#[test]
fn without_a_start_the_trace_ends_now() {
    let before = now();
    let plan = plan("").unwrap();
    let ends = plan.start().plus_millis(4_315);
    assert!(before <= ends && ends <= now(), "{before} {ends}");
}

#[test]
fn a_prefix_that_makes_no_ids_is_refused() {
    let long = "x".repeat(128);
    for prefix in ["a/b", "ä", &long] {
        assert!(plan(&format!("--account-prefix {prefix}")).is_err(), "{prefix}");
    }
}
