//! The licences in a machine-readable `copyright` file of Debian (DEP-5,
//! <https://www.debian.org/doc/packaging-manuals/copyright-format/1.0/>).

use std::collections::BTreeSet;

use crate::licence::{Licence, identifier, reference};

/// All licences of a package's files, each once; unknown where the file is for people only.
pub fn of_copyright(text: &str) -> Licence {
    let is_for_machines = text
        .lines()
        .next()
        .is_some_and(|line| line.starts_with("Format:") && line.contains("copyright-format"));
    if !is_for_machines {
        return Licence::Unknown;
    }
    let mut names = BTreeSet::new();
    for stanza in text.split("\n\n") {
        // A stanza without files only holds a licence's text.
        if !stanza.lines().any(|line| line.starts_with("Files:")) {
            continue;
        }
        let lines = stanza.lines();
        let licences = lines.filter_map(|line| line.strip_prefix("License:"));
        names.extend(licences.map(str::trim).filter(|name| !name.is_empty()));
    }
    let parts: BTreeSet<String> = names.into_iter().flat_map(all_of).collect();
    if parts.is_empty() {
        return Licence::Unknown;
    }
    let is_alone = parts.len() == 1;
    let parts: Vec<String> = parts
        .into_iter()
        .map(|part| match part.contains(" OR ") && !is_alone {
            true => format!("({part})"),
            false => part,
        })
        .collect();
    Licence::Expression(parts.join(" AND "))
}

/// The licences that all hold.
fn all_of(name: &str) -> Vec<String> {
    let expression = expression(name);
    if expression.contains(" OR ") {
        return vec![expression];
    }
    expression.split(" AND ").map(str::to_owned).collect()
}

/// `GPL-1+ or Artistic` as an SPDX expression; what is not understood is one name as a whole.
fn expression(name: &str) -> String {
    let name = name.to_owned();
    // A comma changes what binds more; an exception belongs to its licence.
    if name.contains([',', '/']) || name.to_ascii_lowercase().contains(" with ") {
        return reference("debian", &name);
    }
    let one = |name: &str| match identifier(name) {
        Some(known) => known.to_owned(),
        None => reference("debian", name),
    };
    // `and` binds more than `or` there and here.
    let alternatives = name.split(" or ").map(|alternative| {
        let all: Vec<String> = alternative.split(" and ").map(one).collect();
        all.join(" AND ")
    });
    alternatives.collect::<Vec<_>>().join(" OR ")
}

#[cfg(test)]
mod tests {
    use super::*;

    const HEAD: &str =
        "Format: https://www.debian.org/doc/packaging-manuals/copyright-format/1.0/\n";

    #[test]
    fn ok_all_files() {
        let text = format!(
            "{HEAD}\nFiles: *\nCopyright: x\nLicense: GPL-3+\n\nFiles: a\nLicense: Expat\n text\n\n\
             Files: b\nLicense: GPL-1+ or Artistic\n\nFiles: c\nLicense: GPL-2+ with Bison exception\n\n\
             Files: d\nLicense: Expat and GPL-3+\n\nLicense: unused\n text\n"
        );
        let expected = "(GPL-1.0-or-later OR Artistic-1.0-Perl) AND GPL-3.0-or-later AND \
            LicenseRef-debian-GPL-2plus-with-Bison-exception AND MIT";
        assert_eq!(
            of_copyright(&text),
            Licence::Expression(expected.to_owned())
        );
    }

    #[test]
    fn ok_one_choice_needs_no_brackets() {
        let text = format!("{HEAD}\nFiles: *\nLicense: GPL-2+ or MIT and Zlib\n");
        let expected = "GPL-2.0-or-later OR MIT AND Zlib";
        assert_eq!(
            of_copyright(&text),
            Licence::Expression(expected.to_owned())
        );
    }

    #[test]
    fn err_for_people_only() {
        assert_eq!(
            of_copyright("This package is under the GPL.\n"),
            Licence::Unknown
        );
        assert_eq!(of_copyright(HEAD), Licence::Unknown);
        assert_eq!(of_copyright(""), Licence::Unknown);
    }
}
