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
    snapshot::{Matter, Snapshot, asker::Asker},
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
    tally: Tally,
    nominated: Nominated,
    /// Every line is to be looked at again.
    is_new: bool,
    /// What the store held was counted: what is stored from here on is new.
    is_open: bool,
    /// How late it is, as far as anyone has said: periods that were left do not come back.
    wall: UnixMillis,
}

/// What was counted.
struct Tally {
    lines: Lines,
    /// Of budgets that tell people, the lines that nobody has looked at since they changed.
    touched: HashSet<MeterKey>,
    /// That of the receipt that was counted last.
    calendar: Calendar,
}

/// How many requests each rule held for, since this process began.
#[derive(Default)]
struct Nominated {
    limits: HashMap<Box<str>, u64>,
    budgets: HashMap<Box<str>, u64>,
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
            tally: Tally::of(Lines::new()),
            nominated: Nominated::default(),
            is_new: true,
            is_open: false,
            wall: UnixMillis(0),
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
        let limits = snapshot.limits.limits.iter().map(|it| (RuleKind::RateLimit, &it.id));
        let budgets = snapshot.budgets.budgets.iter().map(|it| (RuleKind::Budget, &it.id));
        let mut rules = BTreeMap::new();
        for (kind, id) in limits.chain(budgets) {
            let count = state.nominated.of(kind).get(id).copied().unwrap_or_default();
            rules.insert((kind, id.clone()), count);
        }
        for kind in [RuleKind::RateLimit, RuleKind::Budget] {
            state.nominated.of(kind).retain(|id, _| rules.contains_key(&(kind, id.clone())));
        }
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
        state.tally.lines = archive.lines;
        for (number, path) in segment::list(&self.data_dir.join("receipts"))? {
            if archive.through.is_none_or(|through| number > through) {
                state.count_segment(&path)?;
            }
        }
        state.tally.lines.retain(|_, line| line.holds(now));
        let past = |line: &Line| Past(vec![(NodeMillis(ORIGIN_MS), line.units)]);
        Ok(state.tally.lines.iter().map(|(key, line)| (*key, past(line))).collect())
    }

    /// The newest snapshot, the lines of the periods that hold at `now`, and how late it is: that,
    /// or where a clock was set back, what it was before.
    pub(crate) fn look<T>(
        &self,
        now: UnixMillis,
        see: impl FnOnce(&Snapshot, &Lines, UnixMillis) -> T,
    ) -> Option<T> {
        let state = &mut *self.state.lock();
        state.adopt(&self.data_dir);
        let now = state.turn(now);
        state.tally.lines.retain(|_, line| line.holds(now));
        state.newest.as_deref().map(|snapshot| see(snapshot, &state.tally.lines, now))
    }
}

impl Book {
    /// What has changed since this was asked last, of budgets that tell people: under a new
    /// snapshot all that holds at `now`.
    pub(crate) fn news(&self, now: UnixMillis, mut see: impl FnMut(&Budget, MeterKey, &Line)) {
        let state = &mut *self.state.lock();
        state.adopt(&self.data_dir);
        let now = state.turn(now);
        let Some(snapshot) = state.newest.clone() else { return };
        if state.tally.touched.is_empty() && !state.is_new {
            return;
        }
        let mut telling: HashMap<MeterKey, &Budget> = HashMap::new();
        for budget in snapshot.budgets.budgets.iter().filter(|it| it.alert.is_some()) {
            telling.extend(budget.every_cap().map(|cap| (cap.key, budget)));
        }
        let touched = std::mem::take(&mut state.tally.touched);
        if telling.is_empty() {
            return;
        }
        let mut look = |key: &MeterKey, line: &Line| {
            if let Some(budget) = telling.get(&line.cap) {
                see(budget, *key, line);
            }
        };
        if std::mem::take(&mut state.is_new) {
            state.tally.lines.retain(|_, line| line.holds(now));
            state.tally.lines.iter().for_each(|(key, line)| look(key, line));
        } else {
            let lines = touched.iter().filter_map(|key| Some((key, state.tally.lines.get(key)?)));
            lines.for_each(|(key, line)| look(key, line));
        }
    }
}

impl Tally {
    fn of(lines: Lines) -> Self {
        Self { lines, touched: HashSet::new(), calendar: Calendar::at(UnixMillis(0)) }
    }

    /// To the periods of this receipt.
    fn turn(&mut self, receipt: &Receipt<'_>) {
        self.calendar.move_to(receipt.counted_at());
    }
}

impl Nominated {
    const fn of(&mut self, kind: RuleKind) -> &mut HashMap<Box<str>, u64> {
        match kind {
            RuleKind::RateLimit => &mut self.limits,
            RuleKind::Budget => &mut self.budgets,
        }
    }

    fn add(&mut self, kind: RuleKind, id: &str) {
        let counts = self.of(kind);
        match counts.get_mut(id) {
            Some(count) => *count += 1,
            None => drop(counts.insert(id.into(), 1)),
        }
    }
}

impl Line {
    fn holds(&self, now: UnixMillis) -> bool {
        self.end.is_none_or(|end| end > now)
    }
}

impl State {
    fn turn(&mut self, now: UnixMillis) -> UnixMillis {
        self.wall = self.wall.max(now);
        self.wall
    }

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

    fn count_segment(&mut self, path: &Path) -> io::Result<()> {
        let Some(snapshot) = self.newest.clone() else { return Ok(()) };
        // The store lets go of old ones meanwhile.
        let Some(mut segment) = segment::open_if_there(path)? else { return Ok(()) };
        while let Some(bytes) = segment.read()? {
            if let Ok(receipt) = record::decode(bytes) {
                let rules =
                    Rules { snapshot: &snapshot, subjects: &self.subjects, births: &self.births };
                rules.count(&receipt, &mut self.tally, None);
            }
        }
        Ok(())
    }
}

/// What receipts are counted by.
struct Rules<'a> {
    snapshot: &'a Snapshot,
    subjects: &'a HashMap<Box<str>, SubjectId>,
    births: &'a Births,
}

impl Rules<'_> {
    /// Count a receipt, and note the rules that held for it; one that was refused before them was
    /// none of theirs.
    fn count(&self, receipt: &Receipt<'_>, tally: &mut Tally, mut noted: Option<&mut Nominated>) {
        let Self { snapshot, .. } = *self;
        let outcome = &receipt.outcome;
        if !outcome.was_sent && !REFUSED_BY_RULES.contains(&outcome.code) {
            return;
        }
        let has_limits = noted.is_some() && !snapshot.limits.limits.is_empty();
        if snapshot.budgets.budgets.is_empty() && !has_limits {
            return;
        }
        // Who is gone has spent it all the same.
        let present = self.subjects.get(receipt.subject).copied();
        let asker = Asker::of(snapshot, present, receipt.subject, receipt.teams);
        let matter = asker.matter(snapshot, receipt.requested_model, &receipt.metadata);
        if let Some(noted) = &mut noted
            && let Some((limit, _)) = snapshot.limit(&matter)
        {
            noted.add(RuleKind::RateLimit, &limit.id);
        }
        tally.turn(receipt);
        let mut last: Option<&Budget> = None;
        for (budget, entity) in snapshot.budgets(&matter) {
            // Each once, however many of its teams the caller is in.
            let is_next = !last.replace(budget).is_some_and(|last| std::ptr::eq(last, budget));
            if let Some(noted) = noted.as_mut().filter(|_| is_next) {
                noted.add(RuleKind::Budget, &budget.id);
            }
            if outcome.was_sent {
                self.charge((budget, entity), receipt, &matter, tally);
            }
        }
    }

    /// A budget counts in the period in which a request was admitted.
    fn charge(
        &self,
        (budget, entity): (&Budget, Option<MeterKey>),
        receipt: &Receipt<'_>,
        matter: &Matter<'_>,
        tally: &mut Tally,
    ) {
        let units = budget.units(&receipt.outcome);
        let unknown = u64::from(budget.is_unknown(&receipt.outcome));
        for cap in budget.caps(entity.unwrap_or_default()) {
            if !self.births.count(cap.key, receipt.id.epoch, receipt.started) {
                continue;
            }
            let span = tally.calendar.span(cap.period);
            let key = cap.meter(entity, span);
            if budget.alert.is_some() {
                tally.touched.insert(key);
            }
            if let Some(line) = tally.lines.get_mut(&key) {
                line.units = line.units.saturating_add(units);
                line.unknown = line.unknown.saturating_add(unknown);
            } else if tally.lines.len() < LINES_MAX {
                let entity = entity.map(|key| self.snapshot.entity_name(budget, matter, key));
                let (Span { start, end, .. }, cap) = (*span, cap.key);
                tally.lines.insert(key, Line { cap, entity, start, end, units, unknown });
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
        state.turn(receipt.counted_at());
        let State { newest: Some(snapshot), subjects, births, tally, nominated, .. } = state else {
            return;
        };
        Rules { snapshot, subjects, births }.count(receipt, tally, Some(nominated));
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
        let mut tally = Tally::of(archive.lines);
        let (subjects, births) = (&state.subjects, &state.births);
        let rules = Rules { snapshot: &snapshot, subjects, births };
        while let Some(bytes) = segment.read()? {
            if let Ok(receipt) = record::decode(bytes) {
                rules.count(&receipt, &mut tally, None);
            }
        }
        archive.lines = tally.lines;
        archive.through = Some(number);
        archive::write(&self.0.data_dir, &archive, crate::control_plane::load::now())
    }
}
