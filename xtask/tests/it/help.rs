//! The help texts, which are also `docs/cli.md`.

use std::path::Path;

use clap::CommandFactory as _;
use xtask::cli::Cli;

/// Set to write the file instead of comparing it.
const UPDATE: &str = "XTASK_UPDATE_DOCS";

fn page() -> String {
    let mut page = String::from(
        "# Commands\n\n\
         The help of every command, written by `XTASK_UPDATE_DOCS=1 cargo test -p xtask --test it help`.\n",
    );
    // The width must not be that of the terminal at hand.
    let mut command = Cli::command().term_width(90);
    command.build();
    let mut section = |name: &str, command: &mut clap::Command| {
        let help = command.render_long_help().to_string();
        let lines: Vec<&str> = help.lines().map(str::trim_end).collect();
        page.push_str(&format!(
            "\n## `{name}`\n\n```text\n{}\n```\n",
            lines.join("\n").trim_end()
        ));
    };
    section("cargo xtask", &mut command);
    for subcommand in command.get_subcommands_mut() {
        if subcommand.get_name() != "help" {
            let name = format!("cargo xtask {}", subcommand.get_name());
            section(&name, subcommand);
        }
    }
    page
}

#[test]
fn ok_docs_are_the_help() {
    compare("cli.md", &page());
}

#[test]
fn ok_docs_are_the_schema_of_the_report() {
    let schema = serde_json::to_string_pretty(&factory_verify::report::schema()).unwrap();
    compare("verify-report.schema.json", &format!("{schema}\n"));
}

/// A file of `docs/` that this program writes.
fn compare(name: &str, page: &str) {
    let path = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("../docs")
        .join(name);
    if std::env::var_os(UPDATE).is_some() {
        fs_err::create_dir_all(path.parent().unwrap()).unwrap();
        fs_err::write(path, page).unwrap();
        return;
    }
    let committed = fs_err::read_to_string(path).unwrap();
    assert!(
        committed == page,
        "docs/{name} is not what this program says: write it with `{UPDATE}=1 cargo test -p xtask --test it help`"
    );
}

#[test]
fn ok_first_lines_are_short_and_imperative() {
    let command = Cli::command();
    for subcommand in command.get_subcommands() {
        let about = subcommand.get_about().unwrap().to_string();
        assert!(
            about.len() < 72 && !about.ends_with('.') && !about.contains('\n'),
            "{about}"
        );
    }
}
