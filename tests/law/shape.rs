//! The shape of files: how long, how headed, what they never hold.

use super::{Source, code, floors, tokens};

const FILE_LINES_MAX: usize = 500;
const FUNCTION_LINES_MAX: usize = 70;
const LINE_CHARS_MAX: usize = 100;
/// Names for things that have no name yet.
const NAMELESS: [&str; 8] =
    ["utils", "util", "common", "helpers", "helper", "types", "misc", "prelude"];

/// What this Rust file does against the law of shape.
pub fn broken(source: &Source) -> Vec<String> {
    let path = &source.path;
    let code = code(&source.text);
    let mut broken = Vec::new();
    let lines = source.text.lines().count();
    if lines > FILE_LINES_MAX {
        broken.push(format!("{path}: {lines} lines; it is two nouns"));
    }
    if !source.text.starts_with("//! ") {
        broken.push(format!("{path}: no header says what it is for"));
    }
    // Words inside quotes cannot be broken, and comments are measured as they stand.
    for (number, (whole, bare)) in source.text.lines().zip(code.lines()).enumerate() {
        let is_comment = whole.trim_start().starts_with("//");
        let length = if is_comment { whole } else { bare }.chars().count();
        if length > LINE_CHARS_MAX {
            broken.push(format!("{path}:{}: {length} characters", number + 1));
        }
    }
    let folders = path.strip_prefix("src/").map_or(0, |inside| inside.matches('/').count());
    if folders == 1 && path.ends_with("/mod.rs") && !source.text.contains("**Invariants**") {
        broken.push(format!("{path}: its header names no **Invariants**"));
    }
    if path.split(['/', '.']).any(|part| NAMELESS.contains(&part)) {
        broken.push(format!("{path}: a name that says nothing"));
    }
    broken.extend(long_functions(path, &code));
    broken.extend(words(source, &code));
    broken
}

/// Functions over the bound, in source that is formatted.
fn long_functions(path: &str, code: &str) -> Vec<String> {
    let lines: Vec<&str> = code.lines().collect();
    let mut broken = Vec::new();
    for (at, line) in lines.iter().enumerate() {
        let words: Vec<&str> = line.split_whitespace().collect();
        let Some(place) = words.iter().position(|word| *word == "fn") else { continue };
        let is_item = words[..place].iter().all(|word| {
            ["const", "async", "unsafe", "extern", "\"\""].contains(word) || word.starts_with("pub")
        });
        // A formatted function ends where its own indent comes back.
        let indent = line.len() - line.trim_start().len();
        let end = format!("{}}}", " ".repeat(indent));
        let opens = lines[at..].iter().position(|line| line.ends_with(['{', ';', '}']));
        if !is_item || !opens.is_some_and(|opens| lines[at + opens].ends_with('{')) {
            continue;
        }
        let length = 1 + lines[at..].iter().position(|line| *line == end).unwrap_or(0);
        if length > FUNCTION_LINES_MAX {
            let name = words.get(place + 1).unwrap_or(&"");
            broken.push(format!("{path}:{}: {name} has {length} lines", at + 1));
        }
    }
    broken
}

/// Globs, nameless modules, and `unsafe` where it may not stand or says no reason.
fn words(source: &Source, code: &str) -> Vec<String> {
    let path = &source.path;
    let tokens = tokens(code);
    let mut broken = Vec::new();
    for pair in tokens.windows(2) {
        if pair == ["::", "*"] {
            broken.push(format!("{path}: a glob import"));
        }
        if pair[0] == "mod" && NAMELESS.contains(&pair[1]) {
            broken.push(format!("{path}: mod {} says nothing", pair[1]));
        }
    }
    let lines: Vec<&str> = source.text.lines().collect();
    for (at, line) in code.lines().enumerate() {
        if !super::tokens(line).contains(&"unsafe") {
            continue;
        }
        if !floors::UNSAFE.contains(&path.as_str()) {
            broken.push(format!("{path}:{}: unsafe in a file that is not listed", at + 1));
        }
        let above = &lines[at.saturating_sub(6)..at];
        if !above.iter().any(|line| line.contains("SAFETY:")) {
            broken.push(format!("{path}:{}: unsafe without SAFETY", at + 1));
        }
    }
    broken
}

/// What no file of the project names: places of one machine.
pub fn machine_paths(source: &Source) -> Vec<String> {
    let places = [concat!("/wo", "rk/"), concat!("/tmp/", "wt"), concat!("/ro", "ot/")];
    let named = places.iter().filter(|place| source.text.contains(*place));
    named.map(|place| format!("{}: names {place}", source.path)).collect()
}
