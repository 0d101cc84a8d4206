//! Holds `docs/plugins/reference.md` to the interface: every record, enum and variant of the WIT has a table there, with
//! every field and case, its type, and the unit of what is a number; and there is none that the WIT does not have.

use std::collections::BTreeMap;
use wit_parser::{Resolve, Type, TypeDefKind};

/// What is said of a type: by field or case, its type and a description.
type Told = BTreeMap<String, (String, String)>;

const REFERENCE: &str = include_str!("../../../docs/plugins/reference.md");
const WIT: &str = include_str!("../../../crates/plugin-sdk/wit/v0.1/plugin.wit");

/// What the page says, by the type that stands in bold before a table.
fn told(page: &str) -> BTreeMap<String, Told> {
    let mut types: BTreeMap<String, Told> = BTreeMap::new();
    let mut of = None;
    for line in page.lines() {
        if let Some(name) = line.strip_prefix("**`").and_then(|rest| rest.strip_suffix("`**")) {
            of = Some(name.to_owned());
        } else if let (Some(name), Some(row)) = (&of, line.strip_prefix("| `")) {
            let (member, rest) = row.split_once("` | ").unwrap();
            let (kind, what) = rest.trim_end_matches('|').split_once(" | ").unwrap();
            let what = (kind.trim().to_owned(), what.trim().to_owned());
            assert_eq!(types.entry(name.clone()).or_default().insert(member.to_owned(), what), None, "{name}.{member}");
        } else if !line.is_empty() && !line.starts_with('|') {
            of = None;
        }
    }
    types
}

/// How the page writes a type.
fn written(resolve: &Resolve, ty: &Type) -> String {
    let of_id = |id| match (&resolve.types[id].kind, resolve.types[id].name.as_deref()) {
        (TypeDefKind::Option(Type::String), _) => "text or nothing".to_owned(),
        (TypeDefKind::Option(inner), _) => format!("{}, or nothing", written(resolve, inner)),
        (TypeDefKind::List(inner), _) => format!("list of {}", written(resolve, inner)),
        (_, Some(name)) => format!("`{name}`"),
        (other, None) => panic!("{other:?} has no name"),
    };
    match ty {
        Type::String => "text".to_owned(),
        Type::U64 => "64 bits, unsigned".to_owned(),
        Type::S64 => "64 bits, signed".to_owned(),
        Type::U32 => "32 bits, unsigned".to_owned(),
        Type::Id(id) => of_id(*id),
        other => panic!("{other:?} is not written yet"),
    }
}

/// Every record, enum and variant with its members' types.
fn defined(resolve: &Resolve) -> BTreeMap<String, BTreeMap<String, String>> {
    let nothing = || "nothing".to_owned();
    let types = resolve.types.iter().filter_map(|(_, ty)| {
        let members: BTreeMap<String, String> = match &ty.kind {
            TypeDefKind::Record(record) => {
                record.fields.iter().map(|field| (field.name.clone(), written(resolve, &field.ty))).collect()
            }
            TypeDefKind::Enum(cases) => cases.cases.iter().map(|case| (case.name.clone(), nothing())).collect(),
            TypeDefKind::Variant(variant) => {
                let with = |ty: &Option<Type>| ty.as_ref().map_or_else(nothing, |ty| written(resolve, ty));
                variant.cases.iter().map(|case| (case.name.clone(), with(&case.ty))).collect()
            }
            _ => return None,
        };
        Some((ty.name.clone()?, members))
    });
    types.collect()
}

/// A word of the unit that a number must be told in; nothing where its name is the unit, or it has none of its own.
fn unit_of(member: &str, kind: &str) -> Option<&'static str> {
    let by_name = [("-ms", "milliseconds"), ("-permille", "thousandths"), ("seconds", "seconds")];
    let by_name = by_name.into_iter().find(|(end, _)| member.ends_with(end)).map(|(_, unit)| unit);
    match kind {
        _ if by_name.is_some() => by_name,
        kind if kind.contains("`micro-credits`") => Some("micro-credits"),
        kind if kind.contains("bits") && matches!(member, "amount" | "quantity") => Some("the unit"),
        kind if kind.contains("bits") => Some("in what the window counts"),
        _ => None,
    }
}

#[test]
fn the_reference_has_every_member_of_the_interface_with_its_unit_and_no_other() {
    let mut resolve = Resolve::default();
    resolve.push_str("plugin.wit", WIT).unwrap();
    let (told, defined) = (told(REFERENCE), defined(&resolve));
    assert_eq!(told.keys().collect::<Vec<_>>(), defined.keys().collect::<Vec<_>>());
    for (name, members) in &defined {
        let kinds: BTreeMap<String, String> =
            told[name].iter().map(|(member, (kind, _))| (member.clone(), kind.clone())).collect();
        assert_eq!(&kinds, members, "{name}");
        for (member, (kind, what)) in &told[name] {
            let unit = unit_of(member, kind).unwrap_or("");
            assert!(what.len() > 8 && what.contains(unit), "{name}.{member} says nothing of {unit:?}: {what}");
        }
    }
    let functions = resolve.interfaces.iter().flat_map(|(_, interface)| interface.functions.keys());
    for function in functions.map(|function| format!("`{function}`")) {
        assert!(REFERENCE.contains(&function), "{function} is not told of");
    }
}
