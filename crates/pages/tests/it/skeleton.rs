//! A page reduced to its elements and attributes, without texts and values: what a name from outside must not change.

/// Elements with the names of their attributes, in order. It takes what maud writes: lower-case tags, and values in
/// double quotes.
pub(crate) fn skeleton(page: &str) -> Vec<String> {
    let mut found = Vec::new();
    let mut rest = page;
    while let Some(start) = rest.find('<') {
        rest = &rest[start + 1..];
        let mut tag = String::new();
        let mut is_value = false;
        let mut end = rest.len();
        for (at, c) in rest.char_indices() {
            match c {
                '"' => is_value = !is_value,
                '>' if !is_value => {
                    end = at;
                    break;
                }
                _ if !is_value => tag.push(c),
                _ => {}
            }
        }
        rest = &rest[end..];
        found.push(tag);
    }
    found
}

/// What a page says, without its markup: a line for each block, and bars between the cells of a row.
pub(crate) fn said(page: &str) -> String {
    const BLOCKS: &[&str] = &[
        "article", "button", "caption", "dl", "figure", "footer", "form", "h1", "h2", "h3", "header", "li", "main",
        "nav", "option", "p", "section", "summary", "svg", "table", "title", "tr",
    ];
    const CELLS: &[&str] = &["dd", "dt", "label", "strong", "td", "th"];
    let mut lines = vec![String::new()];
    for (tag, text) in page.split('<').filter_map(|part| part.split_once('>')) {
        let name = tag.trim_start_matches('/').split(' ').next().unwrap_or_default();
        let line = lines.last_mut().unwrap();
        if BLOCKS.contains(&name) {
            lines.push(String::new());
        } else if CELLS.contains(&name) && !line.is_empty() && !line.ends_with("| ") {
            line.push_str(" | ");
        }
        let text = text.replace("&lt;", "<").replace("&gt;", ">").replace("&quot;", "\"").replace("&amp;", "&");
        lines.last_mut().unwrap().push_str(&text);
    }
    let said = lines.iter().map(|line| line.trim_end_matches("| ").trim()).filter(|line| !line.is_empty());
    said.collect::<Vec<_>>().join("\n")
}

/// Every drawing of a page.
pub(crate) fn drawings(page: &str) -> Vec<&str> {
    let starts = page.match_indices("<svg").map(|(start, _)| start);
    starts.map(|start| &page[start..start + page[start..].find("</svg>").unwrap() + "</svg>".len()]).collect()
}
