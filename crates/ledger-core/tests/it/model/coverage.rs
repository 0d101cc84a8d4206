//! What random runs must have come across, so that agreement means something.

use ledger_core::entry::{Return, ReturnInto};
use ledger_core::{Body, Destination, Entry};

/// Every mark, and every kind of refusal.
pub(super) const ALL: [&str; 47] = [
    "nothing",
    "insufficient",
    "suspended",
    "closed",
    "exceeds hold",
    "usage decreased",
    "refund exceeds charge",
    "refund exceeds purchase",
    "no grant",
    "grant spent",
    "cycle length",
    "ends before effect",
    "grant pays debt",
    "effect pays debt",
    "rollover with room",
    "rollover of nothing",
    "restart",
    "plan at a boundary",
    "hold on overage",
    "hold short",
    "extension on overage",
    "settle in part",
    "settle of free credits",
    "settle into debt",
    "settle uncollected",
    "settle refunds",
    "late settle",
    "release",
    "hold expiry",
    "back into grant",
    "back to debt",
    "back into rollover",
    "back expired",
    "back voided",
    "refund pays debt",
    "refund into grant",
    "refund reopens",
    "refund as adjustment",
    "refund goes on",
    "void",
    "deduction into debt",
    "take-back into debt",
    "take-back of others",
    "transfer back into grant",
    "transfer back reopens",
    "transfer back as adjustment",
    "transfer reversed",
];

fn returns(marks: &mut Vec<&'static str>, returns: &[Return]) {
    for back in returns {
        marks.push(match back.into {
            ReturnInto::Grant => "back into grant",
            ReturnInto::Debt => "back to debt",
            ReturnInto::Rollover(_) => "back into rollover",
            ReturnInto::Expired => "back expired",
            ReturnInto::Voided => "back voided",
        });
    }
}

/// What an entry shows that was come across.
pub(super) fn marks(entry: &Entry) -> Vec<&'static str> {
    let mut marks = Vec::new();
    let mut mark = |is: bool, what: &'static str| {
        if is {
            marks.push(what);
        }
    };
    match &entry.body {
        Body::Grant(grant) => mark(grant.debt_paid.is_positive(), "grant pays debt"),
        Body::Effective { debt_paid, .. } => mark(debt_paid.is_positive(), "effect pays debt"),
        Body::Rollover(rolled) => {
            mark(rolled.room.is_positive(), "rollover with room");
            mark(rolled.amount.is_zero(), "rollover of nothing");
        }
        Body::PlanChanged(change) => {
            mark(change.restarts_cycle, "restart");
            mark(!change.restarts_cycle && change.anchor.is_some(), "plan at a boundary");
        }
        Body::Hold(hold) => {
            let covered: i64 = hold.earmarks.iter().map(|e| e.credits.micros()).sum::<i64>() + hold.overage.micros();
            mark(hold.overage.is_positive(), "hold on overage");
            mark(covered < hold.requested.micros(), "hold short");
        }
        Body::Extension(extended) => mark(extended.overage.is_positive(), "extension on overage"),
        Body::Settle(settle) => {
            mark(!settle.is_final, "settle in part");
            mark(!settle.from_free.is_empty(), "settle of free credits");
            mark(settle.overage.is_positive(), "settle into debt");
            mark(settle.uncollected().is_positive(), "settle uncollected");
            mark(settle.refunded.is_positive(), "settle refunds");
            mark(settle.late, "late settle");
            returns(&mut marks, &settle.returns);
        }
        Body::Release(ended) => {
            mark(true, "release");
            returns(&mut marks, &ended.returns);
        }
        Body::HoldExpiry(ended) => {
            mark(true, "hold expiry");
            returns(&mut marks, &ended.returns);
        }
        Body::Refund(refund) => {
            mark(refund.debt_paid.is_positive(), "refund pays debt");
            mark(refund.whole.is_zero(), "refund goes on");
            for part in &refund.into {
                mark(matches!(part.into, Destination::Grant(_)), "refund into grant");
                mark(matches!(part.into, Destination::Reopened(_)), "refund reopens");
                mark(matches!(part.into, Destination::Adjustment { .. }), "refund as adjustment");
            }
        }
        Body::Void { .. } => mark(true, "void"),
        Body::Deduction(deduction) => mark(deduction.overage.is_positive(), "deduction into debt"),
        Body::TakeBack(back) => {
            mark(back.overage.is_positive(), "take-back into debt");
            mark(!back.draws.is_empty(), "take-back of others");
        }
        Body::TransferBack(back) => {
            mark(matches!(back.into, Destination::Grant(_)), "transfer back into grant");
            mark(matches!(back.into, Destination::Reopened(_)), "transfer back reopens");
            mark(matches!(back.into, Destination::Adjustment { .. }), "transfer back as adjustment");
        }
        Body::TransferEnded { reversed, .. } => mark(*reversed, "transfer reversed"),
        _ => {}
    }
    marks
}
