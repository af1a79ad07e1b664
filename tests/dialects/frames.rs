//! Drives the stream machines with frames of AWS as the gateway does, however they are cut.

use super::stream::MANNER;
pub use crate::harness::aws_frames::{of_lines, to_lines};
use weir::{dialect::translation::Stream, wire::eventstream::Scanner};

/// Translate the pieces of a stream of frames; a malformed one ends it, and is told by `None`.
pub fn translate_with<'a>(
    pieces: impl Iterator<Item = &'a [u8]>,
    stream: &mut Stream,
) -> Option<Vec<u8>> {
    let mut scanner = Scanner::default();
    let (mut pending, mut out) = (Vec::new(), Vec::new());
    for piece in pieces {
        pending.extend_from_slice(piece);
        let mut end = 0;
        while let Some(frame) = scanner.next(&pending).expect("a well-formed frame") {
            end = frame.whole.end;
            let message = frame.message(&pending);
            let payload = &pending[frame.payload.clone()];
            stream.frame((&message, payload), &mut out, &MANNER).ok()?;
        }
        pending.drain(..end);
        scanner.consumed(end);
    }
    if stream.facts.has_finished {
        stream.end(&mut out, &MANNER);
    }
    Some(out)
}
