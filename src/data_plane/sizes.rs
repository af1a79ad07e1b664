//! What a request in flight holds, in bytes: printed for `perf/gate`, which knows what it was.

use super::{
    connection,
    core::{Core, Presence},
    exchange,
    handover::Parcel,
    inbound::Intake,
    keys::Memo,
    link::Link,
    trail::Trail,
};
use crate::{
    bridge::receipts::record,
    lexicon::{
        ids::ReceiptId,
        operation::Operation,
        receipt::{Ending, Opening, Outcome},
        time::UnixMillis,
    },
};
use std::rc::Rc;

/// The size of what `f` returns, without calling it.
fn exchange_bytes<A, B, C, D, E, F>(_: impl FnOnce(A, B, C, D, E) -> F) -> usize {
    size_of::<F>()
}

fn connection_bytes<A, B, C, F>(_: impl FnOnce(A, B, C) -> F) -> usize {
    size_of::<F>()
}

/// A receipt of a usual length.
fn record_bytes() -> usize {
    let opening = Opening {
        started: UnixMillis(1_760_000_000_000),
        days_ahead: 0,
        operation: Some(Operation::ChatCompletions),
        is_streaming: false,
        request_id: "req_0123456789abcdef",
        subject: "user:you@example.com",
        teams: "search",
        client_address: "127.0.0.1",
        client_certificate: "",
        metadata: &[("team", "search")],
        requested_model: "test/plain",
    };
    let outcome = Outcome { ending: Ending::Complete, status: 200, ..Outcome::UNKNOWN };
    let outcome = Outcome { resolved_model: "test/plain", ..outcome };
    record::encode(ReceiptId { epoch: 1, core: 0, sequence: 1 }, &opening, &outcome).len()
}

#[test]
fn the_sizes_of_what_is_held_for_a_request_are_bounded() {
    let exchange = exchange_bytes(
        |core: &'static Core,
         presence: &'static Presence,
         intake: &'static mut Intake,
         link: &'static mut Link,
         memo: &'static mut Memo| exchange::serve(core, presence, intake, link, memo),
    );
    let connection = connection_bytes(|core: Rc<Core>, presence: Presence, parcel: Parcel| {
        connection::serve(core, presence, parcel)
    });

    // Of an idle connection's 12 KiB a half may be its future; a receipt is one block of the ring.
    for (name, bytes, bytes_max) in [
        ("future_exchange_bytes", exchange, 4 << 10),
        ("future_connection_bytes", connection, 6 << 10),
        ("trail_bytes", size_of::<Trail<'static>>(), 256),
        ("receipt_record_bytes", record_bytes(), 512),
    ] {
        println!("size {name} {bytes}");
        assert!(bytes <= bytes_max, "{name} is {bytes}");
    }
}
