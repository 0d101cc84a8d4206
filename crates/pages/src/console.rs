//! The pages that operators see: what the service is at, its accounts, and what is done by hand.
//!
//! They are made as the customers' pages are: each is a struct that the caller fills, and a function that makes a page of
//! it, with [`Console`] around all of them. A form sends `application/x-www-form-urlencoded` with the fields `csrf` and
//! `request` of its [`Form`], and those that the struct with the form tells of. An empty field is one that is not filled
//! in. What cannot be taken back lightly is asked about: the field `confirmed` is `yes` once somebody has said so in the
//! dialog that the script shows, and where it is missing the caller shows a [`confirm_act_page`], which sends the same
//! fields again with it.

mod account;
mod accounts;
mod audit;
mod backtests;
mod confirm;
mod holds;
mod overview;
mod parts;
mod plugin;
mod plugins;
mod sign_in;
mod webhooks;

use crate::forms::Form;
use crate::frame::{Around, Frame, icon, navigation};
use crate::message::Message;
use crate::names;
use maud::{Markup, html};

pub use account::{AccountForms, AccountView, ConsoleGrant, ConsolePurchase, PlanChoice, account_page};
pub use accounts::{AccountRow, AccountStatus, AccountsView, accounts_page};
pub use audit::{ActRow, AuditFilter, AuditView, audit_page};
pub use backtests::{
    BacktestRow, BacktestStanding, BacktestTarget, BacktestsView, Progress, StartBacktest, backtests_page,
};
pub use confirm::{ConfirmAct, Fact, confirm_act_page};
pub use holds::{HoldRow, HoldsView, holds_page};
pub use overview::{Attention, EVERY_MS, Live, OverviewView, POINTS_MAX, overview_page};
pub use parts::Paging;
pub use plugin::{
    Mode, PluginForms, PluginView, ReleaseRow, ShadowDifference, ShadowSums, ShadowView, UploadRow, plugin_page,
};
pub use plugins::{Demand, Pair, PluginKind, PluginRow, PluginSlot, PluginsView, Released, plugins_page};
pub use sign_in::{SignInRefusal, SignInView, sign_in_page};
pub use webhooks::{
    AddWebhook, DeliveryFilter, DeliveryRow, DeliveryStanding, EndpointForms, EndpointRow, EndpointStanding,
    EndpointView, NewSecret, WebhooksView, endpoint_page, webhooks_page,
};

/// What all of the operator's pages share.
#[derive(Clone, Debug)]
pub struct Console {
    /// What they share with the customers' pages. They are nobody's account: `account` is `None` and `links` has `help`
    /// at most. `zone` is the one in which times are shown where no script runs and in which days are meant: on the page
    /// of an account the account's own.
    pub frame: Frame,
    /// Where [`CONSOLE_CSS`](crate::assets::CONSOLE_CSS) is.
    pub stylesheet: String,
    /// Where [`CONSOLE_JS`](crate::assets::CONSOLE_JS) is.
    pub script: String,
    /// Where the sections are.
    pub sections: Sections,
    /// What the key is called with which somebody is signed in; nobody is, where it is missing.
    pub operator: Option<String>,
    /// The form that signs out; it has no fields of its own.
    pub sign_out: Option<Form>,
}

/// Where the console's sections are; what is missing is not offered.
#[derive(Clone, Debug, Default)]
pub struct Sections {
    /// [`overview_page`].
    pub overview: Option<String>,
    /// [`accounts_page`].
    pub accounts: Option<String>,
    /// [`holds_page`].
    pub holds: Option<String>,
    /// [`plugins_page`].
    pub plugins: Option<String>,
    /// [`backtests_page`].
    pub backtests: Option<String>,
    /// [`webhooks_page`].
    pub webhooks: Option<String>,
    /// [`audit_page`].
    pub audit: Option<String>,
}

/// A section of the console.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Section {
    /// How the service is doing.
    Overview,
    /// Accounts, and one of them.
    Accounts,
    /// Holds that are open.
    Holds,
    /// Plugins, and one of them.
    Plugins,
    /// Backtests.
    Backtests,
    /// Webhooks, and one of them.
    Webhooks,
    /// What was done by hand.
    Audit,
}

/// A page that says why there is nothing else; it leads back to where the console begins.
pub fn console_message_page(console: &Console, message: Message, home_url: &str) -> String {
    let (title, text) = message.texts_for_operators();
    let inside = html! {
        section.message {
            h1 { (title) }
            p { (text) }
            p { a.button href=(home_url) { "To the console" } }
        }
    };
    console.page(None, title, &inside)
}

impl Console {
    /// A section's page around what is inside; the way in is of none.
    fn page(&self, section: Option<Section>, title: &str, inside: &Markup) -> String {
        self.page_of(section, title, None, inside)
    }

    /// The same for a page that is about one thing of the section.
    fn page_of(&self, section: Option<Section>, title: &str, whose: Option<&str>, inside: &Markup) -> String {
        let sections = &self.sections;
        let links = [
            (Section::Overview, "Overview", &sections.overview),
            (Section::Accounts, "Accounts", &sections.accounts),
            (Section::Holds, "Holds", &sections.holds),
            (Section::Plugins, "Plugins", &sections.plugins),
            (Section::Backtests, "Backtests", &sections.backtests),
            (Section::Webhooks, "Webhooks", &sections.webhooks),
            (Section::Audit, "Audit", &sections.audit),
        ];
        let links = links.map(|(at, label, url)| (section == Some(at), label, url));
        let head = html! {
            span.plan { "console" }
            @if let Some(operator) = &self.operator {
                span.operator { span.hidden { "Signed in as " } (names::shown(operator)) }
            }
            @if let Some(form) = &self.sign_out {
                (form.around("sign-out", &html! {
                    button.plain type="submit" { (icon("out")) span { "Sign out" } }
                }))
            }
        };
        let around = Around {
            title,
            whose,
            more: Some((&self.stylesheet, &self.script)),
            head,
            navigation: navigation(&links),
            above: html! {},
        };
        self.frame.document(&around, &html! { (inside) (parts::question()) })
    }
}
