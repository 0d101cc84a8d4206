//! Where credits are bought: packs, an amount of one's own, what was bought, and the settings that buy or warn by
//! themselves.

use crate::amounts::{Digits, Money, shown, text};
use crate::forms::{Form, hidden};
use crate::frame::{Frame, Section, icon};
use crate::names;
use crate::times;
use ledger_core::{Amount, Timestamp};
use maud::{Markup, html};

/// The page of purchases.
#[derive(Clone, Debug)]
pub struct PurchaseView {
    /// What the account has left.
    pub remaining: Amount,
    /// What is sold in packs.
    pub packs: Vec<Pack>,
    /// Amounts of the buyer's choice, where they are sold.
    pub custom: Option<CustomAmount>,
    /// The page that asks whether it is meant: links go to it with `pack=NAME`, and the form with `credits=NUMBER`.
    pub confirm_path: String,
    /// The form that buys, with the field `pack` or `credits`; without it the account may look and not buy.
    pub buy: Option<Form>,
    /// Whether what is bought has to be paid before it is there.
    pub is_paid_first: bool,
    /// What is ordered and waits for its payment, newest first.
    pub waiting: Vec<WaitingRow>,
    /// What was bought, newest first.
    pub history: Vec<PurchaseRow>,
    /// Where older purchases are.
    pub older_url: Option<String>,
    /// The rule by which the account buys by itself, where that can be set.
    pub auto_top_up: Option<AutoTopUp>,
    /// When somebody is told of the balance, where that can be set.
    pub alerts: Option<AlertSettings>,
}

/// Credits at a price.
#[derive(Clone, Debug)]
pub struct Pack {
    /// Its name, as of the configuration.
    pub name: String,
    /// Credits in it.
    pub credits: Amount,
    /// What it costs.
    pub price: Money,
}

/// Amounts of the buyer's choice.
#[derive(Clone, Debug)]
pub struct CustomAmount {
    /// The fewest credits.
    pub least: Amount,
    /// The most credits.
    pub most: Amount,
    /// The price of one.
    pub price_per_credit: Money,
}

/// A purchase.
#[derive(Clone, Debug)]
pub struct PurchaseRow {
    /// Its id.
    pub id: String,
    /// When it was made.
    pub at: Timestamp,
    /// The pack, where it was one.
    pub pack: Option<String>,
    /// Credits bought.
    pub credits: Amount,
    /// What is left of them.
    pub remaining: Amount,
    /// What was paid.
    pub paid: Money,
    /// Money that went back; none where it is zero.
    pub refunded: Amount,
    /// How the money stands, such as `invoiced`.
    pub settlement: String,
    /// Where its receipt is.
    pub receipt_url: Option<String>,
}

/// Credits that are ordered and not paid.
#[derive(Clone, Debug)]
pub struct WaitingRow {
    /// The order's id.
    pub id: String,
    /// When it was ordered.
    pub at: Timestamp,
    /// The pack, where it is one.
    pub pack: Option<String>,
    /// Credits that come once it is paid.
    pub credits: Amount,
    /// What is to be paid.
    pub price: Money,
    /// Where it is paid: an http or https address elsewhere. Without it, somebody else is to pay.
    pub pay_url: Option<String>,
}

/// The rule by which an account buys by itself. The form has the fields `enabled` (`on`), `threshold`, `pack`, `at_most`
/// and `period_days`.
#[derive(Clone, Debug)]
pub struct AutoTopUp {
    /// The form that sets it.
    pub form: Form,
    /// Whether the account buys by itself.
    pub is_enabled: bool,
    /// Below how many remaining credits.
    pub threshold: Option<Amount>,
    /// Which pack.
    pub pack: Option<String>,
    /// How often in a period at most.
    pub at_most: u32,
    /// How many days the period has.
    pub period_days: u32,
    /// When it bought within the last period.
    pub bought: Vec<Timestamp>,
    /// Whether the rule is the plan's, and not the account's own.
    pub is_of_plan: bool,
}

/// When somebody is told of the balance. The form has the fields `used_percent` and `remaining`, each a list with commas.
#[derive(Clone, Debug)]
pub struct AlertSettings {
    /// The form that sets it.
    pub form: Form,
    /// Shares of the credits used, in ten-thousandths.
    pub used_e4: Vec<u32>,
    /// Amounts that remain.
    pub remaining: Vec<Amount>,
    /// Whether they are the plan's, and not the account's own.
    pub is_of_plan: bool,
}

/// What is asked before something is bought.
#[derive(Clone, Debug)]
pub struct Confirm {
    /// The form that buys.
    pub form: Form,
    /// The pack; an amount of the buyer's choice, where it is missing.
    pub pack: Option<String>,
    /// Credits.
    pub credits: Amount,
    /// What they cost.
    pub price: Money,
    /// What the account has left now.
    pub remaining: Amount,
    /// Whether it has to be paid before it is there.
    pub is_paid_first: bool,
    /// Where one goes who does not mean it.
    pub back_url: String,
}

/// The page.
pub fn purchase_page(frame: &Frame, view: &PurchaseView) -> String {
    let inside = html! {
        div.titled {
            h1 { "Purchase credits" }
            p.left { (shown(view.remaining, Digits::Short)) " left" }
        }
        p.lead {
            "Bought credits are there " (if view.is_paid_first { "as soon as they are paid" } else { "at once" })
            " and are used after the package of each cycle."
        }
        (waiting(frame, view))
        @if view.packs.is_empty() && view.custom.is_none() {
            div.card.empty {
                strong { "Nothing is on sale here" }
                p { "Whoever runs the service adds credits by hand. Ask them for some." }
            }
        }
        (packs(view))
        @if let (Some(custom), Some(_)) = (&view.custom, &view.buy) { (custom_amount(view, custom)) }
        @if let Some(form) = &view.buy { (dialog(form, view.is_paid_first)) }
        @if view.auto_top_up.is_some() || view.alerts.is_some() {
            div.pair {
                @if let Some(rule) = &view.auto_top_up { (auto_top_up(frame, view, rule)) }
                @if let Some(settings) = &view.alerts { (alerts(settings)) }
            }
        }
        (history(frame, view))
    };
    frame.page(Section::Purchase, "Purchase credits", &inside)
}

fn packs(view: &PurchaseView) -> Markup {
    html! {
        @if !view.packs.is_empty() {
            section aria-labelledby="packs" {
                h2.hidden #packs { "Packs" }
                ul.packs {
                    @for pack in &view.packs {
                        li.card {
                            h3 { (names::human(&pack.name)) }
                            p.credits { (shown(pack.credits, Digits::Short)) " " small { "credits" } }
                            p.price { (pack.price.text()) " " small { (each(pack)) } }
                            @if view.buy.is_some() {
                                a.button href={ (view.confirm_path) (query_of("pack", &pack.name)) }
                                    data-buy data-pack=(pack.name) data-credits=(pack.credits) data-price=(pack.price.text()) {
                                    "Purchase" span.hidden { " " (text(pack.credits, Digits::Short)) " credits for " (pack.price.text()) }
                                }
                            }
                        }
                    }
                }
                @if view.buy.is_none() { p.note { "This link shows the account and cannot buy. Ask whoever sent it for one that can." } }
            }
        }
    }
}

/// The price of a thousand credits, by which packs are compared.
fn each(pack: &Pack) -> String {
    let thousand = i128::from(pack.price.amount.micros()) * 1000 * 1_000_000;
    let micros = ledger_core::amount::divide_half_even(thousand, i128::from(pack.credits.micros()));
    let unit = 10_i128.pow(6_u32.saturating_sub(pack.price.decimals));
    let rounded =
        micros.and_then(|micros| ledger_core::amount::divide_half_even(micros, unit)).map(|units| units * unit);
    let amount = rounded.and_then(|micros| i64::try_from(micros).ok()).and_then(Amount::from_micros);
    amount.map_or_else(String::new, |amount| format!("{} per 1,000", Money { amount, ..pack.price.clone() }.text()))
}

fn query_of(name: &str, value: &str) -> String {
    form_urlencoded::Serializer::for_suffix(String::from("?"), 1).append_pair(name, value).finish()
}

fn custom_amount(view: &PurchaseView, custom: &CustomAmount) -> Markup {
    let price = &custom.price_per_credit;
    html! {
        section.card.custom aria-labelledby="custom" {
            h2 #custom { "Another amount" }
            form.line method="get" action=(view.confirm_path) data-price=(price.amount) data-decimals=(price.decimals)
                data-money=(Money { amount: Amount::ZERO, ..price.clone() }.text()) {
                div.field {
                    label for="credits" { "Credits" }
                    input #credits name="credits" type="number" inputmode="numeric" required step="1"
                        min=(custom.least) max=(custom.most) aria-describedby="custom-note";
                }
                button type="submit" { "Continue" }
                output for="credits" data-total {}
            }
            p.note #custom-note {
                "From " (text(custom.least, Digits::Short)) " to " (text(custom.most, Digits::Short)) " credits, "
                (price.text()) " each."
            }
        }
    }
}

/// Asks whether a pack is meant, without another page. The script fills it in.
fn dialog(form: &Form, is_paid_first: bool) -> Markup {
    html! {
        dialog #confirm aria-labelledby="confirm-title" {
            (form.around("stack", &html! {
                h2 #confirm-title { "Purchase " span data-slot="credits" {} " credits?" }
                p { "They cost " strong data-slot="price" {} (if is_paid_first { ". You pay on the next page." } else { " and can be used at once." }) }
                input type="hidden" name="pack" value="" data-slot="pack";
                div.actions {
                    button.quiet type="button" data-close { "Cancel" }
                    button type="submit" { (verb(is_paid_first)) }
                }
            }))
        }
    }
}

/// What the button says that buys.
fn verb(is_paid_first: bool) -> &'static str {
    if is_paid_first { "Continue to payment" } else { "Purchase" }
}

/// What waits for its payment. It is a link that leads there: a browser that was sent elsewhere by a form is stopped by
/// the page's policy.
fn waiting(frame: &Frame, view: &PurchaseView) -> Markup {
    html! {
        @if !view.waiting.is_empty() {
            section.card aria-labelledby="waiting" {
                h2 #waiting { "Waiting for payment" }
                p.note { "These credits are there as soon as they are paid." }
                table {
                    caption.hidden { "Orders that wait for their payment, newest first" }
                    thead {
                        tr {
                            th scope="col" { "Ordered" }
                            th.wide-only scope="col" { "What" }
                            th.num scope="col" { "Credits" }
                            th.num scope="col" { "To pay" }
                            th scope="col" { span.hidden { "Payment" } }
                        }
                    }
                    tbody {
                        @for row in &view.waiting {
                            tr {
                                th.date scope="row" { (times::date(frame.zone, row.at)) }
                                td.wide-only { (what(row.pack.as_deref())) }
                                td.num { (shown(row.credits, Digits::Short)) }
                                td.num { (row.price.text()) }
                                td.num {
                                    @if let Some(url) = &row.pay_url {
                                        a.button href=(url) rel="noreferrer" {
                                            "Pay" span.hidden { " for order " (names::clean(&row.id)) }
                                        }
                                    }
                                }
                            }
                        }
                    }
                }
            }
        }
    }
}

fn what(pack: Option<&str>) -> Markup {
    html! {
        @match pack { Some(pack) => { (names::human(pack)) " pack" } None => { "Own amount" } }
    }
}

fn history(frame: &Frame, view: &PurchaseView) -> Markup {
    html! {
        section.card aria-labelledby="history" {
            h2 #history { "Purchases" }
            @if view.history.is_empty() {
                div.empty { p { "Nothing was bought so far. Each purchase has its receipt here." } }
            } @else {
                table {
                    caption.hidden { "Purchases, newest first" }
                    thead {
                        tr {
                            th scope="col" { "Date" }
                            th.wide-only scope="col" { "What" }
                            th.num scope="col" { "Credits" }
                            th.num.wide-only scope="col" { "Left" }
                            th.num scope="col" { "Paid" }
                            th scope="col" { span.hidden { "Receipt" } }
                        }
                    }
                    tbody { @for row in &view.history { (purchase(frame, row)) } }
                }
            }
            @if let Some(url) = &view.older_url {
                nav.pages aria-label="Pages of purchases" { a.button.quiet href=(url) { "Older" } }
            }
        }
    }
}

fn purchase(frame: &Frame, row: &PurchaseRow) -> Markup {
    let refunded = Money { amount: row.refunded, ..row.paid.clone() };
    html! {
        tr {
            th.date scope="row" { (times::date(frame.zone, row.at)) }
            td.wide-only {
                (what(row.pack.as_deref())) " " span.tag { (names::human(&row.settlement).to_lowercase()) }
            }
            td.num { (shown(row.credits, Digits::Short)) }
            td.num.wide-only { (shown(row.remaining, Digits::Short)) }
            td.num {
                (row.paid.text())
                @if !row.refunded.is_zero() { span.sub { (refunded.text()) " went back" } }
            }
            td.num {
                @if let Some(url) = &row.receipt_url {
                    a href=(url) { "Receipt" span.hidden { " of " (names::clean(&row.id)) } }
                }
            }
        }
    }
}

fn auto_top_up(frame: &Frame, view: &PurchaseView, rule: &AutoTopUp) -> Markup {
    let chosen = rule.pack.as_deref().or_else(|| view.packs.first().map(|pack| pack.name.as_str()));
    let pack = view.packs.iter().find(|pack| Some(pack.name.as_str()) == chosen);
    html! {
        section.card aria-labelledby="auto-top-up" {
            h2 #auto-top-up { "Auto top-up" }
            @if view.packs.is_empty() {
                p.note { "It needs a pack to buy, and none is on sale." }
            } @else {
                (rule.form.around("stack", &html! {
                    label.check {
                        input type="checkbox" name="enabled" checked[rule.is_enabled];
                        span { "Buy by itself when credits run low" }
                    }
                    div.fields {
                        div.field {
                            label for="threshold" { "When fewer are left than" }
                            input #threshold name="threshold" inputmode="decimal" required pattern="[0-9]+([.][0-9]{1,6})?"
                                title="A number of credits, such as 100" value=[rule.threshold];
                        }
                        div.field {
                            label for="top-up-pack" { "Buy the pack" }
                            select #top-up-pack name="pack" {
                                @for pack in &view.packs {
                                    option value=(pack.name) selected[chosen == Some(pack.name.as_str())] {
                                        (text(pack.credits, Digits::Short)) " for " (pack.price.text())
                                    }
                                }
                            }
                        }
                        div.field {
                            label for="at-most" { "At most" }
                            span.with-unit {
                                input #at-most name="at_most" type="number" min="1" max="1000" required value=(rule.at_most);
                                span aria-hidden="true" { "times" }
                            }
                        }
                        div.field {
                            label for="period" { "Within" }
                            span.with-unit {
                                input #period name="period_days" type="number" min="1" max="366" required value=(rule.period_days);
                                span aria-hidden="true" { "days" }
                            }
                        }
                    }
                    p.note {
                        @if let Some(pack) = pack {
                            "As it is set, it never spends more than " strong { (pack.price.times(rule.at_most).text()) }
                            " in " (counted(i64::from(rule.period_days), "day")) ". "
                        }
                        @match rule.bought.last() {
                            Some(last) => {
                                "It bought " (if rule.bought.len() == 1 { "once".to_owned() } else { format!("{} times", rule.bought.len()) })
                                " in this period, last on " (times::date(frame.zone, *last)) "."
                            }
                            None => { "It bought nothing in this period." }
                        }
                        @if rule.is_of_plan { " This is the plan's rule; saving makes one of your own." }
                    }
                    div.actions { button type="submit" { "Save" } }
                }))
            }
        }
    }
}

fn counted(count: i64, unit: &str) -> String {
    format!("{count} {unit}{}", if count == 1 { "" } else { "s" })
}

fn alerts(settings: &AlertSettings) -> Markup {
    let percent = |e4: &u32| {
        let rest = format!("{:02}", e4 % 100);
        let rest = rest.trim_end_matches('0');
        format!("{}{}{rest}", e4 / 100, if rest.is_empty() { "" } else { "." })
    };
    let used: Vec<String> = settings.used_e4.iter().map(percent).collect();
    let remaining: Vec<String> = settings.remaining.iter().map(Amount::to_string).collect();
    html! {
        section.card aria-labelledby="alerts" {
            h2 #alerts { "Alerts" }
            (settings.form.around("stack", &html! {
                div.field {
                    label for="used-percent" { "When so much is used, in per cent" }
                    input #used-percent name="used_percent" value=(used.join(", ")) placeholder="80, 100" aria-describedby="alerts-note";
                }
                div.field {
                    label for="remaining" { "When so many credits are left" }
                    input #remaining name="remaining" value=(remaining.join(", ")) placeholder="100, 20" aria-describedby="alerts-note";
                }
                p.note #alerts-note {
                    "Lists with commas; an empty one is no alert. Each is told once, and again after the balance has recovered."
                    @if settings.is_of_plan { " These are the plan's; saving makes your own." }
                }
                div.actions { button type="submit" { "Save" } }
            }))
        }
    }
}

/// The page that asks whether a purchase is meant.
pub fn confirm_page(frame: &Frame, confirm: &Confirm) -> String {
    let after = confirm.remaining.checked_add(confirm.credits).unwrap_or(confirm.remaining);
    let inside = html! {
        section.card.narrow aria-labelledby="confirm-title" {
            h1 #confirm-title { "Purchase " (shown(confirm.credits, Digits::Short)) " credits?" }
            dl.sums {
                div { dt { "Price" } dd { (confirm.price.text()) } }
                div { dt { "Left now" } dd { (shown(confirm.remaining, Digits::Short)) } }
                div { dt { (if confirm.is_paid_first { "Left once it is paid" } else { "Left afterwards" }) } dd { (shown(after, Digits::Short)) } }
            }
            (confirm.form.around("stack", &html! {
                @match &confirm.pack {
                    Some(pack) => { (hidden("pack", pack)) }
                    None => { (hidden("credits", &confirm.credits.to_string())) }
                }
                div.actions {
                    a.button.quiet href=(confirm.back_url) { "Cancel" }
                    button type="submit" { (icon("ledger")) " " (verb(confirm.is_paid_first)) }
                }
            }))
        }
    };
    frame.page(Section::Purchase, "Confirm the purchase", &inside)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn packs_are_compared_by_the_thousand() {
        for (credits, price, decimals, expected) in [
            ("1000", "5", 2, "$5.00 per 1,000"),
            ("5000", "22.5", 2, "$4.50 per 1,000"),
            ("3000", "10", 2, "$3.33 per 1,000"),
            ("0", "10", 2, ""),
        ] {
            let price = Money { amount: price.parse().unwrap(), currency: "USD".to_owned(), decimals };
            let pack = Pack { name: "small".to_owned(), credits: credits.parse().unwrap(), price };
            assert_eq!(each(&pack), expected);
        }
    }
}
