//! Charts as SVG, drawn here, so that the page needs nothing from anywhere. All lengths are whole numbers.

use maud::{Markup, html};

/// How wide a chart is, in its own units.
const WIDTH: i128 = 720;
/// Where the bars begin, after their labels.
const LABELS: i128 = 170;
/// How much room is left for the figures behind the bars.
const FIGURES: i128 = 190;
/// How many characters of a label there is room for.
const LABEL_CHARS: usize = 24;

/// A pair of bars, one for what was and one for what would have been.
pub(super) struct Pair {
    pub(super) label: String,
    pub(super) old: i128,
    pub(super) new: i128,
    /// The two as they are written behind the bars.
    pub(super) figures: (String, String),
}

/// Bars in pairs, below one another.
pub(super) fn pairs(title: &str, pairs: &[Pair]) -> Markup {
    let most = pairs.iter().flat_map(|pair| [pair.old, pair.new]).max().unwrap_or(0).max(1);
    let width = |value: i128| value.max(0) * (WIDTH - LABELS - FIGURES) / most;
    let row = 40;
    let height = row * i128::try_from(pairs.len()).unwrap_or(0);
    html! {
        svg viewBox={ "0 0 " (WIDTH) " " (height) } role="img" aria-label=(title) {
            @for (index, pair) in (0_i128..).zip(pairs) {
                @let top = index * row;
                text.label x=(LABELS - 8) y=(top + 22) text-anchor="end" { (shortened(&pair.label)) title { (pair.label) } }
                rect.old x=(LABELS) y=(top + 4) width=(width(pair.old).max(1)) height="14" rx="2" {}
                text.figure x=(LABELS + width(pair.old) + 6) y=(top + 15) { (pair.figures.0) }
                rect.new x=(LABELS) y=(top + 20) width=(width(pair.new).max(1)) height="14" rx="2" {}
                text.figure x=(LABELS + width(pair.new) + 6) y=(top + 31) { (pair.figures.1) }
            }
        }
    }
}

/// Columns beside one another, each with its count above and its name below.
pub(super) fn columns(title: &str, columns: &[(String, u64)]) -> Markup {
    let most = columns.iter().map(|(_, count)| *count).max().unwrap_or(0).max(1);
    let (height, room) = (160_i128, WIDTH / i128::try_from(columns.len()).unwrap_or(1).max(1));
    let tall = |count: u64| i128::from(count) * height / i128::from(most);
    html! {
        svg viewBox={ "0 0 " (WIDTH) " " (height + 60) } role="img" aria-label=(title) {
            @for (index, (name, count)) in (0_i128..).zip(columns) {
                @let middle = index * room + room / 2;
                rect.new x=(middle - room / 2 + 4) y=(20 + height - tall(*count)) width=(room - 8) height=(tall(*count)) rx="2" {}
                text.figure x=(middle) y=(14 + height - tall(*count)) text-anchor="middle" { (count) }
                text.tick x=(middle) y=(height + 38) text-anchor="middle" { (name) }
            }
            line x1="0" x2=(WIDTH) y1=(height + 20) y2=(height + 20) {}
        }
    }
}

fn shortened(label: &str) -> String {
    if label.chars().count() <= LABEL_CHARS {
        return label.to_owned();
    }
    let head: String = label.chars().take(LABEL_CHARS - 1).collect();
    format!("{head}…")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_longest_bar_fills_the_room_and_labels_are_escaped() {
        let pair =
            |label: &str, old, new| Pair { label: label.to_owned(), old, new, figures: ("a".into(), "b".into()) };
        let drawn = pairs("by model", &[pair("<m>", 100, 200), pair(&"x".repeat(50), 0, -5)]).into_string();
        assert!(drawn.contains("width=\"360\"") && drawn.contains("width=\"180\""), "{drawn}");
        assert!(drawn.contains("&lt;m&gt;") && !drawn.contains("<m>"), "{drawn}");
        assert!(drawn.contains(&format!("{}…", "x".repeat(23))), "{drawn}");
        let drawn = columns("changes", &[("same".to_owned(), 4), ("more".to_owned(), 0)]).into_string();
        assert!(drawn.contains("height=\"160\"") && drawn.contains("height=\"0\""), "{drawn}");
    }
}
