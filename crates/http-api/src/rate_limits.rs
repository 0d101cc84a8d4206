//! What throttling policies tell callers: `RateLimit-Policy` and `RateLimit` (draft-ietf-httpapi-ratelimit-headers, sections
//! 3 and 4), and `Purser-Advice`, all of them lists of RFC 9651.
//!
//! ```text
//! RateLimit-Policy: "burst";q=100;w=60
//! RateLimit: "burst";r=50;t=30
//! Purser-Advice: "call-length";suggestion="the call ends in 30 s"
//! ```

use crate::problem::Problem;
use axum::http::{HeaderMap, HeaderName, HeaderValue};
use axum::response::{IntoResponse, Response};
use ledger_service::ports::throttling::Measure;
use ledger_service::{LimitSeen, Seen};
use std::fmt::Write;

const POLICY: HeaderName = HeaderName::from_static("ratelimit-policy");
const LIMIT: HeaderName = HeaderName::from_static("ratelimit");
const ADVICE: HeaderName = HeaderName::from_static("purser-advice");

/// How many pieces of advice are told; a batch may gather many.
const ADVICE_MAX: usize = 10;

const MICROS_PER_CREDIT: u64 = 1_000_000;

/// Adds what policies said to an answer, whichever it is.
pub(crate) fn told(seen: &Seen, answer: Result<Response, Problem>) -> Result<Response, Problem> {
    if *seen == Seen::default() {
        return answer;
    }
    let mut response = answer.unwrap_or_else(IntoResponse::into_response);
    add(response.headers_mut(), seen);
    Ok(response)
}

fn add(headers: &mut HeaderMap, seen: &Seen) {
    let mut limits: Vec<&LimitSeen> = Vec::new();
    for limit in &seen.limits {
        // Of windows with the same name, the one that is nearest to its end.
        match limits.iter_mut().find(|known| known.name == limit.name) {
            Some(known) if known.left > limit.left => *known = limit,
            Some(_) => {}
            None => limits.push(limit),
        }
    }
    put(headers, POLICY, limits.iter().map(|limit| policy(limit)));
    put(headers, LIMIT, limits.iter().map(|limit| standing(limit)));
    let mut told: Vec<String> = Vec::new();
    for advice in &seen.advice {
        let text = format!("{};suggestion={}", string(&advice.policy), string(&advice.suggestion));
        if told.len() < ADVICE_MAX && !told.contains(&text) {
            told.push(text);
        }
    }
    put(headers, ADVICE, told.into_iter());
}

fn put(headers: &mut HeaderMap, name: HeaderName, items: impl Iterator<Item = String>) {
    let list = items.collect::<Vec<_>>().join(", ");
    // What is made of strings and integers is a header's value.
    if let Some(value) = Some(list).filter(|list| !list.is_empty()).and_then(|list| HeaderValue::from_str(&list).ok()) {
        headers.insert(name, value);
    }
}

/// The quota and its window, with the unit where it is not requests.
fn policy(limit: &LimitSeen) -> String {
    let (name, quota) = (string(&limit.name), shown(limit.measure, limit.limit));
    match limit.measure {
        Measure::Requests => format!("{name};q={quota};w={}", limit.seconds),
        Measure::MicroCreditsSpent => format!("{name};q={quota};qu=\"credits\";w={}", limit.seconds),
        Measure::OpenHolds => format!("{name};q={quota};qu=\"open-holds\""),
    }
}

/// What is left, and in how many seconds there is more.
fn standing(limit: &LimitSeen) -> String {
    let (name, left) = (string(&limit.name), shown(limit.measure, limit.left));
    match limit.resets_in_ms {
        0 => format!("{name};r={left}"),
        ms => format!("{name};r={left};t={}", ms.div_ceil(1000)),
    }
}

/// A structured field has no fractions of this size: credits are told whole, rounded down.
fn shown(measure: Measure, count: u64) -> u64 {
    if measure == Measure::MicroCreditsSpent { count / MICROS_PER_CREDIT } else { count }
}

/// A string of RFC 9651, section 4.1.6; or a display string, section 4.1.11, where it is not all ASCII.
fn string(text: &str) -> String {
    let mut out = String::with_capacity(text.len() + 2);
    if text.bytes().all(|byte| matches!(byte, b' '..=b'~')) {
        out.push('"');
        for c in text.chars() {
            if matches!(c, '"' | '\\') {
                out.push('\\');
            }
            out.push(c);
        }
        out.push('"');
        return out;
    }
    out.push_str("%\"");
    for byte in text.bytes() {
        match byte {
            b'%' | b'"' | 0..=0x1f | 0x7f..=0xff => drop(write!(out, "%{byte:02x}")),
            other => out.push(char::from(other)),
        }
    }
    out.push('"');
    out
}

#[cfg(test)]
mod tests {
    use super::*;
    use ledger_service::ports::throttling::Advice;

    #[test]
    fn windows_and_advice_as_headers() {
        let limit = |name: &str, measure, limit, left, resets_in_ms| LimitSeen {
            name: name.into(),
            measure,
            limit,
            seconds: 60,
            left,
            resets_in_ms,
            is_counted: false,
        };
        let advice = |suggestion: &str| Advice { policy: "length".into(), suggestion: suggestion.into() };
        let seen = Seen {
            limits: vec![
                limit("burst", Measure::Requests, 100, 50, 29_001),
                limit("spend", Measure::MicroCreditsSpent, 2_500_000, 999_999, 0),
                limit("calls", Measure::OpenHolds, 5, 0, 0),
                limit("burst", Measure::Requests, 10, 3, 1000),
            ],
            advice: vec![advice("say \"bye\""), advice("say \"bye\""), advice("schluß, 100 %")],
        };
        let mut headers = HeaderMap::new();
        add(&mut headers, &seen);
        let text = |name| headers.get(name).unwrap().to_str().unwrap();
        assert_eq!(text(POLICY), r#""burst";q=10;w=60, "spend";q=2;qu="credits";w=60, "calls";q=5;qu="open-holds""#);
        assert_eq!(text(LIMIT), r#""burst";r=3;t=1, "spend";r=0, "calls";r=0"#);
        assert_eq!(text(ADVICE), r#""length";suggestion="say \"bye\"", "length";suggestion=%"schlu%c3%9f, 100 %25""#);
        let mut none = HeaderMap::new();
        add(&mut none, &Seen::default());
        assert!(none.is_empty());
    }
}
