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

use crate::{
    data_plane::{
        stage::relay::{Talk, frames::Piece, passage::data_of},
        trail::Trail,
    },
    dialect::{
        bedrock::chunk,
        pivot::{manner::Manner, target::Written},
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
    /// Where the vendor's events pass as they came: what they would be as ours, so that one more
    /// can be written behind them.
    shadow: Option<Stream>,
    unread: Vec<u8>,
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
            shadow: (dialect == client).then(|| Stream::shadow(dialect)),
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
        if let Some(shadow) = &mut self.shadow {
            let _ = shadow.event(data, &mut self.unread, manner);
            self.unread.clear();
        }
        false
    }

    /// End the client's stream: `stream` is what is written of it, where nothing passes as it came.
    pub fn cut(&mut self, out: &mut Vec<u8>, stream: Option<&mut Stream>) {
        out.extend_from_slice(b": weir-cut {\"reason\":\"");
        out.extend_from_slice(Refusal::StrictCut.row().code.as_bytes());
        out.extend_from_slice(b"\",\"tokens\":");
        push_decimal(out, self.most);
        out.extend_from_slice(b"}\n\n");
        if let Some(stream) = self.shadow.as_mut().or(stream) {
            stream.cut(out, &self.manner);
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
