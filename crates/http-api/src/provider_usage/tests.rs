use super::*;
use crate::json::parse;

/// What an object of a provider's becomes: `unit=amount …`, or the field and why it is refused.
fn converted(provider: &str, usage: &str) -> String {
    normalised(&format!("{{\"provider\":\"{provider}\",\"usage\":{usage}}}"))
}

fn normalised(body: &str) -> String {
    let Json::Object(members) = parse(body.as_bytes()).unwrap() else { panic!("{body}") };
    match normalise(&members) {
        Ok(quantities) => quantities.iter().map(|q| format!("{}={}", q.unit, q.amount)).collect::<Vec<_>>().join(" "),
        Err((field, reason)) => format!("{field}: {reason}"),
    }
}

fn check(provider: &str, cases: &[(&str, &str)]) {
    for (usage, expected) in cases {
        assert_eq!(converted(provider, usage), *expected, "{usage}");
    }
}

#[test]
fn openai_text() {
    check(
        "openai",
        &[
            (
                r#"{"prompt_tokens":2006,"completion_tokens":300,"total_tokens":2306,
                    "prompt_tokens_details":{"cached_tokens":1920,"audio_tokens":0},
                    "completion_tokens_details":{"reasoning_tokens":100,"audio_tokens":0,
                        "accepted_prediction_tokens":40,"rejected_prediction_tokens":10}}"#,
                "cache_read_tokens=1920 input_tokens=86 output_tokens=200 reasoning_tokens=100",
            ),
            (
                r#"{"input_tokens":328,"input_tokens_details":{"cached_tokens":0},"output_tokens":52,
                    "output_tokens_details":{"reasoning_tokens":0},"total_tokens":380}"#,
                "input_tokens=328 output_tokens=52",
            ),
            (
                r#"{"input_tokens":5000,"input_tokens_details":{"cached_tokens":3000,"cache_write_tokens":1500},
                    "output_tokens":52,"output_tokens_details":{"reasoning_tokens":12},"total_tokens":5052}"#,
                "cache_read_tokens=3000 cache_write_tokens=1500 input_tokens=500 output_tokens=40 reasoning_tokens=12",
            ),
            // An embedding has no output.
            (r#"{"prompt_tokens":8,"total_tokens":8}"#, "input_tokens=8"),
            // Some servers write both sets of names and fill one.
            (
                r#"{"prompt_tokens":10,"completion_tokens":5,"input_tokens":0,"output_tokens":5,"total_tokens":15}"#,
                "input_tokens=10 output_tokens=5",
            ),
            // DeepSeek's own members.
            (
                r#"{"prompt_tokens":90,"prompt_cache_hit_tokens":64,"prompt_cache_miss_tokens":26,
                    "completion_tokens":1,"total_tokens":91}"#,
                "cache_read_tokens=64 input_tokens=26 output_tokens=1",
            ),
        ],
    );
}

#[test]
fn openai_audio_and_images() {
    check(
        "openai",
        &[
            // Realtime, as the guide to its costs shows it.
            (
                r#"{"total_tokens":253,"input_tokens":132,"output_tokens":121,
                    "input_token_details":{"text_tokens":119,"audio_tokens":13,"image_tokens":0,"cached_tokens":64,
                        "cached_tokens_details":{"text_tokens":64,"audio_tokens":0,"image_tokens":0}},
                    "output_token_details":{"text_tokens":30,"audio_tokens":91}}"#,
                "audio_input_tokens=13 audio_output_tokens=91 cache_read_tokens=64 input_tokens=55 output_tokens=30",
            ),
            // Cached audio is in cached_tokens and in audio_tokens, and is counted once.
            (
                r#"{"total_tokens":1100,"input_tokens":1000,"output_tokens":100,
                    "input_token_details":{"text_tokens":400,"audio_tokens":600,"cached_tokens":700,
                        "cached_tokens_details":{"text_tokens":200,"audio_tokens":500}},
                    "output_token_details":{"text_tokens":20,"audio_tokens":80}}"#,
                "audio_input_tokens=100 audio_output_tokens=80 cache_read_audio_tokens=500 cache_read_tokens=200 \
                 input_tokens=200 output_tokens=20",
            ),
            // Nobody says what was cached: text first, and audio for what is more than there is text.
            (
                r#"{"prompt_tokens":1000,"completion_tokens":0,
                    "prompt_tokens_details":{"cached_tokens":300,"audio_tokens":600}}"#,
                "audio_input_tokens=600 cache_read_tokens=300 input_tokens=100",
            ),
            (
                r#"{"prompt_tokens":1000,"completion_tokens":0,
                    "prompt_tokens_details":{"cached_tokens":900,"audio_tokens":600}}"#,
                "audio_input_tokens=100 cache_read_audio_tokens=500 cache_read_tokens=400",
            ),
            (
                r#"{"prompt_tokens":10,"completion_tokens":20,
                    "prompt_tokens_details":{"audio_tokens":10,"cached_tokens":10},
                    "completion_tokens_details":{"audio_tokens":12,"reasoning_tokens":8}}"#,
                "audio_output_tokens=12 cache_read_audio_tokens=10 reasoning_tokens=8",
            ),
            // Images in cost more than text with some models, and images out always do.
            (
                r#"{"total_tokens":100,"input_tokens":50,"output_tokens":50,
                    "input_tokens_details":{"text_tokens":10,"image_tokens":40},
                    "output_tokens_details":{"image_tokens":50,"text_tokens":0}}"#,
                "image_input_tokens=40 image_output_tokens=50 input_tokens=10",
            ),
            (
                r#"{"type":"tokens","total_tokens":17,"input_tokens":14,
                    "input_token_details":{"text_tokens":4,"audio_tokens":10},"output_tokens":3}"#,
                "audio_input_tokens=10 input_tokens=4 output_tokens=3",
            ),
            (r#"{"type":"duration","seconds":60}"#, "seconds=60"),
            (r#"{"type":"duration","seconds":3.2}"#, "seconds=4"),
        ],
    );
}

#[test]
fn anthropic() {
    check(
        "anthropic",
        &[
            (
                r#"{"input_tokens":50,"cache_read_input_tokens":100000,"cache_creation_input_tokens":248,
                    "output_tokens":503,"service_tier":"standard"}"#,
                "cache_read_tokens=100000 cache_write_tokens=248 input_tokens=50 output_tokens=503",
            ),
            // As the page on prompt caching shows it: the flat count is the sum of the others.
            (
                r#"{"input_tokens":2048,"cache_read_input_tokens":1800,"cache_creation_input_tokens":248,
                    "output_tokens":503,
                    "cache_creation":{"ephemeral_5m_input_tokens":148,"ephemeral_1h_input_tokens":100}}"#,
                "cache_read_tokens=1800 cache_write_1h_tokens=100 cache_write_tokens=148 input_tokens=2048 \
                 output_tokens=503",
            ),
            (
                r#"{"input_tokens":1,"output_tokens":1,
                    "cache_creation":{"ephemeral_5m_input_tokens":7,"ephemeral_1h_input_tokens":9}}"#,
                "cache_write_1h_tokens=9 cache_write_tokens=7 input_tokens=1 output_tokens=1",
            ),
            (
                r#"{"input_tokens":105,"output_tokens":6039,"cache_read_input_tokens":7123,
                    "cache_creation_input_tokens":7345,"server_tool_use":{"web_search_requests":1}}"#,
                "cache_read_tokens=7123 cache_write_tokens=7345 input_tokens=105 output_tokens=6039 \
                 web_search_requests=1",
            ),
            (
                r#"{"input_tokens":536,"output_tokens":59,"cache_creation":null,"server_tool_use":null,
                    "service_tier":null,"output_tokens_details":{"thinking_tokens":20}}"#,
                "input_tokens=536 output_tokens=59",
            ),
            // The last part of a stream.
            (r#"{"output_tokens":15}"#, "output_tokens=15"),
            // The top of the object leaves out what a compaction used.
            (
                r#"{"input_tokens":23000,"output_tokens":1000,"iterations":[
                    {"type":"compaction","input_tokens":180000,"output_tokens":3500,"cache_read_input_tokens":0,
                     "cache_creation_input_tokens":5},
                    {"type":"message","input_tokens":23000,"output_tokens":1000}]}"#,
                "cache_write_tokens=5 input_tokens=203000 output_tokens=4500",
            ),
            (
                r#"{"input_tokens":1,"output_tokens":1,"iterations":[
                    {"type":"advisor_message","model":"m","input_tokens":823,"output_tokens":1612}]}"#,
                "usage.iterations[0].type: is \"advisor_message\", whose tokens may be another model's; charge each \
                 model by itself, with usage in place of provider_usage",
            ),
            (
                r#"{"input_tokens":1,"output_tokens":1,"cache_creation_input_tokens":3,
                    "cache_creation":{"ephemeral_5m_input_tokens":4}}"#,
                "usage.cache_creation_input_tokens: is 3, less than the parts that it is said to include",
            ),
            (
                r#"{"input_tokens":1,"output_tokens":1,"server_tool_use":{"input_tokens":4}}"#,
                "usage.server_tool_use.input_tokens: is a count that is not known here, and would be free; send usage \
                 in units of your own in place of provider_usage",
            ),
        ],
    );
}

#[test]
fn google() {
    check(
        "google",
        &[
            (
                r#"{"promptTokenCount":1000,"cachedContentTokenCount":400,"candidatesTokenCount":20,
                    "thoughtsTokenCount":7,"totalTokenCount":1027,
                    "promptTokensDetails":[{"modality":"TEXT","tokenCount":1000}],
                    "cacheTokensDetails":[{"modality":"TEXT","tokenCount":400}],"trafficType":"ON_DEMAND"}"#,
                "cache_read_tokens=400 input_tokens=600 output_tokens=20 reasoning_tokens=7",
            ),
            (
                r#"{"promptTokenCount":900,"cachedContentTokenCount":500,"candidatesTokenCount":20,
                    "totalTokenCount":920,
                    "promptTokensDetails":[{"modality":"TEXT","tokenCount":100},{"modality":"AUDIO","tokenCount":600},
                        {"modality":"IMAGE","tokenCount":150},{"modality":"VIDEO","tokenCount":50}],
                    "cacheTokensDetails":[{"modality":"AUDIO","tokenCount":480},{"modality":"TEXT","tokenCount":20}],
                    "candidatesTokensDetails":[{"modality":"TEXT","tokenCount":20}]}"#,
                "audio_input_tokens=120 cache_read_audio_tokens=480 cache_read_tokens=20 input_tokens=280 \
                 output_tokens=20",
            ),
            // Nobody says what was cached: text first.
            (
                r#"{"promptTokenCount":900,"cachedContentTokenCount":500,"candidatesTokenCount":1,
                    "promptTokensDetails":[{"modality":"TEXT","tokenCount":300},{"modality":"AUDIO","tokenCount":600}]}"#,
                "audio_input_tokens=400 cache_read_audio_tokens=200 cache_read_tokens=300 output_tokens=1",
            ),
            // Live.
            (
                r#"{"promptTokenCount":350,"responseTokenCount":120,"totalTokenCount":480,"thoughtsTokenCount":10,
                    "promptTokensDetails":[{"modality":"TEXT","tokenCount":50},{"modality":"AUDIO","tokenCount":300}],
                    "responseTokensDetails":[{"modality":"AUDIO","tokenCount":110}]}"#,
                "audio_input_tokens=300 audio_output_tokens=110 input_tokens=50 output_tokens=10 reasoning_tokens=10",
            ),
            // As the SDK for Python spells it.
            (
                r#"{"prompt_token_count":10,"candidates_token_count":3,"tool_use_prompt_token_count":40,
                    "total_token_count":53,"thoughts_token_count":null,
                    "tool_use_prompt_tokens_details":[{"modality":"TEXT","token_count":40}]}"#,
                "input_tokens=50 output_tokens=3",
            ),
            (
                r#"{"promptTokenCount":10,"candidatesTokenCount":1300,"totalTokenCount":1310,
                    "candidatesTokensDetails":[{"modality":"IMAGE","tokenCount":1290}]}"#,
                "image_output_tokens=1290 input_tokens=10 output_tokens=10",
            ),
            (
                r#"{"promptTokenCount":10,"promptTokensDetails":[{"modality":"SMELL","tokenCount":1}]}"#,
                "usage.promptTokensDetails[0].modality: must be one of TEXT, AUDIO, IMAGE, VIDEO, DOCUMENT: another \
                 may have another price",
            ),
            (
                r#"{"promptTokenCount":10,"promptTokensDetails":[{"modality":"AUDIO","tokenCount":11}]}"#,
                "usage.promptTokenCount: is 10, less than the parts that it is said to include",
            ),
        ],
    );
}

#[test]
fn an_object_without_a_known_count_is_not_free() {
    let openai = "usage: has none of the counts that are looked for: input_tokens, output_tokens, prompt_tokens, \
                  completion_tokens, seconds";
    let hint = format!("{openai}; is the object to send the one in its usage?");
    check(
        "openai",
        &[
            ("{}", openai),
            (r#"{"total_tokens":500}"#, openai),
            (r#"{"promptTokenCount":500}"#, openai),
            (r#"{"prompt_tokens":null}"#, openai),
            (r#"{"id":"chatcmpl-1","usage":{"prompt_tokens":1,"completion_tokens":2}}"#, &hint),
            (r#"{"prompt_tokens":0,"completion_tokens":0,"total_tokens":0}"#, ""),
        ],
    );
    assert!(converted("google", r#"{"prompt_tokens":5}"#).starts_with("usage: has none"));
    assert!(converted("anthropic", r#"{"prompt_tokens":5}"#).starts_with("usage: has none"));
    check("anthropic", &[(r#"{"input_tokens":0,"output_tokens":0}"#, "")]);
    check("google", &[(r#"{"promptTokenCount":0}"#, "")]);
}

#[test]
fn what_is_not_understood_is_refused_by_name() {
    let unknown = |field: &str| {
        format!(
            "usage.{field}: is a count that is not known here, and would be free; send usage in units of your own in \
             place of provider_usage"
        )
    };
    check(
        "openai",
        &[
            (
                r#"{"prompt_tokens":10,"completion_tokens":5,"total_tokens":500}"#,
                "usage.total_tokens: is 500, more than the 15 of the counts that were understood; the rest would be \
                 free",
            ),
            (r#"{"prompt_tokens":10,"completion_tokens":5,"total_tokens":9}"#, "input_tokens=10 output_tokens=5"),
            (r#"{"prompt_tokens":10,"dream_tokens":5}"#, &unknown("dream_tokens")),
            (r#"{"prompt_tokens":10,"dream_tokens":5.5}"#, &unknown("dream_tokens")),
            (r#"{"prompt_tokens":10,"dream_tokens":0,"note":7}"#, "input_tokens=10"),
            (
                r#"{"prompt_tokens":10,"prompt_tokens_details":{"video_tokens":5}}"#,
                &unknown("prompt_tokens_details.video_tokens"),
            ),
            (r#"{"prompt_tokens":10,"parts":[{"tokens":1}]}"#, &unknown("parts[0].tokens")),
        ],
    );
    let google = r#"{"promptTokenCount":10,"candidatesTokenCount":5,"totalTokenCount":400}"#;
    assert_eq!(
        converted("google", google),
        "usage.totalTokenCount: is 400, more than the 15 of the counts that were understood; the rest would be free"
    );
    assert_eq!(converted("google", r#"{"promptTokenCount":10,"dreamTokenCount":5}"#), unknown("dreamTokenCount"));
}

#[test]
fn contradictions_are_refused() {
    check(
        "openai",
        &[
            (
                r#"{"prompt_tokens":10,"prompt_tokens_details":{"cached_tokens":11}}"#,
                "usage.prompt_tokens: is 10, less than the parts that it is said to include",
            ),
            (
                r#"{"input_tokens":10,"output_tokens":4,"output_tokens_details":{"reasoning_tokens":5}}"#,
                "usage.output_tokens: is 4, less than the parts that it is said to include",
            ),
            (
                r#"{"prompt_tokens":10,"input_tokens":11}"#,
                "usage.prompt_tokens: is 10, and input_tokens, the same count, is 11",
            ),
            (r#"{"prompt_tokens":10,"prompt_tokens":11}"#, "usage.prompt_tokens: the member comes twice"),
            (
                r#"{"prompt_tokens":10,"prompt_tokens_details":5}"#,
                "usage.prompt_tokens_details: must be an object, not an integer",
            ),
            (
                r#"{"input_tokens":9007199254740991,"output_tokens":9007199254740992}"#,
                "usage.output_tokens: must be from 0 to 9007199254740991",
            ),
        ],
    );
    assert_eq!(
        converted("anthropic", r#"{"input_tokens":1.5}"#),
        "usage.input_tokens: must be a whole number of the unit, not a number with a point or an exponent"
    );
    assert_eq!(
        converted("google", r#"{"promptTokenCount":9007199254740991,"toolUsePromptTokenCount":1}"#),
        "usage.input_tokens: adds up to more than 9007199254740991"
    );
    let unknown = "provider: must be one of openai, anthropic, google";
    assert_eq!(normalised(r#"{"provider":"x","usage":{}}"#), unknown);
    assert_eq!(normalised(r#"{"usage":{}}"#), unknown);
    assert_eq!(normalised(r#"{"provider":"openai"}"#), "usage: must be the usage object as the provider sent it");
    assert_eq!(normalised(r#"{"provider":"openai","usage":{},"x":1}"#), "x: no such field");
}
