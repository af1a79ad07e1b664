//! A streamed answer, event by event.
//!
//! Blocks follow one another and never overlap, whatever the other side interleaves: while one tool
//! is being called the words of another are held, until the first has all its JSON. The stop reason
//! waits for the usage, for both stand in one event.

use crate::{
    dialect::{
        anthropic::{
            encode::reply::{push_or, stop_word},
            error, usage,
        },
        pivot::{
            citation::Citation, delta::Delta, dropped::Dropped, manner::Manner, nesting::Nesting,
            reply::Stop, text::Text, usage::Usage,
        },
    },
    wire::json::write::Object,
};
/// What may be held of calls that are interleaved with another.
const HELD_BYTES_MAX: usize = 4 << 20;

/// Writes one stream.
#[expect(clippy::struct_excessive_bools, reason = "facts of one stream, independent of each other")]
#[derive(Debug, Default)]
pub struct Encoder {
    pub dropped: Dropped,
    open: Open,
    /// The index of the next block.
    next: u64,
    nesting: Nesting,
    held: Vec<Held>,
    held_bytes: usize,
    stop: Option<Stop<'static>>,
    usage: Usage,
    has_started: bool,
    has_refusal: bool,
    has_ended: bool,
    /// More is held of interleaved calls than there is room for.
    pub is_overfull: bool,
}

/// The block in work.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Open {
    #[default]
    Nothing,
    Text,
    Thinking,
    Tool(u32),
}

/// A call that waits for another to end; its texts escaped.
#[derive(Debug)]
struct Held {
    tool: u32,
    id: Vec<u8>,
    name: Vec<u8>,
    json: String,
}

impl Encoder {
    /// Append the events of one step.
    pub fn push(&mut self, out: &mut Vec<u8>, delta: &Delta<'_>, manner: &Manner<'_>) {
        if self.has_ended {
            return;
        }
        match delta {
            Delta::Start { id, model, .. } => {
                self.start(out, id.as_ref(), model.as_ref(), manner);
                return;
            }
            Delta::Usage(usage) => return self.usage.amend(*usage),
            Delta::Failed(failure) => {
                self.has_ended = true;
                return error::push_event(out, |out| error::encode(out, failure, manner.id));
            }
            Delta::Ping if !self.has_started => return,
            Delta::Ping => return out.extend_from_slice(PING),
            _ => {}
        }
        if !self.has_started {
            self.start(out, None, None, manner);
        }
        self.step(out, delta);
    }

    fn step(&mut self, out: &mut Vec<u8>, delta: &Delta<'_>) {
        match delta {
            Delta::Text { choice: 0, text } => self.say(out, Open::Text, text),
            Delta::Refusal { choice: 0, text } => {
                self.has_refusal = true;
                self.say(out, Open::Text, text);
            }
            Delta::Thinking { choice: 0, text } => self.say(out, Open::Thinking, text),
            Delta::Signature { choice: 0, signature } => {
                self.turn_to(out, Open::Thinking);
                self.push_delta(out, "signature_delta\",\"signature", signature);
                self.close(out);
            }
            Delta::RedactedThinking { choice: 0, data } => {
                self.close(out);
                push_block(out, self.next, |block| {
                    block.text("type", "redacted_thinking");
                    data.push(block.key("data"));
                });
                push_stop(out, self.next);
                self.next += 1;
            }
            Delta::ToolOpen { choice: 0, tool, id, name } => self.open_tool(out, *tool, id, name),
            Delta::ToolArguments { choice: 0, tool, json } => self.call(out, *tool, json),
            Delta::ToolClose { choice: 0, tool } if self.open == Open::Tool(*tool) => {
                self.close(out);
                self.release(out);
            }
            Delta::PartEnd { choice: 0 } if !matches!(self.open, Open::Tool(_)) => self.close(out),
            Delta::Citation { choice: 0, citation } => self.cite(out, citation),
            Delta::Logprobs { .. } => self.dropped.name("logprobs"),
            Delta::Foreign { part, .. } => {
                self.dropped.name(format!("content.{}", part.name.read()));
            }
            Delta::Finish { choice: 0, stop } => {
                self.finish_tools(out);
                self.stop.get_or_insert_with(|| stop.owned());
            }
            Delta::End => self.end(out),
            // Of several answers only the first is told.
            Delta::Text { .. } | Delta::Finish { .. } => self.dropped.name("choices"),
            _ => {}
        }
    }

    fn start(
        &mut self,
        out: &mut Vec<u8>,
        id: Option<&Text<'_>>,
        model: Option<&Text<'_>>,
        manner: &Manner<'_>,
    ) {
        if std::mem::replace(&mut self.has_started, true) {
            return;
        }
        out.extend_from_slice(b"event: message_start\ndata: ");
        let mut object = Object::open(out);
        object.text("type", "message_start");
        let mut message = object.object("message");
        push_or(message.key("id"), id, manner.id);
        message.text("type", "message");
        message.text("role", "assistant");
        push_or(message.key("model"), model, manner.model);
        message.raw("content", "[]");
        message.raw("stop_reason", "null");
        message.raw("stop_sequence", "null");
        usage::encode(message.key("usage"), &self.usage);
        message.close();
        object.close();
        out.extend_from_slice(b"\n\n");
    }

    /// Words in a block of their kind, a new one where another kind is open.
    fn say(&mut self, out: &mut Vec<u8>, kind: Open, text: &Text<'_>) {
        if text.is_empty() {
            return;
        }
        self.turn_to(out, kind);
        let name = match kind {
            Open::Thinking => "thinking_delta\",\"thinking",
            _ => "text_delta\",\"text",
        };
        self.push_delta(out, name, text);
    }

    fn turn_to(&mut self, out: &mut Vec<u8>, kind: Open) {
        if self.open == kind {
            return;
        }
        // Words behind a call mean that it is complete.
        self.finish_tools(out);
        self.close(out);
        push_block(out, self.next, |block| match kind {
            Open::Thinking => block.raw("type", THINKING),
            _ => block.raw("type", "\"text\",\"text\":\"\""),
        });
        self.open = kind;
    }

    /// `name` is a delta's type and the name of its text, with the quotes between them.
    fn push_delta(&self, out: &mut Vec<u8>, name: &str, text: &Text<'_>) {
        out.extend_from_slice(DELTA);
        crate::wire::http1::push_decimal(out, self.next);
        out.extend_from_slice(b",\"delta\":{\"type\":\"");
        out.extend_from_slice(name.as_bytes());
        out.extend_from_slice(b"\":\"");
        text.push_inside(out);
        out.extend_from_slice(b"\"}}\n\n");
    }

    /// Where the words of the block in work are from; behind a block it is too late.
    fn cite(&mut self, out: &mut Vec<u8>, citation: &Citation<'_>) {
        if !matches!(self.open, Open::Text | Open::Nothing) {
            return self.dropped.name("content.citations");
        }
        self.turn_to(out, Open::Text);
        out.extend_from_slice(DELTA);
        crate::wire::http1::push_decimal(out, self.next);
        out.extend_from_slice(b",\"delta\":{\"type\":\"citations_delta\",\"citation\":");
        let mut object = Object::open(out);
        citation.push(&mut object);
        object.close_with(b"}}\n\n");
    }

    fn open_tool(&mut self, out: &mut Vec<u8>, tool: u32, id: &Text<'_>, name: &Text<'_>) {
        let inside = |text: &Text<'_>| {
            let mut written = Vec::new();
            text.push(&mut written);
            written
        };
        if matches!(self.open, Open::Tool(_)) && !self.nesting.is_whole() {
            let held = Held { tool, id: inside(id), name: inside(name), json: String::new() };
            self.held_bytes += held.id.len() + held.name.len();
            return self.held.push(held);
        }
        self.close(out);
        self.begin_tool(out, tool, &inside(id), &inside(name));
    }

    fn begin_tool(&mut self, out: &mut Vec<u8>, tool: u32, id: &[u8], name: &[u8]) {
        push_block(out, self.next, |block| {
            block.text("type", "tool_use");
            block.key("id").extend_from_slice(id);
            block.key("name").extend_from_slice(name);
            block.raw("input", "{}");
        });
        self.open = Open::Tool(tool);
        self.nesting = Nesting::default();
    }

    fn call(&mut self, out: &mut Vec<u8>, tool: u32, json: &Text<'_>) {
        if json.is_empty() {
            return;
        }
        if self.open == Open::Tool(tool) {
            self.push_delta(out, "input_json_delta\",\"partial_json", json);
            self.nesting.see(json);
            if self.nesting.is_whole() && !self.held.is_empty() {
                self.close(out);
                self.release(out);
            }
            return;
        }
        let Some(held) = self.held.iter_mut().find(|held| held.tool == tool) else {
            // Behind the last bracket of a call there is at most a space.
            return;
        };
        let mut inside = Vec::new();
        json.push_inside(&mut inside);
        self.held_bytes += inside.len();
        self.is_overfull = self.held_bytes > HELD_BYTES_MAX;
        held.json.push_str(&String::from_utf8_lossy(&inside));
    }

    /// Begin the call that waits longest, and end it if it is whole and more wait.
    fn release(&mut self, out: &mut Vec<u8>) {
        while !self.held.is_empty() && self.open == Open::Nothing {
            let held = self.held.remove(0);
            self.begin_tool(out, held.tool, &held.id, &held.name);
            let json = Text::Escaped(&held.json);
            self.held_bytes = self.held_bytes.saturating_sub(held.json.len());
            if !json.is_empty() {
                self.push_delta(out, "input_json_delta\",\"partial_json", &json);
                self.nesting.see(&json);
            }
            if self.nesting.is_whole() && !self.held.is_empty() {
                self.close(out);
            }
        }
    }

    /// Nothing more comes for any call.
    fn finish_tools(&mut self, out: &mut Vec<u8>) {
        while matches!(self.open, Open::Tool(_)) {
            self.close(out);
            self.release(out);
        }
    }

    fn close(&mut self, out: &mut Vec<u8>) {
        if std::mem::take(&mut self.open) != Open::Nothing {
            push_stop(out, self.next);
            self.next += 1;
        }
    }

    fn end(&mut self, out: &mut Vec<u8>) {
        self.has_ended = true;
        self.finish_tools(out);
        self.close(out);
        out.extend_from_slice(b"event: message_delta\ndata: ");
        let mut object = Object::open(out);
        object.text("type", "message_delta");
        let mut delta = object.object("delta");
        match &self.stop {
            Some(stop) => {
                delta.text("stop_reason", stop_word(stop, self.has_refusal, &mut self.dropped));
            }
            None => delta.raw("stop_reason", "null"),
        }
        match &self.stop {
            Some(Stop::Sequence(Some(text))) => text.push(delta.key("stop_sequence")),
            _ => delta.raw("stop_sequence", "null"),
        }
        delta.close();
        usage::encode(object.key("usage"), &self.usage);
        object.close();
        out.extend_from_slice(b"\n\n");
        out.extend_from_slice(STOP_EVENT);
    }
}

/// The end of a stream as bytes.
pub const STOP_EVENT: &[u8] = b"event: message_stop\ndata: {\"type\":\"message_stop\"}\n\n";

const PING: &[u8] = b"event: ping\ndata: {\"type\": \"ping\"}\n\n";
const THINKING: &str = "\"thinking\",\"thinking\":\"\",\"signature\":\"\"";
const DELTA: &[u8] =
    b"event: content_block_delta\ndata: {\"type\":\"content_block_delta\",\"index\":";

fn push_block(out: &mut Vec<u8>, index: u64, write: impl FnOnce(&mut Object<'_>)) {
    out.extend_from_slice(b"event: content_block_start\ndata: ");
    let mut object = Object::open(out);
    object.text("type", "content_block_start");
    object.number("index", index);
    let mut block = object.object("content_block");
    write(&mut block);
    block.close();
    object.close();
    out.extend_from_slice(b"\n\n");
}

fn push_stop(out: &mut Vec<u8>, index: u64) {
    out.extend_from_slice(b"event: content_block_stop\ndata: ");
    let mut object = Object::open(out);
    object.text("type", "content_block_stop");
    object.number("index", index);
    object.close();
    out.extend_from_slice(b"\n\n");
}
