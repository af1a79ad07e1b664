//! The access log: each receipt as a line of JSON, after it is in the store.
//!
//! A reader that does not read must not stop the journal: lines wait in a bounded queue before a
//! thread of their own, and what finds it full is counted. Receipts that a dead process left are
//! shown again: at least once, where nothing is dropped.

use crate::{
    control_plane::journal::{Observer, json},
    lexicon::receipt::Receipt,
};
use crossbeam_channel::{Receiver, Sender};
use std::{
    io::{self, Write},
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

/// About 5 MB of lines.
const LINES_MAX: usize = 8192;
/// How long the end of the process waits for the last lines to be read.
const LAST_LINES: Duration = Duration::from_secs(1);

/// An observer that writes lines.
pub struct AccessLog {
    lines: Option<Sender<Vec<u8>>>,
    ended: Receiver<()>,
    dropped_total: Arc<AtomicU64>,
}

impl AccessLog {
    /// Lines go to `out` in a thread of their own.
    pub fn start(out: impl Write + Send + 'static) -> io::Result<Self> {
        let (lines, waiting) = crossbeam_channel::bounded(LINES_MAX);
        let (end, ended) = crossbeam_channel::bounded(0);
        std::thread::Builder::new().name("access-log".to_owned()).spawn(move || {
            write(out, &waiting);
            drop(end);
        })?;
        Ok(Self { lines: Some(lines), ended, dropped_total: Arc::default() })
    }

    /// Lines that found the queue full, or their reader gone.
    #[must_use]
    pub fn dropped_total(&self) -> Arc<AtomicU64> {
        Arc::clone(&self.dropped_total)
    }
}

fn write(mut out: impl Write, lines: &Receiver<Vec<u8>>) {
    while let Ok(line) = lines.recv() {
        let mut written = out.write_all(&line);
        if lines.is_empty() {
            written = written.and_then(|()| out.flush());
        }
        if let Err(error) = written {
            tracing::error!(%error, "the access log ends: nobody takes its lines");
            return;
        }
    }
    // Nobody is left to tell.
    let _ = out.flush();
}

impl Observer for AccessLog {
    fn see(&mut self, receipt: &Receipt<'_>) {
        let mut line = Vec::with_capacity(768);
        json::write_line(receipt, &mut line);
        if self.lines.as_ref().is_some_and(|lines| lines.try_send(line).is_err()) {
            self.dropped_total.fetch_add(1, Ordering::Relaxed);
        }
    }
}

impl Drop for AccessLog {
    fn drop(&mut self) {
        self.lines = None;
        // Either way it is over: the thread ended, or its reader does not read.
        let _ = self.ended.recv_timeout(LAST_LINES);
    }
}
