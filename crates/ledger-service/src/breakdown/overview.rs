//! What a page shows of usage, in one go: sums by model and by agent, and over time.

use super::{Groups, KeyValue, OTHER, Summing, Sums, UsageGroup, UsageKey, UsageQuery, UsageSummary, value};
use crate::error::ServiceError;
use crate::ledger::Ledger;
use crate::reading::Window;
use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet};

/// Most groups of days and names that are kept apart. A chart has fewer colours by far; this many are no work.
const DAY_GROUPS_MAX: usize = 20_000;
/// How many names are kept apart over time where there are more groups than that.
const NAMES_KEPT: usize = 12;

/// Usage in a window.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UsageOverview {
    /// What all of it comes to.
    pub summary: UsageSummary,
    /// By model, the largest first.
    pub models: Vec<UsageGroup>,
    /// By agent, the largest first.
    pub agents: Vec<UsageGroup>,
    /// By day, and by what was asked for. Where there is a great deal, small names are counted as [`OTHER`].
    pub days: Vec<UsageGroup>,
}

impl Ledger {
    /// What an account used in a window, and over its days by model or by agent.
    pub fn usage_overview(&self, id: &str, window: Window, by: UsageKey) -> Result<UsageOverview, ServiceError> {
        let span = self.usage_span(id, &UsageQuery { window, ..UsageQuery::default() })?;
        let day_keys = [UsageKey::Day, by];
        let mut summary = Summing::default();
        let mut models = Groups::new(&[UsageKey::Model]);
        let mut agents = Groups::new(&[UsageKey::Agent]);
        let mut days = Some(Groups::new(&day_keys));
        for stretch in span.stretches() {
            self.each_day(&span, &stretch, |company, day, usage| {
                summary.add(day, usage)?;
                models.add(company, day, usage)?;
                agents.add(company, day, usage)?;
                if let Some(groups) = &mut days {
                    groups.add(company, day, usage)?;
                }
                days.take_if(|groups| groups.sums.len() > DAY_GROUPS_MAX);
                Ok(())
            })?;
        }
        let (models, agents) = (models.finish(), agents.finish());
        let days = match days {
            Some(days) => days.finish(),
            None => {
                let largest = if by == UsageKey::Agent { &agents } else { &models };
                let kept = largest.iter().take(NAMES_KEPT).filter_map(|group| group.key.first().cloned()).collect();
                self.days_of(&span, by, &kept)?
            }
        };
        Ok(UsageOverview { summary: span.summary(&summary), models, agents, days })
    }

    /// Usage by day and by these names, and that of all others together.
    fn days_of(
        &self,
        span: &super::Span,
        by: UsageKey,
        kept: &BTreeSet<KeyValue>,
    ) -> Result<Vec<UsageGroup>, ServiceError> {
        let other = KeyValue::Name(Some(OTHER.into()));
        let mut sums: BTreeMap<Vec<KeyValue>, Sums> = BTreeMap::new();
        for stretch in span.stretches() {
            self.each_day(span, &stretch, |company, day, usage| {
                for row in &usage.rows {
                    let name = value(by, company, day, &row.name);
                    let name = if kept.contains(&name) { name } else { other.clone() };
                    sums.entry(vec![KeyValue::Day(day), name]).or_default().add(row)?;
                }
                Ok(())
            })?;
        }
        let mut groups: Vec<UsageGroup> = sums.into_iter().map(|(key, sums)| sums.group(key)).collect();
        groups.sort_by(|a, b| a.key.first().cmp(&b.key.first()).then(Reverse(a.credits).cmp(&Reverse(b.credits))));
        Ok(groups)
    }
}
