//! Model names, as each request looks one up.

use crate::lexicon::ids::ModelId;
use std::{
    collections::HashMap,
    hash::{BuildHasherDefault, Hasher},
};

/// By `ACCOUNT/MODEL`.
///
/// What is in it was written by operators, so nobody can fill it with names that collide, and the
/// hash needs no secret; what clients ask for is only compared.
pub type Names = HashMap<Box<str>, ModelId, BuildHasherDefault<NameHasher>>;

/// Eight bytes at a time, each step a multiplication whose halves are folded.
#[derive(Clone, Copy, Debug, Default)]
pub struct NameHasher(u64);

/// Odd, and with bits in no order: the golden ratio's.
const FACTOR: u64 = 0x9e37_79b9_7f4a_7c15;

impl NameHasher {
    fn mix(&mut self, word: u64) {
        // The length's end is a word too, so that zeros count.
        let product = u128::from(self.0 ^ word ^ FACTOR) * u128::from(FACTOR);
        let [low, high] = [product, product >> 64].map(|half| half & u128::from(u64::MAX));
        self.0 = u64::try_from(low ^ high).unwrap_or_default();
    }
}

impl Hasher for NameHasher {
    fn write(&mut self, bytes: &[u8]) {
        let (words, rest) = bytes.as_chunks();
        for word in words {
            self.mix(u64::from_le_bytes(*word));
        }
        let last = rest.iter().fold(0, |last, byte| last << 8 | u64::from(*byte));
        self.mix(last ^ (bytes.len() as u64) << 56);
    }

    /// What ends a text is said by its length already.
    fn write_u8(&mut self, _: u8) {}

    fn finish(&self) -> u64 {
        self.0
    }
}

#[cfg(test)]
mod tests {
    use super::NameHasher;
    use std::{
        collections::HashSet,
        hash::{BuildHasher, BuildHasherDefault},
    };

    #[test]
    fn names_that_differ_little_spread_over_a_table() {
        let hasher = BuildHasherDefault::<NameHasher>::default();
        let names = (0..4_096).map(|number| format!("account/model-{number}"));

        let hashes: Vec<u64> = names.map(|name| hasher.hash_one(name.as_str())).collect();

        let distinct = |of: fn(&u64) -> u64| hashes.iter().map(of).collect::<HashSet<_>>().len();
        assert_eq!(distinct(|hash| *hash), 4_096);
        // A table takes its place from the low bits and a tag from the highest seven.
        assert!(distinct(|hash| hash & 0xfff) > 2_400, "about 63 % of the places are taken");
        assert_eq!(distinct(|hash| hash >> 57), 128);
    }
}
