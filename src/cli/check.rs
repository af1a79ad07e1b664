//! `weir check`: every problem with a configuration, before it is used.

use crate::{
    control_plane::{
        load::{load, now},
        secrets::SecretSource,
    },
    lexicon::problem::{Problem, Severity},
};
use std::{
    io::{self, Write},
    path::Path,
};

/// Prints every problem, one a line, and a summary. Returns the exit code: 1 where one at least is
/// an error.
pub fn run(config: &Path, secrets_dir: Option<&Path>, out: &mut impl Write) -> io::Result<u8> {
    let secrets = SecretSource { folder: secrets_dir.map(Path::to_owned) };
    match load(config, &secrets, now()) {
        Ok(loaded) => {
            let snapshot = &loaded.compiled.snapshot;
            print(out, &loaded.compiled.warnings)?;
            writeln!(
                out,
                "ok: {}, {}, {}, {}",
                counted(loaded.documents.len(), "document"),
                counted(snapshot.models.len(), "model"),
                counted(snapshot.tokens.len(), "token"),
                counted(loaded.compiled.warnings.len(), "warning"),
            )?;
            Ok(0)
        }
        Err(problems) => {
            print(out, &problems)?;
            let errors = problems.iter().filter(|it| it.severity == Severity::Error).count();
            let (errors, warnings) = (counted(errors, "error"), problems.len() - errors);
            writeln!(out, "refused: {errors}, {}", counted(warnings, "warning"))?;
            Ok(1)
        }
    }
}

fn print(out: &mut impl Write, problems: &[Problem]) -> io::Result<()> {
    problems.iter().try_for_each(|problem| writeln!(out, "{problem}"))
}

fn counted(count: usize, noun: &str) -> String {
    if count == 1 { format!("1 {noun}") } else { format!("{count} {noun}s") }
}
