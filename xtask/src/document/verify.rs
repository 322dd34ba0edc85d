//! What `verify --list` prints.

use serde::Serialize;

use super::Document;

/// The checks that would be run.
#[derive(Debug, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct ListedChecks {
    /// In the order of running.
    pub checks: Vec<ListedCheck>,
}

impl Document for ListedChecks {
    const NAME: &'static str = "verify-list";
}

/// One check.
#[derive(Debug, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct ListedCheck {
    /// The layer whose promise it is.
    pub layer: String,
    /// Its name.
    pub name: String,
    /// What it proves.
    pub proves: String,
    /// Limit in seconds.
    pub timeout_s: u64,
    /// Whether it needs a GPU.
    pub gpu: bool,
    /// The least compute capability of that GPU, as `8.0`.
    pub compute_capability: Option<String>,
}
