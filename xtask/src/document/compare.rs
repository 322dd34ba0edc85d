//! What `diff` prints.

use serde::Serialize;

use super::Document;
use image_diff::{BlobDiff, FileDiff, PackageChange, SettingChange};

/// How two images differ.
#[derive(Debug, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Diff {
    /// The old image.
    pub old: ComparedImage,
    /// The new image.
    pub new: ComparedImage,
    /// Whether they are one image: the same configuration and the same blobs, compressed or not.
    pub is_same: bool,
    /// Settings of the configuration that differ.
    pub settings: Vec<SettingChange>,
    /// Packages that differ; null where an image does not say which it has.
    pub packages: Option<Vec<PackageChange>>,
    /// Blobs that differ.
    pub blobs: BlobDiff,
    /// Files of the blobs that differ; null where they were not read.
    pub files: Option<FileDiff>,
}

impl Document for Diff {
    const NAME: &'static str = "diff";
}

/// One image that was compared.
#[derive(Debug, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct ComparedImage {
    /// What it was called.
    pub name: String,
    /// Digest of its manifest.
    pub manifest_digest: String,
    /// Digest of its configuration: the image ID.
    pub config_digest: String,
    /// Blobs that it has.
    pub n_blobs: usize,
    /// Their bytes where they are: compressed in a registry, as tar archives in the store.
    pub size_bytes: u64,
}
