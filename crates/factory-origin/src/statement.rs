//! Statements: something is said about files that are known by their digests
//! (in-toto attestation framework, Statement v1).

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::error::Error;

/// Media type of a statement.
pub const MEDIA_TYPE: &str = "application/vnd.in-toto+json";
/// What a signature says: nothing but that the image is signed, as cosign writes it.
pub const SIGNED: &str = "https://sigstore.dev/cosign/sign/v1";

const TYPE: &str = "https://in-toto.io/Statement/v1";

/// What is said about an image.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Statement {
    #[serde(rename = "_type")]
    kind: String,
    subject: Vec<About>,
    predicate_type: String,
    predicate: Value,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
struct About {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    name: Option<String>,
    /// Hex, by algorithm.
    digest: BTreeMap<String, String>,
}

impl Statement {
    /// Says something about the manifest with this SHA-256 (hex).
    pub fn new(sha256: &str, predicate_type: &str, predicate: Value) -> Self {
        Self {
            kind: TYPE.to_owned(),
            subject: vec![About {
                name: None,
                digest: BTreeMap::from([("sha256".to_owned(), sha256.to_owned())]),
            }],
            predicate_type: predicate_type.to_owned(),
            predicate,
        }
    }

    /// Reads a statement.
    ///
    /// # Errors
    /// It is none, or of another version.
    pub fn parse(text: &[u8]) -> Result<Self, Error> {
        let bad = |problem: String| Error::BadDocument {
            what: "a statement",
            problem,
        };
        let statement: Self =
            serde_json::from_slice(text).map_err(|problem| bad(problem.to_string()))?;
        match statement.kind.as_str() {
            TYPE => Ok(statement),
            other => Err(bad(format!("its type is `{other}`"))),
        }
    }

    /// The bytes that are signed.
    ///
    /// # Errors
    /// None that is known: all keys are text.
    pub fn bytes(&self) -> Result<Vec<u8>, Error> {
        serde_json::to_vec(self).map_err(|problem| Error::BadDocument {
            what: "a statement",
            problem: problem.to_string(),
        })
    }

    /// What kind of thing is said.
    pub fn predicate_type(&self) -> &str {
        &self.predicate_type
    }

    /// What is said.
    pub fn predicate(&self) -> &Value {
        &self.predicate
    }

    /// Checks that it is about the manifest with this SHA-256 (hex).
    ///
    /// # Errors
    /// It is about something else.
    pub fn is_about(&self, sha256: &str) -> Result<(), Error> {
        let named = || {
            self.subject
                .iter()
                .filter_map(|one| one.digest.get("sha256"))
        };
        if named().any(|digest| digest == sha256) {
            return Ok(());
        }
        let found: Vec<String> = named().map(|digest| format!("sha256:{digest}")).collect();
        Err(Error::OtherSubject {
            found: match found.as_slice() {
                [] => "nothing that has a SHA-256".to_owned(),
                some => some.join(", "),
            },
            wanted: format!("sha256:{sha256}"),
        })
    }
}
