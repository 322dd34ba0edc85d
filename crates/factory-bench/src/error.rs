//! What can be wrong with data and documents.

use factory_base::error::{Explain, Kind};

/// A result or a document that cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// A word that names no case.
    #[error("there is no case `{name}`")]
    UnknownCase {
        /// The word.
        name: String,
    },
    /// A file of `bench/` that cannot be read.
    #[error("`{file}` cannot be read: {problem}")]
    BadData {
        /// Where it is.
        file: String,
        /// What is wrong with it.
        problem: String,
    },
    /// A marker that names no data.
    #[error("`{file}`, line {line}: no data are called `{name}`")]
    UnknownMarker {
        /// The document.
        file: String,
        /// From 1.
        line: usize,
        /// What it names.
        name: String,
    },
    /// A marker without its other half.
    #[error("`{file}`, line {line}: {problem}")]
    BrokenMarker {
        /// The document.
        file: String,
        /// From 1.
        line: usize,
        /// What is wrong.
        problem: &'static str,
    },
}

impl Explain for Error {
    fn kind(&self) -> Kind {
        Kind::BadInput
    }

    fn hints(&self) -> Vec<String> {
        match self {
            Self::UnknownCase { .. } => {
                vec!["see which there are: `cargo xtask bench --list`".to_owned()]
            }
            Self::BadData { .. } => Vec::new(),
            Self::UnknownMarker { .. } | Self::BrokenMarker { .. } => vec![
                "a table is `<!-- bench:NAME -->` and `<!-- /bench -->`, each on a line of its own; NAME is a case, `summary` or `earlier/FILE`".to_owned(),
            ],
        }
    }
}
