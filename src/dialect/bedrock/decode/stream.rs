//! A streamed answer, frame by frame.
//!
//! ```text
//! messageStart  { [contentBlockStart]  *contentBlockDelta  contentBlockStop }
//! messageStop (stop reason)  metadata (usage)                       and an exception anywhere
//! ```
//! Only calls of tools have a start. Frames of unknown types are passed over. The stream is
//! complete when both the stop reason and the usage were told, in whichever order, or at its end.

use crate::{
    dialect::{
        bedrock::{
            decode::{block, reply},
            error, usage,
        },
        mold::{
            Hole,
            event::{EventMold, Watch},
        },
        pivot::{
            delta::{Delta, Malformed, Take},
            part::{Dialect, Foreign},
            text::{Json, Text},
        },
    },
    wire::{
        eventstream::Message,
        json::document::{Document, Value},
    },
};

/// The event that tells words.
const DELTA: &str = "contentBlockDelta";

/// Blocks of one answer; the longest on record have a few dozen.
const BLOCKS_MAX: usize = 4_096;

/// Reads one stream.
#[expect(clippy::struct_excessive_bools, reason = "facts of one stream, independent of each other")]
#[derive(Debug, Default)]
pub struct Decoder {
    document: Document,
    /// What each block is, by its index.
    blocks: Vec<Block>,
    /// Tools of the client's that were called so far.
    tools: u32,
    has_started: bool,
    has_stopped: bool,
    has_usage: bool,
    /// Nothing that follows belongs to this answer.
    has_ended: bool,
    /// Of a delta of words.
    mold: EventMold,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Block {
    /// Words, or thoughts.
    #[default]
    Said,
    Tool(u32),
    /// Only this dialect can say it.
    Foreign,
}

impl Decoder {
    /// Read one frame.
    ///
    /// # Errors
    /// `Malformed`: nothing that follows can be trusted.
    pub fn read(
        &mut self,
        message: &Message<'_>,
        payload: &[u8],
        to: &mut impl Take,
    ) -> Result<(), Malformed> {
        if self.has_ended {
            return Ok(());
        }
        if *message == Message::Event(DELTA)
            && let Some(told) = self.mold.read(payload)
        {
            to.take(told.words);
            return Ok(());
        }
        // Taken out, so that what is read of it does not hold the rest of this.
        let mut document = std::mem::take(&mut self.document);
        let parsed = document.parse(payload);
        let done = match (*message, parsed) {
            (Message::Event(name), Ok(event)) => self.event(name, event, to),
            (Message::Event(_), Err(_)) => Err(Malformed),
            (_, parsed) => {
                if let Some(failure) = error::decode_frame(message, parsed.ok()) {
                    self.has_ended = true;
                    to.take(Delta::Failed(failure));
                }
                Ok(())
            }
        };
        self.document = document;
        done
    }

    fn event(
        &mut self,
        name: &str,
        event: Value<'_, '_>,
        to: &mut impl Take,
    ) -> Result<(), Malformed> {
        match name {
            DELTA => {
                let delta = event.get("delta").ok_or(Malformed)?;
                let mut watch = Watch::new(to);
                self.delta(index(event)?, delta, &mut watch)?;
                // Of random length, so that nobody can tell words by theirs.
                if let Some(noise) = event.get("p").filter(|noise| noise.escaped().is_some()) {
                    self.mold.hole(noise.place(), Hole::Noise);
                }
                self.mold.keep(event.document().as_bytes(), watch.seen);
            }
            "contentBlockStart" => {
                let start = event.get("start").ok_or(Malformed)?;
                self.open(index(event)?, start, to)?;
            }
            "contentBlockStop" => match self.block(index(event)?) {
                Block::Tool(tool) => to.take(Delta::ToolClose { choice: 0, tool }),
                Block::Said => to.take(Delta::PartEnd { choice: 0 }),
                Block::Foreign => {}
            },
            "messageStart" if !std::mem::replace(&mut self.has_started, true) => {
                to.take(Delta::Start { id: None, model: None, created: None });
            }
            "messageStop" => {
                let fields = event.get("additionalModelResponseFields");
                let stop = event.get("stopReason").and_then(|it| reply::stop(it, fields));
                if let Some(stop) = stop {
                    to.take(Delta::Finish { choice: 0, stop });
                }
                self.has_stopped = true;
                self.end(to);
            }
            "metadata" => {
                if let Some(value) = event.get("usage") {
                    to.take(Delta::Usage(usage::decode(value)));
                }
                if event.get("trace").is_some() {
                    to.take(Delta::Unsaid { name: "trace" });
                }
                self.has_usage = true;
                self.end(to);
            }
            _ => {}
        }
        Ok(())
    }

    fn end(&mut self, to: &mut impl Take) {
        if self.has_stopped && self.has_usage {
            self.has_ended = true;
            to.take(Delta::End);
        }
    }

    fn open(
        &mut self,
        index: usize,
        start: Value<'_, '_>,
        to: &mut impl Take,
    ) -> Result<(), Malformed> {
        if index >= BLOCKS_MAX {
            return Err(Malformed);
        }
        let found = match start.members().next() {
            Some((kind, inner)) if &*kind == "toolUse" && !block::is_servers(inner) => {
                let text = |name: &str| inner.get(name).and_then(Text::of).ok_or(Malformed);
                let tool = self.tools;
                self.tools += 1;
                let (id, name) = (text("toolUseId")?, text("name")?);
                to.take(Delta::ToolOpen { choice: 0, tool, id, name });
                Block::Tool(tool)
            }
            // Some write an empty start for words.
            None => Block::Said,
            Some((kind, _)) => {
                let json = Json::of(start);
                let part = Foreign { dialect: Dialect::Bedrock, name: Text::Plain(kind), json };
                to.take(Delta::Foreign { choice: 0, part });
                Block::Foreign
            }
        };
        if self.blocks.len() <= index {
            self.blocks.resize(index + 1, Block::Said);
        }
        self.blocks[index] = found;
        Ok(())
    }

    fn block(&self, index: usize) -> Block {
        self.blocks.get(index).copied().unwrap_or_default()
    }

    fn delta(
        &self,
        index: usize,
        delta: Value<'_, '_>,
        to: &mut impl Take,
    ) -> Result<(), Malformed> {
        let Some((kind, inner)) = delta.members().next() else { return Ok(()) };
        match (&*kind, self.block(index)) {
            ("text", _) => {
                to.take(Delta::Text { choice: 0, text: Text::of(inner).ok_or(Malformed)? });
            }
            ("reasoningContent", _) => think(inner, to),
            ("toolUse", Block::Tool(tool)) => {
                let json = inner.get("input").and_then(Text::of).ok_or(Malformed)?;
                to.take(Delta::ToolArguments { choice: 0, tool, json });
            }
            ("toolUse", Block::Said) => return Err(Malformed),
            ("citation", _) => {
                to.take(match block::source_of(inner) {
                    Some(citation) => Delta::Citation { choice: 0, citation },
                    None => Delta::Foreign { choice: 0, part: block::citation(inner) },
                });
            }
            // What the vendor asks its own tools was named when its block began.
            (_, Block::Foreign) => {}
            _ => {
                let json = Json::of(delta);
                let part = Foreign { dialect: Dialect::Bedrock, name: Text::Plain(kind), json };
                to.take(Delta::Foreign { choice: 0, part });
            }
        }
        Ok(())
    }
}

fn think(inner: Value<'_, '_>, to: &mut impl Take) {
    let text = |name: &str| inner.get(name).and_then(Text::of).filter(|text| !text.is_empty());
    if let Some(text) = text("text") {
        to.take(Delta::Thinking { choice: 0, text });
    }
    if let Some(signature) = text("signature") {
        to.take(Delta::Signature { choice: 0, signature });
    }
    if let Some(data) = text("redactedContent") {
        to.take(Delta::RedactedThinking { choice: 0, data });
    }
}

fn index(event: Value<'_, '_>) -> Result<usize, Malformed> {
    let index = event.get("contentBlockIndex").and_then(Value::as_u64).ok_or(Malformed)?;
    usize::try_from(index).map_err(|_| Malformed)
}
