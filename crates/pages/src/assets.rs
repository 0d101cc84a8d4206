//! What pages fetch besides themselves: one style and one script. Whoever serves them puts a hash into their names, so
//! that browsers may keep them for ever, and gives the addresses in [`Frame`](crate::Frame).

/// The style, `text/css`.
pub const CSS: &str = include_str!("../assets/page.css");

/// The script, `text/javascript`. It is loaded in the head, before anything is shown, so that a page does not flash in the
/// wrong colours.
pub const JS: &str = include_str!("../assets/page.js");
