//! Memory as words that several threads, or two processes one after the other, look at.
//!
//! [`Mapping`] is a file; a simulator gives its own [`Memory`] and stops it between two stores.
//!
//! [`Table`] is memory of this process alone, whose pages cost nothing until they are used.
//!
//! **JUSTIFICATION** of the `unsafe`: the words of a dead process can only be read back if they
//! lay in a shared mapping, and a mapping has no safe form.

#![allow(unsafe_code)]

use std::{
    fs::{File, OpenOptions},
    io,
    os::unix::fs::OpenOptionsExt,
    path::Path,
    sync::atomic::{AtomicU32, AtomicU64, Ordering},
};

// A ring is read back by the same machine, but tools may copy it: one byte order only.
const _: () = assert!(cfg!(target_endian = "little"), "the ring is little-endian");

/// Words, all zero at first.
#[allow(clippy::len_without_is_empty, reason = "it never is")]
pub trait Memory: Send + Sync + 'static {
    /// How many; never 0.
    fn len(&self) -> usize;
    /// Sees all that was stored before the commit that it sees.
    fn load(&self, at: usize) -> u64;
    /// Visible at the latest with the next commit.
    fn store(&self, at: usize, value: u64);
    /// The same of words one after the other, as bytes in the ring's order.
    fn store_all(&self, at: usize, words: &[[u8; 8]]) {
        for (at, word) in (at..).zip(words) {
            self.store(at, u64::from_le_bytes(*word));
        }
    }
    /// Visible after all that was stored before it.
    fn commit(&self, at: usize, value: u64);
}

/// A file mapped into memory, shared with the kernel's page cache: what was stored is in the file
/// when the process dies at the next instruction (not when the machine does).
pub struct Mapping {
    map: memmap2::MmapRaw,
    /// Whole words only.
    words: usize,
}

impl Mapping {
    /// A new file of `bytes` zeros whose blocks are on the disk already.
    ///
    /// **Errors**: the disk has no room for it.
    pub fn create(path: &Path, bytes: u64) -> io::Result<Self> {
        let file = OpenOptions::new()
            .read(true)
            .write(true)
            .create(true)
            .truncate(true)
            .mode(0o600)
            .open(path)?;
        // Without this, a full disk would be a SIGBUS at some store later.
        rustix::fs::fallocate(&file, rustix::fs::FallocateFlags::empty(), 0, bytes)?;
        Self::map(&file)
    }

    /// A file as it is.
    pub fn open(path: &Path) -> io::Result<Self> {
        Self::map(&OpenOptions::new().read(true).write(true).open(path)?)
    }

    fn map(file: &File) -> io::Result<Self> {
        let map = memmap2::MmapOptions::new().map_raw(file)?;
        let words = map.len() / 8;
        Ok(Self { map, words })
    }

    #[expect(clippy::cast_ptr_alignment, reason = "a mapping begins on a page")]
    fn words(&self) -> &[AtomicU64] {
        // SAFETY: the mapping is `words * 8` bytes long or longer, readable, writable and page
        // aligned, and lives as long as `self`. AtomicU64 has the size and the alignment of u64,
        // any bits are valid in it, and it may change under a shared reference. Nobody holds any
        // other kind of reference into the mapping. The file is not shortened under us: it is made
        // at its full length, and `DataDir` keeps other processes of ours away by a lock.
        unsafe { std::slice::from_raw_parts(self.map.as_mut_ptr().cast::<AtomicU64>(), self.words) }
    }
}

impl Memory for Mapping {
    fn len(&self) -> usize {
        self.words
    }

    fn load(&self, at: usize) -> u64 {
        self.words()[at].load(Ordering::Acquire)
    }

    fn store(&self, at: usize, value: u64) {
        self.words()[at].store(value, Ordering::Relaxed);
    }

    fn store_all(&self, at: usize, words: &[[u8; 8]]) {
        for (place, word) in self.words()[at..at + words.len()].iter().zip(words) {
            place.store(u64::from_le_bytes(*word), Ordering::Relaxed);
        }
    }

    fn commit(&self, at: usize, value: u64) {
        self.words()[at].store(value, Ordering::Release);
    }
}

/// Numbers that several threads look at, all zero at first. A ring has room for many more records
/// than a quiet gateway ever holds: a page of a table is there once something is stored in it.
pub struct Table {
    map: memmap2::MmapRaw,
    len: usize,
}

impl Table {
    /// **Errors**: no address space for it.
    pub fn zeros(len: usize) -> io::Result<Self> {
        let map = memmap2::MmapOptions::new().len(len.max(1) * 4).map_anon()?.into();
        Ok(Self { map, len })
    }

    #[expect(clippy::cast_ptr_alignment, reason = "a mapping begins on a page")]
    #[must_use]
    pub fn numbers(&self) -> &[AtomicU32] {
        // SAFETY: the mapping is `len * 4` bytes long or longer, readable, writable, page aligned
        // and of this process alone, and lives as long as `self`. AtomicU32 has the size and the
        // alignment of u32, any bits are valid in it, and it may change under a shared reference.
        // Nobody holds any other kind of reference into the mapping.
        unsafe { std::slice::from_raw_parts(self.map.as_mut_ptr().cast::<AtomicU32>(), self.len) }
    }
}
