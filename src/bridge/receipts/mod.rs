//! The ring that carries receipts up, in a file that outlives the process.
//!
//! `DATA/ring` is preallocated, mapped into memory and split evenly among the cores. Exchanges end
//! out of order and streams live for minutes, so it is no queue: each core has a table of blocks, a
//! record is a chain of them, and only the *numbers* of closed records travel (`queue.rs`). In the
//! order of a record's life: `writer.rs` (a core's end), `reader.rs` (the journal's end),
//! `recovery.rs` (what a dead process left). `record.rs` is what a record says (`pairs.rs` its
//! metadata), `layout.rs` where it lies, `mapping.rs` the file as words.
//!
//! Start-up is [`recovery::recover`], then the store takes what was left, then [`create`], which
//! wants the [`recovery::Recovered`] by value: a ring cannot be formatted over receipts that nobody
//! has read.
//!
//! **Invariants**: no store is visible before the one commit word that makes it true, so the file
//! can be read after a death between any two stores; no allocation, no syscall and no lock in
//! `open`, `seal` and `close`; nothing is overwritten before the reader released it.

pub mod data_dir;
mod layout;
pub mod mapping;
pub mod pairs;
mod queue;
pub mod reader;
pub mod record;
pub mod recovery;
pub mod writer;

use data_dir::DataDir;
use layout::Layout;
use mapping::{Mapping, Memory};
use reader::Reader;
use recovery::Recovered;
use std::{io, sync::Arc};
use writer::Writer;

/// The size of the ring of a process unless told otherwise: 130,000 exchanges in flight or not yet
/// in the store.
pub const RING_BYTES_DEFAULT: u64 = 64 << 20;

/// A new ring in `dir`, in place of the one that `recovered` was read from: a writer for each core,
/// the reader for the journal.
///
/// **Errors**: no room on the disk for the whole of it, too small for that many cores.
pub fn create(
    dir: &DataDir,
    recovered: Recovered,
    ring_bytes: u64,
    cores: u16,
) -> io::Result<(Vec<Writer>, Reader)> {
    let layout = Layout::plan(ring_bytes, cores)?;
    let fresh = dir.path().join("ring.new");
    let mapping = Mapping::create(&fresh, layout.bytes())?;
    let ends = format(Arc::new(mapping), ring_bytes, cores, recovered.next_epoch(now_ms()))?;
    // The old ring is whole until the new one stands in its place.
    std::fs::rename(&fresh, dir.path().join("ring"))?;
    Ok(ends)
}

/// A ring over `memory`, which holds zeros only.
pub fn format<M: Memory>(
    memory: Arc<M>,
    ring_bytes: u64,
    cores: u16,
    epoch: u64,
) -> io::Result<(Vec<Writer<M>>, Reader<M>)> {
    let layout = Layout::plan(ring_bytes, cores)?;
    layout.write_header(&*memory, epoch);
    let mut writers = Vec::new();
    let mut lanes = Vec::new();
    for core in 0..cores {
        let (closed, closed_out) = queue::queue(layout.blocks)?;
        let (freed_in, freed) = queue::queue(layout.blocks)?;
        let base = layout.core_base(core);
        let memory = &memory;
        writers.push(Writer::new(Arc::clone(memory), base, (epoch, core), closed, freed));
        lanes.push(reader::Lane { base, closed: closed_out, freed: freed_in });
    }
    Ok((writers, Reader::new(memory, lanes)))
}

fn now_ms() -> u64 {
    let since = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH);
    since.map_or(0, |since| u64::try_from(since.as_millis()).unwrap_or(u64::MAX))
}
