use super::*;
use std::collections::BTreeSet;

/// The table of operations and the descriptions are of the same operations.
#[test]
fn every_operation_is_described_once() {
    let operations: Vec<&str> = operations::documented().iter().map(|operation| operation.id).collect();
    let described: Vec<&str> = describe::all().map(|(id, _)| id).collect();
    let twice = |ids: &[&str]| -> Vec<String> {
        let known: BTreeSet<&str> = ids.iter().copied().collect();
        known.into_iter().filter(|id| ids.iter().filter(|other| *other == id).count() > 1).map(str::to_owned).collect()
    };
    let not_in = |ids: &[&str], others: &[&str]| -> Vec<String> {
        ids.iter().filter(|id| !others.contains(id)).map(|id| (*id).to_owned()).collect()
    };
    assert_eq!(not_in(&operations, &described), Vec::<String>::new(), "describe these in src/describe/");
    assert_eq!(not_in(&described, &operations), Vec::<String>::new(), "these are described, and no operations");
    assert_eq!(twice(&operations), Vec::<String>::new(), "these ids are used twice");
    assert_eq!(twice(&described), Vec::<String>::new(), "these are described twice");
}

#[test]
fn descriptions_say_what_there_is_to_say() {
    for (path, operation) in DOCUMENT["paths"].as_object().unwrap() {
        for (method, said) in operation.as_object().unwrap() {
            for parameter in said["parameters"].as_array().into_iter().flatten() {
                let name = &parameter["name"];
                assert_ne!(parameter["description"], "", "{method} {path}: say what {name} is");
                assert_ne!(parameter["description"], Value::Null, "{method} {path}: say what {name} is");
                if parameter["in"] == "path" {
                    assert_ne!(parameter["example"], "", "{method} {path}: give an example of {name}");
                }
            }
            let answers = said["responses"].as_object().unwrap();
            assert!(
                answers.keys().any(|status| status.starts_with(['2', '3'])),
                "{method} {path}: say what it answers"
            );
            if let Some(content) = said["requestBody"]["content"].as_object() {
                let has_example = |form: &Value| {
                    form["example"].is_object() || form["example"].is_array() || form["example"].is_string()
                };
                // Nobody can read a component.
                let is_binary = content.values().all(|form| form["schema"]["format"] == "binary");
                let is_shown = is_binary || content.values().any(has_example);
                assert!(is_shown, "{method} {path}: give an example of the body");
            }
        }
    }
}

/// Names are for people: a number at the end means that two types claim the same one. And a type that is sent and
/// answered must look the same in both.
#[test]
fn schemas_have_names_of_their_own() {
    let schemas = DOCUMENT["components"]["schemas"].as_object().unwrap();
    let numbered: Vec<&String> = schemas.keys().filter(|name| name.ends_with(|c: char| c.is_ascii_digit())).collect();
    assert_eq!(numbered, Vec::<&String>::new());
    let mut both = Schemas::new();
    for (_, description) in describe::all() {
        let forms = |forms: &[(&str, describe::Form, Option<describe::MakesSchema>)],
                     generator: &mut SchemaGenerator| {
            forms.iter().filter_map(|(_, _, schema)| *schema).for_each(|schema| drop(schema(generator)));
        };
        description.body.iter().for_each(|body| forms(&body.forms, &mut both.sent));
        description.query.iter().for_each(|query| drop(query(&mut both.sent)));
        description.answers.iter().for_each(|answer| forms(&answer.forms, &mut both.answered));
    }
    let (sent, answered) = (both.sent.take_definitions(true), both.answered.take_definitions(true));
    for (name, schema) in &sent {
        if let Some(other) = answered.get(name) {
            assert_eq!(schema, other, "{name} is sent and answered, and differs");
        }
    }
}

/// `docs/openapi.json` and `docs/problems.md` are for those who read them without a server, and for those who review what
/// a change does to the interface.
#[test]
#[allow(clippy::disallowed_methods, reason = "whoever runs the test says whether the files are written")]
fn written_documents_are_those_of_the_code() {
    let docs = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs");
    let document = format!("{:#}\n", *DOCUMENT);
    let problems = crate::reference::problems_markdown();
    for (name, made) in [("openapi.json", document.as_bytes()), ("problems.md", problems.as_bytes())] {
        let path = docs.join(name);
        if std::env::var_os("WRITE_DOCS").is_some() {
            std::fs::write(&path, made).unwrap();
        }
        assert!(
            std::fs::read(&path).unwrap_or_default() == made,
            "docs/{name} is not that of the code; `WRITE_DOCS=1 cargo test --release -p http-api written_documents` \
             writes it anew, to be read before it is kept"
        );
    }
}
