//! `package-lists/README.md` explains every field that the lists and locks use, and its
//! examples have no other.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

/// Below these, keys are names that people choose.
const MAPS: [&str; 11] = [
    "direct",
    "files",
    "from_index",
    "git",
    "root",
    "sdist",
    "system",
    "tarball",
    "tree",
    "variant",
    "weights",
];

fn lists() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../package-lists")
}

/// The fields of a document, without names that people choose.
fn fields(value: &toml::Value, are_names: bool, found: &mut BTreeSet<String>) {
    match value {
        toml::Value::Table(table) => {
            for (key, value) in table {
                if !are_names {
                    found.insert(key.clone());
                }
                let is_map = !are_names && MAPS.contains(&key.as_str()) && value.is_table();
                fields(value, is_map, found);
            }
        }
        toml::Value::Array(values) => {
            for value in values {
                fields(value, false, found);
            }
        }
        _ => {}
    }
}

fn fields_of(text: &str) -> BTreeSet<String> {
    let mut found = BTreeSet::new();
    let table: toml::Table = toml::from_str(text).unwrap_or_else(|error| panic!("{error}: {text}"));
    fields(&toml::Value::Table(table), false, &mut found);
    found
}

/// The section below a heading of the second level.
fn section<'a>(page: &'a str, heading: &str) -> &'a str {
    let start = format!("\n## {heading}\n");
    let at = page
        .find(&start)
        .unwrap_or_else(|| panic!("package-lists/README.md has no section `{heading}`"));
    let rest = &page[at + start.len()..];
    &rest[..rest.find("\n## ").unwrap_or(rest.len())]
}

/// The fenced blocks of a language.
fn examples<'a>(section: &'a str, language: &str) -> Vec<&'a str> {
    let fence = format!("```{language}\n");
    section
        .split(&fence)
        .skip(1)
        .filter_map(|rest| rest.split("```").next())
        .collect()
}

fn has_word(text: &str, word: &str) -> bool {
    text.split(|c: char| !(c.is_ascii_alphanumeric() || c == '_'))
        .any(|part| part == word)
}

/// The TOML files that a section is about.
fn files_of(heading: &str) -> Vec<PathBuf> {
    if heading == "Locks" {
        return walkdir::WalkDir::new(lists().join("locks"))
            .into_iter()
            .map(|entry| entry.unwrap().into_path())
            .filter(|path| {
                // It has the fields of `sources.toml`, in whose section they stand.
                path.extension()
                    .is_some_and(|extension| extension == "toml")
                    && !path.ends_with("locks/sources.toml")
            })
            .collect();
    }
    vec![lists().join(heading.trim_matches('`'))]
}

fn headings() -> Vec<String> {
    let mut headings = vec!["Locks".to_owned()];
    for entry in std::fs::read_dir(lists()).unwrap() {
        let name = entry.unwrap().file_name().to_string_lossy().into_owned();
        if name.ends_with(".toml") {
            headings.push(format!("`{name}`"));
        }
    }
    headings
}

#[test]
fn ok_every_field_is_explained() {
    let page = std::fs::read_to_string(lists().join("README.md")).unwrap();
    let mut missing = BTreeSet::new();
    for heading in headings() {
        let section = section(&page, &heading);
        let files = files_of(&heading);
        assert!(!files.is_empty(), "{heading}");
        for file in files {
            let text = std::fs::read_to_string(&file).unwrap();
            missing.extend(
                fields_of(&text)
                    .into_iter()
                    .filter(|field| !has_word(section, field))
                    .map(|field| {
                        format!("`{field}` of {}, in section `{heading}`", file.display())
                    }),
            );
        }
    }
    assert!(
        missing.is_empty(),
        "package-lists/README.md does not explain:\n{missing:#?}"
    );
}

#[test]
fn ok_examples_use_fields_that_exist() {
    let page = std::fs::read_to_string(lists().join("README.md")).unwrap();
    for heading in headings() {
        let known: BTreeSet<String> = files_of(&heading)
            .iter()
            .flat_map(|file| fields_of(&std::fs::read_to_string(file).unwrap()))
            .collect();
        let examples = examples(section(&page, &heading), "toml");
        assert!(!examples.is_empty(), "`{heading}` has no example");
        for example in examples {
            let unknown: Vec<String> = fields_of(example)
                .into_iter()
                .filter(|field| !known.contains(field))
                .collect();
            assert!(
                unknown.is_empty(),
                "the example of `{heading}` has {unknown:?}, which no such file has"
            );
        }
    }
}

#[test]
fn ok_examples_of_lists_are_lines_of_lists() {
    let page = std::fs::read_to_string(lists().join("README.md")).unwrap();
    for heading in ["Python lists: `*.txt`", "`constraints.txt`", "`nodes.txt`"] {
        let examples = examples(section(&page, heading), "text");
        assert!(!examples.is_empty(), "`{heading}` has no example");
        for example in examples {
            let parsed = factory_resolve::python::parse_list(heading, example).unwrap();
            assert!(!parsed.is_empty(), "{heading}");
        }
    }
}
