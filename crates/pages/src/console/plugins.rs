//! The plugins, and what is live of each.

use super::parts::short;
use super::{Console, Section};
use crate::names;
use crate::times;
use ledger_core::{Digest, Timestamp};
use maud::{Markup, html};

/// The plugins.
#[derive(Clone, Debug)]
pub struct PluginsView {
    /// The plugins, by name.
    pub rows: Vec<PluginRow>,
}

/// A plugin in the list.
#[derive(Clone, Debug)]
pub struct PluginRow {
    /// Its name.
    pub name: String,
    /// What it does.
    pub kind: PluginKind,
    /// The plugin configurations that are of it.
    pub slots: Vec<PluginSlot>,
    /// When its newest version was uploaded, where one was.
    pub uploaded_at: Option<Timestamp>,
    /// Its page.
    pub url: String,
}

/// What a plugin does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PluginKind {
    /// It prices what was used.
    Pricing,
    /// It decides which requests are let through.
    Throttling,
}

impl PluginKind {
    pub(super) const fn name(self) -> &'static str {
        match self {
            Self::Pricing => "pricing",
            Self::Throttling => "throttling",
        }
    }
}

/// What is released for a plugin configuration.
#[derive(Clone, Debug)]
pub struct PluginSlot {
    /// Its name.
    pub name: String,
    /// What is live; `None` before the first release.
    pub live: Option<Released>,
    /// What is live on a share of accounts, and on how many of a hundred.
    pub share: Option<(Released, u32)>,
    /// What prices beside.
    pub shadow: Option<Pair>,
    /// What the configuration file says.
    pub configured: Option<Pair>,
    /// The backtest that something must have passed before it is released for accounts.
    pub demands: Option<Demand>,
}

/// A version with a configuration.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Pair {
    /// The component.
    pub digest: Digest,
    /// Its configuration.
    pub config_digest: Digest,
}

/// A version with a configuration that is live.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Released {
    /// Which.
    pub pair: Pair,
    /// The number of the release that made it live; `None` where it is what the configuration file says.
    pub release: Option<u64>,
}

/// The backtest that is demanded before a release.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Demand {
    /// Over how many days at least.
    pub days: u16,
    /// How far what all pay together may change either way, in ten-thousandths; `None` for any.
    pub total_change_e4_max: Option<u32>,
    /// How far what any one account pays may change either way, in ten-thousandths; `None` for any.
    pub account_change_e4_max: Option<u32>,
}

/// The page.
pub fn plugins_page(console: &Console, view: &PluginsView) -> String {
    let inside = html! {
        h1 { "Plugins" }
        section.card aria-label="Plugins" {
            @if view.rows.is_empty() {
                div.empty {
                    strong { "No plugins yet" }
                    p {
                        "Plugins price what agents use, and decide what is let through. A version is uploaded with "
                        code { "PUT /v1/plugins/{name}/versions" } ", and released here."
                    }
                }
            } @else {
                (table(console, &view.rows))
            }
        }
    };
    console.page(Some(Section::Plugins), "Plugins", &inside)
}

fn table(console: &Console, rows: &[PluginRow]) -> Markup {
    html! {
        table.grouped {
            caption.hidden { "Plugins with what is live of them" }
            thead {
                tr {
                    th scope="col" { "Plugin" }
                    th.wide-only scope="col" { "Configuration" }
                    th scope="col" { "Live" }
                    th.wide-only scope="col" { "On a share" }
                    th.wide-only scope="col" { "In shadow" }
                    th.wide-only scope="col" { "Uploaded" }
                }
            }
            @for plugin in rows {
                tbody {
                    @if plugin.slots.is_empty() {
                        tr { (name(plugin, 1)) (nothing_live()) (uploaded(console, plugin, 1)) }
                    }
                    @for (index, slot) in plugin.slots.iter().enumerate() {
                        tr {
                            @if index == 0 { (name(plugin, plugin.slots.len())) }
                            (released(slot))
                            @if index == 0 { (uploaded(console, plugin, plugin.slots.len())) }
                        }
                    }
                }
            }
        }
    }
}

fn name(plugin: &PluginRow, rows: usize) -> Markup {
    html! {
        th scope="rowgroup" rowspan=(rows) {
            a.name href=(plugin.url) { (names::shown(&plugin.name)) }
            span.sub { (plugin.kind.name()) }
        }
    }
}

fn uploaded(console: &Console, plugin: &PluginRow, rows: usize) -> Markup {
    html! {
        td.date.wide-only rowspan=(rows) {
            @match plugin.uploaded_at {
                Some(at) => { (times::moment(&console.frame, at)) }
                None => { span.none { "with the file" } }
            }
        }
    }
}

/// The cells of what no plugin configuration is of.
fn nothing_live() -> Markup {
    html! {
        td.wide-only { span.none { "–" } }
        td { span.none { "in no configuration" } }
        td.wide-only { span.none { "–" } }
        td.wide-only { span.none { "–" } }
    }
}

fn released(slot: &PluginSlot) -> Markup {
    html! {
        td.wide-only { (names::shown(&slot.name)) }
        td {
            @match &slot.live {
                Some(live) => { (pair(live.pair)) }
                None => { span.none { "nothing yet" } }
            }
            span.sub.narrow-only {
                (names::shown(&slot.name))
                @if let Some((_, percent)) = &slot.share { " · share " (percent) "%" }
                @if slot.shadow.is_some() { " · shadow" }
            }
        }
        td.wide-only {
            @match &slot.share {
                Some((share, percent)) => { span.tag.warning { (percent) "%" } " " (pair(share.pair)) }
                None => { span.none { "–" } }
            }
        }
        td.wide-only {
            @match &slot.shadow {
                Some(shadow) => { (pair(*shadow)) }
                None => { span.none { "–" } }
            }
        }
    }
}

/// A version with its configuration, by the beginnings of their digests.
pub(super) fn pair(pair: Pair) -> Markup {
    html! { span.pair-of { (short(&pair.digest)) span.with { " with " } (short(&pair.config_digest)) } }
}
