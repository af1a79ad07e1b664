//! What a request can use at most, and how it is held to that.
//!
//! Nobody counts tokens here: a token is at least a byte of text, and what a model is told besides
//! (who speaks, where a message ends, that there are tools) is less than the JSON that says it, or
//! a known number of tokens. What has no such bound, such as a file that the vendor fetches, is
//! refused by its name.

use crate::{
    lexicon::{
        operation::Operation,
        refusal::{Refusal, Refused},
    },
    wire::json::{
        document::{Document, Kind, Value},
        object::{scan_nested, scan_object},
        splice::{Edit, splice},
        value::read_u64,
    },
};

/// The dearest image in tokens, whatever its size: eight tiles of the model that counts them
/// highest.
/// **Source**: platform.openai.com/docs/guides/images-vision, "Calculating costs", read 2026-11-21:
/// 2,833 tokens and 5,667 a tile for gpt-4o-mini, of at most 4 by 2 tiles.
const IMAGE_TOKENS_MAX: u64 = 2_833 + 8 * 5_667;
/// What vendors say to a model on their own, above all that there are tools: at most 735 tokens for
/// Claude's largest.
/// **Source**: docs.claude.com/en/docs/agents-and-tools/tool-use/overview, "Pricing", read
/// 2026-11-21.
const OWN_TOKENS_MAX: u64 = 1_024;

/// Members that let a request use what nobody can bound: what a vendor looks up, runs or keeps, and
/// other names of what is bounded.
const UNBOUNDED_MEMBERS: [&str; 16] = [
    "prediction",
    "web_search_options",
    "mcp_servers",
    "container",
    "context_management",
    // Responses: what the vendor keeps may stand for any number of tokens.
    "previous_response_id",
    "conversation",
    "background",
    // Google.
    "cachedContent",
    "cached_content",
    "generation_config",
    // Bedrock: what passes to a model unread.
    "additionalModelRequestFields",
    "promptVariables",
    "performanceConfig",
    "serviceTier",
    "guardrailConfig",
];
/// Parts of messages and items that do.
const UNBOUNDED_PARTS: [&str; 10] = [
    "file",
    "input_file",
    "document",
    "video",
    "video_url",
    "container_upload",
    "item_reference",
    "compaction",
    "computer_screenshot",
    "image_generation_call",
];
/// Of Google and Bedrock, whose parts are told by the names of their members.
const UNBOUNDED_NAMES: [&str; 8] = [
    "fileData",
    "file_data",
    "video",
    "document",
    "searchResult",
    "systemTool",
    "responseModalities",
    "max_output_tokens",
];
/// Behind these, names are what a tool's author and a model call things.
const TOLD_NAMES: [&str; 8] = [
    "inputSchema",
    "parameters",
    "parametersJsonSchema",
    "responseSchema",
    "responseJsonSchema",
    "input",
    "args",
    "json",
];
/// OpenAI refuses a Responses request for fewer tokens.
/// **Source**: its answer `integer_below_min_value` to 10, "Expected a value >= 16", as told in
/// github.com/vectorize-io/hindsight/issues/58, read 2026-11-21.
const RESPONSES_TOKENS_MIN: u64 = 16;

/// What one request can use at most.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Prompt {
    pub input_tokens: u64,
    /// Answers it asks for, each of which is bounded by itself; 0 where an answer has no tokens.
    pub answers: u64,
    /// Fewer tokens than these nobody is asked for in an answer.
    pub answer_tokens_min: u64,
}

/// Bound the request in `body`.
///
/// # Errors
/// `Unbounded` naming the member or part that has no bound; `InvalidJson`.
pub fn read(body: &[u8], operation: Operation) -> Result<Prompt, Refused> {
    let mut document = Document::default();
    let root = document.parse(body).map_err(|_| Refusal::InvalidJson)?;
    for name in UNBOUNDED_MEMBERS {
        let is_said = |value: Value<'_, '_>| !value.is_null() && value.as_bool() != Some(false);
        if root.get(name).is_some_and(is_said) {
            return Err(unbounded(name));
        }
    }
    // A text is a prompt of its own; an object names one that the vendor keeps.
    if root.get("prompt").is_some_and(|prompt| prompt.kind() == Kind::Object) {
        return Err(unbounded("prompt"));
    }
    let is_plain = |tier: &str| matches!(tier, "auto" | "default" | "flex" | "standard_only");
    let tier = root.get("service_tier").filter(|tier| !tier.is_null());
    if tier.is_some_and(|tier| !tier.plain().is_some_and(|tier| is_plain(&tier))) {
        return Err(unbounded("service_tier"));
    }
    for tool in root.get("tools").into_iter().flat_map(Value::items) {
        let kind = tool.get("type").and_then(Value::plain);
        if kind.is_some_and(|kind| !matches!(&*kind, "function" | "custom")) {
            return Err(unbounded("tools"));
        }
        let is_ours = |name: &str| matches!(name, "functionDeclarations" | "function_declarations");
        let mut names = tool.members().map(|(name, _)| name);
        if operation == Operation::GenerateContent && names.any(|name| !is_ours(&name)) {
            return Err(unbounded("tools"));
        }
    }
    let has_names = matches!(
        operation,
        Operation::GenerateContent | Operation::Converse | Operation::ConverseStream
    );
    let mut images = 0;
    let mut left = vec![(root, has_names)];
    while let Some((value, has_names)) = left.pop() {
        match value.kind() {
            Kind::Array => left.extend(value.items().map(|item| (item, has_names))),
            Kind::Object => {
                for (key, member) in value.members() {
                    images += u64::from(look(&key, member)?);
                    if has_names {
                        images += u64::from(look_by_name(&key, member)?);
                    }
                    left.push((member, has_names && !TOLD_NAMES.contains(&&*key)));
                }
            }
            _ => {}
        }
    }
    let input_tokens = body.len() as u64 + OWN_TOKENS_MAX + images * IMAGE_TOKENS_MAX;
    let is_responses = operation == Operation::Responses;
    let answer_tokens_min = if is_responses { RESPONSES_TOKENS_MIN } else { 1 };
    Ok(Prompt { input_tokens, answers: answers(root, operation)?, answer_tokens_min })
}

/// Is this member an image's? Refuses what has no bound.
fn look(key: &str, member: Value<'_, '_>) -> Result<bool, Refused> {
    // Speech that was said before is known to the vendor alone.
    if key == "audio" && member.get("id").is_some() {
        return Err(unbounded("audio.id"));
    }
    let Some(kind) = member.plain().filter(|_| key == "type") else { return Ok(false) };
    match UNBOUNDED_PARTS.iter().find(|part| **part == &*kind) {
        Some(part) => Err(unbounded(part)),
        None => Ok(matches!(&*kind, "image_url" | "image" | "input_image")),
    }
}

/// The same where parts are told by the names of their members.
fn look_by_name(key: &str, member: Value<'_, '_>) -> Result<bool, Refused> {
    if UNBOUNDED_NAMES.contains(&key) {
        return Err(unbounded(key));
    }
    if !matches!(key, "inlineData" | "inline_data") {
        return Ok(key == "image");
    }
    let kind = member.get("mimeType").or_else(|| member.get("mime_type")).and_then(Value::plain);
    match kind.as_deref() {
        Some(kind) if kind.starts_with("image/") => Ok(true),
        // Sound takes fewer tokens a second than any coding of it takes bytes.
        Some(kind) if kind.starts_with("audio/") || kind.starts_with("text/") => Ok(false),
        _ => Err(unbounded(key)),
    }
}

/// How many answers there will be.
fn answers(root: Value<'_, '_>, operation: Operation) -> Result<u64, Refused> {
    let count = |name: &str| {
        let values = root.members().filter(|(key, value)| &**key == name && !value.is_null());
        let mut most = 1;
        for (_, value) in values {
            most = value.as_u64().ok_or_else(|| unbounded(name))?.max(most);
        }
        Ok::<_, Refused>(most)
    };
    match operation {
        Operation::ChatCompletions => count("n"),
        Operation::Completions => {
            let prompts = root.get("prompt").map_or(1, |prompt| match prompt.items().next() {
                // A list of numbers is one prompt, in tokens.
                Some(first) if first.kind() != Kind::Number => prompt.items().count() as u64,
                _ => 1,
            });
            Ok(count("n")?.max(count("best_of")?).saturating_mul(prompts))
        }
        Operation::Messages
        | Operation::Responses
        | Operation::Converse
        | Operation::ConverseStream => Ok(1),
        Operation::Embeddings
        | Operation::CountTokens
        | Operation::CountContent
        | Operation::CountConverse => Ok(0),
        Operation::GenerateContent => {
            let config = root.get("generationConfig");
            let count =
                |name| config.and_then(|config| config.get(name)).filter(|it| !it.is_null());
            let said = count("candidateCount").or_else(|| count("candidate_count"));
            said.map_or(Some(1), Value::as_u64).ok_or_else(|| unbounded("candidateCount"))
        }
        // Each model of theirs calls its bound otherwise.
        Operation::InvokeModel | Operation::InvokeModelStream => Err(unbounded("messages")),
        // It is about what the vendor keeps.
        Operation::CompactResponse | Operation::StoredResponse => Err(unbounded("input")),
    }
}

#[cold]
fn unbounded(name: &str) -> Refused {
    Refusal::Unbounded.about(name, format!("\"{name}\" has no bound."))
}

/// The body that asks for at most `tokens` in each answer; `says_max_tokens` where the target knows
/// no other word for it.
#[must_use]
pub fn hold(body: &[u8], operation: Operation, tokens: u32, says_max_tokens: bool) -> Vec<u8> {
    match operation {
        Operation::GenerateContent => {
            return hold_inside(body, "generationConfig", "maxOutputTokens", tokens);
        }
        Operation::Converse | Operation::ConverseStream => {
            return hold_inside(body, "inferenceConfig", "maxTokens", tokens);
        }
        Operation::Responses => return hold_by(body, &["max_output_tokens"], 0, tokens),
        _ => {}
    }
    let is_newer = operation == Operation::ChatCompletions && !says_max_tokens;
    hold_by(body, &["max_tokens", "max_completion_tokens"], usize::from(is_newer), tokens)
}

/// The same by members of these names, of which one is added where there is none.
fn hold_by<const N: usize>(body: &[u8], names: &[&str; N], added: usize, tokens: u32) -> Vec<u8> {
    let mut out = Vec::with_capacity(body.len() + 40);
    // What is no object was refused when it was read.
    let Ok(object) = scan_nested(body, names) else { return body.to_vec() };
    let value = tokens.to_string();
    let edit = |range| Edit { range, with: value.as_bytes() };
    let said: Vec<_> = object.values.iter().flatten().collect();
    let number = |raw: &[u8]| read_u64(raw);
    // What is bounded more tightly already stays as it is.
    let is_loose = |raw: &[u8]| number(raw).is_some_and(|written| written > u64::from(tokens));
    let loose = said.iter().filter(|span| is_loose(span.of(body)));
    let mut edits: Vec<Edit<'_>> = loose.map(|span| edit(span.range())).collect();
    let is_bounded = said.iter().any(|span| number(span.of(body)).is_some());
    if let (false, Some(null)) = (is_bounded, said.first()) {
        edits.push(edit(null.range()));
    }
    edits.sort_by_key(|edit| edit.range.start);
    let comma = if object.is_empty { "" } else { "," };
    let member = format!("{comma}\"{}\":{tokens}", names[added]);
    if said.is_empty() {
        let end = object.end;
        edits.push(Edit { range: end..end, with: member.as_bytes() });
    }
    splice(&mut out, body, &edits);
    out
}

/// The same by a member of an object in the body.
fn hold_inside(body: &[u8], outer: &str, inner: &str, tokens: u32) -> Vec<u8> {
    let mut out = Vec::with_capacity(body.len() + 60);
    let Ok(object) = scan_object(body, &[outer]) else { return body.to_vec() };
    let found = object.values[0].filter(|span| span.of(body) != b"null");
    let config = found.map_or_else(
        || format!("{{\"{inner}\":{tokens}}}").into_bytes(),
        |span| hold_by(span.of(body), &[inner], 0, tokens),
    );
    let comma = if object.is_empty { "" } else { "," };
    let member = [format!("{comma}\"{outer}\":").as_bytes(), &config].concat();
    let edit = match object.values[0] {
        Some(span) => Edit { range: span.range(), with: &config },
        None => Edit { range: object.end..object.end, with: &member },
    };
    splice(&mut out, body, &[edit]);
    out
}

#[cfg(test)]
mod tests {
    use super::{IMAGE_TOKENS_MAX, OWN_TOKENS_MAX, hold, read};
    use crate::lexicon::{operation::Operation, refusal::Refusal};

    #[test]
    fn a_prompt_is_bounded_by_its_bytes_its_images_and_the_answers_it_asks_for() {
        for (operation, body, images, answers) in [
            (Operation::ChatCompletions, r#"{"messages":[{"role":"user","content":"hi"}]}"#, 0, 1),
            (Operation::ChatCompletions, r#"{"n":3,"tools":[{"type":"function"}]}"#, 0, 3),
            (
                Operation::ChatCompletions,
                r#"{"messages":[{"content":[{"type":"image_url"},{"\u0074ype":"im\u0061ge"}]}]}"#,
                2,
                1,
            ),
            (Operation::Completions, r#"{"prompt":["a","b"],"best_of":4,"n":2}"#, 0, 8),
            (Operation::Completions, r#"{"prompt":[1,2,3]}"#, 0, 1),
            (Operation::Embeddings, r#"{"input":"x"}"#, 0, 0),
        ] {
            let prompt = read(body.as_bytes(), operation).expect(body);
            let bytes = body.len() as u64;
            assert_eq!(prompt.input_tokens, bytes + OWN_TOKENS_MAX + images * IMAGE_TOKENS_MAX);
            assert_eq!(prompt.answers, answers, "{body}");
        }
    }

    #[test]
    fn what_has_no_bound_is_refused_by_its_name() {
        for (body, name) in [
            (r#"{"messages":[{"content":[{"type":"file","file":{"file_id":"f"}}]}]}"#, "file"),
            (r#"{"prediction":{"type":"content","content":"x"}}"#, "prediction"),
            (r#"{"tools":[{"type":"web_search_20250305"}]}"#, "tools"),
            (r#"{"messages":[{"role":"assistant","audio":{"id":"a"}}]}"#, "audio.id"),
            (r#"{"service_tier":"priority"}"#, "service_tier"),
            (r#"{"n":-1}"#, "n"),
        ] {
            let refused = read(body.as_bytes(), Operation::ChatCompletions).expect_err(body);
            assert_eq!(refused.refusal, Refusal::Unbounded);
            assert_eq!(refused.param.as_deref(), Some(name), "{body}");
        }
    }

    #[test]
    fn the_bound_is_said_where_the_client_said_one_or_where_the_target_looks_for_it() {
        for (body, says_max_tokens, expected) in [
            (r#"{"a":1}"#, false, r#"{"a":1,"max_completion_tokens":7}"#),
            (r#"{"a":1 }"#, true, r#"{"a":1 ,"max_tokens":7}"#),
            (r#"{"max_tokens":90,"b":2}"#, false, r#"{"max_tokens":7,"b":2}"#),
            (r#"{"max_tokens":null}"#, false, r#"{"max_tokens":7}"#),
            (
                r#"{"max_completion_tokens":null,"max_tokens": 5}"#,
                false,
                r#"{"max_completion_tokens":null,"max_tokens": 5}"#,
            ),
        ] {
            let held = hold(body.as_bytes(), Operation::ChatCompletions, 7, says_max_tokens);
            assert_eq!(String::from_utf8_lossy(&held), expected);
        }
        let held = hold(br#"{"a":1}"#, Operation::Messages, 7, false);
        assert_eq!(held, br#"{"a":1,"max_tokens":7}"#);
    }
}
