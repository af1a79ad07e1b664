//! The one unsafe corner of the data plane: monoio names its descriptors, but does not lend them.
#![expect(unsafe_code, reason = "monoio 0.2.4 has AsRawFd and no AsFd")]

use rustix::fd::{AsRawFd, BorrowedFd, OwnedFd};
use std::os::unix::net::UnixStream;

/// Lend the descriptor of a stream or listener for as long as the stream lives.
pub fn lend<S: AsRawFd>(stream: &S) -> BorrowedFd<'_> {
    let raw = stream.as_raw_fd();
    debug_assert!(raw >= 0);
    // SAFETY: `raw` is open and stays open while `stream` is borrowed: monoio closes a descriptor
    // only when its stream is dropped, and hands out no other owner of it. It is not -1
    // (asserted).
    unsafe { BorrowedFd::borrow_raw(raw) }
}

/// Any descriptor whose readiness monoio shall watch, dressed as the one type it takes from
/// outside. Only `readable` may be awaited on it.
pub fn watchable(descriptor: OwnedFd) -> std::io::Result<monoio::net::UnixStream> {
    monoio::net::UnixStream::from_std(UnixStream::from(descriptor))
}
