//! Ordinary threads that know the world outside: files, secrets, names.
//!
//! `source/folder.rs` reads what operators wrote, `secrets.rs` finds what they keep elsewhere,
//! `load.rs` makes both a snapshot, `watch.rs` hears of changes, `resolver.rs` asks for addresses,
//! and `publisher.rs` sends the outcome down the lanes; `status.rs` is what it can be asked.
//!
//! **Invariants**: the data plane serves on without anything here. A change takes effect whole or
//! not at all; a refused change leaves the last good snapshot where it is.

pub mod load;
pub mod publisher;
pub mod resolver;
pub mod secrets;
pub mod source;
pub mod status;
pub mod watch;
