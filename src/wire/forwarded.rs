//! For whom a proxy asks: `x-forwarded-for` and `forwarded`.
//!
//! ```text
//! x-forwarded-for: 203.0.113.7, 2001:db8::1, 10.0.0.2:4711
//! forwarded: for=203.0.113.7;proto=https, for="[2001:db8::1]:4711"
//! ```
//!
//! Each proxy adds the address it was called from at the end, so the list is read from its end, as
//! far as those who wrote are trusted: what stands before may be anyone's invention.
//!
//! **Source**: RFC 7239 §4 to §6.

use crate::lexicon::settings::ForwardedHeader;
use std::net::IpAddr;

/// The client in these values, the last line first; None where nothing can be believed.
///
/// It is the last address that is not trusted, else the first of all.
pub fn client<'b>(
    lines: impl Iterator<Item = &'b [u8]>,
    header: ForwardedHeader,
    is_trusted: impl Fn(IpAddr) -> bool,
) -> Option<&'b str> {
    let mut found = None;
    for line in lines {
        for element in elements(std::str::from_utf8(line).ok()?).into_iter().rev() {
            let node = match header {
                ForwardedHeader::XForwardedFor => Some(element),
                ForwardedHeader::Forwarded => node_of(element),
            };
            // `unknown` and what is hidden end the chain that can be followed.
            let Some((text, address)) = node.and_then(address) else { return found };
            found = Some(text);
            if !is_trusted(address.to_canonical()) {
                return found;
            }
        }
    }
    found
}

/// The elements between commas outside of quotes.
fn elements(line: &str) -> Vec<&str> {
    let mut is_quoted = false;
    line.split(|byte| {
        is_quoted ^= byte == '"';
        byte == ',' && !is_quoted
    })
    .map(str::trim)
    .filter(|element| !element.is_empty())
    .collect()
}

/// What stands behind `for=`.
fn node_of(element: &str) -> Option<&str> {
    element.split(';').find_map(|pair| {
        let (name, value) = pair.split_once('=')?;
        name.trim().eq_ignore_ascii_case("for").then(|| value.trim().trim_matches('"'))
    })
}

/// An address without its port and brackets.
fn address(node: &str) -> Option<(&str, IpAddr)> {
    let bare = match node.strip_prefix('[') {
        Some(rest) => rest.split_once(']')?.0,
        None => match node.split_once(':') {
            Some((host, port)) if !port.contains(':') => host,
            _ => node,
        },
    };
    bare.parse().ok().map(|address| (bare, address))
}

#[cfg(test)]
mod tests {
    use super::client;
    use crate::lexicon::settings::ForwardedHeader;
    use std::net::IpAddr;

    fn x(lines: &[&'static str]) -> Option<&'static str> {
        let trusted = |address: IpAddr| address.to_string().starts_with("10.");
        let lines = lines.iter().rev().map(|line| line.as_bytes());
        client(lines, ForwardedHeader::XForwardedFor, trusted)
    }

    fn forwarded(line: &'static str) -> Option<&'static str> {
        let trusted = |address: IpAddr| address.to_string().starts_with("10.");
        client([line.as_bytes()].into_iter(), ForwardedHeader::Forwarded, trusted)
    }

    #[test]
    fn the_last_address_that_is_not_trusted_is_the_client() {
        assert_eq!(x(&["203.0.113.7"]), Some("203.0.113.7"));
        assert_eq!(x(&["6.6.6.6, 203.0.113.7, 10.0.0.2"]), Some("203.0.113.7"));
        assert_eq!(x(&["6.6.6.6", "203.0.113.7:4711", "::ffff:10.0.0.2"]), Some("203.0.113.7"));
        assert_eq!(x(&["10.0.0.9,10.0.0.2"]), Some("10.0.0.9"));
        assert_eq!(x(&["6.6.6.6, unknown, 10.0.0.2"]), Some("10.0.0.2"));
        assert_eq!(x(&["2001:db8::1"]), Some("2001:db8::1"));
        assert_eq!(x(&["[2001:db8::1]:80, 10.0.0.1"]), Some("2001:db8::1"));
        for nothing in ["", ",", "unknown", "no address", "\"", "[::1"] {
            assert_eq!(x(&[nothing]), None, "{nothing}");
        }
    }

    #[test]
    fn forwarded_is_read_with_its_quotes() {
        assert_eq!(forwarded("for=203.0.113.7;proto=https"), Some("203.0.113.7"));
        assert_eq!(
            forwarded("for=6.6.6.6, proto=http;For=\"[2001:db8::1]:4711\" , for=10.0.0.2"),
            Some("2001:db8::1")
        );
        assert_eq!(forwarded("for=1.2.3.4;host=\"a,b\""), Some("1.2.3.4"));
        assert_eq!(forwarded("for=_hidden"), None);
        assert_eq!(forwarded("by=1.2.3.4"), None);
    }
}
