//! One line of a Python list: a PEP 508 requirement or a git URL with a full revision. Pure.

use super::name::PackageName;
use super::pep508;
use factory_model::list::{Fault, Line, lines};

/// What a list line asks for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Requirement {
    /// A requirement that uv resolves, as written.
    Index {
        /// Normalized name.
        name: PackageName,
        /// The line.
        text: String,
    },
    /// `git+https://HOST/OWNER/REPOSITORY@REVISION#egg=NAME`.
    Git {
        /// Normalized name.
        name: PackageName,
        /// Clone URL.
        url: String,
        /// 40 hex digits.
        revision: String,
    },
}

impl Requirement {
    /// The project it names.
    pub fn name(&self) -> &PackageName {
        match self {
            Requirement::Index { name, .. } | Requirement::Git { name, .. } => name,
        }
    }
}

/// Reads a list.
///
/// # Errors
/// Each line that is neither a requirement nor a git URL.
pub fn parse_list(file: &str, text: &str) -> Result<Vec<(Line, Requirement)>, Vec<Fault>> {
    let mut found = Vec::new();
    let mut faults = Vec::new();
    for line in lines(text) {
        match parse(&line.text) {
            Ok(requirement) => found.push((line, requirement)),
            Err((offset, reason)) => faults.push(Fault {
                file: file.to_owned(),
                line: line.number,
                column: line.column + offset,
                reason,
            }),
        }
    }
    if faults.is_empty() {
        Ok(found)
    } else {
        Err(faults)
    }
}

/// Reads one requirement; an error has its offset in characters.
pub(super) fn parse(text: &str) -> Result<Requirement, (usize, String)> {
    if text.starts_with("git+") {
        return git(text);
    }
    if text.starts_with('-') {
        return Err((
            0,
            format!("`{text}` is an option; a list line is a PEP 508 requirement or a git URL"),
        ));
    }
    if let Some(offset) = text.chars().position(|character| !character.is_ascii()) {
        return Err((
            offset,
            format!("`{text}` is not a PEP 508 requirement: it holds a character outside ASCII"),
        ));
    }
    let named = |character: char| character.is_ascii_alphanumeric() || "-_.".contains(character);
    let end = text
        .find(|character| !named(character))
        .unwrap_or(text.len());
    if let Err(error) = text[..end].parse::<PackageName>() {
        let reason = if end == 0 {
            "it does not start with a project name".to_owned()
        } else {
            error.to_string()
        };
        return Err((
            0,
            format!("`{text}` is not a PEP 508 requirement: {reason}"),
        ));
    }
    let name = pep508::check(text).map_err(|fault| {
        (
            fault.offset,
            format!("`{text}` is not a PEP 508 requirement: {}", fault.reason),
        )
    })?;
    Ok(Requirement::Index {
        name: name
            .parse()
            .map_err(|error: super::name::ParseNameError| (0, error.to_string()))?,
        text: text.to_owned(),
    })
}

fn git(text: &str) -> Result<Requirement, (usize, String)> {
    let form = "write git+https://HOST/OWNER/REPOSITORY@REVISION#egg=NAME";
    let (rest, fragment) = text.split_once('#').ok_or_else(|| {
        (
            text.chars().count(),
            format!("the git URL names no project: {form}"),
        )
    })?;
    let at = |offset: usize| text[..offset].chars().count();
    let name = fragment
        .strip_prefix("egg=")
        .and_then(|name| name.parse().ok())
        .ok_or_else(|| {
            (
                at(rest.len() + 1),
                format!("`{fragment}` names no project: {form}"),
            )
        })?;
    let (url, revision) = rest.rsplit_once('@').ok_or_else(|| {
        (
            at(rest.len()),
            format!("the git URL has no revision: {form}"),
        )
    })?;
    if revision.len() != 40 || !revision.bytes().all(|byte| byte.is_ascii_hexdigit()) {
        return Err((
            at(url.len() + 1),
            format!(
                "`{revision}` is not a full revision (40 hex digits); a tag or branch may move"
            ),
        ));
    }
    let url = url.trim_start_matches("git+");
    if !url.starts_with("https://") {
        return Err((4, format!("only https is supported: {form}")));
    }
    Ok(Requirement::Git {
        name,
        url: url.to_owned(),
        revision: revision.to_ascii_lowercase(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn ok_both_kinds() {
        let text = "SQLAlchemy>=2 # database\ntrimesh[easy]; python_version >= '3.14'\ngit+https://github.com/openai/CLIP@d05afc436d78f1c48dc0dbf8e5980a9d471f35f6#egg=clip\n";
        let names: Vec<String> = parse_list("x.txt", text)
            .unwrap()
            .iter()
            .map(|(_, requirement)| requirement.name().to_string())
            .collect();
        assert_eq!(names, ["sqlalchemy", "trimesh", "clip"]);
    }

    #[test]
    fn err_lines() {
        let text = "numpy=>2\n-r other.txt\ngit+https://github.com/a/b@main#egg=b\ngit+https://github.com/a/b\n  foo bar\n";
        let faults: Vec<String> = parse_list("x.txt", text)
            .unwrap_err()
            .iter()
            .map(|fault| fault.to_string().replace('\n', " / "))
            .collect();
        insta::assert_snapshot!(faults.join("\n"), @r#"
        x.txt:1:6: `numpy=>2` is not a PEP 508 requirement: no such comparison operator "=>", must be one of ~= == != <= >= < > ===
        x.txt:2:1: `-r other.txt` is an option; a list line is a PEP 508 requirement or a git URL
        x.txt:3:28: `main` is not a full revision (40 hex digits); a tag or branch may move
        x.txt:4:27: the git URL names no project: write git+https://HOST/OWNER/REPOSITORY@REVISION#egg=NAME
        x.txt:5:7: `foo bar` is not a PEP 508 requirement: expected one of `@`, `(`, `<`, `=`, `>`, `~`, `!`, `;`, found `b`
        "#);
    }

    proptest! {
        #[test]
        fn ok_any_text_is_read_or_refused(text: String) {
            if let Err(faults) = parse_list("x", &text) {
                for fault in faults {
                    prop_assert!(fault.line >= 1 && fault.column >= 1);
                }
            }
        }

        #[test]
        fn ok_name_survives(name in "[a-z][a-z0-9]{0,8}", version in "[0-9]{1,3}") {
            let line = format!("{name}>={version}");
            let found = parse_list("x", &line).unwrap();
            prop_assert_eq!(found[0].1.name().as_str(), name.as_str());
        }
    }
}
