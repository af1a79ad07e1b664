//! The messages of a request, and the documents that go beside them.

use crate::{
    dialect::{
        openai_chat::encode::content::push_url,
        pivot::{
            dropped::Dropped,
            part::{Content, Document, DocumentBody, Part, Source, ToolCall, ToolResult},
            request::{Request, Role, Turn},
            target::{Addressee, Thinking},
            text::Text,
        },
        told,
    },
    wire::json::write::{Array, Object},
};

/// Append the member `messages`.
pub fn push_all(
    object: &mut Object<'_>,
    request: &Request<'_>,
    to: &Addressee<'_>,
    dropped: &mut Dropped,
) {
    let mut messages = object.array("messages");
    for turn in &request.turns {
        name_unsaid(turn, dropped);
        match turn.role {
            Role::Tool => {
                for part in &turn.parts {
                    if let Content::ToolResult(result) = &part.content {
                        push_result(messages.object(), result, dropped);
                    }
                }
            }
            Role::Assistant => push_assistant(messages.object(), turn, to, dropped),
            Role::System | Role::Developer => push_plain(&mut messages, "system", turn, dropped),
            Role::User => push_plain(&mut messages, "user", turn, dropped),
        }
    }
    messages.close();
}

/// Documents of users whose words can be told; they stand beside the conversation here.
fn documents<'r, 'b>(request: &'r Request<'b>) -> impl Iterator<Item = &'r Document<'b>> {
    let asked = request.turns.iter().filter(|turn| turn.role != Role::Tool);
    asked.flat_map(|turn| &turn.parts).filter_map(|part| match &part.content {
        Content::Document(document) if is_words(document) => Some(document),
        _ => None,
    })
}

fn is_words(document: &Document<'_>) -> bool {
    match &document.body {
        DocumentBody::Text(_) => true,
        DocumentBody::Parts(parts) => parts.iter().all(|part| part.as_text().is_some()),
        DocumentBody::Source(_) => false,
    }
}

#[must_use]
pub fn has_documents(request: &Request<'_>) -> bool {
    documents(request).next().is_some()
}

/// Append the member `documents`, if there are any.
pub fn push_documents(object: &mut Object<'_>, request: &Request<'_>) -> bool {
    if !has_documents(request) {
        return false;
    }
    let mut array = object.array("documents");
    for document in documents(request) {
        let mut written = array.object();
        push_data(&mut written, document);
        written.close();
    }
    array.close();
    true
}

fn push_data(object: &mut Object<'_>, document: &Document<'_>) {
    let mut data = object.object("data");
    if let Some(title) = &document.title {
        title.push(data.key("title"));
    }
    if let Some(context) = &document.context {
        context.push(data.key("context"));
    }
    match &document.body {
        DocumentBody::Text(text) => text.push(data.key("text")),
        DocumentBody::Parts(parts) => push_joined(&mut data, "text", parts),
        DocumentBody::Source(_) => {}
    }
    data.close();
}

/// Append all texts as one.
fn push_joined(object: &mut Object<'_>, name: &str, parts: &[Part<'_>]) {
    let out = object.key(name);
    out.push(b'"');
    for text in parts.iter().filter_map(Part::as_text) {
        text.push_inside(out);
    }
    out.push(b'"');
}

fn name_unsaid(turn: &Turn<'_>, dropped: &mut Dropped) {
    if turn.name.is_some() {
        dropped.name("messages[].name");
    }
    for part in &turn.parts {
        if part.cache.is_some() {
            dropped.name("messages[].cache_control");
        }
        match &part.content {
            Content::Cited { .. } => dropped.name("messages[].citations"),
            Content::Document(document) if document.citations.is_some() => {
                dropped.name("messages[].document.citations");
            }
            _ => {}
        }
    }
}

/// A message of words and images; a text alone is told as a text.
fn push_plain(messages: &mut Array<'_>, role: &str, turn: &Turn<'_>, dropped: &mut Dropped) {
    let mut message = messages.object();
    message.text("role", role);
    if let [Part { content: Content::Text(text), .. }] = &turn.parts[..] {
        text.push(message.key("content"));
        return message.close();
    }
    let mut content = message.array("content");
    for part in &turn.parts {
        push_part(&mut content, part, dropped);
    }
    content.close();
    message.close();
}

fn push_part(content: &mut Array<'_>, part: &Part<'_>, dropped: &mut Dropped) {
    match &part.content {
        Content::Text(text) | Content::Cited { text, .. } | Content::Refusal(text) => {
            push_text(content, text);
        }
        Content::Image { source: source @ (Source::Url(_) | Source::Base64 { .. }), detail } => {
            let mut object = content.object();
            object.text("type", "image_url");
            let mut image = object.object("image_url");
            push_url(image.key("url"), source);
            if let Some(detail) = detail {
                detail.push(image.key("detail"));
            }
            image.close();
            object.close();
        }
        Content::Document(document) if is_words(document) => {}
        _ => dropped.name(format!("messages[].{}", part.name())),
    }
}

fn push_text(content: &mut Array<'_>, text: &Text<'_>) {
    let mut object = content.object();
    object.text("type", "text");
    text.push(object.key("text"));
    object.close();
}

/// What a model thought goes before its words; of models that only plan their calls it is the plan.
fn push_assistant(
    mut message: Object<'_>,
    turn: &Turn<'_>,
    to: &Addressee<'_>,
    dropped: &mut Dropped,
) {
    message.text("role", "assistant");
    let is_call = |part: &&Part<'_>| matches!(part.content, Content::ToolCall(_));
    let has_calls = turn.parts.iter().any(|part| is_call(&part));
    let thinks = to.abilities.thinking != Thinking::None;
    let thoughts = || {
        turn.parts.iter().filter_map(|part| match &part.content {
            Content::Thinking { text, signature } => Some((text, signature)),
            _ => None,
        })
    };
    if thoughts().any(|(_, signature)| signature.is_some()) {
        dropped.name("messages[].thinking.signature");
    }
    if thoughts().next().is_some() && !thinks && has_calls {
        let out = message.key("tool_plan");
        out.push(b'"');
        thoughts().for_each(|(text, _)| text.push_inside(out));
        out.push(b'"');
    }
    let is_said = |part: &&Part<'_>| match part.content {
        Content::Thinking { .. } => thinks,
        Content::Text(ref text) => !text.is_empty(),
        Content::ToolCall(_) => false,
        _ => true,
    };
    if thoughts().next().is_some() && !thinks && !has_calls {
        dropped.name("messages[].thinking");
    }
    if turn.parts.iter().any(|part| is_said(&part)) || !has_calls {
        let mut content = message.array("content");
        for part in turn.parts.iter().filter(is_said) {
            match &part.content {
                Content::Thinking { text, .. } => {
                    let mut object = content.object();
                    object.text("type", "thinking");
                    text.push(object.key("thinking"));
                    object.close();
                }
                _ => push_part(&mut content, part, dropped),
            }
        }
        content.close();
    }
    if has_calls {
        let mut calls = message.array("tool_calls");
        for part in turn.parts.iter().filter(is_call) {
            if let Content::ToolCall(call) = &part.content {
                push_call(&mut calls, call);
            }
        }
        calls.close();
    }
    message.close();
}

fn push_call(calls: &mut Array<'_>, call: &ToolCall<'_>) {
    told::push_function(calls, (&call.id, usize::MAX), |function| {
        call.name.push(function.key("name"));
        if call.arguments.read().trim_ascii().is_empty() {
            function.text("arguments", "{}");
        } else {
            call.arguments.push_text(function.key("arguments"));
        }
    });
}

fn push_result(mut message: Object<'_>, result: &ToolResult<'_>, dropped: &mut Dropped) {
    message.text("role", "tool");
    result.id.push(message.key("tool_call_id"));
    if result.is_error {
        dropped.name("messages[].tool_result.is_error");
    }
    if let [Part { content: Content::Text(text), .. }] = &result.content[..] {
        text.push(message.key("content"));
        return message.close();
    }
    let mut content = message.array("content");
    for part in &result.content {
        match &part.content {
            Content::Text(text) | Content::Cited { text, .. } => push_text(&mut content, text),
            Content::Document(document) if is_words(document) => {
                let mut object = content.object();
                object.text("type", "document");
                let mut inner = object.object("document");
                push_data(&mut inner, document);
                inner.close();
                object.close();
            }
            _ => dropped.name(format!("messages[].{}", part.name())),
        }
    }
    content.close();
    message.close();
}
