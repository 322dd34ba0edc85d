//! A fault in a TOML file, with the place that a person looks for.

use std::fmt;
use std::ops::Range;

use serde::de::DeserializeOwned;

/// What is wrong with a text, and where.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SyntaxError {
    /// From 1.
    pub line: usize,
    /// From 1, in characters.
    pub column: usize,
    /// What is wrong.
    pub reason: String,
}

impl SyntaxError {
    /// A fault at a position of a text, in bytes.
    pub(super) fn at(text: &str, span: Option<Range<usize>>, reason: impl Into<String>) -> Self {
        let start = span.map_or(0, |span| span.start.min(text.len()));
        let before = text.get(..start).unwrap_or_default();
        let last_line = before.rsplit('\n').next().unwrap_or_default();
        Self {
            line: before.matches('\n').count() + 1,
            column: last_line.chars().count() + 1,
            reason: reason.into(),
        }
    }
}

/// `3:1: unknown field`, to follow a file's name and a colon.
impl fmt::Display for SyntaxError {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{}:{}: {}", self.line, self.column, self.reason)
    }
}

/// Reads a file's text.
pub(super) fn read<T: DeserializeOwned>(text: &str) -> Result<T, SyntaxError> {
    toml::from_str(text).map_err(|error| {
        // The rest of its lines repeats the text.
        let reason = error.message().lines().collect::<Vec<_>>().join("; ");
        SyntaxError::at(text, error.span(), reason)
    })
}
