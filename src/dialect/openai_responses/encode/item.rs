//! An item of a streamed answer, and the part of it that is in work.

use crate::{
    dialect::pivot::citation::Citation,
    wire::{http1::push_decimal, json::write::Object},
};

/// An item that was added.
#[derive(Debug)]
pub(super) struct Item {
    pub(super) kind: Kind,
    /// With its quotes.
    pub(super) id: Vec<u8>,
    /// A piece up to its number, for the part in work.
    pub(super) lead: Vec<u8>,
    /// Parts that were told whole, with commas between them.
    pub(super) parts: Vec<u8>,
    pub(super) part_count: u64,
    pub(super) part: Option<Part>,
    /// The words of the part in work: the inside of a JSON string.
    pub(super) text: Vec<u8>,
    /// Where they are from.
    pub(super) citations: Vec<Citation<'static>>,
    /// The members of a call, or of what proves a thought; each with a comma before it.
    pub(super) more: Vec<u8>,
    pub(super) is_done: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    Message,
    Reasoning,
    Call { tool: u32 },
}

/// What a part of an item is made of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Part {
    Text,
    Refusal,
    Summary,
    Arguments,
}

impl Part {
    /// The middle of its events' names, and how a piece begins behind the item.
    pub(super) const fn words(self) -> (&'static str, &'static str) {
        match self {
            Self::Text => ("output_text", "content_index"),
            Self::Refusal => ("refusal", "content_index"),
            Self::Summary => ("reasoning_summary_text", "summary_index"),
            Self::Arguments => ("function_call_arguments", ""),
        }
    }

    /// The name of its words in their last event.
    pub(super) const fn name(self) -> &'static str {
        match self {
            Self::Text | Self::Summary => "text",
            Self::Refusal => "refusal",
            Self::Arguments => "arguments",
        }
    }
}

impl Item {
    pub(super) fn new(kind: Kind, id: Vec<u8>, more: Vec<u8>) -> Self {
        Self {
            kind,
            id,
            lead: Vec::new(),
            parts: Vec::new(),
            part_count: 0,
            part: None,
            text: Vec::new(),
            citations: Vec::new(),
            more,
            is_done: false,
        }
    }

    /// Write what each piece of a part begins with.
    pub(super) fn begin_lead(&mut self, part: Part, at: u64) {
        let (name, index) = part.words();
        let lead = &mut self.lead;
        lead.clear();
        for piece in ["event: response.", name, ".delta\ndata: {\"type\":\"response.", name] {
            lead.extend_from_slice(piece.as_bytes());
        }
        lead.extend_from_slice(b".delta\",\"item_id\":");
        lead.extend_from_slice(&self.id);
        lead.extend_from_slice(b",\"output_index\":");
        push_decimal(lead, at);
        if !index.is_empty() {
            lead.extend_from_slice(b",\"");
            lead.extend_from_slice(index.as_bytes());
            lead.extend_from_slice(b"\":");
            push_decimal(lead, self.part_count);
        }
        if part == Part::Text {
            lead.extend_from_slice(b",\"logprobs\":[]");
        }
        lead.extend_from_slice(b",\"sequence_number\":");
    }

    /// Append the item as far as it is told whole.
    pub(super) fn push(&self, out: &mut Vec<u8>) {
        let mut object = Object::open(out);
        object.key("id").extend_from_slice(&self.id);
        let status = if self.is_done { "completed" } else { "in_progress" };
        let (kind, list) = match self.kind {
            Kind::Message => ("message", "content"),
            Kind::Reasoning => ("reasoning", "summary"),
            Kind::Call { .. } => ("function_call", ""),
        };
        object.text("type", kind);
        if self.kind != Kind::Reasoning {
            object.text("status", status);
        }
        if self.kind == Kind::Message {
            object.text("role", "assistant");
        }
        if list.is_empty() {
            quote(object.key("arguments"), &self.parts);
        } else {
            let out = object.key(list);
            out.push(b'[');
            out.extend_from_slice(&self.parts);
            out.push(b']');
        }
        object.close();
        out.pop();
        out.extend_from_slice(&self.more);
        out.push(b'}');
    }
}

pub(super) const EMPTY_TEXT: &str =
    r#"{"type":"output_text","annotations":[],"logprobs":[],"text":""}"#;
pub(super) const EMPTY_REFUSAL: &str = r#"{"type":"refusal","refusal":""}"#;
pub(super) const EMPTY_SUMMARY: &str = r#"{"type":"summary_text","text":""}"#;

/// Append a JSON string of its inside.
pub(super) fn quote(out: &mut Vec<u8>, inside: &[u8]) {
    out.push(b'"');
    out.extend_from_slice(inside);
    out.push(b'"');
}
