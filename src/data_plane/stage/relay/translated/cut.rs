//! Cutting what comes into what is told at once.

use crate::{
    lexicon::fault::Fault,
    wire::{
        eventstream::{self, Frame},
        sse::{self, Event},
    },
};

/// Cuts a stream.
pub enum Cutter {
    Events(sse::Scanner),
    Frames(eventstream::Scanner),
}

/// What is told at once.
pub enum Piece {
    Event(Event),
    Frame(Frame),
}

impl Cutter {
    pub fn new(is_framed: bool) -> Self {
        if is_framed {
            Self::Frames(eventstream::Scanner::default())
        } else {
            Self::Events(sse::Scanner::default())
        }
    }

    pub fn next(&mut self, bytes: &[u8]) -> Result<Option<Piece>, Fault> {
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

    pub fn consumed(&mut self, length: usize) {
        match self {
            Self::Events(scanner) => scanner.consumed(length),
            Self::Frames(scanner) => scanner.consumed(length),
        }
    }
}

impl Piece {
    pub const fn end(&self) -> usize {
        match self {
            Self::Event(event) => event.whole.end,
            Self::Frame(frame) => frame.whole.end,
        }
    }
}
