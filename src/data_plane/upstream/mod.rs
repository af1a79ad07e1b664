//! The way to a target: names to addresses, connections kept, one call and its answer.
//!
//! **Invariants**: no name is resolved here; a connection is given back only when its answer ended
//! where it said it would, with nothing behind it.

pub mod body;
pub mod buffers;
pub mod call;
pub mod connect;
pub mod pool;
