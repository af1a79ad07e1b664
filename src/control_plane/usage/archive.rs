//! What was counted of receipts that are no longer kept: `DATA/budgets.json`.
//!
//! It is written before a segment is deleted and says up to which one it counts, so that a death in
//! between counts nothing twice. Periods that are over are left out.

use crate::{
    control_plane::{
        journal::disk::write_whole,
        usage::{Line, Lines},
    },
    lexicon::{meter::MeterKey, time::UnixMillis},
};
use serde_json::{Value, json};
use std::{fs, io, path::Path};

const NAME: &str = "budgets.json";

/// What the archive says.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Archive {
    /// The last segment that is in it.
    pub through: Option<u64>,
    pub lines: Lines,
}

/// The archive of a data directory; an empty one where there is none.
///
/// # Errors
/// The disk's; `InvalidData` where the file is none of ours.
pub fn read(data_dir: &Path) -> io::Result<Archive> {
    let text = match fs::read_to_string(data_dir.join(NAME)) {
        Ok(text) => text,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Archive::default()),
        Err(error) => return Err(error),
    };
    let whole: Value = serde_json::from_str(&text)?;
    let bad = || io::Error::new(io::ErrorKind::InvalidData, format!("{NAME} is damaged"));
    let mut archive = Archive { through: whole["through"].as_u64(), lines: Lines::new() };
    for line in whole["lines"].as_array().ok_or_else(bad)? {
        let (key, line) = read_line(line).ok_or_else(bad)?;
        archive.lines.insert(key, line);
    }
    Ok(archive)
}

fn read_line(line: &Value) -> Option<(MeterKey, Line)> {
    let key = |name: &str| u128::from_str_radix(line[name].as_str()?, 16).ok().map(MeterKey);
    let read = Line {
        cap: key("cap")?,
        entity: line["entity"].as_str().map(Into::into),
        start: UnixMillis(line["start"].as_u64()?),
        end: line["end"].as_u64().map(UnixMillis),
        units: line["units"].as_u64()?,
        // Older archives do not say it.
        unknown: line["unknown"].as_u64().unwrap_or_default(),
    };
    Some((key("key")?, read))
}

/// Write it whole, or leave what was there.
pub(super) fn write(data_dir: &Path, archive: &Archive, now: UnixMillis) -> io::Result<()> {
    let lines = archive.lines.iter().filter(|(_, line)| line.holds(now));
    let line = |(key, line): (&MeterKey, &Line)| {
        json!({"key": format!("{:x}", key.0), "cap": format!("{:x}", line.cap.0),
            "entity": line.entity, "start": line.start.0, "end": line.end.map(|end| end.0),
            "units": line.units, "unknown": line.unknown})
    };
    let whole = json!({"through": archive.through, "lines": lines.map(line).collect::<Vec<_>>()});
    write_whole(data_dir, NAME, &whole.to_string())
}

#[cfg(test)]
mod tests {
    use super::{Archive, read, write};
    use crate::{
        control_plane::usage::Line,
        lexicon::{meter::MeterKey, time::UnixMillis},
    };

    #[test]
    fn what_is_archived_is_read_back_but_for_periods_that_are_over() {
        let folder = tempfile::tempdir().expect("there is room");
        let line = |entity: Option<&str>, end: Option<u64>| Line {
            cap: MeterKey(u128::MAX - 1),
            entity: entity.map(Into::into),
            start: UnixMillis(5),
            end: end.map(UnixMillis),
            units: u64::MAX,
            unknown: 7,
        };
        let mut archive = Archive { through: Some(3), ..Archive::default() };
        archive.lines.insert(MeterKey(1), line(Some("ada \"x\""), Some(900)));
        archive.lines.insert(MeterKey(2), line(None, None));
        archive.lines.insert(MeterKey(3), line(None, Some(100)));

        write(folder.path(), &archive, UnixMillis(100)).expect("the folder is ours");

        archive.lines.remove(&MeterKey(3));
        assert_eq!(read(folder.path()).expect("it was just written"), archive);
        std::fs::write(folder.path().join("budgets.json"), "{}").expect("the folder is ours");
        assert!(read(folder.path()).is_err());
    }
}
