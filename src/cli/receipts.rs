//! `weir receipts`: the receipt store as lines of JSON, oldest first.
//!
//! It only reads, so it works beside a gateway that holds the data directory. A line is shown once;
//! after a failed write of the gateway, `--follow` may show a line again (the store has it once).

use crate::{
    bridge::receipts::record,
    control_plane::journal::{
        json,
        segment::{self, Segment},
    },
};
use std::{
    io::{self, ErrorKind, Write},
    path::Path,
    time::Duration,
};

const LOOK_EVERY: Duration = Duration::from_millis(200);

/// Writes what is there to `out`; with `follow`, also what comes, until `out` is closed.
///
/// **Errors**: there is no store; it cannot be read. A closed `out` is the end, not an error.
pub fn run(data_dir: &Path, follow: bool, out: &mut impl Write) -> io::Result<()> {
    match print(&data_dir.join("receipts"), follow, out) {
        Err(error) if error.kind() == ErrorKind::BrokenPipe => Ok(()),
        Err(error) if error.kind() == ErrorKind::NotFound => Err(io::Error::new(
            ErrorKind::NotFound,
            format!("no receipts under {}: is this the --data-dir of serve?", data_dir.display()),
        )),
        ended => ended,
    }
}

fn print(dir: &Path, follow: bool, out: &mut impl Write) -> io::Result<()> {
    let mut printed = 0;
    let mut line = Vec::new();
    loop {
        // The next segment is looked for before this one is read to its end: once it exists, this
        // one does not grow.
        let segments = segment::list(dir)?;
        let Some((number, path)) = segments.into_iter().find(|(number, _)| *number > printed)
        else {
            if !follow {
                return out.flush();
            }
            std::thread::sleep(LOOK_EVERY);
            continue;
        };
        let mut segment = match Segment::open(&path) {
            Ok(segment) => segment,
            // Deleted for its age since it was listed.
            Err(error) if error.kind() == ErrorKind::NotFound => continue,
            Err(error) => return Err(error),
        };
        loop {
            let is_last = segment::list(dir)?.last().is_none_or(|(last, _)| *last <= number);
            while let Some(bytes) = segment.read()? {
                let receipt = record::decode(bytes)
                    .map_err(|_| io::Error::new(ErrorKind::InvalidData, "not a receipt"))?;
                line.clear();
                json::write_line(&receipt, &mut line);
                out.write_all(&line)?;
            }
            if !is_last || !follow {
                break;
            }
            out.flush()?;
            std::thread::sleep(LOOK_EVERY);
        }
        printed = number;
    }
}
