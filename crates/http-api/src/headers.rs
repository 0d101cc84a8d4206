//! Request headers with a meaning of their own.

use crate::fields::KEY_BYTES_MAX;
use axum::http::{HeaderMap, header};
use ledger_service::ServiceError;

const IDEMPOTENCY_KEY: &str = "idempotency-key";

/// Reads `Idempotency-Key` (draft-ietf-httpapi-idempotency-key-header): a structured-field string (RFC 9651,
/// section 3.3.3), or the same without quotes.
pub(crate) fn idempotency_key(headers: &HeaderMap) -> Result<Option<String>, ServiceError> {
    let wrong = |reason: &str| ServiceError::field("Idempotency-Key", reason);
    let mut values = headers.get_all(IDEMPOTENCY_KEY).iter();
    let Some(value) = values.next() else {
        return Ok(None);
    };
    if values.next().is_some() {
        return Err(wrong("the header comes twice"));
    }
    // A tab may stand in a header, and not in a structured-field string.
    let is_text = |text: &&str| !text.contains('\t');
    let text = value.to_str().ok().map(str::trim).filter(is_text);
    let text = text.ok_or_else(|| wrong("must be visible ASCII characters and spaces"))?;
    let key = match text.strip_prefix('"') {
        Some(quoted) => unquote(quoted).ok_or_else(|| wrong("must be a quoted string, such as \"8e03978e\""))?,
        None => text.to_owned(),
    };
    match key.len() {
        0 => Err(wrong("must not be empty")),
        1..=KEY_BYTES_MAX => Ok(Some(key)),
        _ => Err(wrong(&format!("must have at most {KEY_BYTES_MAX} bytes"))),
    }
}

/// As [`idempotency_key`], for requests that cannot do without.
pub(crate) fn required_idempotency_key(headers: &HeaderMap) -> Result<String, ServiceError> {
    idempotency_key(headers)?.ok_or_else(|| {
        ServiceError::field("Idempotency-Key", "the header is required, so that the request can be sent again safely")
    })
}

/// What is between the quotes; `None` where the string does not end, or goes on after its end.
fn unquote(quoted: &str) -> Option<String> {
    let mut key = String::with_capacity(quoted.len());
    let mut characters = quoted.chars();
    loop {
        match characters.next()? {
            '"' => return characters.as_str().is_empty().then_some(key),
            '\\' => key.push(characters.next().filter(|c| matches!(c, '"' | '\\'))?),
            c => key.push(c),
        }
    }
}

/// The media type of a body, in lower case and without parameters; `None` where none is stated.
pub(crate) fn media_type(headers: &HeaderMap) -> Option<String> {
    let value = headers.get(header::CONTENT_TYPE)?.to_str().ok()?;
    Some(value.split(';').next().unwrap_or("").trim().to_ascii_lowercase())
}

#[cfg(test)]
mod tests {
    use super::*;
    use axum::http::HeaderValue;

    #[test]
    fn keys_are_read_quoted_and_bare() {
        let read = |text: &str| {
            let mut headers = HeaderMap::new();
            headers.insert(IDEMPOTENCY_KEY, HeaderValue::from_bytes(text.as_bytes()).unwrap());
            idempotency_key(&headers)
        };
        for (text, key) in [("\"abc\"", "abc"), ("abc", "abc"), (" a-b_1 ", "a-b_1"), (r#""a\"b\\c""#, r#"a"b\c"#)] {
            assert_eq!(read(text).unwrap().as_deref(), Some(key), "{text}");
        }
        for text in ["\"abc", "\"a\"b\"", "\"\"", "", "\"a\\x\"", "ä", "a\tb", &"x".repeat(257)] {
            assert!(read(text).is_err(), "{text}");
        }
        assert_eq!(idempotency_key(&HeaderMap::new()).unwrap(), None);
    }
}
