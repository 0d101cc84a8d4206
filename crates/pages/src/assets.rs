//! What pages fetch besides themselves: one style and one script, and for the operator's pages another
//! of each. Whoever serves them puts a hash into their names, so
//! that browsers may keep them for ever, and gives the addresses in [`Frame`](crate::Frame).

/// The style, `text/css`.
pub const CSS: &str = include_str!("../assets/page.css");

/// The script, `text/javascript`. It is loaded in the head, before anything is shown, so that a page does not flash in the
/// wrong colours.
pub const JS: &str = include_str!("../assets/page.js");

/// What the operator's pages have besides [`CSS`], `text/css`.
pub const CONSOLE_CSS: &str = include_str!("../assets/console.css");

/// What the operator's pages have besides [`JS`], `text/javascript`. It is loaded behind that one.
pub const CONSOLE_JS: &str = include_str!("../assets/console.js");

/// The icon that browsers show beside the title, `image/svg+xml`.
pub const ICON: &str = include_str!("../assets/icon.svg");
