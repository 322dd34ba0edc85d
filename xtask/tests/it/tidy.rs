//! House rules that no other tool checks: what comments and documents point to is there.

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;
use std::process::Command;

pub fn root() -> PathBuf {
    std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("..")
}

/// The tracked text files, by path from the root. Works in an exported tree too.
pub fn files() -> BTreeMap<String, String> {
    let listed = Command::new("git")
        .args([
            "ls-files",
            "-z",
            "--cached",
            "--others",
            "--exclude-standard",
        ])
        .current_dir(root())
        .output()
        .unwrap();
    assert!(
        listed.status.success(),
        "{}",
        String::from_utf8_lossy(&listed.stderr)
    );
    let names = String::from_utf8(listed.stdout).unwrap();
    names
        .split_terminator('\0')
        .filter_map(|name| {
            // Pictures and archives of fixtures are not text; a deleted file is still listed.
            let text = std::fs::read_to_string(root().join(name)).ok()?;
            Some((name.to_owned(), text))
        })
        .collect()
}

/// The numbers of records: `D08-one-copy-of-cuda.md` is 8.
fn records(files: &BTreeMap<String, String>) -> BTreeMap<u32, &str> {
    files
        .keys()
        .filter_map(|path| {
            let name = path.strip_prefix("docs/design/D")?;
            let number = name.split('-').next()?.parse().ok()?;
            Some((number, path.as_str()))
        })
        .collect()
}

/// What stands behind each `prefix` in the text, as far as `is_part` goes.
fn mentions<'a>(
    text: &'a str,
    prefix: &'a str,
    is_part: fn(char) -> bool,
) -> impl Iterator<Item = &'a str> {
    text.split(prefix).skip(1).map(move |rest| {
        let end = rest.find(|character| !is_part(character));
        &rest[..end.unwrap_or(rest.len())]
    })
}

/// The mentions of records in one file that lead nowhere.
fn dangling(text: &str, records: &BTreeMap<u32, &str>) -> Vec<String> {
    let numbers = mentions(text, concat!("design", " D"), |c| c.is_ascii_digit())
        .filter_map(|number| number.parse::<u32>().ok())
        .filter(|number| !records.contains_key(number))
        .map(|number| format!("D{number}"));
    let is_path = |c: char| c.is_ascii_alphanumeric() || "-._/".contains(c);
    let paths = mentions(text, concat!("docs/", "design/D"), is_path)
        // A sentence may end behind the name.
        .map(|name| format!("docs/design/D{}", name.trim_end_matches('.')))
        .filter(|path| !records.values().any(|record| record == path));
    numbers.chain(paths).collect()
}

#[test]
fn err_a_record_that_is_not_there() {
    let records = BTreeMap::from([(8, "docs/design/D08-one.md")]);
    let text = "(design D8) (design D9). See docs/design/D08-one.md. And docs/design/D08-two.md";
    assert_eq!(dangling(text, &records), ["D9", "docs/design/D08-two.md"]);
}

#[test]
fn ok_every_named_record_exists() {
    let files = files();
    let records = records(&files);
    assert!(records.len() >= 30, "{records:?}");
    let found: Vec<String> = files
        .iter()
        .filter(|(path, _)| *path != "xtask/tests/it/tidy.rs")
        .flat_map(|(path, text)| {
            dangling(text, &records)
                .into_iter()
                .map(move |mention| format!("{path}: {mention}"))
        })
        .collect();
    assert!(found.is_empty(), "no such record:\n{}", found.join("\n"));
}

#[test]
fn ok_every_record_is_listed_and_complete() {
    let files = files();
    let index = &files["docs/design/README.md"];
    for (number, path) in records(&files) {
        let text = &files[path];
        let title = text.lines().next().unwrap();
        let title = title
            .strip_prefix(&format!("# D{number}: "))
            .unwrap_or_else(|| panic!("{path}: its first line is not `# D{number}: …`"));
        let file = path.rsplit('/').next().unwrap();
        let row = format!("| [D{number}]({file}) | {title} | ");
        let status = index
            .lines()
            .find_map(|line| line.strip_prefix(&row))
            .unwrap_or_else(|| panic!("docs/design/README.md has no line `{row}…`"))
            .trim_end_matches(" |");
        assert!(
            text.contains(&format!("\nStatus: {status}")),
            "{path}: its status is not `{status}`, which the index says"
        );
        let headings: Vec<&str> = text
            .lines()
            .filter_map(|line| line.strip_prefix("## "))
            .collect();
        assert_eq!(
            headings,
            ["Context", "Decision", "Measured", "Consequences"],
            "{path}"
        );
    }
}

#[test]
fn ok_the_project_s_address_is_one_setting() {
    let files = files();
    let manifest: toml::Table = toml::from_str(&files["Cargo.toml"]).unwrap();
    let address = manifest["workspace"]["package"]["repository"]
        .as_str()
        .unwrap();
    let found: Vec<&String> = files
        .iter()
        .filter(|(_, text)| text.contains(address))
        .map(|(path, _)| path)
        .collect();
    assert_eq!(
        found,
        ["Cargo.toml"],
        "only `repository` in Cargo.toml says where the project is"
    );
}

/// A newcomer finds each crate and each file of `nix/` in ARCHITECTURE.md.
#[test]
fn ok_the_code_map_is_complete() {
    let files = files();
    let map = &files["ARCHITECTURE.md"];
    let pieces: BTreeSet<String> = files
        .keys()
        .filter_map(|path| {
            let mut parts = path.split('/');
            match (parts.next()?, parts.next()?, parts.next()) {
                ("crates", name, Some(_)) => Some(format!("crates/{name}")),
                ("nix", name, None) => name
                    .strip_suffix(".nix")
                    .filter(|name| *name != "default")
                    .map(str::to_owned),
                _ => None,
            }
        })
        .collect();
    assert!(pieces.len() > 40, "{pieces:?}");
    let missing: Vec<&String> = pieces
        .iter()
        .filter(|piece| !map.contains(&format!("`{piece}`")))
        .collect();
    assert!(missing.is_empty(), "not in ARCHITECTURE.md: {missing:?}");
    // And what it names is there.
    let stale: Vec<&str> = map
        .split('`')
        .skip(1)
        .step_by(2)
        .filter(|name| name.starts_with("crates/") || name.starts_with("xtask/"))
        .filter(|name| !root().join(name).exists())
        .collect();
    assert!(stale.is_empty(), "ARCHITECTURE.md names {stale:?}");
}

/// `[text](target)` of a Markdown file, without addresses and anchors.
fn links(text: &str) -> impl Iterator<Item = &str> {
    text.split("](").skip(1).filter_map(|rest| {
        let target = rest.split(')').next()?.split('#').next()?;
        (!target.is_empty() && !target.contains("://")).then_some(target)
    })
}

#[test]
fn ok_links_lead_to_files() {
    let files = files();
    let mut found = BTreeSet::new();
    for (path, text) in files.iter().filter(|(path, _)| path.ends_with(".md")) {
        let directory = root().join(path);
        let directory = directory.parent().unwrap();
        found.extend(
            links(text)
                .filter(|target| !directory.join(target).exists())
                .map(|target| format!("{path}: {target}")),
        );
    }
    assert!(found.is_empty(), "links to nothing:\n{found:#?}");
}
