//! Parameters, and what bodies and answers hold.

use crate::describe::{Description, Form, MakesSchema, schema_of};
use crate::shapes::{AccountId, ChargeId, GrantId, HoldId, PurchaseId};
use ledger_core::Digest;
use schemars::{Schema, SchemaGenerator};
use serde_json::{Map, Value, json};

/// A part of a path: its name, what it is, its schema, and an example that the examples' server has.
type PathParameter = (&'static str, &'static str, MakesSchema, &'static str);

/// Parts of paths that mean the same wherever they stand.
const PATH_PARAMETERS: [PathParameter; 9] = [
    ("account", "The account.", schema_of::<AccountId>, "acme"),
    ("charge", "The charge.", schema_of::<ChargeId>, "ch_1_3"),
    ("hold", "The hold.", schema_of::<HoldId>, "ho_1_4"),
    ("grant", "The grant.", schema_of::<GrantId>, "gr_1_2"),
    ("purchase", "The purchase.", schema_of::<PurchaseId>, "pu_1_5"),
    (
        "cycle",
        "Which cycle: `current`, `previous`, a number from 1 on, or an instant in it.",
        schema_of::<String>,
        "current",
    ),
    ("name", "The plugin's name.", schema_of::<String>, "per-unit"),
    ("digest", "The digest of the bytes.", schema_of::<crate::wire::Shown<Digest>>, ""),
    ("code", "The problem's code.", schema_of::<String>, "insufficient-credits"),
];

/// The parameters of a path, in its order.
pub(super) fn path_parameters(
    path: &'static str,
    description: &Description,
    generator: &mut SchemaGenerator,
) -> Vec<Value> {
    let names = path.split('{').skip(1).filter_map(|rest| rest.split_once('}')).map(|(name, _)| name);
    names.map(|name| path_parameter(name, description, generator)).collect()
}

fn path_parameter(name: &'static str, description: &Description, generator: &mut SchemaGenerator) -> Value {
    let known = PATH_PARAMETERS.iter().find(|(known, ..)| *known == name);
    let own = description.path.iter().find(|(own, ..)| *own == name);
    let schema: MakesSchema = known.map_or(schema_of::<String>, |(_, _, schema, _)| *schema);
    let schema = schema(generator);
    let (meaning, example) = match (own, known) {
        (Some((_, meaning, example)), _) => (*meaning, *example),
        (None, Some((_, meaning, _, example))) => (*meaning, *example),
        // A test names it.
        (None, None) => ("", ""),
    };
    json!({ "name": name, "in": "path", "required": true, "description": meaning, "schema": schema, "example": example })
}

/// The parameters of a query: the fields of a struct.
pub(super) fn parameters(query: MakesSchema, generator: &mut SchemaGenerator) -> Vec<Value> {
    let schema = query(generator);
    let fields = schema.get("properties").and_then(Value::as_object).cloned().unwrap_or_default();
    let required = schema.get("required").and_then(Value::as_array).cloned().unwrap_or_default();
    let parameter = |(name, mut schema): (String, Value)| {
        let is_required = required.iter().any(|required| *required == *name);
        let description = schema.as_object_mut().and_then(|schema| schema.remove("description"));
        let examples = schema.as_object_mut().and_then(|schema| schema.remove("examples"));
        let mut parameter = json!({
            "name": name, "in": "query", "required": is_required, "description": description,
            "schema": without_null(schema),
        });
        if let Some(example) = examples.as_ref().and_then(|examples| examples.get(0)) {
            parameter["example"] = example.clone();
        }
        parameter
    };
    fields.into_iter().map(parameter).collect()
}

/// In a query there is no null: what may be left out is left out.
fn without_null(mut schema: Value) -> Value {
    let Some(members) = schema.as_object_mut() else { return schema };
    if let Some(types) = members.get_mut("type").and_then(Value::as_array_mut) {
        types.retain(|known| known != "null");
        if let [only] = &types[..] {
            let only = only.clone();
            members.insert("type".to_owned(), only);
        }
    }
    if let Some(choices) = members.get_mut("anyOf").and_then(Value::as_array_mut) {
        choices.retain(|choice| choice["type"] != "null");
        if let [only] = &mut choices[..] {
            return only.take();
        }
    }
    schema
}

/// The forms of a body or an answer, by media type.
pub(super) fn content(forms: &[(&'static str, Form, Option<MakesSchema>)], generator: &mut SchemaGenerator) -> Value {
    let mut content = Map::new();
    for (media_type, form, schema) in forms {
        // A schema may be a truth value, which generators of clients have not heard of.
        let any = |schema: Schema| if schema == true { json!({}) } else { schema.to_value() };
        let schema = schema.map(|schema| any(schema(generator)));
        let said = match (form, schema) {
            (Form::Whole, Some(schema)) => json!({ "schema": schema }),
            // OpenAPI 3.1 cannot say what a line is.
            (Form::Lines, Some(schema)) => json!({
                "schema": { "type": "string", "description": "A JSON document on each line." },
                "x-purser-line": schema,
            }),
            (Form::Bytes, _) if media_type.starts_with("application/") => {
                json!({ "schema": { "type": "string", "format": "binary" } })
            }
            // Nor what an event is: OpenAPI 3.2 has a word for it, and readers of 3.1 take a schema to be of each event.
            (Form::Bytes, _) if *media_type == "text/event-stream" => json!({}),
            _ => json!({ "schema": { "type": "string" } }),
        };
        content.insert((*media_type).to_owned(), said);
    }
    Value::Object(content)
}
