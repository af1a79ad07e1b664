//! A YAML or JSON file, or a folder of them.

use crate::lexicon::problem::{Problem, Severity};
use crate::manifest::yaml::FILE_BYTES_MAX;
use std::{
    fs,
    io::{self, Read},
    path::{Path, PathBuf},
};

/// Files in one folder. More is a folder given by mistake.
const FILES_MAX: usize = 10_000;
/// Bytes in all files together.
const BYTES_MAX: usize = 64 << 20;
/// Folders in folders.
const DEPTH_MAX: usize = 8;

/// One file's text.
#[derive(Clone, PartialEq, Eq)]
pub struct FileText {
    /// The file's name, below the folder if one was given.
    pub name: String,
    pub text: String,
}

/// Reads `path`: itself, or every `*.yaml`, `*.yml` and `*.json` in and below it, by name. Hidden
/// files and folders are left out (editors and Kubernetes keep their own there).
///
/// **Errors**: every file that cannot be read; an empty set, which is never meant.
pub fn read(path: &Path) -> Result<Vec<FileText>, Vec<Problem>> {
    let files = list(path).map_err(|error| vec![unreadable(path, &error)])?;
    if files.len() > FILES_MAX {
        let found = format!("more than {FILES_MAX} files");
        return Err(vec![problem(&name_of(path, path), &found, "a folder of manifests")]);
    }
    let mut texts = Vec::new();
    let mut problems = Vec::new();
    let mut bytes_count = 0;
    for file in files {
        let name = name_of(path, &file);
        match read_text(&file) {
            Ok(text) => {
                bytes_count += text.len();
                texts.push(FileText { name, text });
            }
            Err(error) => problems.push(unreadable_as(name, &error)),
        }
        if bytes_count > BYTES_MAX {
            let found = format!("more than {BYTES_MAX} bytes in all files");
            return Err(vec![problem(&name_of(path, path), &found, "less")]);
        }
    }
    if texts.is_empty() && problems.is_empty() {
        let wanted = "at least one *.yaml, *.yml or *.json";
        problems.push(problem(&name_of(path, path), "no manifest", wanted));
    }
    if problems.is_empty() { Ok(texts) } else { Err(problems) }
}

/// The files that `read` would read.
pub fn list(path: &Path) -> io::Result<Vec<PathBuf>> {
    if !fs::metadata(path)?.is_dir() {
        return Ok(vec![path.to_owned()]);
    }
    let mut files = Vec::new();
    collect(path, DEPTH_MAX, &mut files)?;
    files.sort_unstable();
    Ok(files)
}

fn collect(folder: &Path, depth: usize, files: &mut Vec<PathBuf>) -> io::Result<()> {
    for entry in fs::read_dir(folder)? {
        let path = entry?.path();
        let is_hidden = path.file_name().is_none_or(|name| name.as_encoded_bytes()[0] == b'.');
        if is_hidden || files.len() > FILES_MAX {
            continue;
        }
        // A link whose end is gone is no manifest (any more).
        let Ok(metadata) = fs::metadata(&path) else { continue };
        if metadata.is_dir() && depth > 0 {
            collect(&path, depth - 1, files)?;
        } else if metadata.is_file() && is_manifest(&path) {
            files.push(path);
        }
    }
    Ok(())
}

fn is_manifest(path: &Path) -> bool {
    path.extension().is_some_and(|extension| {
        ["yaml", "yml", "json"].iter().any(|known| extension.eq_ignore_ascii_case(known))
    })
}

fn read_text(path: &Path) -> io::Result<String> {
    let mut bytes = Vec::new();
    // One byte more than allowed, so that the reader of YAML sees that it is too long.
    fs::File::open(path)?.take(FILE_BYTES_MAX as u64 + 1).read_to_end(&mut bytes)?;
    let is_cut = bytes.len() > FILE_BYTES_MAX;
    match String::from_utf8(bytes) {
        Ok(text) => Ok(text),
        Err(error) if is_cut && error.utf8_error().error_len().is_none() => {
            Ok(String::from_utf8_lossy(error.as_bytes()).into_owned())
        }
        Err(_) => Err(io::Error::new(io::ErrorKind::InvalidData, "it is not UTF-8 text")),
    }
}

fn name_of(folder: &Path, file: &Path) -> String {
    let below = file.strip_prefix(folder).ok().filter(|below| !below.as_os_str().is_empty());
    let name = below.or_else(|| file.file_name().map(Path::new)).unwrap_or(file);
    name.display().to_string()
}

fn unreadable(path: &Path, error: &io::Error) -> Problem {
    unreadable_as(path.display().to_string(), error)
}

fn unreadable_as(name: String, error: &io::Error) -> Problem {
    problem(&name, &format!("`{error}`"), "a file that can be read")
}

fn problem(document: &str, found: &str, wanted: &str) -> Problem {
    Problem {
        severity: Severity::Error,
        document: document.to_owned(),
        line: 0,
        path: String::new(),
        found: found.to_owned(),
        wanted: wanted.to_owned(),
        hint: String::new(),
    }
}
