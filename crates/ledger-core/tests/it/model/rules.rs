//! The ledger rules once more, slowly: plain whole numbers, lists that are searched and sorted anew each time, nothing
//! ever forgotten. Where this file and the core differ, one of them misreads ledger-rules.md.

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

impl Model {
    pub(crate) fn new(seed: u64) -> Self {
        let plans: Vec<Vec<(i64, PlanIs)>> = PLANS_AT_START.iter().map(|is| vec![(0, *is)]).collect();
        let openings = openings(seed);
        let account = |who: usize| {
            let (plan, first) = openings[who];
            let is = PLANS_AT_START[plan];
            let (anchor, period_ms) = (-ANCHORED_MS[who], is.days * DAY_MS);
            let end = boundary_after(anchor, period_ms, 0);
            let package = match first {
                0 => is.package,
                1 => share(is.package, end, period_ms),
                _ => 0,
            };
            let mut account = Account {
                who,
                entries: 1,
                status: Status::Active,
                plan,
                next_plan: None,
                period_ms,
                anchor,
                next_anchor: None,
                debt: 0,
                sums: Sums::default(),
                cycle: Cycle { end, ..Cycle::default() },
                grants: Vec::new(),
                holds: Vec::new(),
                charges: Vec::new(),
                purchases: Vec::new(),
                transfers: Vec::new(),
                last_cycle_began: 0,
                cycle_began: 0,
            };
            account.package(package, 0);
            account
        };
        Self { now: 0, plans, accounts: [account(0), account(1)] }
    }

    /// The definition of a plan at an instant.
    fn plan(&self, plan: usize, t: i64) -> PlanIs {
        let definitions = &self.plans[plan];
        definitions.iter().rev().find(|(from, _)| *from <= t).unwrap_or(&definitions[0]).1
    }

    pub(crate) fn execute(&mut self, ask: &Ask) -> Said {
        match ask {
            Ask::Wait { ms } => {
                self.now += ms;
                Said::Nothing
            }
            Ask::Define { plan, is } => {
                self.plans[*plan].push((self.now, *is));
                Said::Nothing
            }
            Ask::Of { who, what } => {
                self.catch_up(*who);
                self.run(*who, what)
            }
        }
    }

    // ---- What happens by itself.

    fn catch_up(&mut self, who: usize) {
        loop {
            let account = &self.accounts[who];
            let mut dues = vec![account.cycle.end];
            dues.extend(account.holds.iter().filter(|hold| hold.ended.is_none()).map(|hold| hold.ends));
            for grant in &account.grants {
                if !grant.started {
                    dues.push(grant.starts);
                } else if grant.free > 0 {
                    dues.extend(grant.ends);
                }
            }
            let t = dues.into_iter().min().unwrap();
            if t > self.now {
                return;
            }
            self.instant(who, t);
        }
    }

    fn instant(&mut self, who: usize, t: i64) {
        let ended_plan = self.plan(self.accounts[who].plan, t - 1);
        let (coming, plan_at_t) = {
            let account = &self.accounts[who];
            let plan = account.next_plan.unwrap_or(account.plan);
            (plan, self.plan(plan, t))
        };
        let account = &mut self.accounts[who];

        // Holds that end.
        let mut over: Vec<(i64, u64)> =
            account.holds.iter().filter(|h| h.ended.is_none() && h.ends <= t).map(|h| (h.ends, h.id)).collect();
        over.sort_unstable();
        for (_, id) in over {
            account.end_hold(id, "expired", t, t - 1);
        }

        let is_boundary = t == account.cycle.end;
        let mut new_anchor = account.next_anchor.unwrap_or(account.anchor);
        let new_period = plan_at_t.days * DAY_MS;
        let is_other_period = new_period != account.period_ms;
        if is_other_period {
            new_anchor = t;
        }
        if is_boundary {
            account.begin_cycle(t, t);
            account.roll(&ended_plan, t, new_anchor, new_period);
        }

        // Grants that end.
        for id in account.burning_order(|grant| grant.started && grant.free > 0 && grant.is_over(t)) {
            account.entries += 1;
            let grant = account.grant(id);
            let free = grant.free;
            grant.free = 0;
            account.sums.expired += free;
        }
        account.close_room();

        if is_boundary {
            if is_other_period || coming != account.plan {
                account.entries += 1;
            }
            account.plan = coming;
            account.next_plan = None;
            account.anchor = new_anchor;
            account.next_anchor = None;
            account.period_ms = new_period;
            account.cycle.end = boundary_after(new_anchor, new_period, t);
            let package = if account.status == Status::Cancelled { 0 } else { plan_at_t.package };
            account.package(package, t);
        }

        // Grants that take effect.
        for id in account.burning_order(|grant| !grant.started && grant.starts <= t) {
            account.entries += 1;
            let grant = account.grant(id);
            grant.started = true;
            let credits = grant.free;
            account.sums.granted += credits;
            let paid = account.pay_debt(credits);
            account.grant(id).free -= paid;
        }
    }

    // ---- What is asked.

    fn run(&mut self, who: usize, what: &What) -> Said {
        let now = self.now;
        let plan = self.plan(self.accounts[who].plan, now);
        let account = &mut self.accounts[who];
        match *what {
            What::Advance => Said::Nothing,
            What::Charge { credits, rule } => account.charge(credits, rule, &plan),
            What::Grant { source, credits, priority, starts, ends, paid } => {
                if ends.is_some_and(|ends| ends <= starts.max(now)) {
                    return Said::EndsBeforeEffect;
                }
                let from = [From::Promotion, From::Adjustment, From::Purchase][source];
                account.entries += 1;
                let id = account.entries;
                if from == From::Purchase {
                    account.sums.purchased += credits;
                    account.cycle.purchased += credits;
                    let paid = paid.unwrap();
                    account.purchases.push(Purchase { grant: id, credits, paid, money_back: 0, taken: 0 });
                }
                let priority = priority.unwrap_or(from.priority());
                account.add_grant(id, from, priority, credits, starts, ends, None, starts <= now);
                Said::Done
            }
            What::TakeBack { grant, money, .. } => account.take_back(grant, money),
            What::Hold { credits, ttl_ms, rule } => account.open_hold(credits, now + ttl_ms, rule, &plan),
            What::Extend { hold, total, ttl_ms } => {
                account.extend(hold, total, ttl_ms.map(|ttl_ms| now + ttl_ms), &plan)
            }
            What::Settle { hold, total, used, is_final } => account.settle(hold, total, used, is_final, &plan, now),
            What::Release { hold } => {
                if let Some((status, at)) = account.hold(hold).ended {
                    return Said::Closed { status, at };
                }
                account.end_hold(hold, "released", now, now);
                Said::Done
            }
            What::Refund { charge, credits } => account.refund(charge, credits, now),
            What::Void { grant } => account.void(grant, now),
            What::Deduct { credits, debt } => {
                let free = account.remaining();
                if free < credits && !debt {
                    return Said::Insufficient { required: credits, available: free };
                }
                account.entries += 1;
                let taken = account.draw(credits.min(free)).iter().map(|(_, credits)| credits).sum::<i64>();
                account.debt += credits - taken;
                account.sums.deducted += credits;
                Said::Done
            }
            What::Plan { plan: new, next, proportional, restart } => {
                self.change_plan(who, new, next, proportional, restart)
            }
            What::Status { status } => {
                if account.status == STATUSES[status] {
                    return Said::Nothing;
                }
                account.status = STATUSES[status];
                account.entries += 1;
                Said::Done
            }
            What::Anchor { at } => {
                if account.next_anchor.unwrap_or(account.anchor) == at {
                    return Said::Nothing;
                }
                account.next_anchor = Some(at);
                account.entries += 1;
                Said::Done
            }
            What::Send { credits } => account.send(credits),
            What::Receive { transfer } => {
                let sent = self.accounts[1 - who].transfers.iter_mut().find(|sent| sent.id == transfer).unwrap();
                if sent.has_arrived {
                    return Said::Nothing;
                }
                sent.has_arrived = true;
                let portions = sent.portions.clone();
                self.accounts[who].receive(&portions, now);
                Said::Done
            }
            What::Arrived { transfer } | What::Reverse { transfer } => {
                let sent = account.transfers.iter_mut().find(|sent| sent.id == transfer).unwrap();
                if !sent.is_in_transit {
                    return Said::Nothing;
                }
                sent.is_in_transit = false;
                let portions = sent.portions.clone();
                account.entries += 1;
                if matches!(what, What::Reverse { .. }) {
                    for portion in portions {
                        account.come_back(portion.grant, portion.credits, now);
                    }
                }
                Said::Done
            }
        }
    }

    fn change_plan(&mut self, who: usize, new: usize, next: bool, proportional: bool, restart: bool) -> Said {
        let now = self.now;
        let new_is = self.plan(new, now);
        let old_is = self.plan(self.accounts[who].plan, now);
        let account = &mut self.accounts[who];
        if new == account.plan {
            if account.next_plan.take().is_none() {
                return Said::Nothing;
            }
            account.entries += 1;
            return Said::Done;
        }
        if next {
            if account.next_plan == Some(new) {
                return Said::Nothing;
            }
            account.next_plan = Some(new);
            account.entries += 1;
            return Said::Done;
        }
        let new_period = new_is.days * DAY_MS;
        if restart {
            account.entries += 1;
            account.plan = new;
            account.next_plan = None;
            account.begin_cycle(now, now);
            // Every package of the cycle ends here.
            for grant in account.grants.iter_mut().filter(|grant| grant.from == From::Package && !grant.is_over(now)) {
                grant.ends = Some(now);
            }
            account.roll(&old_is, now, now, new_period);
            for id in account.burning_order(|grant| grant.from == From::Package && grant.is_over(now) && grant.free > 0)
            {
                account.entries += 1;
                let grant = account.grant(id);
                let free = grant.free;
                grant.free = 0;
                account.sums.expired += free;
            }
            account.close_room();
            account.anchor = now;
            account.next_anchor = None;
            account.period_ms = new_period;
            account.cycle.end = boundary_after(now, new_period, now);
            let package = if account.status == Status::Cancelled { 0 } else { new_is.package };
            account.package(package, now);
            return Said::Done;
        }
        if new_period != account.period_ms {
            return Said::CycleLength;
        }
        account.plan = new;
        account.next_plan = None;
        account.entries += 1;
        if proportional {
            let (left, whole) = (account.cycle.end - now, account.cycle.end - account.cycle.start);
            let change = share(new_is.package - old_is.package, left, whole);
            if change > 0 && account.status != Status::Cancelled {
                account.package(change, now);
            }
            let mut to_take = -change;
            let mut packages: Vec<u64> =
                account.grants.iter().filter(|g| g.from == From::Package && g.free > 0).map(|g| g.id).collect();
            packages.sort_unstable();
            for id in packages.into_iter().rev() {
                let taken = to_take.min(account.grant(id).free);
                if taken > 0 {
                    to_take -= taken;
                    account.entries += 1;
                    account.grant(id).free -= taken;
                    account.sums.expired += taken;
                    account.cycle.package -= taken;
                    account.close_room();
                }
            }
        }
        Said::Done
    }
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

    /// How much more may be owed.
    fn headroom(&self, plan: &PlanIs) -> i64 {
        (plan.overage - self.debt - self.overage_held()).max(0)
    }

    fn charge(&mut self, credits: i64, rule: usize, plan: &PlanIs) -> Said {
        if self.status == Status::Suspended {
            return Said::Suspended;
        }
        let (free, headroom) = (self.remaining(), self.headroom(plan));
        if rule == REJECT && credits > free + headroom {
            return Said::Insufficient { required: credits, available: free + headroom };
        }
        self.entries += 1;
        let drawn = self.draw(credits.min(free));
        let beyond = (credits - free).max(0);
        let overage = if rule == CAP { 0 } else { beyond.min(headroom) };
        self.book_charge(drawn, overage);
        Said::Done
    }

    fn book_charge(&mut self, drawn: Vec<(u64, i64)>, overage: i64) {
        let mut taken: Vec<(Option<u64>, i64)> = drawn.into_iter().map(|(id, credits)| (Some(id), credits)).collect();
        if overage > 0 {
            taken.push((None, overage));
        }
        let sum: i64 = taken.iter().map(|(_, credits)| credits).sum();
        self.debt += overage;
        self.sums.charged += sum;
        self.cycle.consumed += sum;
        self.charges.push(Charge { id: self.entries, cycle: self.cycle.number, taken, refunded: 0 });
    }

    /// Sets aside free credits, then, unless the rule is to cap, what rests on overage.
    fn cover(&mut self, credits: i64, rule: usize, plan: &PlanIs) -> (Vec<(u64, i64)>, i64) {
        let headroom = self.headroom(plan);
        let drawn = self.draw(credits.min(self.remaining()));
        for (id, credits) in &drawn {
            self.grant(*id).held += credits;
        }
        let covered: i64 = drawn.iter().map(|(_, credits)| credits).sum();
        let overage = if rule == CAP { 0 } else { (credits - covered).min(headroom) };
        (drawn, overage)
    }

    fn open_hold(&mut self, credits: i64, ends: i64, rule: usize, plan: &PlanIs) -> Said {
        if self.status == Status::Suspended {
            return Said::Suspended;
        }
        let (free, headroom) = (self.remaining(), self.headroom(plan));
        let there = if rule == CAP { free } else { free + headroom };
        let is_refused = if rule == REJECT { there < credits } else { there == 0 && credits > 0 };
        if is_refused {
            return Said::Insufficient { required: credits, available: free + headroom };
        }
        self.entries += 1;
        let (earmarks, overage) = self.cover(credits, rule, plan);
        self.holds.push(Hold {
            id: self.entries,
            rule,
            ends,
            earmarks,
            overage,
            priced: 0,
            settled: 0,
            used: None,
            settles: Vec::new(),
            ended: None,
        });
        Said::Done
    }

    fn extend(&mut self, id: u64, total: Option<i64>, ends: Option<i64>, plan: &PlanIs) -> Said {
        let hold = self.hold(id).clone();
        if let Some((status, at)) = hold.ended {
            return Said::Closed { status, at };
        }
        if self.status == Status::Suspended {
            return Said::Suspended;
        }
        let covered = hold.held() + hold.overage;
        let there = hold.settled + covered;
        let total = total.unwrap_or(there);
        if total < hold.priced {
            return Said::UsageDecreased { previous: hold.priced, stated: total };
        }
        let more = (total - there).max(0);
        let available = self.remaining() + self.headroom(plan);
        if hold.rule == REJECT && more > available {
            return Said::ExceedsHold { requested: total, settled: hold.settled, held: covered, available };
        }
        self.entries += 1;
        let (earmarks, overage) = self.cover(more, hold.rule, plan);
        let hold = self.hold(id);
        for (grant, credits) in earmarks {
            match hold.earmarks.iter_mut().find(|(known, _)| *known == grant) {
                Some((_, known)) => *known += credits,
                None => hold.earmarks.push((grant, credits)),
            }
        }
        hold.overage += overage;
        hold.ends = hold.ends.max(ends.unwrap_or(hold.ends));
        Said::Done
    }

    fn settle(
        &mut self,
        id: u64,
        total: Option<i64>,
        used: Option<u64>,
        is_final: bool,
        plan: &PlanIs,
        now: i64,
    ) -> Said {
        let hold = self.hold(id).clone();
        let is_late = hold.ended.is_some();
        if let Some((status, at)) = hold.ended
            && (status != "expired" || now - at > LATE_MS)
        {
            return Said::Closed { status, at };
        }
        // Without a total it is what was settled already; without usage there is none to compare with.
        let used = if total.is_some() { used } else { hold.used };
        let total = total.unwrap_or(hold.priced);
        let is_less_used = match (hold.used, used) {
            (Some(before), Some(now)) => now < before,
            _ => false,
        };
        if (total < hold.priced || is_less_used) && (is_late || !is_final) {
            return Said::UsageDecreased { previous: hold.priced, stated: total };
        }
        let needed = (total - hold.settled).max(0);
        let from_earmarks = needed.min(hold.held());
        let from_overage = (needed - from_earmarks).min(hold.overage);
        let excess = needed - from_earmarks - from_overage;
        let free = self.remaining();
        if hold.rule == REJECT && excess > 0 && !(is_late && excess <= free) {
            let held = hold.held() + hold.overage;
            return Said::ExceedsHold { requested: total, settled: hold.settled, held, available: free };
        }

        self.entries += 1;
        // First what is set aside.
        let mut drawn = Vec::new();
        let mut left = from_earmarks;
        let mut earmarks = self.sorted(hold.earmarks.clone());
        for (grant, credits) in &mut earmarks {
            let taken = left.min(*credits);
            if taken > 0 {
                left -= taken;
                *credits -= taken;
                self.grant(*grant).held -= taken;
                drawn.push((*grant, taken));
            }
        }
        earmarks.retain(|(_, credits)| *credits > 0);
        // Then free credits: for what rests on overage first, then for the excess.
        let from_free = self.draw((from_overage + excess).min(free));
        let from_free_sum: i64 = from_free.iter().map(|(_, credits)| credits).sum();
        drawn.extend(from_free);
        let unpaid_overage = (from_overage - from_free_sum).max(0);
        let unpaid_excess = excess - (from_free_sum - from_overage).max(0);
        // Then debt: what rests on overage was promised; the excess has the limit and the grace, less what is used.
        let others = self.overage_held() - hold.overage;
        let room = (plan.overage + plan.grace - self.debt - others - unpaid_overage).max(0);
        let overflow = if hold.rule == OVERFLOW && !is_late { unpaid_excess.min(room) } else { 0 };
        let collected = from_earmarks + from_free_sum + unpaid_overage + overflow;
        self.book_charge(drawn, unpaid_overage + overflow);

        let charge = self.entries;
        let known = self.hold(id);
        known.earmarks = earmarks.clone();
        known.overage -= from_overage;
        known.priced = total;
        known.used = used;
        known.settled += collected;
        known.settles.push(charge);
        if !is_final {
            self.close_room();
            return Said::Done;
        }
        // What was collected too much goes back, as far as it has not gone back already.
        let too_much = (hold.settled - total).max(0);
        let settles = self.hold(id).settles.clone();
        let known = self.hold(id);
        known.earmarks.clear();
        known.overage = 0;
        known.ended = Some(("settled", now));
        let voided = self.give_back(&earmarks, now);
        self.reissue(voided, now);
        self.close_room();
        let mut left = if is_late { 0 } else { too_much };
        for settle in settles.into_iter().rev() {
            let made = self.charges.iter().find(|made| made.id == settle).unwrap();
            let give = left.min(made.taken.iter().map(|(_, credits)| credits).sum::<i64>() - made.refunded);
            if give > 0 {
                left -= give;
                self.give_refund(settle, give, now);
            }
        }
        Said::Done
    }

    fn refund(&mut self, charge: u64, credits: Option<i64>, now: i64) -> Said {
        let made = self.charges.iter().find(|made| made.id == charge).unwrap();
        let charged: i64 = made.taken.iter().map(|(_, credits)| credits).sum();
        let refunded = made.refunded;
        let give = credits.unwrap_or(charged - refunded);
        if give > charged - refunded || give <= 0 {
            return Said::RefundExceedsCharge { charged, refunded, requested: credits.unwrap_or(charged) };
        }
        self.give_refund(charge, give, now);
        Said::Done
    }

    fn give_refund(&mut self, charge: u64, credits: i64, now: i64) {
        let cycle = self.cycle.number;
        let made = self.charges.iter_mut().find(|made| made.id == charge).unwrap();
        // Credit by credit from the end: what was refunded before, then what pays debt, then the rest.
        let mut backwards: Vec<(Option<u64>, i64)> = made.taken.iter().rev().copied().collect();
        let skip = |mut credits: i64, parts: &mut Vec<(Option<u64>, i64)>| {
            for part in parts.iter_mut() {
                let skipped = credits.min(part.1);
                part.1 -= skipped;
                credits -= skipped;
            }
        };
        skip(made.refunded, &mut backwards);
        made.refunded += credits;
        if made.cycle == cycle {
            self.cycle.consumed -= credits;
        } else {
            self.cycle.refunded_earlier += credits;
        }
        self.sums.refunded += credits;
        let paid = self.pay_debt(credits);
        skip(paid, &mut backwards);
        let mut left = credits - paid;
        self.entries += 1;
        let mut adjustments = 0;
        for (grant, there) in backwards {
            let part = left.min(there);
            left -= part;
            if part > 0 && self.put_back(grant, part, now, adjustments > 0) {
                adjustments += 1;
            }
        }
    }

    /// Puts credits back into their grant, or into an adjustment where that is over; each adjustment after the first needs
    /// an entry of its own. Returns whether it was one.
    fn put_back(&mut self, grant: Option<u64>, credits: i64, now: i64, needs_entry: bool) -> bool {
        let (priority, ends) = match grant.map(|id| self.grant(id).clone()) {
            None => (30, now + THIRTY_DAYS_MS),
            Some(grant) if grant.voided || grant.is_over(now) => {
                let is_of_cycle = matches!(grant.from, From::Package | From::Rollover);
                (grant.priority, if is_of_cycle { self.cycle.end } else { now + THIRTY_DAYS_MS })
            }
            Some(grant) => {
                self.grant(grant.id).free += credits;
                return false;
            }
        };
        if needs_entry {
            self.entries += 1;
        }
        self.grants.push(Grant {
            id: self.entries,
            from: From::Adjustment,
            priority,
            starts: now,
            ends: Some(ends),
            free: credits,
            held: 0,
            started: true,
            voided: false,
            rolls_into: None,
            room: 0,
            came_from: None,
        });
        true
    }

    fn void(&mut self, id: u64, now: i64) -> Said {
        let Some(grant) = self.grants.iter_mut().find(|grant| grant.id == id) else {
            return Said::NoGrant;
        };
        if grant.voided || grant.is_over(now) || (grant.free == 0 && grant.held == 0) {
            return Said::GrantSpent;
        }
        grant.voided = true;
        let free = grant.free;
        grant.free = 0;
        // What has not taken effect was never counted.
        if grant.started {
            self.sums.voided += free;
        }
        grant.started = true;
        self.entries += 1;
        Said::Done
    }

    fn take_back(&mut self, id: u64, money: Option<i64>) -> Said {
        let Some(purchase) = self.purchases.iter_mut().find(|purchase| purchase.grant == id) else {
            return Said::NoGrant;
        };
        let left = purchase.paid - purchase.money_back;
        let asked = money.unwrap_or(left);
        let is_done = left == 0 && (purchase.paid > 0 || purchase.taken == purchase.credits);
        if asked > left || is_done {
            return Said::RefundExceedsPurchase {
                paid: purchase.paid,
                refunded: purchase.money_back,
                requested: money.unwrap_or(purchase.paid),
            };
        }
        purchase.money_back += asked;
        let due = match purchase.paid {
            0 => purchase.credits,
            paid => share(purchase.credits, purchase.money_back, paid),
        };
        let credits = due - purchase.taken;
        purchase.taken = due;
        self.entries += 1;
        self.cycle.purchased -= credits;
        let grant = self.grant(id);
        let from_grant = credits.min(grant.free);
        grant.free -= from_grant;
        if !grant.started {
            // With less to come, or nothing: none of it was ever counted.
            grant.started = grant.free == 0;
            assert_eq!(from_grant, credits);
            return Said::Done;
        }
        let rest = credits - from_grant;
        let others: i64 = self.draw(rest.min(self.remaining())).iter().map(|(_, credits)| credits).sum();
        self.debt += rest - others;
        self.sums.voided += credits;
        Said::Done
    }

    fn send(&mut self, credits: i64) -> Said {
        if self.status == Status::Suspended {
            return Said::Suspended;
        }
        let free = self.remaining();
        if credits > free {
            return Said::Insufficient { required: credits, available: free };
        }
        self.entries += 1;
        let to = 1 - self.who;
        let is_theirs = |grant: &Grant| grant.came_from.is_some_and(|origin| origin.account == to);
        let mut order = self.burning_order(|grant| grant.started && is_theirs(grant));
        order.reverse();
        order.extend(self.burning_order(|grant| grant.started && !is_theirs(grant)));
        let drawn = self.draw_from(&order, credits);
        self.sums.transferred_out += credits;
        let portions = drawn
            .into_iter()
            .map(|(id, credits)| {
                let grant = self.grant(id);
                Portion { credits, grant: id, priority: grant.priority, ends: grant.ends, came_from: grant.came_from }
            })
            .collect();
        let id = self.entries;
        self.transfers.push(Transfer { id, portions, is_in_transit: true, has_arrived: false });
        Said::Done
    }

    fn receive(&mut self, portions: &[Portion], now: i64) {
        let sender = 1 - self.who;
        for portion in portions {
            match portion.came_from {
                Some(origin) if origin.account == self.who => self.come_back(origin.grant, portion.credits, now),
                _ => {
                    self.entries += 1;
                    let id = self.entries;
                    let ends = portion.ends.map(|ends| ends.max(now + 1));
                    let came_from = Some(CameFrom { account: sender, grant: portion.grant });
                    self.add_grant(id, From::Transfer, portion.priority, portion.credits, now, ends, came_from, true);
                }
            }
        }
    }

    fn come_back(&mut self, grant: u64, credits: i64, now: i64) {
        self.entries += 1;
        self.sums.transferred_in += credits;
        let paid = self.pay_debt(credits);
        if credits > paid {
            self.put_back(Some(grant), credits - paid, now, false);
        }
    }
}
