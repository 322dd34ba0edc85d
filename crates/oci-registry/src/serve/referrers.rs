//! Artifacts about an image: signatures, lists of its parts, where it comes from.

use std::collections::BTreeMap;

use comfy_image::Digest;
use serde_json::{Value, json};

/// Where the artifacts about the served images come from.
pub trait Referrers: Send + Sync {
    /// The artifacts whose subject is this manifest.
    fn about(&self, subject: &Digest) -> Vec<Artifact>;
}

/// An artifact: a manifest with a subject, and the blobs that it names.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Artifact {
    /// The manifest, JSON.
    pub manifest: Vec<u8>,
    /// The manifest's media type.
    pub media_type: String,
    /// What kind of artifact it is.
    pub artifact_type: String,
    /// The manifest's annotations.
    pub annotations: BTreeMap<String, String>,
    /// The config and what the artifact holds.
    pub blobs: Vec<Vec<u8>>,
}

/// There are none.
pub(super) struct NoReferrers;

impl Referrers for NoReferrers {
    fn about(&self, _: &Digest) -> Vec<Artifact> {
        Vec::new()
    }
}

impl Artifact {
    /// The digest of the manifest.
    pub fn digest(&self) -> Digest {
        Digest::of(&self.manifest)
    }

    /// Its entry in the index of referrers.
    pub(super) fn descriptor(&self) -> Value {
        let mut descriptor = json!({
            "mediaType": self.media_type,
            "digest": self.digest().to_string(),
            "size": self.manifest.len(),
            "artifactType": self.artifact_type,
        });
        if !self.annotations.is_empty() {
            descriptor["annotations"] = json!(self.annotations);
        }
        descriptor
    }
}
