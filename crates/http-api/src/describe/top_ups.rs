//! Accounts that buy by themselves, described.

use super::{Description, Part, Tag};
use crate::auto_top_up::RuleAnswer;
use crate::shapes::{PositiveCredits, Text};
use schemars::JsonSchema;

pub(super) const ALL: Part =
    &[("putAutoTopUp", put_auto_top_up), ("getAutoTopUp", get_auto_top_up), ("deleteAutoTopUp", delete_auto_top_up)];

/// When an account buys by itself.
#[derive(JsonSchema)]
#[schemars(rename = "NewAutoTopUp", deny_unknown_fields)]
#[allow(dead_code, reason = "it describes what is read by hand")]
struct NewAutoTopUp {
    /// Whether it does; it does where this is left out.
    enabled: Option<bool>,
    /// Below so many remaining credits.
    threshold: PositiveCredits,
    /// The name of the pack.
    pack: Text,
    /// How often in the period at most; once where this is left out.
    #[schemars(range(min = 1, max = 1000))]
    at_most: Option<u32>,
    /// The period, which rolls along with the present; a day where this is left out.
    #[schemars(range(min = 1, max = 366))]
    period_days: Option<u32>,
}

fn put_auto_top_up() -> Description {
    Description::new(
        Tag::Buying,
        "Have an account buy by itself",
        "Whenever its remaining credits are below the threshold it buys the pack, so often in a period at most; at once \
         where it is below it now.",
    )
    .body::<NewAutoTopUp>(r#"{"threshold":"100","pack":"small","at_most":3,"period_days":30}"#)
    .answers::<RuleAnswer<'_>>(200, "What counts now.")
}

fn get_auto_top_up() -> Description {
    Description::new(Tag::Buying, "Read when an account buys by itself", "Its own rule, or its plan's.")
        .answers::<RuleAnswer<'_>>(200, "What counts.")
}

fn delete_auto_top_up() -> Description {
    Description::new(Tag::Buying, "Go back to the plan's rule", "That of the account itself is gone.")
        .answers::<RuleAnswer<'_>>(200, "What counts now.")
}
