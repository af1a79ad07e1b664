//! `DATA/receipts/`: segments that only grow, bounded by size and age.
//!
//! Each record is in here once, by id. Three things could break that, and do not: a write that
//! failed half way (the segment is shortened to where it was before anything else is written), a
//! torn tail after a power loss (shortened on opening), and a death between the append and the
//! ring's release (what the ring still held is compared with the end of the store; see `replay`).

use crate::{
    bridge::receipts::{record, recovery::Recovered},
    control_plane::journal::{
        disk::{self, Disk, Output},
        segment::{self, MAGIC, Segment},
    },
    lexicon::ids::ReceiptId,
};
use std::{
    collections::HashSet,
    fs, io,
    path::{Path, PathBuf},
    time::{Duration, SystemTime},
};

/// How much the store keeps.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// A segment is closed when the next batch would make it longer.
    pub segment_bytes: u64,
    /// The oldest segments go when all together are larger.
    pub total_bytes: u64,
    /// A segment goes when its last receipt is older.
    pub age: Duration,
}

impl Default for Limits {
    fn default() -> Self {
        Self { segment_bytes: 64 << 20, total_bytes: 4 << 30, age: Duration::from_hours(30 * 24) }
    }
}

/// The store, open for writing; one process has it, by the lock of the data directory.
pub struct Store {
    dir: PathBuf,
    limits: Limits,
    disk: Box<dyn Disk>,
    current: Option<Current>,
    /// The number of the next new segment.
    next: u64,
    /// A segment whose end is in doubt after a failed write, and its true length.
    doubtful: Option<(PathBuf, u64)>,
    is_unsynced: bool,
}

struct Current {
    path: PathBuf,
    output: Box<dyn Output>,
    bytes: u64,
}

/// What came of the records of the last process.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Replayed {
    pub stored: usize,
    /// Found in the store already.
    pub known: usize,
}

impl Store {
    /// The store under `data_dir`, made where it is missing; the torn end of its last segment is
    /// cut off.
    pub fn open(data_dir: &Path, limits: Limits, mut disk: Box<dyn Disk>) -> io::Result<Self> {
        use std::os::unix::fs::DirBuilderExt;
        let dir = data_dir.join("receipts");
        fs::DirBuilder::new().recursive(true).mode(0o700).create(&dir)?;
        let segments = segment::list(&dir)?;
        let next = segments.last().map_or(1, |(number, _)| number + 1);
        let mut current = None;
        if let Some((_, path)) = segments.into_iter().next_back() {
            let whole = whole_bytes(&path)?;
            if path.metadata()?.len() != whole {
                disk.shorten(&path, whole)?;
            }
            current = Some(begin(&mut *disk, path, whole)?);
        }
        Ok(Self { dir, limits, disk, current, next, doubtful: None, is_unsynced: false })
    }

    /// Stores what the ring held when the last process ended, unless it is here already.
    ///
    /// What is here already is the end of the store: records are released right after they are
    /// appended. So segments are read from the newest backwards, until one begins with a record
    /// that the ring did not hold.
    pub fn replay(&mut self, recovered: &Recovered) -> io::Result<Replayed> {
        let held: HashSet<ReceiptId> = recovered.records().filter_map(id_of).collect();
        let mut known = HashSet::new();
        for (_, path) in segment::list(&self.dir)?.into_iter().rev() {
            let mut segment = Segment::open(&path)?;
            let mut is_first = true;
            let mut begins_with_held = true;
            while let Some(record) = segment.read()? {
                let id = id_of(record).filter(|id| held.contains(id));
                if std::mem::take(&mut is_first) {
                    begins_with_held = id.is_some();
                }
                known.extend(id);
            }
            if held.is_empty() || !begins_with_held {
                break;
            }
        }
        let mut frames = Vec::new();
        let mut stored = 0;
        for record in recovered.records() {
            if id_of(record).is_some_and(|id| !known.contains(&id)) {
                segment::frame(record, &mut frames);
                stored += 1;
            }
        }
        if stored > 0 {
            self.append(&frames)?;
            self.sync()?;
        }
        Ok(Replayed { stored, known: known.len() })
    }

    /// Appends whole frames, all or none of them.
    ///
    /// **Errors**: the disk's; the same frames may be offered again.
    pub(super) fn append(&mut self, frames: &[u8]) -> io::Result<()> {
        if let Some((path, bytes)) = &self.doubtful {
            self.disk.shorten(path, *bytes)?;
            self.doubtful = None;
        }
        let more = frames.len() as u64;
        let is_full = |current: &Current| {
            current.bytes > MAGIC.len() as u64 && current.bytes + more > self.limits.segment_bytes
        };
        if self.current.as_ref().is_some_and(is_full) {
            self.sync()?;
            self.current = None;
        }
        let mut current = match self.current.take() {
            Some(current) => current,
            None => self.fresh()?,
        };
        match current.output.write(frames) {
            Ok(()) => {
                current.bytes += more;
                self.current = Some(current);
                self.is_unsynced = true;
                Ok(())
            }
            Err(error) => {
                self.doubtful = Some((current.path, current.bytes));
                Err(error)
            }
        }
    }

    fn fresh(&mut self) -> io::Result<Current> {
        let path = self.dir.join(format!("{:010}.log", self.next));
        let current = begin(&mut *self.disk, path.clone(), 0).inspect_err(|_| {
            // Whatever became of it, the next try begins it again.
            self.doubtful = Some((path, 0));
        })?;
        self.next += 1;
        disk::sync_names(&self.dir)?;
        Ok(current)
    }

    /// Until what was appended would survive a power loss.
    ///
    /// **Errors**: the disk's; what was appended since the last success may be lost with the power,
    /// and the next append begins a fresh segment.
    pub(super) fn sync(&mut self) -> io::Result<()> {
        if !std::mem::take(&mut self.is_unsynced) {
            return Ok(());
        }
        let Some(current) = &mut self.current else { return Ok(()) };
        current.output.sync().inspect_err(|_| self.current = None)
    }

    /// Deletes the oldest segments beyond the limits, each after `retire` has heard of it; never
    /// the one being written.
    pub fn retain(
        &mut self,
        now: SystemTime,
        retire: &mut dyn FnMut(u64, &Path) -> io::Result<()>,
    ) -> io::Result<()> {
        let mut kept = Vec::new();
        let mut total_bytes = 0;
        for (number, path) in segment::list(&self.dir)? {
            let about = path.metadata()?;
            total_bytes += about.len();
            kept.push((path, about.len(), about.modified()?, number));
        }
        kept.pop_if(|last| self.current.as_ref().is_some_and(|current| current.path == last.0));
        for (path, bytes, written, number) in kept {
            let age = now.duration_since(written).unwrap_or_default();
            if total_bytes <= self.limits.total_bytes && age <= self.limits.age {
                break;
            }
            retire(number, &path)?;
            fs::remove_file(&path)?;
            total_bytes -= bytes;
        }
        Ok(())
    }
}

/// A segment to append to, `bytes` long so far; its magic is written where it is new.
fn begin(disk: &mut dyn Disk, path: PathBuf, bytes: u64) -> io::Result<Current> {
    let mut output = disk.append(&path)?;
    if bytes > 0 {
        return Ok(Current { path, output, bytes });
    }
    output.write(&MAGIC)?;
    Ok(Current { path, output, bytes: MAGIC.len() as u64 })
}

/// How long a segment is without its torn end; 0 where not even its magic is whole.
fn whole_bytes(path: &Path) -> io::Result<u64> {
    if path.metadata()?.len() < MAGIC.len() as u64 {
        return Ok(0);
    }
    let mut segment = Segment::open(path)?;
    while segment.read()?.is_some() {}
    Ok(segment.read_bytes())
}

fn id_of(record: &[u8]) -> Option<ReceiptId> {
    record::decode(record).ok().map(|receipt| receipt.id)
}
