//! The judges of `tests/fuzz/`, on stable Rust: over the corpora, and over so many seeded mutations
//! of them. `WEIR_FUZZ_RUNS` says how many for each judge.

#[path = "fuzz/judges/mod.rs"]
mod judges;

use std::{path::Path, time::Instant};

const RUNS: usize = 3_000;
/// What stands between bytes that mean something, to these readers.
const TOKENS: [&[u8]; 34] = [
    b"\r\n",
    b"\n",
    b"\r",
    b"\r\n\r\n",
    b": ",
    b":",
    b" ",
    b"\t",
    b"\0",
    b",",
    b";",
    b"0\r\n\r\n",
    b"1\r\na\r\n",
    b"Transfer-Encoding: chunked\r\n",
    b"Content-Length: 5\r\n",
    b"HTTP/1.1",
    b"HTTP/1.0",
    b"Connection: close\r\n",
    b"Host: a\r\n",
    b"{",
    b"}",
    b"[",
    b"]",
    b"\"",
    b"\\",
    b"\"model\":",
    b"\"stream\":true",
    b"\"stream_options\":null",
    b"\\u0065",
    b"data:",
    b"\n\n",
    b"\xef\xbb\xbf",
    b"- ",
    b"&a *a",
];

/// Numbers that look random and are the same each time.
struct Dice(u64);

impl Dice {
    /// One of `0..below`.
    fn throw(&mut self, below: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        usize::try_from(self.0 >> 11).unwrap_or(0) % below.max(1)
    }
}

fn mutate(corpus: &[Vec<u8>], dice: &mut Dice) -> Vec<u8> {
    let mut bytes = corpus[dice.throw(corpus.len())].clone();
    for _ in 0..=dice.throw(4) {
        let at = dice.throw(bytes.len() + 1);
        let end = (at + 1 + dice.throw(12)).min(bytes.len());
        let random = u8::try_from(dice.throw(256)).unwrap_or(0);
        match dice.throw(7) {
            0 if at < bytes.len() => bytes[at] = random,
            1 => drop(bytes.drain(at..end.max(at))),
            2 => bytes.insert(at, random),
            3 | 4 => {
                let token = TOKENS[dice.throw(TOKENS.len())];
                bytes.splice(at..at, token.iter().copied());
            }
            5 => {
                let copied = bytes[at..end.max(at)].to_vec();
                bytes.splice(at..at, copied);
            }
            _ => {
                let other = &corpus[dice.throw(corpus.len())];
                bytes.truncate(at);
                bytes.extend_from_slice(&other[dice.throw(other.len() + 1)..]);
            }
        }
    }
    bytes
}

/// Shows what the judge was looking at when it panicked.
struct Looking<'a>(&'a [u8]);

impl Drop for Looking<'_> {
    fn drop(&mut self) {
        if std::thread::panicking() {
            eprintln!("--- the judge was looking at ---\n{}", self.0.escape_ascii());
        }
    }
}

fn check(name: &str, judge: impl Fn(&[u8])) {
    let runs = std::env::var("WEIR_FUZZ_RUNS").map_or(RUNS, |runs| runs.parse().expect("a number"));
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fuzz/corpus").join(name);
    let mut files: Vec<_> =
        std::fs::read_dir(folder).expect("a corpus").flatten().map(|entry| entry.path()).collect();
    files.sort();
    let corpus: Vec<Vec<u8>> =
        files.iter().map(|path| std::fs::read(path).expect("readable")).collect();
    assert!(corpus.len() >= 4, "{} in the corpus", corpus.len());
    let look = |bytes: &[u8]| {
        let _looking = Looking(bytes);
        judge(bytes);
    };
    let begun = Instant::now();

    for bytes in &corpus {
        look(bytes);
    }
    let mut dice = Dice(0x9e37_79b9_7f4a_7c15);
    for _ in 0..runs {
        look(&mutate(&corpus, &mut dice));
    }

    println!(
        "{name}: {} of the corpus and {runs} mutations in {:?}",
        corpus.len(),
        begun.elapsed()
    );
}

#[test]
fn requests_are_read_as_hyper_reads_them_or_refused() {
    check("requests", judges::requests::judge);
}

#[test]
fn replies_are_read_as_hyper_reads_them_or_refused() {
    check("replies", judges::replies::judge);
}

#[test]
fn chunked_bodies_are_read_as_by_lines() {
    check("chunked", judges::chunked::judge);
}

#[test]
fn streams_cut_anywhere_have_the_same_events() {
    check("sse", judges::sse::judge);
}

#[test]
fn the_scan_finds_what_full_parsers_find() {
    check("json", judges::json::judge);
}

#[test]
fn a_spliced_body_differs_where_it_should_and_nowhere_else() {
    check("splice", judges::splice::judge);
}

#[test]
fn manifests_are_documents_or_problems() {
    check("manifests", judges::manifests::judge);
}

#[test]
fn what_is_translated_from_and_to_the_responses_api_is_json() {
    check("responses", judges::responses::judge);
}

#[test]
fn metadata_is_what_a_full_parse_finds() {
    check("metadata", judges::metadata::judge);
}

#[test]
fn aws_words_are_refused_or_told_as_json_and_whole_frames() {
    check("bedrock", judges::bedrock::judge);
}

#[test]
fn coheres_words_are_refused_or_told_as_json() {
    check("cohere", judges::cohere::judge);
}

#[test]
fn googles_words_are_refused_or_told_as_json() {
    check("gemini", judges::gemini::judge);
}

#[test]
fn openais_words_are_refused_or_told_as_json() {
    check("chat", judges::chat::judge);
}

#[test]
fn anthropics_words_are_refused_or_told_as_json() {
    check("messages", judges::messages::judge);
}

#[test]
fn frames_are_read_to_their_end_or_refused_for_their_headers() {
    check("eventstream", judges::eventstream::judge);
}
