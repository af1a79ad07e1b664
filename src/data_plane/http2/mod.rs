//! HTTP/2, both sides: streams that look to an exchange like any other link.
//!
//! `stream.rs` is what a `Link` holds: HTTP/1 bytes in, HTTP/1 bytes out, judged by the codec that
//! judges every other client and vendor. `client/` is the way of clients to us, `vendor/` ours to a
//! target; `transport.rs` carries both. One task carries an exchange here too: no byte crosses from
//! task to task but through the frames' own queues.
//!
//! Frames, HPACK and flow control are the `h2` crate's, on which hyper's HTTP/2 is built. Hyper
//! itself is left out: it polls no reply while a stream's window is closed, so that a client that
//! does not read could not be timed out; it hides why a stream was reset, and with it what may
//! safely be sent again; and it wants a second task and a body type between.

pub mod client;
pub mod vendor;

mod incoming;
mod outgoing;
mod polled;
pub mod stream;
mod transport;

/// Streams that one client connection may have open; then `REFUSED_STREAM`, which is safe to retry.
/// What 10 clients with 100 each may do, a gateway of theirs may do on one connection.
const STREAMS_MAX: u32 = 1_000;
/// Streams that we open on one connection to a vendor before we open another. Most servers allow
/// 100 to 128 by default, and theirs holds where it is less.
const CALLS_MAX: usize = 250;
/// What one stream may send us unasked: a prompt of most sizes without a round trip.
/// **Source**: RFC 9113 §6.9.2, the default.
const STREAM_WINDOW_BYTES: u32 = 65_535;
/// What a client may send on all its streams together before we have read it. Requests are read
/// as they come, so this bounds what lies between two looks.
const CLIENT_WINDOW_BYTES: u32 = 1 << 20;
/// The same from a vendor. As much as all streams of a connection may hold, for those behind which
/// a client reads slowly must not hold up the others.
#[expect(clippy::cast_possible_truncation, reason = "16 MiB")]
const VENDOR_WINDOW_BYTES: u32 = STREAM_WINDOW_BYTES * CALLS_MAX as u32;
/// What one stream may have queued for sending: four frames.
const STREAM_QUEUE_BYTES: usize = 64 << 10;
/// What all streams of a connection may: sixteen that fill theirs. More only waits for the socket.
const CONNECTION_QUEUE_BYTES: usize = 1 << 20;
/// Streams that a client opened and reset before we had looked at them; more is an attack.
/// **Source**: the `h2` crate's own default, after CVE-2023-44487.
const PENDING_RESETS_MAX: usize = 20;
/// Streams that a client reset before a byte of the reply left, where these are more than half of
/// all it opened: it wants our work, not our answers.
/// **Source**: Envoy's `premature_reset_total_stream_count`, read 2026-11-21.
const PREMATURE_RESETS_MAX: u64 = 500;
/// A connection that sent this much beyond eight times what was of use (heads, bodies, replies)
/// floods us with frames. 30,000 PINGs.
const USELESS_BYTES_MAX: u64 = 512 << 10;
const USELESS_FACTOR: u64 = 8;
/// With a stream open and nothing heard for this long, the other side is asked whether it lives.
const PING_AFTER_MS: u64 = 20_000;
/// How long it may take to answer. Ten times the slowest round trip around the world by satellite.
const PONG_MS: u64 = 10_000;
