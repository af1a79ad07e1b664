//! The documents tell the truth: the table of flags is made from the command line itself, and links
//! lead somewhere.

use clap::CommandFactory;
use std::{fmt::Write as _, fs, path::Path};
use weir::cli::flags::Flags;

const SERVING: &str = include_str!("../docs/serving.md");
const BEGIN: &str = "<!-- flags -->\n";
const END: &str = "<!-- end of flags -->";

/// One row a flag of `weir serve` that is shown in `--help`.
fn table() -> String {
    let command = Flags::command();
    let serve = command.find_subcommand("serve").expect("there is serve");
    let mut table = "| flag | default | what |\n|---|---|---|\n".to_owned();
    for flag in serve.get_arguments().filter(|flag| flag.get_id() != "help" && !flag.is_hide_set())
    {
        let long = flag.get_long().expect("every flag has a name");
        let value = flag.get_value_names().map(|names| names[0].to_string());
        let value = value.filter(|_| flag.get_action().takes_values());
        let default: Vec<_> =
            flag.get_default_values().iter().map(|it| it.to_string_lossy()).collect();
        let what = flag.get_help().expect("every flag has a help").to_string();
        let _ = writeln!(
            table,
            "| `--{long}{}` | {} | {what} |",
            value.map_or_else(String::new, |value| format!(" {value}")),
            if default.is_empty() { String::new() } else { format!("`{}`", default.join(",")) },
        );
    }
    table
}

#[test]
fn the_table_of_flags_is_the_command_line() {
    let begin = SERVING.find(BEGIN).expect("the table begins") + BEGIN.len();
    let end = SERVING.find(END).expect("the table ends");
    let expected = table();

    assert_eq!(&SERVING[begin..end], expected, "put this into docs/serving.md:\n{expected}");
}

#[test]
fn every_link_between_documents_leads_to_a_file() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    for document in [
        "README.md",
        "SECURITY.md",
        "docs/choices.md",
        "docs/serving.md",
        "docs/vendors.md",
        "perf/SPEC.md",
    ] {
        let text = fs::read_to_string(root.join(document)).expect("the document");
        let folder = root.join(document).parent().expect("a folder").to_owned();
        let targets = text.split("](").skip(1).filter_map(|rest| rest.split(')').next());
        for target in targets.filter(|it| !it.starts_with("http") && !it.starts_with('#')) {
            assert!(folder.join(target).exists(), "{document} links to {target}");
        }
    }
}
