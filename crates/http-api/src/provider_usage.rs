//! What providers report, made disjoint: inside Purser no token is in two units, so that a price is a plain sum.
//!
//! One named converter a provider. They disagree on what a number includes, so each says so, with the provider's
//! reference. A counter that a converter does not know is left alone; one that contradicts another is refused.

use crate::fields::{Fields, quantity};
use crate::json::Json;
use ledger_core::Quantity;
use std::borrow::Cow;

type Members<'a> = [(Cow<'a, str>, Json<'a>)];

/// Reads `usage`, or `provider_usage` in its place.
pub(crate) fn quantities(fields: &mut Fields<'_>) -> Vec<Quantity> {
    match (fields.has("usage"), fields.has("provider_usage")) {
        (true, true) => {
            fields.problem("provider_usage", "send usage or provider_usage, not both");
            fields.members("usage");
            fields.members("provider_usage");
            Vec::new()
        }
        (_, true) => {
            let members = fields.members("provider_usage").unwrap_or_default();
            match normalise(&members) {
                Ok(quantities) => quantities,
                Err((field, reason)) => {
                    fields.problem(&format!("provider_usage.{field}"), reason);
                    Vec::new()
                }
            }
        }
        (true, false) => fields.quantities("usage").unwrap_or_default(),
        (false, false) => {
            fields.problem("usage", "is required, or provider_usage in its place");
            Vec::new()
        }
    }
}

type Wrong = (String, String);

fn normalise(members: &Members<'_>) -> Result<Vec<Quantity>, Wrong> {
    for (name, _) in members {
        if name != "provider" && name != "usage" {
            return Err((name.to_string(), "no such field".to_owned()));
        }
    }
    let Some(Json::Text(provider)) = member(members, "provider") else {
        return Err(("provider".to_owned(), PROVIDER_RULE.to_owned()));
    };
    let Some(Json::Object(usage)) = member(members, "usage") else {
        return Err(("usage".to_owned(), "must be the usage object as the provider sent it".to_owned()));
    };
    let counts = Counts(usage);
    let mut quantities = match &**provider {
        "openai" => openai(&counts),
        "anthropic" => anthropic(&counts),
        "google" => google(&counts),
        _ => return Err(("provider".to_owned(), PROVIDER_RULE.to_owned())),
    }
    .map_err(|(field, reason)| (format!("usage.{field}"), reason))?;
    quantities.retain(|quantity| quantity.amount > 0);
    quantities.sort();
    Ok(quantities)
}

const PROVIDER_RULE: &str = "must be one of openai, anthropic, google";

fn member<'a, 'b>(members: &'a Members<'b>, name: &str) -> Option<&'a Json<'b>> {
    members.iter().find(|(known, _)| known == name).map(|(_, value)| value)
}

struct Counts<'a>(&'a Members<'a>);

impl Counts<'_> {
    /// A counter under a path of members; 0 where it is absent or null.
    fn get(&self, path: &str) -> Result<u64, Wrong> {
        let mut members = self.0;
        let mut names = path.split('.').peekable();
        while let Some(name) = names.next() {
            match member(members, name) {
                None | Some(Json::Null) => return Ok(0),
                Some(Json::Object(inner)) if names.peek().is_some() => members = inner,
                Some(value) => return quantity(value).map_err(|reason| (path.to_owned(), reason)),
            }
        }
        Ok(0)
    }

    /// The first of some names of one counter that is there.
    fn any(&self, paths: &[&str]) -> Result<u64, Wrong> {
        for path in paths {
            let count = self.get(path)?;
            if count > 0 {
                return Ok(count);
            }
        }
        Ok(0)
    }
}

/// What is left of a whole once its parts are taken out.
fn less(whole: u64, parts: &[u64], name: &str) -> Result<u64, Wrong> {
    parts
        .iter()
        .try_fold(whole, |left, part| left.checked_sub(*part))
        .ok_or_else(|| (name.to_owned(), format!("is {whole}, less than the parts that it is said to include")))
}

fn of(units: &[(&str, u64)]) -> Vec<Quantity> {
    units.iter().map(|(unit, amount)| Quantity { unit: (*unit).into(), amount: *amount }).collect()
}

/// OpenAI, chat completions (`prompt_tokens`, `completion_tokens`) and responses (`input_tokens`, `output_tokens`):
/// input includes cached and audio tokens, output includes reasoning and audio tokens.
/// <https://platform.openai.com/docs/api-reference/responses/object#responses/object-usage>
fn openai(counts: &Counts<'_>) -> Result<Vec<Quantity>, Wrong> {
    let input = counts.any(&["input_tokens", "prompt_tokens"])?;
    let cached = counts.any(&["input_tokens_details.cached_tokens", "prompt_tokens_details.cached_tokens"])?;
    let audio_in = counts.any(&["input_tokens_details.audio_tokens", "prompt_tokens_details.audio_tokens"])?;
    let output = counts.any(&["output_tokens", "completion_tokens"])?;
    let reasoning =
        counts.any(&["output_tokens_details.reasoning_tokens", "completion_tokens_details.reasoning_tokens"])?;
    let audio_out = counts.any(&["output_tokens_details.audio_tokens", "completion_tokens_details.audio_tokens"])?;
    Ok(of(&[
        ("input_tokens", less(input, &[cached, audio_in], "input_tokens")?),
        ("cache_read_tokens", cached),
        ("audio_input_tokens", audio_in),
        ("output_tokens", less(output, &[reasoning, audio_out], "output_tokens")?),
        ("reasoning_tokens", reasoning),
        ("audio_output_tokens", audio_out),
    ]))
}

/// Anthropic, messages: `input_tokens` excludes what was read from and written to the cache; output includes thinking,
/// which has no count of its own. <https://docs.anthropic.com/en/docs/build-with-claude/prompt-caching>
fn anthropic(counts: &Counts<'_>) -> Result<Vec<Quantity>, Wrong> {
    Ok(of(&[
        ("input_tokens", counts.get("input_tokens")?),
        ("cache_read_tokens", counts.get("cache_read_input_tokens")?),
        ("cache_write_tokens", counts.get("cache_creation_input_tokens")?),
        ("output_tokens", counts.get("output_tokens")?),
    ]))
}

/// Google, Gemini's `usageMetadata`: the prompt includes cached content; thoughts are not among the candidates; what
/// tools were given counts as input. <https://ai.google.dev/api/generate-content#UsageMetadata>
fn google(counts: &Counts<'_>) -> Result<Vec<Quantity>, Wrong> {
    let prompt = counts.any(&["promptTokenCount", "prompt_token_count"])?;
    let cached = counts.any(&["cachedContentTokenCount", "cached_content_token_count"])?;
    let tools = counts.any(&["toolUsePromptTokenCount", "tool_use_prompt_token_count"])?;
    let input = less(prompt, &[cached], "promptTokenCount")?;
    Ok(of(&[
        ("input_tokens", input.saturating_add(tools)),
        ("cache_read_tokens", cached),
        ("output_tokens", counts.any(&["candidatesTokenCount", "candidates_token_count"])?),
        ("reasoning_tokens", counts.any(&["thoughtsTokenCount", "thoughts_token_count"])?),
    ]))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::json::parse;

    fn check(body: &str, expected: &str) {
        let Json::Object(members) = parse(body.as_bytes()).unwrap() else { panic!("{body}") };
        let found = match normalise(&members) {
            Ok(quantities) => {
                quantities.iter().map(|q| format!("{}={}", q.unit, q.amount)).collect::<Vec<_>>().join(" ")
            }
            Err((field, reason)) => format!("{field}: {reason}"),
        };
        assert_eq!(found, expected, "{body}");
    }

    #[test]
    fn providers_own_objects_become_disjoint_quantities() {
        check(
            r#"{"provider":"openai","usage":{"prompt_tokens":2006,"completion_tokens":300,"total_tokens":2306,
                "prompt_tokens_details":{"cached_tokens":1920,"audio_tokens":0},
                "completion_tokens_details":{"reasoning_tokens":100,"audio_tokens":0}}}"#,
            "cache_read_tokens=1920 input_tokens=86 output_tokens=200 reasoning_tokens=100",
        );
        check(
            r#"{"provider":"openai","usage":{"input_tokens":328,"input_tokens_details":{"cached_tokens":0},
                "output_tokens":52,"output_tokens_details":{"reasoning_tokens":0},"total_tokens":380}}"#,
            "input_tokens=328 output_tokens=52",
        );
        check(
            r#"{"provider":"anthropic","usage":{"input_tokens":50,"cache_read_input_tokens":100000,
                "cache_creation_input_tokens":248,"output_tokens":503,"service_tier":"standard"}}"#,
            "cache_read_tokens=100000 cache_write_tokens=248 input_tokens=50 output_tokens=503",
        );
        check(
            r#"{"provider":"google","usage":{"promptTokenCount":1000,"cachedContentTokenCount":400,
                "candidatesTokenCount":20,"thoughtsTokenCount":7,"totalTokenCount":1027}}"#,
            "cache_read_tokens=400 input_tokens=600 output_tokens=20 reasoning_tokens=7",
        );
    }

    #[test]
    fn contradictions_are_refused() {
        check(
            r#"{"provider":"openai","usage":{"prompt_tokens":10,"prompt_tokens_details":{"cached_tokens":11}}}"#,
            "usage.input_tokens: is 10, less than the parts that it is said to include",
        );
        check(r#"{"provider":"x","usage":{}}"#, "provider: must be one of openai, anthropic, google");
        check(r#"{"provider":"openai"}"#, "usage: must be the usage object as the provider sent it");
        check(
            r#"{"provider":"anthropic","usage":{"input_tokens":1.5}}"#,
            "usage.input_tokens: must be a whole number of the unit, not a number with a point or an exponent",
        );
        check(r#"{"provider":"openai","usage":{},"x":1}"#, "x: no such field");
    }
}
