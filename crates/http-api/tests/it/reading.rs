//! Reads in all their forms hold the same, and hold what was just answered.

use crate::client::{Answer, Client};
use axum::body::Body;
use axum::http::{Request, StatusCode};
use serde_json::{Map, Value, json};

const DAY_MS: i64 = 86_400_000;

/// An account with more entries than a stream reads at a time, and with what is due and not booked.
async fn busy_client() -> Client {
    let client = Client::new();
    client.kit.open_account("acme", "pro").await;
    // Names that test the quoting of CSV.
    let agents = [Value::Null, json!("a,b"), json!("say \"hi\""), json!("ünï"), json!(" space ")];
    for batch in 0..25_usize {
        let charge = |n: usize| {
            let n = batch * 50 + n;
            json!({
                "id": format!("e{n}"), "account": "acme", "activity": if n.is_multiple_of(4) { "voice_web" } else { "chat" },
                "agent": agents[n % 5], "model": format!("m{}", n % 3), "usage": { "messages": n % 7, "seconds": n % 2 },
                "attributes": { "line": "one\r\ntwo" },
            })
        };
        let items: Vec<Value> = (0..50).map(charge).collect();
        let answer = client.post("/v1/charges/batch", Value::from(items).to_string()).await;
        assert_eq!(answer.status, StatusCode::OK);
        client.kit.wait_ms(DAY_MS / 10);
    }
    client.kit.wait_ms(70 * DAY_MS);
    client
}

async fn get(client: &Client, path: &str, accept: &str) -> Answer {
    let request = Request::get(path).header("accept", accept).body(Body::empty()).unwrap();
    let answer = client.send(request).await;
    assert_eq!(answer.status, StatusCode::OK, "{path}: {}", answer.body);
    answer
}

async fn pages(client: &Client, path: &str) -> Vec<Value> {
    let mut items = Vec::new();
    let mut cursor = String::new();
    loop {
        let answer = get(client, &format!("{path}{cursor}"), "*/*").await;
        let mut page: Value = serde_json::from_str(&answer.body).unwrap();
        items.append(page["items"].as_array_mut().unwrap());
        match page["next_cursor"].as_str() {
            Some(next) => cursor = format!("&cursor={next}"),
            None => return items,
        }
    }
}

/// Rows as objects, with what is empty as null and what is JSON as itself.
fn rows(csv: &str, json_columns: &[&str], number_columns: &[&str]) -> Vec<Value> {
    let mut reader = csv::Reader::from_reader(csv.as_bytes());
    let columns = reader.headers().unwrap().clone();
    let value = |column: &str, cell: &str| match cell {
        "" => Value::Null,
        cell if json_columns.contains(&column) || number_columns.contains(&column) => {
            serde_json::from_str(cell).unwrap()
        }
        cell => cell.into(),
    };
    let row = |record: csv::StringRecord| {
        let cells = columns.iter().zip(&record);
        Value::Object(cells.map(|(column, cell)| (column.to_owned(), value(column, cell))).collect::<Map<_, _>>())
    };
    reader.records().map(|record| row(record.unwrap())).collect()
}

#[tokio::test]
async fn the_log_is_the_same_in_pages_in_lines_and_in_rows() {
    let client = busy_client().await;
    for filter in
        ["", "type=charge", "activity=voice_web&model=m1", "agent=a%2Cb", "window=90d", "window=75d&type=charge"]
    {
        let path = format!("/v1/accounts/acme/entries?{filter}");
        let paged = pages(&client, &format!("{path}&limit=97")).await;
        assert!(paged.len() > 10, "{filter}");
        let lines = get(&client, &path, "application/x-ndjson").await.body;
        let lines: Vec<Value> = lines.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
        assert_eq!(lines, paged, "{filter}");
        let csv = get(&client, &path, "text/csv").await.body;
        assert_eq!(rows(&csv, &["usage", "details", "grants"], &["sequence"]), paged, "{filter}");
    }
    // All of it is there, and the chain with it.
    let all = pages(&client, "/v1/accounts/acme/entries?limit=1000").await;
    let newest = client.kit.ledger.account("acme").unwrap();
    assert_eq!(all.len() as u64, newest.sequence);
    assert_eq!(all[0]["hash"], ledger_core::hex::encode(&newest.head));
}

#[tokio::test]
async fn usage_is_the_same_in_json_in_lines_and_in_rows() {
    let client = busy_client().await;
    for group_by in ["model", "agent,activity", "day", "day,model,agent,activity", "model,day"] {
        let path = format!("/v1/accounts/acme/usage?group_by={group_by}");
        let answer: Value = serde_json::from_str(&get(&client, &path, "*/*").await.body).unwrap();
        let groups = answer["groups"].as_array().unwrap();
        let lines = get(&client, &path, "application/x-ndjson").await.body;
        let lines: Vec<Value> = lines.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
        assert_eq!(lines, *groups, "{group_by}");
        let flat = |group: &Value| {
            let mut group = group.as_object().unwrap().clone();
            let key = group.remove("key").unwrap();
            group.extend(key.as_object().unwrap().clone());
            group["share"] = group["share"].as_f64().unwrap().into();
            Value::Object(group)
        };
        let csv = get(&client, &path, "text/csv").await.body;
        let mut rows = rows(&csv, &["usage"], &["events", "share"]);
        rows.iter_mut().for_each(|row| row["share"] = row["share"].as_f64().unwrap().into());
        assert_eq!(rows, groups.iter().map(flat).collect::<Vec<_>>(), "{group_by}");
        let charged = client.kit.ledger.account("acme").unwrap().totals.charged;
        assert_eq!(answer["total"], charged.to_string());
        assert_eq!(answer["events"], 1250);
    }
}

#[tokio::test]
async fn what_was_answered_is_read_at_once() {
    let client = Client::new();
    client.kit.open_account("acme", "pro").await;
    for n in 1..=10_u64 {
        let body = json!({ "id": format!("e{n}"), "account": "acme", "activity": "chat", "model": "m", "usage": { "messages": 1 } });
        let charge: Value = serde_json::from_str(&client.post("/v1/charges", body.to_string()).await.body).unwrap();
        let read = |path: &'static str| get(&client, path, "application/json");
        let log: Value = serde_json::from_str(&read("/v1/accounts/acme/entries?window=1d&limit=1").await.body).unwrap();
        let entry = &log["items"][0];
        assert_eq!(
            (&entry["id"], &entry["sequence"], &entry["hash"]),
            (&charge["charge"], &charge["entry"]["sequence"], &charge["entry"]["hash"])
        );
        let usage: Value = serde_json::from_str(&read("/v1/accounts/acme/usage?window=1d").await.body).unwrap();
        assert_eq!((&usage["events"], &usage["groups"][0]["usage"]["messages"]), (&json!(n), &json!(n)));
    }
}
