//! Fault 48: what attackers send. It ends, and costs neither memory nor others.

use crate::{
    harness::{
        House,
        client::Ask,
        frames::{
            ACK, CANCEL, CONTINUATION, DATA, END_HEADERS, END_STREAM, ENHANCE_YOUR_CALM, Frame,
            GOAWAY, HEADERS, PING, PRIORITY, Peer, RST_STREAM, SETTINGS, WINDOW_UPDATE, block,
            setting,
        },
    },
    http2::flow,
};

const GET: [(&str, &str); 4] =
    [(":method", "GET"), (":scheme", "http"), (":path", "/ready"), (":authority", "weir.test")];
/// What an attack may make the gateway grow by.
const GROWTH_BYTES_MAX: u64 = 24 << 20;

/// Sends `frames` until the gateway ends the connection, or so many were sent; the GOAWAY's code.
fn flood(house: &House, repeats: usize, mut frames: impl FnMut(usize) -> Vec<u8>) -> Option<u32> {
    let before = house.gateway.anonymous_bytes();
    let mut peer = Peer::greet(house.gateway.address);
    let mut code = None;
    for number in 0..repeats {
        peer.raw(&frames(number));
        // What came meanwhile is read, so that only the flood itself is judged.
        while code.is_none() && !peer.is_empty_now() {
            match peer.next() {
                Some(frame) if frame.kind == GOAWAY => code = Some(frame.code()),
                Some(_) => {}
                None => return code,
            }
        }
        if code.is_some() {
            break;
        }
    }
    let grown = house.gateway.anonymous_bytes().saturating_sub(before);
    assert!(grown < GROWTH_BYTES_MAX, "it grew by {grown} bytes");
    code.or_else(|| peer.until(|frame| frame.kind == GOAWAY).map(|frame| frame.code()))
}

/// Others are served as before.
fn is_well(house: &House) {
    assert_eq!(house.gateway.get("/ready").status, 200);
    let mut peer = Peer::greet(house.gateway.address);
    flow::ask(&mut peer, 1, &Ask::chat("plain"));
    assert!(peer.until(Frame::is_last).is_some());
}

#[test]
fn fault_48_rapid_resets_end_the_connection() {
    let house = House::open(&["plain"]);

    let code = flood(&house, 5_000, |number| {
        let stream = 2 * u32::try_from(number).expect("few") + 1;
        let mut bytes = Frame::new(HEADERS, END_HEADERS, stream, &block(&GET)).bytes();
        bytes.extend(Frame::new(RST_STREAM, 0, stream, &CANCEL.to_be_bytes()).bytes());
        bytes
    });

    assert_eq!(code, Some(ENHANCE_YOUR_CALM));
    is_well(&house);
}

#[test]
fn fault_48_slow_resets_of_work_in_progress_end_the_connection_too() {
    let house = House::open(&["raw-silent", "plain"]);
    house.teach("silent", vec![weir::rehearsal::script::Step::Hang]);
    let mut peer = Peer::greet(house.gateway.address);

    let mut code = None;
    for number in 0..2_000_u32 {
        let stream = 2 * number + 1;
        flow::ask(&mut peer, stream, &Ask::chat("raw-silent"));
        // A round trip, so that the stream is seen before it is reset.
        peer.send(PING, 0, 0, b"still-on");
        let frame = peer.until(|frame| [GOAWAY, PING].contains(&frame.kind));
        let Some(frame) = frame.filter(|frame| frame.kind == PING) else { break };
        assert_eq!(frame.flags, ACK);
        peer.send(RST_STREAM, 0, stream, &CANCEL.to_be_bytes());
        code = Some(number);
    }

    let resets = code.expect("some were let pass");
    assert!((490..600).contains(&resets), "{resets}");
    is_well(&house);
}

#[test]
fn fault_48_floods_of_frames_that_ask_for_nothing_end_the_connection() {
    let house = House::open(&["plain"]);
    let batch = |frame: Frame| frame.bytes().repeat(100);
    for (name, bytes) in [
        ("PING", batch(Frame::new(PING, 0, 0, b"flooding"))),
        ("SETTINGS", batch(Frame::new(SETTINGS, 0, 0, &setting(4, 100)))),
        ("PRIORITY", batch(Frame::new(PRIORITY, 0, 1, &[0, 0, 0, 3, 1]))),
        ("WINDOW_UPDATE", batch(Frame::new(WINDOW_UPDATE, 0, 0, &1_u32.to_be_bytes()))),
        ("unknown", batch(Frame::new(0x42, 0, 0, &[0; 64]))),
    ] {
        let code = flood(&house, 2_000, |_| bytes.clone());

        assert_eq!(code, Some(ENHANCE_YOUR_CALM), "{name}");
    }
    is_well(&house);
}

#[test]
fn fault_48_a_head_that_never_ends_and_one_that_unfolds_are_bounded() {
    let house = House::open(&["plain"]);

    let endless = flood(&house, 20_000, |number| match number {
        0 => Frame::new(HEADERS, END_STREAM, 1, &block(&GET)).bytes(),
        _ => Frame::new(CONTINUATION, 0, 1, &block(&[("x-more", "and more")])).bytes(),
    });

    assert!(endless.is_some(), "a head of many parts ends the connection");
    // A header of 4,000 bytes goes into the table once, and out of it by one byte each time.
    let mut bomb = block(&GET);
    bomb.extend([0x40, 1, b'x', 0x7f, 0xa1, 0x1e]);
    bomb.extend([b'y'; 4_000]);
    bomb.extend([0xbe; 12_000]);
    let before = house.gateway.anonymous_bytes();
    let mut peer = Peer::greet(house.gateway.address);
    for stream in [1, 3, 5, 7] {
        peer.send(HEADERS, END_HEADERS | END_STREAM, stream, &bomb);
    }
    let refused = peer.until(|frame| [HEADERS, RST_STREAM, GOAWAY].contains(&frame.kind));
    assert!(refused.is_some_and(|frame| frame.kind != HEADERS || frame.payload[0] != 0x88));
    let grown = house.gateway.anonymous_bytes().saturating_sub(before);
    assert!(grown < GROWTH_BYTES_MAX, "it grew by {grown} bytes");
    is_well(&house);
}

#[test]
fn fault_48_ten_thousand_streams_are_not_ten_thousand_exchanges() {
    let house = House::open(&["raw-silent", "plain"]);
    house.teach("silent", vec![weir::rehearsal::script::Step::Hang]);
    let headers = block(&[
        (":method", "POST"),
        (":scheme", "http"),
        (":path", "/v1/chat/completions"),
        (":authority", "weir.test"),
        ("authorization", "Bearer rehearsal-key-of-the-owner"),
    ]);
    let before = house.gateway.anonymous_bytes();
    let mut peer = Peer::greet(house.gateway.address);

    let (mut refused, mut is_sent_away) = (0, false);
    for number in 0..10_000 {
        peer.send(HEADERS, END_HEADERS, 2 * number + 1, &headers);
        while !peer.is_empty_now() {
            let Some(frame) = peer.next() else { break };
            refused += u32::from(frame.kind == RST_STREAM);
            is_sent_away |= frame.kind == GOAWAY;
        }
    }
    peer.send(PING, 0, 0, b"all-sent");
    while let Some(frame) = peer.next() {
        refused += u32::from(frame.kind == RST_STREAM);
        is_sent_away |= frame.kind == GOAWAY;
        if frame.kind == PING || is_sent_away {
            break;
        }
    }

    assert!(refused <= 9_000, "a thousand are served: {refused}");
    assert!(refused == 9_000 || is_sent_away, "of the others each is refused: {refused}");
    let grown = house.gateway.anonymous_bytes().saturating_sub(before);
    assert!(grown < 2 * GROWTH_BYTES_MAX, "it grew by {grown} bytes");
    assert_eq!(house.vendor.log().len(), 0, "none had its body");
    is_well(&house);
}

#[test]
fn fault_48_empty_data_does_not_keep_a_body_open_for_ever() {
    let house = House::open(&["plain"]);
    let mut peer_headers = GET.to_vec();
    peer_headers[0].1 = "POST";
    peer_headers[2].1 = "/v1/chat/completions";
    peer_headers.push(("authorization", "Bearer rehearsal-key-of-the-owner"));
    let open = Frame::new(HEADERS, END_HEADERS, 1, &block(&peer_headers)).bytes();

    let code = flood(&house, 4_000, |number| match number {
        0 => open.clone(),
        _ => Frame::new(DATA, 0, 1, &[]).bytes().repeat(100),
    });

    assert!(code.is_some(), "it is told to calm down, or to mind the rules");
    is_well(&house);
}
