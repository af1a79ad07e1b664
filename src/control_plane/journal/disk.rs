//! What the store asks of a disk; tests put a failing one in its place.

use std::{
    fs::{File, OpenOptions},
    io::{self, Write},
    os::unix::fs::OpenOptionsExt,
    path::Path,
};

/// Files by path.
pub trait Disk: Send {
    /// A file to append to, new or as it is.
    fn append(&mut self, path: &Path) -> io::Result<Box<dyn Output>>;
    /// Takes back what was written behind `bytes`.
    fn shorten(&mut self, path: &Path, bytes: u64) -> io::Result<()>;
}

/// A file that only grows.
pub trait Output: Send {
    fn write(&mut self, bytes: &[u8]) -> io::Result<()>;
    /// Until what was written would survive a power loss.
    fn sync(&mut self) -> io::Result<()>;
}

/// The file system.
#[derive(Debug)]
pub struct Files;

impl Disk for Files {
    fn append(&mut self, path: &Path) -> io::Result<Box<dyn Output>> {
        let file = OpenOptions::new().append(true).create(true).mode(0o600).open(path)?;
        Ok(Box::new(file))
    }

    fn shorten(&mut self, path: &Path, bytes: u64) -> io::Result<()> {
        match OpenOptions::new().write(true).open(path) {
            Ok(file) => file.set_len(bytes),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
            Err(error) => Err(error),
        }
    }
}

impl Output for File {
    fn write(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.write_all(bytes)
    }

    fn sync(&mut self) -> io::Result<()> {
        self.sync_data()
    }
}

/// Makes the names in a directory survive a power loss.
pub(super) fn sync_names(dir: &Path) -> io::Result<()> {
    File::open(dir)?.sync_all()
}

/// Writes a file of a directory whole, or leaves what was there: also where the power fails.
///
/// # Errors
/// The disk's.
pub fn write_whole(dir: &Path, name: &str, text: &str) -> io::Result<()> {
    let fresh = dir.join(format!("{name}.new"));
    let mut file =
        OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(&fresh)?;
    file.write_all(text.as_bytes())?;
    file.sync_all()?;
    std::fs::rename(&fresh, dir.join(name))?;
    sync_names(dir)
}
