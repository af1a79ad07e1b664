//! A streamed answer, step by step.
//!
//! ```text
//! message_start  { content_block_start  *content_block_delta  content_block_stop }
//! message_delta (stop reason, usage)  message_stop        ping and error anywhere
//! ```
//! **Source**: docs.claude.com/en/docs/build-with-claude/streaming, read 2026-11-21. Events of
//! unknown types are to be passed over, it says.

use crate::{
    dialect::{
        anthropic::{decode::reply, error, usage},
        bedrock::usage::invoked,
        mold::event::{EventMold, Watch},
        pivot::{
            citation::Citation,
            delta::{Delta, Malformed, Take},
            part::{Dialect, Foreign},
            reply::Stop,
            text::{Arguments, Json, Text},
            usage::Usage,
        },
    },
    wire::json::document::{Document, Value},
};

/// Blocks of one answer; the longest on record have a few dozen.
const BLOCKS_MAX: usize = 4_096;

/// Reads one stream.
#[derive(Debug, Default)]
pub struct Decoder {
    document: Document,
    /// What each block is, by its index.
    blocks: Vec<Block>,
    /// Tools of the client's that were called so far.
    tools: u32,
    usage: Usage,
    has_started: bool,
    /// Words, calls or thoughts were told.
    has_content: bool,
    /// Nothing that follows belongs to this answer.
    has_ended: bool,
    /// Of a delta of words.
    mold: EventMold,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Block {
    #[default]
    Unknown,
    Text,
    Thinking,
    Tool(u32),
    /// Only this dialect can say it.
    Foreign,
}

impl Decoder {
    /// Read the data of one event.
    ///
    /// # Errors
    /// `Malformed`: nothing that follows can be trusted.
    pub fn read(&mut self, data: &[u8], to: &mut impl Take) -> Result<(), Malformed> {
        if self.has_ended {
            return Ok(());
        }
        if let Some(told) = self.mold.read(data) {
            to.take(told.words);
            return Ok(());
        }
        // Taken out, so that what is read of it does not hold the rest of this.
        let mut document = std::mem::take(&mut self.document);
        let done = document.parse(data).map_err(Malformed::from).and_then(|event| {
            match event.get("type").and_then(Value::plain) {
                Some(kind) => self.event(&kind, event, to),
                None => self.invoked(event, to),
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
        match kind {
            "content_block_delta" => {
                let delta = event.get("delta").ok_or(Malformed)?;
                let mut watch = Watch::new(to);
                self.delta(index(event)?, delta, &mut watch)?;
                self.mold.keep(event.document().as_bytes(), watch.seen);
                Ok(())
            }
            "content_block_start" => {
                self.open(index(event)?, event.get("content_block").ok_or(Malformed)?, to)
            }
            "content_block_stop" => {
                self.close(index(event)?, to);
                Ok(())
            }
            "message_start" => self.start(event.get("message").ok_or(Malformed)?, to),
            "message_delta" => {
                self.finish(event, to);
                Ok(())
            }
            "message_stop" => {
                self.has_ended = true;
                to.take(Delta::End);
                Ok(())
            }
            "ping" => {
                to.take(Delta::Ping);
                Ok(())
            }
            "error" => {
                to.take(Delta::Failed(error::decode(event, None).ok_or(Malformed)?));
                Ok(())
            }
            _ => Ok(()),
        }
    }

    /// A chunk in the words of a model of another maker, as AWS passes them: of those only the last
    /// can be read, for AWS itself says there what was used.
    fn invoked(&mut self, chunk: Value<'_, '_>, to: &mut impl Take) -> Result<(), Malformed> {
        let metrics = chunk.get("amazon-bedrock-invocationMetrics").ok_or(Malformed)?;
        self.has_ended = true;
        to.take(Delta::Usage(invoked(|name| metrics.get(name).and_then(Value::as_u64))));
        to.take(Delta::Finish { choice: 0, stop: Stop::End });
        to.take(Delta::End);
        Ok(())
    }

    /// Some vendors say it twice; but one that begins anew in the midst of an answer has spliced
    /// two answers into one.
    fn start(&mut self, message: Value<'_, '_>, to: &mut impl Take) -> Result<(), Malformed> {
        if self.has_content {
            return Err(Malformed);
        }
        if let Some(value) = message.get("usage") {
            usage::amend(&mut self.usage, value);
        }
        if !self.has_started {
            self.has_started = true;
            let text = |name: &str| message.get(name).and_then(Text::of);
            to.take(Delta::Start { id: text("id"), model: text("model"), created: None });
        }
        to.take(Delta::Usage(self.usage));
        name_others(message, to);
        // Empty, but for calls that the vendor's own code made before.
        for (index, block) in message.get("content").into_iter().flat_map(Value::items).enumerate()
        {
            self.open(index, block, to)?;
            self.close(index, to);
        }
        Ok(())
    }

    fn open(
        &mut self,
        index: usize,
        block: Value<'_, '_>,
        to: &mut impl Take,
    ) -> Result<(), Malformed> {
        let kind = block.get("type").and_then(Text::of).ok_or(Malformed)?;
        let text = |name: &str| block.get(name).and_then(Text::of).filter(|text| !text.is_empty());
        self.has_content = true;
        let found = match &*kind.read() {
            "text" => {
                if let Some(text) = text("text") {
                    to.take(Delta::Text { choice: 0, text });
                }
                Block::Text
            }
            "thinking" => {
                if let Some(text) = text("thinking") {
                    to.take(Delta::Thinking { choice: 0, text });
                }
                if let Some(signature) = text("signature") {
                    to.take(Delta::Signature { choice: 0, signature });
                }
                Block::Thinking
            }
            "redacted_thinking" => {
                let data = text("data").ok_or(Malformed)?;
                to.take(Delta::RedactedThinking { choice: 0, data });
                Block::Thinking
            }
            "tool_use" => self.open_tool(block, to)?,
            _ => {
                let part = Foreign {
                    dialect: Dialect::Anthropic,
                    name: kind.clone(),
                    json: Json::of(block),
                };
                to.take(Delta::Foreign { choice: 0, part });
                Block::Foreign
            }
        };
        if index >= BLOCKS_MAX {
            return Err(Malformed);
        }
        if self.blocks.len() <= index {
            self.blocks.resize(index + 1, Block::Unknown);
        }
        self.blocks[index] = found;
        Ok(())
    }

    fn open_tool(&mut self, block: Value<'_, '_>, to: &mut impl Take) -> Result<Block, Malformed> {
        let text = |name: &str| block.get(name).and_then(Text::of).ok_or(Malformed);
        let tool = self.tools;
        self.tools += 1;
        to.take(Delta::ToolOpen { choice: 0, tool, id: text("id")?, name: text("name")? });
        // Nearly always `{}`, and then told in pieces.
        if let Some(input) = block.get("input").filter(|input| input.members().next().is_some()) {
            let mut json = Vec::new();
            Arguments::Value(Json::of(input)).push_text(&mut json);
            let inside = json.get(1..json.len() - 1).unwrap_or_default();
            let inside = std::str::from_utf8(inside).map_err(|_| Malformed)?;
            to.take(Delta::ToolArguments { choice: 0, tool, json: Text::Escaped(inside) });
        }
        Ok(Block::Tool(tool))
    }

    fn delta(
        &mut self,
        index: usize,
        delta: Value<'_, '_>,
        to: &mut impl Take,
    ) -> Result<(), Malformed> {
        let kind = delta.get("type").and_then(Value::plain).ok_or(Malformed)?;
        let text = |name: &str| delta.get(name).and_then(Text::of).ok_or(Malformed);
        match (&*kind, self.block(index)) {
            ("text_delta", _) => to.take(Delta::Text { choice: 0, text: text("text")? }),
            ("thinking_delta", _) => {
                to.take(Delta::Thinking { choice: 0, text: text("thinking")? });
            }
            ("signature_delta", _) => {
                to.take(Delta::Signature { choice: 0, signature: text("signature")? });
            }
            ("input_json_delta", Block::Tool(tool)) => {
                to.take(Delta::ToolArguments { choice: 0, tool, json: text("partial_json")? });
            }
            // What the vendor asks its own tools was named when its block began.
            ("input_json_delta", Block::Foreign) => {}
            ("input_json_delta", _) => return Err(Malformed),
            ("citations_delta", _) => {
                let value = delta.get("citation").ok_or(Malformed)?;
                if let Some(citation) = Citation::of(value) {
                    to.take(Delta::Citation { choice: 0, citation });
                } else {
                    let (name, json) = (Text::plain("citations"), Json::of(value));
                    let part = Foreign { dialect: Dialect::Anthropic, name, json };
                    to.take(Delta::Foreign { choice: 0, part });
                }
            }
            _ => {
                let part = Foreign {
                    dialect: Dialect::Anthropic,
                    name: Text::Plain(kind),
                    json: Json::of(delta),
                };
                to.take(Delta::Foreign { choice: 0, part });
            }
        }
        Ok(())
    }

    fn finish(&mut self, event: Value<'_, '_>, to: &mut impl Take) {
        name_others(event, to);
        if let Some(value) = event.get("usage") {
            usage::amend(&mut self.usage, value);
            to.take(Delta::Usage(self.usage));
        }
        let Some(delta) = event.get("delta") else { return };
        name_others(delta, to);
        let sequence = delta.get("stop_sequence");
        if let Some(stop) = delta.get("stop_reason").and_then(|it| reply::stop(it, sequence)) {
            to.take(Delta::Finish { choice: 0, stop });
        }
    }

    fn close(&self, index: usize, to: &mut impl Take) {
        match self.block(index) {
            Block::Tool(tool) => to.take(Delta::ToolClose { choice: 0, tool }),
            Block::Text | Block::Thinking => to.take(Delta::PartEnd { choice: 0 }),
            Block::Foreign | Block::Unknown => {}
        }
    }

    fn block(&self, index: usize) -> Block {
        self.blocks.get(index).copied().unwrap_or_default()
    }
}

/// Name what is told of the answer as a whole and is of this dialect alone: `container`,
/// `context_management`, `stop_details`.
fn name_others(value: Value<'_, '_>, to: &mut impl Take) {
    const KNOWN: [&str; 9] = [
        "id",
        "type",
        "role",
        "model",
        "content",
        "stop_reason",
        "stop_sequence",
        "usage",
        "delta",
    ];
    let others = value.members().filter(|(_, value)| !value.is_null());
    for (name, _) in others.filter(|(name, _)| !KNOWN.contains(&&**name)) {
        to.take(Delta::Unsaid { name: &name });
    }
}

fn index(event: Value<'_, '_>) -> Result<usize, Malformed> {
    let index = event.get("index").and_then(Value::as_u64).ok_or(Malformed)?;
    usize::try_from(index).map_err(|_| Malformed)
}
