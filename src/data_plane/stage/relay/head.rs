//! The head of a relayed reply, and the framing of its body.

use crate::{
    data_plane::{
        connection::Next,
        downlink::Downlink,
        stage::{relay::Reply, respond},
        trail::Trail,
        upstream::call::Answer,
    },
    wire::{
        headers,
        http1::{
            self, PAIRS,
            chunked::{LAST_CHUNK, push_chunk_head},
        },
    },
};

/// How the reply's body ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Length {
    Known(u64),
    Chunked,
    /// For HTTP/1.0, which knows no chunks: the connection ends with the body.
    UntilClose,
}

impl Length {
    /// For a body whose length nobody knows yet.
    pub fn unknown(downlink: &mut Downlink<'_>) -> Self {
        if downlink.is_http10 {
            downlink.keep_alive = false;
            Self::UntilClose
        } else {
            Self::Chunked
        }
    }

    /// Append a piece of the body, which is these parts, in its framing.
    #[inline]
    pub fn push_piece<const N: usize>(self, out: &mut Vec<u8>, parts: [&[u8]; N]) {
        let bytes = parts.iter().map(|part| part.len()).sum();
        if bytes == 0 {
            return;
        }
        if self == Self::Chunked {
            push_chunk_head(out, bytes);
        }
        for part in parts {
            out.extend_from_slice(part);
        }
        if self == Self::Chunked {
            out.extend_from_slice(b"\r\n");
        }
    }

    /// Append what says that the body has ended.
    pub fn push_end(self, out: &mut Vec<u8>) {
        if self == Self::Chunked {
            out.extend_from_slice(LAST_CHUNK);
        }
    }
}

/// Append the head to what `downlink` sends next.
pub fn push(
    reply: &mut Reply<'_, '_, '_>,
    answer: &Answer,
    status: u16,
    content_type: &[u8],
    length: Length,
) {
    let Reply { applied, downlink, trail, .. } = reply;
    let next = downlink.next();
    let dropped = std::mem::take(&mut downlink.dropped);
    let out = &mut downlink.out;
    respond::push_status(out, status);
    if !dropped.is_empty() {
        trail.notes.drop_of_request(&dropped);
        out.extend_from_slice(b"x-weir-dropped: ");
        dropped.push(out);
        out.extend_from_slice(b"\r\n");
    }
    out.extend_from_slice(b"content-type: ");
    out.extend_from_slice(content_type);
    out.extend_from_slice(b"\r\n");
    trail.push_limits(out);
    for (name, value) in answer.headers() {
        if headers::passes_downstream(name) {
            respond::push_raw(out, name, value);
        }
    }
    // In one piece between the values: what is known when this is built is copied without a call.
    // OpenAI's clients read the first name of the request's id, Anthropic's the second.
    out.extend_from_slice(b"x-tfy-resolved-model: ");
    out.extend_from_slice(trail.resolved_model().as_bytes());
    out.extend_from_slice(b"\r\nx-tfy-applied-configurations: ");
    trail.push_applied(out, applied);
    out.extend_from_slice(b"\r\nx-request-id: ");
    out.extend_from_slice(trail.request_id.as_bytes());
    out.extend_from_slice(b"\r\nrequest-id: ");
    out.extend_from_slice(trail.request_id.as_bytes());
    out.extend_from_slice(b"\r\n");
    if !trail.is_streaming {
        push_timing(out, trail);
    }
    match length {
        Length::Known(length) => respond::push_length(out, length),
        Length::Chunked => out.extend_from_slice(b"transfer-encoding: chunked\r\n"),
        Length::UntilClose => {}
    }
    respond::push_end(out, next);
    debug_assert!(length != Length::UntilClose || next == Next::Close);
    // The reply has begun: no interim reply may follow.
    downlink.probe = b"";
}

/// `server-timing: auth;dur=0.012, gateway;dur=0.050, model;dur=812.300, total;dur=812.400`
///
/// **Units**: milliseconds. `gateway` is all we did before the call left, `auth` a part of it;
/// `model` is from there to the answer's head.
fn push_timing(out: &mut Vec<u8>, trail: &Trail<'_>) {
    out.extend_from_slice(b"server-timing: auth;dur=");
    push_millis(out, trail.authenticated_us);
    out.extend_from_slice(b", gateway;dur=");
    push_millis(out, trail.sent_us);
    out.extend_from_slice(b", model;dur=");
    push_millis(out, trail.answered_us.saturating_sub(trail.sent_us));
    out.extend_from_slice(b", total;dur=");
    push_millis(out, trail.elapsed_us());
    out.extend_from_slice(b"\r\n");
}

/// `4294967.295` at most, `0.000` at least.
fn push_millis(out: &mut Vec<u8>, micros: u32) {
    let (millis, rest) = (micros / 1_000, micros % 1_000);
    http1::push_decimal(out, u64::from(millis));
    let ([tenths, hundredths], [_, thousandths]) =
        (PAIRS[(rest / 10) as usize], PAIRS[(rest % 10) as usize]);
    out.extend_from_slice(&[b'.', tenths, hundredths, thousandths]);
}

#[cfg(test)]
mod tests {
    use super::push_millis;

    #[test]
    fn microseconds_are_told_as_milliseconds() {
        for (micros, expected) in
            [(0, "0.000"), (7, "0.007"), (1_050, "1.050"), (u32::MAX, "4294967.295")]
        {
            let mut out = Vec::new();

            push_millis(&mut out, micros);

            assert_eq!(out, expected.as_bytes());
        }
    }
}
