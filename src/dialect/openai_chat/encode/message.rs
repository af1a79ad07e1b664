//! The messages of a request.

use crate::{
    dialect::{
        openai_chat::encode::content,
        pivot::{
            dropped::Dropped,
            part::{Content, Part, ToolResult},
            request::{Request, Role, Turn},
            target::Addressee,
            text::Text,
        },
        told::{self, CHAT_ID_BYTES_MAX},
    },
    wire::json::write::{Array, Object},
};

/// Append the member `messages`.
///
/// A tool's message holds text only: images that a tool gave stand in a user's message behind the
/// results of that turn, which must follow their calls at once.
pub fn push_all(
    object: &mut Object<'_>,
    request: &Request<'_>,
    to: &Addressee<'_>,
    dropped: &mut Dropped,
) {
    let mut messages = object.array("messages");
    for turn in &request.turns {
        match turn.role {
            Role::Tool => push_results(&mut messages, turn, to, dropped),
            Role::Assistant => push_assistant(messages.object(), turn, to, dropped),
            _ => push_plain(messages.object(), turn, to, dropped),
        }
    }
    messages.close();
}

fn push_plain(mut message: Object<'_>, turn: &Turn<'_>, to: &Addressee<'_>, dropped: &mut Dropped) {
    let role = match turn.role {
        Role::Developer if to.abilities.has_developer => "developer",
        Role::System | Role::Developer => "system",
        _ => "user",
    };
    message.text("role", role);
    if let Some(name) = &turn.name {
        name.push(message.key("name"));
    }
    content::push(message.key("content"), turn.parts.iter(), to, dropped);
    message.close();
}

fn push_assistant(
    mut message: Object<'_>,
    turn: &Turn<'_>,
    to: &Addressee<'_>,
    dropped: &mut Dropped,
) {
    message.text("role", "assistant");
    if let Some(name) = &turn.name {
        name.push(message.key("name"));
    }
    let is_spoken = |part: &&Part<'_>| {
        !matches!(
            part.content,
            Content::ToolCall(_)
                | Content::Thinking { .. }
                | Content::RedactedThinking(_)
                | Content::Refusal(_)
        )
    };
    let mut spoken = turn.parts.iter().filter(is_spoken).peekable();
    if spoken.peek().is_some() {
        content::push(message.key("content"), spoken, to, dropped);
    } else {
        message.raw("content", "null");
    }
    push_unspoken(&mut message, turn, to, dropped);
    push_calls(&mut message, turn, dropped);
    message.close();
}

/// What an assistant's message says beside its content.
fn push_unspoken(
    message: &mut Object<'_>,
    turn: &Turn<'_>,
    to: &Addressee<'_>,
    dropped: &mut Dropped,
) {
    let mut has_refusal = false;
    let mut thoughts: Vec<&Text<'_>> = Vec::new();
    for part in &turn.parts {
        match &part.content {
            Content::Refusal(text) if !has_refusal => {
                has_refusal = true;
                text.push(message.key("refusal"));
            }
            Content::Refusal(_) => dropped.name("messages[].refusal"),
            Content::Thinking { text, .. } if to.abilities.keeps_reasoning => thoughts.push(text),
            Content::Thinking { .. } | Content::RedactedThinking(_) => {
                dropped.name("messages[].thinking");
            }
            _ => {}
        }
    }
    if !thoughts.is_empty() {
        let out = message.key("reasoning_content");
        out.push(b'"');
        for text in thoughts {
            text.push_inside(out);
        }
        out.push(b'"');
    }
}

fn push_calls(message: &mut Object<'_>, turn: &Turn<'_>, dropped: &mut Dropped) {
    let mut calls = turn.parts.iter().filter_map(|part| match &part.content {
        Content::ToolCall(call) => Some((call, part.cache.is_some())),
        _ => None,
    });
    let Some(first) = calls.next() else { return };
    let mut array = message.array("tool_calls");
    for (call, has_mark) in std::iter::once(first).chain(calls) {
        told::push_function(&mut array, (&call.id, CHAT_ID_BYTES_MAX), |function| {
            call.name.push(function.key("name"));
            call.arguments.push_text(function.key("arguments"));
        });
        if has_mark {
            dropped.name("messages[].cache_control");
        }
    }
    array.close();
}

fn push_results(
    messages: &mut Array<'_>,
    turn: &Turn<'_>,
    to: &Addressee<'_>,
    dropped: &mut Dropped,
) {
    let results = || {
        turn.parts.iter().filter_map(|part| match &part.content {
            Content::ToolResult(result) => Some((result, part.cache.is_some())),
            _ => None,
        })
    };
    for (result, has_mark) in results() {
        push_result(messages.object(), result, to, dropped);
        if has_mark {
            dropped.name("messages[].cache_control");
        }
    }
    let is_text = |part: &&Part<'_>| part.as_text().is_some();
    let mut beyond =
        results().flat_map(|(result, _)| &result.content).filter(|part| !is_text(part)).peekable();
    if beyond.peek().is_some() {
        let mut message = messages.object();
        message.text("role", "user");
        content::push(message.key("content"), beyond, to, dropped);
        message.close();
    }
}

fn push_result(
    mut message: Object<'_>,
    result: &ToolResult<'_>,
    to: &Addressee<'_>,
    dropped: &mut Dropped,
) {
    message.text("role", "tool");
    told::push_id(message.key("tool_call_id"), &result.id, CHAT_ID_BYTES_MAX);
    let texts = result.content.iter().filter(|part| part.as_text().is_some());
    content::push(message.key("content"), texts, to, dropped);
    if result.is_error {
        dropped.name("messages[].tool_result.is_error");
    }
    message.close();
}
