//! The server's HTTP interface as a caller sees it: a charge, a batch of them, and what is read of an answer.

use bytes::Bytes;
use serde::ser::SerializeMap;
use serde::{Deserialize, Serialize, Serializer};

/// The body of a charge.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Charge<'a> {
    /// The event's id, unique in its account.
    pub id: String,
    /// Whose credits are spent.
    pub account: &'a str,
    /// What the agent did.
    pub activity: &'a str,
    /// Who did it.
    pub agent: &'a str,
    /// With which model.
    pub model: &'a str,
    /// How much of each unit.
    #[serde(serialize_with = "as_map")]
    pub usage: Vec<(&'a str, u64)>,
    /// When, as RFC 3339; left out, it is now.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub occurred_at: Option<String>,
}

fn as_map<S: Serializer>(usage: &[(&str, u64)], serializer: S) -> Result<S::Ok, S::Error> {
    let mut map = serializer.serialize_map(Some(usage.len()))?;
    for (unit, quantity) in usage {
        map.serialize_entry(unit, quantity)?;
    }
    map.end()
}

/// What is read of an answer: of a charge, of one item of a batch, or of a problem.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(default)]
pub struct Outcome {
    /// The status that the item would have been answered with (in a batch, and in problems).
    pub status: u16,
    /// Whether the item was charged before (in a batch).
    pub replay: bool,
    /// What was debited, as decimal text.
    pub credits: Option<String>,
    /// The problem's code.
    pub code: Option<String>,
    /// The problem in words.
    pub detail: Option<String>,
}

/// The media type of a batch.
pub const NDJSON: &str = "application/x-ndjson";

/// Writes charges as NDJSON, one on each line.
///
/// # Errors
/// None in practice: a charge has an infallible JSON form.
pub fn write_batch<'a>(charges: impl IntoIterator<Item = Charge<'a>>) -> serde_json::Result<Bytes> {
    let mut body = Vec::new();
    for charge in charges {
        serde_json::to_writer(&mut body, &charge)?;
        body.push(b'\n');
    }
    Ok(body.into())
}

/// Reads the outcomes of an NDJSON batch.
///
/// # Errors
/// Where a line is no outcome.
pub fn read_batch(body: &[u8]) -> serde_json::Result<Vec<Outcome>> {
    let lines = body.split(|byte| *byte == b'\n').filter(|line| !line.trim_ascii().is_empty());
    lines.map(serde_json::from_slice).collect()
}
