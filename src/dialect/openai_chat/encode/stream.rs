//! A streamed answer, chunk by chunk.
//!
//! Every chunk has id, object, created and model; the first of a choice its role; a call its index,
//! id, type and name once and after that only its index and arguments; exactly one chunk a choice
//! its finish reason; the usage a chunk of its own, if it was asked for.

use crate::{
    dialect::{
        openai_chat::{
            encode::{
                citation,
                reply::{push_or, stop_word},
            },
            error,
            stream::DONE_EVENT,
            usage,
        },
        pivot::{
            citation::{Citation, Sources},
            delta::Delta,
            dropped::Dropped,
            manner::Manner,
            part::{Dialect, Foreign},
            text::Text,
            usage::Usage,
        },
    },
    wire::{
        http1::push_decimal,
        json::write::{Array, Object},
    },
};

/// Writes one stream.
#[derive(Debug, Default)]
pub struct Encoder {
    pub dropped: Dropped,
    /// What every chunk begins with, up to the bracket of its choices.
    head: Vec<u8>,
    choices: Vec<Choice>,
    usage: Usage,
    has_ended: bool,
}

#[derive(Debug, Default)]
struct Choice {
    has_begun: bool,
    has_finished: bool,
    /// The thinking block in work.
    thoughts: u64,
    /// Tools that were opened and told no arguments yet.
    silent: Vec<u32>,
    sources: Sources,
}

/// Choices that a client may ask for; OpenAI's own bound is 128.
const CHOICES_MAX: usize = 1_024;

impl Encoder {
    /// Append the chunks of one step.
    pub fn push(&mut self, out: &mut Vec<u8>, delta: &Delta<'_>, manner: &Manner<'_>) {
        if self.has_ended {
            return;
        }
        match delta {
            Delta::Start { id, model, created } => {
                let created = created.unwrap_or(manner.now_seconds);
                self.begin(id.as_ref(), model.as_ref(), created, manner);
                self.choice(out, 0);
            }
            Delta::Usage(usage) => self.usage.amend(*usage),
            Delta::Ping => out.extend_from_slice(b": keepalive\n\n"),
            Delta::End => self.end(out, manner),
            Delta::Failed(failure) => {
                self.has_ended = true;
                out.extend_from_slice(b"data: ");
                error::encode(out, failure, manner.id);
                out.extend_from_slice(b"\n\n");
            }
            _ => {
                if self.head.is_empty() {
                    self.begin(None, None, manner.now_seconds, manner);
                }
                self.step(out, delta, manner);
            }
        }
    }

    fn step(&mut self, out: &mut Vec<u8>, delta: &Delta<'_>, manner: &Manner<'_>) {
        match delta {
            Delta::Text { choice, text } => {
                self.say(out, *choice, "\"content\":\"", text);
                self.count(*choice, text);
            }
            Delta::Refusal { choice, text } => self.say(out, *choice, "\"refusal\":\"", text),
            Delta::Thinking { choice, text } => self.think(out, *choice, text, manner),
            Delta::Signature { choice, signature } => {
                self.thought(out, *choice, manner, |block| {
                    block.text("type", "thinking");
                    block.text("thinking", "");
                    signature.push(block.key("signature"));
                });
            }
            Delta::RedactedThinking { choice, data } => {
                self.thought(out, *choice, manner, |block| {
                    block.text("type", "redacted_thinking");
                    data.push(block.key("data"));
                });
            }
            Delta::ToolOpen { choice, tool, id, name } => {
                self.open_tool(out, *choice, *tool, id, name);
            }
            Delta::ToolArguments { choice, tool, json } => {
                self.call(out, *choice, *tool, json);
            }
            Delta::ToolClose { choice, tool } => {
                // A tool called with no words at all is called with `{}`.
                let is_silent = self.state(*choice).is_some_and(|it| it.silent.contains(tool));
                if is_silent {
                    self.call(out, *choice, *tool, &Text::plain("{}"));
                }
            }
            Delta::Finish { choice, stop } => {
                self.tell_sources(out, *choice);
                let is_first = self.choice(out, *choice)
                    && self
                        .state(*choice)
                        .is_some_and(|it| !std::mem::replace(&mut it.has_finished, true));
                if is_first {
                    let word = stop_word(stop, &mut self.dropped);
                    self.open(out, *choice);
                    out.extend_from_slice(b"},\"finish_reason\":\"");
                    out.extend_from_slice(word.as_bytes());
                    out.extend_from_slice(b"\"}]}\n\n");
                }
            }
            Delta::Logprobs {
                choice,
                logprobs: Foreign { dialect: Dialect::OpenAiChat, json, .. },
            } if self.choice(out, *choice) => {
                self.open(out, *choice);
                out.extend_from_slice(b"},\"logprobs\":");
                json.push(out);
                out.extend_from_slice(b",\"finish_reason\":null}]}\n\n");
            }
            Delta::Citation { choice, citation } => self.cite(out, *choice, citation),
            Delta::PartEnd { choice } => self.tell_sources(out, *choice),
            Delta::Foreign { part, .. } => {
                self.dropped.name(format!("content.{}", part.name.read()));
            }
            _ => {}
        }
    }

    fn begin(
        &mut self,
        id: Option<&Text<'_>>,
        model: Option<&Text<'_>>,
        created: u64,
        manner: &Manner<'_>,
    ) {
        if !self.head.is_empty() {
            return;
        }
        let head = &mut self.head;
        head.extend_from_slice(b"data: {\"id\":");
        push_or(head, id, manner.id);
        head.extend_from_slice(b",\"object\":\"chat.completion.chunk\",\"created\":");
        push_decimal(head, created);
        head.extend_from_slice(b",\"model\":");
        push_or(head, model, manner.model);
        head.extend_from_slice(b",\"choices\":[");
    }

    fn state(&mut self, choice: u32) -> Option<&mut Choice> {
        self.choices.get_mut(choice as usize)
    }

    /// Tell the role of a choice, once; false where there are too many.
    fn choice(&mut self, out: &mut Vec<u8>, choice: u32) -> bool {
        let at = choice as usize;
        if at >= CHOICES_MAX {
            return false;
        }
        if at >= self.choices.len() {
            self.choices.resize_with(at + 1, Choice::default);
        }
        if !std::mem::replace(&mut self.choices[at].has_begun, true) {
            self.open(out, choice);
            out.extend_from_slice(b"\"role\":\"assistant\",\"content\":\"\"");
            out.extend_from_slice(DELTA_END);
        }
        true
    }

    /// Append a chunk up to the inside of its delta.
    fn open(&self, out: &mut Vec<u8>, choice: u32) {
        out.extend_from_slice(&self.head);
        out.extend_from_slice(b"{\"index\":");
        push_decimal(out, u64::from(choice));
        out.extend_from_slice(b",\"delta\":{");
    }

    fn say(&mut self, out: &mut Vec<u8>, choice: u32, name: &str, text: &Text<'_>) {
        if text.is_empty() || !self.choice(out, choice) {
            return;
        }
        self.open(out, choice);
        out.extend_from_slice(name.as_bytes());
        text.push_inside(out);
        out.push(b'"');
        out.extend_from_slice(DELTA_END);
    }

    /// Sources are told with the characters that are from there.
    fn count(&mut self, choice: u32, text: &Text<'_>) {
        if let Some(choice) = self.state(choice) {
            choice.sources.said.add(text);
        }
    }

    /// For those who read it, and again for those who send it back: they join the pieces of each
    /// block until its signature.
    fn think(&mut self, out: &mut Vec<u8>, choice: u32, text: &Text<'_>, manner: &Manner<'_>) {
        if text.is_empty() || !self.choice(out, choice) {
            return;
        }
        if !manner.is_strict_openai {
            self.open(out, choice);
            out.extend_from_slice(b"\"content\":[{\"type\":\"thinking\",\"thinking\":");
            text.push(out);
            out.extend_from_slice(b"}]");
            return out.extend_from_slice(DELTA_END);
        }
        let index = self.state(choice).map_or(0, |choice| choice.thoughts);
        self.open(out, choice);
        out.extend_from_slice(b"\"reasoning_content\":");
        text.push(out);
        out.extend_from_slice(b",\"thinking_blocks\":[{\"index\":");
        push_decimal(out, index);
        out.extend_from_slice(b",\"type\":\"thinking\",\"thinking\":");
        text.push(out);
        out.extend_from_slice(b"}]");
        out.extend_from_slice(DELTA_END);
    }

    /// The end of a thinking block: its proof.
    fn thought(
        &mut self,
        out: &mut Vec<u8>,
        choice: u32,
        manner: &Manner<'_>,
        write: impl FnOnce(&mut Object<'_>),
    ) {
        if !self.choice(out, choice) {
            return;
        }
        self.open(out, choice);
        let name: &[u8] =
            if manner.is_strict_openai { b"\"thinking_blocks\":" } else { b"\"content\":" };
        out.extend_from_slice(name);
        let index = self.state(choice).map_or(0, |choice| choice.thoughts);
        let mut blocks = Array::open(out);
        let mut block = blocks.object();
        if manner.is_strict_openai {
            block.number("index", index);
        }
        write(&mut block);
        block.close();
        blocks.close();
        out.extend_from_slice(DELTA_END);
        if let Some(choice) = self.state(choice) {
            choice.thoughts += 1;
        }
    }

    /// Note where the words in work are from.
    fn cite(&mut self, out: &mut Vec<u8>, choice: u32, citation: &Citation<'_>) {
        let is_noted = self.choice(out, choice)
            && self.state(choice).is_some_and(|choice| choice.sources.cite(citation));
        if !is_noted {
            self.dropped.name("content.citations");
        }
    }

    /// Tell where the words of the part that ends are from.
    fn tell_sources(&mut self, out: &mut Vec<u8>, choice: u32) {
        let Some(state) = self.state(choice) else { return };
        let sources = state.sources.end_part();
        if !sources.is_empty() {
            self.open(out, choice);
            citation::push_all(&mut Object::resume(out), &sources);
            out.extend_from_slice(DELTA_END);
        }
    }

    fn open_tool(
        &mut self,
        out: &mut Vec<u8>,
        choice: u32,
        tool: u32,
        id: &Text<'_>,
        name: &Text<'_>,
    ) {
        if !self.choice(out, choice) {
            return;
        }
        self.open(out, choice);
        out.extend_from_slice(b"\"tool_calls\":[");
        let mut call = Object::open(out);
        call.number("index", u64::from(tool));
        id.push(call.key("id"));
        call.text("type", "function");
        let mut function = call.object("function");
        name.push(function.key("name"));
        function.text("arguments", "");
        function.close();
        call.close();
        out.push(b']');
        out.extend_from_slice(DELTA_END);
        if let Some(choice) = self.state(choice) {
            choice.silent.push(tool);
        }
    }

    fn call(&mut self, out: &mut Vec<u8>, choice: u32, tool: u32, json: &Text<'_>) {
        if json.is_empty() || !self.choice(out, choice) {
            return;
        }
        if let Some(choice) = self.state(choice) {
            choice.silent.retain(|silent| *silent != tool);
        }
        self.open(out, choice);
        out.extend_from_slice(b"\"tool_calls\":[{\"index\":");
        push_decimal(out, u64::from(tool));
        out.extend_from_slice(b",\"function\":{\"arguments\":\"");
        json.push_inside(out);
        out.extend_from_slice(b"\"}}]");
        out.extend_from_slice(DELTA_END);
    }

    fn end(&mut self, out: &mut Vec<u8>, manner: &Manner<'_>) {
        self.has_ended = true;
        if manner.wants_usage && self.usage.is_told() {
            if self.head.is_empty() {
                self.begin(None, None, manner.now_seconds, manner);
            }
            out.extend_from_slice(&self.head);
            out.extend_from_slice(b"],\"usage\":");
            usage::encode(out, &self.usage);
            out.extend_from_slice(b"}\n\n");
        }
        out.extend_from_slice(DONE_EVENT);
    }
}

/// The end of a chunk behind the inside of its delta.
const DELTA_END: &[u8] = b"},\"finish_reason\":null}]}\n\n";
