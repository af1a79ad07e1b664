//! HTTP/1: heads of both sides, and chunks.

use allocations::measure;
use criterion::{Criterion, criterion_group, criterion_main};
use weir::wire::http1::{
    Limits,
    chunked::{Chunked, Step, push_chunk_head},
    reply::ReplyHead,
    request::RequestHead,
};

const LIMITS: Limits =
    Limits { head_bytes_max: 64 << 10, headers_max: 100, target_bytes_max: 8 << 10 };

/// As the `openai` package sends them.
const REQUEST: &[u8] = b"POST /v1/chat/completions HTTP/1.1\r\n\
    host: 127.0.0.1:8787\r\naccept-encoding: gzip, deflate\r\nconnection: keep-alive\r\n\
    accept: application/json\r\ncontent-type: application/json\r\n\
    user-agent: OpenAI/Python 2.6.1\r\nx-stainless-lang: python\r\n\
    x-stainless-package-version: 2.6.1\r\nx-stainless-os: Linux\r\nx-stainless-arch: x64\r\n\
    x-stainless-runtime: CPython\r\nx-stainless-retry-count: 0\r\n\
    authorization: Bearer key-of-the-owner\r\ncontent-length: 1024\r\n\r\n";

const REPLY: &[u8] = b"HTTP/1.1 200 OK\r\ndate: Sat, 21 Nov 2026 12:00:00 GMT\r\n\
    content-type: application/json\r\ncontent-length: 1024\r\nconnection: keep-alive\r\n\
    x-request-id: req_0123456789\r\nopenai-processing-ms: 412\r\nopenai-version: 2020-10-01\r\n\
    x-ratelimit-limit-requests: 10000\r\nx-ratelimit-remaining-requests: 9999\r\n\r\n";

fn heads(criterion: &mut Criterion) {
    let mut request = RequestHead::default();
    measure(criterion, "request head of 15 lines", 0, || {
        request.parse(REQUEST, &LIMITS).expect("it is a head")
    });
    measure(criterion, "request head of 15 lines, two headers looked up", 0, || {
        request.parse(REQUEST, &LIMITS).expect("it is a head");
        let key = request.header(REQUEST, "authorization").map(<[u8]>::len);
        (key, request.header(REQUEST, "x-tfy-metadata").map(<[u8]>::len))
    });
    let mut reply = ReplyHead::default();
    measure(criterion, "reply head of 10 lines", 0, || {
        reply.parse(REPLY, &LIMITS, false).expect("it is a head")
    });
}

fn chunks(criterion: &mut Criterion) {
    let mut wire = Vec::new();
    let payload = [b'x'; 200];
    for _ in 0..100 {
        push_chunk_head(&mut wire, payload.len());
        wire.extend_from_slice(&payload);
        wire.extend_from_slice(b"\r\n");
    }
    wire.extend_from_slice(b"0\r\n\r\n");
    measure(criterion, "100 chunks of 200 bytes", 0, || {
        let mut chunked = Chunked::default();
        let (mut at, mut bytes) = (0, 0);
        loop {
            match chunked.next(&wire[at..]).expect("they are chunks") {
                Step::Payload { consumed, payload } => {
                    at += consumed;
                    bytes += payload.len();
                }
                Step::More { .. } | Step::Done { .. } => return bytes,
            }
        }
    });
    let mut out = Vec::with_capacity(64);
    measure(criterion, "a chunk's head written", 0, || {
        out.clear();
        push_chunk_head(&mut out, 12_345);
    });
}

criterion_group!(benches, heads, chunks);
criterion_main!(benches);
