//! Which files are read, and what is said of those that cannot be.

use super::desk::Desk;
use std::fs;

const TEAM: &str = "{type: team, name: NAME, members: []}";

fn names(desk: &Desk) -> Vec<String> {
    let loaded = desk.loaded();
    loaded.documents.iter().map(|document| document.origin.clone()).collect()
}

#[test]
fn manifests_in_and_below_a_folder_are_read_by_name_and_hidden_ones_are_not() {
    let team = |name: &str| TEAM.replace("NAME", name);
    let desk = Desk::with(&[
        ("b.yml", &team("b")),
        ("a.yaml", &team("a")),
        ("c.JSON", &team("c")),
        (".hidden.yaml", "{"),
        ("notes.md", "{"),
        ("a.yaml~", "{"),
    ]);
    for folder in ["sub", ".git"] {
        fs::create_dir(desk.manifests().join(folder)).expect("a folder");
    }
    desk.write("sub/d.yaml", &team("d"));
    desk.write(".git/e.yaml", "{");
    let gone = desk.manifests().join("gone.yaml");
    std::os::unix::fs::symlink("/nowhere", gone).expect("a link");

    assert_eq!(names(&desk), ["a.yaml", "b.yml", "c.JSON", "sub/d.yaml"]);
}

#[test]
fn a_file_that_cannot_be_read_is_a_problem() {
    let desk = Desk::with(&[]);
    fs::write(desk.manifests().join("latin.yaml"), b"name: M\xfcnchen\n").expect("a file");

    assert_eq!(
        desk.said(),
        ["latin.yaml:0: error: found `it is not UTF-8 text`, wanted a file that can be read"]
    );

    fs::write(desk.manifests().join("latin.yaml"), vec![b' '; (4 << 20) + 1]).expect("a file");

    assert_eq!(
        desk.said(),
        ["latin.yaml:0: error: found 4194305 bytes, wanted at most 4194304 bytes"]
    );
}

#[test]
fn a_folder_without_manifests_or_without_documents_is_a_problem() {
    let desk = Desk::with(&[("notes.md", "nothing")]);
    assert_eq!(
        desk.said(),
        ["manifests:0: error: found no manifest, wanted at least one *.yaml, *.yml or *.json"]
    );

    desk.write("empty.yaml", "# nothing\n");
    let said = desk.said().join("\n");
    assert!(said.contains("found no document, wanted at least one"), "{said}");

    fs::remove_dir_all(desk.manifests()).expect("a folder to remove");
    let said = desk.said().join("\n");
    assert!(said.contains("No such file or directory"), "{said}");
}

#[test]
fn a_secret_is_a_file_without_its_line_end_and_else_a_variable() {
    let desk =
        Desk::with(&[("m.yaml", "{type: virtual-account, name: v, token: 'tfy-secret://t:g:K'}")]);
    let opens = |token: &str| {
        use sha2::Digest;
        let hash: [u8; 32] = sha2::Sha256::digest(token).into();
        desk.loaded().compiled.snapshot.tokens.contains_key(&hash)
    };

    for (text, token) in [
        ("long enough token\n", "long enough token"),
        ("crlf token here\r\n", "crlf token here"),
        (" spaces are kept ", " spaces are kept "),
    ] {
        desk.keep_secret("g", "K", text);
        assert!(opens(token), "{text:?}");
    }
    desk.keep_secret("g", "K", &"x".repeat((64 << 10) + 1));
    assert!(desk.said()[0].contains("cannot be read"));

    // Every process has a path.
    desk.write("m.yaml", "{type: virtual-account, name: v, token: 'tfy-secret://t:g:PATH'}");
    assert!(opens(&std::env::var("PATH").expect("a path")));
}
