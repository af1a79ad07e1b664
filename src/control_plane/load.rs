//! Files and secrets to a snapshot, or every problem with them.

use crate::{
    control_plane::{
        edit::{self, Change},
        secrets::SecretSource,
        source::folder::{self, FileText},
    },
    lexicon::{
        problem::{Problem, Severity},
        secret::Secret,
        time::UnixMillis,
    },
    manifest::{
        read::{self, Document},
        secret_ref::{self, SecretRef},
        yaml,
    },
    provider::auth::{Credentials, surroundings::Surroundings},
    snapshot::compile::{CompileOptions, Compiled, compile},
};
use sha2::{Digest, Sha256};
use std::{
    collections::{HashMap, HashSet},
    path::Path,
    time::{SystemTime, UNIX_EPOCH},
};

/// Everything that was read, compiled.
pub struct Loaded {
    pub documents: Vec<Document>,
    pub compiled: Compiled,
    /// Every secret that the documents name.
    pub secrets_named: HashSet<SecretRef>,
    /// Those that could be read.
    pub secrets: HashMap<SecretRef, Secret>,
    /// Of files and secrets: the same digest, the same snapshot.
    pub digest: [u8; 32],
}

/// What the running snapshot says about the next.
pub struct Previous {
    /// The version of the snapshot to come.
    pub version: u64,
    /// Secrets that may be missing: see `CompileOptions::known_secrets`.
    pub known_secrets: HashSet<SecretRef>,
    pub machine: Machine,
}

/// What compiling depends on that is neither written nor secret.
#[derive(Clone)]
pub struct Machine {
    /// Tokens that were fetched and still work.
    pub tokens: Credentials,
    pub surroundings: Surroundings,
}

impl Machine {
    /// This one, before any token was fetched.
    #[must_use]
    pub fn here() -> Self {
        let surroundings = Surroundings::read(|name| std::env::var(name).ok());
        Self { tokens: Credentials::new(), surroundings }
    }
}

/// Why nothing came of it.
pub struct Rejected {
    pub problems: Vec<Problem>,
    /// Of files and secrets; none where they could not be read.
    pub digest: Option<[u8; 32]>,
}

/// Reads and compiles, as at a cold start: every secret must be there.
///
/// **Errors**: every problem of every document, warnings among them.
pub fn load(path: &Path, secrets: &SecretSource, now: UnixMillis) -> Result<Loaded, Vec<Problem>> {
    let previous = Previous { version: 1, known_secrets: HashSet::new(), machine: Machine::here() };
    load_next(path, secrets, now, &previous).map_err(|rejected| rejected.problems)
}

/// Compiles again what was loaded, for other tokens.
///
/// **Errors**: as `load`, but what compiled once compiles again.
#[expect(clippy::implicit_hasher, reason = "one caller, one hasher")]
pub fn load_again(
    documents: &[Document],
    secrets: &HashMap<SecretRef, Secret>,
    now: UnixMillis,
    previous: &Previous,
) -> Result<Compiled, Vec<Problem>> {
    let options = options(now, previous);
    compile(documents, secrets, &options)
}

fn options(now: UnixMillis, previous: &Previous) -> CompileOptions<'_> {
    CompileOptions {
        now,
        version: previous.version,
        known_secrets: &previous.known_secrets,
        tokens: &previous.machine.tokens,
        surroundings: &previous.machine.surroundings,
    }
}

/// Reads and compiles what is to follow a running snapshot.
pub fn load_next(
    path: &Path,
    secrets: &SecretSource,
    now: UnixMillis,
    previous: &Previous,
) -> Result<Loaded, Rejected> {
    let texts = folder::read(path).map_err(|problems| Rejected { problems, digest: None })?;
    load_texts((path, texts), secrets, now, previous)
}

/// The same as it would be with a file changed.
pub(super) fn rehearse(
    path: &Path,
    change: &Change,
    secrets: &SecretSource,
    now: UnixMillis,
    previous: &Previous,
) -> Result<Loaded, Rejected> {
    let texts = folder::read(path).map_err(|problems| Rejected { problems, digest: None })?;
    load_texts((path, edit::alter(texts, change)), secrets, now, previous)
}

fn load_texts(
    (path, texts): (&Path, Vec<FileText>),
    secrets: &SecretSource,
    now: UnixMillis,
    previous: &Previous,
) -> Result<Loaded, Rejected> {
    let (documents, mut problems) = understand(&texts);
    let names = secret_ref::named(documents.iter().map(|document| &document.tree));
    let resolved = secrets.resolve(&names);
    let digest = digest(&texts, names.iter().map(|name| resolved.get(name).map(Secret::expose)));
    if documents.is_empty() && problems.is_empty() {
        problems.push(Problem {
            severity: Severity::Error,
            document: path.display().to_string(),
            line: 0,
            path: String::new(),
            found: "no document".to_owned(),
            wanted: "at least one".to_owned(),
            hint: "an empty set is taken for a mistake, not for a wish to close everything".into(),
        });
    }
    let is_readable = problems.iter().all(|problem| problem.severity == Severity::Warning);
    match compile(&documents, &resolved, &options(now, previous)) {
        Ok(mut compiled) if is_readable => {
            problems.append(&mut compiled.warnings);
            compiled.warnings = sorted(problems);
            let secrets_named = names.into_iter().collect();
            Ok(Loaded { documents, compiled, secrets_named, secrets: resolved, digest })
        }
        Ok(compiled) => {
            problems.extend(compiled.warnings);
            Err(Rejected { problems: sorted(problems), digest: Some(digest) })
        }
        Err(more) => {
            problems.extend(more);
            Err(Rejected { problems: sorted(problems), digest: Some(digest) })
        }
    }
}

/// The wall clock.
#[must_use]
pub fn now() -> UnixMillis {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    UnixMillis(u64::try_from(since.as_millis()).unwrap_or(u64::MAX))
}

fn understand(texts: &[FileText]) -> (Vec<Document>, Vec<Problem>) {
    let mut documents = Vec::new();
    let mut problems = Vec::new();
    for file in texts {
        match yaml::parse(&file.name, &file.text) {
            Ok(sources) => {
                for source in sources {
                    let (document, found) = read::read(source);
                    documents.extend(document);
                    problems.extend(found);
                }
            }
            Err(problem) => problems.push(*problem),
        }
    }
    (documents, problems)
}

fn digest<'a>(texts: &[FileText], secrets: impl Iterator<Item = Option<&'a str>>) -> [u8; 32] {
    let mut hash = Sha256::new();
    let mut feed = |bytes: &[u8]| {
        hash.update((bytes.len() as u64).to_le_bytes());
        hash.update(bytes);
    };
    for file in texts {
        feed(file.name.as_bytes());
        feed(file.text.as_bytes());
    }
    for secret in secrets {
        feed(&[u8::from(secret.is_some())]);
        feed(secret.unwrap_or_default().as_bytes());
    }
    hash.finalize().into()
}

/// By document and line, as an operator works through them.
fn sorted(mut problems: Vec<Problem>) -> Vec<Problem> {
    let number = |origin: &str| origin.rsplit_once('#').and_then(|(_, it)| it.parse::<u32>().ok());
    problems.sort_by(|one, other| {
        let file = |it: &Problem| it.document.split('#').next().map(str::to_owned);
        (file(one), one.line, number(&one.document), one.severity).cmp(&(
            file(other),
            other.line,
            number(&other.document),
            other.severity,
        ))
    });
    problems
}
