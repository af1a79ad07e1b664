//! A client's HEADERS as the head of an HTTP/1 request.
//!
//! ```text
//! :method POST, :path /v1/x, :authority h    POST /v1/x HTTP/1.1
//! cookie: a, cookie: b                       host: h
//!                                            cookie: a; b
//! ```
//!
//! What the frames themselves may not say (a pseudo header twice, `connection`, upper case) the
//! `h2` crate has refused; the rest is judged by the codec of HTTP/1, as any other request is.

use crate::data_plane::http2::incoming::{push_header, push_headers};
use http::{Method, header, request::Parts};

/// Write the head; whether its body is chunked.
pub fn write(parts: &Parts, has_body: bool) -> (Vec<u8>, bool) {
    let mut head = Vec::with_capacity(1_024);
    let authority = parts.uri.authority();
    let path = match parts.uri.path_and_query() {
        // An asterisk is no path; CONNECT has none. The codec knows what to say of both.
        Some(path) if parts.method != Method::CONNECT => path.as_str(),
        _ => authority.map_or("", |authority| authority.as_str()),
    };
    head.extend_from_slice(parts.method.as_str().as_bytes());
    head.push(b' ');
    head.extend_from_slice(path.as_bytes());
    head.extend_from_slice(b" HTTP/1.1\r\n");

    if let Some(authority) = authority {
        push_header(&mut head, "host", authority.as_str().as_bytes());
    }
    for host in parts.headers.get_all(header::HOST) {
        // The same thing said twice is one; another name is another site, and two are a 400.
        if authority.is_none_or(|known| known.as_str().as_bytes() != host.as_bytes()) {
            push_header(&mut head, "host", host.as_bytes());
        }
    }
    push_cookies(&mut head, parts);
    push_headers(&mut head, &parts.headers, |name| !["host", "cookie", "te"].contains(&name));
    let is_chunked = has_body && !parts.headers.contains_key(header::CONTENT_LENGTH);
    if is_chunked {
        head.extend_from_slice(b"transfer-encoding: chunked\r\n");
    }
    head.extend_from_slice(b"\r\n");
    (head, is_chunked)
}

/// Clients may split this one header for the sake of compression.
/// **Source**: RFC 9113 §8.2.3.
fn push_cookies(head: &mut Vec<u8>, parts: &Parts) {
    let cookies: Vec<_> = parts.headers.get_all(header::COOKIE).iter().collect();
    let cookies: Vec<_> = cookies.iter().map(|cookie| cookie.as_bytes()).collect();
    if !cookies.is_empty() {
        push_header(head, "cookie", &cookies.join(&b"; "[..]));
    }
}

#[cfg(test)]
mod tests {
    use super::write;
    use http::Request;

    fn head(request: http::request::Builder, has_body: bool) -> String {
        let (parts, ()) = request.body(()).expect("a request").into_parts();
        String::from_utf8(write(&parts, has_body).0).expect("ASCII")
    }

    #[test]
    fn a_request_reads_as_http1_would_have_it() {
        let request = Request::post("http://a.test:81/v1/x?y=1")
            .header("cookie", "a=1")
            .header("te", "trailers")
            .header("x-one", "1")
            .header("cookie", "b=2");

        assert_eq!(
            head(request, true),
            "POST /v1/x?y=1 HTTP/1.1\r\nhost: a.test:81\r\ncookie: a=1; b=2\r\nx-one: 1\r\n\
             transfer-encoding: chunked\r\n\r\n"
        );
    }

    #[test]
    fn a_length_frames_the_body_and_one_host_is_enough() {
        let request =
            Request::post("http://a.test/").header("host", "a.test").header("content-length", "3");
        assert_eq!(
            head(request, true),
            "POST / HTTP/1.1\r\nhost: a.test\r\ncontent-length: 3\r\n\r\n"
        );
        let request = Request::get("http://a.test/").header("host", "b.test");
        assert_eq!(
            head(request, false),
            "GET / HTTP/1.1\r\nhost: a.test\r\nhost: b.test\r\n\r\n",
            "the codec refuses two"
        );
    }
}
