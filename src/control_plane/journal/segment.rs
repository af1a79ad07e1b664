//! One file of the receipt store.
//!
//! **Shape**: the eight bytes `WEIRLOG1`, then frames: length u32, CRC-32 of the record u32, the
//! record (`bridge/receipts/record.rs`); little-endian. A file ends where a frame is not whole.

use std::{
    fs::{self, File},
    io,
    os::unix::fs::FileExt,
    path::{Path, PathBuf},
};

pub(super) const MAGIC: [u8; 8] = *b"WEIRLOG1";
const FRAME_HEAD_BYTES: usize = 8;
/// Twice what the ring can hold: a longer length is garbage.
const RECORD_BYTES_MAX: usize = 8192;
/// Of one read.
const READ_BYTES: usize = 64 * 1024;

/// Appends the frame of `record`.
pub(super) fn frame(record: &[u8], frames: &mut Vec<u8>) {
    let length = u32::try_from(record.len()).expect("a record is at most 4 KiB");
    frames.extend_from_slice(&length.to_le_bytes());
    frames.extend_from_slice(&crc32fast::hash(record).to_le_bytes());
    frames.extend_from_slice(record);
}

/// The records of `frames`, which [`frame`] made.
pub(super) fn records(mut frames: &[u8]) -> impl Iterator<Item = &[u8]> {
    std::iter::from_fn(move || {
        let record = whole(frames)?;
        frames = &frames[FRAME_HEAD_BYTES + record.len()..];
        Some(record)
    })
}

/// The record of the frame that `bytes` begin with, where it is whole and true.
fn whole(bytes: &[u8]) -> Option<&[u8]> {
    let length = u32::from_le_bytes(bytes.get(..4)?.try_into().ok()?) as usize;
    let crc = u32::from_le_bytes(bytes.get(4..8)?.try_into().ok()?);
    let record = bytes.get(FRAME_HEAD_BYTES..)?.get(..length)?;
    (length <= RECORD_BYTES_MAX && crc32fast::hash(record) == crc).then_some(record)
}

/// A segment being read, from its beginning on; it may still grow.
pub struct Segment {
    file: File,
    /// Where the next frame begins, in the file and in `buffer`.
    at: u64,
    start: usize,
    buffer: Vec<u8>,
}

impl Segment {
    /// **Errors**: it cannot be opened; it is no segment.
    pub fn open(path: &Path) -> io::Result<Self> {
        let file = File::open(path)?;
        let mut magic = [0; MAGIC.len()];
        let is_begun = file.read_at(&mut magic, 0)? == MAGIC.len();
        if is_begun && magic != MAGIC {
            let text = format!("{} is not a segment of the receipt store", path.display());
            return Err(io::Error::new(io::ErrorKind::InvalidData, text));
        }
        Ok(Self { file, at: MAGIC.len() as u64, start: 0, buffer: Vec::new() })
    }

    /// The next record; none where there is no further whole one now.
    pub fn read(&mut self) -> io::Result<Option<&[u8]>> {
        loop {
            if let Some(length) = whole(&self.buffer[self.start..]).map(<[u8]>::len) {
                let from = self.start + FRAME_HEAD_BYTES;
                self.start = from + length;
                self.at += (FRAME_HEAD_BYTES + length) as u64;
                return Ok(Some(&self.buffer[from..from + length]));
            }
            if !self.fill()? {
                // What was seen of a torn end may be written anew.
                self.buffer.clear();
                return Ok(None);
            }
        }
    }

    /// Reads on; false where nothing more could make the frame at hand whole.
    fn fill(&mut self) -> io::Result<bool> {
        self.buffer.drain(..std::mem::take(&mut self.start));
        let known = self.buffer.len();
        if known >= FRAME_HEAD_BYTES + RECORD_BYTES_MAX {
            return Ok(false);
        }
        self.buffer.resize(known + READ_BYTES, 0);
        let more = self.file.read_at(&mut self.buffer[known..], self.at + known as u64)?;
        self.buffer.truncate(known + more);
        Ok(more > 0)
    }

    /// Bytes up to the end of what was read.
    #[must_use]
    pub fn read_bytes(&self) -> u64 {
        self.at
    }
}

/// The segment at `path`; none where there is none any more.
///
/// # Errors
/// The disk's.
pub fn open_if_there(path: &Path) -> io::Result<Option<Segment>> {
    match Segment::open(path) {
        Ok(segment) => Ok(Some(segment)),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(error),
    }
}

/// The segments in the store's directory, oldest first: number and path.
pub fn list(dir: &Path) -> io::Result<Vec<(u64, PathBuf)>> {
    let mut segments = Vec::new();
    for entry in fs::read_dir(dir)? {
        let path = entry?.path();
        let is_log = path.extension().is_some_and(|extension| extension == "log");
        let number = path.file_stem().and_then(|stem| stem.to_str()?.parse().ok());
        if let (true, Some(number)) = (is_log, number) {
            segments.push((number, path));
        }
    }
    segments.sort_unstable();
    Ok(segments)
}
