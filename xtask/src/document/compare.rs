//! What `diff` and `plan` print.

use serde::Serialize;

use super::{Document, PlannedBuild, PlannedSource};
use factory_model::lock;
use factory_nix::Estimate;
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

/// What a build would change.
#[derive(Debug, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Planned {
    /// The variant, with what was left out and added.
    pub variant: String,
    /// Up to this layer.
    pub layer: String,
    /// What it is compared with.
    pub against: Against,
    /// Settings of the configuration that change; null where they are not known before a build.
    pub settings: Option<Vec<SettingChange>>,
    /// Packages that change; null where the image does not say which it has.
    pub packages: Option<Vec<PackageChange>>,
    /// The locks that differ from those of the revision; null unless it is one.
    pub locks: Option<Vec<lock::Diff>>,
    /// Blobs that change.
    pub blobs: BlobDiff,
    /// Layers whose blobs are not known before they are built.
    pub unknown_layers: Vec<String>,
    /// What would be built.
    pub builds: Vec<PlannedBuild>,
    /// What would be fetched.
    pub sources: Vec<PlannedSource>,
    /// Bytes of all sources whose size is known.
    pub fetch_bytes: u64,
    /// What building would take.
    pub estimate: Estimate,
    /// Blobs that change in any case: what a push sends to a registry that has the old image,
    /// and what others pull who have it.
    pub moves: Moved,
    /// Blobs that may change, because packages in them are built anew.
    pub may_move: Moved,
}

impl Document for Planned {
    const NAME: &'static str = "plan";
}

/// What a plan is compared with.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Against {
    /// What it is.
    pub kind: AgainstKind,
    /// What it is called.
    pub name: String,
    /// The image's manifest digest, or the revision in full.
    pub id: String,
}

/// Kinds of what a plan is compared with.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "lowercase")]
pub enum AgainstKind {
    /// An image that was built here.
    Built,
    /// An image elsewhere.
    Image,
    /// A revision of git.
    Revision,
}

/// Blobs that go over the line.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Moved {
    /// How many.
    pub n_blobs: usize,
    /// Their bytes as a registry gets them.
    pub size_bytes: u64,
    /// Whether the bytes are a guess.
    pub is_estimate: bool,
    /// Blobs among them of which no size is known.
    pub n_unknown: usize,
}
