//! An open-loop client for load: it sends when the schedule says, not when the last answer came,
//! and counts each answer from the moment its request was due.
//!
//! A client that waits for an answer before it sends the next request measures a stalled server
//! once where its users would have met the stall many times (*coordinated omission*). Here every
//! request has a due time that the server cannot move: `schedule.rs` makes them, `drive.rs` keeps
//! them, `tally.rs` counts from them, `verdict.rs` says when the client or the vendor behind the
//! target was too slow for the figures to mean anything, `report.rs` prints.
//!
//! **Cost**: a request is one write, one read, and its share of an `epoll_wait`; nothing is
//! allocated for one in steady state.

pub mod connection;
pub mod drive;
pub mod reply;
pub mod report;
pub mod scenario;
pub mod schedule;
pub mod tally;
pub mod verdict;
