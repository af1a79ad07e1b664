//! The PROXY protocol: the line or block with which a proxy begins a connection to say whose it is.
//!
//! ```text
//! v1  PROXY TCP4 203.0.113.7 10.0.0.1 56324 443\r\n      also TCP6, UNKNOWN; at most 107 bytes
//! v2  \r\n\r\n\0\r\nQUIT\n, version and command u8, family u8, length u16 (big-endian),
//!     then so many bytes: source and destination address, source and destination port, extensions
//! ```
//!
//! **Source**: `haproxy.org/download/3.0/doc/proxy-protocol.txt` (read 2026-11-21), §2.1 and §2.2.

use crate::lexicon::settings::ProxyProtocol;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

const V1_BYTES_MAX: usize = 107;
const V2_SIGNATURE: &[u8; 12] = b"\r\n\r\n\0\r\nQUIT\n";
const V2_FIXED_BYTES: usize = 16;
/// Extensions are of cloud balancers' ids and TLS facts, some hundred bytes; this is room enough.
const V2_BYTES_MAX: usize = 4_096;

/// What the bytes so far are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Parsed {
    /// The beginning of a header.
    More,
    /// A header of so many bytes. Without a source the connection is the proxy's own (a health
    /// check), or of a family that has no address.
    Whole { length: usize, source: Option<IpAddr> },
}

/// The bytes are no header of a version that is accepted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Malformed;

/// Reads the header at the beginning of `bytes`. **Cost**: no allocation.
pub fn parse(bytes: &[u8], accepted: ProxyProtocol) -> Result<Parsed, Malformed> {
    let begins = |whole: &[u8]| {
        let length = bytes.len().min(whole.len());
        bytes[..length] == whole[..length]
    };
    match accepted {
        ProxyProtocol::V1 | ProxyProtocol::Any if begins(b"PROXY ") => parse_v1(bytes),
        ProxyProtocol::V2 | ProxyProtocol::Any if begins(V2_SIGNATURE) => parse_v2(bytes),
        _ => Err(Malformed),
    }
}

fn parse_v1(bytes: &[u8]) -> Result<Parsed, Malformed> {
    let window = &bytes[..bytes.len().min(V1_BYTES_MAX)];
    let Some(end) = window.windows(2).position(|pair| pair == b"\r\n") else {
        return if bytes.len() < V1_BYTES_MAX { Ok(Parsed::More) } else { Err(Malformed) };
    };
    let line = std::str::from_utf8(&bytes[..end]).map_err(|_| Malformed)?;
    let length = end + 2;
    let mut words = line.split(' ');
    let (_, family) = (words.next(), words.next().ok_or(Malformed)?);
    if family == "UNKNOWN" {
        // Whatever follows is to be ignored.
        return Ok(Parsed::Whole { length, source: None });
    }
    let source: IpAddr = words.next().and_then(|word| word.parse().ok()).ok_or(Malformed)?;
    let target: IpAddr = words.next().and_then(|word| word.parse().ok()).ok_or(Malformed)?;
    let is_of_family = match family {
        "TCP4" => source.is_ipv4() && target.is_ipv4(),
        "TCP6" => source.is_ipv6() && target.is_ipv6(),
        _ => false,
    };
    let mut port = || words.next().is_some_and(is_port);
    if is_of_family && port() && port() && words.next().is_none() {
        Ok(Parsed::Whole { length, source: Some(source) })
    } else {
        Err(Malformed)
    }
}

fn is_port(word: &str) -> bool {
    let is_plain = word == "0" || !word.starts_with(['0', '+']);
    is_plain && word.parse::<u16>().is_ok()
}

fn parse_v2(bytes: &[u8]) -> Result<Parsed, Malformed> {
    let Some(fixed) = bytes.first_chunk::<V2_FIXED_BYTES>() else { return Ok(Parsed::More) };
    let [.., command, family, high, low] = *fixed;
    let length = V2_FIXED_BYTES + usize::from(u16::from_be_bytes([high, low]));
    if command >> 4 != 2 || length > V2_BYTES_MAX {
        return Err(Malformed);
    }
    let Some(block) = bytes.get(V2_FIXED_BYTES..length) else { return Ok(Parsed::More) };
    let source = match (command & 15, family) {
        // TCP over IPv4 and IPv6; then a block too short for its addresses is no block.
        (1, 0x11) if block.len() >= 12 => {
            let octets: [u8; 4] = *block.first_chunk().ok_or(Malformed)?;
            Some(Ipv4Addr::from(octets).into())
        }
        (1, 0x21) if block.len() >= 36 => {
            let octets: [u8; 16] = *block.first_chunk().ok_or(Malformed)?;
            Some(Ipv6Addr::from(octets).into())
        }
        // LOCAL: the proxy itself, whatever the family says. Unspecified, datagrams, Unix: the
        // receiver accepts and uses its own view.
        (0, _) | (1, 0x00 | 0x12 | 0x22 | 0x31 | 0x32) => None,
        _ => return Err(Malformed),
    };
    Ok(Parsed::Whole { length, source })
}

#[cfg(test)]
mod tests {
    use super::{Malformed, Parsed, V2_SIGNATURE, parse};
    use crate::lexicon::settings::ProxyProtocol;
    use proptest::prelude::{any, prop, prop_assert, proptest};

    fn v2(command: u8, family: u8, block: &[u8]) -> Vec<u8> {
        let length = u16::try_from(block.len()).expect("small").to_be_bytes();
        [&V2_SIGNATURE[..], &[command, family], &length, block].concat()
    }

    fn source(bytes: &[u8]) -> Result<Option<String>, Malformed> {
        match parse(bytes, ProxyProtocol::Any)? {
            Parsed::More => panic!("it is whole"),
            Parsed::Whole { length, source } => {
                assert_eq!(length, bytes.len());
                Ok(source.map(|source| source.to_string()))
            }
        }
    }

    #[test]
    fn version_1_is_a_line() {
        let said = |text: &str| source(text.as_bytes());
        assert_eq!(
            said("PROXY TCP4 203.0.113.7 10.0.0.1 56324 443\r\n"),
            Ok(Some("203.0.113.7".into()))
        );
        assert_eq!(said("PROXY TCP6 2001:db8::1 ::1 1 65535\r\n"), Ok(Some("2001:db8::1".into())));
        assert_eq!(said("PROXY UNKNOWN\r\n"), Ok(None));
        assert_eq!(said("PROXY UNKNOWN ffff:f...f:ffff whatever\r\n"), Ok(None));
        for bad in [
            "PROXY TCP4 2001:db8::1 ::1 1 2\r\n",
            "PROXY TCP4 1.2.3.4 1.2.3.4 1\r\n",
            "PROXY TCP4 1.2.3.4 1.2.3.4 1 2 3\r\n",
            "PROXY TCP4 1.2.3.4  1.2.3.4 1 2\r\n",
            "PROXY TCP4 1.2.3.4 1.2.3.4 1 65536\r\n",
            "PROXY TCP4 1.2.3.4 1.2.3.4 01 2\r\n",
            "PROXY tcp4 1.2.3.4 1.2.3.4 1 2\r\n",
            "PROXY \r\n",
            "GET / HTTP/1.1\r\n",
        ] {
            assert_eq!(said(bad), Err(Malformed), "{bad}");
        }
        let long = format!("PROXY UNKNOWN {}", "x".repeat(100));
        assert_eq!(parse(long.as_bytes(), ProxyProtocol::Any), Err(Malformed));
    }

    #[test]
    fn version_2_is_a_block() {
        let four = [203, 0, 113, 7, 10, 0, 0, 1, 0xdc, 4, 1, 0xbb];
        assert_eq!(source(&v2(0x21, 0x11, &four)), Ok(Some("203.0.113.7".into())));
        let extended = [&four[..], &[3, 0, 4, 1, 2, 3, 4]].concat();
        assert_eq!(source(&v2(0x21, 0x11, &extended)), Ok(Some("203.0.113.7".into())));
        let mut six = [0; 36];
        (six[0], six[1], six[15]) = (0x20, 1, 9);
        assert_eq!(source(&v2(0x21, 0x21, &six)), Ok(Some("2001::9".into())));
        assert_eq!(source(&v2(0x20, 0x00, &[])), Ok(None), "a health check");
        assert_eq!(source(&v2(0x21, 0x31, &[0; 216])), Ok(None));
        for bad in [v2(0x11, 0x11, &four), v2(0x22, 0x11, &four), v2(0x21, 0x41, &four)] {
            assert_eq!(source(&bad), Err(Malformed));
        }
        assert_eq!(source(&v2(0x21, 0x11, &four[..11])), Err(Malformed));
        assert_eq!(source(&v2(0x21, 0x11, &[0; 5_000])), Err(Malformed));
    }

    #[test]
    fn only_the_version_asked_for_is_taken() {
        let (one, two) = (b"PROXY UNKNOWN\r\n".to_vec(), v2(0x20, 0, &[]));
        assert!(parse(&one, ProxyProtocol::V1).is_ok() && parse(&two, ProxyProtocol::V2).is_ok());
        assert_eq!(parse(&two, ProxyProtocol::V1), Err(Malformed));
        assert_eq!(parse(&one, ProxyProtocol::V2), Err(Malformed));
    }

    #[test]
    fn every_beginning_of_a_header_asks_for_more() {
        let four = [203, 0, 113, 7, 10, 0, 0, 1, 0xdc, 4, 1, 0xbb];
        let one = b"PROXY TCP4 203.0.113.7 10.0.0.1 56324 443\r\n".to_vec();
        for whole in [one, v2(0x21, 0x11, &four)] {
            for end in 0..whole.len() {
                assert_eq!(parse(&whole[..end], ProxyProtocol::Any), Ok(Parsed::More));
            }
        }
    }

    proptest! {
        #[test]
        fn no_bytes_make_it_panic_or_read_beyond_them(
            tail in prop::collection::vec(any::<u8>(), 0..200),
            start in 0..3_usize,
        ) {
            let begin: [&[u8]; 3] = [b"", b"PROXY TCP4 ", V2_SIGNATURE];
            let bytes = [begin[start], &tail].concat();
            if let Ok(Parsed::Whole { length, .. }) = parse(&bytes, ProxyProtocol::Any) {
                prop_assert!(length <= bytes.len());
            }
        }
    }
}
