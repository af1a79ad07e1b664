//! Where an answer's body ends.

use crate::{
    lexicon::fault::Fault,
    wire::http1::{
        Framing,
        chunked::{Chunked, Step},
    },
};

/// The body of one answer, as its bytes come in.
pub struct Body {
    framing: Framing,
    left: u64,
    chunked: Chunked,
    is_done: bool,
    has_surplus: bool,
}

impl Body {
    pub fn new(framing: Framing) -> Self {
        let left = if let Framing::Length(length) = framing { length } else { 0 };
        let is_done = matches!(framing, Framing::None | Framing::Length(0));
        Self { framing, left, chunked: Chunked::default(), is_done, has_surplus: false }
    }

    /// Is all of it here?
    pub fn is_done(&self) -> bool {
        self.is_done
    }

    /// Did it end where it said it would, with nothing behind it, on a connection that goes on?
    pub fn is_clean(&self) -> bool {
        self.is_done && !self.has_surplus && self.framing != Framing::UntilClose
    }

    /// The length it announced.
    pub fn length(&self) -> Option<u64> {
        match self.framing {
            Framing::Length(length) => Some(length),
            Framing::None => Some(0),
            Framing::Chunked | Framing::UntilClose => None,
        }
    }

    /// Hand the payload in `input` to `payload`.
    pub fn take(&mut self, input: &[u8], mut payload: impl FnMut(&[u8])) -> Result<(), Fault> {
        if self.is_done {
            self.has_surplus |= !input.is_empty();
            return Ok(());
        }
        match self.framing {
            Framing::None => self.is_done = true,
            Framing::UntilClose => payload(input),
            Framing::Length(_) => {
                let here = usize::try_from(self.left).unwrap_or(usize::MAX).min(input.len());
                payload(&input[..here]);
                self.left -= here as u64;
                self.is_done = self.left == 0;
                self.has_surplus = here < input.len();
            }
            Framing::Chunked => self.take_chunks(input, payload)?,
        }
        Ok(())
    }

    fn take_chunks(&mut self, input: &[u8], mut payload: impl FnMut(&[u8])) -> Result<(), Fault> {
        let mut at = 0;
        loop {
            match self.chunked.next(&input[at..]).map_err(|_| Fault::Invalid)? {
                Step::Payload { consumed, payload: range } => {
                    payload(&input[at..][range]);
                    at += consumed;
                }
                Step::More { .. } => return Ok(()),
                Step::Done { consumed } => {
                    self.is_done = true;
                    self.has_surplus = at + consumed < input.len();
                    return Ok(());
                }
            }
        }
    }

    /// The connection ended.
    pub fn end(&mut self) -> Result<(), Fault> {
        if self.is_done || self.framing == Framing::UntilClose {
            self.is_done = true;
            Ok(())
        } else {
            Err(Fault::Truncated)
        }
    }
}
