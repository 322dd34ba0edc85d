//! The lock of tarballs, git trees and weights, and where fixed outputs come from. Pure.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::diff::Entry;
use super::sha256::{Sha256, SriSha256};
use super::tree_pattern::TreePattern;

/// The digits of a revision that people are shown.
pub(crate) fn short_revision(rev: &str) -> &str {
    rev.get(..12).unwrap_or(rev)
}

/// `package-lists/locks/sources.toml`: tarballs and git trees, by name.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SourcesLock {
    /// 1.
    pub schema_version: u32,
    /// Upstream tarballs.
    #[serde(default)]
    pub tarball: BTreeMap<String, Tarball>,
    /// Git trees.
    #[serde(default)]
    pub git: BTreeMap<String, GitTree>,
    /// Model weights that layer 12 places.
    #[serde(default)]
    pub weights: BTreeMap<String, Weights>,
}

impl SourcesLock {
    /// What [`diff`] compares.
    pub fn entries(&self) -> Vec<Entry> {
        let source = |name: &String, version: &str, size, hash: String| Entry {
            name: name.clone(),
            version: version.to_owned(),
            layer: None,
            size,
            hash,
        };
        let tarballs = self.tarball.iter().map(|(name, tarball)| {
            let hash = tarball.sha256.to_string();
            source(name, &tarball.version, Some(tarball.size), hash)
        });
        let trees = self.git.iter().map(|(name, tree)| {
            let rev = short_revision(&tree.rev);
            source(name, rev, None, tree.nar_hash.to_string())
        });
        let weights = self.weights.iter().flat_map(|(name, weights)| {
            let files = weights.files.iter();
            files.map(move |(file, hash)| source(file, name, None, hash.to_string()))
        });
        tarballs.chain(trees).chain(weights).collect()
    }
}

/// Some files of one revision of a git repository, fetched one by one.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Weights {
    /// URL of the directory that holds the files.
    pub url: String,
    /// Directory below ComfyUI's `models/`.
    pub directory: String,
    /// Hash of each file, by file name.
    pub files: BTreeMap<String, SriSha256>,
}

/// One upstream file with every place that serves the same bytes.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Tarball {
    /// Upstream version.
    pub version: String,
    /// File name.
    pub file: String,
    /// Size in bytes.
    pub size: u64,
    /// Hash of the file.
    pub sha256: Sha256,
    /// Where to look, in this order.
    pub origins: Vec<Origin>,
}

/// What a git tree is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum GitKind {
    /// A Python package.
    Python,
    /// ComfyUI itself.
    Comfyui,
    /// A custom node of ComfyUI.
    CustomNode,
    /// What only builds need.
    Build,
}

/// One git tree, submodules included.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct GitTree {
    /// Clone URL (a git forge is not a package registry in the sense of the host rule).
    pub url: String,
    /// Full revision, 40 hex digits.
    pub rev: String,
    /// NAR hash of the tree without `.git` and without what `exclude` names.
    pub nar_hash: SriSha256,
    /// What is left out of the tree.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub exclude: Vec<TreePattern>,
    /// Whether submodules are part of the tree.
    #[serde(default)]
    pub submodules: bool,
    /// What it is for.
    pub kind: GitKind,
    /// Directory below `custom_nodes/`, for nodes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub install_dir: Option<String>,
    /// Why a node cannot be imported on a machine without a GPU.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub import_fails: Option<String>,
    /// What a Python package requires (PEP 508); its built metadata says this.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub requires: Vec<String>,
}

/// Where a fixed output comes from. The same JSON stands in the `origins`
/// attribute of each fixed-output derivation, so `fetch` needs nothing but the derivation.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "registry", rename_all = "lowercase", deny_unknown_fields)]
pub enum Origin {
    /// A file of a Debian archive, from the machine's apt mirrors or the snapshot archive.
    Debian {
        /// `debian` or `debian-security`.
        archive: String,
        /// Path below the archive.
        path: String,
        /// Time in the snapshot archive.
        snapshot: String,
    },
    /// A file of the user's Python index.
    Pypi {
        /// Normalized project name.
        project: String,
        /// File name.
        file: String,
    },
    /// A crate, from cargo's own registry cache.
    Crates {
        /// Crate name.
        name: String,
        /// Version.
        version: String,
    },
    /// A file of an upstream project that is not a package registry.
    Url {
        /// The whole URL.
        url: String,
    },
    /// A git tree, cloned by the user's git.
    Git {
        /// Clone URL.
        url: String,
        /// Full revision.
        rev: String,
        /// Whether submodules are part of the tree.
        submodules: bool,
        /// What is left out of the tree.
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        exclude: Vec<TreePattern>,
    },
    /// The executable `path` of a Debian package, kept executable: the one seed binary.
    #[serde(rename = "deb-member")]
    DebMember {
        /// `debian` or `debian-security`.
        archive: String,
        /// Path of the deb below the archive.
        path: String,
        /// Time in the snapshot archive.
        snapshot: String,
        /// SHA-256 of the deb.
        deb_sha256: Sha256,
        /// Size of the deb in bytes.
        deb_size: u64,
        /// Member of the deb's data archive, without leading `./`.
        member: String,
    },
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::lock::diff::diff;

    #[test]
    fn ok_difference_of_sources() {
        let lock = |rev: &str, content: &str| {
            let hash = SriSha256(Sha256::of(content.as_bytes()));
            let text = format!(
                r#"
                schema_version = 1

                [git.nunchaku]
                url = "https://forge.test/nunchaku"
                rev = "{rev}"
                nar_hash = "{hash}"
                kind = "python"
                requires = []

                [weights.taesd]
                url = "https://forge.test/taesd"
                directory = "vae_approx"
                files = {{ "taesd_decoder.pth" = "{hash}" }}
                "#
            );
            toml::from_str::<SourcesLock>(&text).unwrap().entries()
        };
        let old = lock("c01772562ab103d4958349250df626696d763d89", "a");
        let new = lock("a938b0dd49fadd3a849aa18468885c85b79f0dce", "b");
        let changes = diff("sources", Some(&old), &new);
        let text = |parts: &[&str]| parts.join(" ");
        let (name, was, now) = &changes.changed[0];
        assert_eq!(
            text(&[name, was, now]),
            "nunchaku c01772562ab1 a938b0dd49fa"
        );
        let (file, of) = &changes.refiled[0];
        assert_eq!(text(&[file, of]), "taesd_decoder.pth taesd");
        assert_eq!((changes.packages, changes.n_unknown_sizes), (2, 2));
    }

    #[test]
    fn err_unknown_field() {
        let text = "schema_version = 1\nhost = \"x\"\n";
        let error = toml::from_str::<SourcesLock>(text).unwrap_err().to_string();
        assert!(error.contains("unknown field `host`"), "{error}");
    }
}
