//! What `inspect` prints.

use std::collections::BTreeMap;

use serde::Serialize;

use super::Document;

/// An image of a registry, and what is attached to it.
#[derive(Debug, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct InspectedImage {
    /// As it was asked for.
    pub reference: String,
    /// Digest of its manifest.
    pub manifest_digest: String,
    /// Digest of its configuration, the image ID.
    pub config_digest: String,
    /// What a pull moves: the configuration and all blobs.
    pub size_bytes: u64,
    /// Each blob, the lowest first.
    pub blobs: Vec<InspectedBlob>,
    /// Its labels.
    pub labels: BTreeMap<String, String>,
    /// What is attached to it.
    pub attached: Vec<InspectedDocument>,
    /// What is in it; null where no list is attached.
    pub contents: Option<InspectedContents>,
    /// Where it comes from; null where no provenance is attached.
    pub provenance: Option<InspectedProvenance>,
    /// What `verify` found, each report.
    pub reports: Vec<InspectedReport>,
    /// What does not match; empty when all is right.
    pub faults: Vec<String>,
}

impl Document for InspectedImage {
    const NAME: &'static str = "inspect";
}

/// A blob of an image.
#[derive(Debug, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct InspectedBlob {
    /// Its digest.
    pub digest: String,
    /// What is pulled.
    pub size_bytes: u64,
    /// Its media type, which says how it is compressed.
    pub media_type: String,
    /// What the history says of it: the layer.
    pub layer: Option<String>,
}

/// Who vouches for a document.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "kebab-case")]
pub enum Signed {
    /// Nobody.
    No,
    /// Somebody: no key was given that could check it.
    Unchecked,
    /// Somebody else than the owner of the key.
    OtherKey,
    /// The owner of the key.
    ByKey,
}

/// A document that is attached to an image.
#[derive(Debug, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct InspectedDocument {
    /// `signature`, `sbom-spdx`, `sbom-cyclonedx`, `provenance`, `verify-report`, or the type of
    /// an artifact or statement that is none of these.
    pub kind: String,
    /// Digest of the manifest of the artifact that holds it.
    pub manifest_digest: String,
    /// Size of the document.
    pub size_bytes: u64,
    /// Who vouches for it.
    pub signed: Signed,
}

/// What is in an image, by the list that is attached to it.
#[derive(Debug, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct InspectedContents {
    /// Who vouches for the list.
    pub signed: Signed,
    /// Packages in all.
    pub n_packages: usize,
    /// Packages by layer.
    pub layers: BTreeMap<String, usize>,
    /// Packages by licence; those that state none are not among them.
    pub licences: BTreeMap<String, usize>,
}

/// Where an image comes from.
#[derive(Debug, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct InspectedProvenance {
    /// Who vouches for it.
    pub signed: Signed,
    /// The commit; null where it was built from no repository.
    pub revision: Option<String>,
    /// Files differed from those of the commit.
    pub is_changed: bool,
    /// Who built it.
    pub builder: String,
    /// Variant and layer.
    pub variant: String,
    /// The last layer.
    pub layer: String,
}

/// What a report of `verify` says.
#[derive(Debug, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct InspectedReport {
    /// Who vouches for it.
    pub signed: Signed,
    /// When the checks ran.
    pub date: String,
    /// GPUs that they ran with.
    pub gpus: Vec<String>,
    /// Checks that passed.
    pub n_passed: u64,
    /// Checks that failed.
    pub n_failed: u64,
    /// Checks that were skipped.
    pub n_skipped: u64,
}
