//! The receipt store and the thread that fills it from the ring.
//!
//! The ring's records are appended to the store (`store.rs`, `segment.rs`), then released, then
//! shown to observers (`access_log.rs`, telemetry). What was appended is synced once a second:
//! a death of the process loses nothing, a power loss at most that second. While the disk refuses,
//! records stay in the ring and the same batch is tried again; the ring fills, and the data plane
//! refuses or drops by its rule.
//!
//! **Invariants**: an own thread, because its writes block; nobody waits for it but the last drain
//! at shutdown; a record is released only when it is in the store.

pub mod access_log;
pub mod disk;
pub mod json;
pub mod segment;
pub mod store;

use crate::{
    bridge::receipts::{self, data_dir::DataDir, reader::Reader, record, recovery, writer::Writer},
    lexicon::receipt::Receipt,
};
use crossbeam_channel::{Sender, TryRecvError};
use std::{
    io,
    path::Path,
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    thread::JoinHandle,
    time::{Duration, Instant, SystemTime},
};
use store::{Limits, Store};

/// How long a receipt may wait for the next look: also the delay of the metrics.
const LOOK_EVERY: Duration = Duration::from_millis(20);
/// What a power loss may cost.
const SYNC_EVERY: Duration = Duration::from_secs(1);
const RETAIN_EVERY: Duration = Duration::from_mins(1);
const RETRY_AFTER_MIN: Duration = Duration::from_millis(50);
const RETRY_AFTER_MAX: Duration = Duration::from_secs(5);
/// 1 MiB of typical records; 8 MiB at most.
const BATCH_RECORDS_MAX: usize = 2048;

/// Hears of each receipt after it is in the store, in the journal's thread: it must not block.
pub trait Observer: Send {
    fn see(&mut self, receipt: &Receipt<'_>);

    /// Hears of a segment of the store before it is deleted.
    ///
    /// # Errors
    /// It is not to be deleted yet.
    fn retire(&mut self, _number: u64, _path: &Path) -> io::Result<()> {
        Ok(())
    }
}

/// How the journal is; written by its thread.
#[derive(Debug, Default)]
pub struct Health {
    pub stored_total: AtomicU64,
    pub write_errors_total: AtomicU64,
    /// Records that do not decode; always 0, or there is a defect.
    pub corrupt_total: AtomicU64,
    pub is_failing: AtomicBool,
}

/// The running journal.
pub struct Journal {
    health: Arc<Health>,
    stop: Sender<Instant>,
    thread: JoinHandle<usize>,
}

/// The ring and its journal under `dir`: first what the last process left goes into the store, then
/// the ring is made anew.
///
/// **Errors**: no room for the ring; what was left cannot be stored.
pub fn begin(
    dir: &DataDir,
    (ring_bytes, cores): (u64, u16),
    limits: Limits,
    mut observers: Vec<Box<dyn Observer>>,
) -> io::Result<(Vec<Writer>, Journal)> {
    let recovered = recovery::recover(dir)?;
    if recovered.corrupt > 0 {
        tracing::error!(count = recovered.corrupt, "records of the receipt ring are damaged");
    }
    let mut store = Store::open(dir.path(), limits, Box::new(disk::Files))?;
    let replayed = store.replay(&recovered)?;
    if replayed != store::Replayed::default() {
        let (stored, known) = (replayed.stored, replayed.known);
        tracing::info!(stored, known, "took over the receipts of a process that ended early");
    }
    for record in recovered.records() {
        let Ok(receipt) = record::decode(record) else { continue };
        for observer in &mut observers {
            observer.see(&receipt);
        }
    }
    let (writers, reader) = receipts::create(dir, recovered, ring_bytes, cores)?;
    Ok((writers, Journal::start(store, reader, observers)?))
}

impl Journal {
    pub fn start(
        store: Store,
        reader: Reader,
        observers: Vec<Box<dyn Observer>>,
    ) -> io::Result<Self> {
        let health = Arc::new(Health::default());
        let (stop, stopped) = crossbeam_channel::bounded(1);
        let mut run = Run {
            store,
            reader,
            observers,
            health: Arc::clone(&health),
            frames: Vec::new(),
            retry: None,
            synced: Instant::now(),
            retained: None,
        };
        let thread = std::thread::Builder::new().name("journal".to_owned()).spawn(move || {
            let deadline = loop {
                // Parked, for a channel that waits spins and yields first, on a core's time.
                if !run.turn() {
                    std::thread::park_timeout(LOOK_EVERY);
                }
                match stopped.try_recv() {
                    Ok(deadline) => break deadline,
                    Err(TryRecvError::Empty) => {}
                    Err(TryRecvError::Disconnected) => break Instant::now(),
                }
            };
            run.finish(deadline)
        })?;
        Ok(Self { health, stop, thread })
    }

    #[must_use]
    pub fn health(&self) -> Arc<Health> {
        Arc::clone(&self.health)
    }

    /// Stores what is closed, syncs and ends; to be called after the cores have ended. Returns how
    /// many receipts remain in the ring, for the next start, because the disk did not take them
    /// within `patience`.
    #[must_use]
    pub fn stop(self, patience: Duration) -> usize {
        // A journal that ended before is a defect that `join` reports.
        let _ = self.stop.send(Instant::now() + patience);
        self.thread.thread().unpark();
        self.thread.join().unwrap_or(usize::MAX)
    }
}

/// What the thread owns.
struct Run {
    store: Store,
    reader: Reader,
    observers: Vec<Box<dyn Observer>>,
    health: Arc<Health>,
    /// The batch drained and not yet stored.
    frames: Vec<u8>,
    /// While the disk refuses: when to try again, and how long the wait after that.
    retry: Option<(Instant, Duration)>,
    synced: Instant,
    retained: Option<Instant>,
}

impl Run {
    /// One look at the ring; true where there is more to do at once.
    fn turn(&mut self) -> bool {
        let now = Instant::now();
        if self.retry.is_some_and(|(at, _)| now < at) {
            return false;
        }
        let frames = &mut self.frames;
        if frames.is_empty() {
            self.reader.drain(BATCH_RECORDS_MAX, &mut |record| segment::frame(record, frames));
        }
        let mut outcome = Ok(());
        if !self.frames.is_empty() {
            outcome = self.store.append(&self.frames);
            if outcome.is_ok() {
                self.reader.release();
                self.show();
            }
        }
        if outcome.is_ok() && now - self.synced >= SYNC_EVERY {
            self.synced = now;
            outcome = self.store.sync();
        }
        if outcome.is_ok() && self.retained.is_none_or(|at| now - at >= RETAIN_EVERY) {
            self.retained = Some(now);
            let observers = &mut self.observers;
            let mut retire = |number: u64, path: &Path| {
                observers.iter_mut().try_for_each(|observer| observer.retire(number, path))
            };
            outcome = self.store.retain(SystemTime::now(), &mut retire);
        }
        self.judge(outcome, now);
        self.retry.is_none() && self.reader.waiting() > 0
    }

    /// Shows the batch to the observers and forgets it.
    fn show(&mut self) {
        let mut stored = 0;
        for record in segment::records(&self.frames) {
            stored += 1;
            let Ok(receipt) = record::decode(record) else {
                self.health.corrupt_total.fetch_add(1, Ordering::Relaxed);
                continue;
            };
            for observer in &mut self.observers {
                observer.see(&receipt);
            }
        }
        self.health.stored_total.fetch_add(stored, Ordering::Relaxed);
        self.frames.clear();
    }

    /// One line in the log when the disk begins to refuse, one when it takes again.
    fn judge(&mut self, outcome: io::Result<()>, now: Instant) {
        match (outcome, self.retry) {
            (Ok(()), None) => {}
            (Ok(()), Some(_)) => {
                self.retry = None;
                tracing::info!("receipts are stored again");
            }
            (Err(error), retry) => {
                self.health.write_errors_total.fetch_add(1, Ordering::Relaxed);
                if retry.is_none() {
                    tracing::error!(%error, "receipts cannot be stored; they wait in the ring");
                }
                let wait = retry.map_or(RETRY_AFTER_MIN, |(_, wait)| wait * 2);
                let wait = wait.min(RETRY_AFTER_MAX);
                self.retry = Some((now + wait, wait));
            }
        }
        self.health.is_failing.store(self.retry.is_some(), Ordering::Relaxed);
    }

    /// Drains what is left, until the ring holds nothing closed or `deadline` has passed.
    fn finish(mut self, deadline: Instant) -> usize {
        self.retry = self.retry.map(|(_, wait)| (Instant::now(), wait));
        loop {
            let has_more = self.turn();
            let left = segment::records(&self.frames).count() + self.reader.waiting();
            if left == 0 || Instant::now() >= deadline {
                if let Err(error) = self.store.sync() {
                    tracing::error!(%error, "the last receipts are not synced to the disk");
                }
                return left;
            }
            if !has_more {
                std::thread::sleep(LOOK_EVERY.min(deadline - Instant::now()));
            }
        }
    }
}
