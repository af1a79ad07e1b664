//! One meter: a board that all cores see, and a cell for each core.
//!
//! The limit's units are in exactly one of four hands: *available* on the board, *granted* to a
//! cell, *reserved* by an exchange, or *spent* in a bucket that still counts. Every step moves
//! units from one hand to the next and never has them in two, so granted + reserved + spent is at
//! most the limit at every instant. (A token limit that is not strict may owe: then `available` is
//! below zero until what was spent too much stops counting.)
//!
//! A core takes from its own cell. An empty cell is refilled from the board, in chunks that shrink
//! with what remains; when the board cannot give either, what the other cells still hold is taken
//! back. A core refuses only after it has seen, in one undisturbed look at board and cells, that
//! all of them together do not cover the request: units on their way between two hands are
//! announced (`begun`, `ended`), and whoever looks waits for the few instructions they take (and
//! where that does not end, answers by what is certain: `turns.rs`).
//!
//! All orderings are `SeqCst`: the argument above is about one order of all steps, and on x86 the
//! read-modify-writes cost the same either way.

use crate::{
    bridge::quota::{
        cell::{BUCKETS, Cell, Stamp, place},
        turns::{SPINS, Turns},
    },
    lexicon::meter::{MeterKey, MeterSpec, NodeMillis, PAST_BUCKETS, Window},
};
use std::sync::atomic::{AtomicI64, AtomicU64, Ordering::SeqCst};

/// How much of the board one core may hold: a chunk is this part of what its share would be, so
/// that taking back is rare until little remains.
const CHUNKS_PER_SHARE: u64 = 4;

/// Called before each step on shared memory; what serving runs does nothing. A simulation decides
/// there which core goes on.
pub trait Pace {
    fn step(&self) {}

    /// Another core is between two steps of a transfer: a few instructions, unless the kernel has
    /// taken its processor away.
    fn wait(&self, turns: u32) {
        if turns.is_multiple_of(SPINS) {
            std::thread::yield_now();
        } else {
            std::hint::spin_loop();
        }
    }
}

/// As fast as it goes.
#[derive(Clone, Copy, Debug, Default)]
pub struct Free;

impl Pace for Free {}

/// The units are not there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Exhausted;

/// A counted limit.
#[derive(Debug)]
pub struct Meter<P = Free> {
    key: MeterKey,
    window: Window,
    limit: AtomicU64,
    version: AtomicU64,
    board: Board,
    cells: Box<[Cell]>,
    pace: P,
}

/// What all cores share, away from what they only read.
#[derive(Debug, Default)]
#[repr(align(128))]
struct Board {
    available: AtomicI64,
    /// Transfers between two hands that began and that ended.
    begun: AtomicU64,
    ended: AtomicU64,
    /// Up to this bucket, what no longer counts was brought back.
    swept: AtomicU64,
}

/// Where a meter's units are at one instant.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Hands {
    pub available: i64,
    pub granted: u64,
    /// Also those that no longer count and were not brought back yet.
    pub spent: u64,
    /// Some are between two hands.
    pub is_moving: bool,
}

/// What counted before this process began: units by age.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Past(pub Vec<(NodeMillis, u64)>);

impl<P: Pace> Meter<P> {
    /// A meter of which `past` is spent already.
    pub fn new(spec: &MeterSpec, cores: usize, past: &Past, pace: P) -> Self {
        let meter = Self {
            key: spec.key,
            window: spec.window,
            limit: AtomicU64::new(spec.limit),
            version: AtomicU64::new(spec.version),
            board: Board::default(),
            cells: (0..cores.max(1)).map(|_| Cell::default()).collect(),
            pace,
        };
        meter.board.available.store(signed(spec.limit), SeqCst);
        let mut past = past.0.clone();
        past.sort_unstable();
        for (at, units) in past {
            meter.board.available.fetch_sub(signed(units), SeqCst);
            meter.stamp(0, units, at);
        }
        meter
    }

    pub const fn key(&self) -> MeterKey {
        self.key
    }

    pub fn limit(&self) -> u64 {
        self.limit.load(SeqCst)
    }

    pub const fn window(&self) -> Window {
        self.window
    }

    /// Take `units` that will be settled later.
    ///
    /// # Errors
    /// All cells and the board together do not have them.
    ///
    /// **Cost**: one compare-and-swap on the core's own line while its cell has enough.
    pub fn reserve(&self, core: usize, units: u64, now: NodeMillis) -> Result<(), Exhausted> {
        self.pace.step();
        if self.cells[core].take(units) {
            return Ok(());
        }
        self.fetch(core, units, now)
    }

    /// Take `units` and count them as spent now.
    ///
    /// # Errors
    /// As [`Self::reserve`].
    pub fn spend(&self, core: usize, units: u64, now: NodeMillis) -> Result<(), Exhausted> {
        self.reserve(core, units, now)?;
        self.stamp(core, units, now);
        Ok(())
    }

    /// What was spent at `then` did not happen.
    pub fn unspend(&self, core: usize, units: u64, then: NodeMillis) {
        let cell = &self.cells[core];
        let (place, round) = place(self.window.bucket(then));
        self.pace.step();
        let taken = match self.window {
            Window::Whole => {
                cell.spent[0].fetch_update(SeqCst, SeqCst, |spent| spent.checked_sub(units))
            }
            Window::Sliding { .. } => cell.spent[place].fetch_update(SeqCst, SeqCst, |word| {
                let stamp = Stamp::unpack(word);
                let units = stamp.units.checked_sub(units).filter(|_| stamp.round == round)?;
                Some(Stamp { round, units }.pack())
            }),
        };
        // What no longer counts has come back already.
        if taken.is_ok() {
            self.give_back(core, units);
        }
    }

    /// What was reserved is over: `spent` of it was used, the rest comes back. What was used beyond
    /// it is taken where it can be, and owed where not.
    pub fn settle(&self, core: usize, reserved: u64, spent: u64, now: NodeMillis) {
        let cell = &self.cells[core];
        if let Some(more) = spent.checked_sub(reserved).filter(|more| *more > 0) {
            self.pace.step();
            let owed = more - cell.take_some(more);
            if owed > 0 {
                self.pace.step();
                let before = self.board.available.fetch_sub(signed(owed), SeqCst);
                if before < signed(owed) {
                    self.take_back();
                }
            }
        }
        if spent > 0 {
            self.stamp(core, spent, now);
        }
        if reserved > spent {
            self.give_back(core, reserved - spent);
        }
    }

    /// Obey `limit` from now on, unless a newer snapshot has spoken. For one caller at a time.
    ///
    /// A lower limit takes back what cells hold: what they spend meanwhile is at most that.
    pub fn adopt(&self, limit: u64, version: u64) {
        if self.version.fetch_max(version, SeqCst) > version {
            return;
        }
        let old = self.transfer(|| {
            let old = self.limit.swap(limit, SeqCst);
            self.board.available.fetch_add(signed(limit) - signed(old), SeqCst);
            old
        });
        if limit < old {
            self.take_back();
        }
    }

    /// Units that this core could have at once: those of its cell and the board. The other cells
    /// may hold some more.
    pub fn left(&self, core: usize) -> u64 {
        let board = self.board.available.load(SeqCst);
        self.cells[core].grant.load(SeqCst).saturating_add_signed(board)
    }

    /// Where the units are; for whoever audits.
    pub fn hands(&self) -> Hands {
        let board = &self.board;
        let spent = |word: u64| match self.window {
            Window::Whole => word,
            Window::Sliding { .. } => Stamp::unpack(word).units,
        };
        let cells = self.cells.iter();
        Hands {
            available: board.available.load(SeqCst),
            granted: cells.clone().map(|cell| cell.grant.load(SeqCst)).sum(),
            spent: cells.flat_map(|it| &it.spent).map(|word| spent(word.load(SeqCst))).sum(),
            is_moving: board.begun.load(SeqCst) != board.ended.load(SeqCst)
                || self.refunds().is_none(),
        }
    }

    /// Units spent that still count at `now`.
    pub fn spent(&self, now: NodeMillis) -> u64 {
        self.counted(now).iter().fold(0, |sum: u64, (_, units)| sum.saturating_add(*units))
    }

    /// Units in no hand but the board's and the cells', in one undisturbed look.
    pub fn unreserved(&self, now: NodeMillis) -> i64 {
        let mut turns = Turns::default();
        loop {
            self.sweep(now);
            match self.look() {
                Some(units) => return units,
                // What cells hold besides is not told.
                None if turns.are_over() => return self.board.available.load(SeqCst),
                None => turns.wait(&self.pace),
            }
        }
    }

    /// When so many units could be had, if nobody else spends; none where they never can.
    pub fn frees_at(&self, units: u64, now: NodeMillis) -> Option<NodeMillis> {
        let mut wanted = signed(units).saturating_sub(self.unreserved(now));
        let mut counted = self.counted(now);
        counted.sort_unstable();
        for (bucket, units) in counted {
            if wanted <= 0 {
                break;
            }
            wanted = wanted.saturating_sub(signed(units));
            if wanted <= 0 {
                return self.window.frees_at(bucket);
            }
        }
        (wanted <= 0).then_some(now)
    }

    /// This core has no more use for what its cell holds.
    pub fn let_go(&self, core: usize) {
        let cell = &self.cells[core];
        self.transfer(|| {
            let units = cell.grant.swap(0, SeqCst);
            self.board.available.fetch_add(signed(units), SeqCst);
        });
    }

    /// Is every unit on the board? Takes back what cells hold to find out.
    pub fn is_at_rest(&self, now: NodeMillis) -> bool {
        self.sweep(now);
        self.take_back();
        self.board.available.load(SeqCst) == signed(self.limit())
    }

    /// Units that were taken come back: to their core, unless the node owes some.
    fn give_back(&self, core: usize, units: u64) {
        self.pace.step();
        if self.board.available.load(SeqCst) >= 0 {
            return self.cells[core].refund(units, &self.pace);
        }
        self.transfer(|| {
            self.pace.step();
            self.board.available.fetch_add(signed(units), SeqCst);
        });
    }

    /// From the board, a chunk; else whatever all of the node has.
    #[inline(never)]
    fn fetch(&self, core: usize, units: u64, now: NodeMillis) -> Result<(), Exhausted> {
        let mut turns = Turns::default();
        loop {
            self.sweep(now);
            if self.refill(core, units) {
                return Ok(());
            }
            self.pace.step();
            if self.cells[core].take(units) {
                return Ok(());
            }
            match self.look() {
                Some(all) if all < signed(units) => return Err(Exhausted),
                _ if turns.are_over() => return Err(Exhausted),
                Some(_) => self.take_back(),
                None => turns.wait(&self.pace),
            }
        }
    }

    /// Take `units` of the board, and a chunk for the cell beside them.
    fn refill(&self, core: usize, units: u64) -> bool {
        self.pace.step();
        if self.board.available.load(SeqCst) < signed(units) {
            // Nothing is announced, so that those who are refused do not disturb each other.
            return false;
        }
        self.transfer(|| {
            let mut taken = 0;
            let share = CHUNKS_PER_SHARE * self.cells.len() as u64;
            self.pace.step();
            let refilled = self.board.available.fetch_update(SeqCst, SeqCst, |available| {
                let available = u64::try_from(available).ok()?;
                taken = units.max(available / share);
                Some(signed(available.checked_sub(taken)?))
            });
            if refilled.is_ok() && taken > units {
                self.pace.step();
                self.cells[core].grant.fetch_add(taken - units, SeqCst);
            }
            refilled.is_ok()
        })
    }

    /// What every cell holds goes back onto the board.
    fn take_back(&self) {
        self.transfer(|| {
            for cell in &self.cells {
                self.pace.step();
                let taken = cell.grant.swap(0, SeqCst);
                if taken > 0 {
                    self.pace.step();
                    self.board.available.fetch_add(signed(taken), SeqCst);
                }
            }
        });
    }

    /// What no longer counts at `now` goes back onto the board, once a bucket.
    fn sweep(&self, now: NodeMillis) {
        let Window::Sliding { .. } = self.window else { return };
        let current = self.window.bucket(now);
        self.pace.step();
        if self.board.swept.load(SeqCst) >= current {
            return;
        }
        self.transfer(|| {
            for cell in &self.cells {
                for (place, word) in cell.spent.iter().enumerate() {
                    self.forget(place, word, current);
                }
            }
        });
        self.board.swept.fetch_max(current, SeqCst);
    }

    /// The units of one bucket, if they no longer count; within a transfer.
    fn forget(&self, place: usize, word: &AtomicU64, current: u64) {
        let mut freed = 0;
        self.pace.step();
        let emptied = word.fetch_update(SeqCst, SeqCst, |word| {
            let stamp = Stamp::unpack(word);
            freed = stamp.units;
            let counts = stamp.bucket(place) + PAST_BUCKETS >= current;
            (freed > 0 && !counts).then(|| Stamp { units: 0, ..stamp }.pack())
        });
        if emptied.is_ok() {
            self.pace.step();
            self.board.available.fetch_add(signed(freed), SeqCst);
        }
    }

    /// Count `units` in the bucket of `at`; whatever that place held before has stopped counting.
    fn stamp(&self, core: usize, units: u64, at: NodeMillis) {
        let cell = &self.cells[core];
        if self.window == Window::Whole {
            self.pace.step();
            cell.spent[0].fetch_add(units, SeqCst);
            return;
        }
        let (place, round) = place(self.window.bucket(at));
        self.pace.step();
        if Stamp::unpack(cell.spent[place].load(SeqCst)).round < round {
            self.transfer(|| self.renew(&cell.spent[place], round));
        }
        self.pace.step();
        let _ = cell.spent[place].fetch_update(SeqCst, SeqCst, |word| {
            // Where another clock is ahead, its bucket takes them: they count no shorter for it.
            let stamp = Stamp::unpack(word);
            Some(Stamp { units: stamp.units.saturating_add(units), ..stamp }.pack())
        });
    }

    /// Give the place of a bucket to the one a round later; within a transfer.
    fn renew(&self, word: &AtomicU64, round: u64) {
        let mut freed = 0;
        self.pace.step();
        let renewed = word.fetch_update(SeqCst, SeqCst, |word| {
            let stamp = Stamp::unpack(word);
            freed = stamp.units;
            (stamp.round < round).then(|| Stamp { round, units: 0 }.pack())
        });
        if renewed.is_ok() && freed > 0 {
            self.pace.step();
            self.board.available.fetch_add(signed(freed), SeqCst);
        }
    }

    /// Units move between hands: whoever looks meanwhile looks again.
    fn transfer<T>(&self, carry: impl FnOnce() -> T) -> T {
        self.pace.step();
        self.board.begun.fetch_add(1, SeqCst);
        let carried = carry();
        self.pace.step();
        self.board.ended.fetch_add(1, SeqCst);
        carried
    }

    /// Board and cells together; none where units moved meanwhile.
    ///
    /// Cells only lose while this looks, or it looks again: so at its end there is at most what it
    /// has seen.
    fn look(&self) -> Option<i64> {
        self.pace.step();
        let ended = self.board.ended.load(SeqCst);
        if self.board.begun.load(SeqCst) != ended {
            return None;
        }
        let refunds = self.refunds()?;
        let mut units = self.board.available.load(SeqCst);
        for cell in &self.cells {
            self.pace.step();
            units = units.saturating_add(signed(cell.grant.load(SeqCst)));
        }
        self.pace.step();
        let is_undisturbed =
            self.refunds() == Some(refunds) && self.board.begun.load(SeqCst) == ended;
        is_undisturbed.then_some(units)
    }

    /// How often units came back into cells; none while some do.
    fn refunds(&self) -> Option<u64> {
        self.cells.iter().try_fold(0_u64, |sum, cell| {
            let refunds = cell.refunds.load(SeqCst);
            refunds.is_multiple_of(2).then(|| sum.wrapping_add(refunds))
        })
    }

    /// The units of each bucket that counts at `now`.
    fn counted(&self, now: NodeMillis) -> Vec<(u64, u64)> {
        let current = self.window.bucket(now);
        let mut counted = Vec::with_capacity(self.cells.len() * BUCKETS);
        for cell in &self.cells {
            if self.window == Window::Whole {
                counted.push((0, cell.spent[0].load(SeqCst)));
                continue;
            }
            for (place, word) in cell.spent.iter().enumerate() {
                let stamp = Stamp::unpack(word.load(SeqCst));
                let bucket = stamp.bucket(place);
                if stamp.units > 0 && bucket + PAST_BUCKETS >= current {
                    counted.push((bucket, stamp.units));
                }
            }
        }
        counted
    }
}

/// Units are bounded far below 2^63 by whoever makes limits; what is not stays at the bound.
fn signed(units: u64) -> i64 {
    i64::try_from(units).unwrap_or(i64::MAX)
}
