//! Connections that wait for their next call.

use crate::{
    data_plane::link::Link,
    lexicon::{ids::EndpointKey, settings::Settings, time::Moment},
};
use std::{
    cell::RefCell,
    collections::HashMap,
    hash::{BuildHasherDefault, Hasher},
};

/// A connection that rested less is taken unasked: what a vendor says unasked comes with the end of
/// its answer, where it is seen, or when it loses patience, which takes longer than this. Asking is
/// a system call.
const UNASKED_NS_MAX: u64 = 1_000_000;

struct Idle {
    link: Link,
    since: Moment,
}

/// A core's idle connections, by endpoint; the last one in is the first one out, being the warmest.
#[derive(Default)]
pub struct Pools(RefCell<HashMap<EndpointKey, Vec<Idle>, BuildHasherDefault<KeyHasher>>>);

/// A key is a hash already (`provider/target.rs`).
#[derive(Default)]
struct KeyHasher(u64);

impl Hasher for KeyHasher {
    fn write_u64(&mut self, key: u64) {
        self.0 = key;
    }

    fn write(&mut self, _: &[u8]) {
        unreachable!("a key is one number");
    }

    fn finish(&self) -> u64 {
        self.0
    }
}

impl Pools {
    /// A connection that was used before, if one waits.
    ///
    /// One that has ended, or on which something came that nobody asked for (a farewell as 408, or
    /// more than the last answer), is closed: its bytes would be taken for the next answer.
    pub fn take(&self, endpoint: EndpointKey, now: Moment) -> Option<Link> {
        let mut pools = self.0.borrow_mut();
        let pool = pools.get_mut(&endpoint)?;
        while let Some(Idle { mut link, since }) = pool.pop() {
            if link.is_clear() && (now.since(since) < UNASKED_NS_MAX || link.is_quiet()) {
                return Some(link);
            }
        }
        None
    }

    /// Keep a connection, unless enough are kept.
    pub fn give(&self, endpoint: EndpointKey, link: Link, now: Moment, settings: &Settings) {
        let mut pools = self.0.borrow_mut();
        let pool = pools.entry(endpoint).or_default();
        if pool.len() < settings.bounds.pool_idle_max {
            pool.push(Idle { link, since: now });
        }
    }

    /// Close those that waited too long; how many still wait.
    pub fn sweep(&self, now: Moment, settings: &Settings) -> usize {
        let mut pools = self.0.borrow_mut();
        let limit = settings.timeouts.pool_idle_ms * 1_000_000;
        let mut left = 0;
        pools.retain(|_, pool| {
            // Oldest first: what is given goes to the end.
            let expired = pool.iter().take_while(|idle| now.since(idle.since) > limit).count();
            pool.drain(..expired);
            left += pool.len();
            !pool.is_empty()
        });
        left
    }

    /// Close all.
    pub fn clear(&self) {
        self.0.borrow_mut().clear();
    }
}
