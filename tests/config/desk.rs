//! A folder of manifests and a folder of secrets, for one test.

use std::{fs, path::PathBuf};
use weir::{
    control_plane::{
        load::{Loaded, load},
        secrets::SecretSource,
    },
    lexicon::{problem::Problem, time::UnixMillis},
};

/// 2026-11-21.
pub const NOW: UnixMillis = UnixMillis(1_795_219_200_000);

pub struct Desk {
    folder: tempfile::TempDir,
}

impl Desk {
    /// Holds these files and no secrets.
    pub fn with(files: &[(&str, &str)]) -> Self {
        let desk = Self { folder: tempfile::tempdir().expect("a temporary folder") };
        fs::create_dir(desk.manifests()).expect("a folder");
        fs::create_dir(desk.secrets_folder()).expect("a folder");
        for (name, text) in files {
            desk.write(name, text);
        }
        desk
    }

    pub fn manifests(&self) -> PathBuf {
        self.folder.path().join("manifests")
    }

    pub fn secrets_folder(&self) -> PathBuf {
        self.folder.path().join("secrets")
    }

    pub fn secrets(&self) -> SecretSource {
        SecretSource { folder: Some(self.secrets_folder()) }
    }

    /// Puts a file in its place whole, as editors and Kubernetes do.
    pub fn write(&self, name: &str, text: &str) {
        let draft = self.folder.path().join("draft");
        fs::write(&draft, text).expect("a file");
        fs::rename(draft, self.manifests().join(name)).expect("a file");
    }

    pub fn remove(&self, name: &str) {
        fs::remove_file(self.manifests().join(name)).expect("a file to remove");
    }

    pub fn keep_secret(&self, group: &str, key: &str, text: &str) {
        let folder = self.secrets_folder().join(group);
        fs::create_dir_all(&folder).expect("a folder");
        fs::write(folder.join(key), text).expect("a file");
    }

    pub fn lose_secret(&self, group: &str, key: &str) {
        fs::remove_file(self.secrets_folder().join(group).join(key)).expect("a secret to lose");
    }

    pub fn load(&self) -> Result<Loaded, Vec<Problem>> {
        load(&self.manifests(), &self.secrets(), NOW)
    }

    /// What comes of a folder that must load.
    pub fn loaded(&self) -> Loaded {
        self.load().unwrap_or_else(|problems| panic!("{problems:#?}"))
    }

    /// What is printed about the folder: problems, or warnings where it loads.
    pub fn said(&self) -> Vec<String> {
        let problems = match self.load() {
            Ok(loaded) => loaded.compiled.warnings,
            Err(problems) => problems,
        };
        problems.iter().map(ToString::to_string).collect()
    }
}

/// What is printed about one file, `m.yaml`. In `expected` a long line goes on behind four spaces.
#[track_caller]
pub fn check(text: &str, expected: &str) {
    let said = Desk::with(&[("m.yaml", text)]).said().join("\n");
    assert_eq!(said, expected.replace("\n    ", " "), "\nsaid:\n{said}\n");
}
