//! The worlds that a plugin can be of.

use crate::wit::v0_1;
use std::fmt;

/// What a plugin is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum World {
    /// It says what things cost.
    Pricing,
    /// It says who is slowed down.
    Throttling,
}

impl World {
    /// All of them.
    pub const ALL: [Self; 2] = [Self::Pricing, Self::Throttling];

    /// Its name in the WIT.
    pub fn name(self) -> &'static str {
        match self {
            Self::Pricing => "pricing-plugin",
            Self::Throttling => "throttling-plugin",
        }
    }

    /// The instance that a plugin of it exports, with its version.
    pub fn interface(self) -> &'static str {
        match self {
            Self::Pricing => v0_1::PRICING,
            Self::Throttling => v0_1::THROTTLING,
        }
    }
}

impl fmt::Display for World {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}
