//! Turns at targets that have a cap: a seat for each call, and who waits for one.
//!
//! A seat is held from before a call is sent until its answer has ended, and left when it is
//! dropped, whatever ended the call. Who waits on this core waits here, first come first served; a
//! seat that becomes free goes to whoever waits longest on the node, and where that is another
//! core's, that core is woken. Each turn of the core looks again: so nobody is forgotten, though a
//! core were stuck or a cap raised.

use crate::{
    bridge::{health::Board, seats::Row},
    data_plane::{
        alarm::Ring,
        core::Core,
        downlink::Downlink,
        trail::Trail,
        upstream::call::{Failure, interrupted},
    },
    lexicon::{fault::Fault, time::Moment},
    policy::route::Concurrency,
    snapshot::Model,
};
use std::{
    cell::{Cell, RefCell},
    collections::{HashMap, VecDeque},
    pin::{Pin, pin},
    rc::Rc,
    sync::Arc,
    task::{Context, Poll, Waker},
};

/// Nobody is told to come back later than this: by then a guess is worth nothing.
const RETRY_AFTER_SECONDS_MAX: u64 = 3_600;

/// Who waits on this core.
pub struct Queues {
    board: Arc<Board>,
    core: usize,
    /// By target.
    waiting: RefCell<HashMap<u64, VecDeque<Rc<Waiter>>>>,
}

/// One that waits.
struct Waiter {
    max: u32,
    since_ms: u64,
    /// The moment at which it got a seat that it has not taken yet.
    granted_ms: Cell<Option<u64>>,
    waker: RefCell<Option<Waker>>,
}

/// A place in a queue; whoever drops it leaves.
struct Waiting<'c> {
    core: &'c Core,
    row: &'c Row,
    key: u64,
    waiter: Rc<Waiter>,
}

/// One of the calls that a target may have at once.
pub struct Seat<'c> {
    core: &'c Core,
    row: &'c Row,
    key: u64,
    since_ms: u64,
    since: Moment,
}

/// No seat is free.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Taken;

impl Queues {
    pub fn new(core: usize, board: Arc<Board>) -> Self {
        Self { board, core, waiting: RefCell::default() }
    }

    /// Look whether seats have become free for those who wait here.
    ///
    /// **Cost**: nothing while nobody waits.
    pub fn turn(&self, core: &Core) {
        if self.waiting.borrow().is_empty() {
            return;
        }
        let now_ms = core.node_ms();
        let keys: Vec<u64> = self.waiting.borrow().keys().copied().collect();
        for key in keys {
            if let Some(row) = self.board.seats.row(key) {
                self.serve(key, row, now_ms);
            }
        }
    }

    /// Seat those who wait here, as far as there are seats.
    fn serve(&self, key: u64, row: &Row, now_ms: u64) {
        let mut waiting = self.waiting.borrow_mut();
        let Some(queue) = waiting.get_mut(&key) else { return };
        while let Some(first) = queue.front()
            && row.take(first.max, now_ms)
        {
            first.granted_ms.set(Some(now_ms));
            if let Some(waker) = first.waker.borrow_mut().take() {
                waker.wake();
            }
            queue.pop_front();
            row.depart();
        }
        row.set_eldest(self.core, queue.front().map(|first| first.since_ms));
        if queue.is_empty() {
            waiting.remove(&key);
        }
    }

    /// A seat is free: whoever waits longest gets it.
    fn pass_on(&self, core: &Core, key: u64, row: &Row) {
        if !row.is_awaited() {
            return;
        }
        match row.eldest() {
            Some(eldest) if eldest != self.core => core.sharing.wake(eldest),
            _ => self.serve(key, row, core.node_ms()),
        }
    }

    /// Wait behind the others, with the place that was joined.
    fn wait<'c>(core: &'c Core, row: &'c Row, key: u64, max: u32) -> Waiting<'c> {
        let now_ms = core.node_ms();
        let waiter = Rc::new(Waiter {
            max,
            since_ms: now_ms,
            granted_ms: Cell::new(None),
            waker: RefCell::default(),
        });
        let queues = &core.queues;
        let mut waiting = queues.waiting.borrow_mut();
        let queue = waiting.entry(key).or_default();
        queue.push_back(Rc::clone(&waiter));
        row.set_eldest(queues.core, queue.front().map(|first| first.since_ms));
        drop(waiting);
        // One may have become free since none was.
        queues.serve(key, row, now_ms);
        Waiting { core, row, key, waiter }
    }

    fn leave(&self, key: u64, row: &Row, waiter: &Rc<Waiter>) {
        let mut waiting = self.waiting.borrow_mut();
        let Some(queue) = waiting.get_mut(&key) else { return };
        let before = queue.len();
        queue.retain(|one| !Rc::ptr_eq(one, waiter));
        if queue.len() < before {
            row.depart();
        }
        row.set_eldest(self.core, queue.front().map(|first| first.since_ms));
        if queue.is_empty() {
            waiting.remove(&key);
        }
    }
}

impl<'c> Seat<'c> {
    /// A seat at this model, if one is free and nobody waits for it; none where it has no cap.
    pub fn take(core: &'c Core, model: &Model) -> Result<Option<Self>, Taken> {
        let Some(cap) = &model.concurrency else { return Ok(None) };
        let key = model.board_key();
        let row = core.queues.board.seats.row(key).ok_or(Taken)?;
        let since_ms = core.node_ms();
        if row.is_awaited() || !row.take(cap.max, since_ms) {
            return Err(Taken);
        }
        Ok(Some(Self { core, row, key, since_ms, since: core.clock.recent() }))
    }

    /// Wait for one as long as the cap allows.
    ///
    /// # Errors
    /// `Busy` where too many wait already or no turn came in time, and the trail knows when to ask
    /// again; `ClientGone`.
    pub async fn wait(
        core: &'c Core,
        model: &Model,
        downlink: &mut Downlink<'_>,
        trail: &mut Trail<'_>,
    ) -> Result<Option<Self>, Failure> {
        let Some(cap) = &model.concurrency else { return Ok(None) };
        let key = model.board_key();
        let Some(row) = core.queues.board.seats.row(key) else {
            // More targets have had a cap than there is room for: until the next restart.
            trail.notes.tell_later(RETRY_AFTER_SECONDS_MAX);
            return Err(Fault::Busy.into());
        };
        if !row.join(cap.queue_max) {
            return Err(refuse(core, row, cap, trail));
        }
        let waiting = pin!(Queues::wait(core, row, key, cap.max));
        let total = core.settings.timeouts.total_ms;
        let own = core.clock.recent().plus_millis(u64::from(cap.queue_ms));
        let total = total.map(|millis| trail.started().plus_millis(millis));
        let deadline = total.map_or(own, |total| own.min(total));
        match downlink.wait(deadline, waiting).await {
            Ok(seat) => Ok(Some(seat)),
            Err(Ring::Deadline) if deadline == own => Err(refuse(core, row, cap, trail)),
            Err(why) => Err(interrupted(why)),
        }
    }
}

/// Say when asking again makes sense.
#[cold]
fn refuse(core: &Core, row: &Row, cap: &Concurrency, trail: &mut Trail<'_>) -> Failure {
    row.refuse();
    let seconds = row.turn_in_ms(cap.max, core.node_ms()).div_ceil(1_000);
    trail.notes.tell_later(seconds.clamp(1, RETRY_AFTER_SECONDS_MAX));
    Fault::Busy.into()
}

impl<'c> Future for Waiting<'c> {
    type Output = Seat<'c>;

    fn poll(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        let Some(since_ms) = self.waiter.granted_ms.take() else {
            *self.waiter.waker.borrow_mut() = Some(context.waker().clone());
            return Poll::Pending;
        };
        let Self { core, row, key, .. } = *self;
        Poll::Ready(Seat { core, row, key, since_ms, since: core.clock.now() })
    }
}

impl Drop for Waiting<'_> {
    fn drop(&mut self) {
        let queues = &self.core.queues;
        queues.leave(self.key, self.row, &self.waiter);
        if let Some(since_ms) = self.waiter.granted_ms.take() {
            // It left as its turn came.
            self.row.renounce(since_ms);
            queues.pass_on(self.core, self.key, self.row);
        }
    }
}

impl Drop for Seat<'_> {
    fn drop(&mut self) {
        let call_us = u64::from(self.core.clock.now().micros_since(self.since));
        self.row.leave(self.since_ms, call_us);
        self.core.queues.pass_on(self.core, self.key, self.row);
    }
}
