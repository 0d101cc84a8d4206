//! A line of what came of late, without a scale: whether it goes up or down, beside the number that it is of.

use maud::{Markup, html};

/// The drawing's width and height.
const WIDTH: usize = 600;
const HEIGHT: u64 = 100;
/// What stays free above and below, so that the line is not cut.
const EDGE: u64 = 4;

/// Values in order of time, the newest last; at most so many are ever drawn, and the newest is at the right edge. It has
/// its own name for the script, which draws it anew by the same rule.
pub(crate) fn line(name: &str, values: &[u64], most: usize) -> Markup {
    let (line, under) = points(values, most);
    html! {
        svg.spark aria-hidden="true" viewBox={ "0 0 " (WIDTH) " " (HEIGHT) } preserveAspectRatio="none" data-spark=(name)
            data-values=(values.iter().map(u64::to_string).collect::<Vec<_>>().join(" ")) data-most=(most) {
            polygon.under points=(under) {}
            polyline.line points=(line) {}
        }
    }
}

/// The points of the line, and those of the area under it.
fn points(values: &[u64], most: usize) -> (String, String) {
    let values = &values[values.len().saturating_sub(most)..];
    if values.len() < 2 {
        return (String::new(), String::new());
    }
    let top = u128::from(values.iter().copied().max().unwrap_or(0).max(1));
    let room = u128::from(HEIGHT - 2 * EDGE);
    let steps = most.saturating_sub(1).max(1);
    let from = most - values.len();
    let point = |(index, value): (usize, &u64)| {
        let x = (from + index) * WIDTH / steps;
        let y = u128::from(HEIGHT - EDGE) - u128::from(*value) * room / top;
        format!("{x},{y}")
    };
    let line: Vec<String> = values.iter().enumerate().map(point).collect();
    let line = line.join(" ");
    let under = format!("{},{HEIGHT} {line} {WIDTH},{HEIGHT}", from * WIDTH / steps);
    (line, under)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_newest_is_at_the_right_edge() {
        assert_eq!(points(&[], 4), (String::new(), String::new()));
        assert_eq!(points(&[7], 4), (String::new(), String::new()));
        assert_eq!(points(&[0, 10], 4).0, "400,96 600,4");
        assert_eq!(points(&[9, 9, 0, 5, 10, 0], 4).0, "0,96 200,50 400,4 600,96");
        assert_eq!(points(&[0, 0], 2), ("0,96 600,96".to_owned(), "0,100 0,96 600,96 600,100".to_owned()));
        assert_eq!(points(&[u64::MAX, u64::MAX], 2).0, "0,4 600,4");
    }
}
