//! What may interrupt a wait: a deadline, a client that left, a core that closes.
//!
//! One alarm a connection, one coarse wheel a core. Setting a deadline writes a cell: the wheel
//! entry of an earlier deadline is kept and, when its turn comes, moved on to where the deadline
//! is by then. So thousands of requests a second on one connection cost the wheel a hundred looks.

use crate::lexicon::time::Moment;
use pin_project_lite::pin_project;
use std::{
    cell::{Cell, RefCell},
    pin::Pin,
    rc::Rc,
    task::{Context, Poll, Waker},
    time::Duration,
};

/// The wheel's resolution: a timeout is late by at most this. Between exchanges the wheel turns
/// only when something is due, or by `IDLE_TICKS`.
pub const TICK_MS: u64 = 10;
/// The pace while nothing runs and nothing is due: 250 ms is coarse enough to cost nothing.
const IDLE_TICKS: u64 = 25;
const TICK_NS: u64 = TICK_MS * 1_000_000;
/// Slots; a deadline further away than this many ticks is looked at once a turn (10 s).
const SLOTS: u64 = 1_024;
const NEVER: u64 = u64::MAX;

/// Why a wait ended before its time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ring {
    Deadline,
    /// The client left.
    Departed,
    /// The core closes what is still open.
    Closing,
}

/// The state of one alarm, shared with the wheel and with whoever may ring it.
pub struct Bell {
    deadline: Cell<u64>,
    scheduled_tick: Cell<u64>,
    rung: Cell<Option<Ring>>,
    waker: RefCell<Option<Waker>>,
}

impl Bell {
    /// Interrupt the wait, now or the next one. That a core closes is said once, and not unsaid by
    /// a departure.
    pub fn ring(&self, why: Ring) {
        if self.rung.get() != Some(Ring::Closing) {
            self.rung.set(Some(why));
        }
        self.wake();
    }

    fn wake(&self) {
        if let Some(waker) = self.waker.borrow_mut().take() {
            waker.wake();
        }
    }
}

/// One connection's alarm.
pub struct Alarm {
    bell: Rc<Bell>,
    wheel: Rc<Wheel>,
}

impl Alarm {
    pub fn new(wheel: Rc<Wheel>) -> Self {
        let bell = Rc::new(Bell {
            deadline: Cell::new(NEVER),
            scheduled_tick: Cell::new(NEVER),
            rung: Cell::new(None),
            waker: RefCell::new(None),
        });
        Self { bell, wheel }
    }

    pub fn bell(&self) -> &Rc<Bell> {
        &self.bell
    }

    /// Forget that a client departed: the wait is over, or it was no departure.
    pub fn hush(&self) {
        if self.bell.rung.get() == Some(Ring::Departed) {
            self.bell.rung.set(None);
        }
    }

    /// The core closes, and who waited knows it: what is written now shall not be interrupted.
    pub fn allow_last_words(&self) {
        if self.bell.rung.get() == Some(Ring::Closing) {
            self.bell.rung.set(None);
        }
    }

    /// Await `io`, at most until `deadline`.
    pub fn guard<F: Future>(&self, deadline: Moment, io: F) -> Guard<'_, F> {
        Guard { alarm: self, deadline: deadline.0, minds_departure: true, io }
    }

    /// The same for a write to the client, which finds out by itself whether the client is there.
    pub fn guard_write<F: Future>(&self, deadline: Moment, io: F) -> Guard<'_, F> {
        Guard { alarm: self, deadline: deadline.0, minds_departure: false, io }
    }

    /// What interrupts a wait just now, if anything does; else `waker` is told of what comes.
    fn listen(&self, minds_departure: bool, waker: &Waker) -> Option<Ring> {
        let rung = self.bell.rung.get().filter(|why| minds_departure || *why != Ring::Departed);
        if rung.is_some() {
            return rung;
        }
        if self.wheel.now.get() >= self.bell.deadline.get() {
            return Some(Ring::Deadline);
        }
        let mut known = self.bell.waker.borrow_mut();
        if !known.as_ref().is_some_and(|known| known.will_wake(waker)) {
            *known = Some(waker.clone());
        }
        None
    }

    fn set(&self, deadline: u64) {
        self.bell.deadline.set(deadline);
        if deadline != NEVER {
            self.wheel.schedule(&self.bell);
        }
    }
}

pin_project! {
    /// A wait that an alarm may end. **Cost**: its `io` and three words; nothing is set for what
    /// is done at once.
    pub struct Guard<'a, F> {
        alarm: &'a Alarm,
        deadline: u64,
        minds_departure: bool,
        #[pin]
        io: F,
    }
}

impl<F: Future> Future for Guard<'_, F> {
    type Output = Result<F::Output, Ring>;

    fn poll(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        let this = self.project();
        let bell = &this.alarm.bell;
        let output = match this.io.poll(context) {
            Poll::Ready(output) => Ok(output),
            Poll::Pending => {
                if bell.deadline.get() != *this.deadline {
                    this.alarm.set(*this.deadline);
                }
                match this.alarm.listen(*this.minds_departure, context.waker()) {
                    Some(why) => Err(why),
                    None => return Poll::Pending,
                }
            }
        };
        bell.deadline.set(NEVER);
        Poll::Ready(output)
    }
}

impl Drop for Alarm {
    fn drop(&mut self) {
        self.bell.deadline.set(NEVER);
        self.bell.waker.borrow_mut().take();
    }
}

/// A core's wheel of deadlines.
pub struct Wheel {
    slots: RefCell<Vec<Vec<Rc<Bell>>>>,
    /// The last tick that was turned to.
    tick: Cell<u64>,
    /// The core's time at that tick, in nanoseconds.
    now: Cell<u64>,
    /// Whoever turns it, while it sleeps; and until which tick.
    ticker: RefCell<Option<Waker>>,
    sleeps_until: Cell<u64>,
}

impl Wheel {
    pub fn new(now: Moment) -> Self {
        let slots = (0..SLOTS).map(|_| Vec::new()).collect();
        Self {
            slots: RefCell::new(slots),
            tick: Cell::new(now.0 / TICK_NS),
            now: Cell::new(now.0),
            ticker: RefCell::new(None),
            sleeps_until: Cell::new(0),
        }
    }

    /// Sleep until the wheel must be turned.
    pub async fn pause(&self, is_busy: bool, now: Moment) {
        let ticks = if is_busy { 1 } else { self.ticks_to_next(now) };
        self.sleeps_until.set(if is_busy { 0 } else { now.0 / TICK_NS + ticks });
        let mut sleep = std::pin::pin!(monoio::time::sleep(Duration::from_millis(ticks * TICK_MS)));
        let mut was_polled = false;
        std::future::poll_fn(|context| {
            if !is_busy && !was_polled {
                *self.ticker.borrow_mut() = Some(context.waker().clone());
            }
            let is_woken = was_polled && !is_busy && self.ticker.borrow().is_none();
            was_polled = true;
            if is_woken { Poll::Ready(()) } else { sleep.as_mut().poll(context) }
        })
        .await;
        self.sleeps_until.set(0);
        self.ticker.borrow_mut().take();
    }

    /// Turn again at once.
    pub fn wake_ticker(&self) {
        if let Some(waker) = self.ticker.borrow_mut().take() {
            waker.wake();
        }
    }

    /// How long an idle wheel may rest.
    fn ticks_to_next(&self, now: Moment) -> u64 {
        let (slots, tick) = (self.slots.borrow(), now.0 / TICK_NS);
        let is_due = |ahead: &u64| !slots[slot(tick + ahead)].is_empty();
        (1..IDLE_TICKS).find(is_due).unwrap_or(IDLE_TICKS)
    }

    fn schedule(&self, bell: &Rc<Bell>) {
        let next = self.tick.get() + 1;
        let due = (bell.deadline.get().div_ceil(TICK_NS)).clamp(next, next + SLOTS - 2);
        if bell.scheduled_tick.get() <= due {
            return; // An entry that comes no later will move itself on.
        }
        bell.scheduled_tick.set(due);
        self.slots.borrow_mut()[slot(due)].push(Rc::clone(bell));
        if due < self.sleeps_until.get() {
            self.wake_ticker();
        }
    }

    /// Turn the wheel to `now`, waking what is due.
    pub fn turn(&self, now: Moment) {
        self.now.set(now.0);
        let target = now.0 / TICK_NS;
        let first = self.tick.get() + 1;
        for tick in first.max((target + 1).saturating_sub(SLOTS))..=target {
            self.tick.set(tick);
            let mut due = std::mem::take(&mut self.slots.borrow_mut()[slot(tick)]);
            for bell in due.drain(..) {
                self.call(&bell, tick, target);
            }
            let mut slots = self.slots.borrow_mut();
            let emptied = &mut slots[slot(tick)];
            if emptied.is_empty() {
                *emptied = due; // Keeps its capacity.
            }
        }
    }

    fn call(&self, bell: &Rc<Bell>, tick: u64, target: u64) {
        // After a long stall several turns are caught up in one; an entry between is due as well.
        if bell.scheduled_tick.get() > target.max(tick) {
            return; // A newer entry stands elsewhere.
        }
        bell.scheduled_tick.set(NEVER);
        let deadline = bell.deadline.get();
        if deadline <= self.now.get() {
            bell.wake();
        } else if deadline != NEVER {
            self.schedule(bell);
        }
    }
}

fn slot(tick: u64) -> usize {
    usize::try_from(tick % SLOTS).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::{Alarm, IDLE_TICKS, Ring, TICK_NS, Wheel};
    use crate::lexicon::time::Moment;
    use std::{
        future::{Future, pending},
        pin::pin,
        rc::Rc,
        task::{Context, Poll, Waker},
    };

    fn poll<F: Future>(future: std::pin::Pin<&mut F>) -> Poll<F::Output> {
        future.poll(&mut Context::from_waker(Waker::noop()))
    }

    #[test]
    fn a_deadline_rings_at_its_tick_and_not_before_however_far() {
        for ticks in [1, 5, 1_022, 1_023, 1_024, 5_000] {
            let wheel = Rc::new(Wheel::new(Moment(0)));
            let alarm = Alarm::new(Rc::clone(&wheel));
            let mut wait = pin!(alarm.guard(Moment(ticks * TICK_NS), pending::<()>()));
            assert_eq!(poll(wait.as_mut()), Poll::Pending);
            for tick in 1..ticks {
                wheel.turn(Moment(tick * TICK_NS));
                assert_eq!(poll(wait.as_mut()), Poll::Pending, "tick {tick} of {ticks}");
            }
            wheel.turn(Moment(ticks * TICK_NS));
            assert_eq!(poll(wait.as_mut()), Poll::Ready(Err(Ring::Deadline)));
        }
    }

    #[test]
    fn a_later_deadline_of_the_same_connection_moves_its_entry_on() {
        let wheel = Rc::new(Wheel::new(Moment(0)));
        let alarm = Alarm::new(Rc::clone(&wheel));
        for request in 1..=20 {
            let mut wait = pin!(alarm.guard(Moment((request + 3) * TICK_NS), async {}));
            assert_eq!(poll(wait.as_mut()), Poll::Ready(Ok(())));
            wheel.turn(Moment(request * TICK_NS));
        }
        let mut wait = pin!(alarm.guard(Moment(40 * TICK_NS), pending::<()>()));
        assert_eq!(poll(wait.as_mut()), Poll::Pending);
        wheel.turn(Moment(39 * TICK_NS));
        assert_eq!(poll(wait.as_mut()), Poll::Pending);
        wheel.turn(Moment(40 * TICK_NS));
        assert_eq!(poll(wait.as_mut()), Poll::Ready(Err(Ring::Deadline)));
    }

    #[test]
    fn a_core_that_stalled_catches_up() {
        let wheel = Rc::new(Wheel::new(Moment(0)));
        let alarm = Alarm::new(Rc::clone(&wheel));
        let mut wait = pin!(alarm.guard(Moment(7 * TICK_NS), pending::<()>()));
        assert_eq!(poll(wait.as_mut()), Poll::Pending);
        wheel.turn(Moment(90_000 * TICK_NS));
        assert_eq!(poll(wait.as_mut()), Poll::Ready(Err(Ring::Deadline)));
    }

    #[test]
    fn an_idle_wheel_rests_until_something_is_due_and_is_woken_for_what_is_due_sooner() {
        let wheel = Rc::new(Wheel::new(Moment(0)));
        assert_eq!(wheel.ticks_to_next(Moment(0)), IDLE_TICKS);
        let alarm = Alarm::new(Rc::clone(&wheel));
        let mut late = pin!(alarm.guard(Moment(9 * TICK_NS), pending::<()>()));
        assert_eq!(poll(late.as_mut()), Poll::Pending);
        assert_eq!(wheel.ticks_to_next(Moment(0)), 9);

        wheel.sleeps_until.set(9);
        *wheel.ticker.borrow_mut() = Some(Waker::noop().clone());
        let (other, third) = (Alarm::new(Rc::clone(&wheel)), Alarm::new(Rc::clone(&wheel)));
        let mut later = pin!(other.guard(Moment(12 * TICK_NS), pending::<()>()));
        assert_eq!(poll(later.as_mut()), Poll::Pending);
        assert!(wheel.ticker.borrow().is_some(), "it would turn before that anyway");
        let mut sooner = pin!(third.guard(Moment(3 * TICK_NS), pending::<()>()));
        assert_eq!(poll(sooner.as_mut()), Poll::Pending);

        assert!(wheel.ticker.borrow().is_none(), "it was woken");
        assert_eq!(wheel.ticks_to_next(Moment(0)), 3);
    }

    #[test]
    fn a_bell_interrupts_the_wait_it_rings_in_or_the_next() {
        let alarm = Alarm::new(Rc::new(Wheel::new(Moment(0))));
        alarm.bell().ring(Ring::Departed);
        let mut wait = pin!(alarm.guard(Moment(u64::MAX), pending::<()>()));
        assert_eq!(poll(wait.as_mut()), Poll::Ready(Err(Ring::Departed)));
        alarm.hush();
        let mut wait = pin!(alarm.guard(Moment(u64::MAX), pending::<()>()));
        assert_eq!(poll(wait.as_mut()), Poll::Pending);
    }

    #[test]
    fn a_departure_does_not_silence_that_the_core_closes() {
        let alarm = Alarm::new(Rc::new(Wheel::new(Moment(0))));
        alarm.bell().ring(Ring::Closing);
        alarm.bell().ring(Ring::Departed);
        alarm.hush();
        let mut wait = pin!(alarm.guard(Moment(u64::MAX), pending::<()>()));
        assert_eq!(poll(wait.as_mut()), Poll::Ready(Err(Ring::Closing)));
    }
}
