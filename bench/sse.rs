//! Streams: cutting them into events, and watching what the events say.

use allocations::measure;
use criterion::{Criterion, criterion_group, criterion_main};
use std::fmt::Write as _;
use weir::{
    dialect::openai_chat::stream::Observer,
    wire::sse::{Data, Scanner},
};

const EVENTS: usize = 100;

/// A hundred events as OpenAI words them, the usage last.
fn stream() -> Vec<u8> {
    let mut text = String::new();
    for number in 0..EVENTS - 2 {
        let _ = write!(
            text,
            "data: {{\"id\":\"chatcmpl-1\",\"object\":\"chat.completion.chunk\",\"created\":1,\
             \"model\":\"m\",\"choices\":[{{\"index\":0,\"delta\":{{\"content\":\" w{number}\"}},\
             \"logprobs\":null,\"finish_reason\":null}}],\"usage\":null}}\n\n"
        );
    }
    text.push_str(
        "data: {\"id\":\"chatcmpl-1\",\"choices\":[],\"usage\":{\"prompt_tokens\":3,\
         \"completion_tokens\":98,\"total_tokens\":101}}\n\ndata: [DONE]\n\n",
    );
    text.into_bytes()
}

fn cut(bytes: &[u8], mut each: impl FnMut(&[u8])) -> usize {
    let mut scanner = Scanner::default();
    let mut events = 0;
    while let Ok(Some(event)) = scanner.next(bytes) {
        events += 1;
        if let Data::One(range) = event.data {
            each(&bytes[range]);
        }
    }
    events
}

fn split(criterion: &mut Criterion) {
    let bytes = stream();
    assert_eq!(cut(&bytes, |_| ()), EVENTS);
    measure(criterion, "split 100 events in one piece", 0, || cut(&bytes, |_| ()));
    let ends: Vec<usize> = {
        let mut scanner = Scanner::default();
        std::iter::from_fn(|| Some(scanner.next(&bytes).ok()??.whole.end)).collect()
    };
    let mut pending = Vec::with_capacity(4096);
    measure(criterion, "split 100 events as they come", 0, || {
        let mut scanner = Scanner::default();
        let (mut from, mut events) = (0, 0);
        for end in &ends {
            pending.extend_from_slice(&bytes[from..*end]);
            from = *end;
            while let Ok(Some(event)) = scanner.next(&pending) {
                events += usize::from(event.data != Data::None);
            }
            scanner.consumed(pending.len());
            pending.clear();
        }
        events
    });
}

fn observe(criterion: &mut Criterion) {
    let bytes = stream();
    let mut memory = Vec::new();
    for (name, wants_usage) in
        [("observe 100 events", false), ("observe 100 events, the usage wanted", true)]
    {
        measure(criterion, name, 0, || {
            let mut observer = Observer::new(wants_usage, 1, std::mem::take(&mut memory));
            cut(&bytes, |data| {
                let _ = observer.see(data);
            });
            assert!(observer.is_done && observer.usage.is_some());
            let events = observer.events;
            memory = observer.into_memory();
            events
        });
    }
}

criterion_group!(benches, split, observe);
criterion_main!(benches);
