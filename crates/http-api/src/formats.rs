//! In which form an answer is wanted (RFC 9110, section 12.5.1): JSON, unless a stream is asked for by its own name.

use axum::http::{HeaderMap, header};

/// The form of an answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Format {
    /// JSON, a page at a time.
    Json,
    /// A stream.
    Stream(StreamFormat),
}

/// The form of a stream.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum StreamFormat {
    /// CSV as of RFC 4180, with a header.
    Csv,
    /// JSON documents, each on a line.
    Ndjson,
}

impl StreamFormat {
    /// The media type of the answer.
    pub(crate) fn content_type(self) -> &'static str {
        match self {
            Self::Csv => "text/csv; charset=utf-8; header=present",
            Self::Ndjson => "application/x-ndjson",
        }
    }

    /// How names of files of this form end.
    pub(crate) fn extension(self) -> &'static str {
        match self {
            Self::Csv => "csv",
            Self::Ndjson => "ndjson",
        }
    }
}

/// The form that `Accept` prefers. Wildcards mean JSON; what is not served here is passed over, and JSON is the answer
/// to those who take nothing else, since it is more use to them than a refusal.
pub(crate) fn format_of(headers: &HeaderMap) -> Format {
    const FORMATS: [(&str, Format); 3] = [
        ("text/csv", Format::Stream(StreamFormat::Csv)),
        ("application/x-ndjson", Format::Stream(StreamFormat::Ndjson)),
        ("application/json", Format::Json),
    ];
    preferred(headers, &FORMATS, Format::Json)
}

/// Which of these forms `Accept` prefers, with `usual` for wildcards and for those who take none of them.
pub(crate) fn preferred<T: Copy>(headers: &HeaderMap, forms: &[(&str, T)], usual: T) -> T {
    let ranges = headers.get_all(header::ACCEPT).iter().filter_map(|value| value.to_str().ok());
    let mut best = (usual, 0, false);
    for range in ranges.flat_map(|value| value.split(',')) {
        let mut parts = range.split(';').map(str::trim);
        let media_type = parts.next().unwrap_or_default().to_ascii_lowercase();
        let named = forms.iter().find(|(name, _)| *name == media_type).map(|(_, form)| (*form, true));
        let wildcard = || matches!(media_type.as_str(), "*/*" | "application/*").then_some((usual, false));
        let Some((form, is_named)) = named.or_else(wildcard) else { continue };
        let quality = parts.find_map(quality_e3).unwrap_or(1000);
        // Of two that are wanted as much, a name goes before a wildcard, and then the first.
        if (quality, is_named) > (best.1, best.2) && quality > 0 {
            best = (form, quality, is_named);
        }
    }
    best.0
}

/// Reads `q=0.5` as 500; `None` for other parameters, and zero for what is no quality.
fn quality_e3(parameter: &str) -> Option<u32> {
    let (name, value) = parameter.split_once('=')?;
    if !name.trim().eq_ignore_ascii_case("q") {
        return None;
    }
    let (whole, decimals) = value.trim().split_once('.').unwrap_or((value.trim(), ""));
    let thousandths: Option<u32> = match decimals.len() {
        0..=3 if decimals.bytes().all(|digit| digit.is_ascii_digit()) => format!("{decimals:0<3}").parse().ok(),
        _ => None,
    };
    match (whole, thousandths) {
        ("0", Some(thousandths)) => Some(thousandths),
        ("1", Some(0)) => Some(1000),
        _ => Some(0),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use axum::http::HeaderValue;

    #[test]
    fn streams_are_for_those_who_name_them() {
        const CSV: Format = Format::Stream(StreamFormat::Csv);
        const NDJSON: Format = Format::Stream(StreamFormat::Ndjson);
        for (accept, expected) in [
            ("", Format::Json),
            ("*/*", Format::Json),
            ("text/*", Format::Json),
            ("text/html, application/xhtml+xml, */*;q=0.8", Format::Json),
            ("text/html", Format::Json),
            ("text/csv", CSV),
            ("Text/CSV; charset=utf-8", CSV),
            ("text/csv, */*", CSV),
            ("*/*, text/csv", CSV),
            ("text/csv;q=0.9, */*;q=0.8", CSV),
            ("text/csv;q=0.1, */*", Format::Json),
            ("text/csv;q=0.5, application/json;q=0.4", CSV),
            ("text/csv;q=0.5, application/x-ndjson;q=0.501", NDJSON),
            ("application/json, text/csv", Format::Json),
            ("text/csv;q=0", Format::Json),
            ("text/csv;q=0.000, application/x-ndjson", NDJSON),
            ("text/csv;q=nonsense", Format::Json),
            ("text/csv;q=1.0;level=2", CSV),
        ] {
            let mut headers = HeaderMap::new();
            headers.insert(header::ACCEPT, HeaderValue::from_str(accept).unwrap());
            assert_eq!(format_of(&headers), expected, "{accept}");
        }
        assert_eq!(format_of(&HeaderMap::new()), Format::Json);
    }
}
