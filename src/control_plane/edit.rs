//! Budgets that are written through the admin port: files of ours in the configuration's folder.
//!
//! What is asked for is compiled with everything else first; then its file is written whole, and
//! the publisher reads the folder as after any other change. So `weir check` and the next start see
//! the same as the running gateway, and what an operator wrote by hand is never touched.
//!
//! Admins may write every budget; whoever manages a team, that team's.

use crate::{
    control_plane::source::folder::FileText,
    lexicon::problem::Problem,
    manifest::{
        budget::JointBudget,
        read::{Document, Manifest},
    },
};
use serde_json::Value;
use sha2::{Digest, Sha256};
use std::{
    fs, io,
    path::{Path, PathBuf},
};
use tokio::sync::{mpsc, oneshot};

/// Edits that wait for one another; each takes milliseconds.
const WAITING_MAX: usize = 16;
/// Characters of a budget's name that its file's name begins with: for people.
const SLUG_CHARS_MAX: usize = 40;

/// What is asked for.
#[derive(Clone, Debug, PartialEq)]
pub enum Wish {
    /// Every budget that is a document.
    List,
    /// Write this one, or only say whether it could be.
    Put {
        manifest: Value,
        is_dry: bool,
    },
    Delete {
        name: String,
    },
}

/// A wish, and who has it.
pub struct Edit {
    pub wish: Wish,
    /// None is an admin.
    pub subject: Option<Box<str>>,
    pub told: oneshot::Sender<Result<Vec<Written>, EditFault>>,
}

/// A budget as it is written.
#[derive(Clone, Debug, PartialEq)]
pub struct Written {
    pub name: String,
    pub manifest: Value,
    /// It may be written and deleted here.
    pub is_ours: bool,
}

/// Why it is not done.
#[derive(Debug)]
pub enum EditFault {
    /// The manifest is none of a budget; words say why.
    Malformed(&'static str),
    Forbidden,
    Unknown,
    /// It stands in a document that people wrote.
    Elsewhere(String),
    /// The configuration is one file, which is its operator's.
    NoFolder,
    /// With it the configuration cannot be obeyed.
    Refused(Vec<Problem>),
    Disk(io::Error),
    /// The gateway is closing.
    Gone,
}

/// Where wishes are taken.
#[derive(Clone, Debug)]
pub struct Edits(mpsc::Sender<Edit>);

impl Edits {
    /// # Errors
    /// As told.
    pub async fn ask(
        &self,
        wish: Wish,
        subject: Option<Box<str>>,
    ) -> Result<Vec<Written>, EditFault> {
        let (told, answer) = oneshot::channel();
        let sent = self.0.send(Edit { wish, subject, told }).await;
        sent.map_err(|_| EditFault::Gone)?;
        answer.await.unwrap_or(Err(EditFault::Gone))
    }
}

/// Both ends.
#[must_use]
pub fn lane() -> (Edits, mpsc::Receiver<Edit>) {
    let (sender, receiver) = mpsc::channel(WAITING_MAX);
    (Edits(sender), receiver)
}

/// What is to become of one file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Change {
    /// In the folder.
    pub(super) file: String,
    /// None where it is to go.
    pub(super) text: Option<String>,
    pub(super) is_dry: bool,
}

impl Change {
    /// Does it.
    pub(super) fn make(&self, folder: &Path) -> io::Result<()> {
        let path = folder.join(&self.file);
        let Some(text) = &self.text else { return fs::remove_file(path) };
        // Hidden files are no manifests.
        let fresh = folder.join(format!(".{}.new", self.file));
        fs::write(&fresh, text)?;
        fs::File::open(&fresh)?.sync_all()?;
        fs::rename(&fresh, path)
    }
}

/// Every budget that is a document.
pub(super) fn list(documents: &[Document]) -> Vec<Written> {
    let written = |(document, budget): (&Document, &JointBudget)| Written {
        name: budget.name.clone(),
        manifest: document.tree.to_json(),
        is_ours: document.origin == file_of(&budget.name),
    };
    budgets(documents).map(written).collect()
}

/// What must be done for this wish, as the documents are now; nothing for one that only looks.
pub(super) fn plan(
    wish: &Wish,
    subject: Option<&str>,
    documents: &[Document],
    path: &Path,
) -> Result<Option<Change>, EditFault> {
    let (name, text, is_dry) = match wish {
        Wish::List => return Ok(None),
        Wish::Put { manifest, is_dry } => {
            let name = check(manifest)?;
            let team = manifest["team_name"].as_str().unwrap_or_default();
            if subject.is_some_and(|subject| !manages(documents, team, subject)) {
                return Err(EditFault::Forbidden);
            }
            (name, Some(format!("{manifest:#}\n")), *is_dry)
        }
        Wish::Delete { name } => (name.as_str(), None, false),
    };
    let known = budgets(documents).find(|(_, budget)| budget.name == name);
    if let Some((_, budget)) = known {
        let team = budget.team_name.as_deref().unwrap_or_default();
        if subject.is_some_and(|subject| !manages(documents, team, subject)) {
            return Err(EditFault::Forbidden);
        }
    } else if text.is_none() {
        return Err(if subject.is_some() { EditFault::Forbidden } else { EditFault::Unknown });
    }
    if !path.is_dir() {
        return Err(EditFault::NoFolder);
    }
    let file = file_of(name);
    match known {
        Some((document, _)) if document.origin != file => {
            Err(EditFault::Elsewhere(document.origin.clone()))
        }
        _ => Ok(Some(Change { file, text, is_dry })),
    }
}

/// The name of the budget that this is, as far as its shape goes; the compiler judges the rest.
fn check(manifest: &Value) -> Result<&str, EditFault> {
    let kind = manifest["type"].as_str().unwrap_or_default();
    if !matches!(kind, "tenant-budget-config" | "team-budget-config") {
        let words = "Its \"type\" must be tenant-budget-config or team-budget-config.";
        return Err(EditFault::Malformed(words));
    }
    let name = manifest["name"].as_str().filter(|name| !name.is_empty());
    name.ok_or(EditFault::Malformed("Its \"name\" must be a string."))
}

/// Does this subject manage that team?
fn manages(documents: &[Document], team: &str, subject: &str) -> bool {
    let mut teams = documents.iter().filter_map(|document| match &document.manifest {
        Manifest::Team(team) => Some(team),
        _ => None,
    });
    let is_manager = |manager: &String| {
        *manager == subject || subject.strip_prefix("user:") == Some(manager.as_str())
    };
    teams.any(|it| it.name == team && it.managers.iter().flatten().any(is_manager))
}

fn budgets(documents: &[Document]) -> impl Iterator<Item = (&Document, &JointBudget)> {
    documents.iter().filter_map(|document| match &document.manifest {
        Manifest::JointBudget(budget) => Some((document, &**budget)),
        _ => None,
    })
}

/// A name for people, and what tells it from others.
fn file_of(name: &str) -> String {
    let is_plain = |character: char| character.is_ascii_alphanumeric() || character == '-';
    let plain = |character| if is_plain(character) { character } else { '_' };
    let slug: String = name.chars().take(SLUG_CHARS_MAX).map(plain).collect();
    let hash = Sha256::digest(name);
    format!("weir-budget-{slug}-{:02x}{:02x}{:02x}{:02x}.json", hash[0], hash[1], hash[2], hash[3])
}

/// The texts of a folder with one of them changed; in the order in which they would be read.
pub(super) fn alter(mut texts: Vec<FileText>, change: &Change) -> Vec<FileText> {
    texts.retain(|file| file.name != change.file);
    if let Some(text) = &change.text {
        let (name, text) = (change.file.clone(), text.clone());
        texts.push(FileText { name, text });
        texts.sort_by(|one, other| PathBuf::from(&one.name).cmp(&PathBuf::from(&other.name)));
    }
    texts
}

#[cfg(test)]
mod tests {
    use super::{Change, EditFault, Wish, file_of, plan};
    use serde_json::json;
    use std::path::Path;

    #[test]
    fn a_file_has_a_name_of_its_own_whatever_its_budget_is_called() {
        assert!(file_of("each user").starts_with("weir-budget-each_user-"));
        assert!(file_of("../../x").starts_with("weir-budget-______x-"));
        assert_ne!(file_of("a/b"), file_of("a_b"));
        assert!(file_of(&"ż".repeat(5_000)).len() < 80);
    }

    #[test]
    fn what_is_no_budget_is_refused_with_words_and_what_is_not_there_cannot_go() {
        let put = |manifest| Wish::Put { manifest, is_dry: false };
        let here = Path::new("/");
        for (wish, words) in [
            (put(json!({"type": "gateway-budget-config", "name": "a"})), "Malformed"),
            (put(json!({"type": "tenant-budget-config", "name": 5})), "Malformed"),
            (put(json!("tenant-budget-config")), "Malformed"),
            (Wish::Delete { name: "a".to_owned() }, "Unknown"),
        ] {
            let refused = plan(&wish, None, &[], here).expect_err("it cannot be done");
            assert!(format!("{refused:?}").starts_with(words), "{wish:?}: {refused:?}");
        }
        let good = put(json!({"type": "team-budget-config", "name": "a", "team_name": "core"}));
        assert!(matches!(plan(&good, None, &[], here), Ok(Some(Change { is_dry: false, .. }))));
        let of_nobody = plan(&good, Some("user:ada"), &[], here);
        assert!(matches!(of_nobody, Err(EditFault::Forbidden)));
        assert!(matches!(plan(&good, None, &[], Path::new("/x.yaml")), Err(EditFault::NoFolder)));
        assert!(matches!(plan(&Wish::List, None, &[], here), Ok(None)));
    }
}
