//! Verifications and backups as streams, over somebody who only pretends to look after a store.

use crate::client::{Answer, Client};
use axum::body::Body;
use axum::http::Request;
use ledger_core::Refusal;
use ledger_service::ServiceError;
use ledger_service::ports::{DamageFound, Maintenance, Repriced, ToVerify, Verification};
use serde_json::{Value, json};
use std::io::Write;
use std::ops::ControlFlow;
use std::sync::{Arc, Mutex};

/// Ends as it is told to, once.
pub(crate) struct Pretended(Mutex<Option<Result<(), ServiceError>>>);

impl Pretended {
    pub(crate) fn ending(end: Result<(), ServiceError>) -> Client {
        Client::with(Some(Arc::new(Self(Mutex::new(Some(end))))))
    }

    fn end(&self) -> Result<(), ServiceError> {
        self.0.lock().unwrap().take().unwrap_or(Ok(()))
    }
}

impl Maintenance for Pretended {
    fn verify(
        &self,
        what: ToVerify<'_>,
        progress: &mut dyn FnMut(u64, u64) -> ControlFlow<()>,
    ) -> Result<Verification, ServiceError> {
        self.end()?;
        for done in 0..=1000 {
            assert!(progress(done, 1000).is_continue());
        }
        let reason = "its digest differs".to_owned();
        let damage = DamageFound { account: what.account.map(str::to_owned), sequence: Some(5), record: None, reason };
        let repriced = what.reprice.then_some(Repriced { same: 1990, different: 7, erased: 2, not_executed: 1 });
        let damages = vec![damage];
        Ok(Verification { records: 1000, entries: 2000, accounts: 3, damages, damages_found: 7, repriced })
    }

    fn last_checkpoint(&self) -> Option<ledger_core::Timestamp> {
        ledger_core::Timestamp::parse_rfc3339("2026-10-31T23:59:30Z")
    }

    fn back_up(&self, bytes_per_second_max: Option<u64>, out: &mut dyn Write) -> Result<(), ServiceError> {
        self.end()?;
        write!(out, "at most {bytes_per_second_max:?}").unwrap();
        Ok(())
    }
}

async fn get(client: &Client, path: &str) -> Answer {
    client.send(Request::get(path).body(Body::empty()).unwrap()).await
}

fn problem(answer: &Answer) -> (u16, String) {
    let body: Value = serde_json::from_str(&answer.body).unwrap();
    (answer.status.as_u16(), body["code"].as_str().unwrap().to_owned())
}

#[tokio::test]
async fn a_verification_is_lines_of_progress_and_a_report() {
    let client = Pretended::ending(Ok(()));
    let answer = get(&client, "/v1/verification?account=acme").await;
    assert_eq!(answer.headers["content-type"], "application/x-ndjson");
    let lines: Vec<Value> = answer.body.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!(lines[0], json!({ "progress": { "done": 0, "of": 1000 } }));
    assert!(lines.len() < 100, "not every record is worth a line");
    let damage = json!({ "account": "acme", "sequence": 5, "record": null, "reason": "its digest differs" });
    let report = json!({ "records": 1000, "entries": 2000, "accounts": 3, "damages_found": 7, "damages": [damage] });
    assert_eq!(lines[lines.len() - 1], json!({ "report": report }));
    let client = Pretended::ending(Ok(()));
    let answer = get(&client, "/v1/verification?reprice=true").await;
    let last: Value = serde_json::from_str(answer.body.lines().last().unwrap()).unwrap();
    let repriced = json!({ "same": 1990, "different": 7, "erased": 2, "not_executed": 1 });
    assert_eq!(last["report"]["repriced"], repriced);
}

#[tokio::test]
async fn a_backup_is_a_file_at_the_pace_that_was_asked_for() {
    let client = Pretended::ending(Ok(()));
    let answer = get(&client, "/v1/backup?mib_per_second=2").await;
    assert_eq!((answer.status.as_u16(), answer.body.as_str()), (200, "at most Some(2097152)"));
    assert_eq!(answer.headers["content-type"], "application/x-tar");
    assert_eq!(answer.headers["content-disposition"], "attachment; filename=\"purser-backup.tar\"");
    assert_eq!(get(&client, "/v1/backup").await.body, "at most None");
}

#[tokio::test]
async fn what_cannot_begin_is_a_problem() {
    let ends = [
        (ServiceError::MaintenanceRunning { work: "backup" }, (409, "maintenance-running")),
        (ServiceError::Refused(Refusal::AccountNotFound { account: "x".into() }), (404, "account-not-found")),
        (ServiceError::StorageUnavailable { detail: "gone".to_owned() }, (503, "storage-unavailable")),
    ];
    for (error, (status, code)) in ends {
        for path in ["/v1/verification", "/v1/backup"] {
            let client = Pretended::ending(Err(error.clone()));
            assert_eq!(problem(&get(&client, path).await), (status, code.to_owned()), "{path}");
        }
    }
    let client = Pretended::ending(Ok(()));
    for path in [
        "/v1/backup?mib_per_second=0",
        "/v1/backup?all=1",
        "/v1/verification?account=a%20b",
        "/v1/verification?reprice=1",
    ] {
        assert_eq!(problem(&get(&client, path).await), (400, "invalid-request".to_owned()), "{path}");
    }
    let unkept = Client::new();
    for path in ["/v1/verification", "/v1/backup"] {
        assert_eq!(problem(&get(&unkept, path).await), (404, "not-found".to_owned()), "{path}");
        let stranger = Request::get(path).header("authorization", "none").body(Body::empty()).unwrap();
        assert_eq!(unkept.send(stranger).await.status.as_u16(), 401, "{path}");
    }
}
