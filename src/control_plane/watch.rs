//! Hears of changes in files, and waits until they are quiet.

use crate::{
    control_plane::{secrets::SecretSource, source::folder},
    manifest::secret_ref::SecretRef,
};
use notify::{
    Event, EventKind, RecommendedWatcher, RecursiveMode, Watcher,
    event::{AccessKind, AccessMode, ModifyKind},
};
use sha2::{Digest, Sha256};
use std::{
    collections::HashSet,
    fs,
    os::unix::fs::MetadataExt,
    path::{Path, PathBuf},
    sync::Arc,
    time::Duration,
};
use tokio::{
    sync::Notify,
    time::{Instant, timeout},
};

/// How often files are looked at in case nobody told of a change.
pub const RESCAN: Duration = Duration::from_secs(2);
/// What has just been touched may be half written: it is read when this long nothing changed.
pub const SETTLE: Duration = Duration::from_millis(100);
/// How long nothing may happen before files are read.
const QUIET: Duration = Duration::from_millis(100);
/// The longest wait for quiet: a revoked token must stop working within a second, even while
/// something else keeps writing.
const QUIET_WAIT_MAX: Duration = Duration::from_millis(500);

/// Watches files and folders as long as it lives.
pub struct Watch {
    changed: Arc<Notify>,
    _watcher: Option<RecommendedWatcher>,
}

impl Watch {
    /// Watches the configuration and the secrets. Where the system does not tell (no inotify left,
    /// a network file system), only `stamp` does.
    #[must_use]
    pub fn new(path: &Path, secrets: &SecretSource) -> Self {
        Self::of(|watcher| {
            if path.is_dir() {
                watcher.watch(path, RecursiveMode::Recursive)?;
            } else {
                watcher.watch(folder_of(path), RecursiveMode::NonRecursive)?;
            }
            match &secrets.folder {
                Some(folder) => watcher.watch(folder, RecursiveMode::Recursive),
                None => Ok(()),
            }
        })
    }

    /// Watches single files.
    #[must_use]
    pub fn of_files<'a>(files: impl Iterator<Item = &'a Path>) -> Self {
        let folders: HashSet<_> = files.map(folder_of).collect();
        Self::of(|watcher| {
            let mut folders = folders.into_iter();
            folders.try_for_each(|folder| watcher.watch(folder, RecursiveMode::NonRecursive))
        })
    }

    fn of(begin: impl FnOnce(&mut RecommendedWatcher) -> notify::Result<()>) -> Self {
        let changed = Arc::new(Notify::new());
        let told = Arc::clone(&changed);
        let tell = move |event: notify::Result<Event>| {
            if event.is_ok_and(|event| is_change(&event)) {
                told.notify_one();
            }
        };
        let watcher = notify::recommended_watcher(tell).and_then(|mut watcher| {
            begin(&mut watcher)?;
            Ok(watcher)
        });
        if let Err(error) = &watcher {
            tracing::warn!(%error, "changes are not told at once, only every two seconds");
        }
        Self { changed, _watcher: watcher.ok() }
    }

    /// Returns once something has changed since the last time; safe to cancel.
    pub async fn changed(&self) {
        self.changed.notified().await;
    }

    /// Returns once nothing changes any more.
    pub async fn quiet(&self) {
        let latest = Instant::now() + QUIET_WAIT_MAX;
        while Instant::now() < latest && timeout(QUIET, self.changed.notified()).await.is_ok() {}
    }
}

/// Of a file, the folder is watched: editors put a new file in its place.
fn folder_of(file: &Path) -> &Path {
    file.parent().filter(|it| *it != Path::new("")).unwrap_or(Path::new("."))
}

/// Writing counts when the file is closed: what is half written is not read.
fn is_change(event: &Event) -> bool {
    matches!(
        event.kind,
        EventKind::Access(AccessKind::Close(AccessMode::Write))
            | EventKind::Modify(ModifyKind::Name(_))
            | EventKind::Remove(_)
    )
}

/// A digest of which files there are and when each was last touched, without reading them: the
/// second way to hear of a change.
#[must_use]
pub fn stamp<'a>(
    path: &Path,
    secrets: &SecretSource,
    names: impl Iterator<Item = &'a SecretRef>,
) -> [u8; 32] {
    let mut hash = Sha256::new();
    let files = folder::list(path).unwrap_or_default();
    let secret_files = names.filter_map(|name| secrets.file_of(name));
    for file in files.into_iter().chain(secret_files) {
        feed(&mut hash, &file);
    }
    hash.finalize().into()
}

fn feed(hash: &mut Sha256, file: &PathBuf) {
    hash.update(file.as_os_str().as_encoded_bytes());
    let Ok(metadata) = fs::metadata(file) else {
        hash.update([0]);
        return;
    };
    for number in [metadata.ino(), metadata.len()] {
        hash.update(number.to_le_bytes());
    }
    for number in [metadata.mtime(), metadata.mtime_nsec(), metadata.ctime(), metadata.ctime_nsec()]
    {
        hash.update(number.to_le_bytes());
    }
}
