//! When a vendor wants to be asked again.

use crate::{data_plane::upstream::call::Answer, lexicon::time::UnixMillis, wire::json::value};
use memchr::memmem;

/// Milliseconds from now, by `retry-after-ms`, `retry-after` (seconds or a date) or Google's
/// `RetryInfo`; none where it says nothing that can be read. A date that is past is now.
///
/// **Source**: RFC 9110 §10.2.3; openai-python's `_calculate_retry_timeout` for `retry-after-ms`;
/// `google/rpc/error_details.proto`, read 2026-11-21.
pub fn read(answer: &Answer, now: UnixMillis) -> Option<u64> {
    let header = |name: &str| answer.header(name).map(<[u8]>::trim_ascii);
    header("retry-after-ms")
        .and_then(value::read_u64)
        .or_else(|| header("retry-after").and_then(|text| of_header(text, now)))
        .or_else(|| of_body(answer.read_last()))
}

fn of_header(text: &[u8], now: UnixMillis) -> Option<u64> {
    if let Some(millis) = seconds(text) {
        return Some(millis);
    }
    let text = std::str::from_utf8(text).ok()?;
    let date = jiff::fmt::rfc2822::parse(text).ok()?;
    let at = u64::try_from(date.timestamp().as_millisecond()).ok()?;
    Some(at.saturating_sub(now.0))
}

/// `3` or `0.25`, to the millisecond.
fn seconds(text: &[u8]) -> Option<u64> {
    let (whole, part) = match text.iter().position(|byte| *byte == b'.') {
        Some(point) => (&text[..point], &text[point + 1..]),
        None => (text, &b""[..]),
    };
    if !part.iter().all(u8::is_ascii_digit) {
        return None;
    }
    let millis = [100, 10, 1].into_iter().zip(part).map(|(unit, it)| unit * u64::from(it - b'0'));
    Some(value::read_u64(whole)?.saturating_mul(1_000).saturating_add(millis.sum()))
}

/// `"retryDelay": "3s"` of an error's details.
fn of_body(body: &[u8]) -> Option<u64> {
    let name = b"\"retryDelay\"";
    let rest = body[memmem::find(body, name)? + name.len()..].trim_ascii_start();
    let rest = rest.strip_prefix(b":")?.trim_ascii_start().strip_prefix(b"\"")?;
    seconds(&rest[..rest.iter().take(16).position(|byte| *byte == b's')?])
}

#[cfg(test)]
mod tests {
    use super::{of_body, of_header};
    use crate::lexicon::time::UnixMillis;

    /// Fault 23: every spelling, and what is none.
    #[test]
    fn fault_23_seconds_dates_past_dates_and_garbage() {
        let now = UnixMillis(784_111_777_000); // Sun, 06 Nov 1994 08:49:37 GMT
        for (text, expected) in [
            ("3", Some(3_000)),
            ("0", Some(0)),
            ("0.25", Some(250)),
            ("1.0005", Some(1_000)),
            ("Sun, 06 Nov 1994 08:49:40 GMT", Some(3_000)),
            ("Sun, 06 Nov 1994 08:49:00 GMT", Some(0)),
            ("99999999999999999999", None),
            ("-1", None),
            ("soon", None),
            ("", None),
            ("1.x", None),
        ] {
            assert_eq!(of_header(text.as_bytes(), now), expected, "{text}");
        }
    }

    #[test]
    fn googles_retry_info_is_read_in_the_body() {
        let body = br#"{"error":{"code":429,"details":[{"@type":
            "type.googleapis.com/google.rpc.RetryInfo","retryDelay": "34.5s"}]}}"#;
        assert_eq!(of_body(body), Some(34_500));
        assert_eq!(of_body(br#"{"retryDelay":5}"#), None);
        assert_eq!(of_body(br#"{"retryDelay":"s"#), None);
        assert_eq!(of_body(b"{}"), None);
    }
}
