//! A core's own list of the meters it uses.

use crate::{
    bridge::quota::{
        meter::{Exhausted, Meter},
        node::{Full, Node},
    },
    lexicon::{
        meter::{ByKey, MeterKey, MeterSpec, NodeMillis, Now, RuleKind},
        time::UnixMillis,
    },
};
use std::{cell::Cell, sync::Arc};

/// Meters looked at in one tidying: a few microseconds.
const TIDIED: usize = 128;
/// A core lets go of a meter that it has not used for so long.
const UNUSED_MS_MAX: u64 = 10_000;

/// A meter of this core. Good while something is held of it, and within one request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Handle(u32);

impl Default for Handle {
    /// Of no meter.
    fn default() -> Self {
        Self(u32::MAX)
    }
}

/// One core's end of the quota; moves to its thread and stays there.
#[derive(Debug)]
pub struct Share {
    core: usize,
    node: Arc<Node>,
    places: ByKey<u32>,
    known: Vec<Known>,
    free: Vec<u32>,
    hand: usize,
    wall: UnixMillis,
}

#[derive(Debug)]
struct Known {
    key: MeterKey,
    /// None while the place is free.
    meter: Option<Arc<Meter>>,
    /// The newest snapshot that this core opened it for: its limit was adopted. Equal limits say
    /// nothing, for another one may have held between.
    version: u64,
    /// Reservations not yet settled.
    held: u32,
    used: NodeMillis,
}

impl Share {
    #[must_use]
    pub fn new(core: usize, node: Arc<Node>) -> Self {
        Self {
            core,
            node,
            places: ByKey::default(),
            known: Vec::new(),
            free: Vec::new(),
            hand: 0,
            wall: UnixMillis(0),
        }
    }

    /// The meter of this key.
    ///
    /// # Errors
    /// There is no room for another one on this node.
    ///
    /// **Cost**: one look into a map of this core once it is known.
    pub fn open(&mut self, spec: &MeterSpec, now: Now) -> Result<Handle, Full> {
        if let Some(place) = self.places.get(&spec.key) {
            let known = &mut self.known[*place as usize];
            known.used = now.node;
            if known.version >= spec.version {
                return Ok(Handle(*place));
            }
        }
        self.meet(spec, now)
    }

    /// The same, where `place` says where it was found last: there it is looked for first, and that
    /// is what `place` says from then on.
    ///
    /// # Errors
    /// As [`Self::open`].
    #[inline]
    pub fn open_at(
        &mut self,
        place: &Cell<Handle>,
        spec: &MeterSpec,
        now: Now,
    ) -> Result<Handle, Full> {
        if let Some(known) = self.known.get_mut(place.get().0 as usize)
            && known.key == spec.key
            && known.meter.is_some()
            && known.version >= spec.version
        {
            known.used = now.node;
            return Ok(place.get());
        }
        let found = self.open(spec, now)?;
        place.set(found);
        Ok(found)
    }

    #[cold]
    fn meet(&mut self, spec: &MeterSpec, now: Now) -> Result<Handle, Full> {
        let meter = self.node.meter(spec, now)?;
        if let Some(place) = self.places.get(&spec.key) {
            let known = &mut self.known[*place as usize];
            known.version = spec.version;
            return Ok(Handle(*place));
        }
        let (key, version, used) = (spec.key, spec.version, now.node);
        let known = Known { key, meter: Some(meter), version, held: 0, used };
        let place = if let Some(place) = self.free.pop() {
            self.known[place as usize] = known;
            place
        } else {
            self.known.push(known);
            u32::try_from(self.known.len() - 1).map_err(|_| Full)?
        };
        self.places.insert(spec.key, place);
        Ok(Handle(place))
    }

    /// # Errors
    /// The node has not so many units.
    pub fn spend(&mut self, of: Handle, units: u64, now: NodeMillis) -> Result<(), Exhausted> {
        let core = self.core;
        self.hold(of, |meter| meter.spend(core, units, now))
    }

    /// # Errors
    /// The node has not so many units.
    pub fn reserve(&mut self, of: Handle, units: u64, now: NodeMillis) -> Result<(), Exhausted> {
        let core = self.core;
        self.hold(of, |meter| meter.reserve(core, units, now))
    }

    fn hold(
        &mut self,
        of: Handle,
        take: impl FnOnce(&Meter) -> Result<(), Exhausted>,
    ) -> Result<(), Exhausted> {
        let known = &mut self.known[of.0 as usize];
        let meter = known.meter.as_deref().expect("a handle is used within its request");
        take(meter)?;
        known.held += 1;
        Ok(())
    }

    /// Nothing is taken; what was used is counted when it is settled.
    pub fn watch(&mut self, of: Handle) {
        self.known[of.0 as usize].held += 1;
    }

    /// What was spent stays spent.
    pub fn keep(&mut self, of: Handle) {
        self.known[of.0 as usize].held -= 1;
    }

    /// What was spent at `then` did not happen.
    pub fn unspend(&mut self, of: Handle, units: u64, then: NodeMillis) {
        self.meter(of).unspend(self.core, units, then);
        self.known[of.0 as usize].held -= 1;
    }

    /// What was reserved is over.
    pub fn settle(&mut self, of: Handle, reserved: u64, spent: u64, now: NodeMillis) {
        let known = &mut self.known[of.0 as usize];
        let meter = known.meter.as_deref().expect("a handle is used while it is held");
        meter.settle(self.core, reserved, spent, now);
        known.held -= 1;
    }

    /// Use units that nothing was reserved for.
    pub fn charge(&mut self, of: Handle, spent: u64, now: NodeMillis) {
        self.meter(of).settle(self.core, 0, spent, now);
    }

    #[must_use]
    pub fn meter(&self, of: Handle) -> &Meter {
        self.known[of.0 as usize].meter.as_deref().expect("a handle is used while it is held")
    }

    /// A rule has refused a request.
    #[cold]
    pub fn refused(&self, kind: RuleKind, id: &str) {
        self.node.refused(self.core, kind, id);
    }

    /// What this core could have at once.
    #[must_use]
    pub fn left(&self, of: Handle) -> u64 {
        self.meter(of).left(self.core)
    }

    /// Both clocks as this core's meters see them.
    pub fn now(&mut self, node: NodeMillis, wall: UnixMillis) -> Now {
        self.wall = self.wall.max(wall);
        Now { node, wall: self.wall }
    }

    /// Let go of meters that this core has not used for a while, and learn how late it is.
    /// Called once in a while; each time a few are looked at.
    pub fn tidy(&mut self, now: NodeMillis) {
        self.wall = self.node.wall(self.wall);
        for _ in 0..TIDIED.min(self.known.len()) {
            self.hand = if self.hand + 1 >= self.known.len() { 0 } else { self.hand + 1 };
            let known = &mut self.known[self.hand];
            if known.held > 0 || now.0.saturating_sub(known.used.0) < UNUSED_MS_MAX {
                continue;
            }
            if let Some(meter) = known.meter.take() {
                meter.let_go(self.core);
                self.places.remove(&meter.key());
                self.free.push(u32::try_from(self.hand).expect("a place is a u32"));
            }
        }
    }
}
