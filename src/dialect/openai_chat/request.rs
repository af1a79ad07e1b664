//! A request of OpenAI's API: what we read of it, and the bytes we send on. Anthropic's has the
//! fields that are read here under the same names.
//!
//! ```text
//! {"model":"acct/gpt-4o","stream":true,"messages":[…],…}      the Ask, read in place
//! {"model":"gpt-4o","stream":true,"messages":[…],…,"stream_options":{"include_usage":true}}
//! ```
//!
//! Changed on the way, and nothing else: the value of `model`; `stream_options.include_usage` where
//! the answer is streamed and the vendor knows it.

use crate::{
    dialect::pivot::part::Dialect,
    lexicon::{
        operation::Operation,
        refusal::{Refusal, Refused},
    },
    wire::{
        json::{self, JsonError, splice::Edit},
        span::Span,
    },
};
use std::borrow::Cow;

/// The fields that we read, in the order of `Fields`.
const KEYS: [&str; 6] =
    ["model", "stream", "stream_options", "max_tokens", "max_completion_tokens", "n"];

/// The same of a Responses request, which has the bound under a name of its own.
const RESPONSES_KEYS: [&str; 6] =
    ["model", "stream", "stream_options", "max_output_tokens", "max_completion_tokens", "n"];

/// What a client wants, parsed; it points into the body.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Ask<'b> {
    pub operation: Operation,
    pub model: Cow<'b, str>,
    pub is_streaming: bool,
    /// The stream is to be an array, not events.
    pub is_array: bool,
    /// The client wants the usage of a stream told.
    pub wants_usage: bool,
    /// The most tokens that the answer may have, where the client says so; no answer has 2^32.
    pub max_output_tokens: Option<u32>,
    /// How many answers are asked for, where the client says so; 255 stands for more.
    pub choices: u8,
    /// Where the body names it; some APIs name it in the path.
    model_span: Option<Span>,
    usage_edit: UsageEdit,
}

/// Where `include_usage: true` goes, if it must be said for the client.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum UsageEdit {
    /// It is there, or not wanted.
    Nothing,
    /// There is no `stream_options`: a member at the end of the body.
    Member { end: u32 },
    /// `stream_options` is null: this span becomes the object.
    Object(Span),
    /// `stream_options` lacks it: a member before its end.
    Option { end: u32, is_empty: bool },
    /// It is there, and not true: this span becomes true.
    Value(Span),
}

/// Read the Ask in a body.
///
/// # Errors
/// `InvalidJson`, `DuplicateField`, `InvalidField`, `MissingModel`: each says which field.
pub fn read(operation: Operation, body: &[u8]) -> Result<Ask<'_>, Refused> {
    let is_responses = matches!(operation, Operation::Responses | Operation::CompactResponse);
    let keys = if is_responses { &RESPONSES_KEYS } else { &KEYS };
    let object =
        json::object::scan_object(body, keys).map_err(|error| refuse_json(&error, keys))?;
    let [model, stream, stream_options, max_tokens, max_completion_tokens, choices] = object.values;

    let model_span = model.ok_or(Refusal::MissingModel)?;
    let raw = model_span.of(body);
    let plain = json::value::read_plain(raw).map(Cow::Borrowed);
    let model = plain
        .or_else(|| json::value::read_str(raw).filter(|model| !has_control(model)))
        .filter(|model| !model.is_empty())
        .ok_or_else(|| Refusal::InvalidField.about("model", "\"model\" must be a name."))?;
    let is_streaming = read_optional_bool(body, stream, "stream")?;
    let max_tokens = read_optional_count(body, max_tokens, keys[3])?;
    let max_completion_tokens = read_optional_count(body, max_completion_tokens, keys[4])?;
    let max_output_tokens = max_completion_tokens.or(max_tokens);
    let max_output_tokens = max_output_tokens.map(|max| u32::try_from(max).unwrap_or(u32::MAX));
    // What is no count is the vendor's to refuse.
    let choices = choices.and_then(|n| json::value::read_u64(n.of(body)));
    let choices = choices.map_or(1, |n| u8::try_from(n).unwrap_or(u8::MAX));
    let is_openai = Dialect::of(operation) == Dialect::OpenAiChat;
    let (wants_usage, usage_edit) = if is_streaming && is_openai {
        read_stream_options(body, stream_options, object.end, object.is_empty)?
    } else {
        // Anthropic's streams tell it unasked.
        (!is_openai, UsageEdit::Nothing)
    };

    Ok(Ask {
        operation,
        model,
        is_streaming,
        is_array: false,
        wants_usage,
        max_output_tokens,
        choices,
        model_span: Some(model_span),
        usage_edit,
    })
}

/// Read the Ask of a body whose API names the model in the path.
///
/// # Errors
/// `InvalidJson`, `DuplicateField`, `InvalidField`: each says which field.
pub fn read_of(operation: Operation, model: String, body: &[u8]) -> Result<Ask<'_>, Refused> {
    let keys = ["inferenceConfig", "max_tokens", "", "", "", ""];
    let object = json::object::scan_object(body, &keys);
    let object = object.map_err(|error| refuse_json(&error, &keys))?;
    if model.is_empty() || has_control(&model) {
        return Err(Refusal::InvalidField.about("model", "The path must name a model."));
    }
    let [config, max_tokens, ..] = object.values;
    let max_tokens = max_tokens.and_then(|max| json::value::read_u64(max.of(body)));
    let max_tokens = max_tokens.or_else(|| {
        let config = config?.of(body);
        let found = json::object::scan_nested(config, &["maxTokens"]).ok()?;
        json::value::read_u64(found.values[0]?.of(config))
    });
    let mut ask = Ask::of_path(operation, Cow::Owned(model), operation.is_framed());
    ask.max_output_tokens = max_tokens.map(|max| u32::try_from(max).unwrap_or(u32::MAX));
    Ok(ask)
}

impl<'b> Ask<'b> {
    /// Does the path name the model, and not the body?
    #[must_use]
    pub const fn is_of_path(&self) -> bool {
        self.model_span.is_none()
    }

    /// The Ask of a request whose path names the model: nothing of its body is changed.
    #[must_use]
    pub fn of_path(operation: Operation, model: Cow<'b, str>, is_streaming: bool) -> Self {
        Self {
            operation,
            model,
            is_streaming,
            is_array: false,
            wants_usage: true,
            max_output_tokens: None,
            choices: 1,
            model_span: None,
            usage_edit: UsageEdit::Nothing,
        }
    }
}

fn has_control(text: &str) -> bool {
    // ASCII's are bytes; only what is beyond it has to be decoded.
    let mut is_ascii = true;
    let is_plain = text.bytes().all(|byte| {
        is_ascii &= byte < 0x80;
        byte >= b' ' && byte != 0x7f
    });
    !is_plain || (!is_ascii && text.contains(char::is_control))
}

/// Append the body to send: the client's bytes, but for the closed list in this file's header.
pub fn splice(
    out: &mut Vec<u8>,
    body: &[u8],
    ask: &Ask<'_>,
    model_json: &[u8],
    rejects_stream_options: bool,
) {
    let Some(model_span) = ask.model_span else { return out.extend_from_slice(body) };
    let model = Edit { range: model_span.range(), with: model_json };
    let usage = match ask.usage_edit {
        _ if rejects_stream_options => None,
        UsageEdit::Nothing => None,
        UsageEdit::Member { end } => Some(Edit {
            range: end as usize..end as usize,
            with: b",\"stream_options\":{\"include_usage\":true}",
        }),
        UsageEdit::Object(span) => {
            Some(Edit { range: span.range(), with: b"{\"include_usage\":true}" })
        }
        UsageEdit::Option { end, is_empty } => Some(Edit {
            range: end as usize..end as usize,
            with: if is_empty { b"\"include_usage\":true" } else { b",\"include_usage\":true" },
        }),
        UsageEdit::Value(span) => Some(Edit { range: span.range(), with: b"true" }),
    };
    match usage {
        None => json::splice::splice(out, body, &[model]),
        Some(usage) if usage.range.start < model.range.start => {
            json::splice::splice(out, body, &[usage, model]);
        }
        Some(usage) => json::splice::splice(out, body, &[model, usage]),
    }
}

/// A `JsonError` as the client is told of it.
#[cold]
fn refuse_json(error: &JsonError, keys: &[&str; 6]) -> Refused {
    match error {
        JsonError::Duplicate(index) => {
            let field = keys.get(*index).copied().unwrap_or_default();
            Refusal::DuplicateField.about(field, format!("\"{field}\" is there twice."))
        }
        JsonError::Malformed { at } => Refused {
            refusal: Refusal::InvalidJson,
            detail: format!("It stops making sense at byte {at}.").into(),
            param: None,
        },
        JsonError::NotUtf8 | JsonError::NotAnObject | JsonError::TooDeep => {
            Refusal::InvalidJson.into()
        }
    }
}

fn read_optional_bool(body: &[u8], value: Option<Span>, field: &str) -> Result<bool, Refused> {
    let Some(value) = value.map(|span| span.of(body)).filter(|value| !json::value::is_null(value))
    else {
        return Ok(false);
    };
    json::value::read_bool(value).ok_or_else(|| {
        Refusal::InvalidField.about(field, format!("\"{field}\" must be true or false."))
    })
}

fn read_optional_count(
    body: &[u8],
    value: Option<Span>,
    field: &str,
) -> Result<Option<u64>, Refused> {
    let Some(value) = value.map(|span| span.of(body)).filter(|value| !json::value::is_null(value))
    else {
        return Ok(None);
    };
    json::value::read_u64(value).map(Some).ok_or_else(|| {
        Refusal::InvalidField
            .about(field, format!("\"{field}\" must be a whole number, 0 or more."))
    })
}

/// Does the client want usage, and what must be edited so that the vendor reports it?
fn read_stream_options(
    body: &[u8],
    value: Option<Span>,
    body_end: usize,
    body_is_empty: bool,
) -> Result<(bool, UsageEdit), Refused> {
    debug_assert!(!body_is_empty, "a body with a model has a member");
    let Some(span) = value else {
        return Ok((false, UsageEdit::Member { end: offset(body_end) }));
    };
    if json::value::is_null(span.of(body)) {
        return Ok((false, UsageEdit::Object(span)));
    }
    let invalid = || {
        Refusal::InvalidField.about(
            "stream_options",
            "\"stream_options\" must be an object; its \"include_usage\" true or false.",
        )
    };
    let options = json::object::scan_object(span.of(body), &["include_usage"]).map_err(
        |error| match error {
            JsonError::Duplicate(_) => Refusal::DuplicateField
                .about("stream_options.include_usage", "\"include_usage\" is there twice."),
            _ => invalid(),
        },
    )?;
    let Some(usage) = options.values[0] else {
        let end = span.start + offset(options.end);
        return Ok((false, UsageEdit::Option { end, is_empty: options.is_empty }));
    };
    let usage = Span { start: span.start + usage.start, end: span.start + usage.end };
    if json::value::is_null(usage.of(body)) {
        return Ok((false, UsageEdit::Value(usage)));
    }
    let is_wanted = json::value::read_bool(usage.of(body)).ok_or_else(invalid)?;
    Ok((is_wanted, if is_wanted { UsageEdit::Nothing } else { UsageEdit::Value(usage) }))
}

/// Bodies are bounded far below 4 GiB.
fn offset(at: usize) -> u32 {
    u32::try_from(at).unwrap_or(u32::MAX)
}
