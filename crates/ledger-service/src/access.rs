//! Who may do what: keys with scopes, and whoever calls with one.

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
}
