//! Shares and the scales of charts: whole numbers that add up to what they are parts of.

/// Shares in thousandths that add up to 1000, by the largest remainder; all zero where there is nothing. What is below
/// zero has no share.
pub(crate) fn shares_e3(values: &[i128]) -> Vec<u32> {
    let positive = |value: &i128| u128::try_from(*value).unwrap_or(0);
    let total: u128 = values.iter().map(positive).sum();
    if total == 0 {
        return vec![0; values.len()];
    }
    let exact = |value: &i128| positive(value).saturating_mul(1000);
    let mut shares: Vec<u32> = values.iter().map(|v| u32::try_from(exact(v) / total).unwrap_or(1000)).collect();
    let missing = 1000_u32.saturating_sub(shares.iter().sum());
    let mut by_rest: Vec<usize> = (0..values.len()).collect();
    by_rest.sort_by_key(|index| std::cmp::Reverse(exact(&values[*index]) % total));
    for index in by_rest.into_iter().take(usize::try_from(missing).unwrap_or(0)) {
        shares[index] += 1;
    }
    shares
}

/// A share in thousandths as text, such as `34.2%`. What is there but rounds to nothing is `<0.1%`.
pub(crate) fn percent(share_e3: u32, is_there: bool) -> String {
    match share_e3 {
        0 if is_there => "<0.1%".to_owned(),
        0 => "0%".to_owned(),
        1000 => "100%".to_owned(),
        share => format!("{}.{}%", share / 10, share % 10),
    }
}

/// A share in ten-thousandths as text, such as `34.2%`: cut off, so that 100 % is shown only once nothing is left.
pub(crate) fn percent_e4(share_e4: u32) -> String {
    percent((share_e4 / 10).min(1000), share_e4 > 0)
}

/// Lengths that add up to `whole`, in proportion to the values; whatever is above zero gets at least `least`, so that it
/// can be seen. All zero where there is nothing.
pub(crate) fn lengths(values: &[i128], whole: i128, least: i128) -> Vec<i128> {
    let total: i128 = values.iter().map(|value| (*value).max(0)).sum();
    let seen = i128::try_from(values.iter().filter(|value| **value > 0).count()).unwrap_or(0);
    if total <= 0 {
        return vec![0; values.len()];
    }
    let least = least.min(whole / seen.max(1));
    let free = whole - seen * least;
    // Ends are rounded and lengths are between them, so that nothing is lost on the way.
    let end = |sum: i128| (2 * sum * free + total) / (2 * total);
    let mut sum = 0;
    let length = |value: &i128| {
        let value = (*value).max(0);
        let start = end(sum);
        sum += value;
        if value == 0 { 0 } else { end(sum) - start + least }
    };
    values.iter().map(length).collect()
}

/// The end of an axis, whose quarters are round too: the smallest of 1, 1.2, 1.6, 2, 2.4, 3.2, 4, 6 and 8 times a power of
/// ten that is not below the value.
pub(crate) fn axis_end(value: i128) -> i128 {
    let mut power: i128 = 1;
    loop {
        // Powers below ten have no half.
        let steps = [10, 12, 16, 20, 24, 32, 40, 60, 80].map(|step| step * power);
        if let Some(end) = steps.into_iter().find(|end| *end >= value.max(1)) {
            return end;
        }
        power *= 10;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shares_add_up() {
        for (values, expected) in [
            (vec![], vec![]),
            (vec![0, 0], vec![0, 0]),
            (vec![5], vec![1000]),
            (vec![1, 1, 1], vec![334, 333, 333]),
            (vec![2, 1], vec![667, 333]),
            (vec![-5, 10], vec![0, 1000]),
            (vec![1_000_000, 1, 1], vec![1000, 0, 0]),
        ] {
            assert_eq!(shares_e3(&values), expected, "{values:?}");
        }
        let many: Vec<i128> = (1..500).map(|n| n * n * 7919 % 1009).collect();
        assert_eq!(shares_e3(&many).iter().sum::<u32>(), 1000);
    }

    #[test]
    fn percents_say_when_something_is_there() {
        assert_eq!([percent(0, false), percent(0, true), percent(1, true)], ["0%", "<0.1%", "0.1%"]);
        assert_eq!([percent(342, true), percent(1000, true)], ["34.2%", "100%"]);
        assert_eq!([percent_e4(2722), percent_e4(9999), percent_e4(10_000)], ["27.2%", "99.9%", "100%"]);
        assert_eq!([percent_e4(0), percent_e4(3)], ["0%", "<0.1%"]);
    }

    #[test]
    fn lengths_add_up_and_can_be_seen() {
        for (values, expected) in [
            (vec![0, 0], vec![0, 0]),
            (vec![100, 0], vec![1000, 0]),
            (vec![0, 100], vec![0, 1000]),
            (vec![1, 1], vec![500, 500]),
            (vec![1, 1_000_000_000], vec![10, 990]),
            (vec![-3, 7], vec![0, 1000]),
        ] {
            assert_eq!(lengths(&values, 1000, 10), expected, "{values:?}");
        }
        let mut tiny = vec![1; 200];
        tiny.push(9_000_000_000_000_000_000);
        let lengths = lengths(&tiny, 1000, 10);
        assert_eq!(lengths.iter().sum::<i128>(), 1000);
        assert!(lengths.iter().all(|length| *length >= 4));
    }

    #[test]
    fn an_axis_ends_on_a_round_number() {
        for (value, expected) in [(0, 10), (10, 10), (11, 12), (21, 24), (26, 32), (81, 100), (123_456, 160_000)] {
            assert_eq!(axis_end(value), expected, "{value}");
        }
        assert!(axis_end(9_000_000_000_000_000_000) >= 9_000_000_000_000_000_000);
    }
}
