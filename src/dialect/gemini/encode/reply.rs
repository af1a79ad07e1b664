//! A whole answer, as a client gets it.

use crate::{
    dialect::{
        gemini::{
            encode::{
                grounding, logprobs,
                part::{is_empty, push_args, push_media, push_text},
            },
            signature, stop, usage,
        },
        pivot::{
            dropped::Dropped,
            manner::Manner,
            part::{Content, Dialect, Foreign, Part},
            reply::{Choice, Reply},
            text::Text,
        },
    },
    wire::json::{
        value::push_json_string,
        write::{Array, Object},
    },
};

/// Append the answer.
pub fn encode(out: &mut Vec<u8>, reply: &Reply<'_>, manner: &Manner<'_>, dropped: &mut Dropped) {
    let mut object = Object::open(out);
    let mut candidates = object.array("candidates");
    for choice in &reply.choices {
        push_choice(candidates.object(), choice, dropped);
    }
    candidates.close();
    if reply.usage.is_told() {
        usage::encode(object.key("usageMetadata"), &reply.usage);
    }
    push_or(object.key("modelVersion"), reply.model.as_ref(), manner.model);
    push_or(object.key("responseId"), reply.id.as_ref(), manner.id);
    object.close();
}

/// Append a text, or what stands in for it.
pub fn push_or(out: &mut Vec<u8>, text: Option<&Text<'_>>, other: &str) {
    match text {
        Some(text) => text.push(out),
        None => push_json_string(out, other),
    }
}

fn push_choice(mut object: Object<'_>, choice: &Choice<'_>, dropped: &mut Dropped) {
    let mut content = object.object("content");
    let mut parts = content.array("parts");
    for part in choice.parts.iter().filter(|part| !is_empty(part)) {
        push_part(&mut parts, part, dropped);
    }
    parts.close();
    content.text("role", "model");
    content.close();
    if let Some(stop) = &choice.stop {
        object.text("finishReason", stop::encode(stop, dropped));
    }
    object.number("index", u64::from(choice.index));
    let parts = choice.parts.iter().filter(|part| !is_empty(part));
    grounding::push_all(&mut object, parts, dropped);
    if let Some(told) = &choice.logprobs {
        logprobs::push(&mut object, &told.0);
    }
    object.close();
}

fn push_part(parts: &mut Array<'_>, part: &Part<'_>, dropped: &mut Dropped) {
    match &part.content {
        Content::Text(text) | Content::Refusal(text) | Content::Cited { text, .. } => {
            push_text(parts, text);
        }
        Content::Thinking { text, signature } => {
            let mut object = parts.object();
            text.push(object.key("text"));
            object.boolean("thought", true);
            if let Some(signature) = signature {
                signature.push(object.key("thoughtSignature"));
            }
            object.close();
        }
        Content::RedactedThinking(data) => push_redacted(parts, data),
        Content::ToolCall(call) => {
            let mut object = parts.object();
            let mut inner = object.object("functionCall");
            call.id.push(inner.key("id"));
            call.name.push(inner.key("name"));
            push_args(inner.key("args"), &call.arguments);
            inner.close();
            object.close();
        }
        Content::Image { source, .. } => push_media(parts, source, "image", dropped),
        Content::Audio(source) => push_media(parts, source, "audio", dropped),
        Content::Video(source) => push_media(parts, source, "video", dropped),
        Content::Server(Foreign { dialect: Dialect::Gemini, json, .. })
        | Content::Foreign(Foreign { dialect: Dialect::Gemini, json, .. }) => {
            json.push(parts.item());
        }
        _ => dropped.name(format!("content.{}", part.name())),
    }
}

/// Append words for the vendor alone, which a client sends back as a proof.
pub fn push_redacted(parts: &mut Array<'_>, data: &Text<'_>) {
    let mut object = parts.object();
    object.text("text", "");
    object.boolean("thought", true);
    object.text("thoughtSignature", &signature::of_redacted(data));
    object.close();
}
