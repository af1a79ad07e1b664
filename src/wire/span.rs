//! A range of the caller's buffer, small enough to keep by the dozen.

/// Bytes `start..end` of the buffer that was parsed.
///
/// **Bounds**: buffers up to 4 GiB; heads and bodies are capped far below.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Span {
    pub start: u32,
    pub end: u32,
}

impl Span {
    /// The span of `start..end`, or `None` where it does not fit or is reversed.
    #[must_use]
    pub fn new(start: usize, end: usize) -> Option<Self> {
        let (start, end) = (u32::try_from(start).ok()?, u32::try_from(end).ok()?);
        (start <= end).then_some(Self { start, end })
    }

    /// The bytes it names; empty when the buffer is not the one that was parsed.
    #[must_use]
    pub fn of(self, bytes: &[u8]) -> &[u8] {
        bytes.get(self.range()).unwrap_or_default()
    }

    /// The same as a range, for slicing and for edits.
    #[must_use]
    pub fn range(self) -> std::ops::Range<usize> {
        self.start as usize..self.end as usize
    }

    /// Where `part` lies in `whole`; empty when it is no part of it.
    ///
    /// `httparse` answers with slices, and a head must outlive the borrow of its buffer.
    #[must_use]
    pub(super) fn locate(part: &[u8], whole: &[u8]) -> Self {
        let start = (part.as_ptr() as usize).wrapping_sub(whole.as_ptr() as usize);
        let end = start.saturating_add(part.len());
        if end <= whole.len() { Self::new(start, end).unwrap_or_default() } else { Self::default() }
    }
}

#[cfg(test)]
mod tests {
    use super::Span;

    #[test]
    fn a_span_of_another_buffer_is_empty() {
        assert_eq!(Span { start: 2, end: 4 }.of(b"abcd"), b"cd");
        assert_eq!(Span { start: 2, end: 5 }.of(b"abcd"), b"");
        assert_eq!(Span { start: 3, end: 2 }.of(b"abcd"), b"");
        assert_eq!(Span::new(3, 2), None);
    }

    #[test]
    fn a_part_is_located_in_its_whole_only() {
        let whole = b"abcdef".to_vec();

        assert_eq!(Span::locate(&whole[2..4], &whole), Span { start: 2, end: 4 });
        assert_eq!(Span::locate(b"cd", &whole), Span::default());
    }
}
