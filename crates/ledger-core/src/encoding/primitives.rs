//! Numbers, texts, options and lists as canonical bytes.

use super::DecodeError;
use crate::amount::Amount;
use crate::calendar::parse_zone;
use crate::entry::Draw;
use crate::plan::Period;
use crate::time::Timestamp;
use std::sync::Arc;

/// The number of a closed list's member: its position.
fn position<T: PartialEq + Copy>(all: &[(T, &str)], member: T) -> u8 {
    all.iter().position(|(m, _)| *m == member).and_then(|i| u8::try_from(i).ok()).unwrap_or(u8::MAX)
}

/// Writes canonical bytes.
pub(super) struct Writer(Vec<u8>);

impl Writer {
    pub(super) fn with_capacity(bytes: usize) -> Self {
        Self(Vec::with_capacity(bytes))
    }

    pub(super) fn finish(self) -> Vec<u8> {
        self.0
    }

    pub(super) fn flag(&mut self, flag: bool) {
        self.byte(u8::from(flag));
    }

    pub(super) fn member<T: PartialEq + Copy>(&mut self, all: &[(T, &str)], member: T) {
        self.byte(position(all, member));
    }

    pub(super) fn byte(&mut self, byte: u8) {
        self.0.push(byte);
    }

    pub(super) fn raw(&mut self, bytes: &[u8; 32]) {
        self.0.extend_from_slice(bytes);
    }

    pub(super) fn number(&mut self, mut n: u64) {
        while n >= 0x80 {
            self.0.push(n.to_le_bytes()[0] | 0x80);
            n >>= 7;
        }
        self.0.push(n.to_le_bytes()[0]);
    }

    pub(super) fn signed(&mut self, n: i64) {
        self.number(((n << 1) ^ (n >> 63)).cast_unsigned());
    }

    pub(super) fn amount(&mut self, amount: Amount) {
        self.signed(amount.micros());
    }

    pub(super) fn time(&mut self, time: Timestamp) {
        self.signed(time.millis());
    }

    pub(super) fn text(&mut self, text: &str) {
        self.number(u64::try_from(text.len()).unwrap_or(u64::MAX));
        self.0.extend_from_slice(text.as_bytes());
    }

    pub(super) fn option<T>(&mut self, value: Option<&T>, write: impl FnOnce(&mut Self, &T)) {
        self.byte(u8::from(value.is_some()));
        if let Some(value) = value {
            write(self, value);
        }
    }

    pub(super) fn list<T>(&mut self, members: &[T], mut write: impl FnMut(&mut Self, &T)) {
        self.number(u64::try_from(members.len()).unwrap_or(u64::MAX));
        for member in members {
            write(self, member);
        }
    }

    pub(super) fn draw(&mut self, draw: &Draw) {
        self.number(draw.grant);
        self.amount(draw.credits);
    }

    pub(super) fn period(&mut self, period: Period) {
        let (kind, n) = match period {
            Period::Months(n) => (0, n),
            Period::Days(n) => (1, n),
        };
        self.byte(kind);
        self.number(u64::from(n));
    }
}

/// Reads canonical bytes, and nothing that the writer would not have written.
pub(super) struct Reader<'a> {
    bytes: &'a [u8],
    at: usize,
}

impl<'a> Reader<'a> {
    pub(super) fn new(bytes: &'a [u8]) -> Self {
        Self { bytes, at: 0 }
    }

    /// Whether everything was read.
    pub(super) fn end(&self) -> Result<(), DecodeError> {
        if self.at == self.bytes.len() { Ok(()) } else { Err(self.malformed()) }
    }

    pub(super) fn flag(&mut self) -> Result<bool, DecodeError> {
        match self.byte()? {
            0 => Ok(false),
            1 => Ok(true),
            _ => Err(self.malformed()),
        }
    }

    pub(super) fn malformed(&self) -> DecodeError {
        DecodeError::Malformed { at: self.at }
    }

    pub(super) fn take(&mut self, count: usize) -> Result<&[u8], DecodeError> {
        let end = self.at.checked_add(count).filter(|end| *end <= self.bytes.len()).ok_or(self.malformed())?;
        let taken = &self.bytes[self.at..end];
        self.at = end;
        Ok(taken)
    }

    pub(super) fn byte(&mut self) -> Result<u8, DecodeError> {
        Ok(self.take(1)?[0])
    }

    pub(super) fn raw(&mut self) -> Result<[u8; 32], DecodeError> {
        let malformed = self.malformed();
        self.take(32)?.try_into().map_err(|_| malformed)
    }

    pub(super) fn number(&mut self) -> Result<u64, DecodeError> {
        let mut n: u64 = 0;
        for shift in (0..64).step_by(7) {
            let byte = self.byte()?;
            let part = u64::from(byte & 0x7f);
            // Bits that fall out of 64, and a last byte of zero, would give one number two encodings.
            if (part << shift) >> shift != part || (byte == 0 && shift > 0) {
                return Err(self.malformed());
            }
            n |= part << shift;
            if byte & 0x80 == 0 {
                return Ok(n);
            }
        }
        Err(self.malformed())
    }

    pub(super) fn number32(&mut self) -> Result<u32, DecodeError> {
        u32::try_from(self.number()?).map_err(|_| self.malformed())
    }

    pub(super) fn signed(&mut self) -> Result<i64, DecodeError> {
        let n = self.number()?;
        Ok((n >> 1).cast_signed() ^ (n & 1).cast_signed().wrapping_neg())
    }

    pub(super) fn amount(&mut self) -> Result<Amount, DecodeError> {
        Amount::from_micros(self.signed()?).ok_or(self.malformed())
    }

    pub(super) fn time(&mut self) -> Result<Timestamp, DecodeError> {
        let millis = self.signed()?;
        let time = Timestamp::from_millis(millis);
        if time.millis() == millis { Ok(time) } else { Err(self.malformed()) }
    }

    pub(super) fn text(&mut self) -> Result<Arc<str>, DecodeError> {
        let malformed = self.malformed();
        let length = usize::try_from(self.number()?).map_err(|_| malformed)?;
        std::str::from_utf8(self.take(length)?).map(Arc::from).map_err(|_| malformed)
    }

    pub(super) fn option<T>(
        &mut self,
        read: impl FnOnce(&mut Self) -> Result<T, DecodeError>,
    ) -> Result<Option<T>, DecodeError> {
        match self.byte()? {
            0 => Ok(None),
            1 => read(self).map(Some),
            _ => Err(self.malformed()),
        }
    }

    pub(super) fn list<T>(
        &mut self,
        mut read: impl FnMut(&mut Self) -> Result<T, DecodeError>,
    ) -> Result<Vec<T>, DecodeError> {
        let count = self.number()?;
        // A member takes at least a byte, so a count beyond the bytes left is a lie, and must not reserve memory.
        let left = self.bytes.len().saturating_sub(self.at);
        let count = usize::try_from(count).ok().filter(|count| *count <= left).ok_or(self.malformed())?;
        let mut members = Vec::with_capacity(count);
        for _ in 0..count {
            members.push(read(self)?);
        }
        Ok(members)
    }

    pub(super) fn draw(&mut self) -> Result<Draw, DecodeError> {
        Ok(Draw { grant: self.number()?, credits: self.amount()? })
    }

    pub(super) fn member<T: Copy>(&mut self, all: &[(T, &str)]) -> Result<T, DecodeError> {
        let index = usize::from(self.byte()?);
        all.get(index).map(|(member, _)| *member).ok_or(self.malformed())
    }

    pub(super) fn zone(&mut self) -> Result<chrono_tz::Tz, DecodeError> {
        let name = self.text()?;
        parse_zone(&name).ok_or(self.malformed())
    }

    pub(super) fn period(&mut self) -> Result<Period, DecodeError> {
        let kind = self.byte()?;
        let n = self.number32()?;
        match kind {
            0 => Ok(Period::Months(n)),
            1 => Ok(Period::Days(n)),
            _ => Err(self.malformed()),
        }
    }
}
