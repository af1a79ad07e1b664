//! The vendor's memory: every request as it came, and what became of its connection.

use std::{
    sync::{Condvar, Mutex, PoisonError},
    time::{Duration, Instant},
};

/// One request as the vendor saw it.
#[derive(Clone, Debug)]
pub struct Seen {
    /// Connections are numbered from 0 in the order of their acceptance.
    pub connection: u64,
    pub method: String,
    /// With the query, if there was one.
    pub path: String,
    /// In their order, names as written; bytes that are not UTF-8 are replaced.
    pub headers: Vec<(String, String)>,
    /// The head's bytes, through the empty line.
    pub head: Vec<u8>,
    /// The body's bytes, without chunk framing.
    pub body: Vec<u8>,
    /// When the whole request had arrived.
    pub arrived: Instant,
    /// When the last byte of the answer was handed to the kernel.
    pub answered: Option<Instant>,
    /// When the client closed the connection of its latest request.
    pub client_closed_at: Option<Instant>,
}

impl Seen {
    /// The first header of this name, case-insensitive.
    #[must_use]
    pub fn header(&self, name: &str) -> Option<&str> {
        let mut found = self.headers.iter().filter(|(key, _)| key.eq_ignore_ascii_case(name));
        found.next().map(|(_, value)| value.as_str())
    }

    /// Did the client close before the answer was complete?
    #[must_use]
    pub fn was_abandoned(&self) -> bool {
        self.client_closed_at.is_some() && self.answered.is_none()
    }
}

#[derive(Default)]
pub(super) struct Log {
    seen: Mutex<Vec<Seen>>,
    changed: Condvar,
}

impl Log {
    pub fn all(&self) -> Vec<Seen> {
        self.seen.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Keeps one more; its number.
    pub fn add(&self, seen: Seen) -> usize {
        let mut all = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
        all.push(seen);
        self.changed.notify_all();
        all.len() - 1
    }

    pub fn answered(&self, number: usize) {
        self.note(number, |seen| seen.answered = Some(Instant::now()));
    }

    pub fn client_closed(&self, number: usize) {
        self.note(number, |seen| seen.client_closed_at = Some(Instant::now()));
    }

    fn note(&self, number: usize, note: impl FnOnce(&mut Seen)) {
        let mut all = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(seen) = all.get_mut(number) {
            note(seen);
        }
        self.changed.notify_all();
    }

    pub fn wait_until(&self, within: Duration, mut holds: impl FnMut(&[Seen]) -> bool) -> bool {
        let all = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
        let (_all, timeout) = self
            .changed
            .wait_timeout_while(all, within, |all| !holds(all))
            .unwrap_or_else(PoisonError::into_inner);
        !timeout.timed_out()
    }
}
