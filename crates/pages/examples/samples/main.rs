//! Writes every page in every state as files, with what they fetch, so that they can be looked at:
//! `cargo run --release -p pages --example samples -- DIRECTORY`.

mod console;
mod console_accounts;
mod console_plugins;
mod console_webhooks;
mod data;

use pages::{
    Address, Confirm, CreditsView, Grouping, KindFilter, Links, Message, Notice, Tone, Window, agency_page, assets,
    confirm_page, credits_page, message_page, purchase_page, receipt_page, statement_page,
};
use std::error::Error;
use std::path::PathBuf;

fn main() -> Result<(), Box<dyn Error>> {
    let directory: PathBuf = std::env::args_os().nth(1).ok_or("say where to: samples DIRECTORY")?.into();
    std::fs::create_dir_all(&directory)?;
    for (name, text) in pages() {
        std::fs::write(directory.join(name), text)?;
    }
    Ok(())
}

fn pages() -> Vec<(String, String)> {
    let frame = data::frame();
    let noticed = |tone, text: &str| {
        let mut noticed = frame.clone();
        noticed.notice = Some(Notice { tone, text: text.to_owned() });
        noticed
    };
    let mut alone = frame.clone();
    alone.account = None;
    alone.links = Links::default();
    let mut suspended = frame.clone();
    suspended.account = suspended.account.map(|account| pages::AccountHead { is_suspended: true, ..account });
    let month = data::account(Window::Month, Grouping::Model, 50);
    let filtered = |address: Address| CreditsView { address, log: pages::Log::default(), ..month.clone() };
    let nothing_matches =
        Address { search: Some("refund".to_owned()), kind: Some(KindFilter::Voice), ..Address::default() };
    let mut looking_only = data::purchase();
    looking_only.buy = None;
    looking_only.auto_top_up = None;
    looking_only.alerts = None;
    looking_only.history.clear();
    let pages = [
        ("credits", credits_page(&frame, &month)),
        ("credits-7d-agents", credits_page(&frame, &data::account(Window::Week, Grouping::Agent, 20))),
        ("credits-90d", credits_page(&frame, &data::account(Window::Quarter, Grouping::Model, 50))),
        ("credits-all", credits_page(&frame, &data::account(Window::All, Grouping::Agent, 50))),
        ("credits-many-models", credits_page(&frame, &data::many_models())),
        ("credits-strange-names", credits_page(&frame, &data::strange_names())),
        ("credits-low", credits_page(&frame, &data::low())),
        ("credits-exhausted", credits_page(&frame, &data::exhausted())),
        ("credits-overdrawn", credits_page(&frame, &data::overdrawn())),
        ("credits-fresh", credits_page(&frame, &data::fresh())),
        ("credits-nothing-matches", credits_page(&frame, &filtered(nothing_matches))),
        ("credits-suspended", credits_page(&suspended, &data::account(Window::Week, Grouping::Model, 3))),
        ("purchase", purchase_page(&frame, &data::purchase())),
        ("purchase-done", purchase_page(&noticed(Tone::Good, "5,000 credits were added."), &data::purchase())),
        ("purchase-waiting", purchase_page(&frame, &data::purchase_paid_first())),
        ("purchase-looking-only", purchase_page(&frame, &looking_only)),
        ("confirm", confirm_page(&frame, &data::confirm())),
        ("confirm-paid-first", confirm_page(&frame, &Confirm { is_paid_first: true, ..data::confirm() })),
        ("receipt", receipt_page(&frame, &data::receipt())),
        ("statement", statement_page(&frame, &data::statement())),
        ("agency", agency_page(&frame, &data::agency())),
        ("message-expired", message_page(&alone, Message::LinkExpired)),
        ("message-not-allowed", message_page(&frame, Message::NotAllowed)),
        ("message-not-found", message_page(&frame, Message::NotFound)),
    ];
    let console = console::pages().into_iter().map(|(name, page)| (format!("console-{name}.html"), page));
    let assets = [
        ("page.css", assets::CSS),
        ("page.js", assets::JS),
        ("console.css", assets::CONSOLE_CSS),
        ("console.js", assets::CONSOLE_JS),
        ("icon.svg", assets::ICON),
        ("console-live.json", console::LIVE_JSON),
    ];
    let assets = assets.map(|(name, text)| (name.to_owned(), text.to_owned()));
    let pages = pages.into_iter().map(|(name, page)| (format!("{name}.html"), page));
    pages.chain(console).chain(assets).collect()
}
