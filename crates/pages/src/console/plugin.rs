//! One plugin: what is live of it, what came of a candidate in shadow, what was uploaded and released, and the next
//! release.

mod acts;
mod shadow;

use super::parts::{back, whole};
use super::plugins::{Demand, Pair, PluginKind, PluginSlot, pair};
use super::{Console, Section};
use crate::amounts::grouped;
use crate::figures::percent_e4;
use crate::forms::Form;
use crate::names;
use crate::times;
use ledger_core::{Digest, Timestamp};
use maud::{Markup, html};

pub use shadow::{ShadowDifference, ShadowSums, ShadowView};

/// A plugin.
#[derive(Clone, Debug)]
pub struct PluginView {
    /// Its name.
    pub name: String,
    /// What it does.
    pub kind: PluginKind,
    /// The plugin configurations that are of it.
    pub slots: Vec<PluginSlot>,
    /// The versions that were uploaded, the newest first.
    pub versions: Vec<UploadRow>,
    /// The configurations that were uploaded, the newest first.
    pub configs: Vec<UploadRow>,
    /// What was released of it, newest first.
    pub releases: Vec<ReleaseRow>,
    /// What came of candidates in shadow.
    pub shadows: Vec<ShadowView>,
    /// What may be done.
    pub forms: PluginForms,
    /// Where a backtest of it is started.
    pub backtest_url: Option<String>,
}

/// What may be done with a plugin; what is missing is not offered. Every form has the fields `plugin_config`, the name of
/// a plugin configuration, and `reason`, which is required.
#[derive(Clone, Debug, Default)]
pub struct PluginForms {
    /// Releases: `digest` and `config_digest` (each `sha256:` and 64 digits, or empty for what is live), `mode` (`live`,
    /// `share` or `shadow`), and `share_percent` for a share.
    pub release: Option<Form>,
    /// Goes back to what was live before; it is asked about first, with `confirmed`.
    pub roll_back: Option<Form>,
    /// Ends a shadow. There is one form for each that is in shadow.
    pub end_shadow: Option<Form>,
}

/// Something that was uploaded.
#[derive(Clone, Debug)]
pub struct UploadRow {
    /// The digest of its bytes.
    pub digest: Digest,
    /// When it came first.
    pub at: Timestamp,
    /// What the key is called with which it came.
    pub actor: String,
    /// Its size, for a version.
    pub bytes: Option<usize>,
}

/// A step of operating the plugin.
#[derive(Clone, Debug)]
pub struct ReleaseRow {
    /// Counts all steps.
    pub number: u64,
    /// The plugin configuration.
    pub slot: String,
    /// What it did.
    pub mode: Mode,
    /// What was released; after a rollback what is live, and `None` for what the configuration file says.
    pub pair: Option<Pair>,
    /// On how many accounts of a hundred, for a share.
    pub share_percent: Option<u32>,
    /// Why.
    pub reason: String,
    /// What the key is called.
    pub actor: String,
    /// When.
    pub at: Timestamp,
}

/// What a step does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mode {
    /// Live for all accounts.
    Live,
    /// Live for a share of accounts.
    Share,
    /// Prices beside what is live.
    Shadow,
    /// No longer prices beside.
    EndShadow,
    /// Back to what was live before.
    Rollback,
}

impl Mode {
    fn tag(self, percent: Option<u32>) -> Markup {
        let (class, text) = match self {
            Self::Live => ("tag good", "live"),
            Self::Share => ("tag warning", "share"),
            Self::Shadow => ("tag", "shadow"),
            Self::EndShadow => ("tag", "end of shadow"),
            Self::Rollback => ("tag bad", "rollback"),
        };
        html! { span class=(class) { (text) @if let Some(percent) = percent { " " (percent) "%" } } }
    }
}

impl PluginSlot {
    /// Whether there is anything that a rollback would leave.
    const fn is_released(&self) -> bool {
        matches!(&self.live, Some(live) if live.release.is_some()) || self.share.is_some()
    }
}

/// The page.
pub fn plugin_page(console: &Console, view: &PluginView) -> String {
    let inside = html! {
        (back(console.sections.plugins.as_ref(), "Plugins"))
        div.titled {
            h1 { (names::shown(&view.name)) " " span.tag { (view.kind.name()) } }
            @if let Some(url) = &view.backtest_url { a.button.quiet href=(url) { "Backtest a version" } }
        }
        div.beside {
            div.beside-main {
                (slots(&view.slots))
                @for found in &view.shadows { (shadow::shadow(console, view, found)) }
                (releases(console, &view.releases))
                (uploads(console, "versions", "Versions", &view.versions, view))
                (uploads(console, "configs", "Configurations", &view.configs, view))
            }
            div.beside-side { (acts::acts(view)) }
        }
    };
    console.page_of(Some(Section::Plugins), "Plugin", Some(&view.name), &inside)
}

fn slots(slots: &[PluginSlot]) -> Markup {
    html! {
        section.card aria-labelledby="live" {
            h2 #live { "Live" }
            @if slots.is_empty() {
                div.empty { p { "No plugin configuration is of it: the configuration file names those, and where each counts." } }
            }
            @for slot in slots {
                div.slot {
                    h3 { (names::shown(&slot.name)) }
                    dl.sums {
                        div {
                            dt { "Live" }
                            dd {
                                @match &slot.live {
                                    Some(live) => {
                                        (pair(live.pair))
                                        span.sub {
                                            @match live.release { Some(number) => { "by release " (number) } None => "by the configuration file" }
                                        }
                                    }
                                    None => { span.none { "nothing yet" } }
                                }
                            }
                        }
                        @if let Some((share, percent)) = &slot.share {
                            div { dt { "On " (percent) "% of accounts" } dd { (pair(share.pair)) } }
                        }
                        @if let Some(shadow) = &slot.shadow { div { dt { "In shadow" } dd { (pair(*shadow)) } } }
                        @if let Some(configured) = &slot.configured { div { dt { "In the configuration file" } dd { (pair(*configured)) } } }
                        @if let Some(demand) = &slot.demands { div { dt { "Before a release" } dd { (demanded(*demand)) } } }
                    }
                }
            }
        }
    }
}

fn demanded(demand: Demand) -> Markup {
    html! {
        "a backtest over " (demand.days) " days"
        @if let Some(e4) = demand.total_change_e4_max { span.sub { "in which the total changes by " (percent_e4(e4)) " at most" } }
        @if let Some(e4) = demand.account_change_e4_max { span.sub { "and no account by more than " (percent_e4(e4)) } }
    }
}

fn releases(console: &Console, rows: &[ReleaseRow]) -> Markup {
    html! {
        section.card aria-labelledby="releases" {
            h2 #releases { "Releases" }
            @if rows.is_empty() {
                div.empty { p { "Nothing was released by hand so far: what is live is what the configuration file says." } }
            } @else {
                table.releases {
                    caption.hidden { "Releases, newest first" }
                    thead {
                        tr {
                            th scope="col" { "Release" }
                            th scope="col" { "What" }
                            th.wide-only scope="col" { "Version" }
                            th.wide-only scope="col" { "Why" }
                            th.wide-only scope="col" { "When" }
                        }
                    }
                    tbody { @for release in rows { (release_row(console, release)) } }
                }
            }
        }
    }
}

fn release_row(console: &Console, release: &ReleaseRow) -> Markup {
    let version = html! {
        @match release.pair {
            Some(found) => { (pair(found)) }
            None => { span.none { "as the file says" } }
        }
    };
    html! {
        tr {
            th scope="row" { (release.number) }
            td {
                (release.mode.tag(release.share_percent))
                span.sub { (names::shown(&release.slot)) }
                span.sub.narrow-only {
                    (version) br;
                    (names::shown(&release.reason)) br;
                    (names::shown(&release.actor)) ", " (times::moment(&console.frame, release.at))
                }
            }
            td.wide-only { (version) }
            td.wide-only {
                span.name { (names::or_none(Some(release.reason.as_str()).filter(|why| !why.is_empty()), "–")) }
                span.sub { "by " (names::shown(&release.actor)) }
            }
            td.wide-only.date { (times::moment(&console.frame, release.at)) }
        }
    }
}

fn uploads(console: &Console, id: &str, title: &str, rows: &[UploadRow], view: &PluginView) -> Markup {
    html! {
        section.card aria-labelledby=(id) {
            h2 id=(id) { (title) }
            @if rows.is_empty() {
                div.empty { p { "None was uploaded. " code { "PUT /v1/plugins/" (names::clean(&view.name)) "/" (id) } " takes one." } }
            } @else {
                table {
                    caption.hidden { (title) ", the newest first" }
                    thead {
                        tr {
                            th scope="col" { "Digest" }
                            @if id == "versions" { th.num.wide-only scope="col" { "Size" } }
                            th scope="col" { "Uploaded" }
                        }
                    }
                    tbody {
                        @for upload in rows {
                            tr {
                                th scope="row" {
                                    code { (whole(&upload.digest)) }
                                    @for standing in standings(view, &upload.digest) { " " span class=(standing.0) { (standing.1) } }
                                }
                                @if id == "versions" {
                                    td.num.wide-only { @if let Some(bytes) = upload.bytes { (size(bytes)) } }
                                }
                                td.uploaded { (times::moment(&console.frame, upload.at)) span.sub { (names::shown(&upload.actor)) } }
                            }
                        }
                    }
                }
            }
        }
    }
}

/// What an upload is at present, as tags.
fn standings(view: &PluginView, digest: &Digest) -> Vec<(&'static str, &'static str)> {
    let is_of = |pair: Pair| pair.digest == *digest || pair.config_digest == *digest;
    let any = |is: &dyn Fn(&PluginSlot) -> bool| view.slots.iter().any(is);
    let found = [
        (any(&|slot| slot.live.is_some_and(|live| is_of(live.pair))), ("tag good", "live")),
        (any(&|slot| slot.share.is_some_and(|(share, _)| is_of(share.pair))), ("tag warning", "on a share")),
        (any(&|slot| slot.shadow.is_some_and(is_of)), ("tag", "in shadow")),
    ];
    found.into_iter().filter_map(|(is, tag)| is.then_some(tag)).collect()
}

/// A size as people read it: in units of 1024.
fn size(bytes: usize) -> String {
    match bytes {
        0..1024 => format!("{bytes} B"),
        1024..1_048_576 => format!("{} KiB", bytes.div_ceil(1024)),
        _ => format!("{}.{} MiB", grouped((bytes >> 20) as u128), ((bytes % (1 << 20)) * 10) >> 20),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes() {
        assert_eq!([size(0), size(1023), size(1024), size(1025)], ["0 B", "1023 B", "1 KiB", "2 KiB"]);
        assert_eq!([size(1_048_576), size(41 << 20), size((5 << 20) - 1)], ["1.0 MiB", "41.0 MiB", "4.9 MiB"]);
    }
}
