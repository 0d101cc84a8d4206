//! What comes back, is taken back, or goes to another account.

use super::*;

impl Account {
    pub(super) fn refund(&mut self, charge: u64, credits: Option<i64>, now: i64) -> Said {
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

    pub(super) fn give_refund(&mut self, charge: u64, credits: i64, now: i64) {
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
    pub(super) fn put_back(&mut self, grant: Option<u64>, credits: i64, now: i64, needs_entry: bool) -> bool {
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

    pub(super) fn void(&mut self, id: u64, now: i64) -> Said {
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

    pub(super) fn take_back(&mut self, id: u64, money: Option<i64>) -> Said {
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

    pub(super) fn send(&mut self, credits: i64) -> Said {
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

    pub(super) fn receive(&mut self, portions: &[Portion], now: i64) {
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

    pub(super) fn come_back(&mut self, grant: u64, credits: i64, now: i64) {
        self.entries += 1;
        self.sums.transferred_in += credits;
        let paid = self.pay_debt(credits);
        if credits > paid {
            self.put_back(Some(grant), credits - paid, now, false);
        }
    }
}
