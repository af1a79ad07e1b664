//! A streamed answer, step by step.
//!
//! Every event is an answer of the whole shape with what is new in it; no event says that it is the
//! last: the stream ends behind its finish reason. Text comes in pieces; a call comes whole, or, if
//! the client asked Vertex for it, in pieces as `partial.rs` says.

use crate::{
    dialect::{
        gemini::{
            decode::{
                grounding, logprobs,
                part::{arguments, is_thought},
                partial::Partial,
                reply::{blocked, unsaid},
            },
            error,
            id::Seed,
            signature, stop, usage,
        },
        mold::event::{EventMold, Watch},
        pivot::{
            delta::{Delta, Malformed, Take},
            part::{Dialect, Foreign},
            reply::Stop,
            text::{Json, Text},
        },
    },
    wire::json::document::{Document, Kind, Value},
};
use std::borrow::Cow;

/// Candidates of one answer; the API gives eight at most.
const CHOICES_MAX: usize = 128;

/// Reads one stream.
#[derive(Debug, Default)]
pub struct Decoder {
    document: Document,
    choices: Vec<Choice>,
    seed: Seed,
    has_started: bool,
    has_failed: bool,
    /// Text of a call in pieces, as it is told on.
    piece: Vec<u8>,
    /// Of an event of words.
    mold: EventMold,
}

#[derive(Debug, Default)]
struct Choice {
    /// Tools called so far.
    tools: u32,
    /// The call that comes in pieces, the last of `tools`.
    open: Option<Partial>,
    has_finished: bool,
}

impl Decoder {
    /// Read the data of one event.
    ///
    /// # Errors
    /// `Malformed`: nothing that follows can be trusted.
    pub fn read(&mut self, data: &[u8], to: &mut impl Take) -> Result<(), Malformed> {
        if self.has_failed {
            return Ok(());
        }
        if let Some(told) = self.mold.read(data) {
            to.take(told.words);
            if let Some(counts) = &told.counts {
                to.take(Delta::Usage(usage::of(counts)));
            }
            return Ok(());
        }
        let mut watch = Watch::new(to);
        // Taken out, so that what is read of it does not hold the rest of this.
        let mut document = std::mem::take(&mut self.document);
        let parsed = document.parse(data).map_err(Malformed::from);
        let done = parsed.and_then(|root| self.event(root, &mut watch));
        self.document = document;
        self.mold.keep(data, watch.seen);
        done
    }

    fn event(&mut self, root: Value<'_, '_>, to: &mut impl Take) -> Result<(), Malformed> {
        if let Some(failure) = error::decode(root, None) {
            self.has_failed = true;
            to.take(Delta::Failed(failure));
            return Ok(());
        }
        if root.kind() != Kind::Object {
            return Err(Malformed);
        }
        self.start(root, to);
        let candidates = || {
            let all = root.get("candidates").into_iter().flat_map(Value::items).enumerate();
            all.map(|(place, one)| {
                let index = one.get("index").and_then(Value::as_u64).unwrap_or(place as u64);
                (usize::try_from(index).unwrap_or(usize::MAX), one)
            })
        };
        for (index, candidate) in candidates() {
            self.candidate(index, candidate, to)?;
        }
        if let Some(told) = root.get("usageMetadata") {
            let counts = self
                .mold
                .counts(|mold| usage::counts(told, |value, number| mold.count(value, number)));
            to.take(Delta::Usage(usage::of(&counts)));
        }
        for (index, candidate) in candidates() {
            if let Some(word) = candidate.get("finishReason").and_then(Text::of) {
                self.finish(index, &word, to);
            }
        }
        if let Some(reason) = blocked(root) {
            let name = Text::Plain(Cow::Owned(format!("blockReason.{}", reason.read())));
            foreign(to, 0, name, root.get("promptFeedback").unwrap_or(root));
            if self.choices.is_empty() {
                to.take(Delta::Finish { choice: 0, stop: Stop::Filter });
            }
        }
        Ok(())
    }

    fn start(&mut self, root: Value<'_, '_>, to: &mut impl Take) {
        if std::mem::replace(&mut self.has_started, true) {
            return;
        }
        let text = |name: &str| root.get(name).and_then(Text::of);
        let id = text("responseId");
        match &id {
            Some(id) => self.seed.feed(id.read().as_bytes()),
            None => self.seed.feed(root.raw().as_bytes()),
        }
        to.take(Delta::Start { id, model: text("modelVersion"), created: None });
    }

    fn candidate(
        &mut self,
        index: usize,
        candidate: Value<'_, '_>,
        to: &mut impl Take,
    ) -> Result<(), Malformed> {
        if index >= CHOICES_MAX {
            return Err(Malformed);
        }
        if self.choices.len() <= index {
            self.choices.resize_with(index + 1, Choice::default);
        }
        let choice = u32::try_from(index).map_err(|_| Malformed)?;
        let parts = candidate.get("content").and_then(|content| content.get("parts"));
        for part in parts.into_iter().flat_map(Value::items) {
            self.part(choice, part, to)?;
        }
        if let Some(told) = candidate.get("groundingMetadata")
            && !grounding::tell(told, choice, to)
        {
            to.take(Delta::Unsaid { name: "groundingMetadata" });
        }
        unsaid(candidate).for_each(|name| to.take(Delta::Unsaid { name }));
        if let Some(json) = candidate.get("logprobsResult").and_then(logprobs::decode) {
            let name = Text::plain("logprobs");
            let logprobs = Foreign { dialect: Dialect::OpenAiChat, name, json };
            to.take(Delta::Logprobs { choice, logprobs });
        }
        Ok(())
    }

    fn part(
        &mut self,
        choice: u32,
        part: Value<'_, '_>,
        to: &mut impl Take,
    ) -> Result<(), Malformed> {
        let proof = part.get("thoughtSignature").and_then(Text::of).filter(|it| !it.is_empty());
        if let Some(call) = part.get("functionCall") {
            return self.call(choice, call, proof.as_ref(), to);
        }
        if let Some(text) = part.get("text").and_then(Text::of) {
            match is_thought(part) {
                _ if text.is_empty() => {}
                true => to.take(Delta::Thinking { choice, text }),
                false => to.take(Delta::Text { choice, text }),
            }
        } else {
            let mut names = part.members().map(|(key, _)| key);
            let name = names.find(|key| !matches!(&**key, "thought" | "thoughtSignature"));
            if let Some(name) = name {
                foreign(to, choice, Text::Plain(name), part);
            }
        }
        if let Some(proof) = proof {
            let data = signature::into_thinking(&proof);
            to.take(Delta::RedactedThinking { choice, data });
        }
        Ok(())
    }

    fn call(
        &mut self,
        choice: u32,
        call: Value<'_, '_>,
        proof: Option<&Text<'_>>,
        to: &mut impl Take,
    ) -> Result<(), Malformed> {
        let Some(state) = self.choices.get_mut(choice as usize) else { return Err(Malformed) };
        let continues = call.get("willContinue").and_then(Value::as_bool) == Some(true);
        let pieces = call.get("partialArgs");
        self.piece.clear();
        if let Some(name) = call.get("name").and_then(Text::of).filter(|name| !name.is_empty()) {
            if state.open.is_some() {
                return Err(Malformed);
            }
            let tool = state.tools;
            state.tools += 1;
            let own = call.get("id").and_then(Text::of);
            let id = self.seed.call_id(own, (choice, tool), &name, proof);
            to.take(Delta::ToolOpen { choice, tool, id, name });
            if !continues && pieces.is_none() {
                let arguments = arguments(call);
                let json = Text::Plain(arguments.read());
                to.take(Delta::ToolArguments { choice, tool, json });
                to.take(Delta::ToolClose { choice, tool });
                return Ok(());
            }
            state.open = Some(Partial::default());
        }
        let Some(partial) = &mut state.open else { return Err(Malformed) };
        let tool = state.tools.saturating_sub(1);
        if let Some(pieces) = pieces {
            partial.push(&mut self.piece, pieces)?;
        }
        if !continues {
            partial.end(&mut self.piece);
            state.open = None;
        }
        let piece = std::str::from_utf8(&self.piece).map_err(|_| Malformed)?;
        if !piece.is_empty() {
            to.take(Delta::ToolArguments { choice, tool, json: Text::plain(piece) });
        }
        if !continues {
            to.take(Delta::ToolClose { choice, tool });
        }
        Ok(())
    }

    fn finish(&mut self, index: usize, word: &Text<'_>, to: &mut impl Take) {
        let Some(state) = self.choices.get_mut(index) else { return };
        let choice = u32::try_from(index).unwrap_or_default();
        let Some(stop) = stop::decode(word, state.tools > 0) else { return };
        if !std::mem::replace(&mut state.has_finished, true) {
            to.take(Delta::Finish { choice, stop });
        }
    }
}

fn foreign(to: &mut impl Take, choice: u32, name: Text<'_>, value: Value<'_, '_>) {
    let part = Foreign { dialect: Dialect::Gemini, name, json: Json::of(value) };
    to.take(Delta::Foreign { choice, part });
}
