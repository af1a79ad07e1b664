//! A core's end of the ring.
//!
//! `open` at admission, `seal` before the last bytes of the answer are sent, `close` when the
//! exchange is over. `seal` and `close` cannot fail: `open` took room for the shortest outcome
//! twice, so that the sealed one stays true while the closing one is written beside it; a longer
//! model name gets another block, or is cut where there is none.

use crate::{
    bridge::receipts::{
        layout::{BLOCK_PAYLOAD_WORDS, BLOCK_WORDS, CHAIN_BLOCKS_MAX, Commit, LINK_WORD, State},
        mapping::{Mapping, Memory},
        pairs::Encoded,
        queue::{Put, Take},
        record::{self, OUTCOME_WORDS_MIN},
    },
    lexicon::{
        ids::ReceiptId,
        receipt::{Opening, Outcome},
    },
};
use std::sync::Arc;

/// Blocks that `open` leaves for model names longer than a record's first block has room for.
const GROWTH_BLOCKS: usize = 4;

/// There is no room for another record.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Full;

/// An open record. Whoever holds it must close it: blocks of a forgotten one are lost until the
/// next start, which finds it interrupted.
#[derive(Debug)]
#[must_use = "a slot is closed, or its receipt says that the process died"]
pub struct Slot(u32);

/// What a core remembers of a record beside what the ring says.
#[derive(Clone, Copy, Default)]
struct Chain {
    /// The first `len` are true.
    blocks: [u32; CHAIN_BLOCKS_MAX],
    len: u8,
    opening_words: u16,
    opening_crc: u32,
    /// Where the outcome that was sealed last lies; empty while there is none.
    sealed: (u16, u16),
}

/// One a core; moves to its thread and stays there.
pub struct Writer<M = Mapping> {
    memory: Arc<M>,
    base: usize,
    epoch: u64,
    core: u16,
    sequence: u64,
    /// By first block, of the blocks that were ever taken; there is room for all, but a page of it
    /// is memory only once it is used.
    chains: Vec<Chain>,
    /// Last freed, first taken: few pages of the file are touched.
    free: Vec<u32>,
    growth_blocks: usize,
    closed: Put,
    freed: Take,
    scratch: Vec<u8>,
}

impl<M: Memory> Writer<M> {
    pub(super) fn new(
        memory: Arc<M>,
        base: usize,
        (epoch, core): (u64, u16),
        closed: Put,
        freed: Take,
    ) -> Self {
        let blocks = freed.capacity();
        Self {
            memory,
            base,
            epoch,
            core,
            sequence: 0,
            chains: Vec::with_capacity(blocks as usize),
            free: Vec::with_capacity(blocks as usize),
            growth_blocks: GROWTH_BLOCKS,
            closed,
            freed,
            scratch: Vec::with_capacity(2 * CHAIN_BLOCKS_MAX * BLOCK_WORDS * 8),
        }
    }

    /// What the ids of this process's receipts begin with.
    #[must_use]
    pub const fn epoch(&self) -> u64 {
        self.epoch
    }

    /// A record of an exchange that is admitted now.
    ///
    /// **Errors**: the ring is full, because the store does not take what it holds.
    /// **Cost**: some 30 word stores and a CRC over them.
    pub fn open(&mut self, opening: &Opening<'_>) -> Result<(Slot, ReceiptId), Full> {
        self.open_with(opening, None)
    }

    /// The same, where the metadata is encoded already.
    pub fn open_with(
        &mut self,
        opening: &Opening<'_>,
        metadata: Option<&Encoded>,
    ) -> Result<(Slot, ReceiptId), Full> {
        self.take_back();
        let id = ReceiptId { epoch: self.epoch, core: self.core, sequence: self.sequence };
        self.scratch.clear();
        record::encode_opening(id, opening, metadata, &mut self.scratch);
        let opening_words = self.scratch.len() / 8;
        let blocks = (opening_words + 2 * OUTCOME_WORDS_MIN).div_ceil(BLOCK_PAYLOAD_WORDS);
        if self.takeable() < blocks + self.growth_blocks {
            return Err(Full);
        }
        let head = self.take().ok_or(Full)?;
        let mut chain = Chain {
            opening_words: narrow(opening_words),
            opening_crc: crc32fast::hash(&self.scratch),
            ..Chain::default()
        };
        (chain.blocks[0], chain.len) = (head, 1);
        self.grow(&mut chain, blocks);
        self.write(&chain, 0);
        self.commit(&chain, State::Open, (0, 0), chain.opening_crc);
        self.chains[head as usize] = chain;
        self.sequence += 1;
        Ok((Slot(head), id))
    }

    /// The whole outcome, before the last bytes leave: from here on a death loses nothing of it.
    /// May be called again.
    pub fn seal(&mut self, slot: &Slot, outcome: &Outcome<'_>) {
        self.put(slot.0, State::Sealed, outcome);
    }

    /// The end; the record goes to the journal.
    pub fn close(&mut self, slot: Slot, outcome: &Outcome<'_>) {
        self.put(slot.0, State::Closed, outcome);
        self.closed.put(slot.0);
    }

    /// The end, as it was sealed last.
    ///
    /// **Cost**: one word, for the outcome is there already.
    pub fn close_sealed(&mut self, slot: Slot) {
        let at = self.word(slot.0, 0);
        let sealed = Commit::unpack(self.memory.load(at)).expect("this writer committed it");
        debug_assert_eq!(sealed.state, State::Sealed);
        self.memory.commit(at, Commit { state: State::Closed, ..sealed }.pack());
        self.closed.put(slot.0);
    }

    /// Blocks of 512 bytes that nothing holds; a record takes one, rarely more.
    /// Longer records that were released count as one until the next `open` takes them apart.
    #[must_use]
    pub fn free_blocks(&self) -> usize {
        self.takeable() + self.freed.len() as usize
    }

    /// Blocks that are free and known to be.
    fn takeable(&self) -> usize {
        self.free.len() + self.freed.capacity() as usize - self.chains.len()
    }

    /// A free block: one that was used before, else the first that never was.
    fn take(&mut self) -> Option<u32> {
        self.free.pop().or_else(|| {
            let next = u32::try_from(self.chains.len()).ok()?;
            (next < self.freed.capacity()).then(|| {
                self.chains.push(Chain::default());
                next
            })
        })
    }

    fn put(&mut self, head: u32, state: State, outcome: &Outcome<'_>) {
        let mut chain = self.chains[head as usize];
        self.scratch.clear();
        record::encode_outcome(outcome, usize::MAX, &mut self.scratch);
        let mut place = self.place(&mut chain, self.scratch.len() / 8);
        if place.is_none() {
            self.scratch.clear();
            record::encode_outcome(outcome, 0, &mut self.scratch);
            place = self.place(&mut chain, self.scratch.len() / 8);
        }
        let start = place.expect("open left room for an outcome without a model name");
        let words = self.scratch.len() / 8;
        let mut crc = crc32fast::Hasher::new_with_initial(chain.opening_crc);
        crc.update(&self.scratch);
        self.write(&chain, start);
        self.commit(&chain, state, (narrow(start), narrow(words)), crc.finalize());
        chain.sealed = (narrow(start), narrow(words.max(OUTCOME_WORDS_MIN)));
        self.chains[head as usize] = chain;
    }

    /// Where an outcome of so many words goes without touching the one that is true now; none where
    /// there is no block for it.
    ///
    /// An outcome counts as at least `OUTCOME_WORDS_MIN` long. One that lies first has as many
    /// words behind it, and one that lies further has as many before it: so the shortest always
    /// finds room.
    fn place(&mut self, chain: &mut Chain, words: usize) -> Option<usize> {
        let first = usize::from(chain.opening_words);
        let (sealed, sealed_words) = (usize::from(chain.sealed.0), usize::from(chain.sealed.1));
        let words = words.max(OUTCOME_WORDS_MIN);
        let (start, end) = if sealed_words == 0 || first + words <= sealed {
            (first, first + words + OUTCOME_WORDS_MIN)
        } else {
            (sealed + sealed_words, sealed + sealed_words + words)
        };
        self.grow(chain, end.div_ceil(BLOCK_PAYLOAD_WORDS)).then_some(start)
    }

    /// Makes the chain `blocks` long; false where there are not as many.
    fn grow(&mut self, chain: &mut Chain, blocks: usize) -> bool {
        if blocks > CHAIN_BLOCKS_MAX {
            return false;
        }
        while usize::from(chain.len) < blocks {
            let Some(block) = self.take() else { return false };
            let last = chain.blocks[usize::from(chain.len) - 1];
            self.memory.store(self.word(last, LINK_WORD), u64::from(block) + 1);
            chain.blocks[usize::from(chain.len)] = block;
            chain.len += 1;
            // Remembered at once: blocks of a chain that could not grow enough are freed with it.
            self.chains[chain.blocks[0] as usize] = *chain;
        }
        true
    }

    /// Stores `scratch` as payload from word `start` on.
    fn write(&self, chain: &Chain, start: usize) {
        let (mut words, _) = self.scratch.as_chunks();
        let mut at = start;
        while !words.is_empty() {
            let within = at % BLOCK_PAYLOAD_WORDS;
            let here = words.len().min(BLOCK_PAYLOAD_WORDS - within);
            let first = self.word(chain.blocks[at / BLOCK_PAYLOAD_WORDS], 1 + within);
            self.memory.store_all(first, &words[..here]);
            words = &words[here..];
            at += here;
        }
    }

    fn commit(&self, chain: &Chain, state: State, outcome: (u16, u16), crc: u32) {
        let commit = Commit {
            state,
            opening_words: chain.opening_words,
            outcome_start: outcome.0,
            outcome_words: outcome.1,
            crc,
        };
        self.memory.commit(self.word(chain.blocks[0], 0), commit.pack());
    }

    fn word(&self, block: u32, within: usize) -> usize {
        self.base + block as usize * BLOCK_WORDS + within
    }

    /// What the journal released goes onto the free list.
    fn take_back(&mut self) {
        while let Some(head) = self.freed.take() {
            let chain = &self.chains[head as usize];
            self.free.extend(chain.blocks[..usize::from(chain.len)].iter().rev());
        }
    }
}

/// A count of words within a record.
fn narrow(words: usize) -> u16 {
    u16::try_from(words).expect("a record is at most 496 words long")
}
