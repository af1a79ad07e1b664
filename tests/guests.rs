//! Faults of clients: leaving, sending too much, sending what could be read in two ways. Each test
//! names its rows of the list of faults that we owe.

mod harness;

use harness::{
    DEADLINE, House,
    client::{Ask, Client, chat_body},
};
use std::{
    io::Write as _,
    time::{Duration, Instant},
};
use weir::rehearsal::seen::Seen;

/// Within a hundred milliseconds, and as much again for two busy cores and a debug build.
const AT_ONCE: Duration = Duration::from_millis(200);

/// Row 33: who leaves in mid stream is noticed at once, and billed for what was used.
#[test]
fn fault_33_t031_a_client_that_leaves_mid_stream_ends_the_call() {
    let house = House::open(&["paced1000x20"]);
    let mut client = house.client();
    client.send(&Ask::stream("paced1000x20").bytes());
    let mut reply = client.head();
    client.body_until(&mut reply, "w3");

    let left = Instant::now();
    drop(client);

    assert_noticed(&house, left);
    let receipt = house.receipt();
    assert_eq!((receipt.status(), receipt.text("ending").as_str()), (499, "client_gone"));
}

/// Row 34: the same before the answer began.
#[test]
fn fault_34_a_client_that_leaves_before_the_answer_ends_the_call() {
    let house = House::open(&["never"]);
    for ask in [Ask::chat("never"), Ask::stream("never")] {
        let mut client = house.client();
        client.send(&ask.bytes());
        let is_waiting =
            |log: &[Seen]| log.last().is_some_and(|one| one.client_closed_at.is_none());
        assert!(house.vendor.wait_until(DEADLINE, is_waiting));

        let left = Instant::now();
        drop(client);

        assert_noticed(&house, left);
    }
    assert!(house.receipts(2).iter().all(|one| one.status() == 499));
    assert_eq!(house.vendor.log().len(), 2, "nothing is tried again for nobody");
}

fn assert_noticed(house: &House, left: Instant) {
    let noticed = house
        .vendor
        .wait_until(DEADLINE, |log| log.last().is_some_and(|one| one.client_closed_at.is_some()));
    assert!(noticed, "the vendor is still at work");
    let closed = house.vendor.log().pop().and_then(|one| one.client_closed_at).expect("just seen");
    let took = closed.saturating_duration_since(left);
    assert!(took < AT_ONCE, "the vendor worked on for {took:?}");
}

/// A client that says it will send no more, but reads, has not left.
#[test]
fn a_half_close_after_a_whole_request_is_not_leaving() {
    let house = House::open(&["slow300"]);
    let mut client = house.client();

    client.send(&Ask::chat("slow300").bytes());
    client.half_close();

    assert_eq!(client.reply().status, 200);
    assert_eq!(house.receipt().status(), 200);
}

/// Row 38: a body over the limit is refused by its length, before it is read, and no 100 is given.
#[test]
fn fault_38_a_body_over_the_limit_is_refused_before_it_is_gathered() {
    let house = House::open(&["plain"]);
    let mut large = Ask::chat("plain").without("content-length");
    large.body.clear();
    let large = large.header("content-length", "67108865");

    for ask in [large.clone(), large.header("expect", "100-continue")] {
        let mut client = house.client();
        client.send(&ask.bytes());
        let mut reply = client.any_head();
        client.body(&mut reply, usize::MAX);
        assert_eq!((reply.status, reply.refusal().as_str()), (413, "body_too_large"));
    }
    assert!(house.vendor.log().is_empty());
}

/// Row 38, by chunks: the limit holds where no length is said.
#[test]
fn fault_38_a_chunked_body_over_the_limit_is_refused_when_it_is_reached() {
    let house = House::open(&["plain"]);
    let chunked = Ask { body: Vec::new(), ..Ask::chat("plain").without("content-length") };
    let mut client = house.client();
    client.send(&chunked.header("transfer-encoding", "chunked").bytes());

    let mebibyte = [b"100000\r\n".as_slice(), &vec![b' '; 1 << 20], b"\r\n"].concat();
    for _ in 0..66 {
        client.offer(&mebibyte);
    }

    assert_eq!(client.reply().refusal(), "body_too_large");
    assert!(house.vendor.log().is_empty());
}

/// Row 46: a small body that unpacks to one over the limit; and one that does not is served. For
/// each coding that clients use (T013).
#[test]
fn fault_46_a_packed_body_is_bounded_by_what_it_unpacks_to() {
    let house = House::open(&["plain"]);
    let chat = chat_body("plain", "");
    let blanks = vec![b' '; 80 << 20];
    let cases = [
        ("gzip", gzip(&[chat.as_bytes(), &blanks].concat()), gzip(chat.as_bytes())),
        ("deflate", zlib(&blanks), zlib(chat.as_bytes())),
        ("br", BROTLI_BLANKS.to_vec(), brotli_stored(chat.as_bytes())),
        ("zstd", zstd(&[&blanks_of_zstd(640)]), zstd(&[&zstd_stored(chat.as_bytes())])),
    ];

    for (coding, bomb, body) in cases {
        let packed = |body: Vec<u8>| {
            let ask = Ask::post("/v1/chat/completions", body);
            house.ask(&ask.header("content-encoding", coding))
        };
        let refused = packed(bomb);
        let broken = packed(body[..body.len() / 2].to_vec());
        let served = packed(body);

        assert_eq!((refused.status, refused.refusal().as_str()), (413, "body_too_large"));
        assert_eq!((broken.status, broken.refusal().as_str()), (400, "invalid_json"), "{coding}");
        assert_eq!(served.status, 200, "{coding}: {}", served.text());
        let seen = house.vendor.log().pop().expect("it was asked");
        assert_eq!(seen.body, chat.replace("test/plain", "plain").as_bytes());
        assert_eq!(seen.header("content-encoding"), None, "it is spliced, so it is sent unpacked");
    }
    assert_eq!(house.vendor.log().len(), 4);
}

/// Row 46: what a body unpacks to counts as its own while it is unpacked.
#[test]
fn fault_46_a_body_that_unpacks_beyond_the_memory_for_bodies_is_refused() {
    let house = House::open_with(&["plain"], &["--body-memory", "16MiB"]);
    assert_eq!(house.ask(&Ask::chat("plain")).status, 200);
    let before = house.gateway.peak_bytes();
    let ask = Ask::post("/v1/chat/completions", BROTLI_BLANKS.to_vec());

    let refused = house.ask(&ask.header("content-encoding", "br"));

    assert_eq!((refused.status, refused.refusal().as_str()), (503, "body_memory_full"));
    let grown = house.gateway.peak_bytes() - before;
    assert!(grown < 40 << 20, "{grown} bytes");
}

fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    encoder.write_all(bytes).and_then(|()| encoder.finish()).expect("a Vec takes every byte")
}

fn zlib(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = flate2::write::ZlibEncoder::new(Vec::new(), flate2::Compression::fast());
    encoder.write_all(bytes).and_then(|()| encoder.finish()).expect("a Vec takes every byte")
}

/// 80 MiB of blanks.
const BROTLI_BLANKS: [u8; 132] = *b"\xcb\xff\xff\x3f\xf8\x25\x40\xe2\xb1\x40\x20\xf7\xfe\x8f\xff\xff\x7f\xf0\x4b\x00\xc4\x61\x11\x80\xee\xfd\x1f\xff\xff\xff\xe0\x97\x00\x88\xc3\x02\x00\xdd\xfb\x3f\xfe\xff\xff\xc1\x2f\x01\x10\x87\x05\x00\xba\xf7\x7f\xfc\xff\xff\x83\x5f\x02\x20\x0e\x0b\x00\x74\xef\xff\xf8\xff\xff\x07\xbf\x04\x40\x1c\x16\x00\xe8\xde\xff\xf1\xff\xff\x0f\x7e\x09\x80\x38\x2c\x00\xd0\xbd\xff\xe3\xff\xff\x1f\xfc\x12\x00\x71\x58\x00\xa0\x7b\xff\xc7\xff\xff\x3f\xf8\x25\x00\xe2\xb0\x00\x40\xf7\xfe\x8f\xff\xff\x7f\xf0\x4b\x00\xc4\x61\x01\x80\xee\xfd\xdf";

/// One stored meta-block. **Source**: RFC 7932 §9.
fn brotli_stored(bytes: &[u8]) -> Vec<u8> {
    let length = u32::try_from(bytes.len() - 1).expect("short");
    let head = (length << 4 | 1 << 20).to_le_bytes();
    [&head[..3], bytes, &[3]].concat()
}

/// A frame with a window of 128 KiB, and its end. **Source**: RFC 8878 §3.1.1.
fn zstd(blocks: &[&[u8]]) -> Vec<u8> {
    [&[0x28, 0xb5, 0x2f, 0xfd, 0, 0x38], &blocks.concat()[..], &[1, 0, 0]].concat()
}

fn zstd_stored(bytes: &[u8]) -> Vec<u8> {
    let head = (u32::try_from(bytes.len()).expect("short") << 3).to_le_bytes();
    [&head[..3], bytes].concat()
}

/// Blocks of 128 KiB of one byte.
fn blanks_of_zstd(blocks: usize) -> Vec<u8> {
    let head = ((128_u32 << 10) << 3 | 1 << 1).to_le_bytes();
    [head[0], head[1], head[2], b' '].repeat(blocks)
}

/// Row 39.
#[test]
fn fault_39_an_oversized_head_is_refused() {
    let house = House::open(&["plain"]);
    let ask = Ask::chat("plain");
    let many = (0..5000).fold(ask.clone(), |ask, n| ask.header(&format!("x-{n}"), "a"));
    let wide = ask.clone().header("x-wide", &"a".repeat(200_000));
    let long = Ask { path: format!("/v1/models?{}", "a".repeat(100_000)), ..Ask::get("/") };

    for (ask, status, code) in [
        (many, 431, "headers_too_large"),
        (wide, 431, "headers_too_large"),
        (long, 414, "uri_too_long"),
    ] {
        let mut client = house.client();
        client.offer(&ask.bytes());
        let reply = client.reply();
        assert_eq!((reply.status, reply.refusal().as_str()), (status, code));
    }
}

/// Rows 40, 41, 42: what is checked of a body; and 43: what is not.
#[test]
fn fault_40_41_42_43_a_body_is_checked_where_it_is_read_and_passed_where_it_is_not() {
    let house = House::open(&["plain"]);
    let post = |body: Vec<u8>| house.ask(&Ask::post("/v1/chat/completions", body));
    let nested = |depth: usize| {
        let (open, close) = ("[".repeat(depth), "]".repeat(depth));
        format!(r#"{{"model":"test/plain","messages":[],"x":{open}{close}}}"#)
    };
    let with = |more: &str| format!(r#"{{"model":"test/plain","messages":[],{more}}}"#);

    for (body, code) in [
        (nested(128), "invalid_json"),
        (nested(100_000), "invalid_json"),
        (with(r#""model":"test/other""#), "duplicate_field"),
        (with(r#""stream":true,"str\u0065am":false"#), "duplicate_field"),
        (with(r#""max_tokens":-1"#), "invalid_field"),
        (with(r#""max_tokens":1.5"#), "invalid_field"),
        (with(r#""max_tokens":"5""#), "invalid_field"),
        (with(r#""stream":"yes""#), "invalid_field"),
        (with(r#""x":[1}"#), "invalid_json"),
        (with(r#""x":1"#) + "}", "invalid_json"),
    ] {
        let reply = post(body.clone().into_bytes());
        assert_eq!((reply.status, reply.refusal().as_str()), (400, code), "{body:.80}");
    }
    let invalid = [b"{\"model\":\"test/plain\",\"x\":\"\xff\"}".to_vec()].concat();
    assert_eq!(post(invalid).refusal(), "invalid_json");
    let seen = house.vendor.log().len();
    assert_eq!(seen, 0, "a refused body does not go upstream");
    for passed in [nested(127), with(r#""x":1e999,"y":"\ud800","n":123456789012345678901"#)] {
        let reply = post(passed.clone().into_bytes());
        // The vendor may dislike it; that is between it and the client.
        assert!([200, 400].contains(&reply.status), "{}", reply.status);
        let sent = passed.replace("test/plain", "plain");
        assert_eq!(house.vendor_bodies().last(), Some(&sent));
    }
}

/// Row 44: a line end in a value reaches no head and no log line raw.
#[test]
fn fault_44_line_ends_in_values_stay_inside_them() {
    let mut house = House::open(&["plain"]);
    let body = r#"{"model":"test/pl\r\nx-injected: 1","messages":[]}"#;

    let reply = house.ask(&Ask::post("/v1/chat/completions", body));
    house.ask(&Ask::chat("plain").header("x-tfy-metadata", r#"{"a":"b\r\nx-injected: 1"}"#));

    assert_eq!(reply.status, 400);
    assert!(reply.header("x-injected").is_none());
    assert!(house.vendor.log().iter().all(|seen| seen.header("x-injected").is_none()));
    assert_eq!(house.receipts(2).len(), 2, "and each receipt is one line");
    let log = house.gateway.log();
    assert!(log.lines().all(|line| !line.starts_with("x-injected")), "{log}");
}

/// Row 45: a hop-by-hop list does not strip what proves us upstream.
#[test]
fn fault_45_a_connection_header_does_not_strip_our_credential() {
    let house = House::open(&["plain"]);

    house.ask(
        &Ask::chat("plain").header("connection", "keep-alive, Authorization, x-account-header"),
    );

    let seen = house.vendor.log().remove(0);
    assert!(seen.header("authorization").is_some() && seen.header("x-account-header").is_some());
}

/// Row 37, the sharpest of them: what two readers could frame in two ways is refused and closed.
#[test]
fn fault_37_requests_of_doubtful_framing_are_refused_and_the_connection_closed() {
    let house = House::open(&["plain"]);
    let body = chat_body("plain", "");
    let length = body.len();
    let key = harness::client::KEY;
    let start =
        format!("POST /v1/chat/completions HTTP/1.1\r\nHost: a\r\nAuthorization: Bearer {key}\r\n");
    let chunked = format!("{length:x}\r\n{body}\r\n0\r\n\r\n");
    let smuggled = "GET /v1/models HTTP/1.1\r\nHost: a\r\n\r\n";

    for (name, rest) in [
        ("both", format!("Content-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n{chunked}")),
        ("two lengths", format!("Content-Length: {length}\r\nContent-Length: 3\r\n\r\n{body}")),
        ("plus", format!("Content-Length: +{length}\r\n\r\n{body}")),
        ("te space", format!("Transfer-Encoding : chunked\r\n\r\n{chunked}")),
        ("te list", format!("Transfer-Encoding: chunked, identity\r\n\r\n{chunked}")),
        ("te x", format!("Transfer-Encoding: xchunked\r\n\r\n{chunked}")),
        ("fold", format!("Transfer-Encoding: \r\n chunked\r\n\r\n{chunked}")),
        ("nul", format!("X-A: a\0b\r\nContent-Length: {length}\r\n\r\n{body}")),
        ("bare cr", format!("X-A: a\rX-B: b\r\nContent-Length: {length}\r\n\r\n{body}")),
        ("chunk 0x", "Transfer-Encoding: chunked\r\n\r\n0x5\r\nhello\r\n0\r\n\r\n".to_owned()),
        ("chunk end", "Transfer-Encoding: chunked\r\n\r\n5\r\nhelloXX0\r\n\r\n".to_owned()),
        ("chunk lf", "Transfer-Encoding: chunked\r\n\r\n5;\nhello\r\n0\r\n\r\n".to_owned()),
        ("two hosts", "Content-Length: 0\r\nHost: b\r\n\r\n".to_owned()),
    ] {
        let mut client = Client::connect(house.gateway.address);
        client.offer(format!("{start}{rest}{smuggled}").as_bytes());
        let reply = client.reply();
        assert!((400..500).contains(&reply.status), "{name}: {}", reply.status);
        assert!(client.ends_silently(), "{name}: what follows was answered");
    }
    for line in ["POST  / HTTP/1.1x", "P@ST / HTTP/1.1", "POST / HTTP/2.0", "POST /\u{1} HTTP/1.1"]
    {
        let mut client = Client::connect(house.gateway.address);
        client.offer(format!("{line}\r\nHost: a\r\nContent-Length: 0\r\n\r\n").as_bytes());
        assert!((400..600).contains(&client.reply().status), "{line}");
        assert!(client.ends_silently(), "{line}");
    }
    assert!(house.vendor.log().is_empty(), "nothing doubtful reaches a vendor");
}
