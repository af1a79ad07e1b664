//! Vendors that speak HTTP/2: one connection for many calls, each of them on its own.

use crate::{
    harness::{
        DEADLINE, House,
        frames::{CANCEL, DATA, Frame, Peer, WINDOW_UPDATE},
        h2,
        h2_vendor::{self, COMPLETION, EVENTS, H2Vendor, Manner, Told},
        manifest,
    },
    http2::safe_again::{add_account, chat},
};
use serde_json::json;

/// A house beside such a vendor, which has been asked once.
fn house(manner: Manner, arguments: &[&str]) -> (House, H2Vendor) {
    let vendor = h2_vendor::start(manner);
    let house = House::open_with(&["plain"], arguments);
    add_account(&house, vendor.address, &json!("2"));
    let reply = house.ask_until_known(&chat("hello", ""));
    assert_eq!((reply.status, reply.text().as_str()), (200, COMPLETION));
    (house, vendor)
}

#[test]
fn a_call_says_what_it_would_say_over_http1() {
    let (house, vendor) = house(Manner::default(), &[]);

    let Told::Asked { request, body, .. } = vendor.told.recv_timeout(DEADLINE).expect("asked")
    else {
        panic!("it was asked first");
    };

    assert_eq!(request.method(), "POST");
    assert_eq!(request.uri().to_string(), format!("http://{}/v1/chat/completions", vendor.address));
    let header =
        |name: &str| request.headers().get(name).map(|value| value.to_str().expect("text"));
    assert_eq!(header("authorization"), Some(&*format!("Bearer {}", manifest::VENDOR_KEY)));
    assert_eq!(header("content-length"), Some(&*body.len().to_string()));
    assert_eq!(header("x-account-header"), Some("from the account"));
    assert_eq!(header("host"), None);
    assert!(String::from_utf8_lossy(&body).starts_with(r#"{"model":"plain","messages""#));
    house.receipts_where(1, |one| one.number("output_tokens") == 1);
}

#[test]
fn many_calls_share_one_connection() {
    let (house, vendor) = house(Manner::default(), &[]);

    let replies = h2::run(async {
        let send = h2::connect(house.gateway.address).await;
        let mut calls = tokio::task::JoinSet::new();
        for _ in 0..90 {
            let send = send.clone();
            calls.spawn_local(async move { h2::ask(&send, &chat("hello", "")).await });
        }
        calls.join_all().await
    });

    assert!(replies.iter().all(|reply| reply.as_ref().is_ok_and(|reply| reply.status == 200)));
    assert_eq!(vendor.connections.load(std::sync::atomic::Ordering::SeqCst), 1);
    let metrics = house.gateway.admin("/metrics").text();
    assert!(
        metrics.contains("weir_upstream_connections_opened_total{core=\"0\"} 1\n"),
        "{metrics}"
    );
}

#[test]
fn more_calls_than_a_vendor_allows_take_another_connection() {
    let (house, vendor) = house(Manner { streams_max: Some(1), ..Manner::default() }, &[]);
    let mut hanging = house.client();
    hanging.send(&chat("hang", "").bytes());
    let is_hanging = |told: &Told| {
        let Told::Asked { body, .. } = told else { return false };
        String::from_utf8_lossy(body).contains("hang")
    };
    while !is_hanging(&vendor.told.recv_timeout(DEADLINE).expect("asked")) {}

    let reply = house.ask(&chat("hello", ""));

    assert_eq!(reply.status, 200);
    assert_eq!(vendor.connections.load(std::sync::atomic::Ordering::SeqCst), 2);
}

#[test]
fn a_stream_is_relayed_event_by_event() {
    let (house, _vendor) = house(Manner::default(), &[]);

    let reply =
        house.ask(&chat("hello", r#","stream":true,"stream_options":{"include_usage":true}"#));

    assert_eq!((reply.status, reply.is_whole), (200, true));
    assert_eq!(reply.events(), EVENTS);
}

#[test]
fn trailers_are_passed_over_and_large_answers_are_whole() {
    let (house, _vendor) = house(Manner::default(), &[]);

    let trailed = house.ask(&chat("trailers", ""));
    let large = house.ask(&chat("large", ""));

    assert_eq!((trailed.status, trailed.text().as_str()), (200, COMPLETION));
    assert_eq!(large.status, 200);
    assert!(large.body == h2_vendor::large(), "{} bytes", large.body.len());
}

#[test]
fn fault_2_a_stream_that_is_reset_in_its_midst_is_told_as_truncated() {
    let (house, _vendor) = house(Manner::default(), &[]);

    let whole = house.ask(&chat("cut", ""));
    let stream = house.ask(&chat("cut", r#","stream":true"#));

    assert!(whole.status == 502 || !whole.is_whole, "{whole:?}");
    let events = stream.events();
    assert!(events.last().is_some_and(|last| last.contains("stream_truncated")), "{events:?}");
    house.receipts_where(2, |one| one.text("fault") == "truncated");
}

#[test]
fn fault_33_a_client_that_leaves_resets_only_its_call() {
    let (house, vendor) = house(Manner::default(), &[]);
    let mut client = house.client();
    client.send(&chat("linger", r#","stream":true"#).bytes());
    let mut reply = client.head();
    client.body_until(&mut reply, "Hi");

    drop(client);

    let code = loop {
        if let Told::Reset(code) = vendor.told.recv_timeout(DEADLINE).expect("it is told") {
            break code;
        }
    };
    assert_eq!(code, CANCEL);
    assert_eq!(house.ask(&chat("hello", "")).status, 200);
    assert_eq!(vendor.connections.load(std::sync::atomic::Ordering::SeqCst), 1);
}

#[test]
fn fault_22_a_slow_reader_holds_only_its_own_call_on_a_shared_connection() {
    let (house, vendor) = house(Manner::default(), &[]);
    let before = house.gateway.anonymous_bytes();
    let mut peer = Peer::greet(house.gateway.address);
    peer.send(WINDOW_UPDATE, 0, 0, &(1_u32 << 30).to_be_bytes());
    let endless = chat("endless", r#","stream":true"#);
    crate::http2::flow::ask(&mut peer, 1, &endless);
    let mut held = 0;
    while held < 65_535 {
        let data = peer.until(|frame: &Frame| frame.kind == DATA).expect("the window is open");
        held += data.payload.len();
    }

    let other = house.ask(&chat("large", ""));

    assert_eq!(other.status, 200);
    assert!(other.is_whole);
    let grown = house.gateway.anonymous_bytes().saturating_sub(before);
    // What is held is 64 KiB at each hop; the rest is the allocator's.
    assert!(grown < 16 << 20, "it grew by {grown} bytes");
    assert_eq!(vendor.connections.load(std::sync::atomic::Ordering::SeqCst), 1);
}

#[test]
fn an_account_says_its_version_in_one_of_two_words() {
    let (mut house, vendor) = house(Manner::default(), &[]);
    add_account(&house, vendor.address, &json!(2));
    assert_eq!(house.ask(&chat("hello", "")).status, 200);

    add_account(&house, vendor.address, &json!("3"));

    let line = house.gateway.wait_for_line("http_version").expect("the change is refused");
    assert!(line.contains("1.1"), "{line}");
}
