//! A core's own list of the meters it uses.

use crate::{
    bridge::quota::{
        meter::{Exhausted, Meter},
        node::{Full, Node},
    },
    lexicon::{
        meter::{ByKey, MeterSpec, NodeMillis, Now, RuleKind},
        time::UnixMillis,
    },
};
use std::sync::Arc;

/// Meters looked at in one tidying: a few microseconds.
const TIDIED: usize = 128;
/// A core lets go of a meter that it has not used for so long.
const UNUSED_MS_MAX: u64 = 10_000;

/// A meter of this core. Good while something is held of it, and within one request; who kept it
/// longer asks first whether it is still good ([`Share::finds`]).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Handle {
    place: u32,
    stay: u32,
}

impl Default for Handle {
    /// Of no meter.
    fn default() -> Self {
        Self { place: u32::MAX, stay: 0 }
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
    /// None while the place is free.
    meter: Option<Arc<Meter>>,
    /// Handles of another stay are of a meter that was here before. A stay is seconds long at
    /// least, so that none comes twice.
    stay: u32,
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
                return Ok(Handle { place: *place, stay: known.stay });
            }
        }
        self.meet(spec, now)
    }

    /// Would the meter of this Handle be opened by the spec that it was opened by before? Then it
    /// is used at `now`, as if it were.
    ///
    /// **Cost**: a comparison.
    #[inline]
    pub fn finds(&mut self, of: Handle, now: NodeMillis) -> bool {
        let known = self.known.get_mut(of.place as usize).filter(|known| known.stay == of.stay);
        known.map(|known| known.used = now).is_some()
    }

    #[cold]
    fn meet(&mut self, spec: &MeterSpec, now: Now) -> Result<Handle, Full> {
        let meter = self.node.meter(spec, now)?;
        if let Some(place) = self.places.get(&spec.key) {
            let known = &mut self.known[*place as usize];
            known.version = spec.version;
            return Ok(Handle { place: *place, stay: known.stay });
        }
        let (version, used) = (spec.version, now.node);
        let mut known = Known { meter: Some(meter), stay: 0, version, held: 0, used };
        let place = if let Some(place) = self.free.pop() {
            known.stay = self.known[place as usize].stay;
            place
        } else {
            u32::try_from(self.known.len()).map_err(|_| Full)?
        };
        let handle = Handle { place, stay: known.stay };
        match self.known.get_mut(place as usize) {
            Some(free) => *free = known,
            None => self.known.push(known),
        }
        self.places.insert(spec.key, place);
        Ok(handle)
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
        let known = &mut self.known[of.place as usize];
        let meter = known.meter.as_deref().expect("a handle is used within its request");
        take(meter)?;
        known.held += 1;
        Ok(())
    }

    /// Nothing is taken; what was used is counted when it is settled.
    pub fn watch(&mut self, of: Handle) {
        self.known[of.place as usize].held += 1;
    }

    /// What was spent stays spent.
    pub fn keep(&mut self, of: Handle) {
        self.known[of.place as usize].held -= 1;
    }

    /// What was spent at `then` did not happen.
    pub fn unspend(&mut self, of: Handle, units: u64, then: NodeMillis) {
        self.meter(of).unspend(self.core, units, then);
        self.known[of.place as usize].held -= 1;
    }

    /// What was reserved is over.
    pub fn settle(&mut self, of: Handle, reserved: u64, spent: u64, now: NodeMillis) {
        let known = &mut self.known[of.place as usize];
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
        self.known[of.place as usize].meter.as_deref().expect("a handle is used while it is held")
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

    /// How late it is on the wall, as far as this core has seen.
    #[must_use]
    pub const fn wall(&self) -> UnixMillis {
        self.wall
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
                known.stay = known.stay.wrapping_add(1);
                meter.let_go(self.core);
                self.places.remove(&meter.key());
                self.free.push(u32::try_from(self.hand).expect("a place is a u32"));
            }
        }
    }
}
