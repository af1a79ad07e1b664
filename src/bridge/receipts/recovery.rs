//! What the last process left in the ring.
//!
//! A closed or sealed record is taken as it stands: it carries status and usage. One that is only
//! open becomes `interrupted`. The rest is free, or never was committed.

use crate::{
    bridge::receipts::{
        data_dir::DataDir,
        layout::{self, BLOCK_WORDS, Commit, Layout, State},
        mapping::{Mapping, Memory},
        record,
    },
    lexicon::{
        ids::ReceiptId,
        receipt::{Ending, Outcome},
    },
};
use std::{io, path::Path};

/// Records that are perhaps not in the store yet.
#[derive(Debug, Default)]
pub struct Recovered {
    records: Vec<Vec<u8>>,
    epoch: u64,
    /// Records whose CRC does not hold, or a file that is not a ring: a process cannot leave that,
    /// a disk can.
    pub corrupt: usize,
}

/// Reads `DATA/ring`; empty where there is none yet.
pub fn recover(dir: &DataDir) -> io::Result<Recovered> {
    let path = dir.path().join("ring");
    match Mapping::open(&path) {
        Ok(memory) => scan(&memory).map_or_else(|| set_aside(&path), Ok),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(Recovered::default()),
        Err(_) if path.metadata().is_ok_and(|found| found.len() == 0) => set_aside(&path),
        Err(error) => Err(error),
    }
}

/// A file that is no ring is kept for a person to look at.
fn set_aside(path: &Path) -> io::Result<Recovered> {
    std::fs::rename(path, path.with_extension("corrupt"))?;
    Ok(Recovered { corrupt: 1, ..Recovered::default() })
}

/// The records in `memory`, by core and age; none where it holds no ring.
pub fn scan<M: Memory>(memory: &M) -> Option<Recovered> {
    let (layout, epoch) = Layout::read_header(memory)?;
    let mut recovered = Recovered { epoch, ..Recovered::default() };
    let mut records = Vec::new();
    for core in 0..layout.cores {
        let base = layout.core_base(core);
        for head in 0..layout.blocks {
            let word = memory.load(base + head as usize * BLOCK_WORDS);
            if word == 0 {
                continue;
            }
            match read(memory, (base, layout.blocks), head, word) {
                Some(record) => records.push(record),
                None => recovered.corrupt += 1,
            }
        }
    }
    records.sort_by_key(|(id, _)| (id.core, id.sequence));
    recovered.records = records.into_iter().map(|(_, record)| record).collect();
    Some(recovered)
}

fn read<M: Memory>(
    memory: &M,
    core: (usize, u32),
    head: u32,
    word: u64,
) -> Option<(ReceiptId, Vec<u8>)> {
    let commit = Commit::unpack(word)?;
    let mut record = Vec::new();
    let is_whole = layout::read_record(memory, core, head, commit, &mut record);
    if !is_whole || crc32fast::hash(&record) != commit.crc {
        return None;
    }
    let interrupted = Outcome { ending: Ending::Interrupted, ..Outcome::UNKNOWN };
    if commit.state == State::Open {
        record::renew(&mut record);
        record::encode_outcome(&interrupted, 0, &mut record);
    }
    let receipt = record::decode(&record).ok()?;
    let id = receipt.id;
    if receipt.outcome.ending == Ending::Open {
        let outcome = Outcome { ending: Ending::Interrupted, ..receipt.outcome };
        let mut ended = record[..usize::from(commit.opening_words) * 8].to_vec();
        record::renew(&mut ended);
        record::encode_outcome(&outcome, usize::MAX, &mut ended);
        return Some((id, ended));
    }
    Some((id, record))
}

impl Recovered {
    /// Encoded, ready for the store.
    pub fn records(&self) -> impl Iterator<Item = &[u8]> {
        self.records.iter().map(Vec::as_slice)
    }

    /// The epoch of a ring made now: the wall clock, or more where it runs behind.
    pub(super) fn next_epoch(&self, now_ms: u64) -> u64 {
        now_ms.max(self.epoch + 1)
    }
}
