//! The README tells the truth about flags: its table is made from the command line itself.

use clap::CommandFactory;
use std::fmt::Write as _;
use weir::cli::flags::Flags;

const README: &str = include_str!("../README.md");
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
    let begin = README.find(BEGIN).expect("the table begins") + BEGIN.len();
    let end = README.find(END).expect("the table ends");
    let expected = table();

    assert_eq!(&README[begin..end], expected, "put this into README.md:\n{expected}");
}
