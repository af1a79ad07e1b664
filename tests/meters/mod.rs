//! What tests of meters alone share.

#![allow(dead_code, reason = "each test file uses its own part")]

use weir::lexicon::meter::{MeterKey, MeterSpec, NodeMillis, Window};

pub const MINUTE: Window = Window::Sliding { bucket_ms: 5_000 };
/// Buckets are counted from far behind the beginning, as after a restart.
pub const START: NodeMillis = NodeMillis(200_000_000);

pub fn spec(window: Window, limit: u64) -> MeterSpec {
    MeterSpec { key: MeterKey(7), window, limit, until: None, version: 1 }
}

/// A small generator of repeatable numbers (xorshift64*).
pub struct Dice(pub u64);

impl Dice {
    pub fn below(&mut self, bound: u64) -> u64 {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        (self.0.wrapping_mul(0x2545_f491_4f6c_dd1d) >> 33) % bound
    }
}
