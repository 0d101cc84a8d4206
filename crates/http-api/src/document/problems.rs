//! Problems in the document: a schema for each kind, and the answers that they are.

use crate::problem::kinds::{self, Kind, Member, Shape};
use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde_json::{Map, Value, json};
use std::borrow::Cow;

/// Any problem.
pub(crate) struct AnyProblem;

impl JsonSchema for AnyProblem {
    fn schema_name() -> Cow<'static, str> {
        "Problem".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        let (properties, required) = (common(None), COMMON);
        json_schema!({
            "type": "object",
            "description": "Why something was refused (RFC 9457). `code` says what is wrong, and which further members there are.",
            "properties": properties,
            "required": required,
            "additionalProperties": true,
        })
    }
}

/// Members that every problem has.
const COMMON: [&str; 5] = ["code", "detail", "status", "title", "type"];

/// The schemas of these members: of any problem, or of one kind.
fn common(kind: Option<&Kind>) -> Value {
    let code = match kind {
        Some(kind) => json!({ "type": "string", "const": kind.code }),
        None => json!({ "type": "string", "enum": kinds::ALL.iter().map(|kind| kind.code).collect::<Vec<_>>() }),
    };
    let status = match kind {
        Some(kind) => json!({ "type": "integer", "const": kind.status.as_u16() }),
        None => json!({ "type": "integer" }),
    };
    json!({
        "type": { "type": "string", "format": "uri-reference", "description": "Where the code is explained; its last segment is the code." },
        "title": { "type": "string", "description": "What the code means, in a few words." },
        "status": status,
        "detail": { "type": "string", "description": "What is wrong, for people." },
        "code": code,
    })
}

/// A schema for each kind.
pub(super) fn schemas() -> Map<String, Value> {
    kinds::ALL.iter().map(|kind| (name(kind), schema(kind))).collect()
}

/// The name of a kind's schema.
fn name(kind: &Kind) -> String {
    let word = |word: &str| {
        let (first, rest) = word.split_at(1);
        first.to_ascii_uppercase() + rest
    };
    kind.code.split('-').map(word).collect::<String>() + "Problem"
}

fn schema(kind: &Kind) -> Value {
    let mut properties = common(Some(kind));
    let mut required: Vec<&str> = COMMON.to_vec();
    for member in kind.members {
        let mut schema = member_schema(member);
        schema["description"] = member.meaning.into();
        properties[member.name] = schema;
        if member.is_required {
            required.push(member.name);
        }
    }
    json!({
        "type": "object",
        "description": format!("{}. {}", kind.title, kind.meaning),
        "properties": properties,
        "required": required,
    })
}

fn member_schema(member: &Member) -> Value {
    match member.shape {
        Shape::Amount => json!({ "$ref": "#/components/schemas/Amount" }),
        Shape::Time => json!({ "$ref": "#/components/schemas/Timestamp" }),
        Shape::Text => json!({ "type": "string" }),
        Shape::TextOrNull => json!({ "type": ["string", "null"] }),
        Shape::Texts => json!({ "type": "array", "items": { "type": "string" } }),
        Shape::Whole => json!({ "type": "integer" }),
        Shape::OneOf(names) => json!({ "type": "string", "enum": names }),
        Shape::Errors => json!({
            "type": "array",
            "items": {
                "type": "object",
                "properties": {
                    "field": { "type": "string", "description": "The field, by its path; empty for the whole body." },
                    "reason": { "type": "string", "description": "What is wrong with it." },
                },
                "required": ["field", "reason"],
            },
        }),
    }
}

/// The answers that these kinds are, by status. Those that have a status for themselves are referred to.
pub(super) fn responses(kinds: &[&'static Kind]) -> Map<String, Value> {
    let mut responses: Map<String, Value> = Map::new();
    for first in kinds {
        let status = first.status.as_u16().to_string();
        if responses.contains_key(&status) {
            continue;
        }
        let same: Vec<&Kind> = kinds.iter().copied().filter(|kind| kind.status == first.status).collect();
        let said = match &same[..] {
            [only] => json!({ "$ref": format!("#/components/responses/{}", name(only)) }),
            _ => response(&same),
        };
        responses.insert(status, said);
    }
    responses
}

/// An answer for each kind.
pub(super) fn named_responses() -> Map<String, Value> {
    kinds::ALL.iter().map(|kind| (name(kind), response(&[kind]))).collect()
}

fn response(same: &[&Kind]) -> Value {
    let reference = |kind: &Kind| json!({ "$ref": format!("#/components/schemas/{}", name(kind)) });
    let schema = match same {
        [only] => reference(only),
        // Each has a `code` of its own, which tells them apart.
        _ => json!({ "oneOf": same.iter().map(|kind| reference(kind)).collect::<Vec<_>>() }),
    };
    let lines: Vec<String> = same.iter().map(|kind| format!("`{}`: {}", kind.code, kind.title)).collect();
    let codes: Vec<&str> = same.iter().map(|kind| kind.code).collect();
    let mut said = json!({
        "description": format!("{}.", lines.join(". ")),
        "content": { "application/problem+json": { "schema": schema } },
        "x-purser-problems": codes,
    });
    let mut headers = Map::new();
    if same.iter().any(|kind| kind.has_retry_after) {
        headers.insert(
            "Retry-After".to_owned(),
            json!({ "description": "After how many seconds to try again.", "schema": { "type": "integer" } }),
        );
    }
    if same.contains(&kinds::UNAUTHENTICATED) {
        headers.insert(
            "WWW-Authenticate".to_owned(),
            json!({ "description": "`Bearer`.", "schema": { "type": "string" } }),
        );
    }
    if !headers.is_empty() {
        said["headers"] = headers.into();
    }
    said
}
