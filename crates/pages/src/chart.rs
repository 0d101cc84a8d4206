//! Drawings of figures, made on the server as SVG. All geometry is whole numbers in units of the drawing; colours and
//! patterns are the style's, by class. Each has a title for those who hear it, and the figures beside it as text.

pub(crate) mod bars;
pub(crate) mod donut;
pub(crate) mod spark;

use maud::{Markup, html};

/// How many series have a colour of their own; the rest are counted together.
pub(crate) const SERIES_MAX: usize = 8;

/// Series from this one on have stripes over their colour, so that no two are told apart by colour alone: within each half
/// lightness alternates, and stripes tell the halves apart.
const STRIPES_FROM: usize = 4;

/// The class that colours a series; what is behind the last is all others together.
pub(crate) fn class(series: usize) -> String {
    if series < SERIES_MAX { format!("s{}", series + 1) } else { "s0".to_owned() }
}

/// The pattern over a series.
pub(crate) fn pattern(series: usize) -> Option<&'static str> {
    match series {
        SERIES_MAX.. => Some("url(#dense)"),
        STRIPES_FROM.. => Some("url(#stripes)"),
        _ => None,
    }
}

/// The patterns, once a page. Their stripes are level, since drawings are stretched sideways.
pub(crate) fn patterns() -> Markup {
    html! {
        svg.sprite aria-hidden="true" width="0" height="0" {
            defs {
                pattern id="stripes" width="40" height="40" patternUnits="userSpaceOnUse" {
                    rect.stripe width="40" height="13" {}
                }
                pattern id="dense" width="20" height="20" patternUnits="userSpaceOnUse" {
                    rect.stripe width="20" height="9" {}
                }
                pattern id="fine" width="4" height="4" patternUnits="userSpaceOnUse" {
                    rect.stripe width="4" height="1" {}
                }
            }
        }
    }
}

/// A patch of a series' colour for a legend.
pub(crate) fn swatch(series: usize) -> Markup {
    let pattern = match series {
        STRIPES_FROM.. => Some("url(#fine)"),
        _ => None,
    };
    html! {
        svg.swatch aria-hidden="true" width="12" height="12" {
            rect class=(class(series)) width="12" height="12" rx="3" {}
            @if let Some(pattern) = pattern { rect fill=(pattern) width="12" height="12" rx="3" {} }
        }
    }
}
