//! A streamed answer, event by event.
//!
//! Every event is numbered. An item is added, told piece by piece, told again whole, and once more
//! with all others when the response is complete: so all that was said is kept until then. Calls
//! may be interleaved, for each piece says which item it belongs to.

use crate::{
    dialect::{
        openai_chat,
        openai_responses::{
            encode::{
                annotation,
                item::{EMPTY_REFUSAL, EMPTY_SUMMARY, EMPTY_TEXT, Item, Kind, Part, quote},
                told::{Head, State},
            },
            error, event, seal,
        },
        pivot::{
            citation::Citation,
            delta::Delta,
            dropped::Dropped,
            failure::{Failure, FailureKind},
            manner::Manner,
            reply::Stop,
            text::{Text, unescape},
            usage::Usage,
        },
    },
    lexicon::refusal::Refused,
    wire::{http1::push_decimal, json::write::Object},
};
/// What may be kept of an answer that is told once more at its end; the longest answers of models
/// have a tenth of it.
const KEPT_BYTES_MAX: usize = 16 << 20;

/// Writes one stream.
#[expect(clippy::struct_excessive_bools, reason = "facts of one stream, independent of each other")]
#[derive(Debug, Default)]
pub struct Encoder {
    pub dropped: Dropped,
    /// More was said than there is room for.
    pub is_overfull: bool,
    head: Head,
    sequence: u64,
    items: Vec<Item>,
    /// The message or the thoughts in work.
    open: Option<usize>,
    kept_bytes: usize,
    stop: Option<Stop<'static>>,
    usage: Usage,
    has_started: bool,
    has_refusal: bool,
    has_ended: bool,
}

impl Encoder {
    /// Append the events of one step.
    pub fn push(&mut self, out: &mut Vec<u8>, delta: &Delta<'_>, manner: &Manner<'_>) {
        if self.has_ended {
            return;
        }
        match delta {
            Delta::Start { id, model, created } => {
                return self.start(out, id.as_ref(), model.as_ref(), *created, manner);
            }
            Delta::Usage(usage) => return self.usage.amend(*usage),
            Delta::Ping => return out.extend_from_slice(b": keepalive\n\n"),
            _ => {}
        }
        if !self.has_started {
            self.start(out, None, None, None, manner);
        }
        match delta {
            Delta::Failed(failure) => {
                let error = |out: &mut Vec<u8>| openai_chat::error::encode(out, failure, manner.id);
                self.fail(out, failure, error);
            }
            _ => self.step(out, delta),
        }
    }

    /// Append a refusal of ours, which ends the stream.
    pub fn push_refused(&mut self, out: &mut Vec<u8>, refused: &Refused, manner: &Manner<'_>) {
        if !self.has_started {
            self.start(out, None, None, None, manner);
        }
        let row = refused.refusal.row();
        let failure = Failure {
            kind: FailureKind::of_status(row.status),
            message: Text::plain(row.sentence),
            code: Some(Text::plain(row.code)),
            param: None,
        };
        let error = |out: &mut Vec<u8>| openai_chat::error::push(out, refused, manner.id);
        self.fail(out, &failure, error);
    }

    fn step(&mut self, out: &mut Vec<u8>, delta: &Delta<'_>) {
        match delta {
            Delta::Text { choice: 0, text } => self.say(out, Kind::Message, Part::Text, text),
            Delta::Refusal { choice: 0, text } => {
                self.has_refusal = true;
                self.say(out, Kind::Message, Part::Refusal, text);
            }
            Delta::Thinking { choice: 0, text } => {
                self.say(out, Kind::Reasoning, Part::Summary, text);
            }
            Delta::Signature { choice: 0, signature } => {
                self.prove(out, |more| seal::push_thinking(more, signature));
            }
            Delta::RedactedThinking { choice: 0, data } => {
                self.close_open(out);
                self.prove(out, |more| seal::push_redacted(more, data));
            }
            Delta::ToolOpen { choice: 0, tool, id, name } => {
                self.close_open(out);
                let mut more = b",\"call_id\":".to_vec();
                id.push(&mut more);
                more.extend_from_slice(b",\"name\":");
                name.push(&mut more);
                let at = self.add(out, Kind::Call { tool: *tool }, more);
                self.open_part(out, at, Part::Arguments);
            }
            Delta::ToolArguments { choice: 0, tool, json } => {
                if let Some(at) = self.call(*tool) {
                    self.piece(out, at, json);
                }
            }
            Delta::ToolClose { choice: 0, tool } => {
                if let Some(at) = self.call(*tool) {
                    self.close(out, at);
                }
            }
            Delta::Citation { choice: 0, citation } => self.cite(out, citation),
            Delta::PartEnd { choice: 0 } => {
                if let Some(at) = self.open {
                    self.close_part(out, at);
                }
            }
            Delta::Logprobs { .. } => self.dropped.name("logprobs"),
            Delta::Foreign { choice: 0, part } => {
                self.dropped.name(format!("content.{}", part.name.read()));
            }
            Delta::Finish { choice: 0, stop } => {
                self.stop.get_or_insert_with(|| stop.owned());
            }
            Delta::End => self.end(out),
            // Of several answers only the first is told.
            _ => self.dropped.name("choices"),
        }
    }

    fn start(
        &mut self,
        out: &mut Vec<u8>,
        id: Option<&Text<'_>>,
        model: Option<&Text<'_>>,
        created: Option<u64>,
        manner: &Manner<'_>,
    ) {
        if std::mem::replace(&mut self.has_started, true) {
            return;
        }
        self.head = Head::new(id, model, created, manner);
        for name in ["response.created", "response.in_progress"] {
            let mut event = self.event(out, name);
            self.head.push(event.key("response"), State::InProgress, b"", None);
            close(event);
        }
    }

    /// Begin an event; `close` ends it.
    fn event<'o>(&mut self, out: &'o mut Vec<u8>, name: &str) -> Object<'o> {
        event::begin(out, name, &mut self.sequence)
    }

    /// Begin an event about a part of an item.
    fn part_event<'o>(&mut self, out: &'o mut Vec<u8>, name: &str, at: usize) -> Object<'o> {
        let mut event = self.event(out, name);
        let item = &self.items[at];
        event.key("item_id").extend_from_slice(&item.id);
        event.number("output_index", at as u64);
        let index = item.part.map_or("", |part| part.words().1);
        if !index.is_empty() {
            event.number(index, item.part_count);
        }
        event
    }

    /// Add an item.
    fn add(&mut self, out: &mut Vec<u8>, kind: Kind, more: Vec<u8>) -> usize {
        let at = self.items.len();
        let prefix = match kind {
            Kind::Message => "msg_",
            Kind::Reasoning => "rs_",
            Kind::Call { .. } => "fc_",
        };
        let mut id = Vec::new();
        self.head.push_item_id(&mut id, prefix, at as u64);
        self.items.push(Item::new(kind, id, more));
        let mut event = self.event(out, "response.output_item.added");
        event.number("output_index", at as u64);
        self.items[at].push(event.key("item"));
        close(event);
        at
    }

    /// Words in an item and a part of their kind, new ones where another kind is open.
    fn say(&mut self, out: &mut Vec<u8>, kind: Kind, part: Part, text: &Text<'_>) {
        if text.is_empty() {
            return;
        }
        let at = self.open.filter(|at| self.items[*at].kind == kind).unwrap_or_else(|| {
            self.close_open(out);
            self.add(out, kind, Vec::new())
        });
        self.open = Some(at);
        if self.items[at].part != Some(part) {
            self.close_part(out, at);
            self.open_part(out, at, part);
        }
        self.piece(out, at, text);
    }

    fn open_part(&mut self, out: &mut Vec<u8>, at: usize, part: Part) {
        self.items[at].part = Some(part);
        let added = match part {
            Part::Text => Some(("response.content_part.added", EMPTY_TEXT)),
            Part::Refusal => Some(("response.content_part.added", EMPTY_REFUSAL)),
            Part::Summary => Some(("response.reasoning_summary_part.added", EMPTY_SUMMARY)),
            Part::Arguments => None,
        };
        if let Some((name, empty)) = added {
            let mut event = self.part_event(out, name, at);
            event.raw("part", empty);
            close(event);
        }
        self.items[at].begin_lead(part, at as u64);
    }

    /// A piece of the part in work.
    fn piece(&mut self, out: &mut Vec<u8>, at: usize, text: &Text<'_>) {
        let item = &mut self.items[at];
        if text.is_empty() || item.is_done {
            return;
        }
        out.extend_from_slice(&item.lead);
        push_decimal(out, self.sequence);
        out.extend_from_slice(b",\"delta\":\"");
        let from = out.len();
        text.push_inside(out);
        item.text.extend_from_slice(&out[from..]);
        self.kept_bytes += out.len() - from;
        out.extend_from_slice(b"\"}\n\n");
        self.sequence += 1;
        self.is_overfull = self.kept_bytes > KEPT_BYTES_MAX;
    }

    /// Tell the part in work whole.
    fn close_part(&mut self, out: &mut Vec<u8>, at: usize) {
        let Some(part) = self.items[at].part else { return };
        let text = std::mem::take(&mut self.items[at].text);
        let mut event = self.part_event(out, &format!("response.{}.done", part.words().0), at);
        if part == Part::Text {
            event.raw("logprobs", "[]");
        }
        quote(event.key(part.name()), &text);
        close(event);
        if part == Part::Arguments {
            let item = &mut self.items[at];
            (item.part, item.parts) = (None, text);
            return;
        }
        let mut whole = Vec::with_capacity(text.len() + EMPTY_TEXT.len());
        let mut object = Object::open(&mut whole);
        match part {
            Part::Text => {
                object.text("type", "output_text");
                self.annotate(out, at, &text, object.key("annotations"));
                object.raw("logprobs", "[]");
            }
            Part::Refusal => object.text("type", "refusal"),
            _ => object.text("type", "summary_text"),
        }
        quote(object.key(part.name()), &text);
        object.close();
        let name = match part {
            Part::Summary => "response.reasoning_summary_part.done",
            _ => "response.content_part.done",
        };
        let mut event = self.part_event(out, name, at);
        event.key("part").extend_from_slice(&whole);
        close(event);
        let item = &mut self.items[at];
        if item.part_count > 0 {
            item.parts.push(b',');
        }
        item.parts.extend_from_slice(&whole);
        item.part_count += 1;
        item.part = None;
    }

    /// Tell where the words of a part are from, and append the list.
    fn annotate(&mut self, out: &mut Vec<u8>, at: usize, text: &[u8], list: &mut Vec<u8>) {
        list.push(b'[');
        let citations = std::mem::take(&mut self.items[at].citations);
        if !citations.is_empty() {
            let chars = unescape(&String::from_utf8_lossy(text)).chars().count() as u64;
            for (index, Citation { url, title, .. }) in citations.iter().enumerate() {
                let begin = list.len();
                annotation::push(Object::open(list), url, title, (0, chars));
                let mut event = self.part_event(out, "response.output_text.annotation.added", at);
                event.number("annotation_index", index as u64);
                event.key("annotation").extend_from_slice(&list[begin..]);
                close(event);
                list.push(b',');
            }
            list.pop();
        }
        list.push(b']');
    }

    /// Remember where the words in work are from, or those that follow.
    fn cite(&mut self, out: &mut Vec<u8>, citation: &Citation<'_>) {
        let at = match self.open {
            Some(at) if self.items[at].kind == Kind::Message => at,
            Some(_) => return self.dropped.name("content.citations"),
            None => self.add(out, Kind::Message, Vec::new()),
        };
        self.open = Some(at);
        self.kept_bytes += citation.bytes();
        self.is_overfull = self.kept_bytes > KEPT_BYTES_MAX;
        self.items[at].citations.push(citation.owned());
    }

    /// The thoughts in work have ended; what proves them is written by `push`.
    fn prove(&mut self, out: &mut Vec<u8>, push: impl FnOnce(&mut Vec<u8>)) {
        let is_thought = |at: &usize| self.items[*at].kind == Kind::Reasoning;
        let at = self.open.filter(is_thought).unwrap_or_else(|| {
            self.close_open(out);
            self.add(out, Kind::Reasoning, Vec::new())
        });
        let more = &mut self.items[at].more;
        more.extend_from_slice(b",\"encrypted_content\":");
        push(more);
        self.kept_bytes += more.len();
        self.open = None;
        self.close(out, at);
    }

    fn call(&self, tool: u32) -> Option<usize> {
        self.items.iter().rposition(|item| item.kind == Kind::Call { tool })
    }

    fn close_open(&mut self, out: &mut Vec<u8>) {
        if let Some(at) = self.open.take() {
            self.close(out, at);
        }
    }

    /// Tell an item whole.
    fn close(&mut self, out: &mut Vec<u8>, at: usize) {
        if self.items[at].is_done {
            return;
        }
        // A tool called with no words at all is called with `{}`.
        if matches!(self.items[at].kind, Kind::Call { .. }) && self.items[at].text.is_empty() {
            self.piece(out, at, &Text::plain("{}"));
        }
        self.close_part(out, at);
        if !self.items[at].citations.is_empty() {
            self.dropped.name("content.citations");
        }
        self.items[at].is_done = true;
        let mut event = self.event(out, "response.output_item.done");
        event.number("output_index", at as u64);
        self.items[at].push(event.key("item"));
        close(event);
    }

    fn end(&mut self, out: &mut Vec<u8>) {
        self.close_all(out);
        self.has_ended = true;
        let stop = self.stop.take();
        let state = State::of(stop.as_ref(), self.has_refusal, &mut self.dropped);
        let name = match state {
            State::Incomplete(_) => "response.incomplete",
            _ => "response.completed",
        };
        self.conclude(out, name, state);
    }

    fn fail(&mut self, out: &mut Vec<u8>, failure: &Failure<'_>, error: impl FnOnce(&mut Vec<u8>)) {
        self.has_ended = true;
        error::push_event(out, self.sequence, error);
        self.sequence += 1;
        self.conclude(out, "response.failed", State::Failed(failure));
    }

    fn close_all(&mut self, out: &mut Vec<u8>) {
        self.close_open(out);
        for at in 0..self.items.len() {
            self.close(out, at);
        }
    }

    /// The last event: the whole response.
    fn conclude(&mut self, out: &mut Vec<u8>, name: &str, state: State<'_>) {
        let mut output = Vec::with_capacity(self.kept_bytes + 256 * self.items.len());
        for item in self.items.iter().filter(|item| item.is_done) {
            if !output.is_empty() {
                output.push(b',');
            }
            item.push(&mut output);
        }
        let usage = Some(self.usage).filter(Usage::is_told);
        let mut event = self.event(out, name);
        self.head.push(event.key("response"), state, &output, usage.as_ref());
        close(event);
    }
}

/// End an event.
fn close(event: Object<'_>) {
    event.close_with(b"\n\n");
}
