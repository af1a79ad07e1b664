//! What has been spent of budgets, by name: for those who ask, and for the next start.
//!
//! Meters know keys alone; the book knows what they stand for. It is filled from the receipts in
//! the store when the process begins, and then hears of each that is stored. Segments that the
//! store lets go of are counted into an archive first (`archive.rs`), so that a quarter is counted
//! whole though receipts are kept for a month.

pub mod archive;
pub mod births;
pub mod report;
pub mod standing;

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
        meter::{MeterKey, NodeMillis, RuleKind},
        receipt::Receipt,
        refusal::Refusal,
        time::UnixMillis,
    },
    policy::{
        budget::Budget,
        calendar::{Calendar, Span},
    },
    snapshot::{Snapshot, asker::Asker},
};
use births::{Birth, Births};
use parking_lot::Mutex;
use std::{
    collections::{BTreeMap, HashMap, HashSet},
    io,
    path::{Path, PathBuf},
    sync::Arc,
};

/// Lines of the book: as many as there may be meters by default. What comes after is not told.
const LINES_MAX: usize = 1_000_000;

/// The codes of those refusals that rules made.
const REFUSED_BY_RULES: [&str; 2] =
    [Refusal::RateLimited.row().code, Refusal::BudgetExceeded.row().code];

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
    /// Requests that cost nobody knows what.
    pub unknown: u64,
}

/// What was spent, shared by the journal's thread and the admin port.
pub struct Book {
    state: Mutex<State>,
    data_dir: PathBuf,
}

struct State {
    snapshots: Receiver<Snapshot>,
    /// Since when each rule counts.
    births: Births,
    /// Of this process's receipts.
    epoch: u64,
    newest: Option<Arc<Snapshot>>,
    subjects: HashMap<Box<str>, SubjectId>,
    lines: Lines,
    /// How many requests each rule held for, since this process began.
    nominated: HashMap<(RuleKind, Box<str>), u64>,
    /// Of budgets that tell people, the lines that nobody has looked at since they changed.
    touched: HashSet<MeterKey>,
    /// Every line is to be looked at again.
    is_new: bool,
    /// What the store held was counted: what is stored from here on is new.
    is_open: bool,
    /// That of the receipt that was counted last.
    calendar: Calendar,
}

impl Book {
    #[must_use]
    pub fn new(data_dir: &Path, snapshots: Receiver<Snapshot>) -> Arc<Self> {
        let state = State {
            snapshots,
            births: Births::default(),
            epoch: 0,
            newest: None,
            subjects: HashMap::new(),
            lines: Lines::new(),
            nominated: HashMap::new(),
            touched: HashSet::new(),
            is_new: true,
            is_open: false,
            calendar: Calendar::at(UnixMillis(0)),
        };
        Arc::new(Self { state: Mutex::new(state), data_dir: data_dir.to_owned() })
    }

    /// For `journal::begin`.
    #[must_use]
    pub fn observer(self: &Arc<Self>) -> Box<dyn Observer> {
        Box::new(Clerk(Arc::clone(self)))
    }

    /// Count what the store and the archive hold, and listen from here on. What each meter has
    /// counted of the periods that hold at `now`. `epoch` is that of this process.
    ///
    /// # Errors
    /// The store's, the archive's and that of what is known of rules.
    pub fn open(&self, epoch: u64, now: UnixMillis) -> io::Result<HashMap<MeterKey, Past>> {
        let state = &mut *self.state.lock();
        state.births = Births::read(&self.data_dir)?;
        state.epoch = epoch;
        state.is_open = true;
        state.adopt(&self.data_dir);
        self.count_all(state, now)
    }

    /// The same for who only looks: nothing is written, and nothing is heard of later.
    ///
    /// # Errors
    /// The same.
    pub fn peek(&self, now: UnixMillis) -> io::Result<HashMap<MeterKey, Past>> {
        let state = &mut *self.state.lock();
        state.births = Births::read(&self.data_dir)?;
        state.adopt(&self.data_dir);
        self.count_all(state, now)
    }

    /// How many requests each rule in force held for, since this process began.
    #[must_use]
    pub fn nominated(&self) -> BTreeMap<(RuleKind, Box<str>), u64> {
        let state = &mut *self.state.lock();
        state.adopt(&self.data_dir);
        let Some(snapshot) = &state.newest else { return BTreeMap::new() };
        let limits = snapshot.limits.limits.iter().map(|it| (RuleKind::RateLimit, it.id.clone()));
        let budgets = snapshot.budgets.budgets.iter().map(|it| (RuleKind::Budget, it.id.clone()));
        let rules: BTreeMap<_, _> = limits
            .chain(budgets)
            .map(|rule| {
                let count = state.nominated.get(&rule).copied().unwrap_or_default();
                (rule, count)
            })
            .collect();
        state.nominated.retain(|rule, _| rules.contains_key(rule));
        rules
    }

    /// Since when each rule counts, as far as it is known now.
    #[must_use]
    pub fn births(&self) -> Births {
        self.state.lock().births.clone()
    }

    fn count_all(&self, state: &mut State, now: UnixMillis) -> io::Result<HashMap<MeterKey, Past>> {
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
        state.adopt(&self.data_dir);
        state.lines.retain(|_, line| line.holds(now));
        state.newest.as_deref().map(|snapshot| see(snapshot, &state.lines))
    }
}

impl Book {
    /// What has changed since this was asked last, of budgets that tell people: under a new
    /// snapshot all that holds at `now`.
    pub(crate) fn news(&self, now: UnixMillis, mut see: impl FnMut(&Budget, MeterKey, &Line)) {
        let state = &mut *self.state.lock();
        state.adopt(&self.data_dir);
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
    fn adopt(&mut self, data_dir: &Path) {
        let Some(newest) = self.snapshots.changed() else { return };
        if self.is_open
            && self.births.note(&newest, Birth { epoch: self.epoch, wall: newest.made })
            && let Err(error) = self.births.write(data_dir)
        {
            tracing::error!(%error, "since when new rules count cannot be kept");
        }
        let callers = newest.callers.iter().zip(0..);
        self.subjects = callers.map(|(it, id)| (it.subject.clone(), SubjectId(id))).collect();
        self.newest = Some(newest);
        self.is_new = true;
    }

    /// Note the rules that held for a request; one that was refused before was none of theirs.
    fn nominate(&mut self, receipt: &Receipt<'_>) {
        let Self { newest: Some(snapshot), subjects, nominated, .. } = self else { return };
        let outcome = &receipt.outcome;
        let was_judged = outcome.was_sent || REFUSED_BY_RULES.contains(&outcome.code);
        if !was_judged {
            return;
        }
        let present = subjects.get(receipt.subject).copied();
        let asker = Asker::of(snapshot, present, receipt.subject, receipt.teams);
        let matter = asker.matter(snapshot, receipt.requested_model, &receipt.metadata);
        let mut last: Option<&Budget> = None;
        let limit = snapshot.limit(&matter).map(|(limit, _)| (RuleKind::RateLimit, &limit.id));
        let budgets = snapshot.budgets(&matter).map(|(budget, _)| budget);
        // Each once, however many of its teams the caller is in.
        let budgets = budgets
            .filter(|budget| !last.replace(budget).is_some_and(|last| std::ptr::eq(last, *budget)));
        for (kind, id) in limit.into_iter().chain(budgets.map(|it| (RuleKind::Budget, &it.id))) {
            *nominated.entry((kind, id.clone())).or_default() += 1;
        }
    }

    fn count_segment(&mut self, path: &Path) -> io::Result<()> {
        let Some(snapshot) = self.newest.clone() else { return Ok(()) };
        // The store lets go of old ones meanwhile.
        let Some(mut segment) = segment::open_if_there(path)? else { return Ok(()) };
        while let Some(bytes) = segment.read()? {
            if let Ok(receipt) = record::decode(bytes) {
                let with = (&*snapshot, &self.subjects, &self.births);
                let Self { calendar, lines, touched, .. } = self;
                count(with, &receipt, calendar, lines, touched);
            }
        }
        Ok(())
    }
}

/// A budget counts in the period in which a request was admitted.
fn count(
    (snapshot, subjects, births): (&Snapshot, &HashMap<Box<str>, SubjectId>, &Births),
    receipt: &Receipt<'_>,
    calendar: &mut Calendar,
    lines: &mut Lines,
    touched: &mut HashSet<MeterKey>,
) {
    if snapshot.budgets.budgets.is_empty() || !receipt.outcome.was_sent {
        return;
    }
    // Who is gone has spent it all the same.
    let present = subjects.get(receipt.subject).copied();
    let asker = Asker::of(snapshot, present, receipt.subject, receipt.teams);
    let matter = asker.matter(snapshot, receipt.requested_model, &receipt.metadata);
    calendar.move_to(receipt.started);
    for (budget, entity) in snapshot.budgets(&matter) {
        let units = budget.units(&receipt.outcome);
        let unknown = u64::from(budget.is_unknown(&receipt.outcome));
        for cap in budget.caps(entity.unwrap_or_default()) {
            if births.of(cap.key).is_none_or(|birth| birth.wall > receipt.started) {
                continue;
            }
            let span = calendar.span(cap.period);
            let key = cap.meter(entity, span);
            if budget.alert.is_some() {
                touched.insert(key);
            }
            if let Some(line) = lines.get_mut(&key) {
                line.units = line.units.saturating_add(units);
                line.unknown = line.unknown.saturating_add(unknown);
            } else if lines.len() < LINES_MAX {
                let entity = entity.map(|key| snapshot.entity_name(budget, &matter, key));
                let Span { start, end, .. } = *span;
                lines.insert(key, Line { cap: cap.key, entity, start, end, units, unknown });
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
        state.adopt(&self.0.data_dir);
        state.nominate(receipt);
        if let State {
            newest: Some(snapshot), subjects, births, calendar, lines, touched, ..
        } = state
        {
            count((snapshot, subjects, births), receipt, calendar, lines, touched);
        }
    }

    fn retire(&mut self, number: u64, path: &Path) -> io::Result<()> {
        let state = &mut *self.0.state.lock();
        state.adopt(&self.0.data_dir);
        let Some(snapshot) = state.newest.clone() else { return Ok(()) };
        let mut archive = archive::read(&self.0.data_dir)?;
        if archive.through.is_some_and(|through| number <= through) {
            return Ok(());
        }
        let mut segment = Segment::open(path)?;
        while let Some(bytes) = segment.read()? {
            if let Ok(receipt) = record::decode(bytes) {
                let with = (&*snapshot, &state.subjects, &state.births);
                let (calendar, lines) = (&mut state.calendar, &mut archive.lines);
                count(with, &receipt, calendar, lines, &mut HashSet::new());
            }
        }
        archive.through = Some(number);
        archive::write(&self.0.data_dir, &archive, crate::control_plane::load::now())
    }
}
