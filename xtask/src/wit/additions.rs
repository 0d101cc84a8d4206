//! Whether a version of the WIT holds the one before it: every interface, type, function and world of that, unchanged.
//!
//! Each of them is written out in one line, without its documentation, and the lines are compared. A record with a field
//! more is another record: a guest hands over what it was built with. That is why a new field needs a new record.

use anyhow::{Context, Result, bail};
use std::collections::BTreeMap;
use wit_parser::{Function, FunctionKind, Resolve, Type, TypeDefKind, TypeId, TypeOwner, World, WorldItem};

/// What a later version lacks of an earlier one, or has otherwise.
pub(super) fn breaks(earlier: &str, later: &str) -> Result<Vec<String>> {
    let (earlier, later) = (items(earlier).context("the earlier")?, items(later).context("the later")?);
    let broken = earlier.iter().filter_map(|(name, was)| match later.get(name) {
        None => Some(format!("{name} is missing")),
        Some(is) if is != was => Some(format!("{name} was `{was}` and is `{is}`")),
        Some(_) => None,
    });
    Ok(broken.collect())
}

/// What a version consists of, by its name.
fn items(text: &str) -> Result<BTreeMap<String, String>> {
    let mut resolve = Resolve::default();
    let package = resolve.push_str("plugin.wit", text).context("the WIT cannot be read")?;
    let mut items = BTreeMap::new();
    for (interface, id) in &resolve.packages[package].interfaces {
        let content = &resolve.interfaces[*id];
        for (name, id) in &content.types {
            items.insert(format!("{interface}.{name}"), kind(&resolve, &resolve.types[*id].kind)?);
        }
        for (name, written) in &content.functions {
            items.insert(format!("{interface}.{name}"), function(&resolve, written)?);
        }
    }
    for (name, id) in &resolve.packages[package].worlds {
        items.insert(format!("world {name}"), world(&resolve, &resolve.worlds[*id])?);
    }
    Ok(items)
}

fn world(resolve: &Resolve, world: &World) -> Result<String> {
    let mut parts = Vec::new();
    for (direction, members) in [("import", &world.imports), ("export", &world.exports)] {
        for (key, member) in members {
            parts.push(match member {
                WorldItem::Interface { id, .. } => {
                    let name = resolve.interfaces[*id].name.as_deref();
                    format!("{direction} {}", name.context("a world has an interface without a name")?)
                }
                WorldItem::Function(written) => format!("{direction} {}", function(resolve, written)?),
                // Types that a world uses are those of an interface.
                WorldItem::Type { .. } => format!("{direction} type {}", resolve.name_world_key(key)),
            });
        }
    }
    parts.sort();
    Ok(parts.join(", "))
}

fn function(resolve: &Resolve, function: &Function) -> Result<String> {
    if function.kind != FunctionKind::Freestanding {
        bail!("{} is no plain function, and a snapshot keeps nothing else", function.name);
    }
    let parameter = |p: &wit_parser::Param| Ok(format!("{}: {}", p.name, reference(resolve, &p.ty)?));
    let parameters = function.params.iter().map(parameter).collect::<Result<Vec<_>>>()?.join(", ");
    let result = function.result.as_ref().map(|result| reference(resolve, result)).transpose()?;
    Ok(format!("func({parameters}) -> {}", result.as_deref().unwrap_or("_")))
}

/// What a type is.
fn kind(resolve: &Resolve, kind: &TypeDefKind) -> Result<String> {
    let of = |written: &Type| reference(resolve, written);
    let or_nothing = |written: &Option<Type>| written.as_ref().map_or_else(|| Ok("_".to_owned()), of);
    let all =
        |types: Vec<Result<String>>| Ok::<_, anyhow::Error>(types.into_iter().collect::<Result<Vec<_>>>()?.join(", "));
    Ok(match kind {
        TypeDefKind::Record(record) => {
            let fields = record.fields.iter().map(|field| Ok(format!("{}: {}", field.name, of(&field.ty)?)));
            format!("record {{ {} }}", all(fields.collect())?)
        }
        TypeDefKind::Variant(variant) => {
            let cases = variant.cases.iter().map(|case| Ok(format!("{}({})", case.name, or_nothing(&case.ty)?)));
            format!("variant {{ {} }}", all(cases.collect())?)
        }
        TypeDefKind::Enum(cases) => {
            let names: Vec<&str> = cases.cases.iter().map(|case| case.name.as_str()).collect();
            format!("enum {{ {} }}", names.join(", "))
        }
        TypeDefKind::Flags(flags) => {
            let names: Vec<&str> = flags.flags.iter().map(|flag| flag.name.as_str()).collect();
            format!("flags {{ {} }}", names.join(", "))
        }
        TypeDefKind::Tuple(tuple) => format!("tuple<{}>", all(tuple.types.iter().map(of).collect())?),
        TypeDefKind::Option(some) => format!("option<{}>", of(some)?),
        TypeDefKind::List(element) => format!("list<{}>", of(element)?),
        TypeDefKind::Result(result) => format!("result<{}, {}>", or_nothing(&result.ok)?, or_nothing(&result.err)?),
        TypeDefKind::Type(alias) => of(alias)?,
        other => bail!("a plugin's interface has no {}: a snapshot could not keep it", other.as_str()),
    })
}

/// How a type is written where it is used: by its interface and name, or as what it is where it has none.
fn reference(resolve: &Resolve, written: &Type) -> Result<String> {
    let named = |id: TypeId| {
        let definition = &resolve.types[id];
        let TypeOwner::Interface(interface) = definition.owner else { return None };
        let interface = resolve.interfaces[interface].name.as_deref()?;
        Some(format!("{interface}.{}", definition.name.as_deref()?))
    };
    match written {
        Type::Id(id) => named(*id).map_or_else(|| kind(resolve, &resolve.types[*id].kind), Ok),
        primitive => Ok(format!("{primitive:?}").to_lowercase()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const EARLIER: &str = "package purser:plugin@0.1.0;

interface types {
  type micro-credits = s64;
  record event { id: string, amounts: list<u64>, agent: option<string> }
  enum scope { account, agent }
  flags marks { large, late }
}

interface pricing {
  use types.{micro-credits, event};
  record unpriced { unit: string }
  variant refusal { unpriced(unpriced), invalid(string), other }
  configure: func(config: string) -> result<_, list<string>>;
  price: func(event: event, rates: tuple<u8, u16>) -> result<micro-credits, refusal>;
}

world pricing-plugin { export pricing; }
";

    /// Replaces a part of the earlier version; the part has to be there.
    fn changed(part: &str, by: &str) -> Vec<String> {
        assert!(EARLIER.contains(part), "{part}");
        let later = EARLIER.replace("@0.1.0", "@0.2.0").replace(part, by);
        breaks(EARLIER, &later).unwrap_or_else(|error| panic!("{by}: {error:#}"))
    }

    #[test]
    fn additions_and_words_break_nothing() {
        for (part, by) in [
            ("interface types {", "interface types {"),
            ("interface types {", "/// What all see.\ninterface types {\n  // More of it."),
            ("record event {", "record more { event-id: string }\n  record event {"),
            ("  price: func", "  price-all: func(events: list<event>) -> list<u64>;\n  price: func"),
            (
                "world pricing-plugin",
                "interface gifts { give: func(); }\n\nworld giving-plugin { export gifts; }\n\nworld pricing-plugin",
            ),
        ] {
            assert_eq!(changed(part, by), Vec::<String>::new(), "{by}");
        }
    }

    #[test]
    fn each_kind_of_break_is_found_and_named() {
        for (part, by, told) in [
            // A record.
            ("id: string, amounts", "id: string, at: u64, amounts", "types.event was"),
            ("id: string, amounts", "amounts", "types.event was"),
            ("id: string, amounts: list<u64>", "amounts: list<u64>, id: string", "types.event was"),
            ("id: string,", "name: string,", "types.event was"),
            ("list<u64>", "list<u32>", "types.event was"),
            ("agent: option<string>", "agent: string", "types.event was"),
            // An enumeration, a variant, and flags.
            ("account, agent }", "account, agent, model }", "types.scope was"),
            ("account, agent }", "agent, account }", "types.scope was"),
            ("account, agent }", "account }", "types.scope was"),
            ("invalid(string), other", "invalid(string), other, more", "pricing.refusal was"),
            ("invalid(string), other", "invalid, other", "pricing.refusal was"),
            ("large, late", "large", "types.marks was"),
            // An alias.
            ("type micro-credits = s64", "type micro-credits = u64", "types.micro-credits was"),
            // A function.
            ("config: string)", "config: string, more: bool)", "pricing.configure was"),
            ("config: string)", "text: string)", "pricing.configure was"),
            ("-> result<_, list<string>>", "-> result<u8, list<string>>", "pricing.configure was"),
            ("-> result<_, list<string>>", "", "pricing.configure was"),
            ("tuple<u8, u16>", "tuple<u8>", "pricing.price was"),
            ("  configure: func", "  set-up: func", "pricing.configure is missing"),
            // A type, an interface and a world.
            ("  flags marks { large, late }\n", "", "types.marks is missing"),
            ("  enum scope", "  enum whose", "types.scope is missing"),
            ("world pricing-plugin", "world pricer", "world pricing-plugin is missing"),
            ("export pricing;", "export pricing; export types;", "world pricing-plugin was"),
            ("export pricing;", "import types; import pricing;", "world pricing-plugin was"),
        ] {
            let broken = changed(part, by);
            assert_eq!(broken.len(), 1, "{by}: {broken:?}");
            assert!(broken[0].starts_with(told), "{by}: {broken:?}");
        }
        let renamed =
            EARLIER.replace("interface pricing", "interface prices").replace("export pricing", "export prices");
        let broken = breaks(EARLIER, &renamed).unwrap();
        assert!(broken.contains(&"pricing.price is missing".to_owned()), "{broken:?}");
    }

    #[test]
    fn what_no_snapshot_keeps_is_no_interface() {
        for with in
            ["resource counter { count: func() -> u64; }", "type later = future<u8>;", "type more = stream<u8>;"]
        {
            let later = EARLIER.replace("enum scope", &format!("{with}\n  enum scope"));
            assert!(breaks(EARLIER, &later).is_err(), "{with}");
        }
        assert!(breaks(EARLIER, "package purser:plugin@0.2.0; interface {").is_err());
    }
}
