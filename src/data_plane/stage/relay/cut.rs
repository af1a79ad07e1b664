//! Where a strict limit holds, a stream ends before it crosses its bound.
//!
//! The vendor was told the bound and mostly keeps to it. Where it does not, what came is counted by
//! its pieces, each of which is a token at least: the first piece too many is not relayed, the
//! stream ends in its own language with the reason `length`, and a comment says why:
//!
//! ```text
//! : weir-cut {"reason":"strict_cut","tokens":120}
//!
//! data: {"id":"c1",…,"choices":[{"index":0,"delta":{},"finish_reason":"length"}]}
//!
//! data: [DONE]
//! ```
//!
//! Every language ends by its own word for it: Anthropic's by `max_tokens`, OpenAI's Responses by
//! `response.incomplete`, Google's by `MAX_TOKENS`. Where there are no comments (an array of
//! Google's, frames of Bedrock's), that word and the receipt alone say it.

use crate::{
    data_plane::{
        stage::relay::{Talk, frames::Piece, passage::data_of},
        trail::Trail,
    },
    dialect::{
        bedrock::chunk,
        openai_responses::ending::Ending,
        pivot::{manner::Manner, part::Dialect, target::Written},
        translation::Stream,
    },
    lexicon::refusal::Refusal,
    wire::{eventstream::Message, http1::push_decimal},
};

/// Watches one stream that is bounded.
pub struct Cutter<'t> {
    manner: Manner<'t>,
    /// Tokens that all answers together may have.
    most: u64,
    /// The next event of the vendor's is one too many.
    pub has_crossed: bool,
    /// Reads ahead of what is relayed.
    counter: Stream,
    shadow: Shadow,
    /// The client gets frames.
    is_framed: bool,
    unread: Vec<u8>,
}

/// Where the vendor's events pass as they came: what is known of them, so that an end can be
/// written behind them.
enum Shadow {
    /// They are written anew.
    Nobody,
    /// What they would be as ours.
    Stream(Box<Stream>),
    /// Their ids and numbers go on.
    Responses(Box<Ending>),
}

impl<'t> Cutter<'t> {
    /// None where nothing holds the stream.
    pub fn of(talk: &Talk<'_>, trail: &Trail<'t>) -> Option<Box<Self>> {
        let most = trail.bound()?.all;
        let (dialect, client) = (talk.call.dialect, talk.client());
        Some(Box::new(Self {
            manner: talk.manner_of(trail),
            most,
            has_crossed: false,
            counter: Stream::new((dialect, dialect), Written::default(), false),
            shadow: match client {
                _ if dialect != client => Shadow::Nobody,
                Dialect::OpenAiResponses => Shadow::Responses(Box::default()),
                _ => Shadow::Stream(Box::new(Stream::shadow(dialect))),
            },
            is_framed: talk.ask.operation.is_framed(),
            unread: Vec::new(),
        }))
    }

    /// Would this piece of `bytes` cross the bound?
    pub(super) fn crosses(&mut self, bytes: &[u8], piece: &Piece) -> bool {
        let frame = match piece {
            Piece::Event(event) => {
                return data_of(bytes, event).is_some_and(|data| self.crosses_event(&data));
            }
            Piece::Frame(frame) => frame,
        };
        let message = frame.message(bytes);
        let payload = bytes.get(frame.payload.clone()).unwrap_or_default();
        let mut data = Vec::new();
        if message == Message::Event("chunk") && chunk::unwrap(payload, &mut data).is_ok() {
            return self.crosses_event(&data);
        }
        // As below.
        let _ = self.counter.frame((&message, payload), &mut self.unread, &self.manner);
        self.has_crossed = u64::from(self.counter.facts.contents) > self.most;
        if let (Shadow::Stream(shadow), false) = (&mut self.shadow, self.has_crossed) {
            let _ = shadow.frame((&message, payload), &mut self.unread, &self.manner);
            self.unread.clear();
        }
        self.has_crossed
    }

    fn crosses_event(&mut self, data: &[u8]) -> bool {
        let manner = &self.manner;
        // What cannot be read says nothing that could be counted; whoever relays it judges it.
        let _ = self.counter.event(data, &mut self.unread, manner);
        if u64::from(self.counter.facts.contents) > self.most {
            self.has_crossed = true;
            return true;
        }
        match &mut self.shadow {
            Shadow::Nobody => {}
            Shadow::Stream(shadow) => {
                let _ = shadow.event(data, &mut self.unread, manner);
                self.unread.clear();
            }
            Shadow::Responses(ending) => {
                let _ = ending.see(data);
            }
        }
        false
    }

    /// End the client's stream: `stream` is what is written of it, where nothing passes as it came.
    pub fn cut(&mut self, out: &mut Vec<u8>, stream: Option<&mut Stream>) {
        if !self.is_framed {
            out.extend_from_slice(b": weir-cut {\"reason\":\"");
            out.extend_from_slice(Refusal::StrictCut.row().code.as_bytes());
            out.extend_from_slice(b"\",\"tokens\":");
            push_decimal(out, self.most);
            out.extend_from_slice(b"}\n\n");
        }
        match (&mut self.shadow, stream) {
            (Shadow::Responses(ending), _) => ending.cut(out),
            (Shadow::Stream(stream), _) => stream.cut(out, &self.manner),
            (Shadow::Nobody, Some(stream)) => stream.cut(out, &self.manner),
            (Shadow::Nobody, None) => {}
        }
    }

    /// What was used: what the vendor said of it, and at least what was relayed.
    pub fn account(&self, trail: &mut Trail<'_>) {
        if trail.usage_is_reported {
            trail.usage.output_tokens = trail.usage.output_tokens.max(self.most);
        } else {
            trail.estimate(self.most);
        }
        trail.refusal = Some(Refusal::StrictCut);
    }
}
