//! The lane that ends things: serving, draining, closing.

use rustix::{
    event::{EventfdFlags, eventfd},
    fd::OwnedFd,
    io::Errno,
};
use std::{
    io,
    sync::{
        Arc,
        atomic::{AtomicU8, Ordering},
    },
};

/// What a core shall do now.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
#[repr(u8)]
pub enum Phase {
    Serving = 0,
    /// No new connections; what runs may finish.
    Draining = 1,
    /// What runs is broken off.
    Closing = 2,
}

/// The sending end.
pub struct Sender {
    phase: Arc<AtomicU8>,
    wakes: Vec<OwnedFd>,
}

/// The receiving end: one a core.
pub struct Receiver {
    phase: Arc<AtomicU8>,
    wake: OwnedFd,
}

/// A lane to this many cores.
///
/// # Errors
/// The kernel has no eventfd left.
pub fn lane(cores: usize) -> io::Result<(Sender, Vec<Receiver>)> {
    let phase = Arc::new(AtomicU8::new(Phase::Serving as u8));
    let mut wakes = Vec::with_capacity(cores);
    let mut receivers = Vec::with_capacity(cores);
    for _ in 0..cores {
        let wake = eventfd(0, EventfdFlags::CLOEXEC | EventfdFlags::NONBLOCK)?;
        wakes.push(wake.try_clone()?);
        receivers.push(Receiver { phase: Arc::clone(&phase), wake });
    }
    Ok((Sender { phase, wakes }, receivers))
}

impl Sender {
    /// Tell every core, and wake those that wait.
    pub fn set(&self, phase: Phase) {
        self.phase.store(phase as u8, Ordering::Release);
        for wake in &self.wakes {
            // It can only fail by overflow, and then the wake is pending anyway.
            let _ = rustix::io::write(wake, &1_u64.to_ne_bytes());
        }
    }

    #[must_use]
    pub fn get(&self) -> Phase {
        read(&self.phase)
    }
}

impl Receiver {
    #[must_use]
    pub fn get(&self) -> Phase {
        read(&self.phase)
    }

    /// Readable after each change; for the core's reactor to watch.
    ///
    /// # Errors
    /// No descriptor is left.
    pub fn descriptor(&self) -> io::Result<OwnedFd> {
        self.wake.try_clone()
    }

    /// Take the wake, so that the descriptor is unreadable until the next change.
    pub fn take(&self) {
        let mut count = [0; 8];
        while let Err(Errno::INTR) = rustix::io::read(&self.wake, &mut count) {}
    }
}

fn read(phase: &AtomicU8) -> Phase {
    match phase.load(Ordering::Acquire) {
        0 => Phase::Serving,
        1 => Phase::Draining,
        _ => Phase::Closing,
    }
}

#[cfg(test)]
mod tests {
    use super::{Phase, lane};

    #[test]
    fn every_core_hears_of_a_new_phase() {
        let (sender, receivers) = lane(3).expect("three eventfds");
        sender.set(Phase::Draining);
        for receiver in &receivers {
            receiver.take();
            assert_eq!(receiver.get(), Phase::Draining);
        }
    }
}
