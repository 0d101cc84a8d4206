//! The document, held against what is answered.

use crate::client::{Answer, Client};
use axum::body::Body;
use axum::http::{Method, Request, header};
use jsonschema::{Draft, Validator};
use serde_json::{Value, json};

/// The document of a server.
pub(crate) struct Spec {
    pub(crate) document: Value,
    /// Its schemas without leave for members that they do not name, so that none goes undocumented.
    closed: Value,
}

impl Spec {
    pub(crate) async fn of(client: &Client) -> Self {
        let answer = client.send(Request::get("/openapi.json").body(Body::empty()).unwrap()).await;
        let document: Value = serde_json::from_str(&answer.body).unwrap();
        let mut closed = document["components"].clone();
        close(&mut closed);
        Self { document, closed }
    }

    /// Every operation: its method, its path, and what is said of it.
    pub(crate) fn operations(&self) -> Vec<(Method, &str, &Value)> {
        let paths = self.document["paths"].as_object().unwrap();
        let mut all = Vec::new();
        for (path, item) in paths {
            for (method, said) in item.as_object().unwrap() {
                all.push((method.to_ascii_uppercase().parse().unwrap(), path.as_str(), said));
            }
        }
        all
    }

    /// The operation that answers a request: of several paths that fit, the one with the fewest parameters.
    fn operation(&self, method: &Method, path: &str) -> Option<(&str, &Value)> {
        let path = path.split('?').next().unwrap();
        let fits = |template: &str| {
            let (wanted, given): (Vec<&str>, Vec<&str>) = (template.split('/').collect(), path.split('/').collect());
            let part =
                |(wanted, given): (&&str, &&str)| wanted == given || (wanted.starts_with('{') && !given.is_empty());
            wanted.len() == given.len() && wanted.iter().zip(&given).all(part)
        };
        let mut fitting: Vec<_> =
            self.operations().into_iter().filter(|(known, template, _)| known == method && fits(template)).collect();
        fitting.sort_by_key(|(_, template, _)| template.matches('{').count());
        fitting.first().map(|(_, template, said)| (*template, *said))
    }

    /// Panics where an answer is not as documented.
    pub(crate) fn check(&self, method: &Method, path: &str, answer: &Answer) {
        let status = answer.status.as_u16().to_string();
        let content_type = answer.headers.get(header::CONTENT_TYPE).map(|value| value.to_str().unwrap());
        let media_type = content_type.map(|value| value.split(';').next().unwrap());
        let called = format!("{method} {path}: {status} {}", answer.body);
        let Some((_, said)) = self.operation(method, path) else {
            assert!(["404", "405"].contains(&status.as_str()), "{called}");
            return self.validate(&json!({ "$ref": "#/components/schemas/Problem" }), &answer.body, &called);
        };
        let documented = &said["responses"][&status];
        let reference = documented["$ref"].as_str().and_then(|reference| reference.strip_prefix('#'));
        let documented = reference.map_or(documented, |pointer| self.document.pointer(pointer).unwrap());
        assert!(documented.is_object(), "an answer that is not documented: {called}");
        let Some(media_type) = media_type else {
            assert!(documented["content"].is_null() && answer.body.is_empty(), "a body is documented: {called}");
            return;
        };
        let form = &documented["content"][media_type];
        assert!(form.is_object(), "{media_type} is not documented: {called}");
        let line = &form["x-purser-line"];
        if line.is_object() {
            answer.body.lines().for_each(|text| self.validate(line, text, &called));
        } else if media_type.ends_with("json") {
            self.validate(&form["schema"], &answer.body, &called);
        }
        if media_type == "application/problem+json" {
            let problem: Value = serde_json::from_str(&answer.body).unwrap();
            let kind = problem["type"].as_str().unwrap().rsplit('/').next().unwrap();
            assert_eq!(problem["code"], kind, "{called}");
            let has = |name: &str| (documented["headers"][name].is_object(), answer.headers.contains_key(name));
            assert!(has("Retry-After").0 || !has("Retry-After").1, "Retry-After is not documented: {called}");
        }
        if answer.headers.contains_key("idempotency-hit") {
            assert!(documented["headers"]["Idempotency-Hit"].is_object(), "{called}");
        }
    }

    fn validate(&self, schema: &Value, text: &str, called: &str) {
        let instance: Value = serde_json::from_str(text).unwrap_or_else(|error| panic!("no JSON ({error}): {called}"));
        let errors: Vec<String> = self
            .validator(schema)
            .iter_errors(&instance)
            .map(|error| format!("{}: {error}", error.instance_path()))
            .collect();
        assert!(errors.is_empty(), "{called}\nis not as documented: {}", errors.join("; "));
    }

    /// Checks what is answered against a schema of the document.
    pub(crate) fn validator(&self, schema: &Value) -> Validator {
        let mut schema = schema.clone();
        close(&mut schema);
        let whole = json!({ "components": self.closed, "allOf": [schema] });
        jsonschema::options().with_draft(Draft::Draft202012).should_validate_formats(true).build(&whole).unwrap()
    }
}

fn close(schema: &mut Value) {
    match schema {
        Value::Object(members) => {
            members.values_mut().for_each(close);
            let is_any = members.get("additionalProperties").is_some();
            if members.get("properties").is_some_and(Value::is_object) && members.contains_key("type") && !is_any {
                members.insert("additionalProperties".to_owned(), false.into());
            }
        }
        Value::Array(members) => members.iter_mut().for_each(close),
        _ => {}
    }
}
