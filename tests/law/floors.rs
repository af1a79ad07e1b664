//! Who may import whom, and which outside names belong to which rooms.

use super::{Source, code, tokens, without_tests};

/// A room, its floor, and the rooms (or parts of rooms) it may import.
pub const ROOMS: [(&str, u8, &[&str]); 14] = [
    ("main", 9, &["gateway", "cli", "lexicon"]),
    (
        "gateway",
        8,
        // Of `provider` only the table of vendors, which quickstart reads.
        &[
            "data_plane",
            "control_plane",
            "rehearsal",
            "bridge",
            "snapshot",
            "provider::vendor",
            "lexicon",
        ],
    ),
    // Of `bridge` only how a receipt is read back, which `weir receipts` does.
    (
        "cli",
        8,
        &["control_plane", "bridge::receipts::record", "snapshot", "policy", "manifest", "lexicon"],
    ),
    ("data_plane", 7, &["bridge", "snapshot", "provider", "policy", "dialect", "wire", "lexicon"]),
    (
        "control_plane",
        7,
        &["bridge", "snapshot", "policy", "provider::auth", "manifest", "lexicon"],
    ),
    ("rehearsal", 7, &["lexicon"]),
    ("bridge", 6, &["snapshot", "lexicon"]),
    ("snapshot", 5, &["provider", "policy", "manifest", "lexicon"]),
    ("provider", 4, &["dialect", "wire", "manifest", "lexicon"]),
    ("policy", 3, &["manifest", "lexicon"]),
    ("dialect", 3, &["wire", "lexicon"]),
    ("manifest", 2, &["lexicon"]),
    ("wire", 2, &["lexicon"]),
    ("lexicon", 1, &[]),
];

/// Outside crates that only these rooms, or folders of rooms, may name.
const FENCED: [(&[&str], &[&str]); 4] = [
    (&["monoio", "hyper"], &["data_plane", "rehearsal"]),
    (&["h2"], &["data_plane/http2"]),
    (&["tokio", "axum", "notify"], &["control_plane", "cli", "gateway", "main"]),
    (&["rusqlite", "sqlx", "postgres", "redis"], &["control_plane", "cli"]),
];

/// What no room below this floor does: open sockets or files, read clocks, lock, wait.
const IMPURE_FLOOR: u8 = 6;
const IMPURE: [&str; 14] = [
    "fs",
    "TcpStream",
    "TcpListener",
    "UdpSocket",
    "UnixStream",
    "UnixListener",
    "ToSocketAddrs",
    "Mutex",
    "RwLock",
    "Condvar",
    "async",
    "await",
    "thread",
    "parking_lot",
];

/// Where `unsafe` may stand.
pub const UNSAFE: [&str; 5] = [
    "bench/allocations.rs",
    "src/bridge/receipts/mapping.rs",
    "src/data_plane/descriptor.rs",
    "src/rehearsal/line.rs",
    "src/wire/json/blocks.rs",
];

/// The room that a file of `src/` belongs to; none for the map itself.
pub fn room(path: &str) -> Option<&str> {
    let name = path.strip_prefix("src/")?.split('/').next()?.trim_end_matches(".rs");
    (name != "lib").then_some(name)
}

/// What this file does against the floors.
pub fn broken(source: &Source) -> Vec<String> {
    let Some(room) = room(&source.path) else { return Vec::new() };
    let Some((_, floor, may)) = ROOMS.iter().find(|(name, ..)| *name == room) else {
        return vec![format!("{}: the room {room} is on no floor", source.path)];
    };
    let code = code(&source.text);
    let code = without_tests(&code);
    let tokens = tokens(code);
    let mut broken = Vec::new();
    for path in imports(&tokens, if room == "main" { "weir" } else { "crate" }) {
        let is_allowed = path.split("::").next() == Some(room)
            || may.iter().any(|may| path == *may || path.starts_with(&format!("{may}::")));
        if !is_allowed {
            broken.push(format!("{}: {room} may not import {path}", source.path));
        }
    }
    for (names, rooms) in FENCED {
        let found = tokens.iter().find(|token| names.contains(*token));
        let is_inside = |place: &&str| source.path.starts_with(&format!("src/{place}/"));
        let may = rooms.contains(&room) || rooms.iter().any(is_inside);
        if let (Some(name), false) = (found, may) {
            broken.push(format!("{}: {name} belongs to {rooms:?}", source.path));
        }
    }
    if *floor < IMPURE_FLOOR {
        let word = tokens.iter().find(|token| IMPURE.contains(*token));
        let clock = tokens.windows(3).find(|three| {
            ["Instant", "SystemTime", "Timestamp", "Zoned"].contains(&three[0])
                && three[1..] == ["::", "now"]
        });
        for found in word.into_iter().chain(clock.map(|clock| &clock[0])) {
            broken.push(format!("{}: {found} below floor {IMPURE_FLOOR}", source.path));
        }
    }
    broken
}

/// Every path that begins with `root`, groups opened: `crate::a::{b, c::d}` is `a::b`, `a::c::d`.
fn imports(tokens: &[&str], root: &str) -> Vec<String> {
    let mut paths = Vec::new();
    for (at, token) in tokens.iter().enumerate() {
        if *token == root && tokens.get(at + 1) == Some(&"::") {
            open(&tokens[at + 2..], "", &mut paths);
        }
    }
    paths
}

/// Opens one use tree; how many tokens it took.
fn open(tokens: &[&str], prefix: &str, paths: &mut Vec<String>) -> usize {
    let Some(first) = tokens.first() else { return 0 };
    if *first != "{" {
        let path =
            if prefix.is_empty() { (*first).to_owned() } else { format!("{prefix}::{first}") };
        if tokens.get(1) == Some(&"::") {
            return 2 + open(&tokens[2..], &path, paths);
        }
        paths.push(path);
        return 1;
    }
    let mut at = 1;
    while at < tokens.len() && tokens[at] != "}" {
        at += match tokens[at] {
            "," => 1,
            "as" => 2,
            _ => open(&tokens[at..], prefix, paths).max(1),
        };
    }
    at + 1
}
