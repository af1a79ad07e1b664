//! Our call, as the exchange wrote it, as HEADERS; the vendor's HEADERS as an HTTP/1 reply head.

use crate::{
    data_plane::http2::incoming::{push_header, push_headers},
    wire::{headers, http1},
};
use http::{HeaderName, HeaderValue, Method, Request, Response, Uri, header};
use std::io;

/// Read a head that is our own writing: lines end in CRLF, names are clean.
///
/// # Errors
/// It is not, or names no host.
pub fn read(head: &[u8], scheme: &str) -> io::Result<Request<()>> {
    let invalid = || io::Error::from(io::ErrorKind::InvalidInput);
    let text = std::str::from_utf8(head).ok();
    let mut lines = head.split(|byte| *byte == b'\n').map(<[u8]>::trim_ascii_end);
    let mut words = lines.next().unwrap_or_default().split(|byte| *byte == b' ');
    let method = Method::from_bytes(words.next().unwrap_or_default()).map_err(|_| invalid())?;
    let path = words.next().and_then(|path| std::str::from_utf8(path).ok()).ok_or_else(invalid)?;
    debug_assert!(text.is_none_or(|text| text.ends_with("\r\n\r\n")));

    let mut request = Request::new(());
    let mut authority = None;
    for line in lines.filter(|line| !line.is_empty()) {
        let colon = line.iter().position(|byte| *byte == b':').ok_or_else(invalid)?;
        let (name, value) = (&line[..colon], line[colon + 1..].trim_ascii());
        if name.eq_ignore_ascii_case(b"host") {
            authority = std::str::from_utf8(value).ok();
            continue;
        }
        if headers::is_hop_by_hop(name) {
            continue;
        }
        let name = HeaderName::from_bytes(name).map_err(io::Error::other)?;
        let mut value = HeaderValue::from_bytes(value).map_err(io::Error::other)?;
        // Never in the table that is shared with other requests of the connection.
        value.set_sensitive(name == header::AUTHORIZATION);
        request.headers_mut().append(name, value);
    }
    *request.method_mut() = method;
    *request.uri_mut() = Uri::builder()
        .scheme(scheme)
        .authority(authority.ok_or_else(invalid)?)
        .path_and_query(path)
        .build()
        .map_err(io::Error::other)?;
    Ok(request)
}

/// Write the head of an answer; whether its body is chunked.
///
/// A body is framed by chunks whatever length was announced: only so the stream is read to its
/// end, and not reset one frame before it. The frames themselves hold it to its length.
pub fn write(answer: &Response<()>, has_body: bool) -> (Vec<u8>, bool) {
    let mut head = Vec::with_capacity(512);
    head.extend_from_slice(b"HTTP/1.1 ");
    http1::push_decimal(&mut head, u64::from(answer.status().as_u16()));
    head.extend_from_slice(b" \r\n");
    push_headers(&mut head, answer.headers(), |name| {
        name != "content-length" && !headers::is_hop_by_hop(name.as_bytes())
    });
    if has_body {
        push_header(&mut head, "transfer-encoding", b"chunked");
    } else {
        push_header(&mut head, "content-length", b"0");
    }
    head.extend_from_slice(b"\r\n");
    (head, has_body)
}

#[cfg(test)]
mod tests {
    use super::{read, write};
    use http::Response;

    #[test]
    fn a_call_is_read_as_it_was_written() {
        let head = b"POST /v1/x HTTP/1.1\r\nhost: a.test:81\r\nauthorization: Bearer s\r\n\
                     x-one:  1\r\ncontent-length:        12\r\n\r\n";

        let request = read(head, "http").expect("it is ours");

        assert_eq!(request.uri().to_string(), "http://a.test:81/v1/x");
        assert_eq!(request.headers()["content-length"], "12");
        assert!(request.headers()["authorization"].is_sensitive());
        assert!(!request.headers().contains_key("host"));
    }

    #[test]
    fn an_answer_is_framed_by_chunks_or_empty() {
        let answer = Response::builder().status(429).header("retry-after", "3");
        let answer = answer.header("content-length", "9").body(()).expect("an answer");

        let text = |has_body| String::from_utf8(write(&answer, has_body).0).expect("ASCII");

        let head = "HTTP/1.1 429 \r\nretry-after: 3\r\n";
        assert_eq!(text(true), format!("{head}transfer-encoding: chunked\r\n\r\n"));
        assert_eq!(text(false), format!("{head}content-length: 0\r\n\r\n"));
    }
}
