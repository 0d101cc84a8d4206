//! A charge on the wire, made of the entry and what is kept with it alone, so that a replay is the same to the byte.
//!
//! It is what this server writes most, a thousand times over in the answer to a batch, and goes straight into the
//! buffer: a serializer would take several times as long.

use crate::charges::instance_shown;
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use ledger_core::{Amount, Body, Charge, LineItem, Rating};
use ledger_service::{Charged, ServiceError};
use ledger_store::Instance;

/// What an answer usually needs, so that it is written without growing.
pub(crate) const BYTES: usize = 1024;

/// The answer to a request for one charge.
pub(crate) fn json(status: StatusCode, charged: &Charged) -> Result<Response, ServiceError> {
    let mut out = Vec::with_capacity(BYTES);
    out.push(b'{');
    write_members(&mut out, charged)?;
    out.push(b'}');
    Ok((status, [(header::CONTENT_TYPE, HeaderValue::from_static("application/json"))], out).into_response())
}

/// Writes the members of a charge's object, with commas between.
pub(crate) fn write_members(out: &mut Vec<u8>, charged: &Charged) -> Result<(), ServiceError> {
    let recorded = &*charged.recorded;
    let entry = &recorded.sealed.entry;
    let (credits, uncollected, items, rating) = match &entry.body {
        Body::Charge(charge) => (debited(charge)?, charge.uncollected, &charge.items, Some(&charge.rating)),
        Body::Settle(settle) => {
            let collected = settle.collected().unwrap_or_default();
            (collected, settle.uncollected(), &settle.items, settle.terms.rating.as_ref())
        }
        // A key stands for one use case only, since the content says which; so this is damage.
        _ => return Err(ServiceError::Internal { detail: format!("entry {} is no charge", entry.id()) }),
    };
    put(out, "\"charge\":\"ch_");
    number(out, entry.account.0);
    put(out, "_");
    number(out, entry.sequence);
    put(out, "\",\"account\":");
    text(out, &charged.account)?;
    put(out, ",\"credits\":");
    amount(out, credits);
    if uncollected.is_positive() {
        put(out, ",\"uncollected\":");
        amount(out, uncollected);
    }
    put(out, ",\"items\":[");
    for (index, item) in items.iter().enumerate() {
        if index > 0 {
            put(out, ",");
        }
        write_item(out, item)?;
    }
    put(out, "],\"remaining\":");
    amount(out, entry.remaining);
    put(out, ",\"spendable\":");
    amount(out, recorded.notes.spendable);
    put(out, ",\"entry\":{\"sequence\":");
    number(out, entry.sequence);
    put(out, ",\"hash\":\"");
    hex(out, &recorded.sealed.hash);
    put(out, "\"},\"rating\":");
    match rating {
        Some(rating) => write_rating(out, rating, recorded.notes.instance)?,
        // Credits that were named, and not priced.
        None => put(out, "null"),
    }
    Ok(())
}

fn write_item(out: &mut Vec<u8>, item: &LineItem) -> Result<(), ServiceError> {
    put(out, "{\"label\":");
    text(out, &item.label)?;
    put(out, ",\"unit\":");
    text(out, &item.unit)?;
    put(out, ",\"quantity\":");
    number(out, item.quantity);
    put(out, ",\"credits\":");
    amount(out, item.credits);
    put(out, "}");
    Ok(())
}

fn write_rating(out: &mut Vec<u8>, rating: &Rating, instance: Instance) -> Result<(), ServiceError> {
    put(out, "{\"plugin\":");
    text(out, &rating.plugin)?;
    put(out, ",\"digest\":\"sha256:");
    hex(out, &rating.digest.0);
    put(out, "\",\"config_digest\":\"sha256:");
    hex(out, &rating.config_digest.0);
    let (instance, fuel) = instance_shown(instance);
    put(out, "\",\"instance\":\"");
    put(out, instance);
    put(out, "\",\"fuel\":");
    match fuel {
        Some(fuel) => number(out, fuel),
        None => put(out, "null"),
    }
    put(out, "}");
    Ok(())
}

fn debited(charge: &Charge) -> Result<Amount, ServiceError> {
    let out_of_range = || ServiceError::Internal { detail: "a charge collected more than its price".to_owned() };
    charge.debited().ok_or_else(out_of_range)
}

fn put(out: &mut Vec<u8>, text: &str) {
    out.extend_from_slice(text.as_bytes());
}

fn text(out: &mut Vec<u8>, text: &str) -> Result<(), ServiceError> {
    if text.bytes().any(|byte| byte < b' ' || byte == b'"' || byte == b'\\') {
        let failed = |error| ServiceError::Internal { detail: format!("a text cannot be written: {error}") };
        return serde_json::to_writer(out, text).map_err(failed);
    }
    out.push(b'"');
    put(out, text);
    out.push(b'"');
    Ok(())
}

fn number(out: &mut Vec<u8>, number: u64) {
    digits(out, number, 1);
}

/// Writes a number with at least so many digits.
fn digits(out: &mut Vec<u8>, mut number: u64, width: usize) {
    let mut digits = [b'0'; 20];
    let mut first = digits.len();
    while number > 0 {
        first -= 1;
        digits[first] = b'0' + number.to_le_bytes()[0].wrapping_sub((number / 10 * 10).to_le_bytes()[0]);
        number /= 10;
    }
    out.extend_from_slice(&digits[first.min(digits.len() - width)..]);
}

/// Writes an amount as [`Amount`]'s own text, in quotes.
fn amount(out: &mut Vec<u8>, amount: Amount) {
    let micros = amount.micros().unsigned_abs();
    let (whole, mut fraction) = (micros / 1_000_000, micros % 1_000_000);
    put(out, if amount.is_negative() { "\"-" } else { "\"" });
    number(out, whole);
    if fraction > 0 {
        out.push(b'.');
        let mut width = 6;
        while fraction.is_multiple_of(10) {
            fraction /= 10;
            width -= 1;
        }
        digits(out, fraction, width);
    }
    out.push(b'"');
}

fn hex(out: &mut Vec<u8>, bytes: &[u8; 32]) {
    const DIGITS: &[u8; 16] = b"0123456789abcdef";
    let mut digits = [0; 64];
    for (pair, byte) in digits.chunks_exact_mut(2).zip(bytes) {
        pair[0] = DIGITS[usize::from(byte >> 4)];
        pair[1] = DIGITS[usize::from(byte & 15)];
    }
    out.extend_from_slice(&digits);
}

#[cfg(test)]
mod tests {
    use super::*;
    use ledger_core::hex::Hex;

    #[test]
    fn values_are_written_as_their_own_text() {
        let written = |write: &dyn Fn(&mut Vec<u8>)| {
            let mut out = Vec::new();
            write(&mut out);
            String::from_utf8(out).unwrap()
        };
        for n in [0, 1, 9, 10, 99, 100, 255, 256, 12_345, 1 << 53, u64::MAX] {
            assert_eq!(written(&|out| number(out, n)), n.to_string());
        }
        for micros in [0, 1, 10, 999_999, 1_000_000, 1_500_000, 12_345_678, -1, -20_000_300, 9 << 59] {
            let value = Amount::from_micros(micros).unwrap();
            assert_eq!(written(&|out| amount(out, value)), format!("\"{value}\""));
        }
        let hash = std::array::from_fn(|n| u8::try_from(n * 7).unwrap());
        assert_eq!(written(&|out| hex(out, &hash)), Hex(hash).to_string());
        for name in ["", "gpt-4o", "Größe ✓", "a \"quoted\" \\ text", "line\nfeed\u{1}\u{7f}"] {
            assert_eq!(written(&|out| text(out, name).unwrap()), serde_json::to_string(name).unwrap());
        }
    }
}
