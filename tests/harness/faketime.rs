//! A gateway whose clock on the wall is set while it runs, by the library `libfaketime`: every
//! process that is started by [`Clock::command`] shows the same wrong time. The monotonic clock is
//! left alone, as it is by who sets a clock.

use super::gateway::binary;
use std::{
    fs,
    path::{Path, PathBuf},
    process::Command,
    time::{SystemTime, UNIX_EPOCH},
};
use tempfile::TempDir;

const DAY_SECONDS: i64 = 86_400;
pub const HOUR_SECONDS: i64 = 3_600;

pub struct Clock {
    folder: TempDir,
    /// From the true time to noon of the same day: what is asked of a clock near midnight would
    /// hang on when it is asked.
    noon: i64,
}

impl Clock {
    /// One that shows noon.
    pub fn at_noon() -> Self {
        let since = SystemTime::now().duration_since(UNIX_EPOCH).expect("it is after 1970");
        let today = i64::try_from(since.as_secs()).expect("small") % DAY_SECONDS;
        let clock = Self { folder: super::manifest::folder(), noon: DAY_SECONDS / 2 - today };
        clock.set(0);
        clock
    }

    /// Shows so many seconds more than at noon it did.
    pub fn set(&self, seconds: i64) {
        let offset = self.noon + seconds;
        let fresh = self.folder.path().join("time.new");
        fs::write(&fresh, format!("{offset:+}\n")).expect("the folder is ours");
        fs::rename(&fresh, self.file()).expect("the same folder");
    }

    fn file(&self) -> PathBuf {
        self.folder.path().join("time")
    }

    /// The gateway under this clock.
    pub fn command(&self) -> Command {
        let mut command = binary();
        command
            .env("LD_PRELOAD", library())
            .env("FAKETIME_TIMESTAMP_FILE", self.file())
            .env("FAKETIME_NO_CACHE", "1")
            // The newer name, and the older.
            .env("FAKETIME_DONT_FAKE_MONOTONIC", "1")
            .env("DONT_FAKE_MONOTONIC", "1");
        command
    }
}

/// Where Debian and Fedora keep it.
fn library() -> PathBuf {
    let folders = ["/usr/lib", "/usr/lib64"].iter().map(Path::new);
    let within = folders.clone().flat_map(|folder| {
        let entries = fs::read_dir(folder).into_iter().flatten().flatten();
        entries.map(|entry| entry.path())
    });
    let found = folders
        .map(Path::to_owned)
        .chain(within)
        .map(|folder| folder.join("faketime/libfaketime.so.1"))
        .find(|path| path.exists());
    found.expect("libfaketime is missing: the package faketime brings it (tests/run installs it)")
}
