//! The files of a new project, as they lie under `templates/`, with names still to be filled in.

use crate::plugin::args::{Kind, Lang};

/// What is filled into a file.
pub(super) struct Template<'a> {
    pub(super) name: &'a str,
    pub(super) kind: String,
    pub(super) lang: String,
    /// Where the SDK is, as the project sees it.
    pub(super) sdk: &'a str,
}

impl Template<'_> {
    pub(super) fn fill(&self, text: &str) -> String {
        let Template { name, kind, lang, sdk } = self;
        // A path on Windows has what TOML would take for escapes.
        let sdk = sdk.replace('\\', "/");
        text.replace("{{name}}", name).replace("{{kind}}", kind).replace("{{lang}}", lang).replace("{{sdk}}", &sdk)
    }
}

type Files = Vec<(&'static str, &'static str)>;

macro_rules! files {
    ($($path:literal: $from:literal)*) => {
        vec![$(($path, include_str!(concat!("../../../templates/", $from)))),*]
    };
}

/// The files of a project, by their paths in it.
pub(super) fn files(lang: Lang, kind: Kind) -> Files {
    let (every, own): (Files, Files) = match (lang, kind) {
        (Lang::Rust, Kind::Pricing) => (
            rust(),
            files! {
                "src/lib.rs": "rust/pricing/lib.rs"
                "config.toml": "rust/pricing/config.toml"
                "cases.txt": "rust/pricing/cases.txt"
                "README.md": "rust/pricing/README.md"
            },
        ),
        (Lang::Rust, Kind::Throttling) => (
            rust(),
            files! {
                "src/lib.rs": "rust/throttling/lib.rs"
                "config.toml": "rust/throttling/config.toml"
                "cases.txt": "rust/throttling/cases.txt"
                "README.md": "rust/throttling/README.md"
            },
        ),
        (Lang::Js, Kind::Pricing) => (
            javascript(),
            files! {
                "plugin.js": "javascript/pricing/plugin.js"
                "config.toml": "rust/pricing/config.toml"
                "cases.txt": "rust/pricing/cases.txt"
            },
        ),
        (Lang::Js, Kind::Throttling) => (
            javascript(),
            files! {
                "plugin.js": "javascript/throttling/plugin.js"
                "config.toml": "rust/throttling/config.toml"
                "cases.txt": "rust/throttling/cases.txt"
            },
        ),
        (Lang::Python, Kind::Pricing) => (
            python(),
            files! {
                "plugin.py": "python/pricing/plugin.py"
                "config.toml": "rust/pricing/config.toml"
                "cases.txt": "rust/pricing/cases.txt"
            },
        ),
        (Lang::Python, Kind::Throttling) => (
            python(),
            files! {
                "plugin.py": "python/throttling/plugin.py"
                "config.toml": "rust/throttling/config.toml"
                "cases.txt": "rust/throttling/cases.txt"
            },
        ),
    };
    [files! { "plugin.toml": "plugin.toml" }, every, own].concat()
}

fn rust() -> Files {
    files! {
        "Cargo.toml": "rust/Cargo.toml"
        ".cargo/config.toml": "rust/cargo-config.toml"
        ".gitignore": "rust/gitignore"
    }
}

fn javascript() -> Files {
    files! {
        "package.json": "javascript/package.json"
        "README.md": "javascript/README.md"
        ".gitignore": "javascript/gitignore"
    }
}

fn python() -> Files {
    files! {
        "requirements.txt": "python/requirements.txt"
        "README.md": "python/README.md"
        ".gitignore": "python/gitignore"
    }
}
