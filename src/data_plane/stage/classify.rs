//! What a request says, for whoever judges how hard it is.

use crate::{
    dialect::pivot::part::Dialect,
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
///
/// In whichever dialect: what it says last is the newest message of the user's; what operators or
/// developers say to the model is part of the context, as are the turns before.
pub fn with_prompt<T>(
    operation: Operation,
    body: &[u8],
    judge: impl FnOnce(&Prompt<'_>) -> T,
) -> Option<T> {
    let mut document = Document::default();
    let root = document.parse(body).ok()?;
    let dialect = Dialect::of(operation);
    // Who asks how many tokens a request would have says the request within another object.
    let counted =
        || root.get("generateContentRequest").or_else(|| root.get("input")?.get("converse"));
    let root = match operation {
        Operation::CountContent | Operation::CountConverse => counted().unwrap_or(root),
        _ => root,
    };
    let mut prompt = Prompt::default();
    let mut text = Cow::Borrowed("");
    let messages = match (operation, dialect) {
        (Operation::Completions, _) => root.get("prompt"),
        (_, Dialect::OpenAiResponses) => root.get("input"),
        (_, Dialect::Gemini) => root.get("contents"),
        _ => root.get("messages"),
    };
    if let Some(only) = messages.and_then(Value::plain) {
        prompt.messages = 1;
        text = only;
    }
    for message in messages.into_iter().flat_map(Value::items) {
        prompt.messages += 1;
        prompt.context_bytes += message.raw().len();
        // Gemini takes what nobody is said to say for the user's.
        let role = message.get("role").and_then(Value::plain);
        let is_user = role.map_or(dialect == Dialect::Gemini, |role| role == "user");
        let content = message.get("content").or_else(|| message.get("parts"));
        let Some(content) = content.filter(|_| is_user) else { continue };
        let (words, images) = words_of(content);
        prompt.images += images;
        // A message that only brings results of tools asks nothing new.
        if !words.is_empty() {
            text = words;
        }
    }
    let instructions = INSTRUCTIONS.iter().filter_map(|name| root.get(name));
    prompt.context_bytes += instructions.map(|it| it.raw().len()).sum::<usize>();
    prompt.tools = tools_of(root);
    prompt.wants_schema = wants_schema(root);
    prompt.text = &text;
    Some(judge(&prompt))
}

/// What models are told before all turns, by the members of all dialects.
const INSTRUCTIONS: [&str; 4] =
    ["system", "instructions", "systemInstruction", "system_instruction"];

/// The words of a message's content, and how many images are among them.
fn words_of<'b>(content: Value<'_, 'b>) -> (Cow<'b, str>, usize) {
    if content.kind() == Kind::String {
        return (content.plain().unwrap_or_default(), 0);
    }
    let (mut words, mut images) = (String::new(), 0);
    for part in content.items() {
        // Google's and Bedrock's parts are told apart by their members.
        let kind = part.get("type").and_then(Value::plain);
        let kind = kind.as_deref().or_else(|| part.get("text").map(|_| "text"));
        match kind {
            Some("text" | "input_text") => {
                words.push_str(&part.get("text").and_then(Value::plain).unwrap_or_default());
                words.push('\n');
            }
            Some(kind) => images += usize::from(kind.contains("image")),
            None => images += usize::from(is_image(part)),
        }
    }
    (Cow::Owned(words), images)
}

/// Is it an image as Bedrock says it, `{"image":…}`, or as Google does,
/// `{"inlineData":{"mimeType":"image/png",…}}`?
fn is_image(part: Value<'_, '_>) -> bool {
    let data = ["inlineData", "inline_data", "fileData", "file_data"];
    let data = data.iter().find_map(|name| part.get(name));
    let kind = data.and_then(|it| it.get("mimeType").or_else(|| it.get("mime_type")));
    let kind = kind.and_then(Value::plain);
    part.get("image").is_some() || kind.is_some_and(|kind| kind.starts_with("image/"))
}

/// How many tools it brings.
fn tools_of(root: Value<'_, '_>) -> usize {
    let tools = root.get("tools").or_else(|| root.get("toolConfig")?.get("tools"));
    // Google writes many into one.
    let within = |tool: Value<'_, '_>| {
        let named = tool.get("functionDeclarations");
        let named = named.or_else(|| tool.get("function_declarations"));
        named.map_or(1, |named| named.items().count())
    };
    tools.into_iter().flat_map(Value::items).map(within).sum()
}

/// Must the answer be JSON?
fn wants_schema(root: Value<'_, '_>) -> bool {
    let format = root
        .get("response_format")
        .or_else(|| root.get("output_format"))
        .or_else(|| root.get("text")?.get("format"))
        .or_else(|| root.get("output_config")?.get("format"));
    let kind = format.and_then(|format| format.get("type")).and_then(Value::plain);
    let of_google = root.get("generationConfig").or_else(|| root.get("generation_config"));
    let of_google = of_google
        .and_then(|it| it.get("responseMimeType").or_else(|| it.get("response_mime_type")));
    let of_google = of_google.and_then(Value::plain);
    kind.is_some_and(|kind| kind != "text")
        || of_google.is_some_and(|kind| kind == "application/json")
}

#[cfg(test)]
mod tests {
    use super::{tier, with_prompt};
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

    /// A hard question is as hard in whichever words it comes, and so is what stands around it.
    #[test]
    fn what_is_said_is_read_in_every_dialect() {
        const HARD: &str = "Prove the theorem, then design and analyze an algorithm.";
        for (operation, body) in [
            (
                Operation::Responses,
                r#"{"instructions":"Be brief.","input":"HARD","tools":[{"type":"function"}],
                    "text":{"format":{"type":"json_schema"}}}"#,
            ),
            (
                Operation::Responses,
                r#"{"instructions":"Be brief.","input":[
                    {"role":"user","content":"hello"},{"type":"message","role":"user","content":[
                        {"type":"input_text","text":"HARD"},{"type":"input_image","image_url":""}]},
                    {"type":"function_call","name":"f"},
                    {"type":"function_call_output","output":"hello"}],
                    "tools":[{"type":"function"}],"text":{"format":{"type":"json_schema"}}}"#,
            ),
            (
                Operation::GenerateContent,
                r#"{"systemInstruction":{"parts":[{"text":"Be brief."}]},"contents":[
                    {"role":"user","parts":[{"text":"HARD"},
                        {"inlineData":{"mimeType":"image/png","data":""}}]},
                    {"role":"model","parts":[{"text":"hello"}]}],
                    "tools":[{"functionDeclarations":[{"name":"f"}]}],
                    "generationConfig":{"responseMimeType":"application/json"}}"#,
            ),
            (
                Operation::CountContent,
                r#"{"generateContentRequest":{"system_instruction":{"parts":[{"text":"Be brief."}]},
                    "contents":[{"parts":[{"text":"HARD"}]}],
                    "tools":[{"function_declarations":[{"name":"f"}]}],
                    "generation_config":{"response_mime_type":"application/json"}}}"#,
            ),
            (
                Operation::Converse,
                r#"{"system":[{"text":"Be brief."}],"messages":[{"role":"user","content":[
                        {"text":"HARD"},{"image":{"format":"png","source":{}}}]},
                    {"role":"assistant","content":[{"toolUse":{"name":"f"}}]},
                    {"role":"user","content":[{"toolResult":{"content":[{"text":"hello"}]}}]}],
                    "toolConfig":{"tools":[{"toolSpec":{"name":"f"}}]},
                    "output_config":{"format":{"type":"json_schema"}}}"#,
            ),
            (
                Operation::Messages,
                r#"{"system":[{"type":"text","text":"Be brief."}],"messages":[{"role":"user",
                    "content":[{"type":"text","text":"HARD"},{"type":"image","source":{}}]}],
                    "tools":[{"name":"f"}],"output_format":{"type":"json_schema"}}"#,
            ),
        ] {
            let body = body.replace('\n', " ").replace("HARD", HARD);

            let read = with_prompt(operation, body.as_bytes(), |prompt| {
                assert_eq!(prompt.text.trim(), HARD, "{body}");
                assert!(prompt.context_bytes >= "Be brief.".len(), "{body}");
                assert_eq!((prompt.tools, prompt.wants_schema), (1, true), "{body}");
                assert_eq!(prompt.images, usize::from(body.contains("image")), "{body}");
            });

            assert!(read.is_some(), "{body}");
            assert_eq!(tier(operation, body.as_bytes()), Tier::Complex, "{body}");
        }
    }
}
