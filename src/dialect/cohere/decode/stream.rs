//! A streamed answer, step by step.
//!
//! ```text
//! message-start  *tool-plan-delta  { content-start  *content-delta  content-end }
//! { tool-call-start  *tool-call-delta  tool-call-end }  { citation-start  citation-end }
//! message-end (finish reason, usage)                    and of some versions data: [DONE]
//! ```
//! **Source**: docs.cohere.com/v2/docs/streaming, read 2026-11-21, and recorded traffic.

use crate::{
    dialect::{
        cohere::{
            decode::{citation, reply},
            error, usage,
        },
        mold::event::{EventMold, Watch},
        pivot::{
            delta::{Delta, Malformed, Take},
            text::Text,
        },
    },
    wire::json::document::{Document, Value},
};

/// Calls of one answer.
const CALLS_MAX: usize = 4_096;

/// Reads one stream.
#[derive(Debug, Default)]
pub struct Decoder {
    document: Document,
    /// The calls so far, each at the place that is its number.
    calls: Vec<Call>,
    has_started: bool,
    /// Nothing that follows belongs to this answer.
    has_ended: bool,
    /// Of a delta of words.
    mold: EventMold,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Call {
    /// What the vendor numbers it.
    index: u64,
    has_arguments: bool,
}

impl Decoder {
    /// Read the data of one event.
    ///
    /// # Errors
    /// `Malformed`: nothing that follows can be trusted.
    pub fn read(&mut self, data: &[u8], to: &mut impl Take) -> Result<(), Malformed> {
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
            let kind = event.get("type").and_then(Value::plain);
            let Some(kind) = kind else { return self.odd(event, to) };
            self.event(&kind, event, to)
        });
        self.document = document;
        done
    }

    /// What is no event of the API is an error, or nothing that can be trusted.
    fn odd(&mut self, event: Value<'_, '_>, to: &mut impl Take) -> Result<(), Malformed> {
        self.has_ended = true;
        to.take(Delta::Failed(error::decode(event, None).ok_or(Malformed)?));
        Ok(())
    }

    fn event(
        &mut self,
        kind: &str,
        event: Value<'_, '_>,
        to: &mut impl Take,
    ) -> Result<(), Malformed> {
        let delta = event.get("delta");
        let message = delta.and_then(|delta| delta.get("message"));
        let inside = |name: &str| message.and_then(|message| message.get(name)).ok_or(Malformed);
        match kind {
            "content-start" => say(inside("content")?, to),
            "content-delta" => {
                let mut watch = Watch::new(to);
                say(inside("content")?, &mut watch);
                self.mold.keep(event.document().as_bytes(), watch.seen);
            }
            "content-end" => to.take(Delta::PartEnd { choice: 0 }),
            "tool-plan-delta" => {
                let text = Text::of(inside("tool_plan")?).ok_or(Malformed)?;
                to.take(Delta::Thinking { choice: 0, text });
            }
            "tool-call-start" => self.open(number(event)?, inside("tool_calls")?, to)?,
            "tool-call-delta" => {
                let tool = self.tool(number(event)?).ok_or(Malformed)?;
                self.call(tool, inside("tool_calls")?, to);
            }
            "tool-call-end" => {
                let tool = self.tool(number(event)?).ok_or(Malformed)?;
                to.take(Delta::ToolClose { choice: 0, tool });
            }
            "citation-start" => {
                let told = inside("citations")?;
                let (sources, is_all) = citation::sources(told);
                for citation in sources {
                    to.take(Delta::Citation { choice: 0, citation });
                }
                if !is_all {
                    to.take(Delta::Foreign { choice: 0, part: citation::foreign(told) });
                }
            }
            "message-start" => self.start(event, to),
            "message-end" => self.end(event, delta.ok_or(Malformed)?, to)?,
            // `citation-end`, `debug`, and what is newer than this.
            _ => {}
        }
        Ok(())
    }

    fn start(&mut self, event: Value<'_, '_>, to: &mut impl Take) {
        if !std::mem::replace(&mut self.has_started, true) {
            let id = event.get("id").and_then(Text::of);
            to.take(Delta::Start { id, model: None, created: None });
        }
    }

    fn open(
        &mut self,
        index: u64,
        call: Value<'_, '_>,
        to: &mut impl Take,
    ) -> Result<(), Malformed> {
        let function = call.get("function");
        let id = call.get("id").and_then(Text::of).ok_or(Malformed)?;
        let name = function.and_then(|it| it.get("name")).and_then(Text::of).ok_or(Malformed)?;
        if self.calls.len() >= CALLS_MAX {
            return Err(Malformed);
        }
        self.calls.push(Call { index, has_arguments: false });
        let tool = self.tool(index).ok_or(Malformed)?;
        to.take(Delta::ToolOpen { choice: 0, tool, id, name });
        self.call(tool, call, to);
        Ok(())
    }

    /// The number of the call that the vendor numbers so, the latest if there are several.
    fn tool(&self, index: u64) -> Option<u32> {
        let at = self.calls.iter().rposition(|call| call.index == index)?;
        u32::try_from(at).ok()
    }

    fn call(&mut self, tool: u32, call: Value<'_, '_>, to: &mut impl Take) {
        let function = call.get("function");
        let json = function.and_then(|it| it.get("arguments")).and_then(Text::of);
        let Some(json) = json.filter(|json| !json.is_empty()) else { return };
        let Some(call) = self.calls.get_mut(tool as usize) else { return };
        let is_first = !std::mem::replace(&mut call.has_arguments, true);
        // So a tool without arguments is called.
        if !(is_first && matches!(json, Text::Escaped("null"))) {
            to.take(Delta::ToolArguments { choice: 0, tool, json });
        }
    }

    fn end(
        &mut self,
        event: Value<'_, '_>,
        delta: Value<'_, '_>,
        to: &mut impl Take,
    ) -> Result<(), Malformed> {
        self.has_ended = true;
        if let Some(value) = delta.get("usage").filter(|usage| !usage.is_null()) {
            to.take(Delta::Usage(usage::decode(value)));
        }
        let reason = delta.get("finish_reason").filter(|reason| !reason.is_null());
        match reason.map(reply::stop) {
            Some(Some(stop)) => to.take(Delta::Finish { choice: 0, stop }),
            Some(None) => {
                to.take(Delta::Failed(error::decode(event, None).ok_or(Malformed)?));
                return Ok(());
            }
            None => {}
        }
        to.take(Delta::End);
        Ok(())
    }
}

/// The words of a part, which begins with none of them nearly always.
fn say(content: Value<'_, '_>, to: &mut impl Take) {
    let text = |name: &str| content.get(name).and_then(Text::of).filter(|text| !text.is_empty());
    if let Some(text) = text("text") {
        to.take(Delta::Text { choice: 0, text });
    }
    if let Some(text) = text("thinking") {
        to.take(Delta::Thinking { choice: 0, text });
    }
}

fn number(event: Value<'_, '_>) -> Result<u64, Malformed> {
    event.get("index").and_then(Value::as_u64).ok_or(Malformed)
}
