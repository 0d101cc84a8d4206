//! Everything that the core and the model both know, held against each other.

use super::driver::{Driver, NAMES, START_MS, Side};
use super::rules::{self, Model};
use crate::kit::assert_conserved;
use ledger_core::{Source, Timestamp};

pub(super) fn compare(driver: &Driver, model: &Model) -> Result<(), String> {
    for (who, (side, account)) in driver.accounts.iter().zip(&model.accounts).enumerate() {
        assert_conserved(&side.account);
        sums(side, account)
            .and_then(|()| grants(side, account))
            .and_then(|()| holds(side, account))
            .map_err(|error| format!("account {who}: {error}"))?;
    }
    Ok(())
}

fn same<T: PartialEq + std::fmt::Debug + Copy>(what: &str, core: T, model: T) -> Result<(), String> {
    if core == model { Ok(()) } else { Err(format!("{what}: the core has {core:?}, the model {model:?}")) }
}

fn ms(t: Timestamp) -> i64 {
    t.millis() - START_MS
}

fn sums(side: &Side, model: &rules::Account) -> Result<(), String> {
    let (t, c) = (&side.account.totals, &side.account.cycle);
    let (s, m) = (&model.sums, &model.cycle);
    for (what, core, model) in [
        ("remaining", t.remaining, model.remaining()),
        ("held", t.held, model.held()),
        ("debt", t.debt, model.debt),
        ("overage held", t.overage_held, model.overage_held()),
        ("granted", t.granted, s.granted),
        ("refunded", t.refunded, s.refunded),
        ("transferred in", t.transferred_in, s.transferred_in),
        ("charged", t.charged, s.charged),
        ("expired", t.expired, s.expired),
        ("voided", t.voided, s.voided),
        ("deducted", t.deducted, s.deducted),
        ("transferred out", t.transferred_out, s.transferred_out),
        ("purchased ever", t.purchased, s.purchased),
        ("package", c.package_granted, m.package),
        ("rolled in", c.rolled_in, m.rolled_in),
        ("consumed", c.consumed, m.consumed),
        ("refunded earlier", c.refunded_earlier, m.refunded_earlier),
        ("purchased at start", c.purchased_at_start, m.purchased_at_start),
        ("purchased", c.purchased, m.purchased),
    ] {
        same(what, core.micros(), model)?;
    }
    same("cycle", (ms(c.start), ms(c.end)), (m.start, m.end))?;
    same("entries", side.account.sequence, model.entries)?;
    same("status", side.account.status, model.status)?;
    same("plan", &*side.account.plan, NAMES[model.plan])?;
    same("next plan", side.account.next_plan.as_deref(), model.next_plan.map(|plan| NAMES[plan]))
}

fn grants(side: &Side, model: &rules::Account) -> Result<(), String> {
    let mut seen = 0;
    for grant in &model.grants {
        let id = grant.id;
        let Some(core) = side.account.grants.get(id) else {
            same(&format!("grant {id}, which the core has forgotten"), (0, 0), (grant.free, grant.held))?;
            continue;
        };
        seen += 1;
        let core_is = (core.remaining.micros(), core.held.micros(), core.effective, core.voided);
        same(&format!("grant {id}"), core_is, (grant.free, grant.held, grant.started, grant.voided))?;
        let source = match grant.from {
            rules::From::Package => Source::Package,
            rules::From::Rollover => Source::Rollover,
            rules::From::Promotion => Source::Promotion,
            rules::From::Adjustment => Source::Adjustment,
            rules::From::Purchase => Source::Purchase,
            rules::From::Transfer => Source::Transfer,
        };
        same(&format!("source of grant {id}"), core.source, source)?;
        let core_is = (core.priority, ms(core.effective_at), core.expires_at.map(ms));
        same(&format!("terms of grant {id}"), core_is, (grant.priority, grant.starts, grant.ends))?;
    }
    same("grants", side.account.grants.len(), seen)
}

fn holds(side: &Side, model: &rules::Account) -> Result<(), String> {
    for hold in &model.holds {
        let id = hold.id;
        let core = side.account.holds.get(id);
        same(&format!("whether hold {id} is open"), core.is_some(), hold.ended.is_none())?;
        if let Some(core) = core {
            let mut earmarks: Vec<(u64, i64)> = core.earmarks.iter().map(|e| (e.grant, e.credits.micros())).collect();
            let mut model_has = hold.earmarks.clone();
            earmarks.sort_unstable();
            model_has.sort_unstable();
            same(&format!("earmarks of hold {id}"), &earmarks[..], &model_has[..])?;
            let core_is = (core.overage_held.micros(), core.settled.micros(), ms(core.expires_at));
            same(&format!("hold {id}"), core_is, (hold.overage, hold.settled, hold.ends))?;
        }
    }
    let open = model.holds.iter().filter(|hold| hold.ended.is_none()).count();
    same("open holds", side.account.holds.len(), open)
}
