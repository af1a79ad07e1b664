//! Where things lie in the ring's file.
//!
//! **Shape**: 64-bit words, little-endian. One page of header (magic, version, epoch, cores, blocks
//! a core, CRC of those), then for each core its blocks of 64 words:
//!
//! ```text
//! word 0       commit word of a record's first block; always 0 in the others
//! words 1..63  payload
//! word 63      1 + number of the record's next block
//! ```
//!
//! The commit word says everything that must change at once: state, how much of the payload is
//! true, and the CRC over just that. It is 0, FREE, in a new file.

use crate::bridge::receipts::mapping::Memory;
use std::io;

const MAGIC: u64 = u64::from_le_bytes(*b"WEIRRING");
const VERSION: u64 = 1;
const HEADER_WORDS: usize = 512;
/// Magic, version, epoch, cores, blocks a core.
const HEADER_FIELDS: usize = 5;
pub(super) const BLOCK_WORDS: usize = 64;
pub(super) const BLOCK_PAYLOAD_WORDS: usize = BLOCK_WORDS - 2;
pub(super) const LINK_WORD: usize = BLOCK_WORDS - 1;
/// 4 KiB: the longest record.
pub(super) const CHAIN_BLOCKS_MAX: usize = 8;
pub(super) const PAYLOAD_WORDS_MAX: usize = CHAIN_BLOCKS_MAX * BLOCK_PAYLOAD_WORDS;
/// Fewer blocks than this a core would refuse what a single connection may have open.
const CORE_BLOCKS_MIN: usize = 16;

/// How a file is divided.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Layout {
    pub(super) cores: u16,
    /// Of each core.
    pub(super) blocks: u32,
}

impl Layout {
    pub(super) fn plan(ring_bytes: u64, cores: u16) -> io::Result<Self> {
        let words = usize::try_from(ring_bytes / 8).unwrap_or(usize::MAX);
        let shared = words.saturating_sub(HEADER_WORDS) / BLOCK_WORDS;
        let blocks = shared.checked_div(usize::from(cores)).unwrap_or(0);
        match u32::try_from(blocks) {
            Ok(count) if blocks >= CORE_BLOCKS_MIN && count < u32::MAX / 2 => {
                Ok(Self { cores, blocks: count })
            }
            _ => Err(io::Error::new(
                io::ErrorKind::InvalidInput,
                format!("a receipt ring of {ring_bytes} bytes does not suit {cores} cores"),
            )),
        }
    }

    pub(super) fn words(self) -> usize {
        HEADER_WORDS + usize::from(self.cores) * self.blocks as usize * BLOCK_WORDS
    }

    pub(super) fn bytes(self) -> u64 {
        self.words() as u64 * 8
    }

    /// The first word of a core's blocks.
    pub(super) fn core_base(self, core: u16) -> usize {
        HEADER_WORDS + usize::from(core) * self.blocks as usize * BLOCK_WORDS
    }

    pub(super) fn write_header<M: Memory>(self, memory: &M, epoch: u64) {
        let fields = [MAGIC, VERSION, epoch, u64::from(self.cores), u64::from(self.blocks)];
        for (at, field) in fields.into_iter().enumerate() {
            memory.store(at, field);
        }
        memory.commit(HEADER_FIELDS, u64::from(header_crc(fields)));
    }

    /// The layout and the epoch of a ring found; none where the header is not whole.
    pub(super) fn read_header<M: Memory>(memory: &M) -> Option<(Self, u64)> {
        if memory.len() < HEADER_WORDS {
            return None;
        }
        let fields: [u64; HEADER_FIELDS] = std::array::from_fn(|at| memory.load(at));
        let [magic, version, epoch, cores, blocks] = fields;
        let layout = Self { cores: cores.try_into().ok()?, blocks: blocks.try_into().ok()? };
        let is_whole = magic == MAGIC
            && version == VERSION
            && memory.load(HEADER_FIELDS) == u64::from(header_crc(fields))
            && layout.words() <= memory.len();
        is_whole.then_some((layout, epoch))
    }
}

fn header_crc(fields: [u64; HEADER_FIELDS]) -> u32 {
    let mut crc = crc32fast::Hasher::new();
    for field in fields {
        crc.update(&field.to_le_bytes());
    }
    crc.finalize()
}

/// A record's state; `Free` is what zeros say.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum State {
    Free = 0,
    Open = 1,
    Sealed = 2,
    Closed = 3,
}

/// The commit word, unpacked.
///
/// **Shape**, from the lowest bit: state 3, opening's words 10, outcome's first word 10, outcome's
/// words 9, CRC-32 of both parts 32.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Commit {
    pub(super) state: State,
    pub(super) opening_words: u16,
    pub(super) outcome_start: u16,
    pub(super) outcome_words: u16,
    pub(super) crc: u32,
}

impl Commit {
    pub(super) fn pack(self) -> u64 {
        debug_assert!(self.opening_words < 1 << 10 && self.outcome_start < 1 << 10);
        debug_assert!(self.outcome_words < 1 << 9);
        self.state as u64
            | u64::from(self.opening_words) << 3
            | u64::from(self.outcome_start) << 13
            | u64::from(self.outcome_words) << 23
            | u64::from(self.crc) << 32
    }

    /// None for a word that no writer writes.
    pub(super) fn unpack(word: u64) -> Option<Self> {
        let state = match word & 7 {
            0 => State::Free,
            1 => State::Open,
            2 => State::Sealed,
            3 => State::Closed,
            _ => return None,
        };
        #[expect(clippy::cast_possible_truncation, reason = "masked to ten bits at most")]
        let field = |shift: u32, bits: u32| ((word >> shift) & ((1 << bits) - 1)) as u16;
        let (opening_words, outcome_start) = (field(3, 10), field(13, 10));
        let outcome_words = field(23, 9);
        let end = usize::from(opening_words).max(usize::from(outcome_start + outcome_words));
        let crc = (word >> 32) as u32;
        (end <= PAYLOAD_WORDS_MAX).then_some(Self {
            state,
            opening_words,
            outcome_start,
            outcome_words,
            crc,
        })
    }
}

/// Appends a record's two parts to `bytes`, walking its chain from block `head`.
/// False where the chain leaves the core's blocks.
pub(super) fn read_record<M: Memory>(
    memory: &M,
    (base, blocks): (usize, u32),
    head: u32,
    commit: Commit,
    bytes: &mut Vec<u8>,
) -> bool {
    let outcome = usize::from(commit.outcome_start)..;
    let end = usize::from(commit.outcome_start + commit.outcome_words);
    let end = end.max(usize::from(commit.opening_words));
    let mut block = head;
    for at in 0..end {
        let within = at % BLOCK_PAYLOAD_WORDS;
        if within == 0 && at > 0 {
            let link = memory.load(base + block as usize * BLOCK_WORDS + LINK_WORD);
            match link.checked_sub(1).and_then(|next| u32::try_from(next).ok()) {
                Some(next) if next < blocks => block = next,
                _ => return false,
            }
        }
        if at < usize::from(commit.opening_words) || outcome.contains(&at) {
            let word = memory.load(base + block as usize * BLOCK_WORDS + 1 + within);
            bytes.extend_from_slice(&word.to_le_bytes());
        }
    }
    true
}
