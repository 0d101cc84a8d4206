//! The tables, as Markdown that is aligned for a terminal too.

use super::goals::{Goal, median};
use super::rounds::{Sample, Samples};
use std::fmt::Write;

/// What a figure counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    PerSecond,
    Microseconds,
    Milliseconds,
    Bytes,
    Count,
}

/// A figure, what it is compared with, and what it should be.
#[derive(Clone, Debug)]
pub(super) struct Row {
    pub(super) work: String,
    pub(super) kind: Kind,
    pub(super) purser: f64,
    /// What it is compared with; empty where the goal is a bound of the figure itself.
    pub(super) against: String,
    pub(super) against_figure: Option<f64>,
    /// A goal of the ratio, or of the figure itself where it is compared with nothing.
    pub(super) goal: Option<Goal>,
}

impl Row {
    /// A figure with a bound of its own.
    pub(super) fn bounded(work: impl Into<String>, kind: Kind, figure: f64, goal: Goal) -> Self {
        Self { work: work.into(), kind, purser: figure, against: String::new(), against_figure: None, goal: Some(goal) }
    }

    fn ratio(&self) -> Option<f64> {
        self.against_figure.map(|figure| self.purser / figure)
    }

    /// What the goal is about; `None` where that was not measured.
    fn judged(&self) -> Option<f64> {
        if self.against.is_empty() { Some(self.purser) } else { self.ratio() }
    }

    pub(super) fn is_missed(&self) -> bool {
        self.goal.zip(self.judged()).is_some_and(|(goal, value)| !goal.is_met(value))
    }

    fn verdict(&self) -> &'static str {
        match (self.goal, self.judged()) {
            (None, _) => "",
            (Some(_), None) => "not measured",
            (Some(goal), Some(value)) => {
                if goal.is_met(value) {
                    "met"
                } else {
                    "MISSED"
                }
            }
        }
    }

    fn goal_text(&self) -> String {
        let bound = |bound| if self.against.is_empty() { quantity(self.kind, bound) } else { format!("{bound:?} ×") };
        match self.goal {
            None => String::new(),
            Some(Goal::AtLeast(least)) => format!("≥ {}", bound(least)),
            Some(Goal::AtMost(most)) => format!("≤ {}", bound(most)),
        }
    }

    fn cells(&self) -> [String; 7] {
        [
            self.work.clone(),
            quantity(self.kind, self.purser),
            self.against.clone(),
            self.against_figure.map(|figure| quantity(self.kind, figure)).unwrap_or_default(),
            self.ratio().map(|ratio| format!("{ratio:.2} ×")).unwrap_or_default(),
            self.goal_text(),
            self.verdict().to_owned(),
        ]
    }
}

/// The table of goals.
pub(super) fn goals_table(rows: &[Row]) -> String {
    let cells = rows.iter().map(|row| row.cells().to_vec()).collect();
    table(&["work", "Purser", "compared with", "its figure", "ratio", "goal", ""], cells)
}

/// The table of everything that ran in rounds: medians, and the rates' range.
pub(super) fn variants_table(samples: &Samples) -> String {
    let cells = samples.iter().map(|(variant, samples)| {
        let field = |field: fn(&Sample) -> f64| median(samples.iter().map(field)).unwrap_or_default();
        let rates = || samples.iter().map(|sample| sample.per_second);
        let (least, most) = (rates().fold(f64::INFINITY, f64::min), rates().fold(0.0, f64::max));
        vec![
            variant.name().to_owned(),
            whole(field(|sample| sample.per_second)),
            format!("{}–{}", whole(least), whole(most)),
            quantity(Kind::Microseconds, field(|sample| sample.p50_us)),
            quantity(Kind::Microseconds, field(|sample| sample.p99_us)),
            format!("{:.2} s", field(|sample| sample.cpu_s)),
            median(samples.iter().filter_map(|sample| sample.resident_bytes))
                .map(|bytes| quantity(Kind::Bytes, bytes))
                .unwrap_or_default(),
        ]
    });
    let headers = ["variant", "events/s", "range", "p50", "p99", "server's CPU", "server's memory"];
    table(&headers, cells.collect())
}

/// A figure with its unit.
pub(super) fn quantity(kind: Kind, figure: f64) -> String {
    match kind {
        Kind::PerSecond => format!("{}/s", whole(figure)),
        Kind::Microseconds => format!("{:.2} ms", figure / 1e3),
        Kind::Milliseconds => format!("{} ms", whole(figure)),
        Kind::Bytes if figure >= 1_048_576.0 => format!("{} MiB", whole(figure / 1_048_576.0)),
        Kind::Bytes => format!("{} B", whole(figure)),
        Kind::Count => whole(figure),
    }
}

/// A number without a fraction, with commas between thousands.
pub(super) fn whole(number: f64) -> String {
    let digits = format!("{number:.0}");
    let mut text = String::with_capacity(digits.len() + digits.len() / 3);
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

/// A table in Markdown, its columns as wide as their widest cell.
pub(super) fn table(headers: &[&str], rows: Vec<Vec<String>>) -> String {
    let headers = headers.iter().map(|header| (*header).to_owned()).collect::<Vec<_>>();
    let mut widths: Vec<usize> = headers.iter().map(|header| header.chars().count()).collect();
    for row in &rows {
        for (width, cell) in widths.iter_mut().zip(row) {
            *width = (*width).max(cell.chars().count());
        }
    }
    let rule = widths.iter().map(|width| "-".repeat((*width).max(1))).collect();
    let mut text = String::new();
    for row in [headers, rule].into_iter().chain(rows) {
        text.push('|');
        for (width, cell) in widths.iter().zip(&row) {
            // Writing to a string does not fail.
            let _ = write!(text, " {cell:<width$} |");
        }
        text.push('\n');
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn thousands_are_set_apart() {
        for (number, text) in [(0.0, "0"), (999.4, "999"), (1_000.0, "1,000"), (1_234_567.8, "1,234,568")] {
            assert_eq!(whole(number), text);
        }
        assert_eq!(quantity(Kind::Bytes, 314.2), "314 B");
        assert_eq!(quantity(Kind::Bytes, 400.0 * 1_048_576.0), "400 MiB");
        assert_eq!(quantity(Kind::Microseconds, 412.0), "0.41 ms");
    }

    #[test]
    fn columns_are_as_wide_as_they_must_be() {
        let text = table(&["a", "bb"], vec![vec!["xyz".to_owned(), "≥".to_owned()]]);
        assert_eq!(text, "| a   | bb |\n| --- | -- |\n| xyz | ≥  |\n");
    }

    fn row(purser: f64, against_figure: Option<f64>, goal: Option<Goal>) -> Row {
        let (work, against) = ("single".to_owned(), "PostgreSQL".to_owned());
        Row { work, kind: Kind::PerSecond, purser, against, against_figure, goal }
    }

    #[test]
    fn a_row_is_judged_by_its_ratio() {
        let four = Some(Goal::AtLeast(4.0));
        for (row, verdict, is_missed) in [
            (row(20_000.0, Some(5_000.0), four), "met", false),
            (row(19_999.0, Some(5_000.0), four), "MISSED", true),
            (row(20_000.0, None, four), "not measured", false),
            (row(20_000.0, Some(5_000.0), None), "", false),
            (Row::bounded("restart", Kind::Milliseconds, 2_100.0, Goal::AtMost(2_000.0)), "MISSED", true),
            (Row::bounded("restart", Kind::Milliseconds, 2_000.0, Goal::AtMost(2_000.0)), "met", false),
        ] {
            assert_eq!((row.verdict(), row.is_missed()), (verdict, is_missed), "{row:?}");
        }
        let cells = row(20_000.0, Some(5_000.0), four).cells();
        assert_eq!(cells, ["single", "20,000/s", "PostgreSQL", "5,000/s", "4.00 ×", "≥ 4.0 ×", "met"]);
    }
}
