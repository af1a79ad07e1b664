//! `weir explain`: what the gateway would do with a request, and why.
//!
//! `routing.rs` says which rule routes it and to which targets, `limits.rs` which limits hold, and
//! `budgets.rs` which budgets decide; what is left of those is told where a data directory or a
//! running gateway can be asked.

mod budgets;
mod limits;
mod routing;

use crate::{
    cli::flags::Explain,
    control_plane::{
        load::{load, now},
        secrets::SecretSource,
        usage::standing::{self, Thought},
    },
    lexicon::ids::SubjectId,
    policy::metadata,
    snapshot::Snapshot,
};
use serde_json::{Value, json};
use std::{
    io::{self, Write},
    sync::Arc,
};

/// A request, as far as rules look at it.
struct Request<'a> {
    snapshot: &'a Snapshot,
    subject: SubjectId,
    model: &'a str,
    metadata: &'a [(&'a str, &'a str)],
    headers: &'a [(String, String)],
    /// What is left; none where nobody was asked.
    standing: Option<&'a Value>,
}

/// Explains. Returns the exit code: 1 where the configuration cannot be obeyed or does not know the
/// subject.
pub fn run(flags: &Explain, out: &mut impl Write) -> io::Result<u8> {
    let secrets = SecretSource { folder: flags.secrets_dir.clone() };
    let loaded = match load(&flags.config, &secrets, now()) {
        Ok(loaded) => loaded,
        Err(problems) => {
            problems.iter().try_for_each(|problem| writeln!(out, "{problem}"))?;
            return Ok(1);
        }
    };
    let snapshot = &Arc::new(loaded.compiled.snapshot);
    let wanted = flags.subject.replacen("virtual-account:", "virtualaccount:", 1);
    let found = snapshot.callers.iter().position(|caller| *caller.subject == *wanted);
    let Some(subject) = found.and_then(|at| u32::try_from(at).ok()).map(SubjectId) else {
        writeln!(out, "no document names the subject {:?}", flags.subject)?;
        return Ok(1);
    };
    let written = flags.metadata.iter().map(|(key, value)| (key.as_str(), value.as_str()));
    let metadata = metadata::merge(written, &snapshot.caller(subject).metadata);
    let caller = &*snapshot.caller(subject).subject;
    let thought = Thought { subject: caller, model: &flags.model, metadata: &metadata };
    let standing = match asked(flags, snapshot, thought) {
        Ok(standing) => standing,
        Err(words) => {
            writeln!(out, "what is left is not known: {words}")?;
            return Ok(1);
        }
    };
    let request = Request {
        snapshot,
        subject,
        model: &flags.model,
        metadata: &metadata,
        headers: &flags.header,
        standing: standing.as_ref(),
    };
    let parts = [
        ("routing", routing::explain(&request)),
        ("limits", limits::explain(&request)),
        ("budgets", budgets::explain(&request)),
    ];
    if flags.json {
        let mut all = json!({
            "subject": &*snapshot.caller(subject).subject,
            "model": flags.model,
            "metadata": metadata.iter().copied().collect::<std::collections::BTreeMap<_, _>>(),
        });
        for (name, part) in parts {
            all[name] = part.json;
        }
        writeln!(out, "{all:#}")?;
    } else {
        for (_, part) in parts {
            out.write_all(part.table.as_bytes())?;
        }
    }
    Ok(0)
}

/// What is left of what the request would meet, where somebody is to be asked.
fn asked(
    flags: &Explain,
    snapshot: &Arc<Snapshot>,
    thought: Thought<'_>,
) -> Result<Option<Value>, String> {
    if let Some(url) = &flags.admin {
        return standing::of_gateway(url, flags.admin_token.as_deref(), thought).map(Some);
    }
    let Some(data_dir) = &flags.data_dir else { return Ok(None) };
    standing::of_store(data_dir, snapshot, thought)
        .map_err(|error| format!("{}: {error}", data_dir.display()))
}

/// What is left by what is known of a rule, in words; empty where nothing is.
fn left_of(standing: Option<&Value>, words: impl Fn(&Value) -> String) -> String {
    standing.map_or_else(String::new, |standing| format!("{} left", words(&standing["left"])))
}

/// What one part of the gateway says of a request.
struct Part {
    /// For a person: lines, each with its newline.
    table: String,
    json: Value,
}

/// Rows as a table: each column as wide as its widest cell, two spaces between.
fn aligned(rows: &[Vec<String>]) -> String {
    let columns = rows.iter().map(Vec::len).max().unwrap_or_default();
    let width = |column: usize| {
        let cells = rows.iter().filter_map(|row| row.get(column));
        cells.map(|cell| cell.chars().count()).max().unwrap_or_default()
    };
    let widths: Vec<usize> = (0..columns).map(width).collect();
    let mut table = String::new();
    for row in rows {
        let cells = row.iter().zip(&widths).filter(|(_, width)| **width > 0);
        let line: Vec<String> = cells.map(|(cell, width)| format!("{cell:<width$}")).collect();
        table.push_str("  ");
        table.push_str(line.join("  ").trim_end());
        table.push('\n');
    }
    table
}
