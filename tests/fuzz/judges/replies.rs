//! Replies: where ours takes one as whole, hyper's client reads the same, or refuses it.

use super::{hyper_peer, requests::read_body};
use weir::wire::http1::{Framing, Limits, reply::ReplyHead};

const LIMITS: Limits = Limits { head_bytes_max: 64 << 10, headers_max: 100, target_bytes_max: 0 };

/// The status and the body, where the reply is whole once the connection closes behind `bytes`.
fn read(bytes: &[u8], piece: usize) -> Option<(u16, Vec<u8>)> {
    let (mut head, mut at, mut seen) = (ReplyHead::default(), 0_usize, 0_usize);
    loop {
        seen = seen.max(at).saturating_add(piece).min(bytes.len());
        match head.parse(&bytes[at..seen], &LIMITS, false) {
            Ok(false) if seen == bytes.len() => return None,
            Ok(false) => {}
            Err(_) => return None,
            Ok(true) => {
                at += head.head_len;
                if head.status >= 200 {
                    break;
                }
                head.forget();
            }
        }
    }
    let (body, used) = read_body(&bytes[at..], head.framing, piece).ok()??;
    let has_surplus = used < bytes.len() - at && head.framing != Framing::UntilClose;
    (!has_surplus).then_some((head.status, body))
}

pub fn judge(bytes: &[u8]) {
    let ours = read(bytes, usize::MAX);
    let piece = 1 + bytes.last().map_or(0, |byte| usize::from(*byte) % 16);
    assert_eq!(read(bytes, piece), ours, "by {piece}");

    let (Some((status, body)), Some(theirs)) = (ours, hyper_peer::reply(bytes)) else { return };
    assert_eq!(status, theirs.status);
    if theirs.is_whole {
        assert_eq!(body, theirs.body);
    }
}
