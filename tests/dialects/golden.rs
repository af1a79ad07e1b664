//! Every feature, in both directions, as files that a person can read.
//!
//! `tests/golden/dialects/FROM_to_TO/FEATURE.PART.in.json` (a stream: `.in.txt`) is what comes in,
//! `….out.…` what leaves, `….dropped.txt` what was named as left out. PART is `request` (from the
//! client's dialect into the vendor's), `reply` or `stream` (from the vendor's into the client's).
//! Frames of AWS stand in their files as `frames.rs` says.
//! `WEIR_GOLDEN=write` writes what leaves anew, to be read and judged before it is kept.
//! `matrix.md` is made of them.

use super::{
    anthropic, bedrock, frames, gemini, openai, responses,
    stream::{MANNER, translate_with},
};
use serde_json::Value;
use std::{
    collections::{BTreeMap, BTreeSet},
    fmt::Write as _,
    fs,
    path::{Path, PathBuf},
};
use weir::{
    dialect::{
        pivot::{
            dropped::Dropped,
            part::Dialect,
            target::{Addressee, Written},
        },
        translation::{self, Stream},
    },
    provider::{ability, vendor},
    wire::json::document::Document,
};

const DIALECTS: [(&str, Dialect, &str); 6] = [
    ("openai_chat", Dialect::OpenAiChat, "openai"),
    ("anthropic", Dialect::Anthropic, "anthropic"),
    ("bedrock", Dialect::Bedrock, "aws-bedrock"),
    ("openai_responses", Dialect::OpenAiResponses, "openai"),
    ("gemini", Dialect::Gemini, "google-gemini"),
    ("cohere", Dialect::Cohere, "cohere"),
];

/// What comes of one input: what leaves, and the names of what does not.
struct Told {
    out: String,
    dropped: String,
}

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden/dialects")
}

fn named(dropped: &Dropped) -> String {
    dropped.iter().flat_map(|name| [name, "\n"]).collect()
}

fn pretty(json: &[u8]) -> String {
    let value: Value = serde_json::from_slice(json)
        .unwrap_or_else(|error| panic!("{error}: {}", String::from_utf8_lossy(json)));
    format!("{value:#}\n")
}

/// A request for the model that it names, which is the vendor's own name here.
fn request(body: &[u8], from: Dialect, to: Dialect) -> Told {
    let asked: Value = serde_json::from_slice(body).expect("an input is JSON");
    // Bedrock's and Google's requests have it in their path.
    let model = asked["model"].as_str().unwrap_or(match to {
        Dialect::Anthropic => "claude-sonnet-4-5",
        Dialect::Bedrock => "eu.anthropic.claude-sonnet-4-5-20250929-v1:0",
        Dialect::Gemini => "gemini-2.5-flash",
        Dialect::Cohere => "command-a-03-2025",
        _ => "gpt-5-mini",
    });
    let account_type = DIALECTS.iter().find(|row| row.1 == to).expect("a dialect").2;
    let abilities = ability::of(vendor::of(account_type).expect("a vendor"), model);
    let model_json = Value::from(model).to_string();
    let addressee = Addressee { model_json: model_json.as_bytes(), abilities: &abilities };
    let (mut out, mut dropped) = (Vec::new(), Dropped::default());
    let mut notes = Document::default();
    let done =
        translation::request(&mut out, body, (from, to), &addressee, &mut notes, &mut dropped);
    match done {
        Ok(_) => Told { out: pretty(&out), dropped: named(&dropped) },
        Err(refused) => {
            Told { out: format!("refused: {}\n", refused.detail), dropped: String::new() }
        }
    }
}

fn reply(body: &[u8], from: Dialect, to: Dialect) -> Told {
    let (mut out, mut dropped) = (Vec::new(), Dropped::default());
    let written = Written::default();
    translation::reply(&mut out, body, (from, to), written, &MANNER, &mut dropped)
        .expect("an input is well formed");
    match to {
        Dialect::OpenAiChat => drop(openai::whole(&out)),
        Dialect::Anthropic => drop(anthropic::whole(&out)),
        Dialect::Bedrock => drop(bedrock::whole(&out)),
        Dialect::OpenAiResponses => drop(responses::whole(&out)),
        Dialect::Gemini => drop(gemini::whole(&out)),
        Dialect::Cohere => panic!("no client speaks it"),
    }
    Told { out: pretty(&out), dropped: named(&dropped) }
}

/// At once and a byte at a time: the same.
fn stream(body: &[u8], from: Dialect, to: Dialect) -> Told {
    let new = || Stream::new((from, to), Written::default(), true);
    let (mut machine, mut slow) = (new(), new());
    let (out, slowly) = if from == Dialect::Bedrock {
        let body = frames::of_lines(std::str::from_utf8(body).expect("UTF-8"));
        let out = frames::translate_with(std::iter::once(&body[..]), &mut machine);
        (out, frames::translate_with(body.chunks(1), &mut slow))
    } else {
        let out = translate_with(std::iter::once(body), &mut machine);
        (out, translate_with(body.chunks(1), &mut slow))
    };
    let out = out.expect("it is well formed");
    assert_eq!(slowly.as_ref(), Some(&out));
    match to {
        Dialect::OpenAiChat => drop(openai::stream(&out)),
        Dialect::Anthropic => drop(anthropic::stream(&out)),
        Dialect::Bedrock => drop(bedrock::stream(&out)),
        Dialect::OpenAiResponses => drop(responses::stream(&out)),
        Dialect::Gemini => drop(gemini::stream(&out)),
        Dialect::Cohere => panic!("no client speaks it"),
    }
    let dropped = machine.dropped().map(named).unwrap_or_default();
    let out = match to {
        Dialect::Bedrock => frames::to_lines(&out),
        _ => String::from_utf8(out).expect("UTF-8"),
    };
    Told { out, dropped }
}

/// Compare a file with what it should hold, or write it.
fn settle(path: &Path, told: &str, wrong: &mut Vec<String>) {
    if std::env::var_os("WEIR_GOLDEN").is_some_and(|word| word == "write") {
        let kept = if told.is_empty() { fs::remove_file(path) } else { fs::write(path, told) };
        assert!(kept.is_ok() || told.is_empty(), "{} cannot be written", path.display());
        return;
    }
    let held = fs::read_to_string(path).unwrap_or_default();
    if held != told {
        wrong.push(format!("{} holds\n{held}\nand should hold\n{told}", path.display()));
    }
}

/// FEATURE.PART of every input of a pair.
fn inputs(pair: &Path) -> BTreeSet<(String, PathBuf)> {
    let entries =
        fs::read_dir(pair).expect("a folder").map(|entry| entry.expect("an entry").path());
    let inputs = entries.filter_map(|path| {
        let name = path.file_name()?.to_str()?;
        let case = name.strip_suffix(".in.json").or_else(|| name.strip_suffix(".in.txt"))?;
        Some((case.to_owned(), path.clone()))
    });
    inputs.collect()
}

/// Every pair with its folder.
fn pairs() -> Vec<(&'static str, &'static str, Dialect, Dialect, PathBuf)> {
    let mut found = Vec::new();
    for (from_name, from, _) in DIALECTS {
        for (to_name, to, _) in DIALECTS {
            let folder = root().join(format!("{from_name}_to_{to_name}"));
            if folder.is_dir() {
                found.push((from_name, to_name, from, to, folder));
            }
        }
    }
    found
}

/// Each client's requests to each vendor, and each vendor's answers to each client.
#[test]
fn every_pair_has_its_files() {
    for (from_name, from, _) in DIALECTS {
        for (to_name, to, _) in DIALECTS.into_iter().filter(|row| row.1 != from) {
            let folder = root().join(format!("{from_name}_to_{to_name}"));
            let cases = if folder.is_dir() { inputs(&folder) } else { BTreeSet::new() };
            let part = |case: String| case.rsplit_once('.').map(|(_, part)| part.to_owned());
            let parts: BTreeSet<String> =
                cases.into_iter().filter_map(|(case, _)| part(case)).collect();
            let has = |part: &str| parts.contains(part);
            // Nobody asks in Cohere's words, and nobody is answered in them.
            let is_asked = from == Dialect::Cohere || has("request");
            let is_answered = to == Dialect::Cohere || has("reply") && has("stream");
            assert!(is_asked && is_answered, "{from_name} to {to_name}: {parts:?}");
        }
    }
}

#[test]
fn every_feature_is_told_as_its_file_says() {
    let mut wrong = Vec::new();
    let mut matrix: BTreeMap<String, BTreeMap<String, String>> = BTreeMap::new();
    for (from_name, to_name, from, to, folder) in pairs() {
        for (case, path) in inputs(&folder) {
            let (feature, part) = case.rsplit_once('.').expect("FEATURE.PART");
            let body = fs::read(&path).expect("readable");
            let told = match part {
                "request" => request(&body, from, to),
                "reply" => reply(&body, from, to),
                "stream" => stream(&body, from, to),
                other => panic!("{other} is no part: {}", path.display()),
            };
            let kind = if part == "stream" { "txt" } else { "json" };
            settle(&folder.join(format!("{case}.out.{kind}")), &told.out, &mut wrong);
            settle(&folder.join(format!("{case}.dropped.txt")), &told.dropped, &mut wrong);
            let column = format!("{part}: {from_name} → {to_name}");
            let names: Vec<&str> = told.dropped.lines().collect();
            let cell = match (&names[..], told.out.starts_with("refused")) {
                (_, true) => "refused".to_owned(),
                ([], false) => "translated".to_owned(),
                (names, false) => format!("named: `{}`", names.join("`, `")),
            };
            matrix.entry(column).or_default().insert(feature.replace('_', " "), cell);
        }
    }
    settle(&root().join("matrix.md"), &written(&matrix), &mut wrong);
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

fn written(matrix: &BTreeMap<String, BTreeMap<String, String>>) -> String {
    let mut text = "# What is kept, translated, or named as left out\n\n\
        Made by `tests/dialects/golden.rs` from the files beside it, which show each case.\n\
        Where both sides speak one dialect the bytes pass.\n"
        .to_owned();
    for (column, features) in matrix {
        let _ = write!(text, "\n## {column}\n\n| feature | outcome |\n|---|---|\n");
        for (feature, cell) in features {
            let _ = writeln!(text, "| {feature} | {cell} |");
        }
    }
    text
}
