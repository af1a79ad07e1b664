//! Connections that wait for their next call.

use crate::{
    data_plane::{http2::vendor::Uplinks, link::Link},
    lexicon::{ids::EndpointKey, settings::Settings, time::Moment},
};
use std::{
    cell::RefCell,
    collections::HashMap,
    hash::{BuildHasherDefault, Hasher},
    rc::Rc,
};

struct Idle {
    link: Link,
    since: Moment,
}

/// A core's idle connections, by endpoint; the last one in is the first one out, being the warmest.
pub struct Pools {
    idle: RefCell<HashMap<EndpointKey, Vec<Idle>, BuildHasherDefault<KeyHasher>>>,
    /// Those that several calls share, idle or not.
    uplinks: Rc<Uplinks>,
}

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
    pub fn new(uplinks: Rc<Uplinks>) -> Self {
        Self { idle: RefCell::default(), uplinks }
    }

    /// A connection that was used before, if one waits.
    ///
    /// One that has ended, or on which something came that nobody asked for (a farewell as 408, or
    /// more than the last answer), is closed: its bytes would be taken for the next answer.
    pub fn take(&self, endpoint: EndpointKey) -> Option<Link> {
        let mut pools = self.idle.borrow_mut();
        while let Some(Idle { mut link, .. }) = pools.get_mut(&endpoint).and_then(Vec::pop) {
            if link.is_quiet() {
                return Some(link);
            }
        }
        self.uplinks.take(endpoint)
    }

    /// Keep a connection, unless enough are kept.
    pub fn give(&self, endpoint: EndpointKey, link: Link, now: Moment, settings: &Settings) {
        if link.is_stream() {
            return; // It has ended; what it was a part of was never taken.
        }
        let mut pools = self.idle.borrow_mut();
        let pool = pools.entry(endpoint).or_default();
        if pool.len() < settings.bounds.pool_idle_max {
            pool.push(Idle { link, since: now });
        }
    }

    /// Close those that waited too long; how many still wait.
    pub fn sweep(&self, now: Moment, settings: &Settings) -> usize {
        let mut pools = self.idle.borrow_mut();
        let limit = settings.timeouts.pool_idle_ms * 1_000_000;
        let mut left = 0;
        pools.retain(|_, pool| {
            // Oldest first: what is given goes to the end.
            let expired = pool.iter().take_while(|idle| now.since(idle.since) > limit).count();
            pool.drain(..expired);
            left += pool.len();
            !pool.is_empty()
        });
        left + self.uplinks.sweep(now, settings)
    }

    /// Close all.
    pub fn clear(&self) {
        self.idle.borrow_mut().clear();
        self.uplinks.clear();
    }
}
