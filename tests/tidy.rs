//! The law: floors, fences, sizes, headers, held over the whole project; and, with small samples,
//! that each rule can fail.

mod law;

use law::{
    Source,
    floors::{self, ROOMS},
    shape,
};

fn assert_none(broken: Vec<String>) {
    assert!(broken.is_empty(), "\n{}\n", broken.join("\n"));
}

#[test]
fn rooms_import_only_from_below() {
    assert_none(law::library().iter().flat_map(floors::broken).collect());
}

#[test]
fn the_floors_have_no_circle() {
    let floor = |wanted: &str| {
        let name = wanted.split("::").next().unwrap_or_default();
        let found = ROOMS.iter().find(|(room, ..)| *room == name);
        found.unwrap_or_else(|| panic!("{name} is no room")).1
    };
    for (room, own, may) in ROOMS {
        assert!(
            may.iter().all(|below| floor(below) < own),
            "{room} imports its own floor or above"
        );
    }
}

#[test]
fn files_have_their_shape() {
    assert_none(law::rust().iter().flat_map(shape::broken).collect());
}

#[test]
fn no_file_names_a_place_of_one_machine() {
    assert_none(law::project().iter().flat_map(shape::machine_paths).collect());
}

/// What the rules say of `text` at `path`.
fn judge(path: &str, text: &str) -> String {
    let source = Source { path: path.to_owned(), text: format!("//! Sample.\n{text}\n") };
    let mut broken = floors::broken(&source);
    broken.extend(shape::broken(&source));
    broken.extend(shape::machine_paths(&source));
    broken.join("; ")
}

#[test]
fn each_rule_of_the_floors_can_fail() {
    for (path, text, found) in [
        ("src/wire/a.rs", "use crate::dialect::Delta;", "may not import dialect::Delta"),
        ("src/policy/a.rs", "use crate::{lexicon::ids, wire::{head, body}};", "import wire::body"),
        ("src/policy/a.rs", "fn a() -> crate::snapshot::Snapshot {}", "import snapshot::Snapshot"),
        ("src/data_plane/a.rs", "use crate::manifest::Account;", "may not import manifest"),
        ("src/control_plane/a.rs", "use crate::provider::target::Target;", "provider::target"),
        ("src/rehearsal/a.rs", "use crate::{lexicon::ids as names, wire};", "import wire"),
        ("src/main.rs", "use weir::bridge::lane;", "main may not import bridge::lane"),
        ("src/attic/a.rs", "", "attic is on no floor"),
        ("src/control_plane/a.rs", "use monoio::net;", "monoio belongs to"),
        ("src/data_plane/link.rs", "use h2::Reason;", "h2 belongs to"),
        ("src/data_plane/a.rs", "fn a() { tokio::spawn(b); }", "tokio belongs to"),
        ("src/bridge/a.rs", "use rusqlite::Connection;", "rusqlite belongs to"),
        ("src/policy/a.rs", "use std::{fs, io};", "fs below floor 6"),
        ("src/wire/a.rs", "use std::net::{IpAddr, TcpStream};", "TcpStream below floor 6"),
        ("src/snapshot/a.rs", "static A: Mutex<u8> = b();", "Mutex below floor 6"),
        ("src/dialect/a.rs", "async fn a() {}", "async below floor 6"),
        ("src/lexicon/a.rs", "fn a() { Instant::now(); }", "Instant below floor 6"),
    ] {
        let said = judge(path, text);
        assert!(said.contains(found), "{path}: {text}: {said:?}");
    }
}

#[test]
fn each_rule_of_shape_can_fail() {
    let long_function = format!("fn a() {{\n{}}}", "    b();\n".repeat(69));
    for (path, text, found) in [
        ("src/wire/a.rs", "x();\n".repeat(500), "two nouns"),
        ("src/wire/a.rs", format!("    pub const {long_function}").replace("    pub", "pub"), "71"),
        ("src/wire/a.rs", format!("// {}", "a".repeat(98)), "101 characters"),
        ("src/wire/a.rs", format!("a({});", "b, ".repeat(40)), "characters"),
        ("src/wire/mod.rs", String::new(), "no **Invariants**"),
        ("src/wire/utils.rs", String::new(), "says nothing"),
        ("tests/common/mod.rs", String::new(), "says nothing"),
        ("src/wire/a.rs", "mod helpers;".to_owned(), "mod helpers says nothing"),
        ("src/wire/a.rs", "use super::*;".to_owned(), "a glob import"),
        ("src/wire/a.rs", "unsafe { b() }".to_owned(), "not listed"),
        ("src/rehearsal/line.rs", "unsafe { b() }".to_owned(), "without SAFETY"),
        ("tests/a.rs", concat!("const A: &str = \"/wo", "rk/x\";").to_owned(), "names /wo"),
    ] {
        let said = judge(path, &text);
        assert!(said.contains(found), "{path}: {said:?} lacks {found:?}");
    }
    let headless = Source { path: "src/wire/a.rs".into(), text: "fn a() {}\n".into() };
    assert!(shape::broken(&headless).concat().contains("no header"));
}

#[test]
fn what_is_lawful_is_not_accused() {
    for (path, text) in [
        ("src/wire/a.rs", "// tokio::spawn and crate::dialect are only spoken of here: Mutex."),
        ("src/wire/a.rs", "const A: &str = \"use crate::dialect; unsafe; Mutex; ::*\";"),
        ("src/wire/a.rs", "const A: &str = r#\"use \"crate::dialect\"; async\"#;"),
        ("src/wire/a.rs", "const A: char = '\"'; fn b<'a>(c: &'a str) {} // fine: unsafe"),
        ("src/wire/a.rs", "use crate::{lexicon::ids, wire::head};\nuse std::net::IpAddr;"),
        ("src/wire/a.rs", "fn a() {}\n#[cfg(test)]\nmod tests {\n    use std::fs;\n}"),
        ("src/control_plane/a.rs", "use crate::provider::auth::Token;\nuse tokio::net;"),
        ("src/rehearsal/line.rs", "// SAFETY: it holds.\nunsafe { b() }"),
        ("src/main.rs", "use weir::{cli, gateway};"),
        ("src/data_plane/http2/a.rs", "use h2::client;\nuse http::Request;"),
    ] {
        assert_eq!(judge(path, text), "", "{path}: {text}");
    }
    let row = format!("row(\"{}\");", "words ".repeat(40));
    assert_eq!(judge("src/wire/a.rs", &row), "", "words in quotes have no bound");
}
