//! How a registry gets a blob, and what is known of it before it is sent.

use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use crate::digest::Digest;
use crate::error::Error;
use crate::files::{read_json, resolve};
use crate::name::LayerName;
use crate::schema::SchemaVersion;

/// An encoding of a blob; level and version are fixed, for digests depend on them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
#[cfg_attr(feature = "encode", derive(clap::ValueEnum))]
pub enum Compression {
    /// Zstandard (RFC 8878).
    Zstd,
    /// gzip (RFC 1952).
    Gzip,
}

impl Compression {
    /// Returns its name in commands and documents.
    pub fn name(self) -> &'static str {
        match self {
            Self::Zstd => "zstd",
            Self::Gzip => "gzip",
        }
    }

    /// Returns the media type of a layer that is encoded so (OCI image specification, layer.md).
    pub fn media_type(self) -> &'static str {
        match self {
            Self::Zstd => "application/vnd.oci.image.layer.v1.tar+zstd",
            Self::Gzip => "application/vnd.oci.image.layer.v1.tar+gzip",
        }
    }
}

/// Describes the encoded blobs of a layer, in the order of its spec.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CompressedLayer {
    /// The version of this document.
    pub schema_version: SchemaVersion,
    /// The layer.
    pub name: LayerName,
    /// The encoding.
    pub compression: Compression,
    /// The program that gives the same bytes again, with `encode`.
    pub encoder: PathBuf,
    /// The blobs.
    pub blobs: Vec<CompressedBlob>,
}

/// Describes one encoded blob.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CompressedBlob {
    /// The digest of the tar.
    pub diff_id: Digest,
    /// The digest of the encoded tar.
    pub digest: Digest,
    /// Its size.
    pub size_bytes: u64,
}

impl CompressedLayer {
    /// Reads a description.
    pub fn read(path: &Path, store_root: Option<&Path>) -> Result<Self, Error> {
        read_json("compressed layer", &resolve(store_root, path))
    }
}
