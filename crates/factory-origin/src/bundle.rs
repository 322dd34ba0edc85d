//! Sigstore bundles, version 0.3: an envelope with what is needed to check it
//! (`sigstore_bundle.proto` of sigstore/protobuf-specs, as JSON).

use serde::{Deserialize, Serialize};

use crate::dsse::Envelope;
use crate::error::Error;
use crate::key::{PrivateKey, PublicKey};
use crate::statement::{self, Statement};

/// Its media type, and the type of the artifact that holds it.
pub const MEDIA_TYPE: &str = "application/vnd.dev.sigstore.bundle.v0.3+json";

/// A signed statement with the name of the key. Fields that only bundles of Sigstore's public
/// services have, such as certificates and entries of a transparency log, are not read.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Bundle {
    media_type: String,
    verification_material: Material,
    dsse_envelope: Envelope,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Material {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    public_key: Option<KeyName>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
struct KeyName {
    hint: String,
}

impl Bundle {
    /// Signs a statement.
    ///
    /// # Errors
    /// The system gives no random numbers.
    pub fn sign(statement: &Statement, key: &PrivateKey) -> Result<Self, Error> {
        Ok(Self {
            media_type: MEDIA_TYPE.to_owned(),
            verification_material: Material {
                public_key: Some(KeyName {
                    hint: key.public().hint(),
                }),
            },
            dsse_envelope: Envelope::sign(&statement.bytes()?, statement::MEDIA_TYPE, key)?,
        })
    }

    /// Reads a bundle.
    ///
    /// # Errors
    /// It is none, or of a version or with a content that is not known.
    pub fn parse(text: &[u8]) -> Result<Self, Error> {
        let bad = |problem: String| Error::BadDocument {
            what: "a signed bundle",
            problem,
        };
        let bundle: Self =
            serde_json::from_slice(text).map_err(|problem| bad(problem.to_string()))?;
        match bundle.media_type.as_str() {
            MEDIA_TYPE => Ok(bundle),
            other => Err(bad(format!("it is `{other}`"))),
        }
    }

    /// The text.
    ///
    /// # Errors
    /// None that is known: all keys are text.
    pub fn bytes(&self) -> Result<Vec<u8>, Error> {
        serde_json::to_vec(self).map_err(|problem| Error::BadDocument {
            what: "a signed bundle",
            problem: problem.to_string(),
        })
    }

    /// What is said, whoever signed it.
    ///
    /// # Errors
    /// The payload is no statement.
    pub fn statement(&self) -> Result<Statement, Error> {
        Statement::parse(&self.dsse_envelope.payload(statement::MEDIA_TYPE)?)
    }

    /// Whether it says that this key signed it; what it says proves nothing.
    pub fn names(&self, key: &PublicKey) -> bool {
        let named = self.verification_material.public_key.as_ref();
        named.is_some_and(|named| named.hint == key.hint())
    }

    /// Checks that this key signed it.
    ///
    /// # Errors
    /// It did not.
    pub fn verify(&self, key: &PublicKey) -> Result<(), Error> {
        self.dsse_envelope.verify(key)
    }
}
