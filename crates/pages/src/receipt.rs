//! The receipt of a purchase, made to be printed.

use crate::amounts::{Digits, Money, shown};
use crate::frame::{Frame, Section};
use crate::names;
use crate::purchase::PurchaseRow;
use crate::times;
use maud::{Markup, html};

/// A receipt.
#[derive(Clone, Debug)]
pub struct ReceiptView {
    /// The purchase.
    pub purchase: PurchaseRow,
    /// The number of its invoice, where there is one.
    pub invoice: Option<String>,
    /// Who sold.
    pub seller: Party,
    /// Who bought.
    pub buyer: Party,
    /// The hash of its entry in the journal, in hexadecimal.
    pub hash: String,
    /// The page of purchases.
    pub back_url: String,
}

/// Somebody on a receipt.
#[derive(Clone, Debug, Default)]
pub struct Party {
    /// Their name.
    pub name: String,
    /// What else stands on a receipt, line by line: an address, a tax number.
    pub lines: Vec<String>,
}

/// The page.
pub fn receipt_page(frame: &Frame, view: &ReceiptView) -> String {
    let bought = &view.purchase;
    let refunded = Money { amount: bought.refunded, ..bought.paid.clone() };
    let inside = html! {
        p.back.no-print { a href=(view.back_url) { "Back to purchases" } }
        article.card.narrow.receipt {
            div.titled {
                h1 { "Receipt" }
                button.quiet.no-print type="button" data-print hidden { "Print" }
            }
            div.parties { (party("From", &view.seller)) (party("To", &view.buyer)) }
            dl.sums {
                div { dt { "Purchase" } dd { code { (names::clean(&bought.id)) } } }
                @if let Some(invoice) = &view.invoice { div { dt { "Invoice" } dd { (names::clean(invoice)) } } }
                div { dt { "Date" } dd { (times::minute(frame.zone, bought.at)) } }
                div { dt { "What" } dd {
                    (shown(bought.credits, Digits::Short)) " credits"
                    @if let Some(pack) = &bought.pack { ", " (names::human(pack)) " pack" }
                } }
                div { dt { "Payment" } dd { (names::human(&bought.settlement)) } }
                div.total { dt { "Total" } dd { (bought.paid.text()) " " small { (names::clean(&bought.paid.currency)) } } }
                @if !bought.refunded.is_zero() { div { dt { "Went back" } dd { (refunded.text()) } } }
            }
            p.note { "Entry in the journal: " code { (names::clean(&view.hash)) } }
        }
    };
    frame.page(Section::Purchase, "Receipt", &inside)
}

fn party(role: &str, party: &Party) -> Markup {
    html! {
        div {
            h2 { (role) }
            p { strong { (names::shown(&party.name)) } @for line in &party.lines { br; (names::shown(line)) } }
        }
    }
}
