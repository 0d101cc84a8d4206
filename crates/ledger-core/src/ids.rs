//! Names of things. Identifiers of charges, grants and holds embed the account's short number and the sequence of the
//! entry that made them, so that any of them finds its account, and so its shard, without an index.

use std::fmt;
use std::sync::Arc;

/// The short number of an account, given once when it is created, never used again.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct AccountNumber(pub u64);

/// The longest account id.
pub const ACCOUNT_ID_BYTES_MAX: usize = 128;

/// Whether a text may be an account's id: 1 to 128 of `A-Z a-z 0-9 . _ : -`.
pub fn is_account_id(text: &str) -> bool {
    (1..=ACCOUNT_ID_BYTES_MAX).contains(&text.len())
        && text.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'.' | b'_' | b':' | b'-'))
}

/// What an identifier names.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum IdKind {
    /// Any entry: `en_`.
    Entry,
    /// A charge: `ch_`.
    Charge,
    /// A grant: `gr_`.
    Grant,
    /// A hold: `ho_`.
    Hold,
    /// A refund of a charge: `rf_`.
    Refund,
    /// A purchase: `pu_`.
    Purchase,
    /// A transfer: `tr_`.
    Transfer,
}

impl IdKind {
    const ALL: [(Self, &'static str); 7] = [
        (Self::Entry, "en"),
        (Self::Charge, "ch"),
        (Self::Grant, "gr"),
        (Self::Hold, "ho"),
        (Self::Refund, "rf"),
        (Self::Purchase, "pu"),
        (Self::Transfer, "tr"),
    ];

    fn prefix(self) -> &'static str {
        Self::ALL.into_iter().find(|(kind, _)| *kind == self).map_or("", |(_, prefix)| prefix)
    }
}

/// An identifier such as `ch_12_812`: charge, account number 12, made by that account's entry 812.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Id {
    /// What it names.
    pub kind: IdKind,
    /// The account that it belongs to.
    pub account: AccountNumber,
    /// The sequence of the entry that made it.
    pub sequence: u64,
}

impl Id {
    /// Reads an identifier; `None` for anything that [`fmt::Display`] would not have written.
    pub fn parse(text: &str) -> Option<Self> {
        let mut parts = text.split('_');
        let (prefix, account, sequence) = (parts.next()?, parts.next()?, parts.next()?);
        if parts.next().is_some() {
            return None;
        }
        let kind = IdKind::ALL.into_iter().find(|(_, p)| *p == prefix)?.0;
        let id = Self { kind, account: AccountNumber(account.parse().ok()?), sequence: sequence.parse().ok()? };
        (id.to_string() == text).then_some(id)
    }
}

impl fmt::Display for Id {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}_{}_{}", self.kind.prefix(), self.account.0, self.sequence)
    }
}

/// A name that may be given to a plan, an activity, an agent, a model or a unit: 1 to 128 bytes without control
/// characters.
pub fn is_name(text: &str) -> bool {
    (1..=NAME_BYTES_MAX).contains(&text.len()) && !text.chars().any(char::is_control)
}

/// The longest name of an activity, agent, model or unit.
pub const NAME_BYTES_MAX: usize = 128;

/// Shares a text.
pub fn shared(text: &str) -> Arc<str> {
    Arc::from(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn identifiers_read_back_and_nothing_else_does() {
        let id = Id { kind: IdKind::Charge, account: AccountNumber(12), sequence: 812 };
        assert_eq!(id.to_string(), "ch_12_812");
        assert_eq!(Id::parse("ch_12_812"), Some(id));
        for text in [
            "",
            "ch",
            "ch_12",
            "ch_12_812_1",
            "xx_1_1",
            "ch_012_1",
            "ch_+1_1",
            "ch_1_-1",
            "CH_1_1",
            "ch_1_99999999999999999999",
        ] {
            assert_eq!(Id::parse(text), None, "{text}");
        }
    }

    #[test]
    fn account_ids_are_the_contracts() {
        for good in ["a", "acme", "A.b_c:d-9", &"x".repeat(128)] {
            assert!(is_account_id(good), "{good}");
        }
        for bad in ["", "a b", "ä", "a/b", "a\n", &"x".repeat(129)] {
            assert!(!is_account_id(bad), "{bad}");
        }
    }
}
