//! Looking after the server, and this reference itself, described.

use super::{Description, Form, NDJSON, Part, Tag};
use crate::health::HealthAnswer;
use crate::maintenance::Line;
use crate::problem::kinds;
use crate::shapes::AccountId;
use crate::test_clock::ClockAnswer;
use crate::wire::Shown;
use ledger_core::Timestamp;
use schemars::JsonSchema;

pub(super) const ALL: Part = &[
    ("verify", verify),
    ("backUp", back_up),
    ("setTestClock", set_test_clock),
    ("getMetrics", get_metrics),
    ("getHealth", get_health),
    ("getReadiness", get_readiness),
    ("getOpenApi", get_openapi),
    ("getReference", get_reference),
    ("getProblem", get_problem),
    ("getReferenceStyle", get_reference_style),
];

#[derive(JsonSchema)]
#[allow(dead_code, reason = "it describes what is read by hand")]
struct VerificationQuery {
    /// This account alone.
    account: Option<AccountId>,
    /// Whether every charge is executed again, by what priced it.
    reprice: Option<bool>,
}

#[derive(JsonSchema)]
#[allow(dead_code, reason = "it describes what is read by hand")]
struct BackupQuery {
    /// At which pace, so that the disk has some left for others; as fast as it goes where it is left out.
    #[schemars(range(min = 1, max = 1_000_000))]
    mib_per_second: Option<u64>,
}

/// A time to move to.
#[derive(JsonSchema)]
#[schemars(rename = "NewTestTime", deny_unknown_fields)]
#[allow(dead_code, reason = "it describes what is read by hand")]
struct NewTestTime {
    /// The time, not before the one at which the clock stands.
    now: Shown<Timestamp>,
}

fn verify() -> Description {
    Description::new(
        Tag::Operating,
        "Hold everything against the journal",
        "Reads every entry and checks the chain, the sums and the state. Lines of JSON say how far it is, and in the end \
         what was found.",
    )
    .query::<VerificationQuery>()
    .answers_empty(200, "Progress, and the report.")
    .or::<Line<'_>>(NDJSON, Form::Lines)
    .refuses(&[kinds::MAINTENANCE_RUNNING, kinds::NOT_FOUND, kinds::ACCOUNT_NOT_FOUND])
}

fn back_up() -> Description {
    Description::new(
        Tag::Operating,
        "Copy everything",
        "A consistent copy of the whole ledger, as a tar that `purser restore` reads, while the server serves.",
    )
    .query::<BackupQuery>()
    .answers_empty(200, "The copy.")
    .or_bytes("application/x-tar")
    .refuses(&[kinds::MAINTENANCE_RUNNING, kinds::NOT_FOUND])
}

fn set_test_clock() -> Description {
    Description::new(
        Tag::Operating,
        "Move the test clock",
        "On a server started with `--test-clock`, time stands until it is moved, and everything that is due in between \
         happens. Elsewhere there is no such route.",
    )
    .body::<NewTestTime>(r#"{"now":"2026-11-02T00:00:00Z"}"#)
    .answers::<ClockAnswer>(200, "The clock is moved.")
    .refuses(&[kinds::NOT_FOUND])
}

fn get_metrics() -> Description {
    Description::new(
        Tag::Operating,
        "Read the metrics",
        "In the text format of Prometheus. Anybody may, unless the configuration wants a key with the scope `read`.",
    )
    .answers_empty(200, "The metrics.")
    .or_bytes("text/plain")
    .refuses(&[kinds::UNAUTHENTICATED, kinds::FORBIDDEN, kinds::NOT_FOUND, kinds::INTERNAL])
}

fn get_health() -> Description {
    Description::new(Tag::Operating, "Ask whether the process runs", "It answers while it runs, ready or not.")
        .answers::<HealthAnswer>(200, "It runs.")
}

fn get_readiness() -> Description {
    Description::new(Tag::Operating, "Ask whether requests are taken", "For whoever decides where requests go.")
        .answers::<HealthAnswer>(200, "They are taken.")
        .refuses(&[kinds::STORAGE_UNAVAILABLE])
}

fn get_openapi() -> Description {
    Description::new(
        Tag::Operating,
        "Get this document",
        "OpenAPI 3.1: for generators of clients, for tools, and for this reference.",
    )
    .answers::<serde_json::Map<String, serde_json::Value>>(200, "The document.")
}

fn get_reference() -> Description {
    Description::new(Tag::Operating, "Read the reference", "This document as a page, which needs no network.")
        .answers_empty(200, "The page.")
        .or_bytes("text/html")
}

fn get_problem() -> Description {
    Description::new(Tag::Operating, "Read about a problem", "What a problem's code means, and what to do.")
        .answers_empty(200, "The page.")
        .or_bytes("text/html")
        .refuses(&[kinds::NOT_FOUND])
}

fn get_reference_style() -> Description {
    Description::new(Tag::Operating, "Get the style of the reference", "What the pages look like.")
        .answers_empty(200, "The style sheet.")
        .or_bytes("text/css")
}
