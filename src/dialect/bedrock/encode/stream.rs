//! A streamed answer, frame by frame.
//!
//! Blocks of words follow one another; a call has a block of its own from its opening until its
//! JSON is whole, so that calls which the other side interleaves overlap, each by its index. The
//! stop reason comes before the usage, which ends the stream.

use crate::{
    dialect::{
        bedrock::{
            encode::{
                block::push_citation,
                reply::{push_sequence, stop_word},
            },
            error, usage,
        },
        pivot::{
            citation::Citation, delta::Delta, dropped::Dropped, nesting::Nesting, reply::Stop,
            text::Text, usage::Usage,
        },
    },
    wire::{eventstream, json::write::Object},
};

/// Writes one stream.
#[expect(clippy::struct_excessive_bools, reason = "facts of one stream, independent of each other")]
#[derive(Debug, Default)]
pub struct Encoder {
    pub dropped: Dropped,
    /// The payload in work.
    payload: Vec<u8>,
    words: Option<Words>,
    calls: Vec<Call>,
    /// The index of the next block.
    next: u64,
    stop: Option<Stop<'static>>,
    usage: Usage,
    has_started: bool,
    has_refusal: bool,
    has_ended: bool,
    /// A frame was longer than frames can be.
    pub is_overfull: bool,
}

/// The block of words in work.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Words {
    index: u64,
    is_thinking: bool,
}

/// A call whose JSON is not whole yet.
#[derive(Debug)]
struct Call {
    tool: u32,
    index: u64,
    nesting: Nesting,
}

impl Encoder {
    /// Append the frames of one step.
    pub fn push(&mut self, out: &mut Vec<u8>, delta: &Delta<'_>) {
        if self.has_ended {
            return;
        }
        match delta {
            Delta::Usage(usage) => return self.usage.amend(*usage),
            Delta::Failed(failure) => {
                self.has_ended = true;
                self.is_overfull |= error::push_frame(out, failure.kind, &failure.message).is_err();
                return;
            }
            // The format has no sign of life.
            Delta::Ping => return,
            _ => {}
        }
        if !std::mem::replace(&mut self.has_started, true) {
            self.frame(out, "messageStart", |object| object.text("role", "assistant"));
        }
        self.step(out, delta);
    }

    fn step(&mut self, out: &mut Vec<u8>, delta: &Delta<'_>) {
        match delta {
            Delta::Text { choice: 0, text } => self.say(out, false, "text", text),
            Delta::Refusal { choice: 0, text } => {
                self.has_refusal = true;
                self.say(out, false, "text", text);
            }
            Delta::Thinking { choice: 0, text } => self.say(out, true, "text", text),
            Delta::Signature { choice: 0, signature } => {
                self.say(out, true, "signature", signature);
                self.close_words(out);
            }
            Delta::RedactedThinking { choice: 0, data } => {
                self.close_words(out);
                self.say(out, true, "redactedContent", data);
                self.close_words(out);
            }
            Delta::ToolOpen { choice: 0, tool, id, name } => self.open(out, *tool, id, name),
            Delta::ToolArguments { choice: 0, tool, json } => self.call(out, *tool, json),
            Delta::ToolClose { choice: 0, tool } => self.close_call(out, *tool),
            Delta::PartEnd { choice: 0 } => self.close_words(out),
            Delta::Citation { choice: 0, citation } => self.cite(out, citation),
            Delta::Logprobs { .. } => self.dropped.name("logprobs"),
            Delta::Foreign { part, .. } => {
                self.dropped.name(format!("content.{}", part.name.read()));
            }
            Delta::Finish { choice: 0, stop } => {
                self.stop.get_or_insert_with(|| stop.owned());
            }
            Delta::End => self.end(out),
            // Of several answers only the first is told.
            Delta::Text { .. } | Delta::Finish { .. } => self.dropped.name("choices"),
            _ => {}
        }
    }

    fn say(&mut self, out: &mut Vec<u8>, is_thinking: bool, name: &str, text: &Text<'_>) {
        if text.is_empty() {
            return;
        }
        let index = match self.words {
            Some(words) if words.is_thinking == is_thinking => words.index,
            _ => {
                self.close_words(out);
                let index = self.begin();
                self.words = Some(Words { index, is_thinking });
                index
            }
        };
        self.frame(out, "contentBlockDelta", |object| {
            object.number("contentBlockIndex", index);
            let mut delta = object.object("delta");
            if is_thinking {
                let mut inner = delta.object("reasoningContent");
                text.push(inner.key(name));
                inner.close();
            } else {
                text.push(delta.key(name));
            }
            delta.close();
        });
    }

    /// Where the words of the block in work are from; behind a block it is too late.
    fn cite(&mut self, out: &mut Vec<u8>, citation: &Citation<'_>) {
        let index = match self.words {
            Some(words) if !words.is_thinking => words.index,
            None if self.calls.is_empty() => {
                let index = self.begin();
                self.words = Some(Words { index, is_thinking: false });
                index
            }
            _ => return self.dropped.name("content.citations"),
        };
        self.frame(out, "contentBlockDelta", |object| {
            object.number("contentBlockIndex", index);
            let mut delta = object.object("delta");
            push_citation(delta.object("citation"), citation);
            delta.close();
        });
    }

    const fn begin(&mut self) -> u64 {
        let index = self.next;
        self.next += 1;
        index
    }

    fn close_words(&mut self, out: &mut Vec<u8>) {
        if let Some(words) = self.words.take() {
            self.stop_block(out, words.index);
        }
    }

    fn stop_block(&mut self, out: &mut Vec<u8>, index: u64) {
        self.frame(out, "contentBlockStop", |object| object.number("contentBlockIndex", index));
    }

    fn open(&mut self, out: &mut Vec<u8>, tool: u32, id: &Text<'_>, name: &Text<'_>) {
        self.close_words(out);
        let index = self.begin();
        self.calls.push(Call { tool, index, nesting: Nesting::default() });
        self.frame(out, "contentBlockStart", |object| {
            object.number("contentBlockIndex", index);
            let mut start = object.object("start");
            let mut inner = start.object("toolUse");
            id.push(inner.key("toolUseId"));
            name.push(inner.key("name"));
            inner.close();
            start.close();
        });
    }

    fn call(&mut self, out: &mut Vec<u8>, tool: u32, json: &Text<'_>) {
        // Behind the last bracket of a call there is at most a space.
        let Some(call) = self.calls.iter_mut().find(|call| call.tool == tool) else { return };
        if json.is_empty() {
            return;
        }
        call.nesting.see(json);
        let (index, is_whole) = (call.index, call.nesting.is_whole());
        self.frame(out, "contentBlockDelta", |object| {
            object.number("contentBlockIndex", index);
            let mut delta = object.object("delta");
            let mut inner = delta.object("toolUse");
            json.push(inner.key("input"));
            inner.close();
            delta.close();
        });
        if is_whole {
            self.close_call(out, tool);
        }
    }

    fn close_call(&mut self, out: &mut Vec<u8>, tool: u32) {
        if let Some(at) = self.calls.iter().position(|call| call.tool == tool) {
            let call = self.calls.remove(at);
            self.stop_block(out, call.index);
        }
    }

    fn end(&mut self, out: &mut Vec<u8>) {
        self.has_ended = true;
        self.close_words(out);
        while let Some(call) = self.calls.first() {
            let tool = call.tool;
            self.close_call(out, tool);
        }
        let stop = self.stop.take();
        let has_refusal = self.has_refusal;
        let word = stop.as_ref().map(|stop| stop_word(stop, has_refusal, &mut self.dropped));
        self.frame(out, "messageStop", |object| {
            if let (Some(stop), Some(word)) = (&stop, word) {
                object.text("stopReason", word);
                push_sequence(object, stop);
            }
        });
        let told = self.usage;
        self.frame(out, "metadata", |object| usage::encode(object.key("usage"), &told));
    }

    /// **Cost**: in steady state no allocation; the payload is written once and copied once.
    fn frame(&mut self, out: &mut Vec<u8>, name: &str, write: impl FnOnce(&mut Object<'_>)) {
        let mut payload = std::mem::take(&mut self.payload);
        payload.clear();
        let mut object = Object::open(&mut payload);
        write(&mut object);
        object.close();
        let headers = [
            (":event-type", name),
            (":content-type", "application/json"),
            (":message-type", "event"),
        ];
        self.is_overfull |= eventstream::push(out, &headers, &payload).is_err();
        self.payload = payload;
    }
}
