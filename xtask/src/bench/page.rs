//! `docs/benchmarks.md`: what is between its two marks is written here, and the rest is people's.

use anyhow::{Context, Result, bail};
use std::fs;
use std::path::Path;

const BEGIN: &str = "<!-- figures: begin; written by `cargo xtask bench --write` -->\n";
const END: &str = "<!-- figures: end -->\n";

/// Puts figures in the place of those that the page has.
pub(super) fn write(page: &Path, figures: &str) -> Result<()> {
    let text = fs::read_to_string(page).with_context(|| format!("{} cannot be read", page.display()))?;
    let text = replace(&text, figures).with_context(|| format!("{} cannot take the figures", page.display()))?;
    fs::write(page, text).with_context(|| format!("{} cannot be written", page.display()))
}

fn replace(text: &str, figures: &str) -> Result<String> {
    let (Some((before, rest)), Some((_, after))) = (text.split_once(BEGIN), text.split_once(END)) else {
        bail!("it lacks the lines {BEGIN:?} and {END:?}");
    };
    if !rest.contains(END) {
        bail!("its marks are in the wrong order");
    }
    Ok(format!("{before}{BEGIN}\n{}\n\n{END}{after}", figures.trim()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_is_between_the_marks_changes() {
        let page = format!("# Title\n\n{BEGIN}old\n{END}\nMore.\n");
        let new = replace(&page, "one\ntwo\n").unwrap();
        assert_eq!(new, format!("# Title\n\n{BEGIN}\none\ntwo\n\n{END}\nMore.\n"));
        assert_eq!(replace(&new, "one\ntwo").unwrap(), new);
        assert!(replace("# Title\n", "x").is_err());
        assert!(replace(&format!("{END}{BEGIN}"), "x").is_err());
    }

    /// The page as it lies in the repository takes figures.
    #[test]
    fn the_page_has_its_marks() {
        let page = include_str!("../../../docs/benchmarks.md");
        assert!(replace(page, "x").unwrap().contains("\nx\n"));
    }
}
