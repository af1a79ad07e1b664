//! Block numbers from one thread to one other, in ordinary memory.
//!
//! It never overflows: it has a place for every block there is, and a block is in it at most once.
//! That also orders a place's reuse after its reading: whoever puts a block again has got it back
//! through the queue of the other direction.

use crate::bridge::receipts::mapping::Table;
use std::{
    io,
    sync::{
        Arc,
        atomic::{AtomicU32, Ordering},
    },
};

struct Ring {
    blocks: u32,
    places: Table,
    /// How many were ever put, how many taken; both wrap.
    put: Padded,
    taken: Padded,
}

/// Two cache lines: the neighbour prefetcher pairs them.
#[derive(Default)]
#[repr(align(128))]
struct Padded(AtomicU32);

/// The putting end.
pub(super) struct Put {
    ring: Arc<Ring>,
    count: u32,
}

/// The taking end.
pub(super) struct Take {
    ring: Arc<Ring>,
    count: u32,
}

pub(super) fn queue(blocks: u32) -> io::Result<(Put, Take)> {
    // A power of two, so that a wrapped count still finds its place.
    let places = Table::zeros(blocks.next_power_of_two() as usize)?;
    let ring = Arc::new(Ring { blocks, places, put: Padded::default(), taken: Padded::default() });
    Ok((Put { ring: Arc::clone(&ring), count: 0 }, Take { ring, count: 0 }))
}

impl Ring {
    fn place(&self, count: u32) -> &AtomicU32 {
        let places = self.places.numbers();
        &places[count as usize & (places.len() - 1)]
    }
}

impl Put {
    /// How many blocks there are.
    pub(super) fn capacity(&self) -> u32 {
        self.ring.blocks
    }

    pub(super) fn put(&mut self, block: u32) {
        debug_assert!(
            (self.count.wrapping_sub(self.ring.taken.0.load(Ordering::Relaxed)) as usize)
                < self.ring.places.numbers().len(),
            "a block is in here twice"
        );
        self.ring.place(self.count).store(block, Ordering::Relaxed);
        self.count = self.count.wrapping_add(1);
        self.ring.put.0.store(self.count, Ordering::Release);
    }
}

impl Take {
    /// How many blocks there are.
    pub(super) fn capacity(&self) -> u32 {
        self.ring.blocks
    }

    /// How many wait.
    pub(super) fn len(&self) -> u32 {
        self.ring.put.0.load(Ordering::Acquire).wrapping_sub(self.count)
    }

    pub(super) fn take(&mut self) -> Option<u32> {
        if self.len() == 0 {
            return None;
        }
        let block = self.ring.place(self.count).load(Ordering::Relaxed);
        self.count = self.count.wrapping_add(1);
        self.ring.taken.0.store(self.count, Ordering::Release);
        Some(block)
    }
}
