//! A streamed answer, step by step.
//!
//! ```text
//! response.created  response.in_progress
//! { response.output_item.added  *response.….delta  response.….done  response.output_item.done }
//! response.completed | response.incomplete | response.failed        error anywhere
//! ```
//! Items are known by their `output_index`. Events of unknown types are passed over.
//! **Source**: the `ResponseStreamEvent` of OpenAI's own description of its API, 2.3.0, and
//! recorded traffic.

use crate::{
    dialect::{
        mold::{
            Hole,
            event::{EventMold, Seen, Watch},
        },
        openai_responses::{
            decode::{
                input::thoughts,
                reply::{seconds, stop},
            },
            error, seal, usage,
        },
        pivot::{
            citation::Citation,
            delta::{Delta, Malformed, Take},
            part::{Dialect, Foreign},
            text::{Json, Text},
            usage::Usage,
        },
    },
    wire::json::document::{Document, Kind, Value},
};
use std::borrow::Cow;

/// Items of one answer; the longest on record have a few dozen.
const ITEMS_MAX: usize = 4_096;

/// Reads one stream.
#[derive(Debug, Default)]
pub struct Decoder {
    document: Document,
    /// What each item is, by its index.
    items: Vec<Item>,
    /// Tools of the client's that were called so far.
    tools: u32,
    /// The number that the next event would bear.
    pub sequence: u64,
    has_started: bool,
    has_ended: bool,
    /// Of a delta of words.
    mold: EventMold,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Item {
    #[default]
    Unknown,
    /// Words were told of it piece by piece.
    Message {
        is_told: bool,
    },
    Reasoning {
        is_told: bool,
    },
    Tool {
        tool: u32,
        is_told: bool,
        is_open: bool,
    },
    /// Only this dialect can say it.
    Foreign,
}

impl Decoder {
    /// Read the data of one event.
    ///
    /// # Errors
    /// `Malformed`: nothing that follows can be trusted.
    pub fn read(&mut self, data: &[u8], to: &mut impl Take) -> Result<(), Malformed> {
        self.sequence += 1;
        // Some vendors end as chats do.
        if self.has_ended || data == b"[DONE]" {
            return Ok(());
        }
        if let Some(told) = self.mold.read(data) {
            to.take(told.words);
            return Ok(());
        }
        // Taken out, so that what is read of it does not hold the rest of this.
        let mut document = std::mem::take(&mut self.document);
        let done = document.parse(data).map_err(Malformed::from).and_then(|event| {
            if event.kind() != Kind::Object {
                return Err(Malformed);
            }
            match event.get("type").and_then(Value::plain) {
                Some(kind) => self.event(&kind, event, to),
                // An error as other APIs tell it.
                None if event.get("error").is_some() => self.fail(event, to),
                None => Err(Malformed),
            }
        });
        self.document = document;
        done
    }

    fn event(
        &mut self,
        kind: &str,
        event: Value<'_, '_>,
        to: &mut impl Take,
    ) -> Result<(), Malformed> {
        let text = |name: &str| event.get(name).and_then(Text::of).ok_or(Malformed);
        match kind {
            "response.output_text.delta" => {
                self.tell(event)?;
                let mut watch = Watch::new(to);
                watch.take(Delta::Text { choice: 0, text: text("delta")? });
                logprobs(event, &mut watch);
                self.keep(event, watch.seen);
            }
            "response.function_call_arguments.delta" => {
                let Some(tool) = self.tell(event)? else { return Err(Malformed) };
                to.take(Delta::ToolArguments { choice: 0, tool, json: text("delta")? });
            }
            "response.reasoning_summary_text.delta" | "response.reasoning_text.delta" => {
                self.tell(event)?;
                let mut watch = Watch::new(to);
                watch.take(Delta::Thinking { choice: 0, text: text("delta")? });
                self.keep(event, watch.seen);
            }
            "response.refusal.delta" => {
                self.tell(event)?;
                to.take(Delta::Refusal { choice: 0, text: text("delta")? });
            }
            // Each part of a summary is a paragraph.
            "response.reasoning_summary_part.added"
                if event.get("summary_index").and_then(Value::as_u64) > Some(0) =>
            {
                to.take(Delta::Thinking { choice: 0, text: Text::Escaped("\\n\\n") });
            }
            "response.output_text.annotation.added" => {
                let annotation = event.get("annotation").ok_or(Malformed)?;
                if let Some(citation) = Citation::of(annotation) {
                    to.take(Delta::Citation { choice: 0, citation });
                } else {
                    let kind = annotation.get("type").and_then(Value::plain).unwrap_or_default();
                    to.take(Delta::Unsaid { name: &format!("annotations.{kind}") });
                }
            }
            "response.content_part.done" => to.take(Delta::PartEnd { choice: 0 }),
            "response.output_item.added" => {
                self.open(index(event)?, event.get("item").ok_or(Malformed)?, to)?;
            }
            "response.output_item.done" => {
                self.close(index(event)?, event.get("item").ok_or(Malformed)?, to)?;
            }
            "response.created" => self.start(event.get("response").ok_or(Malformed)?, to),
            "response.completed" | "response.incomplete" => {
                self.finish(event.get("response").ok_or(Malformed)?, to);
            }
            "response.failed" | "error" => return self.fail(event, to),
            "keepalive" => to.take(Delta::Ping),
            _ => {}
        }
        Ok(())
    }

    /// Keep an event of words, to know those that are like it.
    fn keep(&mut self, event: Value<'_, '_>, seen: Seen) {
        if let Some(number) = event.get("sequence_number").filter(|it| it.as_u64().is_some()) {
            self.mold.hole(number.place(), Hole::Number);
        }
        if let Some(noise) = event.get("obfuscation").filter(|it| it.escaped().is_some()) {
            self.mold.hole(noise.place(), Hole::Noise);
        }
        self.mold.keep(event.document().as_bytes(), seen);
    }

    fn start(&mut self, response: Value<'_, '_>, to: &mut impl Take) {
        if std::mem::replace(&mut self.has_started, true) {
            return;
        }
        let text = |name: &str| response.get(name).and_then(Text::of);
        let created = response.get("created_at").and_then(seconds);
        to.take(Delta::Start { id: text("id"), model: text("model"), created });
    }

    /// Note that a piece of an item is told; the tool that it calls, if it is a call.
    fn tell(&mut self, event: Value<'_, '_>) -> Result<Option<u32>, Malformed> {
        let item = self.items.get_mut(index(event)?);
        Ok(match item {
            Some(Item::Message { is_told } | Item::Reasoning { is_told }) => {
                *is_told = true;
                None
            }
            Some(Item::Tool { tool, is_told, .. }) => {
                *is_told = true;
                Some(*tool)
            }
            _ => None,
        })
    }

    fn open(
        &mut self,
        index: usize,
        item: Value<'_, '_>,
        to: &mut impl Take,
    ) -> Result<(), Malformed> {
        if index >= ITEMS_MAX {
            return Err(Malformed);
        }
        let kind = item.get("type").and_then(Value::plain).ok_or(Malformed)?;
        let found = match &*kind {
            "message" => Item::Message { is_told: false },
            "reasoning" => Item::Reasoning { is_told: false },
            "function_call" => {
                let text = |name: &str| item.get(name).and_then(Text::of).ok_or(Malformed);
                let tool = self.tools;
                self.tools += 1;
                let (id, name) = (text("call_id")?, text("name")?);
                to.take(Delta::ToolOpen { choice: 0, tool, id, name });
                Item::Tool { tool, is_told: false, is_open: true }
            }
            _ => Item::Foreign,
        };
        if self.items.len() <= index {
            self.items.resize(index + 1, Item::Unknown);
        }
        self.items[index] = found;
        Ok(())
    }

    /// An item is whole: what was not told piece by piece is told now.
    fn close(
        &mut self,
        index: usize,
        item: Value<'_, '_>,
        to: &mut impl Take,
    ) -> Result<(), Malformed> {
        if self.items.get(index).copied().unwrap_or_default() == Item::Unknown {
            self.open(index, item, to)?;
        }
        let text = |name: &str| item.get(name).and_then(Text::of);
        match self.items.get_mut(index) {
            Some(Item::Tool { tool, is_told, is_open }) if *is_open => {
                *is_open = false;
                let tool = *tool;
                if let Some(json) = text("arguments").filter(|_| !*is_told) {
                    to.take(Delta::ToolArguments { choice: 0, tool, json });
                }
                to.take(Delta::ToolClose { choice: 0, tool });
            }
            Some(Item::Reasoning { is_told }) => {
                if let Some(text) = thoughts(item).filter(|_| !*is_told) {
                    to.take(Delta::Thinking { choice: 0, text });
                }
                *is_told = true;
                match text("encrypted_content").as_ref().map(seal::as_signature) {
                    Some(signature) => to.take(Delta::Signature { choice: 0, signature }),
                    None => to.take(Delta::PartEnd { choice: 0 }),
                }
            }
            Some(Item::Message { is_told: false }) => {
                for part in item.get("content").into_iter().flat_map(Value::items) {
                    if let Some(text) = part.get("text").and_then(Text::of) {
                        to.take(Delta::Text { choice: 0, text });
                    }
                    if let Some(text) = part.get("refusal").and_then(Text::of) {
                        to.take(Delta::Refusal { choice: 0, text });
                    }
                }
                to.take(Delta::PartEnd { choice: 0 });
            }
            Some(Item::Message { .. }) => to.take(Delta::PartEnd { choice: 0 }),
            Some(Item::Foreign) => {
                let (dialect, json) = (Dialect::OpenAiResponses, Json::of(item));
                let name = text("type").unwrap_or_default();
                to.take(Delta::Foreign { choice: 0, part: Foreign { dialect, name, json } });
            }
            _ => {}
        }
        Ok(())
    }

    fn finish(&mut self, response: Value<'_, '_>, to: &mut impl Take) {
        self.start(response, to);
        self.has_ended = true;
        for item in &mut self.items {
            if let Item::Tool { tool, is_open: is_open @ true, .. } = item {
                *is_open = false;
                to.take(Delta::ToolClose { choice: 0, tool: *tool });
            }
        }
        tell_usage(response, to);
        to.take(Delta::Finish { choice: 0, stop: stop(response, self.tools > 0) });
        to.take(Delta::End);
    }

    fn fail(&mut self, event: Value<'_, '_>, to: &mut impl Take) -> Result<(), Malformed> {
        self.has_ended = true;
        if let Some(response) = event.get("response") {
            tell_usage(response, to);
        }
        to.take(Delta::Failed(error::decode(event, None).ok_or(Malformed)?));
        Ok(())
    }
}

fn tell_usage(response: Value<'_, '_>, to: &mut impl Take) {
    if let Some(usage) = response.get("usage").map(usage::decode).filter(Usage::is_told) {
        to.take(Delta::Usage(usage));
    }
}

/// What came with the words, as a chat tells it.
fn logprobs(event: Value<'_, '_>, to: &mut impl Take) {
    let Some(list) = event.get("logprobs").filter(|list| list.items().next().is_some()) else {
        return;
    };
    let json = format!("{{\"content\":{},\"refusal\":null}}", list.raw());
    let (name, json) = (Text::plain("logprobs"), Json(Cow::Owned(json)));
    let logprobs = Foreign { dialect: Dialect::OpenAiChat, name, json };
    to.take(Delta::Logprobs { choice: 0, logprobs });
}

fn index(event: Value<'_, '_>) -> Result<usize, Malformed> {
    let index = event.get("output_index").and_then(Value::as_u64).ok_or(Malformed)?;
    usize::try_from(index).map_err(|_| Malformed)
}
