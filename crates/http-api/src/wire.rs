//! How values are written in answers.

use crate::problem::Problem;
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use ledger_core::Amount;
use ledger_core::amount::AMOUNT_MICROS_MAX;
use ledger_service::ServiceError;
use serde::{Serialize, Serializer};
use std::fmt::{self, Display};

/// A value as its own text: amounts, instants, digests and identifiers are strings on the wire.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Shown<T>(pub(crate) T);

impl<T: Display> Serialize for Shown<T> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(&self.0)
    }
}

/// A share in ten-thousandths, as a number from 0 to 1. Four decimals have an exact shortest text as a double, so the
/// number on the wire is the share.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Share(pub(crate) i32);

impl Share {
    pub(crate) fn number(self) -> f64 {
        f64::from(self.0) / 10_000.0
    }
}

impl Serialize for Share {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_f64(self.number())
    }
}

/// A sum that is shown; beyond the range of amounts, the largest there is.
pub(crate) fn credits(micros: i128) -> Shown<Amount> {
    let amount = i64::try_from(micros).ok().and_then(Amount::from_micros);
    let most = Amount::from_micros(AMOUNT_MICROS_MAX).unwrap_or_default();
    Shown(amount.unwrap_or(if micros < 0 { most.negated() } else { most }))
}

/// Ten-thousandths as a decimal of percent: 512 is 5.12.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Percent(pub(crate) u32);

impl Display for Percent {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (self.0 / 100, self.0 % 100) {
            (whole, 0) => write!(f, "{whole}"),
            (whole, tenths) if tenths % 10 == 0 => write!(f, "{whole}.{}", tenths / 10),
            (whole, hundredths) => write!(f, "{whole}.{hundredths:02}"),
        }
    }
}

/// What an answer usually needs, so that it is written without growing.
const BODY_BYTES: usize = 1024;

/// An answer in JSON.
pub(crate) fn json(status: StatusCode, body: &impl Serialize) -> Response {
    let mut bytes = Vec::with_capacity(BODY_BYTES);
    match serde_json::to_writer(&mut bytes, body) {
        Ok(()) => {
            let content_type = (header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
            (status, [content_type], bytes).into_response()
        }
        Err(error) => Problem::internal_error(format!("an answer cannot be written: {error}")).into_response(),
    }
}

/// A value as JSON, behind what is there.
pub(crate) fn json_bytes(out: &mut Vec<u8>, value: &impl Serialize) -> Result<(), ServiceError> {
    let unwritable = |error| ServiceError::Internal { detail: format!("an event cannot be written: {error}") };
    serde_json::to_writer(out, value).map_err(unwritable)
}
