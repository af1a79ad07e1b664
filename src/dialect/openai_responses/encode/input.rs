//! The items of a request's `input`.

use crate::{
    dialect::{
        openai_chat::encode::content::push_url,
        openai_responses::seal,
        pivot::{
            dropped::Dropped,
            part::{Content, Document, DocumentBody, Part, Source},
            request::{Request, Role, Turn},
            target::Addressee,
            text::Text,
        },
        told::{self, RESPONSES_ID_BYTES_MAX},
    },
    wire::json::write::{Array, Object},
};

/// Append the member `input`.
pub fn push_all(
    object: &mut Object<'_>,
    request: &Request<'_>,
    to: &Addressee<'_>,
    dropped: &mut Dropped,
) {
    let mut items = object.array("input");
    for turn in &request.turns {
        if turn.name.is_some() {
            dropped.name("messages[].name");
        }
        if turn.parts.iter().any(|part| part.cache.is_some()) {
            dropped.name("messages[].cache_control");
        }
        push_turn(&mut items, turn, to, dropped);
    }
    items.close();
}

fn push_turn(items: &mut Array<'_>, turn: &Turn<'_>, to: &Addressee<'_>, dropped: &mut Dropped) {
    let role = match turn.role {
        Role::System => "system",
        Role::Developer => "developer",
        Role::User => "user",
        Role::Assistant => "assistant",
        Role::Tool => return push_results(items, turn, dropped),
    };
    // Words in a row are one message; thoughts and calls are items of their own.
    let is_spoken = |part: &Part<'_>| {
        !matches!(
            part.content,
            Content::ToolCall(_) | Content::Thinking { .. } | Content::RedactedThinking(_)
        )
    };
    for parts in turn.parts.chunk_by(|a, b| is_spoken(a) && is_spoken(b)) {
        match &parts[0].content {
            Content::ToolCall(call) => {
                let mut item = open(items, "function_call");
                told::push_id(item.key("call_id"), &call.id, RESPONSES_ID_BYTES_MAX);
                call.name.push(item.key("name"));
                call.arguments.push_text(item.key("arguments"));
                item.close();
            }
            Content::Thinking { text, signature } => {
                push_thinking(items, text, signature.as_ref(), to, dropped);
            }
            // The words are another vendor's.
            Content::RedactedThinking(_) => dropped.name("messages[].redacted_thinking"),
            _ => push_message(items, role, parts, dropped),
        }
    }
}

fn push_thinking(
    items: &mut Array<'_>,
    text: &Text<'_>,
    signature: Option<&Text<'_>>,
    to: &Addressee<'_>,
    dropped: &mut Dropped,
) {
    let encrypted = signature.and_then(seal::of_signature);
    if encrypted.is_none() && !to.abilities.keeps_reasoning {
        return dropped.name("messages[].thinking");
    }
    let mut item = open(items, "reasoning");
    let mut summary = item.array("summary");
    if !text.is_empty() {
        let mut part = open(&mut summary, "summary_text");
        text.push(part.key("text"));
        part.close();
    }
    summary.close();
    if let Some(encrypted) = encrypted {
        encrypted.push(item.key("encrypted_content"));
    }
    item.close();
}

fn push_message(items: &mut Array<'_>, role: &str, parts: &[Part<'_>], dropped: &mut Dropped) {
    if let [Part { content: Content::Text(text), .. }] = parts {
        let mut item = items.object();
        item.text("role", role);
        text.push(item.key("content"));
        return item.close();
    }
    // What cannot be said leaves no empty message behind.
    let mut content = Vec::new();
    let mut array = Array::open(&mut content);
    let mut is_any = false;
    for part in parts {
        is_any |= push_part(&mut array, part, role == "assistant", dropped);
    }
    array.close();
    if !is_any {
        return;
    }
    let mut item = open(items, "message");
    item.text("role", role);
    item.key("content").extend_from_slice(&content);
    item.close();
}

fn push_results(items: &mut Array<'_>, turn: &Turn<'_>, dropped: &mut Dropped) {
    for part in &turn.parts {
        let Content::ToolResult(result) = &part.content else {
            dropped.name(format!("messages[].{}", part.name()));
            continue;
        };
        let mut item = open(items, "function_call_output");
        told::push_id(item.key("call_id"), &result.id, RESPONSES_ID_BYTES_MAX);
        match &result.content[..] {
            [] => item.text("output", ""),
            [Part { content: Content::Text(text), .. }] => text.push(item.key("output")),
            parts => {
                let mut output = item.array("output");
                for part in parts {
                    push_part(&mut output, part, false, dropped);
                }
                output.close();
            }
        }
        item.close();
        if result.is_error {
            dropped.name("messages[].tool_result.is_error");
        }
    }
}

/// Append one part, or name it as dropped; whether there is one.
fn push_part(
    array: &mut Array<'_>,
    part: &Part<'_>,
    is_assistants: bool,
    dropped: &mut Dropped,
) -> bool {
    let text_kind = if is_assistants { "output_text" } else { "input_text" };
    match &part.content {
        Content::Text(text) | Content::Cited { text, .. } => {
            let mut object = open(array, text_kind);
            text.push(object.key("text"));
            object.close();
            if matches!(part.content, Content::Cited { .. }) {
                dropped.name("messages[].citations");
            }
        }
        Content::Refusal(text) => {
            let mut object = open(array, "refusal");
            text.push(object.key("refusal"));
            object.close();
        }
        Content::Image { source, detail } => {
            let mut object = open(array, "input_image");
            let name = if matches!(source, Source::File(_)) { "file_id" } else { "image_url" };
            push_url(object.key(name), source);
            if let Some(detail) = detail {
                detail.push(object.key("detail"));
            }
            object.close();
        }
        Content::Document(document) => return push_document(array, document, dropped),
        _ => {
            dropped.name(format!("messages[].{}", part.name()));
            return false;
        }
    }
    true
}

fn push_document(array: &mut Array<'_>, document: &Document<'_>, dropped: &mut Dropped) -> bool {
    if document.context.is_some() {
        dropped.name("messages[].document.context");
    }
    if document.citations.is_some() {
        dropped.name("messages[].document.citations");
    }
    let mut name_title = || {
        if document.title.is_some() {
            dropped.name("messages[].document.title");
        }
    };
    match &document.body {
        DocumentBody::Source(source) => {
            let mut object = open(array, "input_file");
            let (name, wants_title) = match source {
                Source::Url(_) => ("file_url", false),
                Source::File(_) => ("file_id", false),
                Source::Base64 { .. } => ("file_data", true),
            };
            match &document.title {
                Some(title) if wants_title => title.push(object.key("filename")),
                // The API wants one with data.
                None if wants_title => object.text("filename", "document.pdf"),
                _ => name_title(),
            }
            push_url(object.key(name), source);
            object.close();
            true
        }
        DocumentBody::Text(text) => {
            name_title();
            let mut object = open(array, "input_text");
            text.push(object.key("text"));
            object.close();
            true
        }
        DocumentBody::Parts(parts) => {
            name_title();
            let mut is_any = false;
            for part in parts {
                is_any |= push_part(array, part, false, dropped);
            }
            is_any
        }
    }
}

fn open<'a>(array: &'a mut Array<'_>, kind: &str) -> Object<'a> {
    let mut object = array.object();
    object.text("type", kind);
    object
}
