//! The pure functions that the stages of an exchange are made of.
//!
//! The stages themselves are the data plane's own; as a whole they are measured by `perf/gate`.

use allocations::measure;
use criterion::{Criterion, criterion_group, criterion_main};
use weir::{
    dialect::openai_chat::{error, reply, request, usage},
    lexicon::{operation::Operation, refusal::Refusal},
    policy::metadata,
    wire::{headers, json::flat::flat_strings},
};

fn parse(criterion: &mut Criterion) {
    let plain = br#"{"model":"test/plain","messages":[{"role":"user","content":"hi"}]}"#;
    let stream = br#"{"model":"test/plain","stream":true,"messages":[],"max_tokens":9}"#;
    let read = |body| request::read(Operation::ChatCompletions, body).expect("it is a chat");
    measure(criterion, "parse: a plain ask", 0, || read(plain).is_streaming);
    measure(criterion, "parse: a streamed ask", 0, || read(stream).is_streaming);
}

fn directives(criterion: &mut Criterion) {
    let header = br#"{"team":"search","cost_center":"42","env":"prod"}"#;
    measure(criterion, "directives: metadata of three keys", 0, || {
        flat_strings(header).expect("it is flat").len()
    });
    let rules = [("team".into(), "ads".into()), ("region".into(), "eu".into())];
    let asked = [("team", "search"), ("env", "prod")];
    measure(criterion, "directives: metadata under two rules", 0, || {
        metadata::merge(asked.iter().copied(), &rules).len()
    });
}

fn translate(criterion: &mut Criterion) {
    let names: [&[u8]; 6] =
        [b"host", b"authorization", b"openai-beta", b"x-stainless-os", b"accept", b"user-agent"];
    measure(criterion, "translate: which of six headers pass", 0, || {
        names.iter().filter(|name| headers::passes_upstream(name)).count()
    });
    let body = br#"{"stream":true,"messages":[],"model":"test/plain"}"#;
    let ask = request::read(Operation::ChatCompletions, body).expect("it is a chat");
    let mut out = Vec::with_capacity(4096);
    measure(criterion, "translate: model and usage option spliced", 0, || {
        out.clear();
        request::splice(&mut out, body, &ask, br#""plain""#, false);
    });
}

fn relay(criterion: &mut Criterion) {
    let whole = r#"{"id":"x","choices":[{"index":0,"message":{"role":"assistant","content":"hello"},"finish_reason":"stop"}],"usage":{"prompt_tokens":10,"completion_tokens":20,"prompt_tokens_details":{"cached_tokens":4}}}"#;
    let whole = whole.as_bytes();
    measure(criterion, "relay: usage of a whole answer", 0, || reply::seen(whole).usage);
    let counted = br#"{"prompt_tokens":10,"completion_tokens":20,"total_tokens":30}"#;
    measure(criterion, "relay: usage read", 0, || usage::read(counted));
}

fn refuse(criterion: &mut Criterion) {
    let refused = Refusal::ModelUnknown.about("model", "Did you mean test/plain?");
    let mut out = Vec::with_capacity(4096);
    measure(criterion, "respond: an error body", 1, || {
        out.clear();
        error::push(&mut out, &refused, "req_0123456789");
    });
}

criterion_group!(benches, parse, directives, translate, relay, refuse);
criterion_main!(benches);
