//! Frames of AWS, written and read here from the format's own description, and as lines of text
//! that a person can read: `event NAME {…}` or `exception NAME {…}`.

use serde_json::Value;

/// CRC-32 (IEEE), bit by bit.
fn checksum(bytes: &[u8]) -> u32 {
    let mut crc = u32::MAX;
    for byte in bytes {
        crc ^= u32::from(*byte);
        for _ in 0..8 {
            crc = if crc & 1 == 1 { crc >> 1 ^ 0xedb8_8320 } else { crc >> 1 };
        }
    }
    !crc
}

fn frame(kind: &str, name: &str, payload: &str) -> Vec<u8> {
    let of_name = if kind == "event" { ":event-type" } else { ":exception-type" };
    let mut headers = Vec::new();
    for (key, value) in [(of_name, name), (":message-type", kind)] {
        headers.push(u8::try_from(key.len()).expect("short"));
        headers.extend_from_slice(key.as_bytes());
        headers.push(7);
        headers.extend_from_slice(&u16::try_from(value.len()).expect("short").to_be_bytes());
        headers.extend_from_slice(value.as_bytes());
    }
    let total = u32::try_from(16 + headers.len() + payload.len()).expect("short");
    let mut bytes = total.to_be_bytes().to_vec();
    bytes.extend_from_slice(&u32::try_from(headers.len()).expect("short").to_be_bytes());
    bytes.extend_from_slice(&checksum(&bytes).to_be_bytes());
    bytes.extend_from_slice(&headers);
    bytes.extend_from_slice(payload.as_bytes());
    let all = checksum(&bytes);
    bytes.extend_from_slice(&all.to_be_bytes());
    bytes
}

/// The frames that these lines say.
pub fn of_lines(text: &str) -> Vec<u8> {
    let line = |line: &str| {
        let mut words = line.splitn(3, ' ');
        let mut word = || words.next().expect("three words a line");
        frame(word(), word(), word())
    };
    text.lines().flat_map(line).collect()
}

/// The lines that say these frames, each of which must be well formed.
pub fn to_lines(mut bytes: &[u8]) -> String {
    let number = |bytes: &[u8]| u32::from_be_bytes(bytes[..4].try_into().expect("four bytes"));
    let mut text = String::new();
    while !bytes.is_empty() {
        let (frame, rest) = bytes.split_at(number(bytes) as usize);
        let end = frame.len() - 4;
        assert_eq!(number(&frame[8..]), checksum(&frame[..8]));
        assert_eq!(number(&frame[end..]), checksum(&frame[..end]));
        let (mut headers, payload) = frame[12..end].split_at(number(&frame[4..]) as usize);
        let (mut kind, mut name) = (String::new(), String::new());
        while let Some((length, rest)) = headers.split_first() {
            let (key, rest) = rest.split_at(usize::from(*length));
            assert_eq!(rest[0], 7, "a header that is no text");
            let length = usize::from(u16::from_be_bytes([rest[1], rest[2]]));
            let (value, rest) = rest[3..].split_at(length);
            let value = String::from_utf8(value.to_vec()).expect("UTF-8");
            match key {
                b":message-type" => kind = value,
                b":event-type" | b":exception-type" => name = value,
                b":content-type" => assert_eq!(value, "application/json"),
                other => panic!("no client knows {}", String::from_utf8_lossy(other)),
            }
            headers = rest;
        }
        let payload = std::str::from_utf8(payload).expect("UTF-8");
        assert!(serde_json::from_str::<Value>(payload).is_ok(), "{payload}");
        text.extend([&*kind, " ", &*name, " ", payload, "\n"]);
        bytes = rest;
    }
    text
}
