//! What all pages have around them: the head, whose account it is, the way to the other pages, and the foot.

use crate::names;
use chrono_tz::Tz;
use ledger_core::Timestamp;
use maud::{DOCTYPE, Markup, PreEscaped, html};

/// What all pages share.
#[derive(Clone, Debug)]
pub struct Frame {
    /// What the service calls itself.
    pub product: String,
    /// Where the style is.
    pub stylesheet: String,
    /// Where the script is.
    pub script: String,
    /// Where the icon is.
    pub icon: String,
    /// The account's time zone, in which days are cut, and times are shown where no script runs.
    pub zone: Tz,
    /// When the page is made.
    pub now: Timestamp,
    /// Whose page it is; messages have nobody.
    pub account: Option<AccountHead>,
    /// Where the other pages are.
    pub links: Links,
    /// What the last form came to.
    pub notice: Option<Notice>,
}

/// Whose page it is.
#[derive(Clone, Debug)]
pub struct AccountHead {
    /// The account's id.
    pub id: String,
    /// Its name, where it has one.
    pub name: Option<String>,
    /// The name of its plan.
    pub plan: Option<String>,
    /// Whether it may not spend, whatever its balance.
    pub is_suspended: bool,
}

impl AccountHead {
    pub(crate) fn name(&self) -> &str {
        self.name.as_deref().unwrap_or(&self.id)
    }
}

/// Where the other pages are; what is missing is not offered.
#[derive(Clone, Debug, Default)]
pub struct Links {
    /// The credits page.
    pub credits: Option<String>,
    /// Where credits are bought.
    pub purchase: Option<String>,
    /// An agency's companies.
    pub companies: Option<String>,
    /// Where somebody gets help.
    pub help: Option<String>,
}

/// What is said at the top of a page.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Notice {
    /// How it is meant.
    pub tone: Tone,
    /// The text.
    pub text: String,
}

/// How something is meant.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Tone {
    /// It went well.
    Good,
    /// It may need something soon.
    Warning,
    /// It went wrong, or needs something now.
    Bad,
}

impl Tone {
    pub(crate) const fn class(self) -> &'static str {
        match self {
            Self::Good => "good",
            Self::Warning => "warning",
            Self::Bad => "bad",
        }
    }
}

/// Which of the pages it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Section {
    Credits,
    Purchase,
    Companies,
    Elsewhere,
}

/// What is around the inside of one kind of page.
pub(crate) struct Around<'a> {
    /// What the page is called.
    pub(crate) title: &'a str,
    /// Whose it is, as it is called.
    pub(crate) whose: Option<&'a str>,
    /// Where a style and a script are besides those of all pages.
    pub(crate) more: Option<(&'a str, &'a str)>,
    /// What stands beside the product's name.
    pub(crate) head: Markup,
    /// The way to the other pages.
    pub(crate) navigation: Markup,
    /// What is said above what is inside.
    pub(crate) above: Markup,
}

impl Frame {
    /// A customer's page around what is inside.
    pub(crate) fn page(&self, section: Section, title: &str, inside: &Markup) -> String {
        let head = html! {
            @if let Some(account) = &self.account {
                span.account { (names::shown(account.name())) }
                @if let Some(plan) = &account.plan { span.plan { (names::clean(plan)) } }
            }
        };
        let above = html! {
            @if self.account.as_ref().is_some_and(|account| account.is_suspended) {
                div.notice.bad role="alert" {
                    div {
                        strong { "This account is suspended" }
                        p { "Agents do not answer for it, whatever its balance. Whoever runs the service can say why." }
                    }
                }
            }
        };
        let whose = self.account.as_ref().map(AccountHead::name);
        let around = Around { title, whose, more: None, head, navigation: self.navigation(section), above };
        self.document(&around, inside)
    }

    /// A page around what is inside.
    pub(crate) fn document(&self, around: &Around<'_>, inside: &Markup) -> String {
        let markup = html! {
            (DOCTYPE)
            html lang="en" {
                head {
                    meta charset="utf-8";
                    meta name="viewport" content="width=device-width, initial-scale=1";
                    meta name="color-scheme" content="light dark";
                    meta name="robots" content="noindex";
                    title {
                        (around.title)
                        @if let Some(name) = around.whose { " · " (names::isolated(name)) }
                        " · " (names::clean(&self.product))
                    }
                    link rel="icon" type="image/svg+xml" href=(self.icon);
                    link rel="stylesheet" href=(self.stylesheet);
                    script src=(self.script) {}
                    @if let Some((stylesheet, script)) = around.more {
                        link rel="stylesheet" href=(stylesheet);
                        script src=(script) {}
                    }
                }
                body {
                    (SPRITE)
                    a.skip href="#main" { "Skip to the content" }
                    header.top {
                        div.wide {
                            span.brand { (icon("purse")) span { (names::clean(&self.product)) } }
                            (around.head)
                        }
                        (around.navigation)
                    }
                    main #main.wide tabindex="-1" {
                        @if let Some(notice) = &self.notice {
                            p class={ "notice " (notice.tone.class()) } role="status" { (notice.text) }
                        }
                        (around.above)
                        (inside)
                    }
                    (self.foot())
                }
            }
        };
        markup.into_string()
    }

    fn navigation(&self, section: Section) -> Markup {
        let links = [
            (section == Section::Credits, "Credits", &self.links.credits),
            (section == Section::Purchase, "Purchase", &self.links.purchase),
            (section == Section::Companies, "Companies", &self.links.companies),
        ];
        navigation(&links)
    }

    fn foot(&self) -> Markup {
        let local = self.now.to_utc().with_timezone(&self.zone);
        html! {
            footer.wide {
                p {
                    "Times are in " span data-zone { (self.zone.name()) } ". Days are those of "
                    span data-days-of=(self.zone.name()) { (self.zone.name()) } "; as of "
                    time datetime=(self.now) data-t="minute" { (local.format("%-d %b %Y, %H:%M").to_string()) } "."
                }
                @if let Some(help) = &self.links.help { p { a href=(help) { "Help" } } }
                // Without a script there is nothing that could keep a choice, and the system's counts.
                p.theme hidden {
                    label for="theme" { "Theme" }
                    select #theme {
                        option value="" { "System" }
                        option value="light" { "Light" }
                        option value="dark" { "Dark" }
                    }
                }
            }
        }
    }
}

/// The way to other pages: whether it is this one, what it is called and where it is. One page alone has no way.
pub(crate) fn navigation(links: &[(bool, &str, &Option<String>)]) -> Markup {
    let links: Vec<_> =
        links.iter().filter_map(|(is_this, label, url)| Some((is_this, label, url.as_ref()?))).collect();
    html! {
        @if links.len() > 1 {
            nav.wide aria-label="Pages" {
                ul {
                    @for (is_this, label, url) in links {
                        li { a href=(url) aria-current=[is_this.then_some("page")] { (label) } }
                    }
                }
            }
        }
    }
}

/// An icon beside a text that says the same.
pub(crate) fn icon(name: &str) -> Markup {
    html! { svg.icon aria-hidden="true" { use href={ "#i-" (name) } {} } }
}

/// The icons, each once: strokes on a grid of sixteen.
const SPRITE: PreEscaped<&str> = PreEscaped(concat!(
    r#"<svg class="sprite" aria-hidden="true" width="0" height="0">"#,
    r#"<symbol id="i-purse" viewBox="0 0 16 16"><path d="M2.5 6.5h11v5a2 2 0 0 1-2 2h-7a2 2 0 0 1-2-2zM5 6.5V5a3 3 0 0 1 6 0v1.5M8 9v2"/></symbol>"#,
    r#"<symbol id="i-chat" viewBox="0 0 16 16"><path d="M2.5 3.5h11v7.5H7l-3 2.5V11H2.5z"/></symbol>"#,
    r#"<symbol id="i-voice" viewBox="0 0 16 16"><path d="M3.2 2.8 5.5 2.3l1.2 3-1.5 1.2a8 8 0 0 0 4.3 4.3l1.2-1.5 3 1.2-.5 2.3c-.2.7-.8 1.2-1.5 1.1A11.5 11.5 0 0 1 2.1 4.3c-.1-.7.4-1.3 1.1-1.5z"/></symbol>"#,
    r#"<symbol id="i-other" viewBox="0 0 16 16"><path d="M8 2.5v3m0 5v3M2.5 8h3m5 0h3M4.5 4.5l1.7 1.7m3.6 3.6 1.7 1.7m0-7-1.7 1.7M6.2 9.8l-1.7 1.7"/></symbol>"#,
    r#"<symbol id="i-ledger" viewBox="0 0 16 16"><path d="M8 3v10M3 8h10"/></symbol>"#,
    r#"<symbol id="i-down" viewBox="0 0 16 16"><path d="M8 2.5v7m-3-3 3 3 3-3M3 13h10"/></symbol>"#,
    r#"<symbol id="i-search" viewBox="0 0 16 16"><path d="M7 2.5a4.5 4.5 0 1 0 0 9 4.5 4.5 0 0 0 0-9zm3.3 7.8 3.2 3.2"/></symbol>"#,
    r#"<symbol id="i-out" viewBox="0 0 16 16"><path d="M9.5 2.5h-6v11h6M6.5 8h7m-2.5-2.5L13.5 8 11 10.5"/></symbol>"#,
    "</svg>"
));
