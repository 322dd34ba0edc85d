//! How an image was built (SLSA provenance v1, <https://slsa.dev/spec/v1.0/provenance>).

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

/// What a statement calls it.
pub const PREDICATE_TYPE: &str = "https://slsa.dev/provenance/v1";

/// What built the image, from what, and who ran it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Provenance {
    /// What was asked for, and what it was built from.
    pub build_definition: BuildDefinition,
    /// Who ran the build.
    pub run_details: RunDetails,
}

/// What was asked for, and what it was built from.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct BuildDefinition {
    /// Says how the parameters are to be read.
    pub build_type: String,
    /// What the user chose.
    pub external_parameters: Parameters,
    /// The revision of the project, and its locks.
    pub resolved_dependencies: Vec<Resource>,
}

/// What the user of a build chooses.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Parameters {
    /// The variant of `package-lists/variants.toml`.
    pub variant: String,
    /// The last layer of the image.
    pub layer: String,
    /// What blobs are compressed with: `zstd`, `gzip` or `none`.
    pub compression: String,
    /// Whether what comes from git is left out.
    pub without_git: bool,
    /// CUDA architectures instead of the variant's own.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub cuda_architectures: Vec<String>,
}

/// Something that a build takes.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Resource {
    /// Where it is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub uri: Option<String>,
    /// Its path in the repository.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// Hex, by algorithm.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub digest: BTreeMap<String, String>,
    /// What else is to be known.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub annotations: BTreeMap<String, String>,
}

/// Who ran the build.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RunDetails {
    /// The machine, or the workflow.
    pub builder: Builder,
}

/// Who is answerable for a build.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Builder {
    /// A URI.
    pub id: String,
}

/// A checkout that an image was built from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Revision {
    /// 40 hex digits.
    pub commit: String,
    /// Files are not as they were committed.
    pub is_changed: bool,
}

impl Provenance {
    /// What is known of a build. `locks` has the SHA-256 (hex) of each lock by its path in the
    /// repository at `address`; without a revision these are all that it was built from.
    pub fn new(
        address: &str,
        revision: Option<&Revision>,
        locks: &BTreeMap<String, String>,
        parameters: Parameters,
        builder: &str,
    ) -> Self {
        let source = revision.map(|revision| Resource {
            uri: Some(format!("git+{address}@{}", revision.commit)),
            name: None,
            digest: BTreeMap::from([("gitCommit".to_owned(), revision.commit.clone())]),
            annotations: match revision.is_changed {
                true => BTreeMap::from([("changed".to_owned(), "true".to_owned())]),
                false => BTreeMap::new(),
            },
        });
        let locks = locks.iter().map(|(path, sha256)| Resource {
            uri: None,
            name: Some(path.clone()),
            digest: BTreeMap::from([("sha256".to_owned(), sha256.clone())]),
            annotations: BTreeMap::new(),
        });
        Self {
            build_definition: BuildDefinition {
                build_type: format!("{address}/blob/main/docs/origin.md#provenance"),
                external_parameters: parameters,
                resolved_dependencies: source.into_iter().chain(locks).collect(),
            },
            run_details: RunDetails {
                builder: Builder {
                    id: builder.to_owned(),
                },
            },
        }
    }

    /// The revision that it names.
    pub fn revision(&self) -> Option<Revision> {
        let resources = &self.build_definition.resolved_dependencies;
        let source = resources
            .iter()
            .find(|one| one.digest.contains_key("gitCommit"))?;
        Some(Revision {
            commit: source.digest.get("gitCommit")?.clone(),
            is_changed: source.annotations.contains_key("changed"),
        })
    }
}
