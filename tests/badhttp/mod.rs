//! Ninety-two bad or odd requests (faults 37 and 39), and what is owed for each.
//!
//! Where RFC 9112 leaves a choice either verdict is fine, but one must come.

/// Of the length that some of the requests name.
pub const BODY: &[u8] = br#"{"model":"t/pln","messages":[{"role":"user","content":"hi"}]}"#;
/// Every request names this key.
pub const KEY: &str = "rehearsal-key-of-the-owner";

#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Owed {
    Taken,
    Refused,
    Either,
}

/// Name, bytes, and what is owed.
pub struct Case(pub String, pub Vec<u8>, pub Owed);

/// A request line, the usual headers, these ones, and a body.
fn request(line: &[u8], headers: &[&[u8]], body: &[u8]) -> Vec<u8> {
    let key = format!("Authorization: Bearer {KEY}");
    let usual: [&[u8]; 3] = [b"Host: gate:80", b"Content-Type: application/json", key.as_bytes()];
    let lines = [&[line], &usual[..], headers].concat();
    [lines.join(&b"\r\n"[..]).as_slice(), b"\r\n\r\n", body].concat()
}

fn post(headers: &[&[u8]], body: &[u8]) -> Vec<u8> {
    request(b"POST /v1/chat/completions HTTP/1.1", headers, body)
}

/// A post with the right length and one more header before or after it.
fn with(header: &[u8], is_before: bool) -> Vec<u8> {
    let length = length();
    let headers = if is_before { [header, &length] } else { [&length, header] };
    post(&headers, BODY)
}

fn length() -> Vec<u8> {
    format!("Content-Length: {}", BODY.len()).into_bytes()
}

fn chunked(body: &[u8]) -> Vec<u8> {
    post(&[b"Transfer-Encoding: chunked"], body)
}

/// The body as one chunk with an extension.
fn one_chunk(extension: &[u8]) -> Vec<u8> {
    let size = format!("{:x}", BODY.len());
    [size.as_bytes(), extension, b"\r\n", BODY, b"\r\n0\r\n\r\n"].concat()
}

fn framings(cases: &mut Vec<Case>) {
    let mut add = |name: &str, raw, owed| cases.push(Case(name.into(), raw, owed));
    let plain = length();
    add("plain-cl", post(&[&plain], BODY), Owed::Taken);
    add("plain-chunked", chunked(&one_chunk(b"")), Owed::Taken);
    add("chunk-ext", chunked(&one_chunk(b";a=b")), Owed::Either);
    let huge = [b";".as_slice(), &b"a".repeat(70_000)].concat();
    add("chunk-ext-huge", chunked(&one_chunk(&huge)), Owed::Refused);
    let lf = format!("{:x};\n", BODY.len());
    let lf = [lf.as_bytes(), BODY, b"\r\n0\r\n\r\n"].concat();
    add("chunk-ext-lf", chunked(&lf), Owed::Refused);
    let te: &[u8] = b"Transfer-Encoding: chunked";
    add("cl-te", post(&[&plain, te], &one_chunk(b"")), Owed::Either);
    let smuggled = b"0\r\n\r\nGET /smuggled HTTP/1.1\r\nHost: gate:80\r\nX: ";
    let all = format!("Content-Length: {}", smuggled.len());
    add("cl-te-smuggle", post(&[all.as_bytes(), te], smuggled), Owed::Refused);
    let smuggled = b"5c\r\nGPOST / HTTP/1.1\r\nContent-Length: 15\r\n\r\nx=1\r\n0\r\n\r\n";
    add("te-cl-smuggle", post(&[b"Content-Length: 4", te], smuggled), Owed::Refused);
    let obfuscated: [&[u8]; 16] = [
        b"Transfer-Encoding: xchunked",
        b"Transfer-Encoding : chunked",
        b"Transfer-Encoding: chunked\r\nTransfer-Encoding: x",
        b"Transfer-Encoding:\x0bchunked",
        b"Transfer-Encoding: \"chunked\"",
        b"Transfer-Encoding\n : chunked",
        b" Transfer-Encoding: chunked",
        b"X: x\nTransfer-Encoding: chunked",
        b"Transfer-Encoding: identity",
        b"Transfer-Encoding: chunked, identity",
        b"Transfer-Encoding: gzip, chunked",
        b"Transfer_Encoding: chunked",
        b"Transfer-Encoding: chunked\x00",
        b"Transfer-Encoding:\tchunked,",
        b"transfer-encoding: cHuNkEd, chunked",
        b"Transfer-Encoding: \r\n chunked",
    ];
    for (index, header) in obfuscated.into_iter().enumerate() {
        let owed = if index == 11 { Owed::Either } else { Owed::Refused };
        add(&format!("te-obf-{index}"), with(header, false), owed);
    }
    let http10 = b"POST /v1/chat/completions HTTP/1.0";
    add("te-http10", request(http10, &[te], &one_chunk(b"")), Owed::Either);
}

fn lengths(cases: &mut Vec<Case>) {
    let mut add = |name: &str, raw, owed| cases.push(Case(name.into(), raw, owed));
    add("cl-dup-same", with(&length(), false), Owed::Either);
    add("cl-dup-diff", with(b"Content-Length: 3", false), Owed::Refused);
    let values: [(&str, &[u8]); 11] = [
        ("list", b"61, 61"),
        ("plus", b"+61"),
        ("neg", b"-1"),
        ("hex", b"0x3d"),
        ("us", b"6_1"),
        ("ws", b"6 1"),
        ("huge", b"99999999999999999999999"),
        ("empty", b""),
        ("float", b"61.0"),
        ("lead0", b"00061"),
        ("nbsp", b"\xa061"),
    ];
    for (name, value) in values {
        let owed = if matches!(name, "list" | "lead0") { Owed::Either } else { Owed::Refused };
        let raw = post(&[&[b"Content-Length: ", value].concat()], BODY);
        add(&format!("cl-{name}"), raw, owed);
    }
}

fn lines(cases: &mut Vec<Case>) {
    let long =
        [b"POST /v1/chat/completions?".as_slice(), &b"a".repeat(100_000), b" HTTP/1.1"].concat();
    let lines: [(&str, &[u8]); 19] = [
        ("http09", b"GET /v1/chat/completions"),
        ("http2line", b"POST /v1/chat/completions HTTP/2.0"),
        ("http12", b"POST /v1/chat/completions HTTP/1.2"),
        ("badver", b"POST /v1/chat/completions HTTP/1.1x"),
        ("lowver", b"POST /v1/chat/completions http/1.1"),
        ("space2", b"POST  /v1/chat/completions HTTP/1.1"),
        ("tab", b"POST\t/v1/chat/completions\tHTTP/1.1"),
        ("ctl", b"POST /v1/chat/completions\x01 HTTP/1.1"),
        ("utf8", b"POST /v1/chat/completions\xc3\xa9 HTTP/1.1"),
        ("frag", b"POST /v1/chat/completions#f HTTP/1.1"),
        ("abs", b"POST http://gate:80/v1/chat/completions HTTP/1.1"),
        ("abs-other", b"POST http://evil.test/v1/chat/completions HTTP/1.1"),
        ("star", b"POST * HTTP/1.1"),
        ("meth", b"P@ST /v1/chat/completions HTTP/1.1"),
        ("longuri", &long),
        ("dots", b"POST /x/../v1/chat/completions HTTP/1.1"),
        ("enc", b"POST /%2e%2e/v1/chat/completions HTTP/1.1"),
        ("connect", b"CONNECT evil.test:443 HTTP/1.1"),
        ("trace", b"TRACE /v1/chat/completions HTTP/1.1"),
    ];
    for (name, line) in lines {
        let is_free =
            matches!(name, "http12" | "abs" | "dots" | "enc" | "frag" | "utf8" | "space2");
        let owed = if is_free { Owed::Either } else { Owed::Refused };
        cases.push(Case(format!("line-{name}"), request(line, &[&length()], BODY), owed));
    }
}

fn headers(cases: &mut Vec<Case>) {
    let mut add = |name: &str, raw, owed| cases.push(Case(name.into(), raw, owed));
    let bare = b"POST /v1/chat/completions HTTP/1.1\r\nContent-Length: 0\r\n\r\n";
    add("no-host", bare.to_vec(), Owed::Refused);
    add("two-host", with(b"Host: evil.test", true), Owed::Refused);
    let spaced = String::from_utf8(with(b"X: y", true)).expect("ASCII");
    add("bad-host", spaced.replace("Host: gate:80", "Host: a b").into_bytes(), Owed::Refused);
    let big = [b"X-A: ".as_slice(), &b"a".repeat(200_000)].concat();
    let headers: [(&str, &[u8]); 11] = [
        ("ctl", b"X-A: a\x01b"),
        ("nul", b"X-A: a\x00b"),
        ("cr", b"X-A: a\rX-B: b"),
        ("obsfold", b"X-A: a\r\n b"),
        ("space-colon", b"X-A : b"),
        ("noname", b": b"),
        ("nocolon", b"garbage"),
        ("utf8", b"X-\xc3\xa9: b"),
        ("latin1v", b"X-A: \xe9"),
        ("under", b"x_user_id: admin"),
        ("big1", &big),
    ];
    for (name, header) in headers {
        let is_free = matches!(name, "obsfold" | "latin1v" | "under");
        let owed = if is_free { Owed::Either } else { Owed::Refused };
        add(&format!("hdr-{name}"), with(header, true), owed);
    }
    let many: Vec<String> = (0..5000).map(|index| format!("X-{index}: a")).collect();
    add("hdr-many", with(many.join("\r\n").as_bytes(), true), Owed::Refused);
    let lf = String::from_utf8(with(b"X: y", true)).expect("ASCII").replace("\r\n", "\n");
    add("lf-only", lf.into_bytes(), Owed::Either);
    add("expect-100", with(b"Expect: 100-continue", true), Owed::Taken);
    add("expect-bad", with(b"Expect: 200-maybe", true), Owed::Either);
    let h2c = b"Connection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\nHTTP2-Settings: AAMAAABk";
    add("upgrade-h2c", with(h2c, true), Owed::Either);
    add("conn-hop", with(b"Connection: close, Authorization", true), Owed::Either);
    add("pipeline", with(b"X: y", true).repeat(2), Owed::Either);
    add("prefix-crlf", [b"\r\n".as_slice(), &with(b"X: y", true)].concat(), Owed::Either);
    add("h2-preface", b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n".to_vec(), Owed::Refused);
    let hello = [b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03".as_slice(), &[0; 40]].concat();
    add("tls-hello", hello, Owed::Refused);
}

fn chunks(cases: &mut Vec<Case>) {
    let mut add = |name: &str, raw, owed| cases.push(Case(name.into(), raw, owed));
    let size = format!("{:x}", BODY.len());
    let lf = [size.as_bytes(), b"\n", BODY, b"\n0\n\n"].concat();
    let bodies: [(&str, &[u8]); 10] = [
        ("neg", b"-1\r\n"),
        ("plus", b"+5\r\nhello\r\n0\r\n\r\n"),
        ("0x", b"0x5\r\nhello\r\n0\r\n\r\n"),
        ("over", b"fffffffffffffffff\r\nx"),
        ("over2", b"10000000000000005\r\nhello\r\n0\r\n\r\n"),
        ("lf", &lf),
        ("nocrlf", b"5\r\nhelloXX0\r\n\r\n"),
        ("ws", b" 5\r\nhello\r\n0\r\n\r\n"),
        ("empty", b"\r\nhello\r\n0\r\n\r\n"),
        ("us", b"5_0\r\nhello\r\n0\r\n\r\n"),
    ];
    for (name, body) in bodies {
        add(&format!("chunk-{name}"), chunked(body), Owed::Refused);
    }
    let trailer = b"\r\n0\r\nContent-Length: 5\r\nAuthorization: Bearer x\r\n\r\n";
    let body = [size.as_bytes(), b"\r\n", BODY, trailer].concat();
    add("trailer-cl", chunked(&body), Owed::Either);
}

pub fn cases() -> Vec<Case> {
    let mut cases = Vec::new();
    framings(&mut cases);
    lengths(&mut cases);
    lines(&mut cases);
    headers(&mut cases);
    chunks(&mut cases);
    cases
}
