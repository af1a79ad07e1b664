//! The corpus of messages that two readers could end in two places, read from its text.

/// One message.
pub struct Case {
    pub name: String,
    pub owed: String,
    pub bytes: Vec<u8>,
    /// The lines of it, before its escapes were read.
    pub text: String,
}

/// Every case of `corpus`, with these words filled in.
pub fn read(corpus: &str, words: &[(&str, &str)]) -> Vec<Case> {
    let mut cases = Vec::new();
    for part in corpus.trim_end_matches('\n').split("\n[").skip(1) {
        let (title, text) = part.split_once('\n').expect("a title is a line");
        let (name, owed) = title.rsplit_once("] ").expect("a title is `[name] owed`");
        let mut filled = text.replace('\n', "\\r\\n");
        for (word, with) in words {
            filled = filled.replace(word, with);
        }
        cases.push(Case {
            name: name.to_owned(),
            owed: owed.to_owned(),
            bytes: unescape(filled.as_bytes()),
            text: text.to_owned(),
        });
    }
    cases
}

fn unescape(mut text: &[u8]) -> Vec<u8> {
    let mut bytes = Vec::new();
    while let Some((&first, rest)) = text.split_first() {
        text = rest;
        if first != b'\\' {
            bytes.push(first);
            continue;
        }
        let (&kind, rest) = text.split_first().expect("an escape has a letter");
        text = rest;
        match kind {
            b'r' => bytes.push(b'\r'),
            b'n' => bytes.push(b'\n'),
            b't' => bytes.push(b'\t'),
            b'v' => bytes.push(0x0b),
            b'0' => bytes.push(0),
            b'x' => {
                let digits = std::str::from_utf8(&text[..2]).expect("two digits");
                bytes.push(u8::from_str_radix(digits, 16).expect("two digits"));
                text = &text[2..];
            }
            b'{' => {
                let end = text.iter().position(|byte| *byte == b'}').expect("it ends");
                let star = text.iter().position(|byte| *byte == b'*').expect("N*x");
                let times = std::str::from_utf8(&text[..star]).expect("a number");
                let once = unescape(&text[star + 1..end]);
                bytes.extend(once.repeat(times.parse().expect("a number")));
                text = &text[end + 1..];
            }
            other => panic!("no escape is {:?}", char::from(other)),
        }
    }
    bytes
}
