//! What is attached to an image in a registry: a document as it is, or signed in a bundle.
//!
//! The specification of cosign's bundles in registries says which annotations they have.

use std::collections::BTreeMap;

use factory_model::lock::Sha256;
use serde_json::Value;

use crate::bundle::{self, Bundle};
use crate::error::Error;
use crate::key::PrivateKey;
use crate::statement::{self, Statement};
use crate::{CREATED, cyclonedx, provenance, spdx};

/// What a bundle has inside, and what the statement in it says (cosign's `BUNDLE_SPEC`).
const CONTENT: &str = "dev.sigstore.bundle.content";
const PREDICATE_TYPE: &str = "dev.sigstore.bundle.predicateType";
/// When it was made (OCI image specification, annotations).
const CREATED_AT: &str = "org.opencontainers.image.created";
/// The SHA-256 of the statement and the hint of the key. Two signatures of one statement differ,
/// so this is what a later push knows its own by.
const STATEMENT: &str = "io.comfyui-boot.statement";
const KEY: &str = "io.comfyui-boot.key";

/// What kind of document it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Kind {
    /// Says that the image is signed.
    Signature,
    /// SPDX.
    Spdx,
    /// CycloneDX.
    Cyclonedx,
    /// SLSA provenance.
    Provenance,
    /// The report of `verify`.
    Report,
}

/// Media type of the report of `verify`, and the type of the artifact that holds it.
const REPORT: &str = "application/vnd.comfyui-image-factory.verify-report.v2+json";
/// What a statement calls it.
const REPORT_PREDICATE: &str = "urn:comfyui-image-factory:verify-report:v2";

impl Kind {
    /// All that there are.
    pub const ALL: [Self; 5] = [
        Self::Signature,
        Self::Spdx,
        Self::Cyclonedx,
        Self::Provenance,
        Self::Report,
    ];

    /// The word for people and documents.
    pub fn word(self) -> &'static str {
        match self {
            Self::Signature => "signature",
            Self::Spdx => "sbom-spdx",
            Self::Cyclonedx => "sbom-cyclonedx",
            Self::Provenance => "provenance",
            Self::Report => "verify-report",
        }
    }

    /// What a statement with such a document is called.
    pub fn predicate_type(self) -> &'static str {
        match self {
            Self::Signature => statement::SIGNED,
            Self::Spdx => spdx::PREDICATE_TYPE,
            Self::Cyclonedx => cyclonedx::PREDICATE_TYPE,
            Self::Provenance => provenance::PREDICATE_TYPE,
            Self::Report => REPORT_PREDICATE,
        }
    }

    /// Media type of the document by itself. Provenance is a statement, signed or not.
    pub fn media_type(self) -> &'static str {
        match self {
            Self::Signature => bundle::MEDIA_TYPE,
            Self::Spdx => spdx::MEDIA_TYPE,
            Self::Cyclonedx => cyclonedx::MEDIA_TYPE,
            Self::Provenance => statement::MEDIA_TYPE,
            Self::Report => REPORT,
        }
    }

    /// The kind of what a statement says.
    pub fn of_predicate(predicate_type: &str) -> Option<Self> {
        Self::ALL
            .into_iter()
            .find(|kind| kind.predicate_type() == predicate_type)
    }

    /// The kind of an artifact that is no bundle.
    pub fn of_artifact(artifact_type: &str) -> Option<Self> {
        let plain = Self::ALL
            .into_iter()
            .filter(|kind| *kind != Self::Signature);
        plain
            .into_iter()
            .find(|kind| kind.media_type() == artifact_type)
    }
}

/// An artifact for a registry: one blob and what is said of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Attachment {
    /// What it is.
    pub kind: Kind,
    /// Type of the artifact.
    pub artifact_type: &'static str,
    /// Media type of the blob.
    pub media_type: &'static str,
    /// Annotations of the artifact's manifest.
    pub annotations: BTreeMap<String, String>,
    /// The blob.
    pub content: Vec<u8>,
}

impl Attachment {
    /// A document as it is.
    pub fn plain(kind: Kind, content: Vec<u8>) -> Self {
        Self {
            kind,
            artifact_type: kind.media_type(),
            media_type: kind.media_type(),
            annotations: BTreeMap::from([(CREATED_AT.to_owned(), CREATED.to_owned())]),
            content,
        }
    }

    /// A statement about the manifest with this SHA-256 (hex) that no key vouches for.
    ///
    /// # Errors
    /// None that is known.
    pub fn unsigned(kind: Kind, sha256: &str, predicate: Value) -> Result<Self, Error> {
        let statement = Statement::new(sha256, kind.predicate_type(), predicate);
        let mut attachment = Self::plain(kind, statement.bytes()?);
        let predicate_type = ("in-toto.io/predicate-type", kind.predicate_type());
        attachment
            .annotations
            .insert(predicate_type.0.to_owned(), predicate_type.1.to_owned());
        Ok(attachment)
    }

    /// A statement about the manifest with this SHA-256 (hex), signed.
    ///
    /// # Errors
    /// The system gives no random numbers.
    pub fn signed(
        kind: Kind,
        sha256: &str,
        predicate: Value,
        key: &PrivateKey,
    ) -> Result<Self, Error> {
        let statement = Statement::new(sha256, kind.predicate_type(), predicate);
        let sha256 = Sha256::of(&statement.bytes()?);
        let annotations = [
            (CREATED_AT, CREATED.to_owned()),
            (CONTENT, "dsse-envelope".to_owned()),
            (PREDICATE_TYPE, kind.predicate_type().to_owned()),
            (STATEMENT, format!("sha256:{sha256}")),
            (KEY, key.public().hint()),
        ];
        Ok(Self {
            kind,
            artifact_type: bundle::MEDIA_TYPE,
            media_type: bundle::MEDIA_TYPE,
            annotations: annotations
                .into_iter()
                .map(|(name, value)| (name.to_owned(), value))
                .collect(),
            content: Bundle::sign(&statement, key)?.bytes()?,
        })
    }

    /// Whether an artifact with these annotations says the same with a signature of the same key.
    pub fn is_like(&self, annotations: &BTreeMap<String, String>) -> bool {
        let own = [STATEMENT, KEY].map(|name| self.annotations.get(name));
        own.iter().all(Option::is_some) && own == [STATEMENT, KEY].map(|name| annotations.get(name))
    }
}
