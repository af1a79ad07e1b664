//! What the law is read from: the files of the project, and Rust source as tokens.

pub mod floors;
pub mod shape;

use std::path::{Path, PathBuf};

/// One file of the project.
pub struct Source {
    /// From the project's root, with `/`.
    pub path: String,
    pub text: String,
}

/// Every text file of the project but what git ignores.
pub fn project() -> Vec<Source> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut files = Vec::new();
    let mut folders = vec![PathBuf::from(root)];
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(folder).expect("the project is readable").flatten() {
            let path = entry.path();
            let name = entry.file_name();
            if ["target", ".git", "node_modules"].iter().any(|skipped| name == *skipped) {
                continue;
            }
            if path.is_dir() {
                folders.push(path);
            } else if let Ok(text) = std::fs::read_to_string(&path) {
                let path = path.strip_prefix(root).expect("it is inside").to_string_lossy();
                files.push(Source { path: path.into_owned(), text });
            }
        }
    }
    files.sort_by(|a, b| a.path.cmp(&b.path));
    files
}

/// The Rust files of the project.
pub fn rust() -> Vec<Source> {
    let is_rust = |one: &Source| Path::new(&one.path).extension().is_some_and(|ext| ext == "rs");
    project().into_iter().filter(is_rust).collect()
}

/// The Rust files under `src/`.
pub fn library() -> Vec<Source> {
    rust().into_iter().filter(|one| one.path.starts_with("src/")).collect()
}

/// The same source, line for line, with comments and the words inside quotes taken out.
pub fn code(text: &str) -> String {
    let bytes = text.as_bytes();
    let mut kept = Vec::with_capacity(bytes.len());
    let mut at = 0;
    while at < bytes.len() {
        let rest = &bytes[at..];
        let skipped = skipped(rest, kept.last().copied());
        if skipped == 0 {
            kept.push(bytes[at]);
            at += 1;
            continue;
        }
        let is_comment = rest.starts_with(b"//") || rest.starts_with(b"/*");
        if !is_comment {
            kept.extend_from_slice(b"\"\"");
        }
        kept.extend(rest[..skipped].iter().filter(|byte| **byte == b'\n'));
        at += skipped;
    }
    String::from_utf8_lossy(&kept).into_owned()
}

/// How many bytes from here are a comment or a literal; 0 where code goes on.
fn skipped(rest: &[u8], before: Option<u8>) -> usize {
    let until = |end: &[u8], from: usize| {
        let found = rest[from..].windows(end.len()).position(|window| window == end);
        found.map_or(rest.len(), |at| from + at + end.len())
    };
    let is_word = before.is_some_and(|byte| byte.is_ascii_alphanumeric() || byte == b'_');
    match rest {
        [b'/', b'/', ..] => until(b"\n", 0) - usize::from(rest.contains(&b'\n')),
        [b'/', b'*', ..] => until(b"*/", 2),
        [b'r', b'"' | b'#', ..] if !is_word => {
            let hashes = rest[1..].iter().take_while(|byte| **byte == b'#').count();
            if rest.get(1 + hashes) != Some(&b'"') {
                return 0;
            }
            until(&[b"\"", "#".repeat(hashes).as_bytes()].concat(), 2 + hashes)
        }
        [b'"', ..] => {
            let mut at = 1;
            while at < rest.len() && rest[at] != b'"' {
                at += if rest[at] == b'\\' { 2 } else { 1 };
            }
            (at + 1).min(rest.len())
        }
        // A character, not a lifetime.
        [b'\'', b'\\', ..] => until(b"'", 3),
        [b'\'', ..] => {
            let end = rest.iter().skip(1).take(6).position(|byte| *byte == b'\'');
            let text = end.and_then(|end| std::str::from_utf8(&rest[1..=end]).ok());
            text.filter(|text| text.chars().count() == 1).map_or(0, |text| text.len() + 2)
        }
        _ => 0,
    }
}

/// The source without its unit tests, which stand at its end.
pub fn without_tests(code: &str) -> &str {
    code.find("#[cfg(test)]\nmod ").map_or(code, |at| &code[..at])
}

/// Words and marks; `::` is one mark.
pub fn tokens(code: &str) -> Vec<&str> {
    let mut tokens = Vec::new();
    let mut rest = code.trim_start();
    while let Some(first) = rest.chars().next() {
        let is_word = |c: char| c.is_alphanumeric() || c == '_';
        let length = match first {
            ':' if rest.starts_with("::") => 2,
            first if is_word(first) => rest.find(|c| !is_word(c)).unwrap_or(rest.len()),
            first => first.len_utf8(),
        };
        tokens.push(&rest[..length]);
        rest = rest[length..].trim_start();
    }
    tokens
}
