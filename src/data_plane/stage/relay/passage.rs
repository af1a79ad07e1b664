//! What becomes of each event of a stream: the seam between the relay and the languages.

use crate::{
    data_plane::{
        stage::relay::{
            Talk,
            cut::Cutter,
            frames::{self, Framing, Piece},
        },
        trail::Trail,
        upstream::buffers::Buffers,
    },
    dialect::{
        openai_chat::{
            error,
            stream::{DONE_EVENT, Observer, Verdict, has_content},
        },
        pivot::{delta::Malformed, dropped::Dropped, manner::Manner, part::Dialect},
        translation::Stream,
    },
    lexicon::{fault::Fault, refusal::Refusal, usage::Usage},
    wire::sse::{self, Data, Event},
};
use std::borrow::Cow;

/// How the events of one answer pass.
pub(super) enum Passage<'t> {
    /// Both sides speak OpenAI's language, as most do: events pass as they came, and are watched.
    Watched(Observer),
    /// Events are told in the client's words, or, where both sides speak the same, read and passed.
    Told {
        stream: Box<Stream>,
        manner: Manner<'t>,
        is_straight: bool,
        framing: Box<Framing>,
        /// In which the client is told errors.
        errors: Dialect,
    },
}

/// What the client gets of an event.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Share {
    /// The event, as it came.
    Whole,
    /// What was written instead, maybe nothing.
    Told,
}

impl<'t> Passage<'t> {
    pub(super) fn new(talk: &Talk<'_>, trail: &Trail<'t>, buffers: &Buffers) -> Self {
        let pair = (talk.call.dialect, talk.client());
        if pair == (Dialect::OpenAiChat, Dialect::OpenAiChat) {
            return Self::Watched(Observer::new(
                talk.ask.wants_usage,
                talk.ask.choices,
                buffers.take(),
            ));
        }
        let stream = Stream::new(pair, talk.call.written, talk.manner.forwards_pings);
        Self::Told {
            stream: Box::new(stream),
            manner: talk.manner_of(trail),
            is_straight: pair.0 == pair.1 && talk.call.is_framed == talk.ask.operation.is_framed(),
            framing: Box::new(Framing::of(talk)),
            errors: talk.client_errors(),
        }
    }

    /// Give back what it held.
    pub(super) fn give_back(self, buffers: &Buffers) {
        if let Self::Watched(observer) = self {
            buffers.give(observer.into_memory());
        }
    }

    /// See an event of `bytes`; what is told instead of it is appended to `told`.
    ///
    /// # Errors
    /// `Malformed` where it cannot be told; what was appended before stands.
    pub(super) fn see(
        &mut self,
        bytes: &[u8],
        piece: &Piece,
        told: &mut Vec<u8>,
    ) -> Result<Share, Malformed> {
        match self {
            Self::Watched(observer) => {
                let Piece::Event(event) = piece else { return Err(Malformed) };
                Ok(match data_of(bytes, event).map(|data| observer.see(&data)) {
                    None | Some(Verdict::Pass) => Share::Whole,
                    Some(Verdict::TakeOut) => Share::Told,
                })
            }
            Self::Told { stream, manner, is_straight, framing, .. } => {
                let read = match piece {
                    Piece::Frame(frame) => framing.frame(stream, (bytes, frame), told, manner),
                    Piece::Event(event) => {
                        if let Some(data) = data_of(bytes, event) {
                            framing.event(stream, &data, told, manner)
                        } else {
                            if !*is_straight && !framing.wraps() {
                                stream.alive(told, manner);
                            }
                            Ok(())
                        }
                    }
                };
                // What passes as it came is not ours to judge.
                if *is_straight { Ok(Share::Whole) } else { read.map(|()| Share::Told) }
            }
        }
    }

    /// Events with content so far: about as many tokens.
    pub(super) const fn tokens(&self) -> u32 {
        match self {
            Self::Watched(observer) => observer.events,
            Self::Told { stream, .. } => stream.facts.contents,
        }
    }

    /// Is there something in it by now that a client waits for? `data` is the last event's.
    pub(super) fn has_content(&self, data: &[u8]) -> bool {
        match self {
            Self::Watched(_) => has_content(data),
            Self::Told { stream, .. } => {
                let facts = &stream.facts;
                facts.contents > 0 || facts.has_finished || facts.is_done
            }
        }
    }

    /// Is the answer complete, as far as its own words say?
    pub(super) const fn is_complete(&self) -> bool {
        match self {
            Self::Watched(observer) => observer.is_complete(),
            Self::Told { stream, .. } => stream.facts.is_done || stream.facts.has_finished,
        }
    }

    /// Did its last event go on, though it was complete?
    pub(super) const fn goes_on(&self) -> bool {
        match self {
            Self::Watched(observer) => observer.goes_on,
            Self::Told { stream, .. } => stream.facts.goes_on,
        }
    }

    /// Has its last word been said, by its dialect's own word for it?
    pub(super) const fn is_done(&self) -> bool {
        match self {
            Self::Watched(observer) => observer.is_done,
            Self::Told { stream, .. } => stream.facts.is_done,
        }
    }

    pub(super) const fn has_failed(&self) -> bool {
        match self {
            Self::Watched(observer) => observer.has_error,
            Self::Told { stream, .. } => stream.facts.has_failed,
        }
    }

    /// Does nothing follow that could be told? What is only watched passes to its end.
    pub(super) const fn is_over(&self) -> bool {
        match self {
            Self::Watched(_) => false,
            Self::Told { stream, .. } => stream.facts.has_failed,
        }
    }

    /// Is the first token still awaited? `has_begun` says that the client was told something.
    pub(super) const fn is_awaited(&self, has_begun: bool) -> bool {
        self.tokens() == 0 && (matches!(self, Self::Watched(_)) || !has_begun)
    }

    /// Is nothing lost of the answer though it ended in this fault?
    pub(super) fn outlives(&self, fault: Fault) -> bool {
        self.is_complete() && (matches!(self, Self::Watched(_)) || fault != Fault::Invalid)
    }

    pub(super) fn usage(&self) -> Option<Usage> {
        match self {
            Self::Watched(observer) => observer.usage,
            Self::Told { stream, .. } => stream.facts.usage.seen(),
        }
    }

    /// What the client was not told so far.
    pub(super) const fn dropped(&self) -> Option<&Dropped> {
        match self {
            Self::Watched(_) => None,
            Self::Told { stream, .. } => stream.dropped(),
        }
    }

    /// Append what must be said at the end of a complete answer, and was not.
    pub(super) fn end(&mut self, told: &mut Vec<u8>) {
        match self {
            Self::Watched(observer) if observer.is_done => {}
            Self::Watched(_) => told.extend_from_slice(DONE_EVENT),
            // Frames that passed have told their end, or nobody can.
            Self::Told { is_straight: true, framing, .. } if framing.is_framed() => {}
            Self::Told { stream, manner, framing, .. } => {
                let end = |out: &mut Vec<u8>| {
                    stream.end(out, manner);
                    Ok(())
                };
                // The end of a stream is shorter than any frame.
                let written = framing.write(told, end);
                debug_assert!(written.is_ok());
            }
        }
    }

    /// Append the end of an answer that has reached its bound.
    pub(super) fn cut(&mut self, cutter: &mut Cutter<'_>, told: &mut Vec<u8>) {
        let written = match self {
            Self::Told { stream, is_straight: false, .. } => Some(&mut **stream),
            Self::Watched(_) | Self::Told { .. } => None,
        };
        cutter.cut(told, written);
    }

    /// Append what the client is told of an answer that broke off.
    pub(super) fn break_off(&mut self, refusal: Refusal, request_id: &str, told: &mut Vec<u8>) {
        match self {
            Self::Watched(_) => error::push_event(told, &refusal.into(), request_id),
            Self::Told { stream, manner, errors, .. } => {
                stream.refuse(told, &refusal.into(), *errors, manner);
            }
        }
    }
}

/// What a piece says: the data of an event, the payload of a frame or the error that it is.
pub(super) fn told_by<'b>(bytes: &'b [u8], piece: &Piece) -> Option<Cow<'b, [u8]>> {
    match piece {
        Piece::Event(event) => data_of(bytes, event),
        Piece::Frame(frame) => Some(frames::error_of(bytes, frame).map_or_else(
            || Cow::Borrowed(bytes.get(frame.payload.clone()).unwrap_or_default()),
            Cow::Owned,
        )),
    }
}

/// The document that tells the error which a piece is.
pub(super) fn error_of(bytes: &[u8], piece: &Piece) -> Option<Vec<u8>> {
    match piece {
        Piece::Event(event) => data_of(bytes, event).map(Cow::into_owned),
        Piece::Frame(frame) => frames::error_of(bytes, frame),
    }
}

/// The data of an event; borrowed where it is of one line, as nearly always.
pub(super) fn data_of<'b>(bytes: &'b [u8], event: &Event) -> Option<Cow<'b, [u8]>> {
    match &event.data {
        Data::None => None,
        Data::One(range) => Some(Cow::Borrowed(&bytes[range.clone()])),
        Data::Many => Some(sse::join_data(bytes, event.whole.clone())),
    }
}
