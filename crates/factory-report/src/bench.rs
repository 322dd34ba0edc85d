//! Measured cases, this project's beside those of others.

use serde::Serialize;

/// One case on one machine.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Case {
    /// Its word on the command line.
    pub name: String,
    /// What was measured, in words.
    pub what: String,
    /// When and on what, in words.
    pub about: String,
    /// What a reader must know to judge the figures.
    pub notes: Vec<String>,
    /// What is compared.
    pub groups: Vec<Group>,
}

/// The same thing, done by several.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Group {
    /// What was done.
    pub what: String,
    /// One for each that did it.
    pub bars: Vec<Bar>,
}

/// Wall time of one of those that are compared.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Bar {
    /// Who did it.
    pub by: String,
    /// Whether that is this project.
    pub is_ours: bool,
    /// How often.
    pub n_runs: usize,
    /// Seconds of the quickest run.
    pub least_seconds: f64,
    /// Seconds of the one in the middle.
    pub median_seconds: f64,
    /// Seconds of the slowest run.
    pub most_seconds: f64,
}
