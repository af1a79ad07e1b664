//! `weir token new`: a token, and the manifest that knows it by its hash.

use crate::{
    control_plane::token::{fresh, sha256_hex},
    lexicon::subject::{Subject, SubjectKind},
    snapshot::doors::parse_date,
};
use std::io::{self, Write};

/// Prints a new token, once, and after `---` the manifest to put among the others, which holds only
/// its hash. Returns the exit code. The whole output is no manifest, on purpose: who keeps it as
/// one is told so, and the token does not stay in a file by accident.
pub fn new(subject: &str, expires: Option<&str>, out: &mut impl Write) -> io::Result<u8> {
    let subject = match subject.parse::<Subject>() {
        Ok(subject) if subject.kind != SubjectKind::Team => subject,
        Ok(_) => return refuse(out, "a token speaks for one subject: user:… or virtualaccount:…"),
        Err(why) => return refuse(out, &why),
    };
    if expires.is_some_and(|text| parse_date(text).is_none()) {
        return refuse(out, "--expires wants a date: yyyy-mm-dd, or ISO-8601 with time");
    }
    let token = fresh()?;
    writeln!(out, "{token}")?;
    writeln!(out, "{}", manifest(&subject, expires, &token))?;
    Ok(0)
}

/// The manifest that knows `token` by its hash.
#[must_use]
pub fn manifest(subject: &Subject, expires: Option<&str>, token: &str) -> String {
    let hash = sha256_hex(token);
    let expires =
        expires.map_or_else(String::new, |it| format!("\nexpiration_date: {}", quoted(it)));
    let name = quoted(&subject.name);
    match subject.kind {
        SubjectKind::VirtualAccount => format!(
            "---\ntype: virtual-account\nname: {name}\npermissions: []\n\
             token_sha256: {hash:?}{expires}"
        ),
        SubjectKind::User | SubjectKind::Team => format!(
            "---\ntype: personal-access-token\nname: {}\nsubject: {}\n\
             token_sha256: {hash:?}{expires}",
            quoted(&format!("{}-{}", subject.name, &hash[..8])),
            quoted(&subject.to_string()),
        ),
    }
}

/// JSON strings are YAML.
fn quoted(text: &str) -> String {
    serde_json::Value::from(text).to_string()
}

fn refuse(out: &mut impl Write, why: &str) -> io::Result<u8> {
    writeln!(out, "error: {why}")?;
    Ok(2)
}
