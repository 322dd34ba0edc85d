//! Figures that were measured before there were cases for them: `bench/earlier/NAME.json`.
//!
//! They are kept as their tables were, with when and where; nothing new is added to them.

use serde::{Deserialize, Serialize};

use crate::Error;

/// One table.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Earlier {
    /// What was measured, on what, and what went on beside it.
    pub about: String,
    /// Commit whose documents had it first, which is about what was measured.
    pub revision: String,
    /// Date of that commit.
    pub date: String,
    /// Headings.
    pub columns: Vec<String>,
    /// One line each.
    pub rows: Vec<EarlierRow>,
}

/// One line of a table.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct EarlierRow {
    /// The first cell.
    pub what: String,
    /// The other cells, with their units.
    pub figures: Vec<String>,
}

impl Earlier {
    /// Reads a document of `bench/earlier/`.
    ///
    /// # Errors
    /// It is not one, or a row has another number of cells than the head; `file` is named.
    pub fn read(file: &str, text: &str) -> Result<Self, Error> {
        let earlier: Self = crate::parse(file, text)?;
        let n_figures = earlier.columns.len().saturating_sub(1);
        match earlier
            .rows
            .iter()
            .find(|row| row.figures.len() != n_figures)
        {
            None => Ok(earlier),
            Some(row) => Err(Error::BadData {
                file: file.to_owned(),
                problem: format!("`{}` has not {n_figures} figures", row.what),
            }),
        }
    }

    /// The table in Markdown.
    pub fn table(&self) -> String {
        let rows = self.rows.iter().map(|row| {
            let cells = std::iter::once(&row.what).chain(&row.figures);
            cells.cloned().collect()
        });
        crate::table::markdown(&self.columns, &rows.collect::<Vec<_>>())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn err_a_row_that_is_too_short() {
        let text = r#"{"schema_version": 1, "about": "a", "revision": "r", "date": "d", "columns": ["what", "wall", "processor"],
            "rows": [{"what": "x", "figures": ["1 s"]}]}"#;
        let error = Earlier::read("bench/earlier/x.json", text).unwrap_err();
        insta::assert_snapshot!(error, @"`bench/earlier/x.json` cannot be read: `x` has not 2 figures");
    }
}
