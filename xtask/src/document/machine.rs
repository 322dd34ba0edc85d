//! What `fetch`, `carry save`, `clean` and `doctor` print.

use std::path::PathBuf;

use serde::Serialize;

use super::Document;

/// What `fetch` brought.
#[derive(Debug, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Fetched {
    /// The variant, with what was left out and added.
    pub variant: String,
    /// Up to this layer.
    pub layer: String,
    /// Sources that were missing.
    pub n_fetched: usize,
    /// Their bytes.
    pub bytes_fetched: u64,
}

impl Document for Fetched {
    const NAME: &'static str = "fetch";
}

/// What `fetch --dry-run` would bring.
#[derive(Debug, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct WouldFetch {
    /// The variant, with what was left out and added.
    pub variant: String,
    /// Up to this layer.
    pub layer: String,
    /// Bytes of all sources whose size is known.
    pub size_bytes: u64,
    /// The sources that are missing.
    pub sources: Vec<MissingSource>,
}

impl Document for WouldFetch {
    const NAME: &'static str = "fetch-dry-run";
}

/// A source that is missing.
#[derive(Debug, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct MissingSource {
    /// Name of the file or tree.
    pub name: String,
    /// Its bytes, where they are known.
    pub size_bytes: Option<u64>,
    /// What is asked first: `debian`, `pypi`, `crates`, `url`, `git`, or `?` for nothing.
    pub registry: String,
    /// Its store path.
    pub out_path: String,
}

/// What `carry save` copied.
#[derive(Debug, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Saved {
    /// Store paths.
    pub paths: Vec<String>,
}

impl Document for Saved {
    const NAME: &'static str = "carry-save";
}

/// What `clean` removed, or would remove.
#[derive(Debug, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Clean {
    /// Whether they were removed.
    pub removed: bool,
    /// What earlier runs left behind.
    pub items: Vec<CleanItem>,
}

impl Document for Clean {
    const NAME: &'static str = "clean";
}

/// Something that can go.
#[derive(Debug, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct CleanItem {
    /// What it is.
    pub what: String,
    /// Where it is.
    pub path: PathBuf,
    /// Bytes of its files.
    pub size_bytes: u64,
}

/// What `doctor` found.
#[derive(Debug, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Doctor {
    /// Nothing that a build needs is missing.
    pub can_build: bool,
    /// Each thing that was looked at.
    pub checks: Vec<Check>,
}

impl Document for Doctor {
    const NAME: &'static str = "doctor";
}

/// One thing that was looked at.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Check {
    /// What.
    pub name: &'static str,
    /// How it is.
    pub state: CheckState,
    /// What was found.
    pub found: String,
    /// What to do.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub hint: Option<String>,
}

/// How a check ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "lowercase")]
pub enum CheckState {
    /// As it should be.
    Ok,
    /// A build works without it, but something else may not.
    Optional,
    /// No build without it.
    Missing,
}
