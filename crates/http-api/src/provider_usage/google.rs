//! Google, Gemini's `usageMetadata` as JSON and as the SDKs spell it, Live too: the prompt includes cached content;
//! thoughts are not among the candidates; what tools were given counts as input. Images, videos and documents that go
//! in cost what text costs by Google's list, and audio more. What comes out costs more as audio, as an image or as a
//! video. <https://ai.google.dev/api/generate-content#UsageMetadata>

use super::counts::{Counts, Members, Split, Wrong, member, too_small};
use super::of;
use crate::fields::quantity;
use crate::json::Json;
use ledger_core::Quantity;

pub(super) const LOOKED_FOR: &[&str] = &[
    "promptTokenCount",
    "candidatesTokenCount",
    "responseTokenCount",
    "thoughtsTokenCount",
    "toolUsePromptTokenCount",
    "cachedContentTokenCount",
    "prompt_token_count",
    "candidates_token_count",
    "response_token_count",
    "thoughts_token_count",
    "tool_use_prompt_token_count",
    "cached_content_token_count",
];

const PROMPT: Names = Names {
    whole: &["promptTokenCount", "prompt_token_count"],
    details: &["promptTokensDetails", "prompt_tokens_details"],
};
const CACHED: Names = Names {
    whole: &["cachedContentTokenCount", "cached_content_token_count"],
    details: &["cacheTokensDetails", "cache_tokens_details"],
};
const TOOLS: Names = Names {
    whole: &["toolUsePromptTokenCount", "tool_use_prompt_token_count"],
    details: &["toolUsePromptTokensDetails", "tool_use_prompt_tokens_details"],
};
const OUTPUT: Names = Names {
    whole: &["candidatesTokenCount", "candidates_token_count", "responseTokenCount", "response_token_count"],
    details: &[
        "candidatesTokensDetails",
        "candidates_tokens_details",
        "responseTokensDetails",
        "response_tokens_details",
    ],
};

/// What a count is called, and the list that splits it by modality.
struct Names {
    whole: &'static [&'static str],
    details: &'static [&'static str],
}

pub(super) fn convert(counts: &mut Counts<'_>) -> Result<Vec<Quantity>, Wrong> {
    let prompt = Modal::read(counts, &PROMPT)?.as_input(&PROMPT)?;
    let tools = Modal::read(counts, &TOOLS)?.as_input(&TOOLS)?;
    let output = Modal::read(counts, &OUTPUT)?;
    let cached = cached(counts, prompt)?;
    let fresh = prompt.without(cached).ok_or_else(|| too_small(PROMPT.whole[0], prompt.text + prompt.audio))?;
    let not_text = output.audio.saturating_add(output.image).saturating_add(output.video);
    let text = output.whole.checked_sub(not_text).ok_or_else(|| too_small(OUTPUT.whole[0], output.whole))?;
    Ok(of(&[
        ("input_tokens", fresh.text.saturating_add(tools.text)),
        ("audio_input_tokens", fresh.audio.saturating_add(tools.audio)),
        ("cache_read_tokens", cached.text),
        ("cache_read_audio_tokens", cached.audio),
        ("output_tokens", text),
        ("reasoning_tokens", counts.one_of(&["thoughtsTokenCount", "thoughts_token_count"])?),
        ("audio_output_tokens", output.audio),
        ("image_output_tokens", output.image),
        ("video_output_tokens", output.video),
    ]))
}

/// What was read from the cache: as it is split where the provider says so, otherwise text first and only then audio.
fn cached(counts: &mut Counts<'_>, prompt: Split) -> Result<Split, Wrong> {
    let cached = Modal::read(counts, &CACHED)?;
    let contradiction = || too_small(PROMPT.whole[0], prompt.text.saturating_add(prompt.audio));
    if cached.is_split { cached.as_input(&CACHED) } else { prompt.first(cached.whole).ok_or_else(contradiction) }
}

/// A count by modality.
#[derive(Clone, Copy, Debug, Default)]
struct Modal {
    whole: u64,
    audio: u64,
    image: u64,
    video: u64,
    is_split: bool,
}

impl Modal {
    fn read(counts: &mut Counts<'_>, names: &Names) -> Result<Self, Wrong> {
        let mut modal = Self { whole: counts.one_of(names.whole)?, ..Self::default() };
        let mut sum: u64 = 0;
        for details in names.details {
            for (index, item) in counts.list(details)?.into_iter().enumerate() {
                let path = format!("{details}[{index}]");
                let tokens = modal.add(item).map_err(|(field, reason)| (format!("{path}.{field}"), reason))?;
                counts.know(&format!("{path}.tokenCount"));
                counts.know(&format!("{path}.token_count"));
                sum = sum.saturating_add(tokens);
            }
        }
        modal.is_split = sum > 0;
        // A zero is left out of JSON, and some answers leave the whole out beside its parts.
        if modal.whole == 0 {
            modal.whole = sum;
        }
        Ok(modal)
    }

    /// Adds an item of the list, and returns how many tokens it has.
    fn add(&mut self, item: &Members<'_>) -> Result<u64, Wrong> {
        let field = if member(item, "token_count").is_some() { "token_count" } else { "tokenCount" };
        let tokens = match member(item, field) {
            None | Some(Json::Null) => 0,
            Some(value) => quantity(value).map_err(|reason| (field.to_owned(), reason))?,
        };
        let modality = match member(item, "modality") {
            Some(Json::Text(modality)) => &**modality,
            _ => "",
        };
        match modality {
            "AUDIO" => self.audio = self.audio.saturating_add(tokens),
            "IMAGE" => self.image = self.image.saturating_add(tokens),
            "VIDEO" => self.video = self.video.saturating_add(tokens),
            "TEXT" | "DOCUMENT" | "MODALITY_UNSPECIFIED" => {}
            _ if tokens == 0 => {}
            _ => {
                let reason = "must be one of TEXT, AUDIO, IMAGE, VIDEO, DOCUMENT: another may have another price";
                return Err(("modality".to_owned(), reason.to_owned()));
            }
        }
        Ok(tokens)
    }

    /// Its split where everything but audio costs the same.
    fn as_input(self, names: &Names) -> Result<Split, Wrong> {
        Split::of(names.whole[0], self.whole, self.audio, 0)
    }
}
