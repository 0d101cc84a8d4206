//! Who may call, in the document.

use crate::auth::PORTAL_COOKIE;
use crate::operation::{About, Access, Operation};
use axum::http::Method;
use ledger_service::Scope;
use serde_json::{Value, json};

/// The ways in which a caller makes itself known.
pub(super) fn schemes() -> Value {
    json!({
        "key": {
            "type": "http",
            "scheme": "bearer",
            "description": "A key, as `Authorization: Bearer <key>`. Its scopes say what it is good for: `charge` for \
                charges, holds, quotes and events; `read` for reading; `purchase` for buying; `plugins` for plugins; \
                `admin` for all of these and everything else. A key may be for certain accounts; others are not there \
                for it.",
        },
        "portal": {
            "type": "apiKey",
            "in": "cookie",
            "name": PORTAL_COOKIE,
            "description": "The cookie of a customer's page, which holds a portal token: for one account, to read and \
                perhaps to buy. It counts for `GET` alone; as `Authorization: Bearer` the token counts for what its \
                scopes say.",
        },
    })
}

/// What an operation wants of its caller.
pub(super) fn requirements(operation: &Operation) -> Value {
    match operation.access {
        Access::Open => json!([]),
        Access::Key { scopes, .. } => {
            let is_for_portal = scopes.iter().any(|scope| [Scope::Read, Scope::Purchase].contains(scope));
            if is_for_portal && operation.method == Method::GET {
                json!([{ "key": [] }, { "portal": [] }])
            } else {
                json!([{ "key": [] }])
            }
        }
    }
}

/// The same in words.
pub(super) fn needs(access: Access) -> String {
    let Access::Key { scopes, about } = access else {
        return "Needs no key.".to_owned();
    };
    let mut names: Vec<String> = scopes.iter().map(|scope| format!("`{}`", scope.name())).collect();
    if !scopes.contains(&Scope::Admin) {
        names.push(format!("`{}`", Scope::Admin.name()));
    }
    let whose = match about {
        About::Everybody => " that is not for certain accounts only",
        About::Account | About::Identifier | About::Named | About::Nobody => "",
    };
    format!("Needs a key with the scope {}{whose}.", names.join(" or "))
}
