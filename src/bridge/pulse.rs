//! How a core feels: numbers that one core writes and anyone reads.

use std::sync::atomic::{AtomicU64, Ordering};

/// One core's numbers. Each has one writer, so the writer needs no read-modify-write.
#[derive(Debug, Default)]
#[repr(align(128))] // Two cache lines: the neighbour prefetcher pairs them.
pub struct Pulse {
    /// 1 io_uring, 2 epoll, 0 not running yet.
    pub driver: Number,
    pub connections: Number,
    pub connections_total: Number,
    pub exchanges_in_flight: Number,
    pub upstream_connections_opened_total: Number,
    pub upstream_connections_idle: Number,
    pub panics_total: Number,
    pub receipts_refused_total: Number,
    pub receipts_dropped_total: Number,
    /// `Writer::free_blocks` of this core.
    pub ring_free_blocks: Number,
    pub snapshot_version: Number,
    /// Milliseconds since the process began, at the core's last turn: old means stuck. 0 is never.
    pub beat_ms: Number,
    /// How much of the last while it ran or wanted to run.
    pub busy_permille: Number,
    /// Connections that asked something in the last window.
    pub connections_active: Number,
    pub connections_given_total: Number,
    pub connections_taken_total: Number,
    pub proxy_headers_refused_total: Number,
    pub tls_handshakes_failed_total: Number,
}

/// A number with one writer.
#[derive(Debug, Default)]
pub struct Number(AtomicU64);

impl Number {
    #[must_use]
    pub fn get(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }

    /// For its one writer.
    pub fn set(&self, value: u64) {
        self.0.store(value, Ordering::Relaxed);
    }

    /// For its one writer.
    pub fn add(&self, more: u64) {
        self.set(self.get().wrapping_add(more));
    }

    /// For its one writer.
    pub fn sub(&self, less: u64) {
        self.set(self.get().saturating_sub(less));
    }
}
