//! The journal's end of the ring, for all cores.

use crate::bridge::receipts::{
    layout::{self, BLOCK_WORDS, Commit},
    mapping::{Mapping, Memory},
    queue::{Put, Take},
};
use std::sync::Arc;

/// One core's blocks and queues.
pub(super) struct Lane {
    pub(super) base: usize,
    /// First blocks of records that are closed.
    pub(super) closed: Take,
    /// The same, when they are in the store.
    pub(super) freed: Put,
}

/// There is one; it belongs to the journal.
pub struct Reader<M = Mapping> {
    memory: Arc<M>,
    lanes: Vec<Lane>,
    /// Drained and not released: lane, first block.
    held: Vec<(usize, u32)>,
    record: Vec<u8>,
}

impl<M: Memory> Reader<M> {
    pub(super) fn new(memory: Arc<M>, lanes: Vec<Lane>) -> Self {
        Self { memory, lanes, held: Vec::new(), record: Vec::new() }
    }

    /// Shows up to `max` closed records, each core's in the order in which they were closed. They
    /// stay in the ring until [`Reader::release`]. Returns how many it has shown.
    pub fn drain(&mut self, max: usize, each: &mut dyn FnMut(&[u8])) -> usize {
        let mut shown = 0;
        let fair = max.div_ceil(self.lanes.len().max(1));
        for (at, lane) in self.lanes.iter_mut().enumerate() {
            for _ in 0..fair.min(max - shown) {
                let Some(head) = lane.closed.take() else { break };
                let word = self.memory.load(lane.base + head as usize * BLOCK_WORDS);
                let commit = Commit::unpack(word).expect("a writer committed it");
                let core = (lane.base, lane.freed.capacity());
                self.record.clear();
                let is_whole =
                    layout::read_record(&*self.memory, core, head, commit, &mut self.record);
                debug_assert!(is_whole && crc32fast::hash(&self.record) == commit.crc);
                each(&self.record);
                self.held.push((at, head));
                shown += 1;
            }
        }
        shown
    }

    /// Gives what was drained back to its cores: it is safely in the store.
    pub fn release(&mut self) {
        for (at, head) in self.held.drain(..) {
            let lane = &mut self.lanes[at];
            self.memory.commit(lane.base + head as usize * BLOCK_WORDS, 0);
            lane.freed.put(head);
        }
    }

    /// Closed records that nobody has drained.
    #[must_use]
    pub fn waiting(&self) -> usize {
        self.lanes.iter().map(|lane| lane.closed.len() as usize).sum()
    }
}
