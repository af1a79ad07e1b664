//! Single values: reading raw ones as `object.rs` finds them, and writing strings.

use std::borrow::Cow;

/// Whether a raw value is `null`.
#[must_use]
pub fn is_null(raw: &[u8]) -> bool {
    raw == b"null"
}

/// `true` or `false`; anything else is `None`.
#[must_use]
pub fn read_bool(raw: &[u8]) -> Option<bool> {
    match raw {
        b"true" => Some(true),
        b"false" => Some(false),
        _ => None,
    }
}

/// A plain whole number from 0 to 2^64 - 1: no sign, fraction, exponent or leading zero.
#[must_use]
pub fn read_u64(raw: &[u8]) -> Option<u64> {
    if raw.is_empty() || (raw.len() > 1 && raw[0] == b'0') {
        return None;
    }
    raw.iter().try_fold(0_u64, |number, byte| {
        let digit = byte.is_ascii_digit().then(|| u64::from(byte - b'0'))?;
        number.checked_mul(10)?.checked_add(digit)
    })
}

/// The text of a raw string of ASCII without escapes and control characters, as names are nearly
/// always; a searcher costs more than they are long.
#[must_use]
pub fn read_plain(raw: &[u8]) -> Option<&str> {
    let inside = raw.strip_prefix(b"\"")?.strip_suffix(b"\"")?;
    let is_plain = inside.iter().all(|byte| IS_PLAIN[usize::from(*byte)]);
    is_plain.then(|| std::str::from_utf8(inside).ok())?
}

/// Of each byte: does it stand for itself in a string, and is it seen?
const IS_PLAIN: [bool; 256] = {
    let mut is_plain = [false; 256];
    let mut byte = b' ';
    while byte <= b'~' {
        is_plain[byte as usize] = byte != b'"' && byte != b'\\';
        byte += 1;
    }
    is_plain
};

/// The text of a raw string, quotes included; borrowed unless it has escapes.
///
/// `None` for what is no JSON string, and for lone surrogates, which are no text.
#[must_use]
pub fn read_str(raw: &[u8]) -> Option<Cow<'_, str>> {
    if let Some(plain) = read_plain(raw) {
        return Some(Cow::Borrowed(plain));
    }
    let inside = raw.strip_prefix(b"\"")?.strip_suffix(b"\"")?;
    let inside = std::str::from_utf8(inside).ok()?;
    if inside.bytes().any(|byte| byte < b' ') {
        return None;
    }
    let Some(mut at) = memchr::memchr2(b'\\', b'"', inside.as_bytes()) else {
        return Some(Cow::Borrowed(inside));
    };
    let mut text = String::with_capacity(inside.len());
    let mut rest = inside;
    loop {
        text.push_str(rest.get(..at)?);
        rest = unescape(rest.get(at..)?, &mut text)?;
        match memchr::memchr2(b'\\', b'"', rest.as_bytes()) {
            Some(next) => at = next,
            None => break,
        }
    }
    text.push_str(rest);
    Some(Cow::Owned(text))
}

/// Reads one escape from the front, and gives what follows; a bare quote is no escape.
fn unescape<'b>(escape: &'b str, text: &mut String) -> Option<&'b str> {
    let simple = match escape.as_bytes().get(..2)? {
        b"\\\"" => '"',
        b"\\\\" => '\\',
        b"\\/" => '/',
        b"\\b" => '\u{8}',
        b"\\f" => '\u{c}',
        b"\\n" => '\n',
        b"\\r" => '\r',
        b"\\t" => '\t',
        b"\\u" => {
            let (unit, rest) = code_unit(escape)?;
            if !(0xd800..0xdc00).contains(&unit) {
                text.push(char::from_u32(unit)?);
                return Some(rest);
            }
            let (low, rest) = code_unit(rest)?;
            if !(0xdc00..0xe000).contains(&low) {
                return None;
            }
            text.push(char::from_u32(0x1_0000 + ((unit - 0xd800) << 10) + (low - 0xdc00))?);
            return Some(rest);
        }
        _ => return None,
    };
    text.push(simple);
    escape.get(2..)
}

/// The four hex digits of `\uXXXX`, and what follows.
fn code_unit(escape: &str) -> Option<(u32, &str)> {
    let hex = escape.strip_prefix("\\u")?.get(..4)?;
    let is_hex = hex.bytes().all(|byte| byte.is_ascii_hexdigit());
    let unit = is_hex.then(|| u32::from_str_radix(hex, 16).ok())??;
    Some((unit, escape.get(6..)?))
}

/// Appends a text as a JSON string, quotes included.
///
/// Escapes what JSON requires and nothing else, so that text stays as long as it was.
pub fn push_json_string(out: &mut Vec<u8>, text: &str) {
    out.push(b'"');
    let mut done = 0;
    let bytes = text.as_bytes();
    for (at, &byte) in bytes.iter().enumerate() {
        let short = match byte {
            b'"' | b'\\' => byte,
            b'\n' => b'n',
            b'\r' => b'r',
            b'\t' => b't',
            0..b' ' => b'u',
            _ => continue,
        };
        out.extend_from_slice(&bytes[done..at]);
        out.extend_from_slice(&[b'\\', short]);
        if short == b'u' {
            let digit = |n: u8| b"0123456789abcdef"[usize::from(n)];
            out.extend_from_slice(&[b'0', b'0', digit(byte >> 4), digit(byte & 15)]);
        }
        done = at + 1;
    }
    out.extend_from_slice(&bytes[done..]);
    out.push(b'"');
}

/// Whether a raw value is `true`, `false`, `null` or a number by JSON's grammar.
pub(super) fn is_scalar(raw: &[u8]) -> bool {
    matches!(raw, b"true" | b"false" | b"null") || is_number(raw)
}

/// `["-"] ("0" / 1-9 *DIGIT) ["." 1*DIGIT] [("e" / "E") ["+" / "-"] 1*DIGIT]`
fn is_number(raw: &[u8]) -> bool {
    let rest = raw.strip_prefix(b"-").unwrap_or(raw);
    let (whole, rest) = digits(rest);
    if whole == 0 || (whole > 1 && raw.strip_prefix(b"-").unwrap_or(raw).starts_with(b"0")) {
        return false;
    }
    let rest = match rest.strip_prefix(b".").map(digits) {
        Some((0, _)) => return false,
        Some((_, rest)) => rest,
        None => rest,
    };
    match rest {
        [] => true,
        [b'e' | b'E', b'+' | b'-', exponent @ ..] | [b'e' | b'E', exponent @ ..] => {
            matches!(digits(exponent), (1.., []))
        }
        _ => false,
    }
}

/// How many digits there are in front, and what follows.
fn digits(bytes: &[u8]) -> (usize, &[u8]) {
    let count = bytes.iter().take_while(|byte| byte.is_ascii_digit()).count();
    (count, &bytes[count..])
}

#[cfg(test)]
mod tests {
    use super::{is_scalar, push_json_string, read_bool, read_str, read_u64};

    #[test]
    fn whole_numbers_are_read_and_nothing_else_is() {
        assert_eq!(read_u64(b"0"), Some(0));
        assert_eq!(read_u64(b"18446744073709551615"), Some(u64::MAX));
        for bad in ["", "-1", "1.5", "\"5\"", "1e3", "01", "18446744073709551616", "+1", "null"] {
            assert_eq!(read_u64(bad.as_bytes()), None, "{bad}");
        }
        assert_eq!(read_bool(b"true"), Some(true));
        assert_eq!(read_bool(b"1"), None);
    }

    #[test]
    fn strings_are_unescaped_in_full() {
        let check = |raw: &str, expected| {
            assert_eq!(read_str(raw.as_bytes()).as_deref(), expected, "{raw}");
        };
        check(r#""plain é""#, Some("plain é"));
        check(r#""a\"\\\/\b\f\n\r\t\u0041""#, Some("a\"\\/\u{8}\u{c}\n\r\tA"));
        check(r#""\ud83d\ude00 \uD83D\uDE00""#, Some("😀 😀"));
        for bad in [
            r#""\ud83d""#,
            r#""\ude00""#,
            r#""\ud83d\u0041""#,
            r#""\u12""#,
            r#""\u+123""#,
            r#""\q""#,
            r#""\""#,
            r#"""""#,
            "\"",
            "",
            "a",
            "\"\n\"",
            r#""\é""#,
            r#""\u12é4""#,
        ] {
            check(bad, None);
        }
    }

    #[test]
    fn a_written_string_reads_as_it_was() {
        let text: String = (0..0x250).filter_map(char::from_u32).collect();
        let mut out = Vec::new();

        push_json_string(&mut out, &text);

        assert_eq!(read_str(&out).as_deref(), Some(text.as_str()));
        assert_eq!(serde_json::from_slice::<String>(&out).ok(), Some(text));
    }

    #[test]
    fn scalars_follow_the_grammar() {
        for good in ["0", "-0", "12", "1.50", "1e9", "-1.5E-10", "1E+1", "true", "false", "null"] {
            assert!(is_scalar(good.as_bytes()), "{good}");
        }
        for bad in ["", "-", "00", "-01", "1.", ".5", "1e", "1e+", "+1", "0x1", "1 ", "True", "NaN"]
        {
            assert!(!is_scalar(bad.as_bytes()), "{bad}");
        }
    }
}
