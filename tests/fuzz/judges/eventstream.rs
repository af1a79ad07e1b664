//! Frames of AWS's: as bytes that hardly ever are one, and as headers and payload in a frame whose
//! lengths and checksums are right, which is read to its end or refused for its headers.

use weir::wire::eventstream::{HeaderValue, Scanner};

pub fn judge(bytes: &[u8]) {
    read(bytes);
    let (headers, payload) = bytes.split_at(bytes.iter().position(|it| *it == b'{').unwrap_or(0));
    let framed = frame(headers, payload);
    let (frames, is_whole) = read(&framed);
    assert!(frames <= 1 && (frames == 1) == is_whole, "{}", framed.escape_ascii());
    assert!(is_whole || !headers.is_empty(), "{}", framed.escape_ascii());
}

/// How many frames there are before what is none; and whether they are all.
fn read(bytes: &[u8]) -> (usize, bool) {
    let (mut scanner, mut frames, mut end) = (Scanner::default(), 0, 0);
    while let Ok(Some(frame)) = scanner.next(bytes) {
        frames += 1;
        assert_eq!(frame.whole.start, end, "frames follow one another");
        end = frame.whole.end;
        let parts = frame.headers.len() + frame.payload.len();
        assert_eq!(parts + 16, frame.whole.len(), "nothing else is in a frame");
        let _ = frame.message(bytes);
        for (name, value) in frame.headers(bytes) {
            assert!(!name.is_empty() && name.len() < 256);
            if let HeaderValue::Text(text) = value {
                assert!(text.len() <= frame.headers.len());
            }
        }
    }
    (frames, scanner.finish(bytes).is_ok())
}

/// **Source**: smithy.io/2.0/aws/amazon-eventstream.html, read 2026-11-21.
fn frame(headers: &[u8], payload: &[u8]) -> Vec<u8> {
    let length = |bytes: usize| u32::try_from(bytes).expect("a short input").to_be_bytes();
    let mut out = length(headers.len() + payload.len() + 16).to_vec();
    out.extend(length(headers.len()));
    out.extend(checksum(&out).to_be_bytes());
    out.extend_from_slice(headers);
    out.extend_from_slice(payload);
    out.extend(checksum(&out).to_be_bytes());
    out
}

/// CRC-32 as in Ethernet, bit by bit.
fn checksum(bytes: &[u8]) -> u32 {
    let step = |sum: u32, _| if sum & 1 == 1 { sum >> 1 ^ 0xedb8_8320 } else { sum >> 1 };
    !bytes.iter().fold(!0, |sum, byte| (0..8).fold(sum ^ u32::from(*byte), step))
}
