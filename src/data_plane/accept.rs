//! How connections come in: who accepts them, and who is told that they are too many.
//!
//! A core waits until a door is ready and then accepts by itself, with no accept of its own left
//! pending in the kernel: so what a stuck core leaves at its doors can be accepted by another.

use crate::data_plane::{
    connection,
    core::Core,
    descriptor,
    handover::Parcel,
    peer::{self, Peer},
};
use rustix::{
    fd::OwnedFd,
    io::Errno,
    net::{AddressFamily, Shutdown, SocketFlags, acceptfrom_with},
};
use std::{io, rc::Rc, time::Duration};

/// How many connections that are too many are told so at one time; others are just closed.
const REFUSED_MAX: usize = 64;
/// How long an accept that failed (no descriptors left) waits before the next.
const ACCEPT_PAUSE_MS: u64 = 20;
/// Accepted in one go, before others have their turn.
const BATCH_MAX: usize = 64;
/// What a door that closes may hold: its backlog (`listener.rs`).
const BACKLOG_BATCHES_MAX: usize = 4_096 / BATCH_MAX;

/// A listening socket, as one core has it.
pub struct Door {
    pub listener: OwnedFd,
    pub family: AddressFamily,
    /// Another process listens on it too, and will when this one has ended.
    pub is_inherited: bool,
}

/// Accept at one of the core's doors until it drains.
pub async fn run(core: Rc<Core>, door: usize) -> io::Result<()> {
    let own = core.sharing.index();
    let ready = descriptor::watchable(core.doors[own][door].listener.try_clone()?)?;
    while !core.is_draining() {
        ready.readable(false).await?;
        if core.is_draining() {
            // What waits is taken by `close`, or by whoever listens here next.
            break;
        }
        match take(&core, own, door) {
            Ok(1..BATCH_MAX) => {}
            // There may be more; or another core took it, or closes this door and it is ready for
            // ever. Let the others run, then look again.
            Ok(_) => monoio::time::sleep(Duration::ZERO).await,
            // No descriptors are left: those who leave make room.
            Err(_) => monoio::time::sleep(Duration::from_millis(ACCEPT_PAUSE_MS)).await,
        }
    }
    Ok(())
}

/// Accept what waits at the doors of another core.
pub fn take_over(core: &Rc<Core>, other: usize) {
    for door in 0..core.doors[other].len() {
        // What fails here fails for its own core too, which says so.
        let _ = take(core, other, door);
    }
}

/// Accept no more, but for what waits already at a door that is ours alone: whoever waits at an
/// inherited one is served by the next.
pub fn close(core: &Rc<Core>) {
    let own = core.sharing.index();
    for (index, door) in core.doors[own].iter().enumerate().filter(|(_, it)| !it.is_inherited) {
        let mut batches = 0..BACKLOG_BATCHES_MAX;
        while batches.next().is_some() && take(core, own, index) == Ok(BATCH_MAX) {}
        // Wakes whoever waits for it; a listener that is gone needs no shutdown.
        let _ = rustix::net::shutdown(&door.listener, Shutdown::Read);
    }
}

/// Accept what waits at a door, a batch at most; how many.
fn take(core: &Rc<Core>, owner: usize, door: usize) -> Result<usize, Errno> {
    let Door { listener, family, .. } = &core.doors[owner][door];
    let mut flags = SocketFlags::CLOEXEC;
    flags.set(SocketFlags::NONBLOCK, core.is_polled());
    for taken in 0..BATCH_MAX {
        match acceptfrom_with(listener, flags) {
            Ok((descriptor, address)) => {
                let peer = match peer::address_of(address) {
                    Some(address) => Peer::of_address(address, &core.settings.proxies),
                    None => Peer::of_user(user_of(&descriptor)),
                };
                let parcel = Parcel { descriptor, family: *family, door, peer, kept: None };
                welcome(core, parcel);
            }
            Err(Errno::AGAIN) => return Ok(taken),
            // It has left while it waited.
            Err(Errno::INTR | Errno::CONNABORTED) => {}
            Err(error) => return Err(error),
        }
    }
    Ok(BATCH_MAX)
}

fn user_of(descriptor: &OwnedFd) -> Option<u32> {
    let credentials = rustix::net::sockopt::socket_peercred(descriptor).ok()?;
    Some(credentials.uid.as_raw())
}

/// Serve a new connection here or where there is more room.
fn welcome(core: &Rc<Core>, parcel: Parcel) {
    let own = core.connections() + 1;
    let seat = core.sharing.seat(own, core.settings.bounds.connections_max);
    match seat.filter(|_| !core.is_draining()) {
        Some(other) => {
            if let Err(parcel) = core.sharing.give(other, parcel) {
                admit(core, parcel);
            }
        }
        None => admit(core, parcel),
    }
}

/// Serve a connection here, unless it is one too many.
pub fn admit(core: &Rc<Core>, parcel: Parcel) {
    let refused = core.refused.get();
    // It is there from now on: a core that drains does not end before it.
    if core.connections() - refused < core.settings.bounds.connections_max {
        let presence = core.arrive(&parcel);
        monoio::spawn(connection::serve(Rc::clone(core), presence, parcel));
    } else if refused < REFUSED_MAX {
        core.refused.set(refused + 1);
        let presence = core.arrive(&parcel);
        monoio::spawn(connection::refuse(Rc::clone(core), presence, parcel));
    }
}
