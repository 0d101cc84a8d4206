//! What the document says of bodies and queries, held against the code that reads them by hand: every documented field is
//! known, those that must be there are asked for, and what is not documented is refused.

use crate::client::Client;
use crate::maintenance::Pretended;
use crate::spec::Spec;
use axum::body::Body;
use axum::http::{Method, Request};
use serde_json::{Value, json};
use std::collections::BTreeSet;

/// What was wrong: fields with reasons.
async fn refused(client: &Client, method: &Method, uri: &str, body: Option<&Value>) -> Vec<(String, String)> {
    let request = Request::builder().method(method).uri(uri).header("idempotency-key", "k");
    let body = body.map_or_else(Body::empty, |body| Body::from(body.to_string()));
    let answer = client.send(request.body(body).unwrap()).await;
    let problem: Value = serde_json::from_str(&answer.body).unwrap_or_default();
    let errors = problem["errors"].as_array().into_iter().flatten();
    let text = |value: &Value| value.as_str().unwrap().to_owned();
    errors.map(|error| (text(&error["field"]), text(&error["reason"]))).collect()
}

/// A path with its examples in it.
fn uri(path: &str, said: &Value) -> String {
    let parameters = said["parameters"].as_array().into_iter().flatten();
    let in_path = parameters.filter(|parameter| parameter["in"] == "path");
    in_path.fold(path.to_owned(), |path, parameter| {
        path.replace(&format!("{{{}}}", parameter["name"].as_str().unwrap()), parameter["example"].as_str().unwrap())
    })
}

/// Whether a field is named as one that is known and wrong.
fn names(refused: &[(String, String)], field: &str) -> bool {
    let is_it = |named: &str| named == field || named.starts_with(&format!("{field}."));
    refused.iter().any(|(named, reason)| is_it(named) && !reason.starts_with("no such"))
}

#[tokio::test]
async fn bodies_are_read_as_documented() {
    let client = Pretended::ending(Ok(()));
    let spec = Spec::of(&client).await;
    let mut checked = 0;
    for (method, path, said) in spec.operations() {
        let schema = &said["requestBody"]["content"]["application/json"]["schema"];
        // A batch takes the same items as a charge.
        let Some(name) = schema["$ref"].as_str().and_then(|reference| reference.rsplit('/').next()) else { continue };
        let schema = &spec.document["components"]["schemas"][name];
        let (called, uri) = (format!("{method} {path}"), uri(path, said));
        for property in schema["properties"].as_object().into_iter().flatten().map(|(name, _)| name) {
            // No field takes a list of lists.
            let wrong = refused(&client, &method, &uri, Some(&json!({ property: [[]] }))).await;
            assert!(names(&wrong, property), "{called}: {property} is documented and not read: {wrong:?}");
        }
        let empty = refused(&client, &method, &uri, Some(&json!({}))).await;
        let asked: BTreeSet<&str> =
            empty.iter().filter(|(_, reason)| reason == "is required").map(|(field, _)| field.as_str()).collect();
        let documented: BTreeSet<&str> =
            schema["required"].as_array().into_iter().flatten().filter_map(Value::as_str).collect();
        assert_eq!(asked, documented, "{called}: what must be there");
        let wrong = refused(&client, &method, &uri, Some(&json!({ "nonsense": 1 }))).await;
        assert!(wrong.contains(&("nonsense".into(), "no such field".into())), "{called}: {wrong:?}");
        assert_eq!(schema["additionalProperties"], false, "{called}: its schema must be closed");
        checked += 1;
    }
    assert!(checked > 10, "there are bodies to check");
}

#[tokio::test]
async fn queries_are_read_as_documented() {
    let client = Pretended::ending(Ok(()));
    let spec = Spec::of(&client).await;
    for (method, path, said) in spec.operations() {
        let parameters = said["parameters"].as_array().into_iter().flatten();
        let of_query: Vec<&Value> = parameters.filter(|parameter| parameter["in"] == "query").collect();
        let (called, uri) = (format!("{method} {path}"), uri(path, said));
        for parameter in &of_query {
            let name = parameter["name"].as_str().unwrap();
            // No parameter is empty, but for one that a browser may send so, and no id has a letter alone.
            let value = if name == "last_event_id" { "x" } else { "" };
            let wrong = refused(&client, &method, &format!("{uri}?{name}={value}"), None).await;
            assert!(names(&wrong, name) || names(&wrong, "Last-Event-ID"), "{called}: {name} is not read: {wrong:?}");
        }
        if !of_query.is_empty() {
            let wrong = refused(&client, &method, &format!("{uri}?nonsense=1"), None).await;
            assert!(wrong.contains(&("nonsense".into(), "no such parameter".into())), "{called}: {wrong:?}");
        }
    }
}
