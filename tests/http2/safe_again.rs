//! Fault 30: what a vendor says when a call may be sent again, and when it may not.

use crate::harness::{
    House,
    client::{Ask, Reply},
    frames::{
        GOAWAY, HEADERS, INTERNAL_ERROR, NO_ERROR, Peer, REFUSED_STREAM, RST_STREAM, SETTINGS,
        setting,
    },
    h2_vendor::{by_hand, complete, next_call},
    manifest,
};
use serde_json::json;
use std::{
    net::SocketAddr,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
};

/// Adds the account `two`, whose vendor at `address` is spoken to in HTTP/2.
pub fn add_account(house: &House, address: SocketAddr, version: &serde_json::Value) {
    let mut account = manifest::account(address, &["plain"]);
    account["name"] = "two".into();
    account["http_version"] = version.clone();
    manifest::write(house.gateway.manifests.path(), "two", &account);
}

/// A chat with `two/plain`, and `words` in it for the vendor.
pub fn chat(words: &str, more: &str) -> Ask {
    let body = format!(
        r#"{{"model":"two/plain","messages":[{{"role":"user","content":"{words}"}}]{more}}}"#
    );
    Ask::post("/v1/chat/completions", body)
}

/// A house with such a vendor, what one chat got there, and how many calls the vendor saw.
fn ask_once(
    script: impl Fn(usize, &mut Peer, &AtomicUsize) + Send + Sync + 'static,
) -> (House, Reply, usize) {
    let calls = Arc::new(AtomicUsize::new(0));
    let counted = Arc::clone(&calls);
    let address = by_hand(move |number, mut peer| script(number, &mut peer, &counted));
    let house = House::open(&["plain"]);
    add_account(&house, address, &json!("2"));
    let reply = house.ask_until_known(&chat("hello", ""));
    (house, reply, calls.load(Ordering::SeqCst))
}

/// Waits for the receipt of what was asked of `two`, which was sent again once. Others say that
/// the account was not known yet.
fn was_sent_again(house: &House) {
    house.receipts_where(1, |one| {
        one.text("resolved_model") == "two/plain" && one.number("retries") == 1
    });
}

fn goaway(peer: &mut Peer, last: u32, code: u32) {
    peer.send(GOAWAY, 0, 0, &[last.to_be_bytes(), code.to_be_bytes()].concat());
}

#[test]
fn fault_30_a_call_behind_a_farewell_is_sent_again_on_a_fresh_connection() {
    let (house, reply, calls) = ask_once(|number, peer, calls| {
        let Some(call) = next_call(peer, &[]) else { return };
        calls.fetch_add(1, Ordering::SeqCst);
        if number == 0 {
            goaway(peer, 0, NO_ERROR);
        } else {
            complete(peer, call.stream);
        }
        while peer.more() {}
    });

    assert_eq!((reply.status, calls), (200, 2), "{}", reply.text());
    was_sent_again(&house);
}

#[test]
fn fault_30_a_refused_stream_is_sent_again_on_a_fresh_connection() {
    let (house, reply, calls) = ask_once(|number, peer, calls| {
        let Some(call) = next_call(peer, &[]) else { return };
        calls.fetch_add(1, Ordering::SeqCst);
        if number == 0 {
            peer.send(RST_STREAM, 0, call.stream, &REFUSED_STREAM.to_be_bytes());
        } else {
            complete(peer, call.stream);
        }
        while peer.more() {}
    });

    assert_eq!((reply.status, calls), (200, 2), "{}", reply.text());
    was_sent_again(&house);
}

#[test]
fn fault_30_a_vendor_that_refuses_always_is_asked_twice() {
    let (_house, reply, calls) = ask_once(|_, peer, calls| {
        let Some(call) = next_call(peer, &[]) else { return };
        calls.fetch_add(1, Ordering::SeqCst);
        peer.send(RST_STREAM, 0, call.stream, &REFUSED_STREAM.to_be_bytes());
        while peer.more() {}
    });

    assert_eq!((reply.status, calls), (502, 2));
    assert_eq!(reply.refusal(), "upstream_unreachable");
}

#[test]
fn fault_30_a_call_that_may_have_been_begun_is_never_sent_again() {
    let (house, reply, calls) = ask_once(|_, peer, calls| {
        let Some(call) = next_call(peer, &[]) else { return };
        calls.fetch_add(1, Ordering::SeqCst);
        peer.send(RST_STREAM, 0, call.stream, &INTERNAL_ERROR.to_be_bytes());
        while peer.more() {}
    });

    assert_eq!((reply.status, calls), (502, 1), "{}", reply.text());
    house.receipts_where(1, |one| one.text("fault") == "truncated" && one.number("retries") == 0);
}

#[test]
fn fault_30_a_call_before_a_farewell_is_answered() {
    let (_house, reply, calls) = ask_once(|_, peer, calls| {
        let Some(call) = next_call(peer, &[]) else { return };
        calls.fetch_add(1, Ordering::SeqCst);
        goaway(peer, call.stream, NO_ERROR);
        complete(peer, call.stream);
        while peer.more() {}
    });

    assert_eq!((reply.status, calls), (200, 1), "{}", reply.text());
}

#[test]
fn fault_29_a_connection_that_ended_while_idle_costs_nobody_anything() {
    let (house, first, _) = ask_once(|_, peer, calls| {
        let Some(call) = next_call(peer, &[]) else { return };
        calls.fetch_add(1, Ordering::SeqCst);
        complete(peer, call.stream);
        // One answer a connection, and no farewell.
    });

    let second = house.ask(&chat("hello", ""));

    assert_eq!((first.status, second.status), (200, 200), "{}", second.text());
}

#[test]
fn fault_30_a_window_of_zero_is_waited_for_as_long_as_a_first_byte() {
    let address = by_hand(|_, mut peer| {
        peer.send(SETTINGS, 0, 0, &setting(4, 0));
        peer.until(|frame| frame.kind == HEADERS);
        while peer.more() {}
    });
    let house = House::open_with(&["plain"], &["--first-byte-timeout", "1s"]);
    add_account(&house, address, &json!("2"));
    let mut ask = chat(&"x".repeat(70_000), "");
    ask.headers.retain(|header| header.0 != "content-length");
    ask = ask.clone().header("content-length", &ask.body.len().to_string());

    let reply = house.ask_until_known(&ask);

    assert_eq!((reply.status, reply.refusal()), (504, "first_byte_timeout".into()));
}
