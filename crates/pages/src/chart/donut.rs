//! The gauge: a ring whose parts are what became of the credits of a cycle. A part is a circle that is drawn from one
//! length to another of a path that is a thousand long, so that neither the server nor the script needs trigonometry.

use crate::figures::{lengths, percent_e4};
use ledger_core::{Amount, Balance};
use maud::{Markup, html};

/// The length of the ring.
const RING: i128 = 1000;
/// What a part has at least, of which [`GAP`] is left free.
const LEAST: i128 = 12;
/// What is free between parts.
const GAP: i128 = 5;

/// A part of the ring.
pub(crate) struct Part {
    /// Its name in the style and for the script.
    pub(crate) name: &'static str,
    pub(crate) label: &'static str,
    pub(crate) credits: Amount,
}

/// The parts in the order in which they lie, clockwise from the top.
pub(crate) fn parts(balance: &Balance) -> [Part; 5] {
    [
        Part { name: "consumed", label: "Used", credits: balance.consumed },
        Part { name: "package_remaining", label: "Package left", credits: balance.package_remaining },
        Part { name: "purchased_remaining", label: "Purchased left", credits: balance.purchased_remaining },
        Part { name: "other_remaining", label: "Other left", credits: balance.other_remaining },
        Part { name: "held", label: "Held", credits: balance.held },
    ]
}

/// Where each part begins and how long it is drawn.
fn arcs(credits: &[Amount]) -> Vec<(i128, i128)> {
    let micros: Vec<i128> = credits.iter().map(|credits| i128::from(credits.micros())).collect();
    let lengths = lengths(&micros, RING, LEAST);
    let gap = if lengths.iter().filter(|length| **length > 0).count() > 1 { GAP } else { 0 };
    let mut start = 0;
    let arc = |length: &i128| {
        let arc = (start, (length - gap).max(0));
        start += length;
        arc
    };
    lengths.iter().map(arc).collect()
}

/// The ring, with the share used in its middle.
pub(crate) fn gauge(balance: &Balance) -> Markup {
    let parts = parts(balance);
    let credits: Vec<Amount> = parts.iter().map(|part| part.credits).collect();
    let share = percent_e4(balance.used_share_e4);
    html! {
        svg.gauge viewBox="0 0 120 120" role="img" aria-labelledby="gauge-title" {
            title #gauge-title { (share) " of the credits of this cycle are used" }
            circle.ring cx="60" cy="60" r="50" {}
            // The path of a circle begins at three o'clock, and a gauge at twelve.
            g transform="rotate(-90 60 60)" {
                @for (part, (start, length)) in parts.iter().zip(arcs(&credits)) {
                    circle class={ "arc " (part.name) } cx="60" cy="60" r="50" pathLength=(RING)
                        stroke-dasharray={ (length) " " (RING - length) } stroke-dashoffset=(-start)
                        data-arc=(part.name) visibility=[(length == 0).then_some("hidden")] {}
                }
            }
            text.share x="60" y="62" text-anchor="middle" data-share="used" { (share) }
            text.of x="60" y="78" text-anchor="middle" { "used" }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn arcs_of(credits: [&str; 5]) -> Vec<(i128, i128)> {
        arcs(&credits.map(|credits| credits.parse().unwrap()))
    }

    #[test]
    fn arcs_fill_the_ring() {
        assert_eq!(arcs_of(["0", "0", "0", "0", "0"]), [(0, 0); 5]);
        assert_eq!(arcs_of(["0", "1000", "0", "0", "0"])[1], (0, 1000), "a whole ring has no gap");
        assert_eq!(arcs_of(["1000", "0", "0", "0", "0"])[0], (0, 1000));
        assert_eq!(arcs_of(["500", "500", "0", "0", "0"])[..2], [(0, 495), (500, 495)]);
        let arcs = arcs_of(["9000000000000", "0.000001", "0.000001", "0", "0.000001"]);
        assert_eq!(arcs, [(0, 959), (964, 7), (976, 7), (988, 0), (988, 7)], "what is there can be seen");
    }
}
