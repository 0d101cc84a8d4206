use super::*;

fn sums(of: &[(i32, &str, &str)]) -> Vec<DaySum> {
    let sum = |(day, name, credits): &(i32, &str, &str)| DaySum {
        day: *day,
        name: Some((*name).to_owned()),
        credits: credits.parse().unwrap(),
    };
    of.iter().map(sum).collect()
}

fn heights(bars: &Bars) -> Vec<Vec<i128>> {
    bars.bars.iter().map(|bar| bars.ends(bar)).collect()
}

#[test]
fn no_day_is_without_a_bar() {
    let bars = Bars::new(20_000, 20_007, &sums(&[(20_003, "a", "5")]));
    assert_eq!(bars.bars.iter().map(|bar| bar.start).collect::<Vec<_>>(), (20_000..20_007).collect::<Vec<_>>());
    assert_eq!(bars.empty_path().matches('M').count() + bars.path(0).matches('M').count(), 7);
    let none = Bars::new(20_000, 20_030, &[]);
    assert_eq!((none.bars.len(), none.series(), none.end), (30, 0, 10));
    assert_eq!(none.empty_path().matches('M').count(), 30);
    assert_eq!(Bars::new(20_000, 20_000, &[]).bars.len(), 0);
    assert_eq!(Bars::new(20_000, 20_000, &[]).ticks(), [0; 0]);
}

#[test]
fn parts_are_stacked_without_gaps() {
    let bars = Bars::new(0, 2, &sums(&[(0, "a", "60"), (0, "b", "40"), (1, "b", "50"), (1, "a", "0")]));
    assert_eq!(bars.end, 100_000_000);
    // b is the largest over all, and lies at the ground.
    assert_eq!(bars.names, [Some("b".to_owned()), Some("a".to_owned())]);
    assert_eq!(heights(&bars), [[400, 1000], [500, 500]]);
}

#[test]
fn one_huge_and_many_tiny_series() {
    let mut of = vec![(0, "huge".to_owned(), "1000000".to_owned()), (1, "tiny".to_owned(), "0.000001".to_owned())];
    of.extend((0..30).map(|n| (0, format!("t{n}"), "0.01".to_owned())));
    let of: Vec<(i32, &str, &str)> = of.iter().map(|(day, name, credits)| (*day, &**name, &**credits)).collect();
    let bars = Bars::new(0, 2, &sums(&of));
    assert_eq!((bars.series(), bars.has_rest), (SERIES_MAX + 1, true));
    let heights = heights(&bars);
    assert_eq!(heights[0].last(), Some(&833), "of an axis that ends at 1.2 millions");
    assert_eq!(heights[1].last(), Some(&LEAST), "the least that there is can be seen");
    assert!(heights.iter().all(|ends| ends.is_sorted()));
    let total: i128 = bars.bars.iter().map(Bar::total).sum();
    assert_eq!(total, 1_000_000_300_001, "nothing is lost in the rest");
}

#[test]
fn more_given_back_than_used_draws_nothing() {
    let bars = Bars::new(0, 1, &sums(&[(0, "a", "-5")]));
    assert_eq!(heights(&bars), [[0]]);
    assert_eq!(bars.empty_path().matches('M').count(), 1);
    assert_eq!(bars.busiest(), None);
}

#[test]
fn long_spans_have_weeks_and_months() {
    // 2026-11-24 is a Tuesday, day 20781.
    let bars = Bars::new(20_781 - 364, 20_782, &sums(&[(20_781, "a", "1"), (20_780, "a", "1")]));
    assert_eq!((bars.step, bars.bars.len()), (Step::Week, 53));
    assert_eq!(bars.bars.last().map(|bar| (bar.start, bar.total())), Some((20_780, 2_000_000)));
    let years = Bars::new(20_781 - 1500, 20_782, &sums(&[(20_781, "a", "1")]));
    assert_eq!((years.step, years.bars.last().map(|bar| bar.start)), (Step::Month, Some(20_758)));
    assert!(Bars::new(i32::MIN / 2, 20_782, &[]).bars.len() <= 245);
}

#[test]
fn bars_have_places_of_their_own() {
    for count in [1, 7, 30, 90, 92] {
        let bars = Bars::new(0, count, &[]);
        let places: Vec<_> = (0..bars.bars.len()).map(|index| bars.place(index)).collect();
        assert!(places.iter().all(|(_, width)| *width > 0));
        assert!(places.windows(2).all(|pair| pair[0].0 + pair[0].1 <= pair[1].0));
        assert!(places.last().is_some_and(|(x, width)| x + width <= WIDTH));
    }
}

#[test]
fn the_scale_is_short() {
    for (credits, expected) in [
        (0, "0"),
        (500, "500"),
        (1_000, "1k"),
        (2_500, "2.5k"),
        (1_250, "1250"),
        (20_000_000, "20m"),
        (3_000_000_000, "3bn"),
    ] {
        assert_eq!(scale_text(credits * 1_000_000), expected);
    }
    assert_eq!(scale_text(250_000), "0.25");
}
