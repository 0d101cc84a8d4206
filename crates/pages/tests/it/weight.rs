//! What pages weigh, before they are compressed.

use crate::{console, data};
use pages::{Grouping, Window, assets, credits_page};

const MAX_BYTES: usize = 150 * 1024;

#[test]
fn a_page_with_fifty_rows_is_light() {
    let frame = data::frame();
    let month = credits_page(&frame, &data::account(Window::Month, Grouping::Model, 50));
    assert_eq!(month.matches("<tr class=\"entry\"").count(), 50);
    let first_visit = month.len() + assets::CSS.len() + assets::JS.len();
    assert!(first_visit < MAX_BYTES, "{first_visit} bytes");
    // The widest chart that there is: the assets are at hand by then.
    let widest = credits_page(&frame, &data::many_models()).len();
    assert!(widest < MAX_BYTES, "{widest} bytes");
}

#[test]
fn the_console_is_light() {
    let assets = [assets::CSS, assets::JS, assets::CONSOLE_CSS, assets::CONSOLE_JS].map(str::len).iter().sum::<usize>();
    for (name, page) in console::pages() {
        let first_visit = page.len() + assets;
        assert!(first_visit < MAX_BYTES, "{name}: {first_visit} bytes");
    }
}
