//! What differs between the image and another one.

use serde::Serialize;

/// How the image differs from another.
#[derive(Debug, Clone, Default, PartialEq, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Changes {
    /// The other image, which counts as the old one.
    pub against: String,
    /// Digest of its manifest.
    pub manifest_digest: String,
    /// Its bytes where it is.
    pub size_bytes: u64,
    /// Whether both are one image, compressed or not.
    pub is_same: bool,
    /// Packages that differ; null where an image does not say which it has.
    pub packages: Option<Vec<ChangedPackage>>,
    /// Settings of the configuration that differ.
    pub settings: Vec<ChangedSetting>,
    /// Blobs that both have.
    pub n_same_blobs: usize,
    /// Their bytes as tar archives, as far as they are known.
    pub same_bytes: u64,
    /// Blobs that differ.
    pub blobs: Vec<ChangedBlob>,
    /// How many files differ; null where they were not read.
    pub file_counts: Option<FileCounts>,
    /// The largest of these files.
    pub files: Vec<ChangedFile>,
}

/// A package that differs.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct ChangedPackage {
    /// `added`, `removed`, `changed` or `moved`.
    pub change: String,
    /// The layer that it is in, or was in.
    pub layer: Option<String>,
    /// Name and versions: `numpy 2.4.0 -> 2.4.1`.
    pub what: String,
}

/// A setting that differs.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct ChangedSetting {
    /// What is set.
    pub name: String,
    /// What it was; null where it was not set.
    pub was: Option<String>,
    /// What it is.
    pub now: Option<String>,
}

/// A blob that differs.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct ChangedBlob {
    /// Its layer, where that is known.
    pub layer: Option<String>,
    /// Bytes of what was there; null for a blob that is new.
    pub was_bytes: Option<u64>,
    /// Bytes of what is there; null for a blob that is gone.
    pub now_bytes: Option<u64>,
    /// The packages that made it another.
    pub why: String,
}

/// How many files differ.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct FileCounts {
    /// Paths that are new.
    pub n_added: usize,
    /// Paths that are gone.
    pub n_removed: usize,
    /// Paths of another kind, mode, size or content.
    pub n_changed: usize,
}

/// A file that differs.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct ChangedFile {
    /// From the root of the image, without a slash in front.
    pub path: String,
    /// What it was, in words; null for a path that is new.
    pub was: Option<String>,
    /// What it is; null for a path that is gone.
    pub now: Option<String>,
}
