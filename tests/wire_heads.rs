//! Heads: limits at the bound and beyond, framing of replies, and what a target may be.

use weir::wire::http1::reply::ReplyHead;
use weir::wire::http1::request::{Method, RequestHead};
use weir::wire::http1::{Framing, HEADERS_MAX, HttpError, Limits};

const LIMITS: Limits = Limits { head_bytes_max: 4096, headers_max: 20, target_bytes_max: 200 };

fn request(text: &str) -> Result<RequestHead, HttpError> {
    let mut head = RequestHead::default();
    assert!(head.parse(text.as_bytes(), &LIMITS)?, "unfinished: {text:?}");
    Ok(head)
}

fn reply(text: &str, request_was_head: bool) -> Result<ReplyHead, HttpError> {
    let mut head = ReplyHead::default();
    assert!(head.parse(text.as_bytes(), &LIMITS, request_was_head)?, "unfinished: {text:?}");
    Ok(head)
}

#[test]
fn a_request_is_read_in_full() {
    let text = "\r\nPOST /v1/x?y=1 HTTP/1.1\r\nHost: a\r\nX-A:  b c\t \r\nX-Empty:\r\n\
                x-a: d\r\nContent-Length: 3\r\n\r\nabc";
    let head = request(text).expect("fine");

    assert_eq!(head.method, Method::Post);
    assert_eq!(head.target.of(text.as_bytes()), b"/v1/x?y=1");
    assert_eq!(head.framing, Framing::Length(3));
    assert_eq!(&text[head.head_len..], "abc");
    assert_eq!(head.header(text.as_bytes(), "x-a"), Some(b"b c".as_slice()));
    assert_eq!(head.header(text.as_bytes(), "x-empty"), Some(b"".as_slice()));
    assert_eq!(head.header(text.as_bytes(), "x-b"), None);
    assert_eq!(head.iter(text.as_bytes()).filter(|(name, _)| name == b"x-a").count(), 1);
    assert!(head.keep_alive && !head.expects_continue && !head.is_http10);
}

#[test]
fn a_head_is_reused_without_remains_of_the_last() {
    let first = "POST /a HTTP/1.0\r\nHost: a\r\nExpect: 100-continue\r\nContent-Length: 3\r\n\r\n";
    let second = "GET /b HTTP/1.1\r\nHost: a\r\n\r\n";
    let mut head = RequestHead::default();

    assert_eq!(head.parse(first.as_bytes(), &LIMITS), Ok(true));
    assert_eq!(head.parse(second.as_bytes(), &LIMITS), Ok(true));

    assert_eq!((head.framing, head.headers.len()), (Framing::None, 1));
    assert!(head.keep_alive && !head.expects_continue && !head.is_http10);
    assert_eq!(head.target.of(second.as_bytes()), b"/b");
}

#[test]
fn the_connection_is_kept_as_version_and_headers_say() {
    for (version, connection, keep_alive) in [
        ("1.1", "", true),
        ("1.1", "Connection: close\r\n", false),
        ("1.1", "Connection: x, CLOSE\r\n", false),
        ("1.1", "Connection: keep-alive\r\nConnection: close\r\n", false),
        ("1.1", "Connection: closed\r\n", true),
        ("1.0", "", false),
        ("1.0", "Connection: Keep-Alive\r\n", true),
        ("1.0", "Connection: keep-alive, close\r\n", false),
    ] {
        let head = request(&format!("GET / HTTP/{version}\r\nHost: a\r\n{connection}\r\n"));
        assert_eq!(head.map(|head| head.keep_alive), Ok(keep_alive), "{version} {connection}");
    }
}

#[test]
fn a_host_names_one_place() {
    for host in ["a", "a.b:80", "127.0.0.1:8080", "[::1]", "[::1]:80", "a_b", "a:"] {
        assert!(request(&format!("GET / HTTP/1.1\r\nHost: {host}\r\n\r\n")).is_ok(), "{host}");
    }
    for host in
        ["", ":80", "a b", "a/b", "u@a", "a:b", "a:123456", "[::1", "[]", "[a]b", "a,b c", "é"]
    {
        let head = request(&format!("GET / HTTP/1.1\r\nHost: {host}\r\n\r\n"));
        assert_eq!(head.err(), Some(HttpError::Bad("host")), "{host}");
    }
    assert!(request("GET / HTTP/1.0\r\n\r\n").is_ok());
}

#[test]
fn an_absolute_target_is_reduced_to_its_path_at_our_host_only() {
    let text = "GET HTTP://A.b:1/x?y HTTP/1.1\r\nHost: a.B:1\r\n\r\n";
    assert_eq!(request(text).expect("fine").target.of(text.as_bytes()), b"/x?y");

    for target in
        ["http://c/", "http://a", "http://a?x", "ftp://a/", "http:///x", "hello", "http://u@a/"]
    {
        let head = request(&format!("GET {target} HTTP/1.1\r\nHost: a\r\n\r\n"));
        assert_eq!(head.err(), Some(HttpError::Bad("target")), "{target}");
    }
    let without = request("GET http://a/ HTTP/1.0\r\n\r\n");
    assert_eq!(without.err(), Some(HttpError::Bad("target")));
}

#[test]
fn each_limit_holds_at_its_bound_and_not_beyond() {
    let long_head = |n: usize| {
        let fixed = "GET / HTTP/1.1\r\nHost: a\r\nX: \r\n\r\n".len();
        format!("GET / HTTP/1.1\r\nHost: a\r\nX: {}\r\n\r\n", "x".repeat(n - fixed))
    };
    assert!(request(&long_head(LIMITS.head_bytes_max)).is_ok());
    let beyond = request(&long_head(LIMITS.head_bytes_max + 1));
    assert_eq!(beyond.err(), Some(HttpError::HeadTooLarge));

    let target = |n: usize| format!("GET /{} HTTP/1.1\r\nHost: a\r\n\r\n", "x".repeat(n - 1));
    assert!(request(&target(LIMITS.target_bytes_max)).is_ok());
    let beyond = request(&target(LIMITS.target_bytes_max + 1));
    assert_eq!(beyond.err(), Some(HttpError::UriTooLong));

    let many = |n: usize| format!("GET / HTTP/1.1\r\nHost: a\r\n{}\r\n", "X: y\r\n".repeat(n - 1));
    assert!(request(&many(LIMITS.headers_max)).is_ok());
    let beyond = request(&many(LIMITS.headers_max + 1));
    assert_eq!(beyond.err(), Some(HttpError::HeadTooLarge));

    let generous = Limits { headers_max: 1000, ..LIMITS };
    let all = many(HEADERS_MAX + 1);
    let beyond = RequestHead::default().parse(all.as_bytes(), &generous);
    assert_eq!(beyond, Err(HttpError::HeadTooLarge));
}

#[test]
fn what_can_never_be_a_request_is_told_before_it_ends() {
    for text in [
        "\x16\x03\x01",
        "PRI *",
        "GET *",
        "CONNECT ",
        "G@T",
        "GET\t",
        " GET",
        "\n",
        "\r\n\r\n",
        "\rG",
        "GET / HTTP/1.1\n",
        "GET / HTTP/2.0\r\n",
        "GET / HTTP/1.1\r\nX: \0",
        "GET / HTTP/1.1\r\nX: \rY",
        "GET / HTTP/1.1\r\nX : y\r\n",
        "GET / HTTP/1.1\r\n X: y\r\n",
    ] {
        let verdict = RequestHead::default().parse(text.as_bytes(), &LIMITS);
        assert!(verdict.is_err(), "{text:?}");
    }
    for text in ["", "G", "\r", "\r\n", "\r\nGET", "GET ", "GET /", "GET / HTTP/1.1\r\nX: y\r"] {
        assert_eq!(RequestHead::default().parse(text.as_bytes(), &LIMITS), Ok(false), "{text:?}");
    }
}

#[test]
fn a_reply_is_framed_one_way_or_refused() {
    let chunked = "Transfer-Encoding: chunked\r\n";
    for (status, headers, was_head, framing) in [
        (200, "Content-Length: 5\r\n", false, Framing::Length(5)),
        (200, "Content-Length: 5\r\nContent-Length: 5\r\n", false, Framing::Length(5)),
        (200, chunked, false, Framing::Chunked),
        (200, "", false, Framing::UntilClose),
        (200, "Content-Length: 5\r\n", true, Framing::None),
        (204, "", false, Framing::None),
        (304, "Content-Length: 5\r\n", false, Framing::None),
        (100, "", false, Framing::None),
        (103, "Link: x\r\n", false, Framing::None),
    ] {
        let head = reply(&format!("HTTP/1.1 {status} X\r\n{headers}\r\n"), was_head);
        let head = head.expect("fine");
        assert_eq!((head.status, head.framing), (status, framing), "{status} {headers}");
        assert_eq!(head.keep_alive, framing != Framing::UntilClose);
    }
    for headers in [
        "Content-Length: 5\r\nTransfer-Encoding: chunked\r\n",
        "Content-Length: 5\r\nContent-Length: 6\r\n",
        "Content-Length: 5, 5\r\n",
        "Content-Length: -5\r\n",
        "Transfer-Encoding: gzip, chunked\r\n",
        "Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n",
        "X: a\r\n b\r\n",
        "X : a\r\n",
    ] {
        assert!(reply(&format!("HTTP/1.1 200 X\r\n{headers}\r\n"), false).is_err(), "{headers}");
    }
    let text = format!("HTTP/1.0 200 X\r\n{chunked}\r\n");
    assert_eq!(reply(&text, false).err(), Some(HttpError::Bad("chunked_http10")));
}

#[test]
fn a_reply_may_lack_a_reason_and_must_have_a_status() {
    assert_eq!(reply("HTTP/1.1 200\r\n\r\n", false).map(|head| head.status), Ok(200));
    for text in [
        "HTTP/1.1 20\r\n\r\n",
        "HTTP/1.1 999 X\r\n\r\n",
        "HTTP/1.1 101 X\r\n\r\n",
        "HTTP/1.1 200 X\n\n",
    ] {
        assert!(reply(text, false).is_err(), "{text:?}");
    }
    for text in ["SSH-2.0", "HTTP/2", "<html>", "\r\n"] {
        let verdict = ReplyHead::default().parse(text.as_bytes(), &LIMITS, false);
        assert!(verdict.is_err(), "{text:?}");
    }
    assert_eq!(ReplyHead::default().parse(b"HTTP/1", &LIMITS, false), Ok(false));
}
