//! Text to trees: what is accepted, and the bounds.

use super::desk::check;
use proptest::{prop_assert, proptest};
use std::fmt::Write;
use weir::manifest::{
    tree::Value,
    yaml::{DEPTH_MAX, FILE_BYTES_MAX, NODES_MAX, parse},
};

fn origins(text: &str) -> Vec<(String, u32)> {
    let sources = parse("m.yaml", text).expect(text);
    sources.into_iter().map(|source| (source.origin, source.tree.line)).collect()
}

#[test]
fn documents_lists_and_wrappers_are_one_thing() {
    let named = |text: &str| origins(text).into_iter().map(|it| it.0).collect::<Vec<_>>();
    assert_eq!(named("a: 1"), ["m.yaml"]);
    assert_eq!(named("a: 1\n---\nb: 1\n"), ["m.yaml#1", "m.yaml#2"]);
    assert_eq!(named("- a: 1\n- b: 1\n---\nc: 1\n---\n"), ["m.yaml#1", "m.yaml#2", "m.yaml#3"]);
    assert_eq!(named("[{\"a\": 1}, {\"manifest\": {\"b\": 1}}]"), ["m.yaml#1", "m.yaml#2"]);
    assert_eq!(named("# nothing\n"), [""; 0]);
    assert_eq!(origins("{\"manifest\":\n {\n\"b\": 1}}"), [("m.yaml".to_owned(), 2)]);
}

#[test]
fn an_alias_and_a_merge_give_what_was_written_elsewhere() {
    let text = "base: &base {a: 1, b: 2}\nmine:\n  <<: *base\n  b: 3\n";
    let sources = parse("m.yaml", text).expect("YAML");
    let mine = sources[0].tree.get("mine").expect("a mapping");

    assert_eq!(mine.get("a").map(|node| &node.value), Some(&Value::Integer(1)));
    assert_eq!(mine.get("b").map(|node| &node.value), Some(&Value::Integer(3)));
    assert_eq!(mine.get("<<"), None);
}

#[test]
fn text_that_is_no_yaml_is_one_problem_with_its_line() {
    check("a: 1\na: 2\n", r"m.yaml:2: error: found `a` a second time, wanted each key once");
    check(
        "authz_rules:\n  - models:\n      - a/b\n    users:\n      - u1\n\t\t\t- u2\n",
        r"m.yaml:5: error: found `while scanning a plain scalar, found a tab`, wanted spaces,
    not tabs, to indent",
    );
    check(
        "a: [1, 2\nb: 3\n",
        r"m.yaml:2: error: found `illegal placement of ':' indicator`, wanted YAML or JSON",
    );
    check(
        "a: *nowhere\n",
        r"m.yaml:1: error: found `while parsing node, found unknown anchor`, wanted YAML or
    JSON",
    );
    check("a: &a [*a]\n", r"m.yaml:1: error: found an alias inside its own anchor, wanted a tree");
    check("{[a]: 1}\n", r"m.yaml:1: error: found a list or a mapping as a key, wanted text");
    check("just text\n", r"m.yaml:1: error: found text, wanted a mapping with a type");
    check("- a\n", r"m.yaml:1: error: found text, wanted a mapping with a type");
}

#[test]
fn a_bomb_of_aliases_ends_at_the_bound() {
    let mut text = String::from("a0: &a0 [x, x, x, x, x, x, x, x, x, x]\n");
    for level in 1..12 {
        let alias = format!("*a{}", level - 1);
        let list = vec![alias; 10].join(", ");
        writeln!(text, "a{level}: &a{level} [{list}]").expect("memory");
    }

    let problem = parse("m.yaml", &text).expect_err("a bomb");

    assert_eq!(
        problem.to_string(),
        "m.yaml:6: error: found more values, aliases counted, wanted at most 500000 in a file"
    );
}

#[test]
fn nesting_size_and_count_are_bounded() {
    let nested = |depth: usize| format!("{}{}", "[".repeat(depth), "]".repeat(depth));
    assert!(parse("m.yaml", &nested(DEPTH_MAX)).is_ok());
    assert!(parse("m.yaml", &nested(DEPTH_MAX + 1)).is_err());
    // Deeper than any parser's stack: refused, not overflowed.
    assert!(parse("m.yaml", &"[".repeat(100_000)).is_err());
    assert!(parse("m.yaml", &"- ".repeat(100_000)).is_err());

    let sized = |bytes: usize| format!("#{}", " ".repeat(bytes - 1));
    assert!(parse("m.yaml", &sized(FILE_BYTES_MAX)).is_ok());
    assert!(parse("m.yaml", &sized(FILE_BYTES_MAX + 1)).is_err());

    let counted = |nodes: usize| format!("[{}]", vec!["1"; nodes - 1].join(","));
    assert!(parse("m.yaml", &counted(NODES_MAX + 1)).is_err());
}

proptest! {
    #[test]
    fn any_text_is_documents_or_a_problem(text in "[-a-z0-9:{}\\[\\]&*!|>'\"#%@,? \n\t~<]{0,120}") {
        let read = parse("m.yaml", &text);
        match read {
            Ok(documents) => prop_assert!(documents.len() <= text.len()),
            Err(problem) => prop_assert!(!problem.found.is_empty() && !problem.wanted.is_empty()),
        }
    }
}
