//! A streamed answer, event by event.
//!
//! Every event has the whole shape with what is new in it. A call is told whole: its words are held
//! until it has them all. Reasons to end wait for the tokens, for both stand in the last event.

use crate::{
    dialect::{
        gemini::{
            encode::{
                grounding, logprobs,
                part::push_args,
                reply::{push_or, push_redacted},
            },
            error, stop, usage,
        },
        pivot::{
            citation::{Cited, Sources},
            delta::Delta,
            dropped::Dropped,
            manner::Manner,
            part::{Dialect, Foreign},
            text::{Arguments, Text},
            usage::Usage,
        },
    },
    wire::{
        http1::push_decimal,
        json::write::{Array, Object},
    },
};

/// What may be held of calls and sources.
const HELD_BYTES_MAX: usize = 4 << 20;
/// Choices whose words are counted; the API gives eight at most.
const CHOICES_MAX: usize = 128;

/// Writes one stream.
#[derive(Debug, Default)]
pub struct Encoder {
    pub dropped: Dropped,
    /// What every event ends with.
    tail: Vec<u8>,
    held: Vec<Held>,
    held_bytes: usize,
    /// Of each choice, its words and their sources.
    sources: Vec<Sources>,
    /// Sources of parts that have ended, by their choice.
    cited: Vec<(u32, (u64, Cited<'static>))>,
    /// Choices and why they end.
    stops: Vec<(u32, &'static str)>,
    usage: Usage,
    has_ended: bool,
    /// More is held of calls than there is room for.
    pub is_overfull: bool,
}

/// A call whose words are not all there; its texts escaped, those of id and name quoted.
#[derive(Debug)]
struct Held {
    choice: u32,
    tool: u32,
    id: Vec<u8>,
    name: Vec<u8>,
    json: Vec<u8>,
}

impl Encoder {
    /// Append the events of one step.
    pub fn push(&mut self, out: &mut Vec<u8>, delta: &Delta<'_>, manner: &Manner<'_>) {
        if self.has_ended {
            return;
        }
        match delta {
            Delta::Start { id, model, .. } => self.begin(id.as_ref(), model.as_ref(), manner),
            Delta::Usage(usage) => self.usage.amend(*usage),
            // A comment, which clients pass over.
            Delta::Ping => out.extend_from_slice(b": keepalive\n\n"),
            Delta::Failed(failure) => {
                self.has_ended = true;
                error::push_event(out, |out| error::encode(out, failure, manner.id));
            }
            Delta::End => {
                self.begin(None, None, manner);
                self.end(out);
            }
            _ => {
                self.begin(None, None, manner);
                self.step(out, delta);
            }
        }
    }

    fn begin(&mut self, id: Option<&Text<'_>>, model: Option<&Text<'_>>, manner: &Manner<'_>) {
        if self.tail.is_empty() {
            let tail = &mut self.tail;
            tail.extend_from_slice(b",\"modelVersion\":");
            push_or(tail, model, manner.model);
            tail.extend_from_slice(b",\"responseId\":");
            push_or(tail, id, manner.id);
            tail.extend_from_slice(b"}\n\n");
        }
    }

    fn step(&mut self, out: &mut Vec<u8>, delta: &Delta<'_>) {
        match delta {
            Delta::Text { choice, text } | Delta::Refusal { choice, text } => {
                self.say(out, *choice, text, b"\"}");
                if let Some(sources) = self.sources(*choice) {
                    sources.said.add(text);
                }
            }
            Delta::Thinking { choice, text } => {
                self.say(out, *choice, text, b"\",\"thought\":true}");
            }
            Delta::Signature { choice, signature } => self.parts(out, *choice, |parts| {
                let mut object = parts.object();
                object.text("text", "");
                object.boolean("thought", true);
                signature.push(object.key("thoughtSignature"));
                object.close();
            }),
            Delta::RedactedThinking { choice, data } => {
                self.parts(out, *choice, |parts| push_redacted(parts, data));
            }
            Delta::ToolOpen { choice, tool, id, name } => self.hold(*choice, *tool, id, name),
            Delta::ToolArguments { choice, tool, json } => self.hear(*choice, *tool, json),
            Delta::ToolClose { choice, tool } => {
                self.release(out, |held| (held.choice, held.tool) == (*choice, *tool));
            }
            Delta::Finish { choice, stop } => {
                self.note_sources(*choice);
                self.release(out, |held| held.choice == *choice);
                let word = stop::encode(stop, &mut self.dropped);
                if !self.stops.iter().any(|(known, _)| known == choice) {
                    self.stops.push((*choice, word));
                }
            }
            Delta::Logprobs {
                choice,
                logprobs: Foreign { dialect: Dialect::OpenAiChat, json, .. },
            } => {
                out.extend_from_slice(b"data: {\"candidates\":[");
                let mut candidate = Object::open(out);
                candidate.number("index", u64::from(*choice));
                logprobs::push(&mut candidate, &json.0);
                candidate.close();
                out.push(b']');
                out.extend_from_slice(&self.tail);
            }
            Delta::Foreign { choice, part: Foreign { dialect: Dialect::Gemini, json, .. } } => {
                self.parts(out, *choice, |parts| json.push(parts.item()));
            }
            Delta::Citation { choice, citation } => {
                let sources = self.sources(*choice);
                if sources.is_none_or(|sources| !sources.cite(citation)) {
                    self.dropped.name("content.citations");
                }
            }
            Delta::PartEnd { choice } => self.note_sources(*choice),
            Delta::Foreign { part, .. } => {
                self.dropped.name(format!("content.{}", part.name.read()));
            }
            _ => {}
        }
    }

    fn sources(&mut self, choice: u32) -> Option<&mut Sources> {
        let at = choice as usize;
        if at >= self.sources.len() && at < CHOICES_MAX {
            self.sources.resize_with(at + 1, Sources::default);
        }
        self.sources.get_mut(at)
    }

    /// A part has ended: its sources are told in the last event.
    fn note_sources(&mut self, choice: u32) {
        let Some(sources) = self.sources.get_mut(choice as usize) else { return };
        for cited in sources.end_part() {
            self.held_bytes += cited.source.bytes();
            self.cited.push((choice, (0, cited)));
        }
        self.is_overfull |= self.held_bytes > HELD_BYTES_MAX;
    }

    /// Words, with what stands behind them in their part.
    fn say(&self, out: &mut Vec<u8>, choice: u32, text: &Text<'_>, behind: &[u8]) {
        if text.is_empty() {
            return;
        }
        out.extend_from_slice(HEAD);
        out.extend_from_slice(b"{\"text\":\"");
        text.push_inside(out);
        out.extend_from_slice(behind);
        self.close(out, choice);
    }

    fn parts(&self, out: &mut Vec<u8>, choice: u32, write: impl FnOnce(&mut Array<'_>)) {
        out.extend_from_slice(b"data: {\"candidates\":[{\"content\":{\"parts\":");
        let mut parts = Array::open(out);
        write(&mut parts);
        parts.close();
        self.close_behind(out, choice);
    }

    fn close(&self, out: &mut Vec<u8>, choice: u32) {
        out.push(b']');
        self.close_behind(out, choice);
    }

    fn close_behind(&self, out: &mut Vec<u8>, choice: u32) {
        out.extend_from_slice(b",\"role\":\"model\"},\"index\":");
        push_decimal(out, u64::from(choice));
        out.extend_from_slice(b"}]");
        out.extend_from_slice(&self.tail);
    }

    fn hold(&mut self, choice: u32, tool: u32, id: &Text<'_>, name: &Text<'_>) {
        let written = |text: &Text<'_>| {
            let mut written = Vec::new();
            text.push(&mut written);
            written
        };
        let held = Held { choice, tool, id: written(id), name: written(name), json: Vec::new() };
        self.held_bytes += held.id.len() + held.name.len();
        self.is_overfull |= self.held_bytes > HELD_BYTES_MAX;
        self.held.push(held);
    }

    fn hear(&mut self, choice: u32, tool: u32, json: &Text<'_>) {
        let mut all = self.held.iter_mut();
        let Some(held) = all.find(|held| (held.choice, held.tool) == (choice, tool)) else {
            return;
        };
        let before = held.json.len();
        json.push_inside(&mut held.json);
        self.held_bytes += held.json.len() - before;
        self.is_overfull |= self.held_bytes > HELD_BYTES_MAX;
    }

    /// Tell the calls that have all their words, in the order in which they were begun.
    fn release(&mut self, out: &mut Vec<u8>, is_whole: impl Fn(&Held) -> bool) {
        let mut at = 0;
        while at < self.held.len() {
            if !is_whole(&self.held[at]) {
                at += 1;
                continue;
            }
            let held = self.held.remove(at);
            self.held_bytes =
                self.held_bytes.saturating_sub(held.id.len() + held.name.len() + held.json.len());
            let json = String::from_utf8_lossy(&held.json);
            self.parts(out, held.choice, |parts| {
                let mut object = parts.object();
                let mut call = object.object("functionCall");
                call.key("id").extend_from_slice(&held.id);
                call.key("name").extend_from_slice(&held.name);
                push_args(call.key("args"), &Arguments::Text(Text::Escaped(&json)));
                call.close();
                object.close();
            });
        }
    }

    fn end(&mut self, out: &mut Vec<u8>) {
        self.has_ended = true;
        self.release(out, |_| true);
        out.extend_from_slice(b"data: {\"candidates\":");
        let mut candidates = Array::open(out);
        for (choice, word) in &self.stops {
            let mut candidate = candidates.object();
            let mut content = candidate.object("content");
            content.raw("parts", "[{\"text\":\"\"}]");
            content.text("role", "model");
            content.close();
            candidate.text("finishReason", word);
            candidate.number("index", u64::from(*choice));
            let mine = self.cited.extract_if(.., |(of, _)| of == choice);
            let cited: Vec<_> = mine.map(|(_, cited)| cited).collect();
            if !cited.is_empty() {
                grounding::push(&mut candidate, &cited);
            }
            candidate.close();
        }
        candidates.close();
        if self.usage.is_told() {
            out.extend_from_slice(b",\"usageMetadata\":");
            usage::encode(out, &self.usage);
        }
        out.extend_from_slice(&self.tail);
    }
}

const HEAD: &[u8] = b"data: {\"candidates\":[{\"content\":{\"parts\":[";
