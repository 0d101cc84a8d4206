//! Charges and holds.

use super::*;

impl Account {
    /// How much more may be owed.
    pub(super) fn headroom(&self, plan: &PlanIs) -> i64 {
        (plan.overage - self.debt - self.overage_held()).max(0)
    }

    pub(super) fn charge(&mut self, credits: i64, rule: usize, plan: &PlanIs) -> Said {
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

    pub(super) fn book_charge(&mut self, drawn: Vec<(u64, i64)>, overage: i64) {
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
    pub(super) fn cover(&mut self, credits: i64, rule: usize, plan: &PlanIs) -> (Vec<(u64, i64)>, i64) {
        let headroom = self.headroom(plan);
        let drawn = self.draw(credits.min(self.remaining()));
        for (id, credits) in &drawn {
            self.grant(*id).held += credits;
        }
        let covered: i64 = drawn.iter().map(|(_, credits)| credits).sum();
        let overage = if rule == CAP { 0 } else { (credits - covered).min(headroom) };
        (drawn, overage)
    }

    pub(super) fn open_hold(&mut self, credits: i64, ends: i64, rule: usize, plan: &PlanIs) -> Said {
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

    pub(super) fn extend(&mut self, id: u64, total: Option<i64>, ends: Option<i64>, plan: &PlanIs) -> Said {
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

    pub(super) fn settle(
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
        if (total < hold.priced || is_less_used) && !is_final {
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
        let mut left = too_much;
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
}
