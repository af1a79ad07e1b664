//! Ids for calls of tools, where the vendor gives none: the same for the same answer, however it is
//! cut, and others for another.

use crate::dialect::{gemini::signature, pivot::text::Text};
use std::{borrow::Cow, fmt::Write as _};

/// In front of sixteen hex digits.
const MADE: &str = "call_";

/// FNV-1a. **Source**: draft-eastlake-fnv-21, 64-bit offset basis and prime.
#[derive(Clone, Copy, Debug)]
pub struct Seed(u64);

impl Default for Seed {
    fn default() -> Self {
        Self(0xcbf2_9ce4_8422_2325)
    }
}

impl Seed {
    pub fn feed(&mut self, bytes: &[u8]) {
        for byte in bytes {
            self.0 = (self.0 ^ u64::from(*byte)).wrapping_mul(0x0000_0100_0000_01b3);
        }
    }

    /// What was fed, as a number.
    #[must_use]
    pub const fn value(self) -> u64 {
        self.0
    }

    /// The id of a call: the vendor's own, or one made of the answer's id, the call's number and
    /// name; and in it the call's proof.
    pub fn call_id<'b>(
        mut self,
        own: Option<Text<'b>>,
        (choice, number): (u32, u32),
        name: &Text<'_>,
        proof: Option<&Text<'_>>,
    ) -> Text<'b> {
        let own = own.filter(|id| !id.is_empty());
        let mut id = match (own, proof) {
            (Some(id), None) => return id,
            (Some(id), Some(_)) => id.read().into_owned(),
            (None, _) => {
                self.feed(&choice.to_le_bytes());
                self.feed(&number.to_le_bytes());
                self.feed(name.read().as_bytes());
                let mut id = String::with_capacity(MADE.len() + 16);
                let _ = write!(id, "{MADE}{:016x}", self.0);
                id
            }
        };
        if let Some(proof) = proof {
            signature::into_id(&mut id, proof);
        }
        Text::Plain(Cow::Owned(id))
    }
}

/// Was it made here? The vendor does not know it then.
pub fn is_made(id: &str) -> bool {
    let digits = id.strip_prefix(MADE).unwrap_or_default();
    digits.len() == 16 && digits.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'))
}

#[cfg(test)]
mod tests {
    use super::{Seed, is_made};
    use crate::dialect::pivot::text::Text;

    #[test]
    fn ids_are_stable_and_tell_calls_apart() {
        let mut seed = Seed::default();
        seed.feed(b"resp-1");
        let name = Text::plain("f");
        let id = |seed: Seed, number| seed.call_id(None, (0, number), &name, None);
        assert_eq!(id(seed, 0), id(seed, 0));
        assert_ne!(id(seed, 0), id(seed, 1));
        assert_ne!(id(seed, 0), id(Seed::default(), 0));
        assert!(is_made(&id(seed, 0).read()) && !is_made("call_1"));
        let own = seed.call_id(Some(Text::plain("x")), (0, 0), &name, None);
        assert_eq!(own, *"x");
    }
}
