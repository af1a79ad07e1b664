//! Connections that move from core to core: as a descriptor, with what was read and not used yet.
//!
//! A connection moves when it is accepted, or between two requests, just after a reply; then no
//! read is pending and nothing is lost. A TLS session is plain data and moves along with its keys.
//! What a core would serve is taken over by another when it is stuck: what was given to it, and
//! what waits at its doors (`accept.rs`); what it holds already must wait for it.

use crate::{
    bridge::{handover::Desk, pulse::Pulse},
    data_plane::{
        accept,
        balance::{Busyness, Load, WINDOW_MS, Wishes, is_better_elsewhere, is_movable, is_stuck},
        core::Core,
        descriptor,
        peer::Peer,
        tls::Session,
    },
};
use rustix::{fd::OwnedFd, net::AddressFamily};
use std::{
    cell::{Cell, RefCell},
    io,
    rc::Rc,
    sync::Arc,
    time::Instant,
};

/// A connection on its way to a core.
pub struct Parcel {
    pub descriptor: OwnedFd,
    pub family: AddressFamily,
    /// The door that it came in by.
    pub door: usize,
    pub peer: Peer,
    /// None: it was just accepted.
    pub kept: Option<Kept>,
}

/// What a connection has when it was served before.
pub struct Kept {
    pub tls: Option<Box<Session>>,
    /// Bytes of the next request.
    pub unread: Vec<u8>,
    pub requests_left: u64,
    pub closes_in_ms: u64,
}

/// How much one connection asked, by window.
#[derive(Default)]
pub struct Mark {
    window: Cell<u64>,
    requests: Cell<u64>,
    /// In the window before.
    before: Cell<u64>,
}

/// A core among the others.
pub struct Sharing {
    desk: Desk<Parcel>,
    pulses: Arc<[Arc<Pulse>]>,
    /// When the process began: the cores' clocks begin when each does.
    began: Instant,
    busyness: RefCell<Busyness>,
    wishes: RefCell<Wishes>,
    window: Cell<u64>,
    window_ends_ms: Cell<u64>,
    /// Connections that asked in this window, and their requests.
    asked: Cell<(u64, u64)>,
    asked_before: Cell<(u64, u64)>,
    /// So many connections shall leave for that core.
    wish: Cell<Option<(usize, u64)>>,
    /// When this core last woke each of the others, to see whether it turns.
    woken_ms: Box<[Cell<u64>]>,
}

impl Sharing {
    /// Of the calling thread's core.
    pub fn new(desk: Desk<Parcel>, pulses: Arc<[Arc<Pulse>]>, began: Instant) -> Self {
        let now_ms = millis_since(began);
        let woken_ms = pulses.iter().map(|_| Cell::new(0)).collect();
        Self {
            desk,
            pulses,
            began,
            busyness: RefCell::new(Busyness::new(now_ms)),
            wishes: RefCell::default(),
            window: Cell::new(1),
            window_ends_ms: Cell::new(now_ms + WINDOW_MS),
            asked: Cell::default(),
            asked_before: Cell::default(),
            wish: Cell::new(None),
            woken_ms,
        }
    }

    /// A connection asks something. **Cost**: a few cells.
    pub fn count(&self, mark: &Mark) {
        let (active, requests) = self.asked.get();
        let window = self.window.get();
        if mark.window.get() == window {
            mark.requests.set(mark.requests.get() + 1);
            self.asked.set((active, requests + 1));
        } else {
            let is_next = mark.window.get() + 1 == window;
            mark.before.set(if is_next { mark.requests.get() } else { 0 });
            mark.window.set(window);
            mark.requests.set(1);
            self.asked.set((active + 1, requests + 1));
        }
    }

    /// Where a connection shall go that was just answered. **Cost**: one cell, nearly always.
    pub fn destination(&self, mark: &Mark) -> Option<usize> {
        let (core, count) = self.wish.get()?;
        let (active, requests) = self.asked_before.get();
        if !is_movable(mark.before.get(), active, requests) {
            return None;
        }
        self.wish.set((count > 1).then_some((core, count - 1)));
        Some(core)
    }

    /// Where a connection had better go that was just accepted, with which this core has `own`.
    pub fn seat(&self, own: usize, connections_max: usize) -> Option<usize> {
        let (core, least) = self.least(|core, pulse| {
            usize::try_from(pulse.connections.get()).unwrap_or_default() + self.desk.waiting(core)
        })?;
        let is_rescue = own > connections_max && least < connections_max;
        // What others gave to this core is its own already.
        let own = own + self.desk.waiting(self.desk.index());
        (is_better_elsewhere(own, least) || is_rescue).then_some(core)
    }

    /// Give a connection away.
    ///
    /// # Errors
    /// The connection itself, where the other core takes none just now.
    pub fn give(&self, core: usize, parcel: Parcel) -> Result<(), Parcel> {
        self.desk.give(core, parcel)?;
        self.own().connections_given_total.add(1);
        Ok(())
    }

    /// The core turns: say so, and when a window is over, weigh.
    pub fn turn(&self) {
        let now_ms = millis_since(self.began);
        self.own().beat_ms.set(now_ms.max(1));
        if self.pulses.len() > 1 && now_ms >= self.window_ends_ms.get() {
            self.weigh(now_ms);
        }
    }

    fn weigh(&self, now_ms: u64) {
        self.window_ends_ms.set(now_ms + WINDOW_MS);
        self.window.set(self.window.get() + 1);
        self.asked_before.set(self.asked.replace((0, 0)));
        let busy_permille = self.busyness.borrow_mut().measure(now_ms);
        let own = Load { busy_permille, active: self.asked_before.get().0 };
        self.own().busy_permille.set(own.busy_permille);
        self.own().connections_active.set(own.active);
        let Some((core, _)) = self.least(|_, pulse| pulse.busy_permille.get()) else { return };
        let pulse = &self.pulses[core];
        let other = Load {
            busy_permille: pulse.busy_permille.get(),
            active: pulse.connections_active.get(),
        };
        let mut wishes = self.wishes.borrow_mut();
        let count = wishes.weigh(own, other);
        if count > 0 {
            self.wish.set(Some((core, count)));
        } else if !wishes.is_resting() {
            self.wish.set(None);
        }
    }

    /// The other core with the least of something, of those that turn.
    fn least<T: Ord>(&self, of: impl Fn(usize, &Pulse) -> T) -> Option<(usize, T)> {
        let now_ms = millis_since(self.began);
        let others = self.pulses.iter().enumerate().filter(|(core, pulse)| {
            // A core without exchanges turns slowly; it is woken by what it is given.
            let beat_ms = pulse.beat_ms.get();
            let is_idle = pulse.exchanges_in_flight.get() == 0;
            let is_there = beat_ms != 0 && (is_idle || !is_stuck(beat_ms, now_ms));
            *core != self.desk.index() && is_there
        });
        others.map(|(core, pulse)| (core, of(core, pulse))).min_by(|a, b| a.1.cmp(&b.1))
    }

    /// The other cores that do not turn, though they were woken.
    ///
    /// One that only slept is not among them: what it was just given is its own.
    fn stuck(&self) -> impl Iterator<Item = usize> + '_ {
        let now_ms = millis_since(self.began);
        let others = self.pulses.iter().enumerate();
        let others = others.filter(|(core, _)| *core != self.desk.index());
        let silent = others.filter(move |(_, pulse)| is_stuck(pulse.beat_ms.get(), now_ms));
        let silent = silent.filter(move |(core, pulse)| {
            let woken_ms = &self.woken_ms[*core];
            if woken_ms.get() > pulse.beat_ms.get() {
                return is_stuck(woken_ms.get(), now_ms);
            }
            woken_ms.set(now_ms);
            self.desk.wake(*core);
            false
        });
        silent.map(|(core, _)| core)
    }

    /// Let another core turn.
    pub fn wake(&self, core: usize) {
        self.desk.wake(core);
    }

    fn own(&self) -> &Pulse {
        &self.pulses[self.desk.index()]
    }

    pub fn index(&self) -> usize {
        self.desk.index()
    }
}

/// Take what others give, for ever.
pub async fn run(core: Rc<Core>) -> io::Result<()> {
    let desk = &core.sharing.desk;
    let given = descriptor::watchable(desk.descriptor()?)?;
    loop {
        given.readable(false).await?;
        desk.hush();
        core.sharing.turn();
        core.queues.turn(&core);
        take_own(&core);
    }
}

/// Take what was given to this core.
pub fn take_own(core: &Rc<Core>) {
    take_from(core, core.sharing.index());
}

/// Take over what waits for cores that are stuck.
pub fn relieve(core: &Rc<Core>) {
    if core.is_draining() {
        return;
    }
    for stuck in core.sharing.stuck() {
        take_from(core, stuck);
        accept::take_over(core, stuck);
    }
}

fn take_from(core: &Rc<Core>, from: usize) {
    while let Some(parcel) = core.sharing.desk.take(from) {
        // The drivers of two cores may differ, and want their sockets otherwise.
        if rustix::io::ioctl_fionbio(&parcel.descriptor, core.is_polled()).is_ok() {
            core.pulse.connections_taken_total.add(1);
            core.sharing.wishes.borrow_mut().rest();
            accept::admit(core, parcel);
        }
    }
}

fn millis_since(began: Instant) -> u64 {
    u64::try_from(began.elapsed().as_millis()).unwrap_or(u64::MAX)
}
