//! `GET /v1/verification` and `GET /v1/backup`: looking after the store while it serves. Both stream for as long as the
//! work takes, and end it when the client goes away.

use crate::fields::{Fields, account_id, member, number_in};
use crate::problem::Problem;
use crate::router::Api;
use crate::stream::written::{self, Out};
use axum::extract::State;
use axum::http::{HeaderMap, HeaderValue, Uri, header};
use axum::response::Response;
use ledger_service::ServiceError;
use ledger_service::ports::{DamageFound, Maintenance, Repriced, ToVerify, Verification};
use schemars::JsonSchema;
use serde::Serialize;
use std::io::{self, Write};
use std::ops::ControlFlow;
use std::sync::Arc;
use std::time::{Duration, Instant};

/// How often a client is told how far a verification has come.
const PROGRESS_INTERVAL: Duration = Duration::from_millis(100);
/// More than any disk or wire gives.
const MIB_PER_SECOND_MAX: u64 = 1_000_000;
const MIB: u64 = 1 << 20;
/// A choice, in a query.
const YES_OR_NO: [(bool, &str); 2] = [(true, "true"), (false, "false")];

pub(crate) async fn verify(State(api): State<Arc<Api>>, uri: Uri) -> Result<Response, Problem> {
    let maintenance = maintenance(&api, &uri)?;
    let mut fields = Fields::of_query(&uri)?;
    let account = fields.optional("account", account_id);
    let reprice = fields.optional("reprice", member(&YES_OR_NO)).unwrap_or(false);
    fields.finish()?;
    let mut headers = HeaderMap::new();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/x-ndjson"));
    let work = move |out: &mut Out| {
        let mut told_at: Option<Instant> = None;
        let mut progress = |done: u64, of: u64| {
            if done < of && told_at.is_some_and(|at| at.elapsed() < PROGRESS_INTERVAL) {
                return ControlFlow::Continue(());
            }
            told_at = Some(Instant::now());
            // The store is held while it is verified, so a slow client must not hold the verification.
            let told = line(&Line::Progress(ProgressAnswer { done, of })).and_then(|line| out.write_if_taken(line));
            if told.is_ok() { ControlFlow::Continue(()) } else { ControlFlow::Break(()) }
        };
        let found = maintenance.verify(ToVerify { account: account.as_deref(), reprice }, &mut progress)?;
        line(&Line::Report(ReportAnswer::new(&found)))
            .and_then(|line| out.write_all(&line))
            .map_err(|error| ServiceError::Internal { detail: error.to_string() })
    };
    written::answer(headers, work).await
}

pub(crate) async fn back_up(State(api): State<Arc<Api>>, uri: Uri) -> Result<Response, Problem> {
    let maintenance = maintenance(&api, &uri)?;
    let mut fields = Fields::of_query(&uri)?;
    let mib_per_second = fields.optional("mib_per_second", number_in(1..=MIB_PER_SECOND_MAX));
    fields.finish()?;
    let mut headers = HeaderMap::new();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/x-tar"));
    let disposition = HeaderValue::from_static("attachment; filename=\"purser-backup.tar\"");
    headers.insert(header::CONTENT_DISPOSITION, disposition);
    let work = move |out: &mut Out| maintenance.back_up(mib_per_second.map(|mib| mib * MIB), out);
    written::answer(headers, work).await
}

/// Where nobody looks after the store, there is no such route.
fn maintenance(api: &Api, uri: &Uri) -> Result<Arc<dyn Maintenance>, Problem> {
    api.maintenance.clone().ok_or_else(|| Problem::not_found(uri.path()))
}

/// A line of a verification: progress, and in the end a report.
#[derive(JsonSchema, Serialize)]
#[schemars(rename = "VerificationLine")]
#[serde(rename_all = "lowercase")]
pub(crate) enum Line<'a> {
    /// How far it has come.
    Progress(ProgressAnswer),
    /// What was found.
    Report(ReportAnswer<'a>),
}

#[derive(JsonSchema, Serialize)]
#[schemars(rename = "VerificationProgress")]
pub(crate) struct ProgressAnswer {
    /// How much is done.
    done: u64,
    /// Of how much.
    of: u64,
}

#[derive(JsonSchema, Serialize)]
#[schemars(rename = "VerificationReport")]
pub(crate) struct ReportAnswer<'a> {
    /// Records read.
    records: u64,
    /// Entries read.
    entries: u64,
    /// Accounts found.
    accounts: u64,
    /// How many damages were found.
    damages_found: u64,
    /// The first of them.
    damages: Vec<DamageAnswer<'a>>,
    /// What came of executing charges again, where that was asked for.
    #[serde(skip_serializing_if = "Option::is_none")]
    repriced: Option<RepricedAnswer>,
}

#[derive(JsonSchema, Serialize)]
#[schemars(rename = "Repriced")]
struct RepricedAnswer {
    /// Charges that came to the same.
    same: u64,
    /// Charges that did not.
    different: u64,
    /// Charges whose details are erased.
    erased: u64,
    /// Charges whose plugin could not be executed.
    not_executed: u64,
}

#[derive(JsonSchema, Serialize)]
#[schemars(rename = "Damage")]
struct DamageAnswer<'a> {
    /// The account.
    account: Option<&'a str>,
    /// The entry.
    sequence: Option<u64>,
    /// The record.
    record: Option<u64>,
    /// What is wrong.
    reason: &'a str,
}

impl<'a> ReportAnswer<'a> {
    fn new(found: &'a Verification) -> Self {
        let damage = |damage: &'a DamageFound| DamageAnswer {
            account: damage.account.as_deref(),
            sequence: damage.sequence,
            record: damage.record,
            reason: &damage.reason,
        };
        Self {
            records: found.records,
            entries: found.entries,
            accounts: found.accounts,
            damages_found: found.damages_found,
            damages: found.damages.iter().map(damage).collect(),
            repriced: found.repriced.map(|Repriced { same, different, erased, not_executed }| RepricedAnswer {
                same,
                different,
                erased,
                not_executed,
            }),
        }
    }
}

fn line(line: &Line<'_>) -> io::Result<Vec<u8>> {
    let mut bytes = serde_json::to_vec(line)?;
    bytes.push(b'\n');
    Ok(bytes)
}
