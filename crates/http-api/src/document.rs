//! The OpenAPI 3.1 document, made of the table of operations and of what [`crate::describe`] says of each. JSON Schema
//! 2020-12 is what OpenAPI 3.1 speaks, so that schemas are taken as `schemars` makes them.

mod content;
mod problems;
mod security;

pub(crate) use problems::AnyProblem;

use crate::describe::{self, Description, NeedsKey, Tag};
use crate::operation::{About, Access, Operation};
use crate::operations;
use crate::problem::kinds::{self, Kind};
use content::{content, parameters, path_parameters};
use schemars::SchemaGenerator;
use schemars::generate::SchemaSettings;
use serde_json::{Map, Value, json};
use std::sync::LazyLock;

/// The document, made when it is first asked for.
pub(crate) static DOCUMENT: LazyLock<Value> = LazyLock::new(document);

/// The same as it is served.
pub(crate) static BYTES: LazyLock<Vec<u8>> = LazyLock::new(|| DOCUMENT.to_string().into_bytes());

/// Schemas are made in two ways: what may be left out of a body may be absent, and what an answer lacks is null.
struct Schemas {
    sent: SchemaGenerator,
    answered: SchemaGenerator,
}

impl Schemas {
    fn new() -> Self {
        let settings = || {
            SchemaSettings::draft2020_12().with(|settings| {
                settings.definitions_path = "/components/schemas".into();
                settings.meta_schema = None;
            })
        };
        Self {
            sent: settings().for_deserialize().into_generator(),
            answered: settings().for_serialize().into_generator(),
        }
    }

    /// All that were named, by their names.
    fn named(mut self) -> Map<String, Value> {
        let mut all = self.sent.take_definitions(true);
        all.extend(self.answered.take_definitions(true));
        all.extend(problems::schemas());
        all
    }
}

fn document() -> Value {
    let mut schemas = Schemas::new();
    let mut paths: Map<String, Value> = Map::new();
    let descriptions: Vec<(&str, Description)> = describe::all().collect();
    for operation in operations::documented() {
        // A test names those that nobody has described.
        let Some((_, description)) = descriptions.iter().find(|(id, _)| *id == operation.id) else { continue };
        let method = operation.method.as_str().to_ascii_lowercase();
        let described = describe_operation(&operation, description, &mut schemas);
        let path = paths.entry(operation.path).or_insert_with(|| Value::Object(Map::new()));
        path[method.as_str()] = described;
    }
    let tags: Vec<Value> =
        Tag::ALL.iter().map(|(_, name, description)| json!({ "name": name, "description": description })).collect();
    json!({
        "openapi": "3.1.0",
        "jsonSchemaDialect": "https://json-schema.org/draft/2020-12/schema",
        "info": {
            "title": "Purser",
            "version": env!("CARGO_PKG_VERSION"),
            "summary": "The ledger of AI credits.",
            "description": INTRODUCTION,
            "license": { "name": "Apache-2.0", "identifier": "Apache-2.0" },
        },
        "servers": [{ "url": "/", "description": "This server." }],
        "tags": tags,
        "paths": paths,
        "components": {
            "schemas": schemas.named(),
            "responses": problems::named_responses(),
            "securitySchemes": security::schemes(),
        },
    })
}

/// What holds for all operations.
const INTRODUCTION: &str = "\
Whether an account may spend, and what it costs: before and after every reply of an AI.

**Amounts** are decimal text with at most six decimals, such as `\"12.5\"`, and never floats. **Times** are RFC 3339, in \
UTC in answers. Unknown fields of a body and unknown parameters are refused by name.

**Lists** are read by the page: `limit` says how many, and `cursor` is the `next_cursor` of the page before; it is null at \
the end.

**Repeating.** What changes something takes `Idempotency-Key`: the same request with the same key happens once, and is \
answered with the same status and the same bytes again, marked by `Idempotency-Hit: true`. After a timeout, send the same \
again.

**Policies** that slow an account down say how their windows stand in `RateLimit-Policy` and `RateLimit`, on every answer \
that they looked at, and what they suggest in `Purser-Advice`.

**Requests have ids**: every answer has `X-Request-Id`, which is the caller's own where one was sent, or that of its \
`traceparent`.

**Problems** are `application/problem+json` (RFC 9457), with a `code` to decide by and its numbers. Whatever is refused \
changes nothing.";

fn describe_operation(operation: &Operation, description: &Description, schemas: &mut Schemas) -> Value {
    let key = needs_key(operation, description);
    let mut all = path_parameters(operation.path, description, &mut schemas.sent);
    all.extend(description.query.iter().flat_map(|query| parameters(*query, &mut schemas.sent)));
    all.extend(idempotency_key(key));
    if description.resumes {
        all.push(json!({
            "name": "Last-Event-ID", "in": "header", "required": false,
            "description": "The id of the last event that came, after which the stream goes on.",
            "schema": { "type": "string" },
        }));
    }
    let mut said = json!({
        "operationId": operation.id,
        "tags": [description.tag.name()],
        "summary": description.summary,
        "description": format!("{}\n\n{}", description.text, security::needs(operation.access)),
        "security": security::requirements(operation),
        "responses": responses(operation, description, schemas),
    });
    if let Access::Key { scopes, .. } = operation.access {
        said["x-purser-scopes"] = scopes.iter().map(|scope| scope.name()).collect();
    }
    if !all.is_empty() {
        said["parameters"] = all.into();
    }
    if let Some(body) = &description.body {
        let mut forms = content(&body.forms, &mut schemas.sent);
        if let Some((media_type, ..)) = body.forms.first().filter(|_| !body.example.is_empty()) {
            forms[*media_type]["example"] = serde_json::from_str(body.example).unwrap_or_else(|_| body.example.into());
        }
        said["requestBody"] = json!({ "required": body.is_required, "content": forms });
    }
    said
}

/// Operations that keep their answers take a key, whether that is said or not.
fn needs_key(operation: &Operation, description: &Description) -> NeedsKey {
    if operation.keeps_answers { NeedsKey::Optional } else { description.key }
}

fn idempotency_key(needs: NeedsKey) -> Option<Value> {
    let more = match needs {
        NeedsKey::No => return None,
        NeedsKey::OrId => " An `id` in the body serves as well; one of the two is needed.",
        NeedsKey::Optional | NeedsKey::Yes => "",
    };
    Some(json!({
        "name": "Idempotency-Key",
        "in": "header",
        "required": needs == NeedsKey::Yes,
        "description": format!(
            "What the request is known by, so that it happens once however often it is sent: a structured-field string, \
             or the same without quotes. A new one for each new request.{more}"
        ),
        "schema": { "type": "string", "pattern": r#"^("([ !#-\[\]-~]|\\["\\]){1,256}"|[!#-~]([ !-~]{0,254}[!-~])?)$"# },
        "example": "\"8e03978e-40d5-43dd-bc93-6894a57f9324\"",
    }))
}

fn responses(operation: &Operation, description: &Description, schemas: &mut Schemas) -> Value {
    let mut responses = Map::new();
    for answer in &description.answers {
        let mut said = json!({ "description": answer.meaning });
        if !answer.forms.is_empty() {
            said["content"] = content(&answer.forms, &mut schemas.answered);
        }
        if needs_key(operation, description) != NeedsKey::No {
            said["headers"] = json!({
                "Idempotency-Hit": {
                    "description": "`true` where the request had been done before, and this is its first answer again.",
                    "schema": { "type": "string", "enum": ["true"] },
                },
            });
        }
        responses.insert(answer.status.as_u16().to_string(), said);
    }
    responses.extend(problems::responses(&problems_of(operation, description)));
    Value::Object(responses)
}

/// All that an operation may refuse, in the order of the table of kinds.
fn problems_of(operation: &Operation, description: &Description) -> Vec<&'static Kind> {
    let mut all = description.problems.clone();
    let has_path = operation.path.contains('{');
    if let Access::Key { about, .. } = operation.access {
        all.extend([
            kinds::UNAUTHENTICATED,
            kinds::FORBIDDEN,
            kinds::INTERNAL,
            kinds::STORAGE_UNAVAILABLE,
            kinds::OVERLOADED,
        ]);
        if has_path {
            // A part of the path that is no UTF-8 once it is decoded.
            all.push(kinds::NOT_FOUND);
        }
        if about == About::Account || (about == About::Named && description.body.is_some()) {
            all.push(kinds::ACCOUNT_NOT_FOUND);
        }
    }
    let key = needs_key(operation, description);
    if description.query.is_some() || key != NeedsKey::No {
        all.push(kinds::INVALID_REQUEST);
    }
    if key != NeedsKey::No {
        all.push(kinds::IDEMPOTENCY_MISMATCH);
    }
    if description.body.is_some() {
        all.extend([
            kinds::INVALID_REQUEST,
            kinds::PAYLOAD_TOO_LARGE,
            kinds::UNSUPPORTED_MEDIA_TYPE,
            kinds::REQUEST_TIMEOUT,
        ]);
    }
    kinds::ALL.iter().copied().filter(|kind| all.contains(kind)).collect()
}

#[cfg(test)]
mod tests;
