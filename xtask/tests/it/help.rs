//! The help texts, which are also `docs/cli.md`, and the schemas of `docs/schemas/`.

use std::path::Path;

use clap::CommandFactory as _;
use xtask::cli::Cli;

/// Set to write the file instead of comparing it.
pub(crate) const UPDATE: &str = "XTASK_UPDATE_DOCS";

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
fn ok_docs_are_the_schemas() {
    let schemas = xtask::document::schemas();
    for (name, schema) in &schemas {
        let text = serde_json::to_string_pretty(schema).unwrap();
        compare(&format!("schemas/{name}.json"), &format!("{text}\n"));
    }
    let directory = Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/schemas");
    for entry in fs_err::read_dir(directory).unwrap() {
        let name = entry.unwrap().file_name().into_string().unwrap();
        let known = name
            .strip_suffix(".json")
            .is_some_and(|name| schemas.contains_key(name));
        assert!(known, "docs/schemas/{name} is no document's");
    }
}

/// No command makes a document of its own, outside the types that have a schema.
#[test]
fn ok_documents_are_types() {
    let sources = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    for entry in walkdir::WalkDir::new(sources) {
        let entry = entry.unwrap();
        if entry.file_type().is_file() {
            let text = fs_err::read_to_string(entry.path()).unwrap();
            let path = entry.path().display();
            assert!(!text.contains("json!("), "{path} makes JSON by hand");
            let is_document = entry.path().ends_with("document/mod.rs");
            assert!(is_document || !text.contains("schema_version"), "{path}");
        }
    }
}

/// A file of `docs/` that this program writes.
pub(crate) fn compare(name: &str, page: &str) {
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
