//! Prices what was recorded once more, with what is to be tried, and follows what each account would have had left.
//!
//! What was spent otherwise changes what can be spent from then on, until it meets an expiry: credits that were saved
//! would have expired then too, and credits that were spent in addition could not have. Refunds, grants and holds are
//! taken as they were recorded, and so is every charge, also where the account would have run out before it.

use super::job::{Asked, Ended, Job};
use super::pages;
use super::report::{Change, PriceSums, PricingReport, RunOut};
use super::walk::Walk;
use crate::charges::{BEYOND_AMOUNTS, no_price, sum};
use crate::ledger::Ledger;
use crate::ports::{PricingError, PricingPlugin, Quote};
use crate::rated::{Concluded, concluded, rated};
use crate::releases::Releases;
use crate::reprice::details;
use ledger_core::{Account, Amount, Body, Id, Timestamp, UsageEvent};
use ledger_store::Recorded;
use std::sync::Arc;

/// How many charges are priced together.
const CHUNK_CHARGES: usize = 128;
/// How many entries may wait for a chunk to be full.
const STEPS_MAX: usize = 4096;

/// What is tried on what.
pub(super) struct Trial<'a> {
    pub(super) plugin: &'a dyn PricingPlugin,
    pub(super) releases: &'a Releases,
    /// How late an event may come.
    pub(super) max_age_ms: i64,
    /// How far ahead of its booking an event may be.
    pub(super) max_future_ms: i64,
}

/// Goes through everything of the job.
pub(super) fn compare(ledger: &Ledger, job: &Job, trial: &Trial<'_>) -> Result<PricingReport, Ended> {
    let asked = &job.asked;
    let since = asked.from.plus_millis(-trial.max_future_ms);
    let until = asked.to.plus_millis(trial.max_age_ms);
    let mut report = PricingReport::default();
    let visit = |walk: &mut Walk<'_>, page: &[Arc<Account>]| {
        let tracks = page.iter().map(|account| Track::new(account.id.clone())).collect();
        let report = PricingReport::default();
        let mut comparison = Comparison { trial, asked, waiting: Vec::new(), charges_waiting: 0, tracks, report };
        walk.entries_together(page, since, |walk, index, recorded| {
            if recorded.sealed.entry.recorded_at >= until {
                return Ok(false);
            }
            comparison.take(walk, index, &page[index], recorded)?;
            if comparison.charges_waiting >= CHUNK_CHARGES || comparison.waiting.len() >= STEPS_MAX {
                comparison.price_waiting(walk)?;
            }
            Ok(true)
        })?;
        comparison.price_waiting(walk)?;
        Ok(comparison.ended())
    };
    pages::each(ledger, job, since, visit, |came| report.merge(came))?;
    Ok(report)
}

struct Comparison<'a> {
    trial: &'a Trial<'a>,
    asked: &'a Asked,
    waiting: Vec<Step>,
    charges_waiting: usize,
    /// The accounts that are being followed, by their index in the page.
    tracks: Vec<Track>,
    report: PricingReport,
}

/// What waits to be gone through, in order: something that was recorded of an account, which may be a charge to be priced
/// again.
struct Step {
    index: usize,
    moment: Moment,
    charge: Option<Charge>,
}

/// What matters of an entry for what is left.
struct Moment {
    at: Timestamp,
    entry: Id,
    /// What could be spent after it.
    spendable: Amount,
    /// What ended by it.
    expired: Amount,
    /// Whether nothing more could be spent after it, or a part of its price could not be collected.
    is_out: bool,
    /// Whether it was recorded within the period.
    is_within: bool,
}

/// A charge to be priced again.
struct Charge {
    id: Id,
    old: Amount,
    is_erased: bool,
    event: UsageEvent,
}

impl Comparison<'_> {
    fn take(&mut self, walk: &Walk<'_>, index: usize, account: &Account, recorded: &Recorded) -> Result<(), Ended> {
        let entry = &recorded.sealed.entry;
        let charge = self.charge(walk, account, recorded)?;
        self.charges_waiting += usize::from(charge.is_some());
        let spendable = recorded.notes.spendable;
        // An account that never had anything did not run out of it.
        let takes = entry.credits.is_negative() || matches!(entry.body, Body::Hold(_) | Body::Extension(_));
        let is_short = rated(entry).is_some_and(|rated| rated.uncollected.is_positive());
        let moment = Moment {
            at: entry.recorded_at,
            entry: entry.id(),
            spendable,
            expired: if let Body::Expiry { expired, .. } = &entry.body { *expired } else { Amount::ZERO },
            is_out: is_short || (takes && !spendable.is_positive()),
            is_within: self.is_in_period(entry.recorded_at),
        };
        self.waiting.push(Step { index, moment, charge });
        Ok(())
    }

    fn is_in_period(&self, at: Timestamp) -> bool {
        (self.asked.from..self.asked.to).contains(&at)
    }

    /// The charge to be priced, if this is one, or the end of a hold that was settled.
    fn charge(&mut self, walk: &Walk<'_>, account: &Account, recorded: &Recorded) -> Result<Option<Charge>, Ended> {
        let entry = &recorded.sealed.entry;
        if !self.is_in_period(entry.at) {
            return Ok(None);
        }
        let Some(concluded) = concluded(entry) else {
            self.report.partial_settles += u64::from(rated(entry).is_some());
            return Ok(None);
        };
        if !self.is_of_slot(&concluded) {
            self.report.other_plugins += 1;
            return Ok(None);
        }
        let opening = concluded.details_in.map(|hold| walk.entry(account.number, hold)).transpose()?.flatten();
        let holder = opening.as_deref().unwrap_or(recorded);
        // Details that are not those of the chain are as good as none; a verification says more of them.
        let details = details(holder).ok();
        let is_erased = holder.is_erased() || details.is_none();
        let event = concluded.event(&account.id, details.unwrap_or_default());
        Ok(Some(Charge { id: concluded.id, old: concluded.priced, is_erased, event }))
    }

    /// Whether the plugin configuration prices such a charge now. Where no rule is left for it, what priced it says.
    fn is_of_slot(&self, charge: &Concluded<'_>) -> bool {
        match self.trial.releases.slot_for(charge.plan, charge.activity, charge.model.map(|model| &**model)) {
            Some(slot) => *slot == self.asked.slot,
            None => charge.rating.plugin == self.asked.plugin,
        }
    }

    fn price_waiting(&mut self, walk: &mut Walk<'_>) -> Result<(), Ended> {
        let waiting = std::mem::take(&mut self.waiting);
        self.charges_waiting = 0;
        let charges = waiting.iter().filter_map(|step| step.charge.as_ref());
        let events: Vec<&UsageEvent> = charges.map(|charge| &charge.event).collect();
        let quotes = if events.is_empty() { Vec::new() } else { self.trial.plugin.price_all(&events) };
        walk.job().progress.charges_done(quotes.len());
        let mut quotes = quotes.into_iter();
        for Step { index, moment, charge } in waiting {
            let id = charge.as_ref().map(|charge| charge.id);
            let quote = charge.as_ref().and_then(|_| quotes.next());
            let more_micros = charge.zip(quote).map_or(0, |(charge, quote)| self.judge(index, charge, quote));
            if let Some(track) = self.tracks.get_mut(index) {
                track.pass(&moment, id, more_micros);
            }
        }
        walk.rest()
    }

    /// Counts what came of a charge, and gives by how much more it would have cost.
    fn judge(&mut self, index: usize, charge: Charge, quote: Result<Quote, PricingError>) -> i128 {
        let Charge { id, old, is_erased, event } = charge;
        // The machine may have been busy elsewhere: what is no price is tried once more, by itself.
        let quote = match quote {
            Err(PricingError::Failed(..)) => self.trial.plugin.price(&event),
            quote => quote,
        };
        let is_failed = matches!(quote, Err(PricingError::Failed(..)));
        let priced = match quote {
            Ok(quote) => sum(&quote).ok_or_else(|| BEYOND_AMOUNTS.to_owned()),
            Err(error) => Err(no_price(&error)),
        };
        let new = match priced {
            Ok(new) => new,
            Err(reason) => {
                let report = &mut self.report;
                let (charges, micros) = if is_failed {
                    (&mut report.failed, &mut report.failed_micros)
                } else {
                    (&mut report.refused, &mut report.refused_micros)
                };
                *charges += 1;
                *micros += i128::from(old.micros());
                report.add_reason(reason, id, old);
                return 0;
            }
        };
        if is_erased {
            self.report.erased.add(old, new);
            return 0;
        }
        if let Some(track) = self.tracks.get_mut(index) {
            track.sums.add(old, new);
        }
        let UsageEvent { account, activity, agent, model, occurred_at, .. } = event;
        self.report.add(Change { charge: id, account, activity, agent, model, occurred_at, old, new });
        i128::from(new.micros()) - i128::from(old.micros())
    }

    /// What was found, when all accounts of the page have been gone through.
    fn ended(mut self) -> PricingReport {
        for track in self.tracks {
            self.report.accounts.add(&track.account, track.sums);
            self.report.ran_out += u64::from(track.ran_out_at.is_some());
            if let Some(run_out) = track.run_out {
                self.report.add_run_out(RunOut { ran_out_at: track.ran_out_at, ..run_out });
            }
        }
        self.report
    }
}

/// An account on its way through the period.
struct Track {
    account: Arc<str>,
    sums: PriceSums,
    /// How much more would have been spent of what is there now.
    more_micros: i128,
    run_out: Option<RunOut>,
    ran_out_at: Option<Timestamp>,
}

impl Track {
    fn new(account: Arc<str>) -> Self {
        Self { account, sums: PriceSums::default(), more_micros: 0, run_out: None, ran_out_at: None }
    }

    /// Goes past an entry, which would have cost so much more.
    fn pass(&mut self, moment: &Moment, charge: Option<Id>, more_micros: i128) {
        if moment.expired.is_positive() {
            // What was saved would have expired with the rest, and what was spent could not.
            let expired = i128::from(moment.expired.micros());
            self.more_micros = if self.more_micros > expired { self.more_micros - expired } else { 0 };
        }
        self.more_micros += more_micros;
        if moment.is_within && moment.is_out && self.ran_out_at.is_none() {
            self.ran_out_at = Some(moment.at);
        }
        let left = i128::from(moment.spendable.micros()) - self.more_micros;
        let counts = self.more_micros > 0 && (moment.is_within || charge.is_some());
        if left < 0 && counts && self.run_out.is_none() {
            let shortfall = i64::try_from(-left).ok().and_then(Amount::from_micros);
            self.run_out = Some(RunOut {
                account: self.account.clone(),
                at: moment.at,
                entry: moment.entry,
                charge,
                shortfall: shortfall.unwrap_or_default(),
                spendable: moment.spendable,
                ran_out_at: None,
            });
        }
    }
}
