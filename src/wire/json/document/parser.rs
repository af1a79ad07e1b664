//! The grammar, in one pass and without recursion.

use super::{Kind, Note, VALUES_MAX};
use crate::wire::json::{DEPTH_MAX, JsonError, object::is_space, skip, value::is_scalar};

/// Of a number that is taken for a count at once; any double holds it.
const DIGITS_MAX: usize = 20;

/// Notes the values of one document.
pub(super) struct Parser<'d, 'b> {
    bytes: &'b [u8],
    at: usize,
    notes: &'d mut Vec<Note>,
    /// The notes of the containers that are open.
    open: [u32; DEPTH_MAX],
    depth: usize,
}

impl<'d, 'b> Parser<'d, 'b> {
    pub(super) fn new(bytes: &'b [u8], notes: &'d mut Vec<Note>) -> Self {
        Self { bytes, at: 0, notes, open: [0; DEPTH_MAX], depth: 0 }
    }

    /// The whole document, with only whitespace around it.
    pub(super) fn document(&mut self) -> Result<(), JsonError> {
        loop {
            self.space();
            match self.peek() {
                Some(bracket @ (b'{' | b'[')) => {
                    let is_empty = self.enter(bracket)?;
                    if !is_empty {
                        continue;
                    }
                }
                Some(b'"') => self.string()?,
                _ => self.scalar()?,
            }
            let has_more = self.leave()?;
            if !has_more {
                break;
            }
        }
        self.space();
        if self.at == self.bytes.len() { Ok(()) } else { Err(self.malformed()) }
    }

    /// Enter a container; true where it is empty and so already left.
    fn enter(&mut self, bracket: u8) -> Result<bool, JsonError> {
        let kind = if bracket == b'{' { Kind::Object } else { Kind::Array };
        let slot = self.open.get_mut(self.depth).ok_or(JsonError::TooDeep)?;
        *slot = offset(self.notes.len());
        self.depth += 1;
        self.note(kind, self.at, self.at, false)?;
        self.at += 1;
        self.space();
        match (self.peek(), kind) {
            (Some(b'}'), Kind::Object) | (Some(b']'), Kind::Array) => {
                self.close();
                Ok(true)
            }
            (_, Kind::Object) => self.key().map(|()| false),
            _ => Ok(false),
        }
    }

    /// Behind a value: go on in the container it is in, or leave as many as end here.
    fn leave(&mut self) -> Result<bool, JsonError> {
        while self.depth > 0 {
            self.space();
            let container = self.open[self.depth - 1] as usize;
            let is_object = self.notes[container].kind == Kind::Object;
            match self.peek() {
                Some(b',') => {
                    self.at += 1;
                    if is_object {
                        self.space();
                        self.key()?;
                    }
                    return Ok(true);
                }
                Some(b'}') if is_object => self.close(),
                Some(b']') if !is_object => self.close(),
                _ => return Err(self.malformed()),
            }
        }
        Ok(false)
    }

    fn close(&mut self) {
        self.at += 1;
        self.depth -= 1;
        let next = offset(self.notes.len());
        let note = &mut self.notes[self.open[self.depth] as usize];
        note.end = offset(self.at);
        note.next = next;
    }

    fn key(&mut self) -> Result<(), JsonError> {
        if self.peek() != Some(b'"') {
            return Err(self.malformed());
        }
        self.string()?;
        self.space();
        if self.peek() != Some(b':') {
            return Err(self.malformed());
        }
        self.at += 1;
        Ok(())
    }

    #[inline]
    fn string(&mut self) -> Result<(), JsonError> {
        if let Some(end) = skip::short_string_end(self.bytes, self.at) {
            self.note(Kind::String, self.at + 1, end - 1, false)?;
            self.at = end;
            return Ok(());
        }
        self.long_string()
    }

    fn long_string(&mut self) -> Result<(), JsonError> {
        let end = skip::long_string_end(self.bytes, self.at)?;
        let inside = &self.bytes[self.at + 1..end - 1];
        let has_escapes = memchr::memchr(b'\\', inside).is_some();
        if has_escapes && !has_paired_surrogates(inside) {
            return Err(self.malformed());
        }
        self.note(Kind::String, self.at + 1, end - 1, has_escapes)?;
        self.at = end;
        Ok(())
    }

    fn scalar(&mut self) -> Result<(), JsonError> {
        let rest = self.bytes.get(self.at..).unwrap_or_default();
        // A count, as most are; its end is judged by whoever goes on from there.
        let digits = rest.iter().take(DIGITS_MAX).take_while(|byte| byte.is_ascii_digit()).count();
        if matches!(rest.get(digits), Some(b',' | b'}'))
            && (digits == 1 || (digits > 1 && rest[0] != b'0'))
        {
            self.note(Kind::Number, self.at, self.at + digits, false)?;
            self.at += digits;
            return Ok(());
        }
        let ends = |byte: &u8| matches!(byte, b',' | b'}' | b']') || is_space(*byte);
        let raw = &rest[..rest.iter().position(ends).unwrap_or(rest.len())];
        let kind = match raw.first() {
            Some(b'n') => Kind::Null,
            Some(b't' | b'f') => Kind::Boolean,
            _ => Kind::Number,
        };
        if !is_scalar(raw) || (kind == Kind::Number && !is_finite(raw)) {
            return Err(self.malformed());
        }
        self.note(kind, self.at, self.at + raw.len(), false)?;
        self.at += raw.len();
        Ok(())
    }

    #[inline]
    fn note(
        &mut self,
        kind: Kind,
        start: usize,
        end: usize,
        has_escapes: bool,
    ) -> Result<(), JsonError> {
        if self.notes.len() >= VALUES_MAX {
            return Err(self.malformed());
        }
        let next = offset(self.notes.len() + 1);
        let (start, end) = (offset(start), offset(end));
        self.notes.push(Note { start, end, next, kind, has_escapes });
        Ok(())
    }

    #[inline]
    fn space(&mut self) {
        while self.peek().is_some_and(is_space) {
            self.at += 1;
        }
    }

    #[inline]
    fn peek(&self) -> Option<u8> {
        self.bytes.get(self.at).copied()
    }

    #[cold]
    const fn malformed(&self) -> JsonError {
        JsonError::Malformed { at: self.at }
    }
}

/// Documents are below 4 GiB, and so are the notes.
fn offset(at: usize) -> u32 {
    u32::try_from(at).unwrap_or(u32::MAX)
}

/// Numbers are kept as they are written; only what no double can hold, such as `1e999`, is refused.
fn is_finite(raw: &[u8]) -> bool {
    // The largest double has 309 digits.
    let is_plain = raw.len() < 300 && memchr::memchr2(b'e', b'E', raw).is_none();
    let value = || std::str::from_utf8(raw).ok()?.parse::<f64>().ok();
    is_plain || value().is_some_and(f64::is_finite)
}

/// The escapes of a string whose grammar was checked: does each high surrogate have its low one?
pub(super) fn has_paired_surrogates(inside: &[u8]) -> bool {
    let mut at = 0;
    while let Some(found) = inside.get(at..).and_then(|rest| memchr::memchr(b'\\', rest)) {
        at += found;
        let Some(unit) = code_unit(inside, at) else {
            at += 2;
            continue;
        };
        at += 6;
        match unit {
            0xd800..0xdc00 => match code_unit(inside, at) {
                Some(0xdc00..0xe000) => at += 6,
                _ => return false,
            },
            0xdc00..0xe000 => return false,
            _ => {}
        }
    }
    true
}

fn code_unit(inside: &[u8], at: usize) -> Option<u32> {
    let hex = inside.get(at..at + 6)?.strip_prefix(b"\\u")?;
    hex.iter().try_fold(0, |unit, byte| Some(unit << 4 | char::from(*byte).to_digit(16)?))
}
