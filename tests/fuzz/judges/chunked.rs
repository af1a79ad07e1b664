//! Chunked bodies against a reader that has all bytes before it and thinks in lines.

use super::requests::read_body;
use weir::wire::http1::Framing;

/// The limits that the decoder states.
const SIZE_MAX: u128 = 1 << 40;
const EXTENSION_BYTES_MAX: usize = 4 << 10;
const TRAILER_BYTES_MAX: usize = 8 << 10;

#[derive(Debug, PartialEq, Eq)]
enum Verdict {
    /// The body, and how many bytes it took.
    Whole(Vec<u8>, usize),
    Unfinished,
    Bad,
}

fn line(bytes: &[u8], from: usize) -> Option<&[u8]> {
    let rest = bytes.get(from..)?;
    let end = rest.windows(2).position(|two| two == b"\r\n")?;
    Some(&rest[..end])
}

fn is_text(bytes: &[u8]) -> bool {
    bytes.iter().all(|byte| *byte == b'\t' || (*byte >= 0x20 && *byte != 0x7f))
}

fn is_field(line: &[u8]) -> bool {
    let Some(colon) = line.iter().position(|byte| *byte == b':') else { return false };
    let is_token = |byte: &u8| byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(byte);
    colon > 0 && line[..colon].iter().all(is_token) && is_text(&line[colon + 1..])
}

fn read(bytes: &[u8]) -> Verdict {
    let (mut body, mut at, mut extensions) = (Vec::new(), 0, 0);
    loop {
        let Some(head) = line(bytes, at) else { return Verdict::Unfinished };
        at += head.len() + 2;
        let split = head.iter().position(|byte| *byte == b';').unwrap_or(head.len());
        let (digits, extension) = head.split_at(split);
        extensions += extension.len();
        let digits = std::str::from_utf8(digits).unwrap_or("-");
        let is_hex = digits.bytes().all(|byte| byte.is_ascii_hexdigit());
        let size = u128::from_str_radix(digits, 16).unwrap_or(u128::MAX);
        if !is_hex || digits.len() > 16 || size > SIZE_MAX || !is_text(extension) {
            return Verdict::Bad;
        }
        if extensions > EXTENSION_BYTES_MAX {
            return Verdict::Bad;
        }
        let Ok(size) = usize::try_from(size) else { return Verdict::Bad };
        if size == 0 {
            break;
        }
        let Some(chunk) = bytes.get(at..at + size) else { return Verdict::Unfinished };
        body.extend_from_slice(chunk);
        at += size;
        match bytes.get(at..at + 2) {
            Some(b"\r\n") => at += 2,
            Some(_) => return Verdict::Bad,
            None => return Verdict::Unfinished,
        }
    }
    let trailers_at = at;
    loop {
        let Some(field) = line(bytes, at) else { return Verdict::Unfinished };
        at += field.len() + 2;
        if field.is_empty() {
            break;
        }
        if !is_field(field) {
            return Verdict::Bad;
        }
    }
    // The last LF is not counted.
    if at - trailers_at > TRAILER_BYTES_MAX + 1 { Verdict::Bad } else { Verdict::Whole(body, at) }
}

fn ours(bytes: &[u8], piece: usize) -> Verdict {
    match read_body(bytes, Framing::Chunked, piece) {
        Ok(Some((body, used))) => Verdict::Whole(body, used),
        Ok(None) => Verdict::Unfinished,
        Err(_) => Verdict::Bad,
    }
}

pub fn judge(bytes: &[u8]) {
    let whole = ours(bytes, usize::MAX);
    for piece in [1, 2, 3, 1 + bytes.len() / 2] {
        assert_eq!(ours(bytes, piece), whole, "by {piece}");
    }
    match (read(bytes), whole) {
        // What can never become a body is told before its line has ended.
        (Verdict::Unfinished, Verdict::Bad) => {}
        (theirs, ours) => assert_eq!(ours, theirs),
    }
}
