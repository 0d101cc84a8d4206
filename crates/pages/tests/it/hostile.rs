//! Names that try to be something else, in every field that takes text.

mod console;

use crate::data;
use crate::skeleton::{drawings, skeleton};
use pages::{
    Address, Company, CreditsView, Draw, Frame, GrantRow, Grouping, Line, Notice, Party, PluginUsed, Tone, UsageSum,
    Window, agency_page, confirm_page, credits_page, purchase_page, receipt_page, statement_page,
};

const HOSTILE: [&str; 9] = [
    "\"><script>alert(1)</script>",
    "'><img src=x onerror=alert(1)>",
    "</title></svg></table><b>",
    "\u{202e}\u{200f}שלום\u{2069}\u{2069}",
    "🤖👩‍👩‍👧‍👦 &amp; &#x22; `${1}`",
    "\u{0}\u{1}\u{b}\u{1b}\u{fffe}\u{ffff}]]>",
    "javascript:alert(1)",
    "--><!-- \r\n\t",
    " ",
];

/// Every page, with this in the place of every name.
fn pages(name: &str) -> Vec<String> {
    let some = || Some(name.to_owned());
    let text = || name.to_owned();
    let account = pages::AccountHead { id: text(), name: some(), plan: some(), is_suspended: true };
    let frame = Frame {
        product: text(),
        account: Some(account),
        // What is noticed is the caller's own text.
        notice: Some(Notice { tone: Tone::Bad, text: name.chars().take(300).collect() }),
        ..data::frame()
    };
    let sum = || UsageSum { name: some(), credits: data::credits("3"), events: 2 };
    let mut usage = data::usage(7, &[name, "other"], &[name], Grouping::Model);
    usage.models = vec![sum()];
    usage.agents = vec![sum()];
    let mut log = data::log(13);
    for entry in &mut log.entries {
        entry.id = text();
        entry.entry_type = text();
        entry.activity = some();
        entry.model = some();
        entry.agent = some();
        entry.hash = text();
        entry.usage = vec![(text(), text())];
        entry.details = vec![(text(), text())];
        entry.plugin = Some(PluginUsed { name: text(), version: text() });
        entry.draws = vec![Draw { grant: text(), source: some(), credits: data::credits("1") }];
        entry.receipt_url = some();
        let line = Line { label: text(), quantity: text(), unit: text(), credits: data::credits("1") };
        entry.lines = vec![line];
    }
    let grant = GrantRow {
        id: text(),
        source: text(),
        reason: some(),
        amount: data::credits("1"),
        remaining: data::credits("1"),
        effective_at: Some(data::time("2026-12-01T00:00:00Z")),
        expires_at: None,
    };
    // A filter that is one of the names, whatever that trims to.
    let address = Address { search: some(), model: some(), agent: some(), ..Address::default() };
    let mut view = CreditsView {
        usage,
        log,
        address,
        grants: vec![grant],
        path: text(),
        events_url: some(),
        log_csv_url: some(),
        usage_csv_url: some(),
        ..data::account(Window::Week, Grouping::Model, 0)
    };
    view.statements[0].url = some();
    let mut shop = data::purchase_paid_first();
    shop.waiting[0].id = text();
    shop.waiting[0].pack = some();
    shop.waiting[0].price.currency = text();
    shop.waiting[0].pay_url = some();
    shop.confirm_path = text();
    shop.packs[0].name = text();
    shop.packs[0].price.currency = text();
    shop.history[0].id = text();
    shop.history[0].pack = some();
    shop.history[0].settlement = text();
    shop.history[0].receipt_url = some();
    shop.buy = Some(pages::Form { action: text(), csrf: text(), request: text(), typed: Vec::new() });
    shop.older_url = some();
    let mut confirm = data::confirm();
    confirm.pack = some();
    confirm.back_url = text();
    let mut receipt = data::receipt();
    receipt.purchase = shop.history[0].clone();
    receipt.invoice = some();
    receipt.seller = Party { name: text(), lines: vec![text()] };
    receipt.hash = text();
    let mut statement = data::statement();
    statement.movements = vec![(text(), data::credits("1"))];
    statement.models = vec![sum()];
    let mut agency = data::agency();
    let url = some();
    agency.companies[0] = Company { id: text(), name: some(), plan: text(), url, ..agency.companies[0].clone() };
    agency.path = text();
    let mut pages = console::pages(name, &view.log.entries[0]);
    pages.extend([
        credits_page(&frame, &view),
        purchase_page(&frame, &shop),
        confirm_page(&frame, &confirm),
        receipt_page(&frame, &receipt),
        statement_page(&frame, &statement),
        agency_page(&frame, &agency),
    ]);
    pages
}

#[test]
fn a_name_is_never_an_element_or_an_attribute() {
    let tame: Vec<Vec<String>> = pages("name").iter().map(|page| skeleton(page)).collect();
    let long = "W".repeat(5_000);
    for name in HOSTILE.into_iter().chain([long.as_str()]) {
        for (page, tame) in pages(name).iter().zip(&tame) {
            assert_eq!(&skeleton(page), tame, "{name:?}");
        }
    }
}

#[test]
fn every_drawing_is_xml() {
    for name in HOSTILE.into_iter().chain(["name"]) {
        let pages = pages(name);
        let drawn: Vec<&str> = pages.iter().flat_map(|page| drawings(page)).collect();
        assert!(drawn.len() > 20);
        for drawing in drawn {
            let parsed = roxmltree::Document::parse(drawing);
            assert!(parsed.is_ok(), "{name:?}: {:?} in {drawing}", parsed.err());
        }
    }
}

#[test]
fn a_long_name_does_not_make_a_page_long() {
    let (short, long) = (pages("name"), pages(&"W".repeat(100_000)));
    // Addresses and hidden fields are the caller's, and are as long as they are.
    let texts = |page: &str| crate::skeleton::said(page).len();
    for (short, long) in short.iter().zip(&long) {
        assert!(texts(long) < texts(short) + 120 * 1024, "{} against {}", texts(long), texts(short));
    }
}

#[test]
fn the_sample_of_strange_names_is_text() {
    let page = credits_page(&data::frame(), &data::strange_names());
    assert!(page.contains("&quot;&gt;&lt;script&gt;alert(1)&lt;/script&gt;"));
    assert!(!page.contains("<script>alert"));
}
