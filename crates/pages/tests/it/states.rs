//! What pages say in each state, in words: markup may change, and what a customer reads is what counts.

use crate::data;
use crate::skeleton::said;
use pages::{
    Address, AgencyView, Confirm, Grouping, KindFilter, Links, Log, Message, Window, agency_page, confirm_page,
    credits_page, message_page, purchase_page, receipt_page, statement_page,
};

/// The part of a page from one text to another.
fn between<'a>(page: &'a str, from: &str, to: &str) -> &'a str {
    let start = page.find(from).unwrap_or_else(|| panic!("{from:?} is nowhere"));
    let end = page[start..].find(to).unwrap_or_else(|| panic!("{to:?} does not follow {from:?}"));
    &page[start..start + end]
}

/// Which banner a credits page shows.
fn banner(page: &str) -> Option<&'static str> {
    let is_shown = |name: &&str| {
        let banner = between(page, &format!("data-banner=\"{name}\""), ">");
        !banner.contains("hidden")
    };
    ["exhausted", "overdrawn", "low"].into_iter().find(is_shown)
}

#[test]
fn how_an_account_stands() {
    let frame = data::frame();
    let page = said(&credits_page(&frame, &data::account(Window::Month, Grouping::Model, 2)));
    insta::assert_snapshot!(between(&page, "26.9%", "\nUsage"), @r#"
    26.9% of the credits of this cycle are used
    26.9%used
    Used | 340.25 | Package left | 647.75 | Purchased left | 250 | Other left | 12.5 | Held | 12 | Owed | 0
    Package | 1,000included in this cycle | Consumed | 340.25used in this cycle | Remaining | 910.25left to use | Purchased | 250bought on top
    Renewal | in 12 days6 Dec 2026 | Daily average | 28.4over the last 7 full days | At this rate | lasts beyond the renewaluntil 26 Dec 2026 | Next expiry | 647.75on 6 Dec 2026
    "#);
}

#[test]
fn one_entry_unfolded() {
    let page = said(&credits_page(&data::frame(), &data::account(Window::Week, Grouping::Agent, 1)));
    insta::assert_snapshot!(between(&page, "24 Nov, ", "Older"), @r#"
    24 Nov, 17:45
    Voice inboundgemini-2.5-flash · front-desk | gemini-2.5-flash | front-desk | −12.00
    Details of ch_3f_4812
    What it cost
    started minutes | 1 minute | 12.00
    Priced by | call-minutes sha256:4be1d09c | Package | 12.00 gr_3f_4100 | Conversation | c_85534 | Entry | ch_3f_4812, no. 4812 | Hash | d3874ef1aa3c4381d5cd17ba482854cb8b091fbf9945c6815387e8f66c38d2d6 | Proof | Receipt to check
    "#);
}

#[test]
fn a_banner_says_what_to_do() {
    let frame = data::frame();
    for (view, expected) in [
        (data::account(Window::Month, Grouping::Model, 1), None),
        (data::fresh(), None),
        (data::low(), Some("low")),
        (data::overdrawn(), Some("overdrawn")),
        (data::exhausted(), Some("exhausted")),
    ] {
        assert_eq!(banner(&credits_page(&frame, &view)), expected);
    }
    // Where credits cannot be bought, nobody is sent to buy some.
    let mut alone = frame.clone();
    alone.links = Links::default();
    assert!(!credits_page(&alone, &data::exhausted()).contains("Purchase credits"));
}

#[test]
fn links_keep_what_others_have_set() {
    let mut view = data::account(Window::Month, Grouping::Agent, 3);
    view.address = Address::parse("window=7d&by=agent&models=name&q=a%26b&kind=chat&before=77");
    let page = credits_page(&data::frame(), &view);
    let links: Vec<String> = page
        .match_indices("href=\"credits.html?")
        .map(|(at, _)| page[at + 18..].split('"').next().unwrap_or_default().replace("&amp;", "&"))
        .collect();
    for expected in [
        // Another window begins at its newest; a sorted breakdown leaves the log where it is.
        "?window=90d&by=agent&models=name&q=a%26b&kind=chat#usage",
        "?window=7d&models=name&q=a%26b&kind=chat&before=77#usage",
        "?window=7d&by=agent&models=-name&q=a%26b&kind=chat&before=77#models",
        "?window=7d&by=agent&models=name&agents=-cost&q=a%26b&kind=chat&before=77#agents",
        "?window=7d&by=agent&models=name&q=a%26b&kind=chat&before=4810#activity",
        "?window=7d&by=agent&models=name&q=a%26b&kind=chat#activity",
        "?window=7d&by=agent&models=name#activity",
    ] {
        assert!(links.iter().any(|link| link == expected), "{expected} is not among {links:#?}");
    }
    assert!(page.contains("aria-sort=\"ascending\"") && page.contains("aria-sort=\"descending\""));
}

#[test]
fn new_entries_come_only_where_they_belong() {
    let frame = data::frame();
    let mut view = data::account(Window::Month, Grouping::Model, 3);
    assert!(credits_page(&frame, &view).contains("<template data-row>"));
    view.address.before = Some(900);
    assert!(!credits_page(&frame, &view).contains("<template"));
    view.address = Address { kind: Some(KindFilter::Voice), ..Address::default() };
    assert!(!credits_page(&frame, &view).contains("data-log"));
}

#[test]
fn empty_states_help() {
    let frame = data::frame();
    let fresh = said(&credits_page(&frame, &data::fresh()));
    for text in ["Nothing was used in this period", "Nothing happened in this period", "known after the first full day"]
    {
        assert!(fresh.contains(text), "{text}");
    }
    let mut filtered = data::account(Window::Month, Grouping::Model, 0);
    filtered.log = Log::default();
    filtered.address.search = Some("x".to_owned());
    assert!(said(&credits_page(&frame, &filtered)).contains("Nothing matches"));
    filtered.address = Address { before: Some(1), ..Address::default() };
    assert!(said(&credits_page(&frame, &filtered)).contains("Nothing older in this period"));
    let nobody = AgencyView { companies: Vec::new(), ..data::agency() };
    assert!(said(&agency_page(&frame, &nobody)).contains("No companies yet"));
    let mut shop = data::purchase();
    shop.packs.clear();
    shop.custom = None;
    shop.history.clear();
    let shop = said(&purchase_page(&frame, &shop));
    assert!(shop.contains("Nothing is on sale here") && shop.contains("Nothing was bought so far"));
}

#[test]
fn what_has_to_be_paid_first_says_so() {
    let frame = data::frame();
    let page = purchase_page(&frame, &data::purchase_paid_first());
    insta::assert_snapshot!(between(&said(&page), "Waiting for payment", "Packs"), @r#"
    Waiting for payment
    These credits are there as soon as they are paid.
    Orders that wait for their payment, newest first
    Ordered | What | Credits | To pay | Payment
    24 Nov 2026 | Medium pack | 5,000 | $22.50 | Pay for order or_9b1f0c
    23 Nov 2026 | Own amount | 250 | $1.25
    "#);
    assert!(page.contains("<a class=\"button\" href=\"https://pay.example/c/4d2f\" rel=\"noreferrer\">"), "{page}");
    let confirm = confirm_page(&frame, &Confirm { is_paid_first: true, ..data::confirm() });
    for (page, paid_first, at_once) in [
        (&page, "there as soon as they are paid and are used", "there at once"),
        (&page, "You pay on the next page.", "can be used at once"),
        (&confirm, "Left once it is paid", "Left afterwards"),
        (&confirm, "Continue to payment", "</svg> Purchase"),
    ] {
        assert!(page.contains(paid_first) && !page.contains(at_once), "{paid_first}");
    }
}

#[test]
fn nobody_is_offered_what_they_may_not_do() {
    let mut shop = data::purchase();
    shop.buy = None;
    shop.auto_top_up = None;
    shop.alerts = None;
    assert!(!purchase_page(&data::frame(), &shop).contains("method=\"post\""));
    let agency = AgencyView { allocate: None, ..data::agency() };
    assert!(!agency_page(&data::frame(), &agency).contains("method=\"post\""));
}

#[test]
fn every_form_that_changes_something_carries_its_proof() {
    let frame = data::frame();
    for page in [
        purchase_page(&frame, &data::purchase()),
        confirm_page(&frame, &data::confirm()),
        agency_page(&frame, &data::agency()),
    ] {
        let forms = page.matches("method=\"post\"").count();
        assert!(forms > 0);
        assert_eq!(page.matches("name=\"csrf\" value=\"c5rf\"").count(), forms);
        assert_eq!(page.matches("name=\"request\" value=\"r1\"").count(), forms);
    }
}

#[test]
fn other_pages_in_words() {
    let frame = data::frame();
    let main = |page: String| between(&said(&page), "Skip to", "Times are in").trim().to_owned();
    insta::assert_snapshot!(main(confirm_page(&frame, &data::confirm())), @r#"
    Skip to the content
    PurserAcme Dental Groupstarter
    Credits
    Purchase
    Companies
    Purchase 5,000 credits?
    Price | $22.50 | Left now | 897.75 | Left afterwards | 5,897.75
    Cancel
    Purchase
    "#);
    insta::assert_snapshot!(main(receipt_page(&frame, &data::receipt())), @r#"
    Skip to the content
    PurserAcme Dental Groupstarter
    Credits
    Purchase
    Companies
    Back to purchases
    Receipt
    Print
    From
    Knock Software GmbH | Lindenstraße 4, 10969 BerlinVAT DE 123 456 789
    To
    Acme Dental Group | account acme
    Purchase | pu_3f_2907 | Invoice | INV-2026-0117 | Date | 21 Oct 2026, 17:40 | What | 1,000 credits, Small pack | Payment | Invoiced | Total | $5.00 USD
    Entry in the journal: b18433c3b5b3c69eeff22232dbfc1551ad8090c6d810b39482703fed8fc21503
    "#);
    insta::assert_snapshot!(main(statement_page(&frame, &data::statement())), @r#"
    Skip to the content
    PurserAcme Dental Groupstarter
    Credits
    Purchase
    Companies
    Back to credits
    Statement 2
    Print
    6 Oct 2026 – 5 Nov 2026, Acme Dental Group
    At the beginning | 445.50 | Package | +1,000.00 | Purchased | +1,000.00 | Charged | −1,620.5825 | Refunded | +8.50 | Expired | −833.4175 | At the end | 0.00
    By model
    gpt-4o-mini | 238.016525 | claude-sonnet-4-5 | 95.20661 | gpt-4o-realtime | 38.082644 | gemini-2.5-flash | 25.38843
    By agent
    support-bot | 238.016525 | front-desk | 95.20661 | recall-campaign | 38.082644 | auto-connect | 15.233058 | in-app assistant | 10.155372
    "#);
    insta::assert_snapshot!(main(message_page(&frame, Message::LinkExpired)), @r#"
    Skip to the content
    PurserAcme Dental Groupstarter
    Credits
    Purchase
    Companies
    This link has expired
    Links to a credits page last for a limited time. Open the page again from the product that you use, which makes a new one.
    To the credits page
    "#);
}

#[test]
fn nothing_is_inline() {
    let frame = data::frame();
    for page in [
        credits_page(&frame, &data::many_models()),
        purchase_page(&frame, &data::purchase_paid_first()),
        agency_page(&frame, &data::agency()),
        receipt_page(&frame, &data::receipt()),
    ] {
        // A policy of 'self' alone would leave it out.
        for inline in [" style=", "<style", " onclick", " onload", "javascript:"] {
            assert!(!page.contains(inline), "{inline}");
        }
        assert_eq!(page.matches("<script").count(), 1);
        assert!(page.contains("<script src=\"page.js\"></script>"));
    }
}
