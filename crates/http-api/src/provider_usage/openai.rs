//! OpenAI: chat completions, responses, realtime, transcriptions and images, which differ in names alone. Input includes
//! what was cached, audio and images, and each of the cached tokens is text, audio or an image too; output includes
//! reasoning, audio, images and predictions, accepted or not.
//! <https://platform.openai.com/docs/api-reference/responses/object#responses/object-usage>,
//! <https://platform.openai.com/docs/guides/realtime-costs>

use super::counts::{Counts, Split, Wrong, too_small};
use super::of;
use ledger_core::Quantity;

pub(super) const LOOKED_FOR: &[&str] =
    &["input_tokens", "output_tokens", "prompt_tokens", "completion_tokens", "seconds"];

/// The names of the object that splits the input, and of the one that splits the output.
const INPUT_DETAILS: [&str; 3] = ["input_tokens_details", "prompt_tokens_details", "input_token_details"];
const OUTPUT_DETAILS: [&str; 3] = ["output_tokens_details", "completion_tokens_details", "output_token_details"];

pub(super) fn convert(counts: &mut Counts<'_>) -> Result<Vec<Quantity>, Wrong> {
    let mut units = input(counts)?;
    units.extend(output(counts)?);
    units.push(("seconds", seconds(counts)?));
    Ok(of(&units))
}

type Units = Vec<(&'static str, u64)>;

fn input(counts: &mut Counts<'_>) -> Result<Units, Wrong> {
    let field = if counts.has("prompt_tokens") { "prompt_tokens" } else { "input_tokens" };
    let whole = counts.one_of(&["input_tokens", "prompt_tokens"])?;
    let audio = detail(counts, &INPUT_DETAILS, "audio_tokens")?;
    let image = detail(counts, &INPUT_DETAILS, "image_tokens")?;
    // Text is what is left of the whole.
    know(counts, &INPUT_DETAILS, &["text_tokens"]);
    let split = Split::of(field, whole, audio, image)?;
    let read = cached(counts, split).and_then(|read| read.ok_or_else(|| too_small(field, whole)))?;
    let fresh = split.without(read).ok_or_else(|| too_small(field, whole))?;
    let write = detail(counts, &INPUT_DETAILS, "cache_write_tokens")?;
    let fresh = fresh.first(write).and_then(|written| fresh.without(written)).ok_or_else(|| too_small(field, whole))?;
    Ok(vec![
        ("input_tokens", fresh.text),
        ("audio_input_tokens", fresh.audio),
        ("image_input_tokens", fresh.image),
        ("cache_read_tokens", read.text.saturating_add(read.image)),
        ("cache_read_audio_tokens", read.audio),
        ("cache_write_tokens", write),
    ])
}

/// What was read from the cache: as it is split where the provider says so, otherwise text first and only then audio.
/// None where it is more than the input.
fn cached(counts: &mut Counts<'_>, input: Split) -> Result<Option<Split>, Wrong> {
    // DeepSeek's API is OpenAI's but for these two, of which the second is the rest of the prompt.
    counts.know("prompt_cache_miss_tokens");
    let elsewhere = counts.get("prompt_cache_hit_tokens")?;
    let whole = detail(counts, &INPUT_DETAILS, "cached_tokens")?.max(elsewhere);
    let text = detail(counts, &INPUT_DETAILS, "cached_tokens_details.text_tokens")?;
    let audio = detail(counts, &INPUT_DETAILS, "cached_tokens_details.audio_tokens")?;
    let image = detail(counts, &INPUT_DETAILS, "cached_tokens_details.image_tokens")?;
    let stated = Split { text, audio, image };
    // What the split leaves open, which is everything where there is none.
    let open = whole.saturating_sub(text.saturating_add(audio).saturating_add(image));
    let rest = input.without(stated).and_then(|left| left.first(open));
    Ok(rest.map(|rest| Split {
        text: text.saturating_add(rest.text),
        audio: audio.saturating_add(rest.audio),
        image: image.saturating_add(rest.image),
    }))
}

fn output(counts: &mut Counts<'_>) -> Result<Units, Wrong> {
    let field = if counts.has("completion_tokens") { "completion_tokens" } else { "output_tokens" };
    let whole = counts.one_of(&["output_tokens", "completion_tokens"])?;
    let reasoning = detail(counts, &OUTPUT_DETAILS, "reasoning_tokens")?;
    let audio = detail(counts, &OUTPUT_DETAILS, "audio_tokens")?;
    let image = detail(counts, &OUTPUT_DETAILS, "image_tokens")?;
    // Predictions are output whether they were right or not, and cost what it costs.
    know(counts, &OUTPUT_DETAILS, &["text_tokens", "accepted_prediction_tokens", "rejected_prediction_tokens"]);
    let rest = whole.checked_sub(reasoning).ok_or_else(|| too_small(field, whole))?;
    let split = Split::of(field, rest, audio, image).map_err(|_| too_small(field, whole))?;
    Ok(vec![
        ("output_tokens", split.text),
        ("reasoning_tokens", reasoning),
        ("audio_output_tokens", split.audio),
        ("image_output_tokens", split.image),
    ])
}

/// Transcriptions that are sold by time state it as a number that may have a point; a second begun counts.
fn seconds(counts: &mut Counts<'_>) -> Result<u64, Wrong> {
    match counts.fraction("seconds") {
        Some(seconds) if (0.0..SECONDS_MAX).contains(&seconds) => {
            #[allow(
                clippy::cast_possible_truncation,
                clippy::cast_sign_loss,
                reason = "the range above is one that 64 bits hold exactly"
            )]
            let begun = seconds.ceil() as u64;
            Ok(begun)
        }
        _ => counts.get("seconds"),
    }
}

/// More than any recording lasts, and far below what a float counts exactly.
const SECONDS_MAX: f64 = 1e12;

fn detail(counts: &mut Counts<'_>, objects: &[&str], name: &str) -> Result<u64, Wrong> {
    let paths: Vec<String> = objects.iter().map(|object| format!("{object}.{name}")).collect();
    let paths: Vec<&str> = paths.iter().map(String::as_str).collect();
    counts.one_of(&paths)
}

fn know(counts: &mut Counts<'_>, objects: &[&str], names: &[&str]) {
    for object in objects {
        for name in names {
            counts.know(&format!("{object}.{name}"));
        }
    }
}
