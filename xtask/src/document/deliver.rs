//! What `load`, `serve`, `stream` and `push` print.

use std::path::PathBuf;

use serde::Serialize;

use super::Document;

/// What loading did.
#[derive(Debug, Clone, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Loaded {
    /// The engine, `docker` or `podman`.
    pub engine: String,
    /// The engine had this very image.
    pub already: bool,
    /// The way it took.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub via: Option<LoadedVia>,
    /// Blobs that went to the engine.
    pub n_blobs_sent: usize,
    /// Their bytes.
    pub bytes_sent: u64,
    /// Wall time.
    pub seconds: f64,
}

/// How an image got into an engine.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "lowercase")]
pub enum LoadedVia {
    /// The engine pulled what it lacked.
    Pull,
    /// The engine got the whole archive.
    Archive,
}

/// What `load` did.
#[derive(Debug, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Load {
    /// Name and tag of the image.
    pub reference: String,
    /// Digest of the image configuration.
    pub config_digest: String,
    /// Where it is now.
    pub loaded: Loaded,
}

impl Document for Load {
    const NAME: &'static str = "load";
}

/// What `stream --oci-layout` wrote.
#[derive(Debug, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Streamed {
    /// Name and tag of the image.
    pub reference: String,
    /// Digest of the image manifest.
    pub manifest_digest: String,
    /// The OCI layout.
    pub directory: PathBuf,
    /// Blobs that were written.
    pub n_written: u64,
    /// Blobs that were there.
    pub n_kept: u64,
    /// Blobs that were there and wrong.
    pub n_replaced: u64,
}

impl Document for Streamed {
    const NAME: &'static str = "stream";
}

/// What `serve` serves.
#[derive(Debug, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Serving {
    /// Address and port that it listens on.
    pub address: String,
    /// Each image.
    pub images: Vec<ServedImage>,
}

/// One image that is served.
#[derive(Debug, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct ServedImage {
    /// What a client pulls.
    pub reference: String,
    /// Digest of the image manifest.
    pub manifest_digest: String,
}

impl Document for Serving {
    const NAME: &'static str = "serve";
}

/// What `push` did.
#[derive(Debug, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Pushed {
    /// Each image, that of the lowest layer first.
    pub images: Vec<PushedImage>,
}

impl Document for Pushed {
    const NAME: &'static str = "push";
}

/// What pushing one image did.
#[derive(Debug, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct PushedImage {
    /// Repository and tag.
    pub reference: String,
    /// Digest of the image manifest: of these blobs, compressed as they are.
    pub manifest_digest: String,
    /// Digest of the image configuration, the same for every compression.
    pub config_digest: String,
    /// The tag was this very image.
    pub already: bool,
    /// Blobs that the registry lacked.
    pub n_blobs_sent: usize,
    /// Their bytes.
    pub blob_bytes_sent: u64,
    /// Blobs that another repository of the registry had.
    pub n_blobs_mounted: u64,
    /// HTTP requests for this image.
    pub n_requests: u64,
    /// Digest of the manifest of the attached report.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub report_digest: Option<String>,
    /// What is attached to the image; none of it counts above.
    pub attached: Vec<AttachedDocument>,
}

/// A document about an image, in the registry.
#[derive(Debug, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct AttachedDocument {
    /// `signature`, `sbom-spdx`, `sbom-cyclonedx`, `provenance` or `verify-report`.
    pub kind: String,
    /// Digest of the manifest of the artifact that holds it.
    pub manifest_digest: String,
    /// It was there, and is as it was.
    pub already: bool,
}

/// What `push --report-only` did.
#[derive(Debug, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Attached {
    /// Digest of the manifest that the report is about.
    pub manifest_digest: String,
    /// Digest of the manifest of the report.
    pub report_digest: String,
}

impl Document for Attached {
    const NAME: &'static str = "push-report-only";
}
