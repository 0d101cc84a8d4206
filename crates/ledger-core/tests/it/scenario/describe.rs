//! Entries, balances and refusals in a few words, as scenarios write them.

use crate::kit::amount;
use ledger_core::entry::{Draw, Return, ReturnInto};
use ledger_core::{Account, Amount, Balance, Body, Destination, Entry, HoldStatus, Refusal, Sealed, Timestamp};

pub(super) fn written(entries: &[Sealed]) -> Vec<String> {
    entries.iter().map(|sealed| describe(&sealed.entry)).collect()
}

/// A time without its midnight, which most scenarios stay at.
pub(super) fn short(t: Timestamp) -> String {
    let text = t.to_string();
    text.strip_suffix("T00:00:00Z").map_or(text.clone(), str::to_owned)
}

fn draws(draws: &[Draw]) -> String {
    draws.iter().map(|d| format!(" {}:{}", d.grant, d.credits)).collect()
}

/// A word and an amount, unless that is zero.
fn part(word: &str, amount: Amount) -> String {
    if amount.is_zero() { String::new() } else { format!(" {word} {amount}") }
}

fn destination(credits: Amount, into: &Destination) -> String {
    match into {
        Destination::Debt => String::new(),
        Destination::Grant(grant) => format!(" into {grant}:{credits}"),
        Destination::Reopened(terms) => format!(" reopening {}:{credits}", terms.sequence),
        Destination::Adjustment { priority, expires_at } => {
            let until = expires_at.map_or("ever".to_owned(), short);
            format!(" as adjustment {credits} priority {priority} until {until}")
        }
    }
}

fn returns(returns: &[Return]) -> String {
    let one = |back: &Return| {
        let into = match back.into {
            ReturnInto::Grant => String::new(),
            ReturnInto::Debt => " to debt".to_owned(),
            ReturnInto::Rollover(rollover) => format!(" into {rollover}"),
            ReturnInto::Expired => " expired".to_owned(),
            ReturnInto::Voided => " voided".to_owned(),
        };
        format!(" back {}:{}{into}", back.grant, back.credits)
    };
    returns.iter().map(one).collect()
}

/// An entry: its sequence, what happened, from which grants, and when, if that is not now.
fn describe(entry: &Entry) -> String {
    let n = entry.sequence;
    let on = format!(" on {}", short(entry.recorded_at));
    match &entry.body {
        Body::Opened(_) => format!("{n} opened"),
        Body::Updated(_) => format!("{n} updated"),
        Body::Grant(grant) => {
            let on = if grant.cycle.is_some() { on } else { String::new() };
            let cost = grant.cost.as_ref().map_or(String::new(), |cost| {
                let pack = cost.pack.as_ref().map_or(String::new(), |pack| format!(" pack {pack}"));
                format!(" for {} {}{pack}", cost.paid, cost.currency)
            });
            let origin = grant.origin.map_or(String::new(), |origin| {
                let until = grant.expires_at.map_or("ever".to_owned(), short);
                format!(" of {} priority {} until {until}", origin.grant, grant.priority)
            });
            let paying = part("paying", grant.debt_paid);
            format!("{n} {} {}{cost}{origin}{paying}{on}", grant.source.name(), grant.amount)
        }
        Body::Effective { grant, debt_paid } => format!("{n} effective {grant}{}{on}", part("paying", *debt_paid)),
        Body::Charge(charge) => {
            let overage = part("overage", charge.overage);
            format!("{n} charged{}{overage}{}", draws(&charge.draws), part("uncollected", charge.uncollected))
        }
        Body::Expiry { grant, expired } => format!("{n} expired {grant}:{expired}{on}"),
        Body::Rollover(rolled) => {
            let room = part("room", rolled.room);
            format!("{n} rolled{}{room} until {}{on}", draws(&rolled.from), short(rolled.expires_at))
        }
        Body::PlanChanged(change) => {
            let restarted = if change.restarts_cycle { " restarted" } else { "" };
            format!("{n} plan {}{restarted}", change.plan)
        }
        Body::PlanScheduled { plan } => format!("{n} next plan {}", plan.as_deref().unwrap_or("none")),
        Body::Hold(hold) => {
            let covered = hold.earmarks.iter().map(|e| e.credits.micros()).sum::<i64>() + hold.overage.micros();
            let short_of = Amount::from_micros(hold.requested.micros() - covered).unwrap();
            let (overage, missing) = (part("overage", hold.overage), part("short of", short_of));
            format!("{n} held{}{overage}{missing} until {}", draws(&hold.earmarks), short(hold.expires_at))
        }
        Body::Extension(extended) => {
            let overage = part("overage", extended.overage);
            let until = short(extended.expires_at);
            format!("{n} extended{}{overage} to {} until {until}", draws(&extended.earmarks), extended.held)
        }
        Body::Settle(settle) => {
            let late = if settle.late { "late " } else { "" };
            let how = if settle.is_final { " finally" } else { "" };
            let free =
                if settle.from_free.is_empty() { String::new() } else { format!(" free{}", draws(&settle.from_free)) };
            let rest = [
                part("overage", settle.overage),
                part("uncollected", settle.uncollected()),
                part("refunding", settle.refunded),
                returns(&settle.returns),
                part("held", settle.held),
            ];
            format!("{n} {late}settled {}{how}{}{free}{}", settle.priced, draws(&settle.from_held), rest.concat())
        }
        Body::Release(ended) => {
            format!("{n} released{}{}", returns(&ended.returns), part("overage", ended.overage_held))
        }
        Body::HoldExpiry(ended) => {
            let overage = part("overage", ended.overage_held);
            format!("{n} hold {} over{}{overage}{on}", ended.hold, returns(&ended.returns))
        }
        Body::Refund(refund) => {
            let into: String = refund.into.iter().map(|part| destination(part.credits, &part.into)).collect();
            format!("{n} refunded {} of {}{}{into}", refund.credits, refund.charge, part("paying", refund.debt_paid))
        }
        Body::Void { grant, voided } => format!("{n} voided {grant}:{voided}"),
        Body::Deduction(deduction) => {
            format!("{n} deducted{}{}", draws(&deduction.draws), part("overage", deduction.overage))
        }
        Body::TakeBack(back) => {
            let own =
                if back.from_grant.is_zero() { String::new() } else { format!(" {}:{}", back.grant, back.from_grant) };
            let overage = part("overage", back.overage);
            format!("{n} took {} of {} back{own}{}{overage}", back.credits, back.grant, draws(&back.draws))
        }
        Body::TransferOut(out) => {
            let drawn: Vec<Draw> =
                out.portions.iter().map(|p| Draw { grant: p.terms.sequence, credits: p.credits }).collect();
            format!("{n} sent{} to {}", draws(&drawn), out.to_id)
        }
        Body::TransferBack(back) => {
            let rest = back.credits.checked_sub(back.debt_paid).unwrap();
            format!("{n} came back {}{}{}", back.credits, part("paying", back.debt_paid), destination(rest, &back.into))
        }
        Body::TransferEnded { transfer, reversed } => {
            format!("{n} transfer {transfer} {}", if *reversed { "reversed" } else { "arrived" })
        }
        Body::Erasure { entries } => {
            let ranges: String = entries.iter().map(|(first, last)| format!(" {first}-{last}")).collect();
            format!("{n} erased{ranges}")
        }
    }
}

/// A refusal by what a caller must know of it.
pub(super) fn refused(refusal: &Refusal) -> String {
    let status = |status: &HoldStatus| status.name();
    let why = match refusal {
        Refusal::InsufficientCredits { required, available } => format!("{required} required, {available} available"),
        Refusal::AccountSuspended => "suspended".to_owned(),
        Refusal::GrantEndsBeforeEffect { effective_at, expires_at } => {
            format!("ends {} before effect {}", short(*expires_at), short(*effective_at))
        }
        Refusal::PlanChangeNeedsSubscription { plan } => format!("is on plan {plan}"),
        Refusal::PlanNotFound { plan } => format!("no plan {plan}"),
        Refusal::CycleLengthDiffers { plan } => format!("cycle of {plan} is of another length"),
        Refusal::HoldClosed { status: how, closed_at } => format!("hold {} on {}", status(how), short(*closed_at)),
        Refusal::HoldNotOpen { hold } => format!("no hold {hold}"),
        Refusal::ExceedsHold { requested, settled, held, available } => {
            format!("exceeds hold: {requested} requested, {settled} settled, {held} held, {available} available")
        }
        Refusal::UsageDecreased { previous, stated } => format!("usage decreased from {previous} to {stated}"),
        Refusal::RefundExceedsCharge { charged, refunded, requested } => {
            format!("{requested} of charge {charged}, {refunded} refunded")
        }
        Refusal::RefundExceedsPurchase { paid, refunded, requested, currency } => {
            format!("{requested} {currency} of {paid}, {refunded} refunded")
        }
        Refusal::GrantNotFound { grant } => format!("no grant {grant}"),
        Refusal::GrantSpent { grant } => format!("grant {grant} spent"),
        Refusal::AmountOutOfRange => "out of range".to_owned(),
        other => format!("{other:?}"),
    };
    format!("refused: {why}")
}

/// The statistics that most scenarios look at; those that are rarely anything only where they are.
pub(super) fn balance_line(b: &Balance) -> String {
    let mut parts = vec![
        format!("package {}", b.package),
        format!("consumed {}", b.consumed),
        format!("remaining {}", b.remaining),
        format!("purchased {}", b.purchased),
    ];
    let others = [
        ("held", b.held),
        ("overage", b.overage),
        ("refunded earlier", b.refunded_earlier),
        ("other", b.other_remaining),
    ];
    parts.extend(others.iter().filter(|(_, a)| !a.is_zero()).map(|(name, a)| format!("{name} {a}")));
    parts.push(format!("until {}", short(b.cycle.1)));
    parts.join(", ")
}

/// One number of a balance or an account by its name.
pub(super) fn field(name: &str, b: &Balance, account: &Account) -> String {
    let t = &account.totals;
    let time = |t: Option<Timestamp>| t.map_or("none".to_owned(), short);
    let value = match name {
        "package" => b.package.to_string(),
        "plan_package" => b.plan_package.to_string(),
        "consumed" => b.consumed.to_string(),
        "refunded_earlier" => b.refunded_earlier.to_string(),
        "remaining" => b.remaining.to_string(),
        "purchased" => b.purchased.to_string(),
        "purchased_total" => b.purchased_total.to_string(),
        "held" => b.held.to_string(),
        "overage" => b.overage.to_string(),
        "spendable" => b.spendable.to_string(),
        "package_remaining" => b.package_remaining.to_string(),
        "purchased_remaining" => b.purchased_remaining.to_string(),
        "other_remaining" => b.other_remaining.to_string(),
        "used_share" => format!("{}.{:04}", b.used_share_e4 / 10_000, b.used_share_e4 % 10_000),
        "days_left" => b.days_left.to_string(),
        "next_expiry" => b.next_expiry.map_or("none".to_owned(), |(at, credits)| format!("{credits} on {}", short(at))),
        "daily_average" => b.daily_average.map_or("none".to_owned(), |average| average.to_string()),
        "runs_out_at" => time(b.runs_out_at),
        "cycle" => format!("{} to {}", short(b.cycle.0), short(b.cycle.1)),
        "plan" => account.plan.to_string(),
        "next_plan" => account.next_plan.as_deref().unwrap_or("none").to_owned(),
        "overage_held" => t.overage_held.to_string(),
        "granted" => t.granted.to_string(),
        "refunded" => t.refunded.to_string(),
        "charged" => t.charged.to_string(),
        "expired" => t.expired.to_string(),
        "voided" => t.voided.to_string(),
        "deducted" => t.deducted.to_string(),
        "transferred_in" => t.transferred_in.to_string(),
        "transferred_out" => t.transferred_out.to_string(),
        "open_holds" => account.holds.len().to_string(),
        other => panic!("no field {other}"),
    };
    format!("{name} {value}")
}

/// The grants that are remembered, in burning order.
pub(super) fn grants_line(account: &Account) -> String {
    let one = |g: &ledger_core::Grant| {
        let until = g.expires_at.map_or(String::new(), |t| format!(" until {}", short(t)));
        let held = part("held", g.held);
        let room = part("room", g.room);
        let marks = [(g.voided, " voided"), (!g.effective, " to come")];
        let marks: String = marks.iter().filter(|(is, _)| *is).map(|(_, word)| *word).collect();
        format!("{} {} {}{held}{room}{until}{marks}", g.sequence, g.source.name(), g.remaining)
    };
    account.grants.iter().map(one).collect::<Vec<_>>().join("; ")
}

/// Open holds, by sequence.
pub(super) fn holds_line(account: &Account) -> String {
    let one = |hold: &std::sync::Arc<ledger_core::Hold>| {
        let overage = part("overage", hold.overage_held);
        let settled = part("settled", hold.settled);
        format!("{}{}{overage}{settled} until {}", hold.sequence, draws(&hold.earmarks), short(hold.expires_at))
    };
    account.holds.iter().map(one).collect::<Vec<_>>().join("; ")
}

/// Reads `12.5` as an amount, and `-` as none.
pub(super) fn optional_amount(text: Option<&&str>) -> Option<Amount> {
    text.filter(|text| text.starts_with(|c: char| c.is_ascii_digit())).map(|text| amount(text))
}
