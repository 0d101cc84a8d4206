//! Where each delivery stands, so that none is looked for: what is due first at an endpoint, what is under way to it, and
//! what need not be kept any longer.

use super::DeliveryKey;
use super::deliveries::{Delivery, DeliveryState};
use ledger_core::Timestamp;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

#[derive(Debug, Default)]
pub(super) struct Index {
    lanes: BTreeMap<Arc<str>, Lane>,
    /// Those that have ended, by when they are over.
    over: BTreeSet<(Timestamp, DeliveryKey)>,
}

/// The deliveries of one endpoint.
#[derive(Debug, Default)]
struct Lane {
    /// When the pending ones are due; `None` for those that are under way.
    pending: BTreeMap<Arc<str>, Option<Timestamp>>,
    due: BTreeSet<(Timestamp, Arc<str>)>,
    under_way: usize,
    delivered: BTreeSet<(Timestamp, Arc<str>)>,
}

impl Index {
    /// Takes a delivery in that is not here.
    pub(super) fn add(&mut self, delivery: &Delivery) {
        let notice = delivery.notice.clone();
        let lane = self.lanes.entry(delivery.endpoint.clone()).or_default();
        match delivery.state {
            DeliveryState::Pending { due_at } => {
                lane.due.insert((due_at, notice.clone()));
                lane.pending.insert(notice, Some(due_at));
            }
            DeliveryState::Delivered { at } => drop(lane.delivered.insert((at, notice))),
            DeliveryState::Dead { .. } => {}
        }
        if let Some(over_at) = delivery.over_at() {
            self.over.insert((over_at, delivery.key()));
        }
    }

    /// Takes a delivery out, as it was taken in.
    pub(super) fn remove(&mut self, delivery: &Delivery) {
        if let Some(over_at) = delivery.over_at() {
            self.over.remove(&(over_at, delivery.key()));
        }
        let Some(lane) = self.lanes.get_mut(&delivery.endpoint) else { return };
        match lane.pending.remove(&delivery.notice) {
            Some(Some(due_at)) => drop(lane.due.remove(&(due_at, delivery.notice.clone()))),
            Some(None) => lane.under_way -= 1,
            None => {}
        }
        if let DeliveryState::Delivered { at } = delivery.state {
            lane.delivered.remove(&(at, delivery.notice.clone()));
        }
        if lane.pending.is_empty() && lane.delivered.is_empty() {
            self.lanes.remove(&delivery.endpoint);
        }
    }

    /// Takes what is due first at an endpoint, where it is due and there are not so many under way; it is from here on.
    pub(super) fn take_due(&mut self, endpoint: &str, now: Timestamp, under_way_max: usize) -> Option<Arc<str>> {
        let lane = self.lanes.get_mut(endpoint).filter(|lane| lane.under_way < under_way_max)?;
        lane.due.first().filter(|(due_at, _)| *due_at <= now)?;
        let (_, notice) = lane.due.pop_first()?;
        lane.pending.insert(notice.clone(), None);
        lane.under_way += 1;
        Some(notice)
    }

    /// Has what is under way tried again later.
    pub(super) fn put_off(&mut self, (endpoint, notice): &DeliveryKey, until: Timestamp) {
        if let Some(lane) = self.lanes.get_mut(endpoint)
            && let Some(due_at @ None) = lane.pending.get_mut(notice)
        {
            *due_at = Some(until);
            lane.under_way -= 1;
            lane.due.insert((until, notice.clone()));
        }
    }

    pub(super) fn is_under_way(&self, (endpoint, notice): &DeliveryKey) -> bool {
        self.lanes.get(endpoint).is_some_and(|lane| lane.pending.get(notice) == Some(&None))
    }

    /// How many wait for an endpoint, or are under way to it.
    pub(super) fn pending(&self, endpoint: &str) -> usize {
        self.lanes.get(endpoint).map_or(0, |lane| lane.pending.len())
    }

    /// The oldest that arrived at an endpoint, beyond so many.
    pub(super) fn delivered_beyond(&self, endpoint: &Arc<str>, kept: usize) -> Vec<DeliveryKey> {
        let Some(lane) = self.lanes.get(endpoint) else { return Vec::new() };
        let excess = lane.delivered.len().saturating_sub(kept);
        lane.delivered.iter().take(excess).map(|(_, notice)| (endpoint.clone(), notice.clone())).collect()
    }

    /// Some of those that are over by now.
    pub(super) fn over(&self, now: Timestamp, limit: usize) -> Vec<DeliveryKey> {
        let over = self.over.iter().take_while(|(over_at, _)| *over_at <= now);
        over.take(limit).map(|(_, key)| key.clone()).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::notices::NoticeKind;

    fn delivery(notice: &str, state: DeliveryState) -> Delivery {
        Delivery {
            endpoint: "a".into(),
            notice: notice.into(),
            kind: NoticeKind::Exhausted,
            account: None,
            body: String::new(),
            created_at: Timestamp::from_millis(0),
            attempts: Vec::new(),
            state,
        }
    }

    fn due(notice: &str, due_at_ms: i64) -> Delivery {
        delivery(notice, DeliveryState::Pending { due_at: Timestamp::from_millis(due_at_ms) })
    }

    fn take(index: &mut Index, now_ms: i64) -> Option<String> {
        index.take_due("a", Timestamp::from_millis(now_ms), 2).map(|notice| notice.to_string())
    }

    #[test]
    fn the_longest_due_comes_first_and_two_at_a_time() {
        let mut index = Index::default();
        [due("late", 30), due("first", 10), due("second", 20)].iter().for_each(|delivery| index.add(delivery));
        assert_eq!(take(&mut index, 9), None);
        assert_eq!(take(&mut index, 25).as_deref(), Some("first"));
        assert_eq!(take(&mut index, 25).as_deref(), Some("second"));
        assert_eq!(take(&mut index, 99), None, "there is no room");
        assert_eq!(index.pending("a"), 3);
        index.remove(&due("first", 10));
        assert_eq!(take(&mut index, 29), None);
        assert_eq!(take(&mut index, 30).as_deref(), Some("late"));
    }

    #[test]
    fn what_is_put_off_comes_again_once() {
        let mut index = Index::default();
        let key = ("a".into(), "n".into());
        index.add(&due("n", 10));
        index.put_off(&key, Timestamp::from_millis(99));
        assert_eq!(take(&mut index, 10).as_deref(), Some("n"), "only what is under way is put off");
        assert!(index.is_under_way(&key));
        index.put_off(&key, Timestamp::from_millis(50));
        assert!(!index.is_under_way(&key));
        assert_eq!(take(&mut index, 49), None);
        assert_eq!(take(&mut index, 50).as_deref(), Some("n"));
        index.put_off(&key, Timestamp::from_millis(60));
        index.remove(&due("n", 10));
        assert_eq!(take(&mut index, 99), None, "it was taken out where it was put off to");
    }

    #[test]
    fn what_has_ended_is_over_in_time_or_in_number() {
        let mut index = Index::default();
        let at = |ms| Timestamp::from_millis(ms);
        let all = [1, 2, 3].map(|n| delivery(&n.to_string(), DeliveryState::Delivered { at: at(n) }));
        all.iter().for_each(|delivery| index.add(delivery));
        let ids = |keys: Vec<DeliveryKey>| keys.into_iter().map(|(_, notice)| notice.to_string()).collect::<Vec<_>>();
        assert_eq!(ids(index.delivered_beyond(&"a".into(), 1)), ["1", "2"]);
        let week_ms = 7 * 86_400_000;
        assert_eq!(ids(index.over(at(week_ms + 2), 10)), ["1", "2"]);
        assert_eq!(ids(index.over(at(week_ms + 9), 1)), ["1"]);
        all.iter().for_each(|delivery| index.remove(delivery));
        assert!(index.over(at(i64::MAX), 10).is_empty() && index.delivered_beyond(&"a".into(), 0).is_empty());
        assert!(index.lanes.is_empty());
    }
}
