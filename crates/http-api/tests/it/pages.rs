//! The reference as pages: whole, linked, and closed to everything but its style.

use crate::client::{Answer, Client};
use crate::spec::Spec;
use axum::body::Body;
use axum::http::Request;
use std::collections::BTreeSet;

async fn get(client: &Client, path: &str) -> Answer {
    client.send(Request::get(path).header("authorization", "none").body(Body::empty()).unwrap()).await
}

/// The values of an attribute.
fn attributes<'a>(page: &'a str, name: &str) -> BTreeSet<&'a str> {
    page.split(&format!(" {name}=\"")).skip(1).filter_map(|rest| rest.split('"').next()).collect()
}

#[tokio::test]
async fn the_reference_has_every_operation_and_no_link_leads_nowhere() {
    let client = Client::new();
    let spec = Spec::of(&client).await;
    let page = get(&client, "/docs").await;
    assert_eq!(page.status, 200);
    let policy = page.headers["content-security-policy"].to_str().unwrap();
    assert!(policy.starts_with("default-src 'none'; style-src 'self';"), "{policy}");
    let ids = attributes(&page.body, "id");
    for (method, path, said) in spec.operations() {
        let id = said["operationId"].as_str().unwrap();
        assert!(ids.contains(id), "{method} {path} is not on the page");
    }
    for link in attributes(&page.body, "href") {
        match link.strip_prefix('#') {
            Some(anchor) => assert!(ids.contains(anchor), "nothing is at #{anchor}"),
            None => assert_eq!(get(&client, link).await.status, 200, "{link}"),
        }
    }
    assert_eq!(attributes(&page.body, "src"), BTreeSet::new());
    for of_browsers in ["<script", "<style", " style=\"", " onclick", "http://", "https://"] {
        let examples = page.body.replace("https://example.com/purser", "");
        assert!(!examples.contains(of_browsers), "the page has {of_browsers}");
    }
    assert_eq!(get(&client, "/docs/problems/nonsense").await.status, 404);
}
