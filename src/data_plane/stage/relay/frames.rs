//! AWS's frames on either side of a stream: splitting it, and what stands in frames.

use crate::{
    data_plane::stage::relay::Talk,
    dialect::{
        bedrock::{self, chunk},
        pivot::{delta::Malformed, failure::FailureKind, manner::Manner, part::Dialect},
        translation::{self, Stream},
    },
    lexicon::{fault::Fault, operation::Operation},
    wire::{
        eventstream::{self, Frame, Message},
        sse::{self, Event},
    },
};

/// Splits a stream into what is seen at once.
pub(super) enum Splitter {
    Events(sse::Scanner),
    Frames(eventstream::Scanner),
}

/// What is seen at once.
pub(super) enum Piece {
    Event(Event),
    Frame(Frame),
}

impl Splitter {
    pub(super) fn new(is_framed: bool) -> Self {
        if is_framed {
            Self::Frames(eventstream::Scanner::default())
        } else {
            Self::Events(sse::Scanner::default())
        }
    }

    pub(super) fn next(&mut self, bytes: &[u8]) -> Result<Option<Piece>, Fault> {
        match self {
            Self::Events(scanner) => {
                let found = scanner.next(bytes).map_err(|_| Fault::Invalid)?;
                Ok(found.map(Piece::Event))
            }
            Self::Frames(scanner) => {
                let found = scanner.next(bytes).map_err(|_| Fault::Invalid)?;
                Ok(found.map(Piece::Frame))
            }
        }
    }

    pub(super) fn consumed(&mut self, length: usize) {
        match self {
            Self::Events(scanner) => scanner.consumed(length),
            Self::Frames(scanner) => scanner.consumed(length),
        }
    }
}

impl Piece {
    pub(super) const fn start(&self) -> usize {
        match self {
            Self::Event(event) => event.whole.start,
            Self::Frame(frame) => frame.whole.start,
        }
    }

    pub(super) const fn end(&self) -> usize {
        match self {
            Self::Event(event) => event.whole.end,
            Self::Frame(frame) => frame.whole.end,
        }
    }
}

/// How what a stream says is framed, where it is not told as it is written.
pub(super) struct Framing {
    client: Dialect,
    /// Both sides speak Anthropic's language, one of them in chunks.
    is_reframed: bool,
    /// The vendor speaks in frames.
    is_framed: bool,
    /// They hold Anthropic's events.
    has_chunks: bool,
    /// The client gets chunks: what it is told stands here first.
    held: Option<Vec<u8>>,
    /// The data of the chunk in work.
    data: Vec<u8>,
}

impl Framing {
    pub(super) fn of(talk: &Talk<'_>) -> Self {
        let pair = (talk.call.dialect, talk.client());
        let operation = talk.ask.operation;
        let is_same = talk.call.is_framed == operation.is_framed();
        let wraps = operation == Operation::InvokeModelStream && !(pair.0 == pair.1 && is_same);
        Self {
            client: pair.1,
            is_reframed: pair.0 == pair.1 && !is_same,
            is_framed: talk.call.is_framed,
            has_chunks: talk.call.is_framed && pair.0 == Dialect::Anthropic,
            held: wraps.then(Vec::new),
            data: Vec::new(),
        }
    }

    /// Does the vendor speak in frames?
    pub(super) const fn is_framed(&self) -> bool {
        self.is_framed
    }

    /// Does the client get chunks that are made here?
    pub(super) const fn wraps(&self) -> bool {
        self.held.is_some()
    }

    /// Append what the data of an event becomes.
    pub(super) fn event(
        &mut self,
        stream: &mut Stream,
        data: &[u8],
        told: &mut Vec<u8>,
        manner: &Manner<'_>,
    ) -> Result<(), Malformed> {
        let is_reframed = self.is_reframed;
        let tell = |out: &mut Vec<u8>| {
            if is_reframed {
                chunk::push_event(out, data)?;
            }
            stream.event(data, out, manner)
        };
        self.write(told, tell)
    }

    /// Append what a frame of `bytes` becomes.
    pub(super) fn frame(
        &mut self,
        stream: &mut Stream,
        (bytes, frame): (&[u8], &Frame),
        told: &mut Vec<u8>,
        manner: &Manner<'_>,
    ) -> Result<(), Malformed> {
        let message = frame.message(bytes);
        let payload = bytes.get(frame.payload.clone()).unwrap_or_default();
        if self.has_chunks && message == Message::Event("chunk") {
            let mut data = std::mem::take(&mut self.data);
            let read = chunk::unwrap(payload, &mut data);
            let read = read.and_then(|()| self.event(stream, &data, told, manner));
            self.data = data;
            return read;
        }
        stream.frame((&message, payload), told, manner)?;
        if let Some(document) = error_of(bytes, frame).filter(|_| self.is_reframed) {
            translation::push_failure_event(told, &document, self.client, manner.id);
        }
        Ok(())
    }

    /// Append what is written of a stream, in chunks where the client gets those.
    pub(super) fn write(
        &mut self,
        told: &mut Vec<u8>,
        write: impl FnOnce(&mut Vec<u8>) -> Result<(), Malformed>,
    ) -> Result<(), Malformed> {
        let Some(held) = &mut self.held else { return write(told) };
        let written = write(held);
        let wrapped = chunk::wrap(told, held);
        held.clear();
        written.and(wrapped)
    }
}

/// The error that a frame is, as a document.
pub(super) fn error_of(bytes: &[u8], frame: &Frame) -> Option<Vec<u8>> {
    let payload = bytes.get(frame.payload.clone()).unwrap_or_default();
    bedrock::error::document_of(&frame.message(bytes), payload)
}

/// The status that says the same as the error which a frame is.
pub(super) fn status_of(bytes: &[u8], frame: &Frame) -> u16 {
    let failure = bedrock::error::decode_frame(&frame.message(bytes), None);
    failure.map_or(FailureKind::Internal, |failure| failure.kind).status()
}
