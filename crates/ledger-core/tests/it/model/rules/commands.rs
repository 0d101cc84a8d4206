//! What is asked of an account, and what comes due before it.

use super::*;

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
    pub(super) fn plan(&self, plan: usize, t: i64) -> PlanIs {
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

    pub(super) fn catch_up(&mut self, who: usize) {
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

    pub(super) fn instant(&mut self, who: usize, t: i64) {
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

    pub(super) fn run(&mut self, who: usize, what: &What) -> Said {
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

    pub(super) fn change_plan(
        &mut self,
        who: usize,
        new: usize,
        next: bool,
        proportional: bool,
        restart: bool,
    ) -> Said {
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
