//! What has been spent of budgets, by name: for those who ask, and for the next start.
//!
//! Meters know keys alone; the book knows what they stand for. It is filled from the receipts in
//! the store when the process begins, and then hears of each that is stored. Segments that the
//! store lets go of are counted into an archive first (`archive.rs`), so that a quarter is counted
//! whole though receipts are kept for a month.

pub mod archive;
pub mod report;

use crate::{
    bridge::{
        lane::Receiver,
        quota::{meter::Past, node::ORIGIN_MS},
        receipts::record,
    },
    control_plane::journal::{
        Observer,
        segment::{self, Segment},
    },
    lexicon::{
        ids::SubjectId,
        meter::{MeterKey, NodeMillis},
        receipt::Receipt,
        time::UnixMillis,
    },
    policy::{
        budget::Budget,
        calendar::{Calendar, Span},
    },
    snapshot::Snapshot,
};
use parking_lot::Mutex;
use std::{
    collections::{HashMap, HashSet},
    io,
    path::{Path, PathBuf},
    sync::Arc,
};

/// Lines of the book: as many as there may be meters by default. What comes after is not told.
const LINES_MAX: usize = 1_000_000;

/// The lines by the key of their meter.
pub(crate) type Lines = HashMap<MeterKey, Line>;

/// What one meter of a budget has counted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Line {
    /// Of the budget and the kind of period.
    pub cap: MeterKey,
    /// What it is told apart by; none where one meter is for all.
    pub entity: Option<Box<str>>,
    pub start: UnixMillis,
    /// None is never.
    pub end: Option<UnixMillis>,
    pub units: u64,
}

/// What was spent, shared by the journal's thread and the admin port.
pub struct Book {
    state: Mutex<State>,
    data_dir: PathBuf,
}

struct State {
    snapshots: Receiver<Snapshot>,
    newest: Option<Arc<Snapshot>>,
    subjects: HashMap<Box<str>, SubjectId>,
    lines: Lines,
    /// Of budgets that tell people, the lines that nobody has looked at since they changed.
    touched: HashSet<MeterKey>,
    /// Every line is to be looked at again.
    is_new: bool,
    /// What the store held was counted: what is stored from here on is new.
    is_open: bool,
}

impl Book {
    #[must_use]
    pub fn new(data_dir: &Path, snapshots: Receiver<Snapshot>) -> Arc<Self> {
        let state = State {
            snapshots,
            newest: None,
            subjects: HashMap::new(),
            lines: Lines::new(),
            touched: HashSet::new(),
            is_new: true,
            is_open: false,
        };
        Arc::new(Self { state: Mutex::new(state), data_dir: data_dir.to_owned() })
    }

    /// For `journal::begin`.
    #[must_use]
    pub fn observer(self: &Arc<Self>) -> Box<dyn Observer> {
        Box::new(Clerk(Arc::clone(self)))
    }

    /// Count what the store and the archive hold, and listen from here on. What each meter has
    /// counted of the periods that hold at `now`.
    ///
    /// # Errors
    /// The store's, and the archive's.
    pub fn open(&self, now: UnixMillis) -> io::Result<HashMap<MeterKey, Past>> {
        let state = &mut *self.state.lock();
        state.adopt();
        state.is_open = true;
        let has_budgets = state.newest.as_ref().is_some_and(|it| !it.budgets.budgets.is_empty());
        if !has_budgets {
            return Ok(HashMap::new());
        }
        let archive = archive::read(&self.data_dir)?;
        state.lines = archive.lines;
        for (number, path) in segment::list(&self.data_dir.join("receipts"))? {
            if archive.through.is_none_or(|through| number > through) {
                state.count_segment(&path)?;
            }
        }
        state.lines.retain(|_, line| line.holds(now));
        let past = |line: &Line| Past(vec![(NodeMillis(ORIGIN_MS), line.units)]);
        Ok(state.lines.iter().map(|(key, line)| (*key, past(line))).collect())
    }

    /// The newest snapshot, and the lines of the periods that hold at `now`.
    pub(crate) fn look<T>(
        &self,
        now: UnixMillis,
        see: impl FnOnce(&Snapshot, &Lines) -> T,
    ) -> Option<T> {
        let state = &mut *self.state.lock();
        state.adopt();
        state.lines.retain(|_, line| line.holds(now));
        state.newest.as_deref().map(|snapshot| see(snapshot, &state.lines))
    }
}

impl Book {
    /// What has changed since this was asked last, of budgets that tell people: under a new
    /// snapshot all that holds at `now`.
    pub(crate) fn news(&self, now: UnixMillis, mut see: impl FnMut(&Budget, MeterKey, &Line)) {
        let state = &mut *self.state.lock();
        state.adopt();
        let Some(snapshot) = state.newest.clone() else { return };
        if state.touched.is_empty() && !state.is_new {
            return;
        }
        let mut telling: HashMap<MeterKey, &Budget> = HashMap::new();
        for budget in snapshot.budgets.budgets.iter().filter(|it| it.alert.is_some()) {
            telling.extend(budget.every_cap().map(|cap| (cap.key, budget)));
        }
        let touched = std::mem::take(&mut state.touched);
        if telling.is_empty() {
            return;
        }
        let mut look = |key: &MeterKey, line: &Line| {
            if let Some(budget) = telling.get(&line.cap) {
                see(budget, *key, line);
            }
        };
        if std::mem::take(&mut state.is_new) {
            state.lines.retain(|_, line| line.holds(now));
            state.lines.iter().for_each(|(key, line)| look(key, line));
        } else {
            let lines = touched.iter().filter_map(|key| Some((key, state.lines.get(key)?)));
            lines.for_each(|(key, line)| look(key, line));
        }
    }
}

impl Line {
    fn holds(&self, now: UnixMillis) -> bool {
        self.end.is_none_or(|end| end > now)
    }
}

impl State {
    fn adopt(&mut self) {
        let Some(newest) = self.snapshots.changed() else { return };
        let callers = newest.callers.iter().zip(0..);
        self.subjects = callers.map(|(it, id)| (it.subject.clone(), SubjectId(id))).collect();
        self.newest = Some(newest);
        self.is_new = true;
    }

    fn count_segment(&mut self, path: &Path) -> io::Result<()> {
        let Some(snapshot) = self.newest.clone() else { return Ok(()) };
        // The store lets go of old ones meanwhile.
        let Some(mut segment) = segment::open_if_there(path)? else { return Ok(()) };
        while let Some(bytes) = segment.read()? {
            if let Ok(receipt) = record::decode(bytes) {
                count(&snapshot, &self.subjects, &receipt, &mut self.lines, &mut self.touched);
            }
        }
        Ok(())
    }
}

/// A budget counts in the period in which a request was admitted.
fn count(
    snapshot: &Snapshot,
    subjects: &HashMap<Box<str>, SubjectId>,
    receipt: &Receipt<'_>,
    lines: &mut Lines,
    touched: &mut HashSet<MeterKey>,
) {
    let Some(subject) = subjects.get(receipt.subject).filter(|_| receipt.outcome.was_sent) else {
        return;
    };
    let matter = snapshot.matter(*subject, receipt.requested_model, &receipt.metadata);
    let calendar = Calendar::at(receipt.started);
    for (budget, entity) in snapshot.budgets(&matter) {
        let units = budget.units(&receipt.outcome);
        for cap in budget.caps(entity.unwrap_or_default()) {
            let span = calendar.span(cap.period);
            let key = cap.meter(entity, span);
            if budget.alert.is_some() {
                touched.insert(key);
            }
            if let Some(line) = lines.get_mut(&key) {
                line.units = line.units.saturating_add(units);
            } else if lines.len() < LINES_MAX {
                let entity = entity.map(|key| snapshot.entity_name(budget, &matter, key));
                let Span { start, end, .. } = *span;
                lines.insert(key, Line { cap: cap.key, entity, start, end, units });
            }
        }
    }
}

/// Writes into the book what the journal has stored.
struct Clerk(Arc<Book>);

impl Observer for Clerk {
    fn see(&mut self, receipt: &Receipt<'_>) {
        let state = &mut *self.0.state.lock();
        if !state.is_open {
            return;
        }
        state.adopt();
        if let State { newest: Some(snapshot), subjects, lines, touched, .. } = state {
            count(snapshot, subjects, receipt, lines, touched);
        }
    }

    fn retire(&mut self, number: u64, path: &Path) -> io::Result<()> {
        let state = &mut *self.0.state.lock();
        state.adopt();
        let Some(snapshot) = state.newest.clone() else { return Ok(()) };
        let mut archive = archive::read(&self.0.data_dir)?;
        if archive.through.is_some_and(|through| number <= through) {
            return Ok(());
        }
        let mut segment = Segment::open(path)?;
        while let Some(bytes) = segment.read()? {
            if let Ok(receipt) = record::decode(bytes) {
                count(
                    &snapshot,
                    &state.subjects,
                    &receipt,
                    &mut archive.lines,
                    &mut HashSet::new(),
                );
            }
        }
        archive.through = Some(number);
        archive::write(&self.0.data_dir, &archive, crate::control_plane::load::now())
    }
}
