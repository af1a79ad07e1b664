//! The judge of this name, driven by libFuzzer.

#![no_main]

#[path = "../judges/mod.rs"]
mod judges;

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| judges::eventstream::judge(bytes));
