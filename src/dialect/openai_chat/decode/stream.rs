//! A streamed answer, step by step.
//!
//! ```text
//! {"id":"c1","choices":[{"index":0,"delta":{"content":"Hi"},"finish_reason":null}]}
//! {"id":"c1","choices":[{"index":0,"delta":{"tool_calls":[{"index":0,"id":"t1",
//!   "function":{"name":"f","arguments":"{"}}]}}]}
//! [DONE]
//! ```
//! Vendors differ: some leave the index of a call out, or give all calls the same; some say all of
//! a call at once; the usage stands in a chunk of its own, in the last one, or in all.

use crate::{
    dialect::{
        mold::{
            Hole,
            event::{EventMold, Watch},
        },
        openai_chat::{
            decode::{
                reply,
                source::{LISTS, Sources},
            },
            error, usage,
        },
        pivot::{
            citation::Citation,
            delta::{Delta, Malformed, Take},
            part::{Dialect, Foreign},
            text::{Arguments, Json, Text},
            usage::Usage,
        },
    },
    wire::json::document::{Document, Kind, Value},
};

/// Calls of one answer; a model calls a handful.
const CALLS_MAX: usize = 1_024;

/// Reads one stream.
#[derive(Debug, Default)]
pub struct Decoder {
    document: Document,
    calls: Vec<Call>,
    usage: Usage,
    has_started: bool,
    has_ended: bool,
    /// Of a chunk of words.
    mold: EventMold,
    sources: Sources,
}

/// A call that was opened.
#[derive(Debug)]
struct Call {
    choice: u32,
    /// How the vendor counts it.
    index: Option<u64>,
    id: String,
    /// How the pivot counts it.
    tool: u32,
    is_open: bool,
}

impl Decoder {
    /// Read the data of one event.
    ///
    /// # Errors
    /// `Malformed`: nothing that follows can be trusted.
    pub fn read(&mut self, data: &[u8], to: &mut impl Take) -> Result<(), Malformed> {
        if data == b"[DONE]" {
            self.end(to);
            return Ok(());
        }
        if let Some(told) = self.mold.read(data) {
            to.take(told.words);
            return Ok(());
        }
        let mut watch = Watch::new(to);
        // Taken out, so that what is read of it does not hold the rest of this.
        let mut document = std::mem::take(&mut self.document);
        let done = document.parse(data).map_err(Malformed::from).and_then(|chunk| match chunk {
            chunk if chunk.kind() == Kind::Object => self.chunk(chunk, &mut watch),
            _ => Err(Malformed),
        });
        self.document = document;
        // What was used is added to what was, and told anew by each.
        if !watch.seen.has_usage {
            self.mold.keep(data, watch.seen);
        }
        done
    }

    /// The stream is over, by its own word or, where it has told its finish, without.
    pub fn end(&mut self, to: &mut impl Take) {
        if !std::mem::replace(&mut self.has_ended, true) {
            self.close_all(None, to);
            // Of an answer that told no finish.
            self.sources.tell(0, to);
            to.take(Delta::End);
        }
    }

    fn chunk(&mut self, chunk: Value<'_, '_>, to: &mut impl Take) -> Result<(), Malformed> {
        let (mut choices, mut told, mut failed) = (None, None, None);
        let (mut id, mut model, mut created) = (None, None, None);
        let mut lists = [None; LISTS.len()];
        for (key, value) in chunk.members() {
            match &*key {
                _ if value.is_null() => {}
                "choices" => choices = Some(value),
                "usage" => told = Some(value),
                "error" => failed = Some(value),
                "id" if !self.has_started => id = Text::of(value),
                "model" if !self.has_started => model = Text::of(value),
                "created" if !self.has_started => created = value.as_u64(),
                "obfuscation" if value.kind() == Kind::String => {
                    self.mold.hole(value.place(), Hole::Noise);
                }
                name if let Some(at) = LISTS.iter().position(|list| *list == name) => {
                    lists[at] = Some(value);
                }
                name if reply::says_something(name, value) => to.take(Delta::Unsaid { name }),
                _ => {}
            }
        }
        if failed.is_some() {
            let failure = error::decode(chunk, None).ok_or(Malformed)?;
            to.take(Delta::Failed(failure));
            return Ok(());
        }
        // Azure's first chunk has no choices and no id, only what its filters think of the prompt.
        let is_preface = choices.is_none_or(|list| list.items().next().is_none());
        if !self.has_started && !is_preface {
            self.has_started = true;
            let id = id.filter(|id| !id.is_empty());
            to.take(Delta::Start { id, model: model.filter(|it| !it.is_empty()), created });
        }
        self.sources.note(lists, to);
        for choice in choices.into_iter().flat_map(Value::items) {
            self.choice(choice, to)?;
        }
        if let Some(told) = told {
            self.usage.amend(usage::decode(told));
            if self.usage.is_told() {
                to.take(Delta::Usage(self.usage));
            }
        }
        Ok(())
    }

    fn choice(&mut self, value: Value<'_, '_>, to: &mut impl Take) -> Result<(), Malformed> {
        let (mut delta, mut finish, mut logprobs, mut index) = (None, None, None, 0);
        for (key, value) in value.members() {
            match &*key {
                _ if value.is_null() => {}
                "delta" => delta = Some(value),
                "finish_reason" => finish = Some(value),
                "logprobs" => logprobs = Some(value),
                "index" => index = value.as_u64().ok_or(Malformed)?,
                name if reply::says_something(name, value) => to.take(Delta::Unsaid { name }),
                _ => {}
            }
        }
        let choice = u32::try_from(index).map_err(|_| Malformed)?;
        if let Some(delta) = delta {
            self.delta(choice, delta, to)?;
        }
        if let Some(logprobs) = logprobs {
            let (name, json) = (Text::plain("logprobs"), Json::of(logprobs));
            let logprobs = Foreign { dialect: Dialect::OpenAiChat, name, json };
            to.take(Delta::Logprobs { choice, logprobs });
        }
        if let Some(stop) = finish.and_then(reply::stop) {
            self.sources.tell(choice, to);
            self.close_all(Some(choice), to);
            to.take(Delta::Finish { choice, stop });
        }
        Ok(())
    }

    fn delta(
        &mut self,
        choice: u32,
        delta: Value<'_, '_>,
        to: &mut impl Take,
    ) -> Result<(), Malformed> {
        let mut calls = None;
        for (key, value) in delta.members() {
            let text = || Text::of(value).filter(|text| !text.is_empty());
            match &*key {
                "content" if value.kind() == Kind::Array => parts(choice, value, to),
                "content" => {
                    if let Some(text) = text() {
                        to.take(Delta::Text { choice, text });
                    }
                }
                // What DeepSeek and others call the first, vLLM and Groq call the second.
                "reasoning_content" | "reasoning" => {
                    if let Some(text) = text() {
                        to.take(Delta::Thinking { choice, text });
                    }
                }
                "refusal" => {
                    if let Some(text) = text() {
                        to.take(Delta::Refusal { choice, text });
                    }
                }
                "tool_calls" => calls = Some(value),
                "function_call" if !value.is_null() => self.call(choice, value, value, to)?,
                "annotations" => value.items().for_each(|one| cite(choice, one, to)),
                "audio" if !value.is_null() => {
                    let (name, json) = (Text::plain("audio"), Json::of(value));
                    let part = Foreign { dialect: Dialect::OpenAiChat, name, json };
                    to.take(Delta::Foreign { choice, part });
                }
                "role" | "thinking_blocks" => {}
                // What only this vendor's own clients read.
                name if !value.is_null() && value.raw() != "[]" => to.take(Delta::Unsaid { name }),
                _ => {}
            }
        }
        for call in calls.into_iter().flat_map(Value::items) {
            // A piece of a call without its function says nothing.
            if let Some(function) = call.get("function") {
                self.call(choice, call, function, to)?;
            }
        }
        Ok(())
    }

    fn call(
        &mut self,
        choice: u32,
        call: Value<'_, '_>,
        function: Value<'_, '_>,
        to: &mut impl Take,
    ) -> Result<(), Malformed> {
        let index = call.get("index").and_then(Value::as_u64);
        let id = call.get("id").and_then(Text::of).filter(|id| !id.is_empty());
        let name = function.get("name").and_then(Text::of).filter(|name| !name.is_empty());
        let at = match self.known(choice, index, id.as_ref(), name.is_some()) {
            Some(at) => at,
            None => self.open(choice, index, id, name.ok_or(Malformed)?, to)?,
        };
        let tool = self.calls[at].tool;
        match function.get("arguments") {
            // Some vendors give the object itself, whole.
            Some(arguments) if arguments.kind() == Kind::Object => {
                let mut json = Vec::new();
                Arguments::Value(Json::of(arguments)).push_text(&mut json);
                let inside = json.get(1..json.len() - 1).unwrap_or_default();
                let inside = std::str::from_utf8(inside).map_err(|_| Malformed)?;
                to.take(Delta::ToolArguments { choice, tool, json: Text::Escaped(inside) });
            }
            Some(arguments) => {
                if let Some(json) = Text::of(arguments).filter(|json| !json.is_empty()) {
                    to.take(Delta::ToolArguments { choice, tool, json });
                }
            }
            None => {}
        }
        Ok(())
    }

    /// The call that a piece belongs to. A new id with a name is a new call, whatever its index.
    fn known(
        &self,
        choice: u32,
        index: Option<u64>,
        id: Option<&Text<'_>>,
        has_name: bool,
    ) -> Option<usize> {
        let mut mine = self.calls.iter().enumerate().filter(|(_, call)| call.choice == choice);
        let is_named = |call: &Call| id.is_none_or(|id| *id == *call.id.as_str());
        match (index, id) {
            (Some(_), _) => mine
                .rfind(|(_, call)| call.index == index && (is_named(call) || !has_name))
                .map(|(at, _)| at),
            (None, Some(id)) => mine.rfind(|(_, call)| *id == *call.id.as_str()).map(|(at, _)| at),
            (None, None) if has_name => None,
            (None, None) => mine.next_back().map(|(at, _)| at),
        }
    }

    fn open(
        &mut self,
        choice: u32,
        index: Option<u64>,
        id: Option<Text<'_>>,
        name: Text<'_>,
        to: &mut impl Take,
    ) -> Result<usize, Malformed> {
        if self.calls.len() >= CALLS_MAX {
            return Err(Malformed);
        }
        let of_choice = self.calls.iter().filter(|call| call.choice == choice).count();
        let tool = u32::try_from(of_choice).unwrap_or(u32::MAX);
        // A call without an id cannot be answered: it gets one that no other call here has.
        let id = id.unwrap_or_else(|| Text::Plain(format!("call_{choice}_{tool}").into()));
        let known = id.read().into_owned();
        to.take(Delta::ToolOpen { choice, tool, id, name });
        self.calls.push(Call { choice, index, id: known, tool, is_open: true });
        Ok(self.calls.len() - 1)
    }

    fn close_all(&mut self, of: Option<u32>, to: &mut impl Take) {
        for call in &mut self.calls {
            if call.is_open && of.is_none_or(|choice| choice == call.choice) {
                call.is_open = false;
                to.take(Delta::ToolClose { choice: call.choice, tool: call.tool });
            }
        }
    }
}

/// `{"type":"url_citation","url_citation":{"url":"…","title":"…"}}`
fn cite(choice: u32, annotation: Value<'_, '_>, to: &mut impl Take) {
    let told = annotation.get("url_citation").unwrap_or(annotation);
    if let Some(citation) = Citation::of(told) {
        return to.take(Delta::Citation { choice, citation });
    }
    let (name, json) = (Text::plain("citations"), Json::of(annotation));
    let part = Foreign { dialect: Dialect::OpenAiChat, name, json };
    to.take(Delta::Foreign { choice, part });
}

/// Content in parts, as Mistral's models that think tell it.
fn parts(choice: u32, value: Value<'_, '_>, to: &mut impl Take) {
    for part in value.items() {
        if let Some(text) = part.get("text").and_then(Text::of) {
            to.take(Delta::Text { choice, text });
        }
        let Some(thinking) = part.get("thinking") else { continue };
        if let Some(text) = Text::of(thinking) {
            to.take(Delta::Thinking { choice, text });
        }
        for text in thinking.items().filter_map(|item| Text::of(item.get("text")?)) {
            to.take(Delta::Thinking { choice, text });
        }
    }
}
