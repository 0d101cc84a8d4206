//! The ledger rules once more, slowly: plain whole numbers, lists that are searched and sorted anew each time, nothing
//! ever forgotten. Where this file and the core differ, one of them misreads the rules.

mod commands;
mod giving;
mod spending;

use super::driver::{ANCHORED_MS, Ask, LATE_MS, PLANS_AT_START, PlanIs, STATUSES, Said, What, openings};
use super::steps::DAY_MS;
use ledger_core::Status;

const REJECT: usize = 0;
const CAP: usize = 1;
const OVERFLOW: usize = 2;
const THIRTY_DAYS_MS: i64 = 30 * DAY_MS;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum From {
    Package,
    Rollover,
    Promotion,
    Adjustment,
    Purchase,
    Transfer,
}

impl From {
    fn priority(self) -> u32 {
        match self {
            Self::Rollover => 5,
            Self::Package => 10,
            Self::Promotion => 20,
            Self::Adjustment | Self::Transfer => 30,
            Self::Purchase => 50,
        }
    }
}

/// Where a transferred grant was before.
#[derive(Clone, Copy, Debug)]
pub(crate) struct CameFrom {
    account: usize,
    grant: u64,
}

#[derive(Clone, Debug)]
pub(crate) struct Grant {
    pub(crate) id: u64,
    pub(crate) from: From,
    pub(crate) priority: u32,
    pub(crate) starts: i64,
    pub(crate) ends: Option<i64>,
    /// Free credits, or the credits that it will bring.
    pub(crate) free: i64,
    pub(crate) held: i64,
    pub(crate) started: bool,
    pub(crate) voided: bool,
    /// Packages: the rollover grant of the boundary at which it ended with some of it held.
    rolls_into: Option<u64>,
    /// Rollover grants: what may still be given back to it.
    room: i64,
    came_from: Option<CameFrom>,
}

impl Grant {
    fn burning(&self) -> (u32, i64, i64, u64) {
        (self.priority, self.ends.unwrap_or(i64::MAX), self.starts, self.id)
    }

    fn is_over(&self, t: i64) -> bool {
        self.ends.is_some_and(|ends| ends <= t)
    }
}

#[derive(Clone, Debug)]
pub(crate) struct Hold {
    pub(crate) id: u64,
    rule: usize,
    pub(crate) ends: i64,
    /// Grant and credits.
    pub(crate) earmarks: Vec<(u64, i64)>,
    pub(crate) overage: i64,
    priced: i64,
    pub(crate) settled: i64,
    used: Option<u64>,
    /// The charges that its settles made, oldest first.
    settles: Vec<u64>,
    /// How it ended, and when.
    pub(crate) ended: Option<(&'static str, i64)>,
}

impl Hold {
    fn held(&self) -> i64 {
        self.earmarks.iter().map(|(_, credits)| credits).sum()
    }
}

#[derive(Clone, Debug)]
struct Charge {
    id: u64,
    /// The number of the cycle in which it was booked.
    cycle: u64,
    /// Grant and credits in the order in which they were taken; no grant for debt.
    taken: Vec<(Option<u64>, i64)>,
    refunded: i64,
}

#[derive(Clone, Debug)]
struct Purchase {
    grant: u64,
    credits: i64,
    paid: i64,
    money_back: i64,
    taken: i64,
}

#[derive(Clone, Debug)]
struct Transfer {
    id: u64,
    portions: Vec<Portion>,
    is_in_transit: bool,
    has_arrived: bool,
}

#[derive(Clone, Debug)]
struct Portion {
    credits: i64,
    grant: u64,
    priority: u32,
    ends: Option<i64>,
    came_from: Option<CameFrom>,
}

#[derive(Clone, Debug, Default)]
pub(crate) struct Sums {
    pub(crate) granted: i64,
    pub(crate) refunded: i64,
    pub(crate) transferred_in: i64,
    pub(crate) charged: i64,
    pub(crate) expired: i64,
    pub(crate) voided: i64,
    pub(crate) deducted: i64,
    pub(crate) transferred_out: i64,
    pub(crate) purchased: i64,
}

#[derive(Clone, Debug, Default)]
pub(crate) struct Cycle {
    number: u64,
    pub(crate) start: i64,
    pub(crate) end: i64,
    pub(crate) package: i64,
    pub(crate) rolled_in: i64,
    pub(crate) consumed: i64,
    pub(crate) refunded_earlier: i64,
    pub(crate) purchased_at_start: i64,
    pub(crate) purchased: i64,
}

pub(crate) struct Account {
    who: usize,
    /// How many entries were written.
    pub(crate) entries: u64,
    pub(crate) status: Status,
    pub(crate) plan: usize,
    pub(crate) next_plan: Option<usize>,
    period_ms: i64,
    anchor: i64,
    next_anchor: Option<i64>,
    pub(crate) debt: i64,
    pub(crate) sums: Sums,
    pub(crate) cycle: Cycle,
    pub(crate) grants: Vec<Grant>,
    pub(crate) holds: Vec<Hold>,
    charges: Vec<Charge>,
    purchases: Vec<Purchase>,
    transfers: Vec<Transfer>,
    /// How many entries there were when the cycle before this one began.
    last_cycle_began: u64,
    cycle_began: u64,
}

pub(crate) struct Model {
    now: i64,
    plans: Vec<Vec<(i64, PlanIs)>>,
    pub(crate) accounts: [Account; 2],
}

/// Rounds half to even, by looking at what is left over.
fn share(value: i64, part: i64, whole: i64) -> i64 {
    let product = i128::from(value) * i128::from(part);
    let whole = i128::from(whole);
    let (sign, size) = if product < 0 { (-1, -product) } else { (1, product) };
    let (below, rest) = (size / whole, size % whole);
    let is_up = 2 * rest > whole || (2 * rest == whole && below % 2 == 1);
    i64::try_from(sign * (below + i128::from(is_up))).unwrap()
}

fn boundary_after(anchor: i64, period_ms: i64, t: i64) -> i64 {
    anchor + ((t - anchor).div_euclid(period_ms) + 1) * period_ms
}

impl Account {
    pub(crate) fn remaining(&self) -> i64 {
        self.grants.iter().filter(|grant| grant.started).map(|grant| grant.free).sum()
    }

    pub(crate) fn held(&self) -> i64 {
        self.holds.iter().filter(|hold| hold.ended.is_none()).map(Hold::held).sum()
    }

    pub(crate) fn overage_held(&self) -> i64 {
        self.holds.iter().filter(|hold| hold.ended.is_none()).map(|hold| hold.overage).sum()
    }

    fn grant(&mut self, id: u64) -> &mut Grant {
        self.grants.iter_mut().find(|grant| grant.id == id).unwrap()
    }

    fn hold(&mut self, id: u64) -> &mut Hold {
        self.holds.iter_mut().find(|hold| hold.id == id).unwrap()
    }

    fn burning_order(&self, wanted: impl Fn(&Grant) -> bool) -> Vec<u64> {
        let mut grants: Vec<&Grant> = self.grants.iter().filter(|grant| wanted(grant)).collect();
        grants.sort_by_key(|grant| grant.burning());
        grants.into_iter().map(|grant| grant.id).collect()
    }

    /// Takes free credits in burning order, as far as they go.
    fn draw(&mut self, credits: i64) -> Vec<(u64, i64)> {
        let order = self.burning_order(|grant| grant.started && grant.free > 0);
        self.draw_from(&order, credits)
    }

    fn draw_from(&mut self, order: &[u64], credits: i64) -> Vec<(u64, i64)> {
        let mut left = credits;
        let mut drawn = Vec::new();
        for id in order {
            let grant = self.grant(*id);
            let taken = left.min(grant.free);
            if taken > 0 {
                grant.free -= taken;
                left -= taken;
                drawn.push((*id, taken));
            }
        }
        drawn
    }

    fn pay_debt(&mut self, credits: i64) -> i64 {
        let paid = credits.min(self.debt);
        self.debt -= paid;
        paid
    }

    #[allow(clippy::too_many_arguments, reason = "a model says everything at each place")]
    fn add_grant(
        &mut self,
        id: u64,
        from: From,
        priority: u32,
        credits: i64,
        starts: i64,
        ends: Option<i64>,
        came_from: Option<CameFrom>,
        is_now: bool,
    ) {
        let mut free = credits;
        if is_now {
            match from {
                From::Transfer => self.sums.transferred_in += credits,
                _ => self.sums.granted += credits,
            }
            free -= self.pay_debt(credits);
        }
        self.grants.push(Grant {
            id,
            from,
            priority,
            starts,
            ends,
            free,
            held: 0,
            started: is_now,
            voided: false,
            rolls_into: None,
            room: 0,
            came_from,
        });
    }

    fn package(&mut self, credits: i64, now: i64) {
        self.entries += 1;
        self.cycle.package += credits;
        // A package of nothing is an entry, and no grant that could be named.
        if credits > 0 {
            let (id, end) = (self.entries, self.cycle.end);
            self.add_grant(id, From::Package, 10, credits, now, Some(end), None, true);
        }
    }

    fn begin_cycle(&mut self, t: i64, end: i64) {
        let bought = self.grants.iter().filter(|grant| grant.from == From::Purchase && !grant.is_over(t));
        let purchased_at_start = bought.map(|grant| grant.free + grant.held).sum();
        self.last_cycle_began = self.cycle_began;
        self.cycle_began = self.entries;
        self.cycle = Cycle { number: self.cycle.number + 1, start: t, end, purchased_at_start, ..Cycle::default() };
    }

    /// Moves unspent package credits that end at `t` into a rollover grant.
    fn roll(&mut self, plan: &PlanIs, t: i64, anchor: i64, period_ms: i64) {
        if plan.cap == 0 || self.status == Status::Cancelled {
            return;
        }
        let alive: i64 = self
            .grants
            .iter()
            .filter(|grant| grant.from == From::Rollover && !grant.is_over(t))
            .map(|grant| grant.free + grant.held + if grant.voided { 0 } else { grant.room })
            .sum();
        let mut room = (plan.cap - alive).max(0);
        // A package of an earlier cycle that ended at this very instant has had its own boundary.
        let ending = self.burning_order(|grant| {
            grant.from == From::Package
                && grant.ends == Some(t)
                && (grant.free > 0 || grant.held > 0)
                && grant.rolls_into.is_none()
        });
        let ending: Vec<u64> = ending.into_iter().filter(|id| self.is_of_last_cycle(*id)).collect();
        let mut rolled = 0;
        let mut held = 0;
        for id in &ending {
            let grant = self.grant(*id);
            held += grant.held;
            let taken = room.min(grant.free);
            grant.free -= taken;
            room -= taken;
            rolled += taken;
        }
        let room = room.min(held);
        if rolled == 0 && room == 0 {
            return;
        }
        self.entries += 1;
        let id = self.entries;
        for package in &ending {
            if self.grant(*package).held > 0 {
                self.grant(*package).rolls_into = Some(id);
            }
        }
        let mut ends = t;
        for _ in 0..plan.cycles {
            ends = boundary_after(anchor, period_ms, ends);
        }
        self.grants.push(Grant {
            id,
            from: From::Rollover,
            priority: 5,
            starts: t,
            ends: Some(ends),
            free: rolled,
            held: 0,
            started: true,
            voided: false,
            rolls_into: None,
            room,
            came_from: None,
        });
        self.cycle.rolled_in += rolled;
    }

    fn is_of_last_cycle(&self, package: u64) -> bool {
        // Packages of one cycle are made in it; a cycle of no length can follow another at one instant.
        let Some(grant) = self.grants.iter().find(|grant| grant.id == package) else { return false };
        self.last_cycle_began < grant.id
    }

    /// Room is kept only while a hold still has something of a package that would roll into it.
    fn close_room(&mut self) {
        let waited_for: Vec<u64> =
            self.grants.iter().filter(|grant| grant.held > 0).filter_map(|grant| grant.rolls_into).collect();
        for grant in self.grants.iter_mut().filter(|grant| !waited_for.contains(&grant.id)) {
            grant.room = 0;
        }
    }

    /// Gives a hold's earmarks back, in burning order. Grants that end up to `over_at` are over.
    fn give_back(&mut self, earmarks: &[(u64, i64)], over_at: i64) -> i64 {
        let mut voided = 0;
        for (id, credits) in earmarks {
            let credits = *credits;
            self.grant(*id).held -= credits;
            let grant = self.grant(*id).clone();
            if grant.voided {
                self.sums.voided += credits;
                voided += credits;
            } else if !grant.is_over(over_at) {
                let paid = self.pay_debt(credits);
                self.grant(*id).free += credits - paid;
            } else {
                let rollover = grant.rolls_into.map(|rollover| self.grant(rollover).clone());
                let rollover = rollover.filter(|rollover| !rollover.voided && !rollover.is_over(over_at));
                let fits = rollover.as_ref().map_or(0, |rollover| rollover.room.min(credits));
                let paid = self.pay_debt(fits);
                if let Some(rollover) = rollover {
                    let start = self.cycle.start;
                    let into = self.grant(rollover.id);
                    into.free += fits - paid;
                    into.room -= fits - paid;
                    if into.starts == start {
                        self.cycle.rolled_in += fits - paid;
                    }
                }
                self.sums.expired += credits - fits;
            }
        }
        voided
    }

    fn reissue(&mut self, voided: i64, now: i64) {
        if voided > 0 {
            self.entries += 1;
            let id = self.entries;
            self.add_grant(id, From::Adjustment, 30, voided, now, None, None, true);
        }
    }

    fn sorted(&self, mut earmarks: Vec<(u64, i64)>) -> Vec<(u64, i64)> {
        earmarks.sort_by_key(|(id, _)| self.grants.iter().find(|grant| grant.id == *id).unwrap().burning());
        earmarks
    }

    fn end_hold(&mut self, id: u64, status: &'static str, now: i64, over_at: i64) {
        self.entries += 1;
        let hold = self.hold(id).clone();
        let earmarks = self.sorted(hold.earmarks);
        let voided = self.give_back(&earmarks, over_at);
        let hold = self.hold(id);
        hold.earmarks.clear();
        hold.overage = 0;
        hold.ended = Some((status, now));
        self.reissue(voided, now);
        self.close_room();
    }
}
