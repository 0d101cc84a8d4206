//! Usage over time: a bar for each day, or for each week or month where there are many, stacked by name. The largest names
//! have a series each, and the rest are one more. Every day of the span has its place, also where nothing was used.

use super::{SERIES_MAX, class, pattern, swatch};
use crate::amounts::{Digits, text};
use crate::credits::DaySum;
use crate::figures::axis_end;
use crate::names;
use crate::times;
use chrono::Datelike;
use ledger_core::Amount;
use maud::{Markup, html};
use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::fmt::Write;

/// The drawing's size. It is stretched to the room there is, so that its units are no pixels.
const WIDTH: i128 = 10_000;
const HEIGHT: i128 = 1_000;
/// A bar that has anything is so high at least.
const LEAST: i128 = 10;
/// The most bars: a quarter of days, or of weeks.
const BARS_MAX: i32 = 92;
/// How far back a chart goes; nobody reads more bars of months than these.
const DAYS_MAX: i32 = 365 * 20;

/// How many days a bar stands for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Step {
    Day,
    Week,
    Month,
}

impl Step {
    fn of(days: i32) -> Self {
        match days {
            ..=BARS_MAX => Self::Day,
            _ if days <= BARS_MAX * 7 => Self::Week,
            _ => Self::Month,
        }
    }

    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Day => "day",
            Self::Week => "week",
            Self::Month => "month",
        }
    }

    /// The first day of the bar that a day belongs to. Weeks begin on Mondays.
    fn start(self, day: i32) -> i32 {
        match self {
            Self::Day => day,
            Self::Week => day - (day + 3).rem_euclid(7),
            Self::Month => day - i32::try_from(times::day(day).day0()).unwrap_or(0),
        }
    }

    /// What a bar is called.
    fn label(self, start: i32) -> String {
        match self {
            Self::Day => times::day_long(start),
            Self::Week => format!("week of {}", times::day_long(start)),
            Self::Month => times::day(start).format("%B %Y").to_string(),
        }
    }

    fn label_short(self, start: i32) -> String {
        match self {
            Self::Day | Self::Week => times::day_short(start),
            Self::Month => times::day(start).format("%b %Y").to_string(),
        }
    }
}

/// A bar: micro-credits by series.
struct Bar {
    start: i32,
    parts: Vec<i128>,
}

impl Bar {
    fn total(&self) -> i128 {
        self.parts.iter().sum()
    }

    /// What of each series can be drawn: a day may have more given back than used.
    fn drawn(&self) -> i128 {
        self.parts.iter().map(|part| (*part).max(0)).sum()
    }
}

/// A chart, ready to be drawn.
pub(crate) struct Bars {
    pub(crate) step: Step,
    /// The names of the series, the largest first; behind them may come one more for the rest.
    names: Vec<Option<String>>,
    has_rest: bool,
    bars: Vec<Bar>,
    end: i128,
}

impl Bars {
    /// Lays out the days from `from` to the day before `to`.
    pub(crate) fn new(from: i32, to: i32, sums: &[DaySum]) -> Self {
        let from = from.max(to.saturating_sub(DAYS_MAX));
        let step = Step::of(to.saturating_sub(from));
        let is_within = |sum: &&DaySum| (from..to).contains(&sum.day);
        let mut totals: BTreeMap<Option<&str>, i128> = BTreeMap::new();
        for sum in sums.iter().filter(is_within) {
            *totals.entry(sum.name.as_deref()).or_default() += i128::from(sum.credits.micros());
        }
        let mut ranked: Vec<(Option<&str>, i128)> = totals.into_iter().collect();
        ranked.sort_by_key(|(_, total)| std::cmp::Reverse(*total));
        // One that would be alone in the rest may as well have its name.
        let has_rest = ranked.len() > SERIES_MAX;
        ranked.truncate(SERIES_MAX);
        let places: HashMap<Option<&str>, usize> = ranked.iter().enumerate().map(|(i, (name, _))| (*name, i)).collect();
        let series = ranked.len() + usize::from(has_rest);
        let starts: BTreeSet<i32> = (from..to).map(|day| step.start(day)).collect();
        let mut bars: BTreeMap<i32, Vec<i128>> = starts.into_iter().map(|start| (start, vec![0; series])).collect();
        for sum in sums.iter().filter(is_within) {
            let place = places.get(&sum.name.as_deref()).copied().unwrap_or(ranked.len());
            if let Some(part) = bars.get_mut(&step.start(sum.day)).and_then(|parts| parts.get_mut(place)) {
                *part += i128::from(sum.credits.micros());
            }
        }
        let bars: Vec<Bar> = bars.into_iter().map(|(start, parts)| Bar { start, parts }).collect();
        let end = axis_end(bars.iter().map(Bar::drawn).max().unwrap_or(0));
        Self { step, names: ranked.into_iter().map(|(name, _)| name.map(str::to_owned)).collect(), has_rest, bars, end }
    }

    fn series(&self) -> usize {
        self.names.len() + usize::from(self.has_rest)
    }

    fn name(&self, series: usize) -> &str {
        match self.names.get(series) {
            Some(Some(name)) => name,
            Some(None) => "without a name",
            None => "all others",
        }
    }

    /// The bar with the most.
    pub(crate) fn busiest(&self) -> Option<(String, Amount)> {
        let bar = self.bars.iter().filter(|bar| bar.total() > 0).max_by_key(|bar| bar.total())?;
        Some((self.step.label_short(bar.start), amount(bar.total())))
    }

    /// Where a bar lies, with what is free beside it.
    fn place(&self, index: usize) -> (i128, i128) {
        let count = i128::try_from(self.bars.len().max(1)).unwrap_or(1);
        let index = i128::try_from(index).unwrap_or(0);
        let (start, end) = (index * WIDTH / count, (index + 1) * WIDTH / count);
        // A single bar is no wall.
        let free = ((end - start) / 5).max((end - start - 600) / 2);
        (start + free / 2, end - start - free)
    }

    /// The height at which each part of a bar ends, from the ground; the last is the height of the bar.
    fn ends(&self, bar: &Bar) -> Vec<i128> {
        let drawn = bar.drawn();
        if drawn == 0 {
            return vec![0; bar.parts.len()];
        }
        let height = (drawn * HEIGHT / self.end).max(LEAST);
        let mut sum = 0;
        let end = |part: &i128| {
            sum += (*part).max(0);
            (2 * sum * height + drawn) / (2 * drawn)
        };
        bar.parts.iter().map(end).collect()
    }

    /// One path for all parts of a series.
    fn path(&self, series: usize) -> String {
        let mut path = String::new();
        for (index, bar) in self.bars.iter().enumerate() {
            let ends = self.ends(bar);
            let top = ends.get(series).copied().unwrap_or(0);
            let bottom = series.checked_sub(1).and_then(|below| ends.get(below)).copied().unwrap_or(0);
            if top > bottom {
                let (x, width) = self.place(index);
                // Writing to a String cannot fail.
                let _ = write!(path, "M{x} {}h{width}v{}h-{width}z", HEIGHT - top, top - bottom);
            }
        }
        path
    }

    /// Stubs on the ground for bars of nothing, which show that the day is there.
    fn empty_path(&self) -> String {
        let mut path = String::new();
        for (index, _) in self.bars.iter().enumerate().filter(|(_, bar)| bar.drawn() == 0) {
            let (x, width) = self.place(index);
            let _ = write!(path, "M{x} {}h{width}v6h-{width}z", HEIGHT - 6);
        }
        path
    }

    /// What a bar says when it is pointed at. What it is made of is in the table, from which the script takes it.
    fn said(&self, bar: &Bar) -> String {
        format!("{}: {}", self.step.label(bar.start), text(amount(bar.total()), Digits::Column))
    }

    /// The drawing with its axes and legend.
    pub(crate) fn figure(&self, title: &str) -> Markup {
        let series = self.series();
        html! {
            figure.bars data-chart {
                div.plot {
                    // The same figures are in the table below, where they can be heard.
                    div.scale aria-hidden="true" {
                        @for part in [4, 3, 2, 1, 0] { span { (scale_text(self.end * part / 4)) } }
                    }
                    svg viewBox={ "0 0 " (WIDTH) " " (HEIGHT) } preserveAspectRatio="none" role="img" aria-labelledby="bars-title" {
                        title #bars-title { (title) }
                        path.grid d={ "M0 0h" (WIDTH) "M0 250h" (WIDTH) "M0 500h" (WIDTH) "M0 750h" (WIDTH) } {}
                        path.empty d=(self.empty_path()) {}
                        @for series in 0..series {
                            @match pattern(series) {
                                None => { path class=(class(series)) d=(self.path(series)) {} }
                                Some(pattern) => {
                                    @let id = format!("bars-{series}");
                                    defs { path id=(id) d=(self.path(series)) {} }
                                    use class=(class(series)) href={ "#" (id) } {}
                                    use fill=(pattern) href={ "#" (id) } {}
                                }
                            }
                        }
                        path.ground d={ "M0 " (HEIGHT) "h" (WIDTH) } {}
                        @for (index, bar) in self.bars.iter().enumerate() {
                            @let count = i128::try_from(self.bars.len()).unwrap_or(1);
                            @let at = i128::try_from(index).unwrap_or(0);
                            rect.hit x=(at * WIDTH / count) width=((at + 1) * WIDTH / count - at * WIDTH / count) height=(HEIGHT) {
                                title { (self.said(bar)) }
                            }
                        }
                    }
                    div.days.each[self.bars.len() <= 7] aria-hidden="true" {
                        @for start in self.ticks() { span { (self.step.label_short(start)) } }
                    }
                }
                figcaption {
                    ul.legend {
                        @for series in 0..series { li { (swatch(series)) " " (names::shown(self.name(series))) } }
                    }
                }
            }
        }
    }

    /// The days that are named below: the first, the last, and some between at even distances.
    fn ticks(&self) -> Vec<i32> {
        let last = self.bars.len().saturating_sub(1);
        let wanted = if self.bars.len() <= 7 { last } else { 4 };
        let index = |tick: usize| if wanted == 0 { 0 } else { (2 * tick * last + wanted) / (2 * wanted) };
        (0..=wanted).filter_map(|tick| self.bars.get(index(tick))).map(|bar| bar.start).collect()
    }

    /// The same figures as a table, newest first.
    pub(crate) fn table(&self) -> Markup {
        let series = self.series();
        html! {
            details.as-table {
                summary { "Show as a table" }
                div.scroll tabindex="0" role="region" aria-label="Usage over time as a table" {
                    table {
                        caption.hidden { "Credits used by " (self.step.name()) }
                        thead {
                            tr {
                                th scope="col" { (names::human(self.step.name())) }
                                @for series in 0..series { th scope="col" { (names::shown(self.name(series))) } }
                                th scope="col" { "Total" }
                            }
                        }
                        tbody {
                            @for bar in self.bars.iter().rev() {
                                tr {
                                    th scope="row" { (self.step.label(bar.start)) }
                                    @for part in &bar.parts {
                                        td { @if *part == 0 { "–" } @else { (text(amount(*part), Digits::Column)) } }
                                    }
                                    td { (text(amount(bar.total()), Digits::Column)) }
                                }
                            }
                        }
                    }
                }
            }
        }
    }
}

/// Sums of an account's usage stay far within an amount's range; what would not is shown as its end.
fn amount(micros: i128) -> Amount {
    let max = ledger_core::amount::AMOUNT_MICROS_MAX;
    let micros = i64::try_from(micros).unwrap_or(max).clamp(-max, max);
    Amount::from_micros(micros).unwrap_or_default()
}

/// A number of the scale, short: `2.5k`.
fn scale_text(micros: i128) -> String {
    const STEPS: [(i128, &str); 4] = [(1_000_000_000_000, "T"), (1_000_000_000, "bn"), (1_000_000, "m"), (1_000, "k")];
    let credits = micros / 1_000_000;
    let step =
        STEPS.into_iter().find(|(size, _)| credits >= 10 * size || (credits >= *size && credits % (size / 10) == 0));
    match step {
        Some((size, unit)) => {
            let tenths = credits * 10 / size;
            let point = if tenths % 10 == 0 { String::new() } else { format!(".{}", tenths % 10) };
            format!("{}{point}{unit}", tenths / 10)
        }
        None => amount(micros).to_string(),
    }
}

#[cfg(test)]
mod tests;
