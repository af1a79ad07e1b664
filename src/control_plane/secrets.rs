//! What operators keep elsewhere: a folder of files, or the environment.

use crate::{lexicon::secret::Secret, manifest::secret_ref::SecretRef};
use std::{
    collections::HashMap,
    fs,
    io::Read,
    path::{Path, PathBuf},
};

/// The longest secret: a service account's key file is about 2.5 KiB, a chain of certificates 10.
const SECRET_BYTES_MAX: u64 = 64 << 10;

/// Where `tfy-secret://TENANT:GROUP:KEY` is looked for: the file `GROUP/KEY` in the folder, if one
/// was given and has it; else the environment variable `KEY`. The tenant is not looked at.
#[derive(Clone, Debug, Default)]
pub struct SecretSource {
    pub folder: Option<PathBuf>,
}

impl SecretSource {
    /// All of these that there are.
    #[must_use]
    pub fn resolve(&self, names: &[SecretRef]) -> HashMap<SecretRef, Secret> {
        names.iter().filter_map(|name| Some((name.clone(), self.find(name)?))).collect()
    }

    /// The file that may hold a secret. A reference has no slashes and dots to leave the folder by.
    #[must_use]
    pub fn file_of(&self, name: &SecretRef) -> Option<PathBuf> {
        Some(self.folder.as_ref()?.join(&*name.group).join(&*name.key))
    }

    fn find(&self, name: &SecretRef) -> Option<Secret> {
        let from_file = self.file_of(name).and_then(|path| read(&path));
        from_file.or_else(|| std::env::var(&*name.key).ok()).map(Secret::new)
    }
}

/// The text of a file, without the line end that editors add.
fn read(path: &Path) -> Option<String> {
    let file = fs::File::open(path).ok()?;
    if !file.metadata().ok()?.is_file() {
        return None;
    }
    let mut text = String::new();
    let length = file.take(SECRET_BYTES_MAX + 1).read_to_string(&mut text).ok()?;
    if length as u64 > SECRET_BYTES_MAX {
        return None;
    }
    let trimmed = text.strip_suffix('\n').map_or(text.as_str(), |it| it.trim_end_matches('\r'));
    Some(trimmed.to_owned())
}
