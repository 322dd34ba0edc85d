//! Tables of a document, between markers, from data.

use std::collections::BTreeMap;
use std::str::FromStr as _;

use crate::{Case, Earlier, Error, Measured, table};

/// The last line of a table.
const END: &str = "<!-- /bench -->";

/// All data of `bench/`.
#[derive(Debug, Clone, Default)]
pub struct Tables {
    /// `results/`.
    pub measured: BTreeMap<Case, Measured>,
    /// `earlier/`, by file name without `.json`.
    pub earlier: BTreeMap<String, Earlier>,
}

impl Tables {
    /// The text that stands between the markers of a name; `None` where nothing has it.
    pub fn table(&self, name: &str) -> Option<String> {
        if name == "summary" {
            let all = Case::ALL.iter().filter_map(|case| self.measured.get(case));
            return Some(table::summary(&all.collect::<Vec<_>>()));
        }
        if let Some(name) = name.strip_prefix("earlier/") {
            return self.earlier.get(name).map(Earlier::table);
        }
        let case = Case::from_str(name).ok()?;
        let measured = self.measured.get(&case);
        Some(measured.map_or_else(|| table::NOTHING.to_owned(), table::of_case))
    }
}

/// A document, its tables written anew.
///
/// # Errors
/// A marker names no data, or has no other half; `file` is named.
pub fn render(file: &str, text: &str, tables: &Tables) -> Result<String, Error> {
    let mut out = String::new();
    let mut open = None;
    let mut is_fenced = false;
    for (index, line) in text.split_inclusive('\n').enumerate() {
        let number = index + 1;
        let broken = |line, problem| Error::BrokenMarker {
            file: file.to_owned(),
            line,
            problem,
        };
        is_fenced ^= open.is_none() && is_fence(line);
        match (begins(line), open) {
            _ if is_fenced => out.push_str(line),
            (Some(_), Some(begin)) => return Err(broken(begin, "this table has no end")),
            (Some(name), None) => {
                let table = tables.table(name).ok_or_else(|| Error::UnknownMarker {
                    file: file.to_owned(),
                    line: number,
                    name: name.to_owned(),
                })?;
                out.push_str(line);
                out.push_str(&table);
                open = Some(number);
            }
            (None, Some(_)) if line.trim() == END => {
                out.push_str(line);
                open = None;
            }
            (None, Some(_)) => {}
            (None, None) if line.trim() == END => {
                return Err(broken(number, "the end of a table that has no begin"));
            }
            (None, None) => out.push_str(line),
        }
    }
    match open {
        Some(begin) => Err(Error::BrokenMarker {
            file: file.to_owned(),
            line: begin,
            problem: "this table has no end",
        }),
        None => Ok(out),
    }
}

/// The name in the first line of a table.
pub(crate) fn begins(line: &str) -> Option<&str> {
    let inner = line.trim().strip_prefix("<!-- bench:")?;
    inner.strip_suffix(" -->").map(str::trim)
}

/// The last line of a table.
pub(crate) fn ends(line: &str) -> bool {
    line.trim() == END
}

/// A line that begins or ends an example.
pub(crate) fn is_fence(line: &str) -> bool {
    line.trim_start().starts_with("```")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::table::tests::measured;

    fn tables() -> Tables {
        Tables {
            measured: [(Case::Edit, measured())].into(),
            earlier: BTreeMap::new(),
        }
    }

    #[test]
    fn ok_only_what_is_between_markers_changes() {
        let text = "# Times\n\n<!-- bench:edit -->\nold\n<!-- /bench -->\n\nEnd\n```\n<!-- bench:no -->\n```\n";
        let new = render("README.md", text, &tables()).unwrap();
        let edit = tables().table("edit").unwrap();
        assert_eq!(new, text.replace("old\n", &edit));
        assert_eq!(render("README.md", &new, &tables()).unwrap(), new);
    }

    #[test]
    fn ok_a_case_without_data_says_so() {
        let text = "<!-- bench:stream -->\n<!-- /bench -->\n";
        let new = render("README.md", text, &tables()).unwrap();
        insta::assert_snapshot!(new, @"
        <!-- bench:stream -->
        Nothing is measured yet.
        <!-- /bench -->
        ");
    }

    #[test]
    fn err_markers() {
        let said = |text: &str| {
            render("README.md", text, &tables())
                .unwrap_err()
                .to_string()
        };
        insta::assert_snapshot!(said("\n<!-- bench:warm -->\n<!-- /bench -->\n"), @"`README.md`, line 2: no data are called `warm`");
        insta::assert_snapshot!(said("<!-- bench:earlier/none -->\n<!-- /bench -->\n"), @"`README.md`, line 1: no data are called `earlier/none`");
        insta::assert_snapshot!(said("<!-- bench:edit -->\n"), @"`README.md`, line 1: this table has no end");
        insta::assert_snapshot!(said("<!-- bench:edit -->\n<!-- bench:edit -->\n"), @"`README.md`, line 1: this table has no end");
        insta::assert_snapshot!(said("a\n<!-- /bench -->\n"), @"`README.md`, line 2: the end of a table that has no begin");
    }
}
