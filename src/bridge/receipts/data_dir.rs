//! The directory that is ours alone while the process lives.

use std::{
    fs::{DirBuilder, File, OpenOptions},
    io,
    os::unix::fs::{DirBuilderExt, OpenOptionsExt},
    path::{Path, PathBuf},
};

/// A data directory with its lock held. The kernel lets go of it when the process ends, however it
/// ends.
#[derive(Debug)]
pub struct DataDir {
    path: PathBuf,
    _lock: File,
}

impl DataDir {
    /// Makes the directory (for its owner only) where it is missing, and locks it.
    ///
    /// **Errors**: another process holds it; it cannot be written.
    pub fn lock(path: &Path) -> io::Result<Self> {
        DirBuilder::new().recursive(true).mode(0o700).create(path)?;
        let file = OpenOptions::new()
            .write(true)
            .create(true)
            .truncate(false)
            .mode(0o600)
            .open(path.join("lock"))?;
        match rustix::fs::flock(&file, rustix::fs::FlockOperation::NonBlockingLockExclusive) {
            Ok(()) => Ok(Self { path: path.to_owned(), _lock: file }),
            Err(rustix::io::Errno::WOULDBLOCK) => Err(io::Error::new(
                io::ErrorKind::ResourceBusy,
                format!(
                    "{} is in use by another weir process; stop it or give this one its own \
                     --data-dir",
                    path.display()
                ),
            )),
            Err(error) => Err(error.into()),
        }
    }

    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }
}
