//! The arrows of the architecture, as data. To add an edge, change a line here and the paragraph of ARCHITECTURE.md
//! that it stands for, and say why in the change.

use std::fmt;

/// One rule about who depends on whom.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Rule {
    /// Of the workspace's crates, `from` names only these (tests aside).
    Arrows { from: &'static str, to: &'static [&'static str] },
    /// Of all packages, `from` names only these (tests aside).
    Names { from: &'static str, packages: &'static [&'static str] },
    /// Whatever way is taken, `from` reaches nothing but these.
    Reaches { from: &'static str, packages: &'static [&'static str] },
    /// Whatever way is taken, `from` reaches none of these.
    Avoids { from: &'static str, packages: &'static [&'static str] },
    /// Every way from a crate of the workspace to `package` leads through `gate`.
    OnlyThrough { package: &'static str, gate: &'static str },
    /// Of the workspace's crates only these name `package`, even in tests.
    NamedBy { package: &'static str, by: &'static [&'static str] },
    /// Nobody switches these features of a package on.
    WithoutFeatures { package: &'static str, features: &'static [&'static str] },
}

impl Rule {
    /// The crates that must exist for the rule to mean anything. What is forbidden need not.
    pub(super) fn crates(&self) -> Vec<&'static str> {
        match *self {
            Self::Arrows { from, to: more }
            | Self::Names { from, packages: more }
            | Self::NamedBy { package: from, by: more } => [&[from], more].concat(),
            Self::Reaches { from, .. } | Self::Avoids { from, .. } | Self::WithoutFeatures { package: from, .. } => {
                vec![from]
            }
            Self::OnlyThrough { package, gate } => vec![package, gate],
        }
    }
}

impl fmt::Display for Rule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let list = |names: &[&str]| if names.is_empty() { "nothing".to_owned() } else { names.join(", ") };
        match self {
            Self::Arrows { from, to } => write!(f, "{from} → {}", list(to)),
            Self::Names { from, packages } => write!(f, "{from} names only {}", list(packages)),
            Self::Reaches { from, packages } => write!(f, "{from} reaches only {}", list(packages)),
            Self::Avoids { from, packages } => write!(f, "{from} never reaches {}", list(packages)),
            Self::OnlyThrough { package, gate } => write!(f, "{package} is reached only through {gate}"),
            Self::NamedBy { package, by: [] } => write!(f, "{package} is named by nobody"),
            Self::NamedBy { package, by } => write!(f, "{package} is named only by {}", list(by)),
            Self::WithoutFeatures { package, features } => write!(f, "{package} is built without {}", list(features)),
        }
    }
}

/// The rules, each with its reason ("the rule is there because …").
pub(super) const RULES: &[(Rule, &str)] = &[
    (Rule::Arrows { from: "ledger-core", to: &[] }, CORE),
    (Rule::Names { from: "ledger-core", packages: &["chrono", "chrono-tz", "sha2"] }, CORE),
    (
        Rule::Reaches {
            from: "ledger-core",
            packages: &[
                // Calendar arithmetic and the time zones' tables.
                "chrono",
                "chrono-tz",
                "num-traits",
                "phf",
                "phf_shared",
                "siphasher",
                // The hash of the chain.
                "sha2",
                "digest",
                // Comparisons in constant time, which digest takes along where another crate has it make MACs.
                "ctutils",
                "cmov",
                "block-buffer",
                "crypto-common",
                "hybrid-array",
                "typenum",
                "const-oid",
                "cfg-if",
                "cpufeatures",
                // On ARM, cpufeatures asks through it which instructions there are. The core itself cannot name it.
                "libc",
            ],
        },
        CORE,
    ),
    (Rule::WithoutFeatures { package: "chrono", features: &["clock", "now", "serde", "wasmbind"] }, CORE),
    (Rule::Arrows { from: "ledger-store", to: &["ledger-core"] }, STORE),
    (Rule::Avoids { from: "ledger-store", packages: EDGES }, STORE),
    (Rule::Arrows { from: "ledger-redb", to: &["ledger-core", "ledger-store"] }, STORE),
    (Rule::Avoids { from: "ledger-redb", packages: EDGES }, STORE),
    (Rule::OnlyThrough { package: "redb", gate: "ledger-redb" }, ENGINE),
    (Rule::Arrows { from: "ledger-postgres", to: &["ledger-core", "ledger-store"] }, STORE),
    // The driver has tokio under it, and that is as far as it may go.
    (
        Rule::Avoids {
            from: "ledger-postgres",
            packages: &["axum", "hyper", "wasmtime", "ledger-service", "http-api", "plugin-host"],
        },
        STORE,
    ),
    (Rule::OnlyThrough { package: "postgres", gate: "ledger-postgres" }, ENGINE),
    (Rule::OnlyThrough { package: "tokio-postgres", gate: "ledger-postgres" }, ENGINE),
    (Rule::NamedBy { package: "ledger-postgres", by: &["purser"] }, "the binary alone chooses a store"),
    (Rule::Arrows { from: "ledger-service", to: &["ledger-core", "ledger-store"] }, SERVICE),
    (Rule::Avoids { from: "ledger-service", packages: &["axum", "hyper", "redb", "wasmtime"] }, SERVICE),
    (Rule::Arrows { from: "plugin-host", to: &["ledger-core", "ledger-service"] }, SERVICE),
    (Rule::Avoids { from: "plugin-host", packages: &["axum", "hyper", "redb"] }, SERVICE),
    (Rule::OnlyThrough { package: "wasmtime", gate: "plugin-host" }, "one crate knows how guests are run and bounded"),
    (Rule::Arrows { from: "http-api", to: &["ledger-core", "ledger-service", "ledger-store", "pages"] }, SERVICE),
    (Rule::Avoids { from: "http-api", packages: &["redb", "wasmtime"] }, SERVICE),
    (Rule::NamedBy { package: "http-api", by: &["purser"] }, "wire types and status codes stay at the edge"),
    (Rule::Arrows { from: "pages", to: &["ledger-core"] }, PAGES),
    (
        Rule::Names { from: "pages", packages: &["chrono", "chrono-tz", "form_urlencoded", "ledger-core", "maud"] },
        PAGES,
    ),
    (Rule::Arrows { from: "http-server", to: &[] }, "connections know nothing of what is served on them"),
    (Rule::Arrows { from: "webhook-sender", to: &["ledger-service"] }, SERVICE),
    (Rule::Avoids { from: "webhook-sender", packages: &["axum", "redb", "wasmtime"] }, SERVICE),
    (Rule::NamedBy { package: "webhook-sender", by: &["purser"] }, "the binary wires a port to what implements it"),
    (Rule::NamedBy { package: "http-server", by: &["purser"] }, "the binary alone listens"),
    (Rule::NamedBy { package: "axum", by: &["http-api"] }, "wire types and status codes stay at the edge"),
    // The routes try it in their tests.
    (
        Rule::NamedBy { package: "metrics-exporter-prometheus", by: &["http-api", "purser"] },
        "crates measure through the facade, and the binary alone chooses who records",
    ),
    (Rule::Arrows { from: "plugin-sdk", to: &[] }, PLUGINS),
    (Rule::Arrows { from: "per-model-rates", to: &["plugin-sdk"] }, PLUGINS),
    (Rule::Arrows { from: "call-minutes", to: &["plugin-sdk"] }, PLUGINS),
    (Rule::Arrows { from: "rate-limits", to: &["plugin-sdk"] }, PLUGINS),
    (Rule::Arrows { from: "lead-score-gate", to: &["plugin-sdk"] }, PLUGINS),
    (Rule::Arrows { from: "call-duration-limit", to: &["plugin-sdk"] }, PLUGINS),
    (Rule::Arrows { from: "hostile-guest", to: &["plugin-sdk"] }, PLUGINS),
    (Rule::Arrows { from: "hostile-policy", to: &["plugin-sdk"] }, PLUGINS),
    (Rule::Arrows { from: "pricing-0-1", to: &[] }, FROZEN),
    (Rule::Arrows { from: "throttling-0-1", to: &[] }, FROZEN),
    (Rule::Arrows { from: "rate-import", to: &["plugin-sdk"] }, TOOLS),
    (Rule::Arrows { from: "purser-config", to: &["ledger-core"] }, TOOLS),
    (Rule::Arrows { from: "trace-replay", to: &["ledger-core"] }, TOOLS),
    (Rule::Arrows { from: "testkit", to: &["ledger-core", "ledger-service", "ledger-store"] }, TOOLS),
    (
        Rule::Arrows {
            from: "purser",
            to: &[
                "http-api",
                "http-server",
                "ledger-core",
                "ledger-redb",
                "ledger-service",
                "ledger-store",
                "plugin-host",
                "purser-config",
                "rate-import",
                "trace-replay",
                "webhook-sender",
            ],
        },
        "the binary wires what the others leave open, and tests' helpers are not shipped",
    ),
    (Rule::NamedBy { package: "purser", by: &[] }, "nothing builds on the binary"),
    (
        Rule::Arrows { from: "xtask", to: &["ledger-core", "trace-replay"] },
        "automation knows the server by its interface",
    ),
];

/// What no store may know.
const EDGES: &[&str] = &["axum", "hyper", "tokio", "wasmtime", "ledger-service", "http-api", "plugin-host"];

const CORE: &str = "the core decides from its arguments alone: no I/O, no async, no serde, no clock, no randomness";
const STORE: &str = "a store keeps and never decides, and can be replaced";
const ENGINE: &str = "an engine is replaced behind the store trait";
const PAGES: &str = "pages are text made of data: they can be looked at, and tried, without a server";
const SERVICE: &str = "the use cases know the world through ports, and the edges know the use cases";
const PLUGINS: &str = "plugins are written as an outside author would write them";
const FROZEN: &str =
    "a plugin of a released version of the WIT stays as it was written, so that nothing under it may change";
const TOOLS: &str = "it works on data or over HTTP, and so cannot depend on how the server is built";
