//! Windows, resets and farewells between a client and the gateway.

use crate::harness::{
    House, STREAM_HEAD, chunk,
    client::{Ask, KEY},
    frames::{
        CANCEL, DATA, END_HEADERS, END_STREAM, Frame, GOAWAY, HEADERS, NO_ERROR, PING, Peer,
        RST_STREAM, SETTINGS, WINDOW_UPDATE, block, setting,
    },
    h2,
};
use std::time::{Duration, Instant};
use weir::rehearsal::{script::Step, seen::Seen};

const EVENT: &[u8] =
    b"data: {\"choices\":[{\"index\":0,\"delta\":{\"content\":\"word\"},\"finish_reason\":null}]}\n\n";

/// A whole request on `stream`.
pub fn ask(peer: &mut Peer, stream: u32, ask: &Ask) {
    let key = format!("Bearer {KEY}");
    let headers = block(&[
        (":method", "POST"),
        (":scheme", "http"),
        (":path", &ask.path),
        (":authority", "weir.test"),
        ("authorization", &key),
    ]);
    peer.send(HEADERS, END_HEADERS, stream, &headers);
    peer.send(DATA, END_STREAM, stream, &ask.body);
}

/// A house with a model `raw-flood` that never stops by itself, and `plain`.
fn flooded(arguments: &[&str]) -> House {
    let house = House::open_with(&["raw-flood", "plain"], arguments);
    let events = chunk(&EVENT.repeat(100));
    let steps = vec![Step::Send(STREAM_HEAD.to_vec()), Step::Repeat(events, 20_000)];
    house.teach("flood", steps);
    house
}

#[test]
fn fault_48_a_reader_that_does_not_read_holds_only_its_stream_and_not_for_ever() {
    let house = flooded(&["--write-timeout", "2s"]);
    let mut peer = Peer::greet(house.gateway.address);
    peer.send(WINDOW_UPDATE, 0, 0, &(1_u32 << 30).to_be_bytes());
    assert_eq!(house.ask(&Ask::chat("plain")).status, 200);
    let before = house.gateway.anonymous_bytes();

    ask(&mut peer, 1, &Ask::stream("raw-flood"));
    let mut held = 0;
    while held < 65_535 {
        let data = peer.until(|frame| frame.kind == DATA).expect("the window is open");
        held += data.payload.len();
    }
    ask(&mut peer, 3, &Ask::chat("plain"));
    let plain = peer.until(|frame| frame.kind == DATA && frame.is_last());

    assert_eq!(plain.expect("the other stream flows").stream, 3);
    let grown = house.gateway.anonymous_bytes().saturating_sub(before);
    // What is held is 64 KiB at each hop; the rest is the allocator's.
    assert!(grown < 16 << 20, "{grown} bytes for a stream that nobody reads");
    let reset = peer.until(|frame| frame.kind == RST_STREAM).expect("the connection lives on");
    assert_eq!(reset.stream, 1);
    let receipts = house.receipts(3);
    assert_eq!((receipts[1].status(), receipts[2].status()), (200, 499));
}

#[test]
fn fault_48_a_window_of_zero_is_waited_for_but_not_for_ever() {
    let house = House::open_with(&["plain"], &["--write-timeout", "1s"]);
    let mut peer = Peer::greet(house.gateway.address);
    peer.send(SETTINGS, 0, 0, &setting(4, 0));

    ask(&mut peer, 1, &Ask::chat("plain"));
    let reset = peer.until(|frame| frame.kind == RST_STREAM).expect("the connection lives on");
    peer.send(SETTINGS, 0, 0, &setting(4, 65_535));
    ask(&mut peer, 3, &Ask::chat("plain"));
    let last = peer.until(Frame::is_last).expect("it goes on");

    assert_eq!((reset.stream, last.stream), (1, 3));
    let receipts = house.receipts(2);
    assert_eq!((receipts[0].status(), receipts[1].status()), (499, 200));
}

#[test]
fn fault_33_a_client_that_resets_its_stream_ends_the_call_at_once() {
    let house = House::open(&["raw-talk", "plain"]);
    let event = chunk(EVENT);
    house.teach("talk", vec![Step::Send(STREAM_HEAD.to_vec()), Step::Send(event), Step::Hang]);
    let mut peer = Peer::greet(house.gateway.address);
    ask(&mut peer, 1, &Ask::stream("raw-talk"));
    peer.until(|frame| frame.kind == DATA).expect("the stream began");

    let reset_at = Instant::now();
    peer.send(RST_STREAM, 0, 1, &CANCEL.to_be_bytes());

    let is_gone = |seen: &[Seen]| seen.iter().any(Seen::was_abandoned);
    assert!(house.vendor.wait_until(Duration::from_secs(5), is_gone));
    let closed_at = house.vendor.log()[0].client_closed_at.expect("it was abandoned");
    let took = closed_at.duration_since(reset_at);
    assert!(took < Duration::from_millis(100), "{took:?}");
    let receipt = house.receipt();
    assert_eq!((receipt.status(), receipt.text("ending")), (499, "client_gone".into()));
    ask(&mut peer, 3, &Ask::chat("plain"));
    assert_eq!(peer.until(Frame::is_last).expect("it goes on").stream, 3);
}

#[test]
fn fault_34_a_client_that_leaves_ends_all_its_calls_before_their_answers() {
    let house = House::open(&["raw-silent"]);
    house.teach("silent", vec![Step::Hang]);
    let mut peer = Peer::greet(house.gateway.address);
    for stream in [1, 3, 5] {
        ask(&mut peer, stream, &Ask::chat("raw-silent"));
    }
    let all = |seen: &[Seen]| seen.len() == 3;
    assert!(house.vendor.wait_until(Duration::from_secs(10), all), "three calls are on their way");

    drop(peer);

    let all = |seen: &[Seen]| seen.iter().all(Seen::was_abandoned);
    assert!(house.vendor.wait_until(Duration::from_secs(5), all));
    for receipt in house.receipts(3) {
        assert_eq!((receipt.status(), receipt.text("ending")), (499, "client_gone".into()));
    }
}

#[test]
fn a_draining_gateway_says_goaway_and_finishes_what_runs() {
    let mut house = House::open(&["raw-slow"]);
    let (first, last) = (chunk(EVENT), chunk(b"data: [DONE]\n\n"));
    let end = Step::Send([&last[..], b"0\r\n\r\n"].concat());
    let steps = [STREAM_HEAD.to_vec(), first].map(Step::Send);
    house.teach("slow", [&steps[..], &[Step::Pause(700), end]].concat());
    let mut peer = Peer::greet(house.gateway.address);
    ask(&mut peer, 1, &Ask::stream("raw-slow"));
    peer.until(|frame| frame.kind == DATA).expect("the stream began");
    let idle = Peer::greet(house.gateway.address);

    house.gateway.terminate();

    let farewell = peer.until(|frame| frame.kind == GOAWAY).expect("it is told");
    assert_eq!(farewell.code(), NO_ERROR);
    let mut text = Vec::new();
    while let Some(frame) = peer.next() {
        match frame.kind {
            DATA => text.extend(frame.payload),
            // The last stream of the final farewell is known once this round trip is made.
            PING => peer.send(PING, 1, 0, &frame.payload),
            _ => {}
        }
    }
    assert!(String::from_utf8_lossy(&text).ends_with("data: [DONE]\n\n"));
    drop(idle);
    assert!(house.gateway.exit().success());
    assert_eq!(house.receipt().text("ending"), "complete");
}

#[test]
fn an_idle_connection_is_told_to_go() {
    let house = House::open_with(&["plain"], &["--keep-alive", "1s"]);
    let mut peer = Peer::greet(house.gateway.address);
    ask(&mut peer, 1, &Ask::chat("plain"));
    peer.until(Frame::is_last).expect("an answer");

    let farewell = peer.until(|frame| frame.kind == GOAWAY).expect("it is told");

    assert_eq!(farewell.code(), NO_ERROR);
    // Even where the client does not answer the farewell.
    while peer.more() {}
}

#[test]
fn a_large_answer_passes_small_windows_whole() {
    let house = House::open(&["raw-large"]);
    let body = format!(r#"{{"choices":[],"x":"{}"}}"#, "y".repeat(3 << 20));
    house.teach("large", crate::harness::answer(200, "application/json", body.as_bytes()));

    let reply = h2::run(async {
        let mut builder = ::h2::client::Builder::new();
        builder.initial_window_size(1_000).initial_connection_window_size(70_000);
        let send = h2::connect_with(house.gateway.address, builder).await;
        h2::ask(&send, &Ask::chat("raw-large")).await.expect("a reply")
    });

    assert_eq!(reply.status, 200);
    assert!(reply.text() == body, "{} bytes of {}", reply.body.len(), body.len());
}

#[test]
fn a_client_that_waits_to_be_asked_on_is_asked_and_answered() {
    let house = House::open(&["plain"]);
    let mut peer = Peer::greet(house.gateway.address);
    let chat = Ask::chat("plain");
    let key = format!("Bearer {KEY}");
    let headers = block(&[
        (":method", "POST"),
        (":scheme", "http"),
        (":path", &chat.path),
        (":authority", "weir.test"),
        ("authorization", &key),
        ("expect", "100-continue"),
    ]);

    peer.send(HEADERS, END_HEADERS, 1, &headers);
    let interim = peer.until(|frame| frame.kind == HEADERS).expect("it is asked on");
    assert_eq!(interim.flags & END_STREAM, 0);
    peer.send(DATA, END_STREAM, 1, &chat.body);
    let reply = peer.until(|frame| frame.kind == HEADERS).expect("a reply");

    // Index 8 of the static table is a status of 200 (RFC 7541, appendix A).
    assert_eq!((interim.stream, reply.stream, reply.payload[0]), (1, 1, 0x88));
    assert_ne!(interim.payload[0], 0x88);
}
