//! Clients that leave while a model still thinks.
//!
//! One epoll instance a core, asked only for `RDHUP`: pipelined bytes do not wake it, both I/O
//! drivers share it, and a stream costs a few calls for its whole life. An exchange is watched
//! from `WATCH_AFTER_MS` on, so the many short ones cost nothing.
//!
//! A client that closes and one that only says it will send no more (as `nc -N` does) look the
//! same until something is sent to them: the one answers with a reset. So the first bell asks for
//! a probe (`downlink.rs` knows what may be sent), and `expect_reset` waits for the second.

use crate::data_plane::{
    alarm::{Bell, Ring},
    descriptor,
    link::Socket,
};
use monoio::net::UnixStream;
use rustix::{event::epoll, fd::OwnedFd};
use std::{
    cell::{Cell, RefCell},
    collections::HashMap,
    io,
    rc::Rc,
};

/// From when on an exchange is watched.
pub const WATCH_AFTER_MS: u64 = 20;

/// A core's watch over its clients.
pub struct Departures {
    epoll: OwnedFd,
    watched: RefCell<HashMap<u64, Rc<Bell>>>,
    next: Cell<u64>,
}

/// Names a watch until `unwatch`.
#[derive(Debug, PartialEq, Eq)]
pub struct Watch(u64);

impl Departures {
    pub fn new() -> io::Result<Self> {
        Ok(Self {
            epoll: epoll::create(epoll::CreateFlags::CLOEXEC)?,
            watched: RefCell::new(HashMap::new()),
            next: Cell::new(0),
        })
    }

    /// Ring `bell` when this client sends no more, or resets. `None` where the kernel has no room
    /// for one more watch: then a write will tell.
    pub fn watch(&self, client: &Socket, bell: &Rc<Bell>) -> Option<Watch> {
        let token = self.next.get();
        self.next.set(token + 1);
        let flags = epoll::EventFlags::RDHUP | epoll::EventFlags::ONESHOT;
        let (data, client) = (epoll::EventData::new_u64(token), descriptor::lend(client));
        epoll::add(&self.epoll, client, data, flags).ok()?;
        self.watched.borrow_mut().insert(token, Rc::clone(bell));
        Some(Watch(token))
    }

    /// Ring again, but only at a reset (which epoll tells unasked).
    pub fn expect_reset(&self, client: &Socket, watch: &Watch) {
        let data = epoll::EventData::new_u64(watch.0);
        let flags = epoll::EventFlags::ONESHOT;
        // It can only fail where the kernel has dropped the watch; then a write will tell.
        let _ = epoll::modify(&self.epoll, descriptor::lend(client), data, flags);
    }

    /// End a watch.
    pub fn unwatch(&self, client: &Socket, watch: Watch) {
        self.watched.borrow_mut().remove(&watch.0);
        // It can only fail where the kernel has dropped the watch already.
        let _ = epoll::delete(&self.epoll, descriptor::lend(client));
    }

    /// Ring the bells of those who leave, for ever.
    pub async fn run(self: Rc<Self>) -> io::Result<()> {
        let ready: UnixStream = descriptor::watchable(self.epoll.try_clone()?)?;
        let mut events = Vec::with_capacity(256);
        loop {
            ready.readable(false).await?;
            loop {
                events.clear();
                let now = rustix::event::Timespec { tv_sec: 0, tv_nsec: 0 };
                let spare = rustix::buffer::spare_capacity(&mut events);
                match epoll::wait(&self.epoll, spare, Some(&now)) {
                    Ok(0) => break,
                    Ok(_) | Err(rustix::io::Errno::INTR) => {}
                    Err(error) => return Err(error.into()),
                }
                for event in &events {
                    let data = event.data;
                    if let Some(bell) = self.watched.borrow().get(&data.u64()) {
                        bell.ring(Ring::Departed);
                    }
                }
            }
        }
    }
}
