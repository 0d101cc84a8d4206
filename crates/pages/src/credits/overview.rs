//! How the account stands: what has to be done about it, the gauge, and the figures that move while agents work.

use super::CreditsView;
use crate::amounts::{Digits, live};
use crate::chart::donut;
use crate::frame::Frame;
use crate::times;
use ledger_core::Balance;
use ledger_core::calendar::local_day;
use maud::{Markup, html};

/// What the balance asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Standing {
    Fine,
    Low,
    /// Nothing is left, and the plan lets agents go on for now.
    Overdrawn,
    Exhausted,
}

impl Standing {
    fn of(balance: &Balance, low_share_e4: u32) -> Self {
        if !balance.spendable.is_positive() {
            Self::Exhausted
        } else if !balance.remaining.is_positive() {
            Self::Overdrawn
        } else if balance.used_share_e4 >= low_share_e4 {
            Self::Low
        } else {
            Self::Fine
        }
    }
}

/// One banner for each standing, of which one is shown: the script changes which while the balance moves.
pub(super) fn banners(frame: &Frame, view: &CreditsView) -> Markup {
    let balance = &view.balance;
    let standing = Standing::of(balance, view.low_share_e4);
    let reset = html! { "The package is renewed on " (times::date(frame.zone, balance.cycle.1)) "." };
    let buy = html! { @if let Some(url) = &frame.links.purchase { a.button href=(url) { "Purchase credits" } } };
    html! {
        div aria-live="polite" {
            div.notice.bad data-banner="exhausted" hidden[standing != Standing::Exhausted] {
                div {
                    strong { "Out of credits: agents have stopped answering" }
                    p { "Credits that are bought are there at once, and agents answer again. " (reset) }
                }
                (buy)
            }
            div.notice.warning data-banner="overdrawn" hidden[standing != Standing::Overdrawn] {
                div {
                    strong { "Out of credits: agents go on beyond them" }
                    p {
                        "What they use is owed, and the next credits pay for it first. They stop after another "
                        (live("spendable", balance.spendable, Digits::Short)) " credits."
                    }
                }
                (buy)
            }
            div.notice.warning data-banner="low" hidden[standing != Standing::Low] {
                div {
                    strong { "Credits are running low" }
                    p {
                        "Agents stop answering when none are left. " (reset)
                        " Shorter calls and a higher lead score for proactive chats make them last longer."
                    }
                }
                (buy)
            }
        }
    }
}

pub(super) fn overview(frame: &Frame, view: &CreditsView) -> Markup {
    let balance = &view.balance;
    html! {
        section.overview aria-label="How the account stands" {
            div.card.stand.spent[!balance.spendable.is_positive()] data-stand {
                (donut::gauge(balance))
                dl.legend {
                    @for part in donut::parts(balance) {
                        // What most accounts never have is there once they do.
                        @let is_hidden = part.credits.is_zero() && matches!(part.name, "other_remaining" | "held");
                        div class={ "part " (part.name) } data-part=(part.name) hidden[is_hidden] {
                            dt { (part.label) }
                            dd { (live(part.name, part.credits, Digits::Short)) }
                        }
                    }
                    div.part.overage data-part="overage" hidden[balance.overage.is_zero()] {
                        dt { "Owed" }
                        dd { (live("overage", balance.overage, Digits::Short)) }
                    }
                }
            }
            (statistics(balance))
            (facts(frame, balance))
            p.hidden role="status" data-said {}
        }
    }
}

fn statistics(balance: &Balance) -> Markup {
    let statistics = [
        ("package", "Package", balance.package, "included in this cycle"),
        ("consumed", "Consumed", balance.consumed, "used in this cycle"),
        ("remaining", "Remaining", balance.remaining, "left to use"),
        ("purchased", "Purchased", balance.purchased, "bought on top"),
    ];
    html! {
        dl.statistics {
            @for (name, label, amount, meaning) in statistics {
                div class={ "card " (name) } {
                    dt { (label) }
                    dd { span.figure { (live(name, amount, Digits::Short)) } span.meaning { (meaning) } }
                }
            }
        }
    }
}

fn facts(frame: &Frame, balance: &Balance) -> Markup {
    let zone = frame.zone;
    let at = balance.at;
    let runs_out_in = balance.runs_out_at.map(|end| i64::from(local_day(zone, end)) - i64::from(local_day(zone, at)));
    let is_short = balance.runs_out_at.is_some_and(|end| end < balance.cycle.1);
    html! {
        dl.facts.card {
            div {
                dt { "Renewal" }
                dd { span.fact { (times::days_until(balance.days_left)) } span.meaning { (times::date(zone, balance.cycle.1)) } }
            }
            div {
                dt { "Daily average" }
                dd {
                    @match balance.daily_average {
                        Some(average) => {
                            span.fact { (live("daily_average", average, Digits::Short)) }
                            span.meaning { "over the last 7 full days" }
                        }
                        None => { span.fact { "–" } span.meaning { "known after the first full day" } }
                    }
                }
            }
            div.short[is_short] data-forecast {
                dt { "At this rate" }
                dd {
                    @match (balance.runs_out_at, runs_out_in) {
                        _ if !balance.remaining.is_positive() => {
                            span.fact { "nothing is left" }
                            span.meaning { "until credits are added" }
                        }
                        (Some(end), _) if is_short => {
                            span.fact { "runs out " (times::days_until(runs_out_in.unwrap_or(0))) }
                            span.meaning { (times::date(zone, end)) ", before the renewal" }
                        }
                        (Some(end), Some(days)) if days < FAR_DAYS => {
                            span.fact { "lasts beyond the renewal" }
                            span.meaning { "until " (times::date(zone, end)) }
                        }
                        (Some(_), _) => {
                            span.fact { "lasts beyond the renewal" }
                            span.meaning { "for more than a year" }
                        }
                        (None, _) => {
                            span.fact { "–" }
                            span.meaning {
                                @if balance.daily_average.is_none() { "known with the average" } @else { "nothing was used of late" }
                            }
                        }
                    }
                }
            }
            div {
                dt { a href="#grants" { "Next expiry" } }
                dd {
                    @match balance.next_expiry {
                        Some((end, credits)) => {
                            span.fact { (live("next_expiry", credits, Digits::Short)) }
                            span.meaning { "on " (times::date(zone, end)) }
                        }
                        None => { span.fact { "–" } span.meaning { "no credits expire" } }
                    }
                }
            }
        }
    }
}

/// Days from which a forecast is no day that anybody plans for.
const FAR_DAYS: i64 = 366;
