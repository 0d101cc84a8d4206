//! By which name a request is known in the log, in the audit and to its caller.
//!
//! A caller's own `x-request-id` is taken over, or else the trace id of its `traceparent` (W3C Trace Context, section
//! 3.2), so that what a caller logs and what is logged here can be joined; without either, a fresh id of the same form as
//! a trace id is made.

use axum::http::{HeaderMap, HeaderName, HeaderValue};
use std::fmt::Write;
use std::hash::{BuildHasher, RandomState};
use std::sync::LazyLock;
use std::sync::atomic::{AtomicU64, Ordering};

pub(crate) const X_REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");
const TRACEPARENT: HeaderName = HeaderName::from_static("traceparent");

/// The longest id that is taken over. It is answered and logged as it came.
const ID_BYTES_MAX: usize = 128;
const TRACE_ID_DIGITS: usize = 32;

/// A request's id: visible ASCII.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct RequestId(HeaderValue);

impl RequestId {
    /// The id of a request with these headers.
    pub(crate) fn of(headers: &HeaderMap) -> Self {
        let own = headers.get(X_REQUEST_ID).filter(|id| is_sane(id.as_bytes())).cloned();
        own.or_else(|| headers.get(TRACEPARENT).and_then(trace_id)).map_or_else(Self::fresh, Self)
    }

    /// An id that nobody else has; no secret.
    fn fresh() -> Self {
        static KEYS: LazyLock<[RandomState; 2]> = LazyLock::new(|| [RandomState::new(), RandomState::new()]);
        static REQUESTS: AtomicU64 = AtomicU64::new(0);
        let request = REQUESTS.fetch_add(1, Ordering::Relaxed);
        let mut id = String::with_capacity(TRACE_ID_DIGITS);
        for keys in &*KEYS {
            // Writing to a text never fails.
            let _ = write!(id, "{:016x}", keys.hash_one(request));
        }
        Self(HeaderValue::try_from(id).unwrap_or(HeaderValue::from_static("none")))
    }

    pub(crate) fn as_str(&self) -> &str {
        self.0.to_str().unwrap_or_default()
    }

    pub(crate) fn header(&self) -> HeaderValue {
        self.0.clone()
    }
}

fn is_sane(id: &[u8]) -> bool {
    (1..=ID_BYTES_MAX).contains(&id.len()) && id.iter().all(u8::is_ascii_graphic)
}

/// The trace id of `version-traceid-parentid-flags`; `None` where it is no such text. A later version may have more
/// behind the flags.
fn trace_id(traceparent: &HeaderValue) -> Option<HeaderValue> {
    let text = traceparent.to_str().ok()?;
    let mut fields = text.split('-');
    let [version, trace, parent, flags] = [fields.next()?, fields.next()?, fields.next()?, fields.next()?];
    let is_hex = |field: &str, digits: usize| {
        field.len() == digits && field.bytes().all(|digit| matches!(digit, b'0'..=b'9' | b'a'..=b'f'))
    };
    let is_set = |field: &str| field.bytes().any(|digit| digit != b'0');
    let is_valid = is_hex(version, 2)
        && version != "ff"
        && is_hex(trace, TRACE_ID_DIGITS)
        && is_set(trace)
        && is_hex(parent, 16)
        && is_set(parent)
        && is_hex(flags, 2)
        && (version != "00" || fields.next().is_none());
    if is_valid { HeaderValue::from_str(trace).ok() } else { None }
}

#[cfg(test)]
mod tests {
    use super::*;

    const TRACE: &str = "0af7651916cd43dd8448eb211c80319c";

    fn of(headers: &[(HeaderName, &str)]) -> String {
        let header = |(name, value): &(HeaderName, &str)| (name.clone(), HeaderValue::from_str(value).unwrap());
        RequestId::of(&headers.iter().map(header).collect()).as_str().to_owned()
    }

    #[test]
    fn a_callers_own_id_is_taken_over_if_it_is_sane() {
        let longest = "x".repeat(ID_BYTES_MAX);
        for id in ["a", "req_1/2:3", "\"{}\"", &longest] {
            assert_eq!(of(&[(X_REQUEST_ID, id)]), id);
        }
        let too_long = "x".repeat(ID_BYTES_MAX + 1);
        for id in ["", "a b", "a\tb", "ä", &too_long] {
            assert_eq!(of(&[(X_REQUEST_ID, id)]).len(), TRACE_ID_DIGITS, "{id:?}");
        }
    }

    #[test]
    fn a_trace_id_is_taken_if_its_header_is_valid() {
        let parent = |text: &str| of(&[(TRACEPARENT, text)]);
        for valid in ["00-T-b7ad6b7169203331-01", "00-T-b7ad6b7169203331-00", "cc-T-b7ad6b7169203331-01-what-ever"] {
            assert_eq!(parent(&valid.replace('T', TRACE)), TRACE, "{valid}");
        }
        for invalid in [
            "",
            "00-T-b7ad6b7169203331",
            "00-T-b7ad6b7169203331-01-more",
            "ff-T-b7ad6b7169203331-01",
            "00-T-0000000000000000-01",
            "00-00000000000000000000000000000000-b7ad6b7169203331-01",
            "00-0AF7651916CD43DD8448EB211C80319C-b7ad6b7169203331-01",
            "00-T-b7ad6b716920333-01",
            "0-T-b7ad6b7169203331-01",
        ] {
            let id = parent(&invalid.replace('T', TRACE));
            assert!(id != TRACE && id.len() == TRACE_ID_DIGITS, "{invalid}: {id}");
        }
        assert_eq!(of(&[(X_REQUEST_ID, "mine"), (TRACEPARENT, &format!("00-{TRACE}-b7ad6b7169203331-01"))]), "mine");
    }

    #[test]
    fn fresh_ids_differ() {
        let ids: std::collections::BTreeSet<String> = (0..1000).map(|_| of(&[])).collect();
        assert_eq!(ids.len(), 1000);
    }
}
