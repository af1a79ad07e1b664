//! What a request says, for whoever judges how hard it is.

use crate::{
    lexicon::operation::Operation,
    policy::route::complexity::{self, Prompt, Tier},
    wire::json::document::{Document, Kind, Value},
};
use std::borrow::Cow;

/// The tier of a request by its body; medium where it cannot be read, for then its target says why.
///
/// **Cost**: a full parse.
pub fn tier(operation: Operation, body: &[u8]) -> Tier {
    let judge = |prompt: &Prompt<'_>| complexity::classify(prompt).tier;
    with_prompt(operation, body, judge).unwrap_or_default()
}

/// What `judge` makes of what is looked at; none where the body cannot be read.
pub fn with_prompt<T>(
    operation: Operation,
    body: &[u8],
    judge: impl FnOnce(&Prompt<'_>) -> T,
) -> Option<T> {
    let mut document = Document::default();
    let root = document.parse(body).ok()?;
    let mut prompt = Prompt::default();
    let mut text = Cow::Borrowed("");
    if operation == Operation::Completions {
        text = root.get("prompt").and_then(Value::plain).unwrap_or_default();
        prompt.messages = 1;
    }
    for message in root.get("messages").into_iter().flat_map(Value::items) {
        prompt.messages += 1;
        prompt.context_bytes += message.raw().len();
        let is_user = message.get("role").and_then(Value::plain).is_some_and(|it| it == "user");
        let Some(content) = message.get("content").filter(|_| is_user) else { continue };
        let (words, images) = words_of(content);
        prompt.images += images;
        // A message that only brings results of tools asks nothing new.
        if !words.is_empty() {
            text = words;
        }
    }
    let system = root.get("system").map_or(0, |system| system.raw().len());
    prompt.context_bytes += system;
    prompt.tools = root.get("tools").map_or(0, |tools| tools.items().count());
    prompt.wants_schema = root
        .get("response_format")
        .and_then(|format| format.get("type"))
        .and_then(Value::plain)
        .is_some_and(|kind| kind != "text");
    prompt.text = &text;
    Some(judge(&prompt))
}

/// The words of a message's content, and how many images are among them.
fn words_of<'b>(content: Value<'_, 'b>) -> (Cow<'b, str>, usize) {
    if content.kind() == Kind::String {
        return (content.plain().unwrap_or_default(), 0);
    }
    let (mut words, mut images) = (String::new(), 0);
    for part in content.items() {
        let kind = part.get("type").and_then(Value::plain).unwrap_or_default();
        if kind == "text" {
            words.push_str(&part.get("text").and_then(Value::plain).unwrap_or_default());
            words.push('\n');
        } else if kind.contains("image") {
            images += 1;
        }
    }
    (Cow::Owned(words), images)
}

#[cfg(test)]
mod tests {
    use super::tier;
    use crate::{lexicon::operation::Operation, policy::route::complexity::Tier};

    #[test]
    fn the_newest_user_message_decides_in_either_language() {
        for (operation, body, expected) in [
            (
                Operation::ChatCompletions,
                r#"{"model":"x","messages":[{"role":"user","content":"Design a distributed queue,
                    analyze and prove it."},{"role":"assistant","content":"ok"},
                    {"role":"user","content":"Thanks!"}]}"#,
                Tier::Simple,
            ),
            (
                Operation::Messages,
                r#"{"model":"x","system":"Be brief.","messages":[{"role":"user","content":[
                    {"type":"text","text":"Prove the theorem, then design and analyze an algorithm."},
                    {"type":"image","source":{}}]}]}"#,
                Tier::Complex,
            ),
            (Operation::Completions, r#"{"model":"x","prompt":"hello"}"#, Tier::Simple),
            (Operation::ChatCompletions, "{", Tier::Medium),
        ] {
            let body = body.replace('\n', " ");
            assert_eq!(tier(operation, body.as_bytes()), expected, "{body}");
        }
    }
}
