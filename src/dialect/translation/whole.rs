//! Whole answers, from one dialect into another.

use crate::{
    dialect::{
        anthropic, bedrock, cohere, gemini,
        mold::answer::Answers,
        openai_chat, openai_responses,
        pivot::{
            delta::Malformed, dropped::Dropped, manner::Manner, part::Dialect, reply::Reply,
            target::Written, unfold, usage::Usage,
        },
    },
    lexicon,
    wire::json::document::{Document, Value},
};

/// Write a vendor's whole answer in the client's dialect; what it used.
///
/// # Errors
/// `Malformed` where it is not as its dialect says.
pub fn reply(
    out: &mut Vec<u8>,
    body: &[u8],
    (from, to): (Dialect, Dialect),
    written: Written,
    manner: &Manner<'_>,
    dropped: &mut Dropped,
) -> Result<Usage, Malformed> {
    let mut document = Document::default();
    let root = document.parse(body)?;
    let reply = decode_reply(root, from, dropped)?;
    tell_reply(out, reply, (to, written), manner, dropped)
}

/// Read a vendor's whole answer. One that is like the last of its dialect is not parsed.
///
/// # Errors
/// `Malformed` where it is not as its dialect says.
pub fn read_reply<'b>(
    answers: &mut Answers,
    document: &mut Document,
    (body, from): (&'b [u8], Dialect),
    dropped: &mut Dropped,
) -> Result<Reply<'b>, Malformed> {
    if let Some(reply) = answers.read(body, from) {
        return Ok(reply);
    }
    let root = document.parse(body)?;
    let reply = decode_reply(root, from, dropped)?;
    answers.keep(root, from, &reply, dropped);
    Ok(reply)
}

/// Write what was read of a vendor's whole answer in the client's dialect; what it used.
///
/// # Errors
/// `Malformed` of a dialect that no client speaks.
pub fn tell_reply(
    out: &mut Vec<u8>,
    mut reply: Reply<'_>,
    (to, written): (Dialect, Written),
    manner: &Manner<'_>,
    dropped: &mut Dropped,
) -> Result<Usage, Malformed> {
    if written.has_forced_tool {
        unfold::reply(&mut reply);
    }
    match to {
        Dialect::OpenAiChat => openai_chat::encode::reply::encode(out, &reply, manner, dropped),
        Dialect::Anthropic => anthropic::encode::reply::encode(out, &reply, manner, dropped),
        Dialect::Bedrock => bedrock::encode::reply::encode(out, &reply, dropped),
        Dialect::OpenAiResponses => {
            openai_responses::encode::reply::encode(out, &reply, manner, dropped);
        }
        Dialect::Gemini => gemini::encode::reply::encode(out, &reply, manner, dropped),
        // No client speaks it.
        Dialect::Cohere => return Err(Malformed),
    }
    Ok(reply.usage)
}

/// The tokens that a whole answer of this dialect reports.
#[must_use]
pub fn usage(root: Value<'_, '_>, from: Dialect) -> Option<lexicon::usage::Usage> {
    match from {
        Dialect::OpenAiChat => openai_chat::usage::decode(root.get("usage")?).seen(),
        Dialect::Anthropic => anthropic::usage::decode(root.get("usage")?).seen(),
        Dialect::Gemini => gemini::usage::decode(root.get("usageMetadata")?).seen(),
        Dialect::Bedrock => bedrock::usage::decode(root.get("usage")?).seen(),
        Dialect::OpenAiResponses => openai_responses::usage::decode(root.get("usage")?).seen(),
        Dialect::Cohere => cohere::usage::decode(root.get("usage")?).seen(),
    }
}

/// Read a whole answer of this dialect.
pub fn decode_reply<'b>(
    root: Value<'_, 'b>,
    from: Dialect,
    dropped: &mut Dropped,
) -> Result<Reply<'b>, Malformed> {
    let reply = match from {
        Dialect::OpenAiChat => openai_chat::decode::reply::decode(root, dropped),
        Dialect::Anthropic => anthropic::decode::reply::decode(root, dropped),
        Dialect::Bedrock => bedrock::decode::reply::decode(root, dropped),
        Dialect::OpenAiResponses => openai_responses::decode::reply::decode(root, dropped),
        Dialect::Gemini => gemini::decode::reply::decode(root, dropped),
        Dialect::Cohere => cohere::decode::reply::decode(root, dropped),
    };
    reply.map_err(|_| Malformed)
}
