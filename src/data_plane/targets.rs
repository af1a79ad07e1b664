//! How targets fare, as this core knows it: what it saw itself at once, what others saw within a
//! tenth of a second. And how often they may be asked again.

use crate::{
    bridge::health::{Board, Place, Seen},
    lexicon::health::Health,
    policy::route,
    snapshot::{Model, Snapshot},
};
use std::{
    cell::{Cell, Ref, RefCell},
    collections::HashSet,
    sync::Arc,
};

/// How old the view of what other cores saw may become.
const VIEW_MS: u64 = 100;

/// Retries are counted in tenths, so that each first attempt can earn a part of one.
const RETRY: u64 = 10;
/// What a first attempt earns: one retry for five attempts, so that retries add a fifth at most to
/// what a struggling target gets.
const EARNED: u64 = 2;
/// What time earns: ten retries a second, so that where little is asked nothing is denied.
const EARNED_MS: u64 = 10;
/// What can be saved up: a hundred retries.
const SAVED_MAX: u64 = 100 * RETRY;
/// What there is at first.
const SAVED_FIRST: u64 = 10 * RETRY;

/// A core's knowledge of all targets.
pub struct Targets {
    board: Arc<Board>,
    core: usize,
    random: Cell<u64>,
    view: RefCell<View>,
}

/// What was read from the board last.
#[derive(Default)]
struct View {
    /// Of the snapshot whose targets these are.
    version: u64,
    read_ms: u64,
    places: Vec<Option<Place>>,
    health: Vec<Health>,
    /// By the number of a place.
    savings: Vec<Savings>,
}

/// Retries that a target may still be given.
#[derive(Clone, Copy)]
struct Savings {
    tenths: u64,
    since_ms: u64,
}

impl Targets {
    pub fn new(core: usize, board: Arc<Board>, seed: u64) -> Self {
        Self { board, core, random: Cell::new(seed), view: RefCell::default() }
    }

    /// Chance.
    pub fn random(&self) -> u64 {
        let next = self.random.get().wrapping_add(1);
        self.random.set(next);
        route::mix(next, self.core as u64)
    }

    /// The health of the snapshot's targets, in the order of `Routes::targets`.
    ///
    /// **Cost**: nothing, but ten times a second some forty loads a target and core.
    pub fn look(&self, snapshot: &Snapshot, now_ms: u64) -> Ref<'_, [Health]> {
        let view = self.view.borrow();
        let is_fresh = view.read_ms > 0 && now_ms < view.read_ms + VIEW_MS;
        if view.version == snapshot.version && is_fresh {
            return Ref::map(view, |view| &view.health[..]);
        }
        drop(view);
        self.refresh(snapshot, now_ms);
        Ref::map(self.view.borrow(), |view| &view.health[..])
    }

    #[cold]
    fn refresh(&self, snapshot: &Snapshot, now_ms: u64) {
        let mut view = self.view.borrow_mut();
        if view.version != snapshot.version {
            view.version = snapshot.version;
            view.read_ms = 0;
            let keys: HashSet<u64> = snapshot.models.iter().map(Model::board_key).collect();
            self.board.keep(|key| keys.contains(&key));
            let targets = snapshot.routes.targets.iter();
            let keys = targets.map(|id| snapshot.model(*id).board_key());
            view.places = keys.map(|key| self.board.place(key)).collect();
        }
        if view.read_ms == 0 || now_ms >= view.read_ms + VIEW_MS {
            view.read_ms = now_ms.max(1);
            let View { places, health, .. } = &mut *view;
            health.clear();
            let standing = |place: &Option<Place>| {
                place.map_or_else(Health::default, |it| self.board.standing(it, now_ms).health)
            };
            health.extend(places.iter().map(standing));
        }
    }

    /// Note what came of asking a model.
    pub fn note(&self, model: &Model, seen: Seen, now_ms: u64) {
        let Some(place) = self.board.place(model.board_key()) else { return };
        self.board.note(self.core, place, seen, now_ms);
        if seen == Seen::Failed {
            // What one saw oneself is known at once.
            self.view.borrow_mut().read_ms = 0;
        }
    }

    /// A first attempt is made: it earns a part of a retry. May the model be asked again?
    pub fn earn(&self, model: &Model, now_ms: u64) -> bool {
        self.save(model, now_ms, |tenths| {
            *tenths += EARNED;
            *tenths >= RETRY
        })
    }

    /// May the model be asked again?
    pub fn may_retry(&self, model: &Model, now_ms: u64) -> bool {
        self.save(model, now_ms, |tenths| *tenths >= RETRY)
    }

    /// The model is asked again.
    pub fn spend(&self, model: &Model, now_ms: u64) {
        self.save(model, now_ms, |tenths| *tenths = tenths.saturating_sub(RETRY));
    }

    fn save<T: Default>(
        &self,
        model: &Model,
        now_ms: u64,
        change: impl FnOnce(&mut u64) -> T,
    ) -> T {
        let Some(place) = self.board.place(model.board_key()) else { return T::default() };
        let savings = &mut self.view.borrow_mut().savings;
        let at = place.number();
        if savings.len() <= at {
            savings.resize(at + 1, Savings { tenths: SAVED_FIRST, since_ms: now_ms });
        }
        let own = &mut savings[at];
        let earned = now_ms.saturating_sub(own.since_ms) / EARNED_MS;
        own.since_ms += earned * EARNED_MS;
        own.tenths = (own.tenths + earned).min(SAVED_MAX);
        change(&mut own.tenths)
    }
}
