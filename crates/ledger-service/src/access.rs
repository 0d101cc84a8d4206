//! Who may do what: keys with scopes, portal tokens for one account, sessions of
//! operators, and whoever calls with any of them.
//!
//! Keys are system records and stay in the list when they are revoked, since the audit names them. Of a secret only its
//! hash is kept; secrets are long and random, so that a plain hash is enough: there is nothing to guess.

mod keyring;
mod portal;
mod records;
mod sessions;
mod tokens;

pub use keyring::{CreatedKey, KeyInput, Keyring};
pub use portal::{PORTAL_TTL_MS_MAX, PortalInput, PortalToken};
pub use records::{KeyRecord as Key, KeyStatus};
pub use sessions::SESSION_MS;

use ledger_core::{Digest, Timestamp};
use std::sync::Arc;

/// What a key is good for. `admin` includes the others.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Scope {
    /// Everything.
    Admin,
    /// Charges, holds, quotes, events.
    Charge,
    /// Reading.
    Read,
    /// Buying, and settings of buying.
    Purchase,
    /// Plugins and their releases.
    Plugins,
}

impl Scope {
    /// Every scope with its name on the wire.
    pub const ALL: [(Self, &'static str); 5] = [
        (Self::Admin, "admin"),
        (Self::Charge, "charge"),
        (Self::Read, "read"),
        (Self::Purchase, "purchase"),
        (Self::Plugins, "plugins"),
    ];

    /// Its name on the wire.
    pub fn name(self) -> &'static str {
        match self {
            Self::Admin => "admin",
            Self::Charge => "charge",
            Self::Read => "read",
            Self::Purchase => "purchase",
            Self::Plugins => "plugins",
        }
    }

    /// The scope of a name.
    pub fn of_name(name: &str) -> Option<Self> {
        Self::ALL.iter().find(|(_, known)| *known == name).map(|(scope, _)| *scope)
    }
}

/// Whoever makes a request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Caller {
    /// The key's id, or the portal token's.
    pub id: Arc<str>,
    /// How acts of theirs are signed: the key's name.
    pub name: Arc<str>,
    /// What they may do.
    pub scopes: Vec<Scope>,
    /// The accounts that exist for them; `None` for all.
    pub accounts: Option<Vec<Arc<str>>>,
    /// From when on they may nothing; `None` for never.
    pub expires_at: Option<Timestamp>,
    /// Whether they come with a portal token, and so are no key that could be revoked.
    pub is_portal: bool,
}

impl Caller {
    /// Whether they have one of these scopes.
    pub fn has(&self, scopes: &[Scope]) -> bool {
        self.scopes.contains(&Scope::Admin) || scopes.iter().any(|scope| self.scopes.contains(scope))
    }

    /// Whether an account exists for them.
    pub fn sees(&self, account: &str) -> bool {
        self.accounts.as_ref().is_none_or(|accounts| accounts.iter().any(|own| **own == *account))
    }

    /// Whether an instant is before the end of what they may do.
    pub fn lasts_at(&self, now: Timestamp) -> bool {
        self.expires_at.is_none_or(|end| now < end)
    }
}

/// What is stored of a secret.
pub fn hash_of_secret(secret: &str) -> [u8; 32] {
    Digest::of(secret.as_bytes()).0
}
