//! Anthropic, messages: `input_tokens` excludes what was read from and written to the cache; output includes thinking.
//! What is written for an hour costs more than what is written for five minutes, and is a unit of its own.
//! <https://docs.anthropic.com/en/docs/build-with-claude/prompt-caching>,
//! <https://docs.anthropic.com/en/docs/build-with-claude/compaction>

use super::counts::{Counts, Members, Wrong, is_count, member, too_small};
use super::of;
use crate::fields::quantity;
use crate::json::Json;
use ledger_core::Quantity;
use ledger_core::ids::is_name;

pub(super) const LOOKED_FOR: &[&str] =
    &["input_tokens", "output_tokens", "cache_read_input_tokens", "cache_creation_input_tokens", "cache_creation"];

pub(super) fn convert(counts: &mut Counts<'_>) -> Result<Vec<Quantity>, Wrong> {
    // A decomposition of output_tokens, which stays what is billed.
    counts.know("output_tokens_details");
    let mut tokens = Tokens::read(counts)?;
    for (index, iteration) in counts.list("iterations")?.into_iter().enumerate() {
        let path = format!("iterations[{index}]");
        counts.know(&path);
        if let Some(more) = beside(iteration).map_err(|(field, reason)| (format!("{path}.{field}"), reason))? {
            tokens = tokens.plus(more);
        }
    }
    let mut quantities = of(&[
        ("input_tokens", tokens.input),
        ("cache_read_tokens", tokens.cache_read),
        ("cache_write_tokens", tokens.cache_write),
        ("cache_write_1h_tokens", tokens.cache_write_1h),
        ("output_tokens", tokens.output),
    ]);
    quantities.extend(tools(counts)?);
    Ok(quantities)
}

#[derive(Clone, Copy, Debug, Default)]
struct Tokens {
    input: u64,
    cache_read: u64,
    cache_write: u64,
    cache_write_1h: u64,
    output: u64,
}

impl Tokens {
    fn read(counts: &mut Counts<'_>) -> Result<Self, Wrong> {
        let write_5m = counts.get("cache_creation.ephemeral_5m_input_tokens")?;
        let write_1h = counts.get("cache_creation.ephemeral_1h_input_tokens")?;
        let parts = write_5m.saturating_add(write_1h);
        // The flat count is their sum; where it is missing, they are all there is.
        let written = counts.stated("cache_creation_input_tokens")?.filter(|flat| *flat > 0).unwrap_or(parts);
        if written < parts {
            return Err(too_small("cache_creation_input_tokens", written));
        }
        Ok(Self {
            input: counts.get("input_tokens")?,
            cache_read: counts.get("cache_read_input_tokens")?,
            cache_write: written - write_1h,
            cache_write_1h: write_1h,
            output: counts.get("output_tokens")?,
        })
    }

    fn plus(self, other: Self) -> Self {
        Self {
            input: self.input.saturating_add(other.input),
            cache_read: self.cache_read.saturating_add(other.cache_read),
            cache_write: self.cache_write.saturating_add(other.cache_write),
            cache_write_1h: self.cache_write_1h.saturating_add(other.cache_write_1h),
            output: self.output.saturating_add(other.output),
        }
    }

    fn is_zero(self) -> bool {
        let Self { input, cache_read, cache_write, cache_write_1h, output } = self;
        [input, cache_read, cache_write, cache_write_1h, output] == [0; 5]
    }
}

/// What an iteration used that the top of the object does not include: that of a compaction. What another model used is
/// refused, since one charge has one model.
fn beside(iteration: &Members<'_>) -> Result<Option<Tokens>, Wrong> {
    let mut counts = Counts::new(iteration)?;
    counts.know("output_tokens_details");
    let tokens = Tokens::read(&mut counts)?;
    counts.refuse_unknown()?;
    let kind = match member(iteration, "type") {
        Some(Json::Text(kind)) => &**kind,
        _ => "",
    };
    match kind {
        "message" => Ok(None),
        "compaction" => Ok(Some(tokens)),
        _ if tokens.is_zero() => Ok(None),
        other => {
            let reason = format!(
                "is {other:?}, whose tokens may be another model's; charge each model by itself, with usage in place \
                 of provider_usage"
            );
            Err(("type".to_owned(), reason))
        }
    }
}

/// How often the provider's own tools ran: each count is a unit of its name, which is unpriced until it has a rate.
fn tools(counts: &mut Counts<'_>) -> Result<Vec<Quantity>, Wrong> {
    let mut quantities = Vec::new();
    for (name, value) in counts.object("server_tool_use")? {
        let path = format!("server_tool_use.{name}");
        // Tokens are no tool's count; what is above zero is refused as unknown.
        if is_count(name) || !matches!(value, Json::Whole(_) | Json::Float(_) | Json::Huge(_)) {
            continue;
        }
        if !is_name(name) {
            return Err((path, "is no name of a unit".to_owned()));
        }
        let amount = quantity(value).map_err(|reason| (path.clone(), reason))?;
        counts.know(&path);
        quantities.push(Quantity { unit: (**name).into(), amount });
    }
    Ok(quantities)
}
