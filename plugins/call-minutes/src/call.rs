//! The arithmetic: how many seconds of a call are billed, and what they cost.

use plugin_sdk::config::MarkUps;
use plugin_sdk::{Decimal, LineItem, Quote, Refusal, UsageEvent, fee, line, pattern, total};

/// The units that a call's length comes in.
pub(crate) const SECONDS: &str = "seconds";
pub(crate) const MINUTES: &str = "minutes";

const SECONDS_PER_MINUTE: u64 = 60;

/// What calls cost. What a mark-up applies to is there once for each of them.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct CallMinutes {
    pub(crate) mark_ups: MarkUps,
    /// Rates of some calls; the first that takes a call counts.
    pub(crate) rates: Vec<Rate>,
    /// The rate of all others, where they have one.
    pub(crate) per_minute: Option<Vec<Decimal>>,
    pub(crate) time: BilledTime,
    pub(crate) connection_fee_micros: Vec<i64>,
    /// The least that an event with any quantity costs.
    pub(crate) minimum_micros: i64,
    /// Prices of other units.
    pub(crate) per_unit: Vec<(String, Vec<Decimal>)>,
}

/// The rate of some calls.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Rate {
    pub(crate) activities: Vec<String>,
    pub(crate) models: Vec<String>,
    pub(crate) per_minute: Vec<Decimal>,
}

/// How much of a call is billed.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct BilledTime {
    /// Time is billed in whole increments, each begun one in full.
    pub(crate) increment_seconds: u64,
    /// Seconds that come off before anything is billed.
    pub(crate) free_seconds: u64,
    /// The least that is billed of a call that lasts beyond the free seconds.
    pub(crate) minimum_seconds: u64,
}

impl Default for BilledTime {
    /// By the started minute.
    fn default() -> Self {
        Self { increment_seconds: SECONDS_PER_MINUTE, free_seconds: 0, minimum_seconds: 0 }
    }
}

impl BilledTime {
    /// The seconds that are billed of a call; `None` where no number holds them.
    pub(crate) fn of(&self, seconds: u64) -> Option<u64> {
        let beyond_free = seconds.saturating_sub(self.free_seconds);
        if beyond_free == 0 {
            return Some(0);
        }
        beyond_free.max(self.minimum_seconds).div_ceil(self.increment_seconds).checked_mul(self.increment_seconds)
    }
}

pub(crate) fn price(calls: &CallMinutes, event: &UsageEvent) -> Result<Quote, Refusal> {
    let markup = calls.mark_ups.place(&event.plan);
    let mut items = Vec::new();
    let mut call_is_priced = false;
    for quantity in event.quantities.iter().filter(|quantity| quantity.amount > 0) {
        if [SECONDS, MINUTES].contains(&quantity.unit.as_str()) {
            // A call may come in both units. It is one call all the same, with one fee and one start of an increment.
            if !call_is_priced {
                call(calls, event, markup, &mut items)?;
            }
            call_is_priced = true;
        } else {
            let rate = calls.per_unit.iter().find(|(unit, _)| *unit == quantity.unit);
            let (unit, rates) = rate.ok_or_else(|| event.unpriced_unit(&quantity.unit))?;
            items.push(line(&unit.replace('_', " "), unit, quantity.amount, rates[markup], 1)?);
        }
    }
    let sum = total(&items)?;
    if !items.is_empty() && sum < calls.minimum_micros {
        items.push(fee("minimum", calls.minimum_micros - sum));
    }
    Ok(Quote { items })
}

/// The lines of the call: its connection, and its time.
fn call(calls: &CallMinutes, event: &UsageEvent, markup: usize, items: &mut Vec<LineItem>) -> Result<(), Refusal> {
    let (seconds, minutes) = (event.amount_of(SECONDS), event.amount_of(MINUTES));
    let (unit, used) = if seconds == 0 { (MINUTES, minutes) } else { (SECONDS, seconds) };
    let rates = rate_of(calls, event).ok_or_else(|| event.unpriced_unit(unit))?;
    let too_long = || Refusal::InvalidUsage("no call is that long".to_owned());
    let lasted = minutes.checked_mul(SECONDS_PER_MINUTE).and_then(|more| more.checked_add(seconds));
    let lasted = lasted.ok_or_else(too_long)?;
    let billed = calls.time.of(lasted).ok_or_else(too_long)?;
    let connection = calls.connection_fee_micros[markup];
    if connection > 0 {
        items.push(fee("connection", connection));
    }
    let mut call = line("call time", unit, billed, rates[markup], SECONDS_PER_MINUTE)?;
    // The line shows what was used; what it costs is by what was billed.
    call.quantity = if unit == SECONDS { lasted } else { used };
    items.push(call);
    Ok(())
}

fn rate_of<'a>(calls: &'a CallMinutes, event: &UsageEvent) -> Option<&'a Vec<Decimal>> {
    let takes = |rate: &&Rate| {
        pattern::any(&rate.activities, Some(&event.activity)) && pattern::any(&rate.models, event.model.as_deref())
    };
    calls.rates.iter().find(takes).map(|rate| &rate.per_minute).or(calls.per_minute.as_ref())
}
