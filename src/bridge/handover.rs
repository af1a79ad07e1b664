//! The lanes between cores: what one core gives to another.
//!
//! One bounded lane a core, and an eventfd that its reactor watches: wakers of one thread mean
//! nothing in another. Anyone may take from the lane of a core that no longer does.

use crossbeam_channel::{Receiver, Sender, TrySendError, bounded};
use rustix::{
    event::{EventfdFlags, eventfd},
    fd::OwnedFd,
    io::Errno,
};
use std::{io, sync::Arc};

/// What a lane holds. A core takes all of it whenever it is woken; one that does not is stuck, and
/// gets nothing more.
const LANE_MAX: usize = 256;

struct Lane<T> {
    sender: Sender<T>,
    receiver: Receiver<T>,
    wake: OwnedFd,
}

/// One core's place at the lanes.
pub struct Desk<T> {
    index: usize,
    lanes: Arc<[Lane<T>]>,
}

/// A desk for each of this many cores.
///
/// # Errors
/// The kernel has no eventfd left.
pub fn desks<T>(cores: usize) -> io::Result<Vec<Desk<T>>> {
    let lane = |_| {
        let (sender, receiver) = bounded(LANE_MAX);
        let wake = eventfd(0, EventfdFlags::CLOEXEC | EventfdFlags::NONBLOCK)?;
        Ok(Lane { sender, receiver, wake })
    };
    let lanes: Arc<[Lane<T>]> = (0..cores).map(lane).collect::<io::Result<_>>()?;
    Ok((0..cores).map(|index| Desk { index, lanes: Arc::clone(&lanes) }).collect())
}

impl<T> Desk<T> {
    /// Which core's this is.
    #[must_use]
    pub fn index(&self) -> usize {
        self.index
    }

    /// Give `thing` to a core, and wake it.
    ///
    /// # Errors
    /// The thing itself, where the core's lane is full.
    pub fn give(&self, core: usize, thing: T) -> Result<(), T> {
        let Some(lane) = self.lanes.get(core) else { return Err(thing) };
        match lane.sender.try_send(thing) {
            Ok(()) => {
                self.wake(core);
                Ok(())
            }
            Err(TrySendError::Full(thing) | TrySendError::Disconnected(thing)) => Err(thing),
        }
    }

    /// Let a core turn.
    pub fn wake(&self, core: usize) {
        let Some(lane) = self.lanes.get(core) else { return };
        // It can only fail by overflow, and then the wake is pending anyway.
        let _ = rustix::io::write(&lane.wake, &1_u64.to_ne_bytes());
    }

    /// The next thing that was given to `core`: its own core takes, or another that sees it stuck.
    #[must_use]
    pub fn take(&self, core: usize) -> Option<T> {
        self.lanes.get(core)?.receiver.try_recv().ok()
    }

    /// How much was given to `core` and not taken yet.
    #[must_use]
    pub fn waiting(&self, core: usize) -> usize {
        self.lanes.get(core).map_or(0, |lane| lane.receiver.len())
    }

    /// Readable after something was given to this core; for its reactor to watch.
    ///
    /// # Errors
    /// No descriptor is left.
    pub fn descriptor(&self) -> io::Result<OwnedFd> {
        self.lanes[self.index].wake.try_clone()
    }

    /// Take the wake, so that the descriptor is unreadable until more is given.
    pub fn hush(&self) {
        let mut count = [0; 8];
        let wake = &self.lanes[self.index].wake;
        while let Err(Errno::INTR) = rustix::io::read(wake, &mut count) {}
    }
}

#[cfg(test)]
mod tests {
    use super::{LANE_MAX, desks};

    #[test]
    fn a_lane_is_bounded_and_may_be_emptied_by_another() {
        let desks = desks(2).expect("two eventfds");
        for number in 0..LANE_MAX {
            assert_eq!(desks[0].give(1, number), Ok(()));
        }
        assert_eq!(desks[0].give(1, LANE_MAX), Err(LANE_MAX), "it comes back");
        assert_eq!((desks[0].waiting(1), desks[0].waiting(0)), (LANE_MAX, 0));

        assert_eq!((desks[1].take(1), desks[0].take(1)), (Some(0), Some(1)));

        assert_eq!(desks[0].give(1, LANE_MAX), Ok(()));
        assert_eq!(desks[0].give(2, 7), Err(7), "there is no such core");
    }
}
