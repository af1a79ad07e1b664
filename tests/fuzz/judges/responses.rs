//! The Responses API's decoders and encoders: of any bytes they make JSON or nothing, and of a
//! stream the same however it is cut.

use crate::judges::translated::{MANNER, assert_events, reply, request};
use weir::{
    dialect::{
        pivot::{part::Dialect, target::Written},
        translation::Stream,
    },
    wire::sse::{Data, Scanner, join_data},
};

const OTHERS: [Dialect; 2] = [Dialect::OpenAiChat, Dialect::Anthropic];

/// What a stream becomes; `None` where it is malformed.
fn stream<'a>(pieces: impl Iterator<Item = &'a [u8]>, pair: (Dialect, Dialect)) -> Option<Vec<u8>> {
    let mut machine = Stream::new(pair, Written::default(), true);
    let mut scanner = Scanner::default();
    let (mut pending, mut out) = (Vec::new(), Vec::new());
    for piece in pieces {
        pending.extend_from_slice(piece);
        let mut end = 0;
        while let Some(event) = scanner.next(&pending).ok()? {
            end = event.whole.end;
            match event.data {
                Data::None => machine.alive(&mut out, &MANNER),
                Data::One(range) => machine.event(&pending[range], &mut out, &MANNER).ok()?,
                Data::Many => {
                    machine.event(&join_data(&pending, event.whole), &mut out, &MANNER).ok()?;
                }
            }
        }
        pending.drain(..end);
        scanner.consumed(end);
    }
    machine.end(&mut out, &MANNER);
    Some(out)
}

pub fn judge(bytes: &[u8]) {
    for other in OTHERS {
        for pair in [(Dialect::OpenAiResponses, other), (other, Dialect::OpenAiResponses)] {
            request(bytes, pair);
            reply(bytes, pair);
            let whole = stream(std::iter::once(bytes), pair);
            let piece = 1 + bytes.last().map_or(0, |byte| usize::from(*byte) % 16);
            assert_eq!(stream(bytes.chunks(piece), pair), whole, "by {piece}");
            assert_events(&whole.unwrap_or_default());
        }
    }
}
