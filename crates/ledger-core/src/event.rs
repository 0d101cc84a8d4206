//! What an agent did, and what it costs: the vocabulary that services, plugins and the ledger share.

use crate::amount::Amount;
use crate::time::Timestamp;
use std::sync::Arc;

/// So much of one unit. Units are open names (`messages`, `seconds`, `input_tokens`, …); within one event they are
/// disjoint and each occurs once.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Quantity {
    /// The unit's name.
    pub unit: Arc<str>,
    /// How many of it.
    pub amount: u64,
}

/// What an agent did: the argument of a price.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UsageEvent {
    /// The caller's own name for the event; empty where it gave none.
    pub id: String,
    /// The account's id, as its owner chose it.
    pub account: Arc<str>,
    /// The name of the plan that the account is on.
    pub plan: Arc<str>,
    /// The activity, such as `chat` or `voice_inbound`.
    pub activity: Arc<str>,
    /// The agent that acted.
    pub agent: Option<Arc<str>>,
    /// The model that it used.
    pub model: Option<Arc<str>>,
    /// When it happened.
    pub occurred_at: Timestamp,
    /// Quantities, sorted by unit.
    pub quantities: Arc<[Quantity]>,
    /// Free attributes, sorted by key.
    pub attributes: Vec<(String, String)>,
}

/// One line of a price.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LineItem {
    /// What a person reads.
    pub label: Arc<str>,
    /// The unit that was priced; empty for a line that is about no unit (a minimum, a fee).
    pub unit: Arc<str>,
    /// How many of the unit.
    pub quantity: u64,
    /// What the line costs; negative for a discount.
    pub credits: Amount,
}

/// A SHA-256, as `sha256sum` prints it; names a plugin version or a configuration by its bytes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Digest(pub [u8; 32]);

impl Digest {
    /// The digest of some bytes.
    pub fn of(bytes: &[u8]) -> Self {
        use sha2::Digest as _;
        Self(sha2::Sha256::digest(bytes).into())
    }

    /// Reads `sha256:` followed by 64 lower-case hexadecimal digits, or the digits alone.
    pub fn parse(text: &str) -> Option<Self> {
        let hex = text.strip_prefix("sha256:").unwrap_or(text);
        crate::hex::decode(hex).map(Self)
    }

    /// The 64 hexadecimal digits.
    pub fn hex(&self) -> String {
        crate::hex::encode(&self.0)
    }
}

impl std::fmt::Display for Digest {
    /// Writes `sha256:` and the hexadecimal digits.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("sha256:")?;
        std::fmt::Display::fmt(&crate::hex::Hex(self.0), f)
    }
}
