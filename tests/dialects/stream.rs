//! Drives the stream machines as the gateway does, however the bytes are cut.

use weir::{
    dialect::{
        pivot::{manner::Manner, part::Dialect, target::Written},
        translation::Stream,
    },
    wire::sse::{Data, Scanner, join_data},
};

/// How the tests' clients like to be told.
pub const MANNER: Manner<'_> = Manner {
    now_seconds: 1_700_000_000,
    id: "req-1",
    model: "account/model",
    is_strict_openai: true,
    wants_usage: true,
};

/// Translate the pieces of a stream; a malformed event ends it, and is told by `None`.
pub fn translate<'a>(
    pieces: impl Iterator<Item = &'a [u8]>,
    pair: (Dialect, Dialect),
) -> Option<Vec<u8>> {
    translate_with(pieces, &mut Stream::new(pair, Written::default(), false))
}

/// The same with a stream of one's own.
pub fn translate_with<'a>(
    pieces: impl Iterator<Item = &'a [u8]>,
    stream: &mut Stream,
) -> Option<Vec<u8>> {
    let mut scanner = Scanner::default();
    let (mut pending, mut out) = (Vec::new(), Vec::new());
    for piece in pieces {
        pending.extend_from_slice(piece);
        let mut end = 0;
        while let Some(event) = scanner.next(&pending).expect("events are small") {
            end = event.whole.end;
            let read = match event.data {
                Data::None => {
                    stream.alive(&mut out, &MANNER);
                    Ok(())
                }
                Data::One(range) => stream.event(&pending[range], &mut out, &MANNER),
                Data::Many => stream.event(&join_data(&pending, event.whole), &mut out, &MANNER),
            };
            read.ok()?;
        }
        pending.drain(..end);
        scanner.consumed(end);
    }
    if stream.facts.has_finished {
        stream.end(&mut out, &MANNER);
    }
    Some(out)
}
