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
        object::scan_object,
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

/// Members that let a request use what nobody can bound.
const UNBOUNDED_MEMBERS: [&str; 5] =
    ["prediction", "web_search_options", "mcp_servers", "container", "context_management"];
/// Parts of messages that do.
const UNBOUNDED_PARTS: [&str; 6] =
    ["file", "input_file", "document", "video", "video_url", "container_upload"];

/// What one request can use at most.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Prompt {
    pub input_tokens: u64,
    /// Answers it asks for, each of which is bounded by itself; 0 where an answer has no tokens.
    pub answers: u64,
}

/// Bound the request in `body`.
///
/// # Errors
/// `Unbounded` naming the member or part that has no bound; `InvalidJson`.
pub fn read(body: &[u8], operation: Operation) -> Result<Prompt, Refused> {
    let mut document = Document::default();
    let root = document.parse(body).map_err(|_| Refusal::InvalidJson)?;
    for name in UNBOUNDED_MEMBERS {
        if root.get(name).is_some_and(|value| !value.is_null()) {
            return Err(unbounded(name));
        }
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
    }
    let mut images = 0;
    let mut left = vec![root];
    while let Some(value) = left.pop() {
        match value.kind() {
            Kind::Array => left.extend(value.items()),
            Kind::Object => {
                for (key, member) in value.members() {
                    images += u64::from(look(&key, member)?);
                    left.push(member);
                }
            }
            _ => {}
        }
    }
    let input_tokens = body.len() as u64 + OWN_TOKENS_MAX + images * IMAGE_TOKENS_MAX;
    Ok(Prompt { input_tokens, answers: answers(root, operation)? })
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
        Operation::Messages => Ok(1),
        Operation::Embeddings
        | Operation::CountTokens
        | Operation::CountContent
        | Operation::CountConverse => Ok(0),
        // Its bound has another name and place, which nobody here writes.
        Operation::GenerateContent => Err(unbounded("contents")),
        Operation::Converse
        | Operation::ConverseStream
        | Operation::InvokeModel
        | Operation::InvokeModelStream => Err(unbounded("messages")),
        // The same, and what the vendor keeps may stand for any number of tokens.
        Operation::Responses | Operation::CompactResponse | Operation::StoredResponse => {
            Err(unbounded("input"))
        }
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
    let mut out = Vec::with_capacity(body.len() + 40);
    let names = ["max_tokens", "max_completion_tokens"];
    // What is no object was refused when it was read.
    let Ok(object) = scan_object(body, &names) else { return body.to_vec() };
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
    let is_newer = operation == Operation::ChatCompletions && !says_max_tokens;
    let member = format!(",\"{}\":{tokens}", names[usize::from(is_newer)]);
    if said.is_empty() {
        let end = object.end;
        edits.push(Edit { range: end..end, with: member.as_bytes() });
    }
    splice(&mut out, body, &edits);
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
