//! A `response` object: whole, and in a stream at its beginning and its end.

use crate::{
    dialect::{
        openai_responses::usage,
        pivot::{
            dropped::Dropped, failure::Failure, manner::Manner, reply::Stop, text::Text,
            usage::Usage,
        },
    },
    wire::{
        http1::push_decimal,
        json::{value::push_json_string, write::Object},
    },
};

/// What every telling of one response has in common.
#[derive(Debug, Default)]
pub struct Head {
    /// Behind `resp_`; the inside of a JSON string.
    id: Vec<u8>,
    created: u64,
    /// A JSON string.
    model: Vec<u8>,
}

/// How far a response has come.
#[derive(Clone, Copy, Debug)]
pub enum State<'s> {
    InProgress,
    Completed,
    /// For this reason, where one is known.
    Incomplete(Option<&'static str>),
    Failed(&'s Failure<'s>),
}

impl Head {
    #[must_use]
    pub fn new(
        id: Option<&Text<'_>>,
        model: Option<&Text<'_>>,
        created: Option<u64>,
        manner: &Manner<'_>,
    ) -> Self {
        let mut head = Self { created: created.unwrap_or(manner.now_seconds), ..Self::default() };
        id.unwrap_or(&Text::plain(manner.id)).push_inside(&mut head.id);
        if head.id.starts_with(b"resp_") {
            head.id.drain(..b"resp_".len());
        }
        match model {
            Some(model) => model.push(&mut head.model),
            None => push_json_string(&mut head.model, manner.model),
        }
        head
    }

    /// Append an item's id, with its quotes: no two of a conversation have the same.
    pub fn push_item_id(&self, out: &mut Vec<u8>, kind: &str, index: u64) {
        out.push(b'"');
        out.extend_from_slice(kind.as_bytes());
        out.extend_from_slice(&self.id);
        out.push(b'_');
        push_decimal(out, index);
        out.push(b'"');
    }

    /// Append the response; `output` is its items, with commas between them.
    ///
    /// What the client itself asked for is told as it is where nothing is asked for: an answer does
    /// not know its question. Clients want the members.
    pub fn push(&self, out: &mut Vec<u8>, state: State<'_>, output: &[u8], usage: Option<&Usage>) {
        let mut object = Object::open(out);
        let id = object.key("id");
        id.extend_from_slice(b"\"resp_");
        id.extend_from_slice(&self.id);
        id.push(b'"');
        object.text("object", "response");
        object.number("created_at", self.created);
        object.text("status", state.word());
        match state {
            State::Failed(failure) => {
                let mut error = object.object("error");
                match &failure.code {
                    Some(code) => code.push(error.key("code")),
                    None => error.text("code", "server_error"),
                }
                failure.message.push(error.key("message"));
                error.close();
            }
            _ => object.raw("error", "null"),
        }
        match state {
            State::Incomplete(Some(reason)) => {
                let mut details = object.object("incomplete_details");
                details.text("reason", reason);
                details.close();
            }
            _ => object.raw("incomplete_details", "null"),
        }
        object.raw("instructions", "null");
        object.raw("max_output_tokens", "null");
        object.key("model").extend_from_slice(&self.model);
        let list = object.key("output");
        list.push(b'[');
        list.extend_from_slice(output);
        list.push(b']');
        object.raw("parallel_tool_calls", REST);
        match usage {
            Some(told) => usage::encode(object.key("usage"), told),
            None => object.raw("usage", "null"),
        }
        object.raw("metadata", "{}");
        object.close();
    }
}

/// From `parallel_tool_calls` to `usage`.
const REST: &str = r#"true,"previous_response_id":null,"reasoning":{"effort":null,"summary":null},"store":false,"temperature":null,"text":{"format":{"type":"text"}},"tool_choice":"auto","tools":[],"top_p":null,"truncation":"disabled""#;

impl State<'_> {
    const fn word(self) -> &'static str {
        match self {
            Self::InProgress => "in_progress",
            Self::Completed => "completed",
            Self::Incomplete(_) => "incomplete",
            Self::Failed(_) => "failed",
        }
    }

    /// The state in which an answer ends. A model that declines in words has answered.
    pub fn of(stop: Option<&Stop<'_>>, has_refusal: bool, dropped: &mut Dropped) -> Self {
        match stop {
            None => Self::Incomplete(None),
            Some(Stop::End | Stop::ToolUse | Stop::Sequence(None)) => Self::Completed,
            Some(Stop::Sequence(Some(_))) => {
                dropped.name("stop_sequence");
                Self::Completed
            }
            Some(Stop::Length) => Self::Incomplete(Some("max_output_tokens")),
            Some(Stop::Refusal) if has_refusal => Self::Completed,
            Some(Stop::Filter | Stop::Refusal) => Self::Incomplete(Some("content_filter")),
            Some(Stop::Pause) => {
                dropped.name("stop_reason.pause_turn");
                Self::Completed
            }
            Some(Stop::Other(text)) => {
                dropped.name(format!("stop_reason.{}", text.read()));
                Self::Completed
            }
        }
    }
}
