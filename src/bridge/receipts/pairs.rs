//! Metadata as a record's opening holds it, written once for all requests that say the same.

use crate::bridge::receipts::record::OPENING_BYTES_MAX;

/// The lengths before each pair.
const LENGTHS_BYTES: usize = 4;

/// Pairs of key and value.
///
/// **Shape**: for each: lengths u16 ×2 (little-endian), key, value.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Encoded {
    bytes: Vec<u8>,
    count: u16,
    /// Some have no room in any record.
    is_truncated: bool,
}

impl Encoded {
    /// Make it these.
    pub fn set(&mut self, pairs: &[(&str, &str)]) {
        self.bytes.clear();
        let mut room = OPENING_BYTES_MAX;
        (self.count, self.is_truncated) = push(&mut self.bytes, &mut room, pairs.iter().copied());
    }

    /// Append them, or those that have room in so many bytes: how many they are, and whether some
    /// were left out.
    pub(super) fn push(&self, bytes: &mut Vec<u8>, mut room: usize) -> (u16, bool) {
        if self.bytes.len() <= room {
            bytes.extend_from_slice(&self.bytes);
            return (self.count, self.is_truncated);
        }
        push(bytes, &mut room, self.iter())
    }

    fn iter(&self) -> impl Iterator<Item = (&str, &str)> {
        let mut rest = &self.bytes[..];
        std::iter::from_fn(move || {
            let (lengths, texts) = rest.split_first_chunk::<LENGTHS_BYTES>()?;
            let [low, high, value_low, value_high] = *lengths;
            let (key, texts) = texts.split_at(u16::from_le_bytes([low, high]).into());
            let (value, left) = texts.split_at(u16::from_le_bytes([value_low, value_high]).into());
            rest = left;
            let text = |bytes| std::str::from_utf8(bytes).expect("they were texts");
            Some((text(key), text(value)))
        })
    }
}

/// Append the pairs that have room, which becomes less: how many they are, and whether some were
/// left out.
pub(super) fn push<'p>(
    bytes: &mut Vec<u8>,
    room: &mut usize,
    pairs: impl Iterator<Item = (&'p str, &'p str)>,
) -> (u16, bool) {
    let (mut count, mut is_truncated) = (0_u16, false);
    for (key, value) in pairs {
        let Some(left) = room.checked_sub(LENGTHS_BYTES + key.len() + value.len()) else {
            is_truncated = true;
            continue;
        };
        *room = left;
        for text in [key, value] {
            // What has room in a record is far shorter than 2^16.
            bytes.extend_from_slice(&u16::try_from(text.len()).unwrap_or(u16::MAX).to_le_bytes());
        }
        bytes.extend_from_slice(key.as_bytes());
        bytes.extend_from_slice(value.as_bytes());
        count += 1;
    }
    (count, is_truncated)
}

#[cfg(test)]
mod tests {
    use super::{Encoded, OPENING_BYTES_MAX, push};
    use proptest::{
        collection::vec,
        prelude::{prop_assert, prop_assert_eq, proptest},
    };

    proptest! {
        #[test]
        fn what_was_encoded_before_is_what_is_encoded_now(
            texts in vec(("\\PC{0,9}", "\\PC{0,40}"), 0..60), room in 0..OPENING_BYTES_MAX,
        ) {
            let pairs: Vec<(&str, &str)> = texts.iter().map(|(k, v)| (&**k, &**v)).collect();
            let mut encoded = Encoded::default();
            let (mut before, mut now) = (Vec::new(), Vec::new());

            encoded.set(&[("other", "pairs")]);
            encoded.set(&pairs);
            let found = encoded.push(&mut before, room);
            let expected = push(&mut now, &mut { room }, pairs.iter().copied());

            prop_assert!(before.len() <= room);
            if !encoded.is_truncated {
                prop_assert_eq!(found, expected);
                prop_assert_eq!(before, now);
            }
        }
    }

    #[test]
    fn what_has_no_room_in_any_record_is_left_out_and_said() {
        let long = "x".repeat(OPENING_BYTES_MAX);
        let mut encoded = Encoded::default();
        let mut bytes = Vec::new();

        encoded.set(&[("a", &long), ("b", "short")]);
        let found = encoded.push(&mut bytes, OPENING_BYTES_MAX);

        assert_eq!((found, &bytes[..]), ((1, true), &b"\x01\0\x05\0bshort"[..]));
        assert_eq!(encoded.push(&mut Vec::new(), 5), (0, true));
    }
}
