//! The canonical bytes of an entry, version 1, and the hash chain over them.
//!
//! The same bytes are hashed and stored, so the two cannot drift apart. `docs/journal-encoding.md` describes them for
//! other programs; `encoding/vectors.txt` pins them. The rules are few:
//!
//! - numbers are LEB128 varints; signed ones are zigzag-mapped first (n ≥ 0 → 2n, n < 0 → −2n − 1);
//! - texts are a varint length in bytes, then UTF-8; digests are 32 raw bytes;
//! - an optional value is a byte 0, or a byte 1 and the value; a list is a varint count and its members;
//! - amounts are signed micro-credits, times signed milliseconds since 1970.
//!
//! An entry's hash is SHA-256 over the hash of the account's previous entry (32 zero bytes before the first) followed
//! by the entry's canonical bytes.

use crate::amount::Amount;
use crate::calendar::parse_zone;
use crate::entry::{Body, Charge, Draw, Entry, NewGrant, Opened, Rating, Rolled, Source, Status, Updated};
use crate::event::{Digest, LineItem, Quantity};
use crate::ids::AccountNumber;
use crate::plan::Period;
use crate::time::Timestamp;
use sha2::{Digest as _, Sha256};
use std::fmt;
use std::sync::Arc;

/// The version that is written.
pub const ENCODING_VERSION: u8 = 1;

/// The hash before an account's first entry.
pub const GENESIS: [u8; 32] = [0; 32];

/// An entry with its canonical bytes and its place in the chain.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Sealed {
    /// The entry.
    pub entry: Entry,
    /// Its canonical bytes.
    pub bytes: Vec<u8>,
    /// SHA-256 over the previous hash and the bytes.
    pub hash: [u8; 32],
}

impl Sealed {
    /// Encodes an entry and chains it to the hash before it.
    pub fn new(entry: Entry, previous: &[u8; 32]) -> Self {
        let bytes = encode(&entry);
        let hash = chain(previous, &bytes);
        Self { entry, bytes, hash }
    }
}

/// The hash of an entry with these canonical bytes after the entry with that hash.
pub fn chain(previous: &[u8; 32], bytes: &[u8]) -> [u8; 32] {
    Sha256::new().chain_update(previous).chain_update(bytes).finalize().into()
}

/// The canonical bytes of an entry.
pub fn encode(entry: &Entry) -> Vec<u8> {
    let mut out = Writer(Vec::with_capacity(320));
    out.byte(ENCODING_VERSION);
    out.byte(tag(&entry.body));
    out.number(entry.account.0);
    out.number(entry.sequence);
    out.time(entry.at);
    out.time(entry.recorded_at);
    out.amount(entry.credits);
    out.amount(entry.remaining);
    out.amount(entry.debt);
    out.option(entry.details_commitment.as_ref(), |out, hash| out.raw(hash));
    write_body(&mut out, &entry.body);
    out.0
}

/// Reads canonical bytes. Bytes that `encode` would not have written are refused, so that one entry has one encoding.
pub fn decode(bytes: &[u8]) -> Result<Entry, DecodeError> {
    let mut input = Reader { bytes, at: 0 };
    let version = input.byte()?;
    if version != ENCODING_VERSION {
        return Err(DecodeError::Version(version));
    }
    let tag = input.byte()?;
    let entry = Entry {
        account: AccountNumber(input.number()?),
        sequence: input.number()?,
        at: input.time()?,
        recorded_at: input.time()?,
        credits: input.amount()?,
        remaining: input.amount()?,
        debt: input.amount()?,
        details_commitment: input.option(Reader::raw)?,
        body: read_body(&mut input, tag)?,
    };
    if input.at != bytes.len() {
        return Err(DecodeError::Malformed { at: input.at });
    }
    Ok(entry)
}

/// Why bytes are no entry.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DecodeError {
    /// Written by a newer Purser.
    Version(u8),
    /// Cut short, or not what the encoding allows, near this offset.
    Malformed {
        /// The offset in bytes.
        at: usize,
    },
}

impl fmt::Display for DecodeError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Version(version) => write!(f, "entry encoding version {version} is not known to this Purser"),
            Self::Malformed { at } => write!(f, "entry bytes are malformed near offset {at}"),
        }
    }
}

impl std::error::Error for DecodeError {}

const OPENED: u8 = 1;
const UPDATED: u8 = 2;
const GRANT: u8 = 3;
const EFFECTIVE: u8 = 4;
const CHARGE: u8 = 5;
const EXPIRY: u8 = 6;
const ROLLOVER: u8 = 7;

fn tag(body: &Body) -> u8 {
    match body {
        Body::Opened(_) => OPENED,
        Body::Updated(_) => UPDATED,
        Body::Grant(_) => GRANT,
        Body::Effective { .. } => EFFECTIVE,
        Body::Charge(_) => CHARGE,
        Body::Expiry { .. } => EXPIRY,
        Body::Rollover(_) => ROLLOVER,
    }
}

fn write_body(out: &mut Writer, body: &Body) {
    match body {
        Body::Opened(opened) => {
            out.text(&opened.id);
            out.text(&opened.plan);
            out.period(opened.period);
            out.text(opened.zone.name());
            out.time(opened.anchor);
            out.status(opened.status);
            out.option(opened.parent.as_ref(), |out, parent| out.text(parent));
        }
        Body::Updated(updated) => {
            out.option(updated.status.as_ref(), |out, status| out.status(*status));
            out.option(updated.zone.as_ref(), |out, zone| out.text(zone.name()));
            out.option(updated.anchor.as_ref(), |out, anchor| out.time(*anchor));
            out.option(updated.parent.as_ref(), |out, parent| out.text(parent));
        }
        Body::Grant(grant) => {
            out.byte(position(&Source::ALL, grant.source));
            out.number(u64::from(grant.priority));
            out.amount(grant.amount);
            out.amount(grant.debt_paid);
            out.time(grant.effective_at);
            out.option(grant.expires_at.as_ref(), |out, t| out.time(*t));
            out.option(grant.cycle.as_ref(), |out, (start, end)| {
                out.time(*start);
                out.time(*end);
            });
        }
        Body::Effective { grant, debt_paid } => {
            out.number(*grant);
            out.amount(*debt_paid);
        }
        Body::Charge(charge) => write_charge(out, charge),
        Body::Expiry { grant, expired } => {
            out.number(*grant);
            out.amount(*expired);
        }
        Body::Rollover(rolled) => {
            out.list(&rolled.from, Writer::draw);
            out.amount(rolled.amount);
            out.number(u64::from(rolled.priority));
            out.time(rolled.expires_at);
        }
    }
}

fn write_charge(out: &mut Writer, charge: &Charge) {
    out.text(&charge.plan);
    out.text(&charge.activity);
    out.option(charge.agent.as_ref(), |out, agent| out.text(agent));
    out.option(charge.model.as_ref(), |out, model| out.text(model));
    out.list(&charge.quantities, |out, quantity| {
        out.text(&quantity.unit);
        out.number(quantity.amount);
    });
    out.list(&charge.items, |out, item| {
        out.text(&item.label);
        out.text(&item.unit);
        out.number(item.quantity);
        out.amount(item.credits);
    });
    out.text(&charge.rating.plugin);
    out.raw(&charge.rating.digest.0);
    out.raw(&charge.rating.config_digest.0);
    out.amount(charge.priced);
    out.amount(charge.uncollected);
    out.list(&charge.draws, Writer::draw);
    out.amount(charge.overage);
}

fn read_body(input: &mut Reader<'_>, tag: u8) -> Result<Body, DecodeError> {
    Ok(match tag {
        OPENED => Body::Opened(Opened {
            id: input.text()?,
            plan: input.text()?,
            period: input.period()?,
            zone: input.zone()?,
            anchor: input.time()?,
            status: input.member(&Status::ALL)?,
            parent: input.option(Reader::text)?,
        }),
        UPDATED => Body::Updated(Updated {
            status: input.option(|input| input.member(&Status::ALL))?,
            zone: input.option(Reader::zone)?,
            anchor: input.option(Reader::time)?,
            parent: input.option(Reader::text)?,
        }),
        GRANT => Body::Grant(NewGrant {
            source: input.member(&Source::ALL)?,
            priority: input.number32()?,
            amount: input.amount()?,
            debt_paid: input.amount()?,
            effective_at: input.time()?,
            expires_at: input.option(Reader::time)?,
            cycle: input.option(|input| Ok((input.time()?, input.time()?)))?,
        }),
        EFFECTIVE => Body::Effective { grant: input.number()?, debt_paid: input.amount()? },
        CHARGE => Body::Charge(Box::new(read_charge(input)?)),
        EXPIRY => Body::Expiry { grant: input.number()?, expired: input.amount()? },
        ROLLOVER => Body::Rollover(Rolled {
            from: input.list(Reader::draw)?,
            amount: input.amount()?,
            priority: input.number32()?,
            expires_at: input.time()?,
        }),
        _ => return Err(input.malformed()),
    })
}

fn read_charge(input: &mut Reader<'_>) -> Result<Charge, DecodeError> {
    Ok(Charge {
        plan: input.text()?,
        activity: input.text()?,
        agent: input.option(Reader::text)?,
        model: input.option(Reader::text)?,
        quantities: input.list(|input| Ok(Quantity { unit: input.text()?, amount: input.number()? }))?.into(),
        items: input
            .list(|input| {
                Ok(LineItem {
                    label: input.text()?,
                    unit: input.text()?,
                    quantity: input.number()?,
                    credits: input.amount()?,
                })
            })?
            .into(),
        rating: Rating { plugin: input.text()?, digest: Digest(input.raw()?), config_digest: Digest(input.raw()?) },
        priced: input.amount()?,
        uncollected: input.amount()?,
        draws: input.list(Reader::draw)?,
        overage: input.amount()?,
    })
}

/// The number of a closed list's member: its position.
fn position<T: PartialEq + Copy>(all: &[(T, &str)], member: T) -> u8 {
    all.iter().position(|(m, _)| *m == member).and_then(|i| u8::try_from(i).ok()).unwrap_or(u8::MAX)
}

struct Writer(Vec<u8>);

impl Writer {
    fn byte(&mut self, byte: u8) {
        self.0.push(byte);
    }

    fn raw(&mut self, bytes: &[u8; 32]) {
        self.0.extend_from_slice(bytes);
    }

    fn number(&mut self, mut n: u64) {
        while n >= 0x80 {
            self.0.push(n.to_le_bytes()[0] | 0x80);
            n >>= 7;
        }
        self.0.push(n.to_le_bytes()[0]);
    }

    fn signed(&mut self, n: i64) {
        self.number(((n << 1) ^ (n >> 63)).cast_unsigned());
    }

    fn amount(&mut self, amount: Amount) {
        self.signed(amount.micros());
    }

    fn time(&mut self, time: Timestamp) {
        self.signed(time.millis());
    }

    fn text(&mut self, text: &str) {
        self.number(u64::try_from(text.len()).unwrap_or(u64::MAX));
        self.0.extend_from_slice(text.as_bytes());
    }

    fn option<T>(&mut self, value: Option<&T>, write: impl FnOnce(&mut Self, &T)) {
        self.byte(u8::from(value.is_some()));
        if let Some(value) = value {
            write(self, value);
        }
    }

    fn list<T>(&mut self, members: &[T], mut write: impl FnMut(&mut Self, &T)) {
        self.number(u64::try_from(members.len()).unwrap_or(u64::MAX));
        for member in members {
            write(self, member);
        }
    }

    fn draw(&mut self, draw: &Draw) {
        self.number(draw.grant);
        self.amount(draw.credits);
    }

    fn status(&mut self, status: Status) {
        self.byte(position(&Status::ALL, status));
    }

    fn period(&mut self, period: Period) {
        let (kind, n) = match period {
            Period::Months(n) => (0, n),
            Period::Days(n) => (1, n),
        };
        self.byte(kind);
        self.number(u64::from(n));
    }
}

struct Reader<'a> {
    bytes: &'a [u8],
    at: usize,
}

impl Reader<'_> {
    fn malformed(&self) -> DecodeError {
        DecodeError::Malformed { at: self.at }
    }

    fn take(&mut self, count: usize) -> Result<&[u8], DecodeError> {
        let end = self.at.checked_add(count).filter(|end| *end <= self.bytes.len()).ok_or(self.malformed())?;
        let taken = &self.bytes[self.at..end];
        self.at = end;
        Ok(taken)
    }

    fn byte(&mut self) -> Result<u8, DecodeError> {
        Ok(self.take(1)?[0])
    }

    fn raw(&mut self) -> Result<[u8; 32], DecodeError> {
        let malformed = self.malformed();
        self.take(32)?.try_into().map_err(|_| malformed)
    }

    fn number(&mut self) -> Result<u64, DecodeError> {
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

    fn number32(&mut self) -> Result<u32, DecodeError> {
        u32::try_from(self.number()?).map_err(|_| self.malformed())
    }

    fn signed(&mut self) -> Result<i64, DecodeError> {
        let n = self.number()?;
        Ok((n >> 1).cast_signed() ^ (n & 1).cast_signed().wrapping_neg())
    }

    fn amount(&mut self) -> Result<Amount, DecodeError> {
        Amount::from_micros(self.signed()?).ok_or(self.malformed())
    }

    fn time(&mut self) -> Result<Timestamp, DecodeError> {
        let millis = self.signed()?;
        let time = Timestamp::from_millis(millis);
        if time.millis() == millis { Ok(time) } else { Err(self.malformed()) }
    }

    fn text(&mut self) -> Result<Arc<str>, DecodeError> {
        let malformed = self.malformed();
        let length = usize::try_from(self.number()?).map_err(|_| malformed)?;
        std::str::from_utf8(self.take(length)?).map(Arc::from).map_err(|_| malformed)
    }

    fn option<T>(&mut self, read: impl FnOnce(&mut Self) -> Result<T, DecodeError>) -> Result<Option<T>, DecodeError> {
        match self.byte()? {
            0 => Ok(None),
            1 => read(self).map(Some),
            _ => Err(self.malformed()),
        }
    }

    fn list<T>(&mut self, mut read: impl FnMut(&mut Self) -> Result<T, DecodeError>) -> Result<Vec<T>, DecodeError> {
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

    fn draw(&mut self) -> Result<Draw, DecodeError> {
        Ok(Draw { grant: self.number()?, credits: self.amount()? })
    }

    fn member<T: Copy>(&mut self, all: &[(T, &str)]) -> Result<T, DecodeError> {
        let index = usize::from(self.byte()?);
        all.get(index).map(|(member, _)| *member).ok_or(self.malformed())
    }

    fn zone(&mut self) -> Result<chrono_tz::Tz, DecodeError> {
        let name = self.text()?;
        parse_zone(&name).ok_or(self.malformed())
    }

    fn period(&mut self) -> Result<Period, DecodeError> {
        let kind = self.byte()?;
        let n = self.number32()?;
        match kind {
            0 => Ok(Period::Months(n)),
            1 => Ok(Period::Days(n)),
            _ => Err(self.malformed()),
        }
    }
}
