//! A stream as one JSON array, as Google's are where nobody asks for events: each event's data is
//! an element.

use crate::wire::sse::{Data, Scanner, join_data};
use std::borrow::Cow;

/// The array so far.
#[derive(Debug, Default)]
pub struct Array {
    has_begun: bool,
    is_closed: bool,
}

impl Array {
    /// Turn the whole events that `payload` is into elements.
    pub fn frame(&mut self, payload: &mut Vec<u8>) {
        if self.is_closed {
            return;
        }
        let events = std::mem::take(payload);
        let mut scanner = Scanner::default();
        while let Ok(Some(event)) = scanner.next(&events) {
            let data = match event.data {
                Data::None => continue,
                Data::One(range) => Cow::Borrowed(&events[range]),
                Data::Many => join_data(&events, event.whole),
            };
            let had_begun = std::mem::replace(&mut self.has_begun, true);
            payload.extend_from_slice(if had_begun { b",\r\n" } else { b"[" });
            payload.extend_from_slice(&data);
        }
    }

    /// The same, and end the array.
    pub fn close(&mut self, payload: &mut Vec<u8>) {
        self.frame(payload);
        payload.extend_from_slice(if self.has_begun { b"]" } else { b"[]" });
        self.is_closed = true;
    }
}

#[cfg(test)]
mod tests {
    use super::Array;

    #[test]
    fn events_are_elements_and_what_says_nothing_is_none() {
        let mut array = Array::default();
        let mut told = Vec::new();
        for events in [&b": ping\n\n"[..], b"data: {\"a\":1}\n\ndata: {\r\ndata: }\r\n\r\n", b""] {
            let mut payload = events.to_vec();
            array.frame(&mut payload);
            told.extend_from_slice(&payload);
        }
        let mut last = b"data: 3\n\n".to_vec();
        array.close(&mut last);
        array.frame(&mut last);
        told.extend_from_slice(&last);
        assert_eq!(String::from_utf8_lossy(&told), "[{\"a\":1},\r\n{\n},\r\n3]");
        let mut nothing = Vec::new();
        Array::default().close(&mut nothing);
        assert_eq!(nothing, b"[]");
    }
}
