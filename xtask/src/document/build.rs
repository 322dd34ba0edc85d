//! What `build`, `build-final` and `status` print.

use serde::Serialize;

use super::{Document, Loaded};
use factory_nix::{Estimate, FetchReport};

/// What `build` and `build-final` did.
#[derive(Debug, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Built {
    /// The variant, with what was left out and added.
    pub variant: String,
    /// Name and tag of the image.
    pub reference: String,
    /// Digest of the image configuration.
    pub config_digest: String,
    /// Digest of the image manifest.
    pub manifest_digest: String,
    /// Bytes of all layers.
    pub size_bytes: u64,
    /// How many derivations were built in this run.
    pub n_built: usize,
    /// Wall time.
    pub seconds: f64,
    /// What was fetched in this run.
    pub sources: FetchReport,
    /// The layers, the bottom one first.
    pub layers: Vec<BuiltLayer>,
    /// The engine that has the image now, if it was loaded.
    pub loaded: Option<Loaded>,
}

impl Document for Built {
    const NAME: &'static str = "build";
}

/// One layer of an image.
#[derive(Debug, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct BuiltLayer {
    /// As in `05-pak3`.
    pub name: String,
    /// Packages in it.
    pub n_packages: u64,
    /// Files in it.
    pub n_files: u64,
    /// Its bytes.
    pub size_bytes: u64,
    /// Its blobs, in order.
    pub blobs: Vec<Blob>,
    /// Whether it was built in this run.
    pub state: State,
    /// From the start of its first build to the end of its last; 0 when it was there.
    pub seconds: f64,
}

/// One blob, an uncompressed tar archive.
#[derive(Debug, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Blob {
    /// Its digest.
    pub diff_id: String,
    /// Its bytes.
    pub size_bytes: u64,
}

/// Where a layer is from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "lowercase")]
pub enum State {
    /// Built: in this run, where a run is reported.
    Built,
    /// It was there before this run.
    Reused,
    /// Not built.
    Missing,
}

impl State {
    /// The word that people read.
    pub fn text(self) -> &'static str {
        match self {
            Self::Built => "built",
            Self::Reused => "reused",
            Self::Missing => "missing",
        }
    }
}

/// What `build --dry-run` would do.
#[derive(Debug, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct WouldBuild {
    /// The variant, with what was left out and added.
    pub variant: String,
    /// Up to this layer.
    pub layer: String,
    /// What would be built.
    pub builds: Vec<PlannedBuild>,
    /// What would be fetched.
    pub sources: Vec<PlannedSource>,
    /// What that would take.
    pub estimate: Estimate,
}

impl Document for WouldBuild {
    const NAME: &'static str = "build-dry-run";
}

/// One derivation that would be built.
#[derive(Debug, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct PlannedBuild {
    /// Name of the derivation.
    pub name: String,
    /// The layer that it belongs to; null for the image itself.
    pub layer: Option<String>,
    /// What it took when it was last built here.
    pub measured_seconds: Option<f64>,
}

/// One source that would be fetched.
#[derive(Debug, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct PlannedSource {
    /// Name of the file or tree.
    pub name: String,
    /// Its bytes, where they are known.
    pub size_bytes: Option<u64>,
}

/// What `status` found.
#[derive(Debug, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Status {
    /// The variant, with what was left out and added.
    pub variant: String,
    /// Name and tag of the image.
    pub reference: String,
    /// The layers, the bottom one first.
    pub layers: Vec<LayerStatus>,
}

impl Document for Status {
    const NAME: &'static str = "status";
}

/// What is known of one layer.
#[derive(Debug, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct LayerStatus {
    /// As in `05-pak3`.
    pub name: String,
    /// Whether it is built.
    pub state: State,
    /// Packages in it, once it is built.
    pub n_packages: Option<u64>,
    /// Its bytes, once it is built.
    pub size_bytes: Option<u64>,
    /// Of the derivations that it needs and no lower layer does, how many are built: from 0 to
    /// 1, which every layer has that is built.
    pub share_built: f64,
    /// Bytes of the built layers up to this one.
    pub cumulative_bytes: u64,
    /// Sources that are missing up to this layer.
    pub n_missing_sources: usize,
    /// What building up to this layer would take.
    pub estimate: Estimate,
}
