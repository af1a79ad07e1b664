//! Events: however a stream is cut, the same events come of it; joined they are its front, and no
//! byte is lost or repeated.

use weir::wire::sse::{Data, Scanner, join_data};

type Seen = (Vec<u8>, Option<Vec<u8>>);

/// All events, seeing `piece` bytes more at a time; what was forwarded is forgotten at times.
fn events(stream: &[u8], piece: usize) -> Vec<Seen> {
    let (mut scanner, mut buffer, mut found) = (Scanner::default(), Vec::new(), Vec::new());
    for (nth, part) in stream.chunks(piece).enumerate() {
        buffer.extend_from_slice(part);
        let mut done = 0;
        while let Some(event) = scanner.next(&buffer).expect("small") {
            let data = match event.data {
                Data::None => None,
                Data::One(range) => Some(buffer[range].to_vec()),
                Data::Many => Some(join_data(&buffer, event.whole.clone()).into_owned()),
            };
            done = event.whole.end;
            found.push((buffer[event.whole].to_vec(), data));
        }
        if nth % 3 != 0 && done > 0 {
            buffer.drain(..done);
            scanner.consumed(done);
        }
    }
    found
}

pub fn judge(bytes: &[u8]) {
    let Some((first, stream)) = bytes.split_first() else { return };
    let whole = events(stream, stream.len().max(1));
    for piece in [1, 2, 1 + usize::from(*first)] {
        assert_eq!(events(stream, piece), whole, "by {piece}");
    }
    let joined: Vec<u8> = whole.iter().flat_map(|event| event.0.clone()).collect();
    assert!(stream.starts_with(&joined));
}
