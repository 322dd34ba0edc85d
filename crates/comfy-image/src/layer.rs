//! Logical layers: what is asked for, and what a spec says of one.

use std::collections::BTreeSet;
use std::path::{Component, Path, PathBuf};

use serde::{Deserialize, Serialize};

use crate::digest::Digest;
use crate::error::Error;
use crate::files::read_json;
use crate::name::LayerName;
use crate::partition::Partition;
use crate::schema::SchemaVersion;

/// Names a package and a directory that holds files of it: a package may have several.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TreeRef {
    /// Name and version, for people.
    pub package: String,
    /// The tree, an absolute path.
    pub path: PathBuf,
    /// Name and version of each package in it, for a tree that holds several.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub contains: Vec<String>,
}

/// Asks for a layer.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct LayerRequest {
    /// The version of this document.
    pub schema_version: SchemaVersion,
    /// The layer.
    pub name: LayerName,
    /// The packages' trees.
    pub trees: Vec<TreeRef>,
    /// How finely it is cut into blobs.
    pub partition: Partition,
}

/// Describes a layer: its blobs, in order, and what they are made from.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct LayerSpec {
    /// The version of this document.
    pub schema_version: SchemaVersion,
    /// The layer.
    pub name: LayerName,
    /// How many packages were asked for.
    pub n_packages: u64,
    /// Files and symlinks, over all blobs; one that two blobs have counts twice.
    pub n_files: u64,
    /// Size of the tars, over all blobs.
    pub size_bytes: u64,
    /// The blobs; none if the packages are empty.
    pub blobs: Vec<Blob>,
    /// What each tree holds, before merging.
    pub packages: Vec<PackageSize>,
}

/// Describes one blob of a layer.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Blob {
    /// The digest of the tar.
    pub diff_id: Digest,
    /// The size of the tar.
    pub size_bytes: u64,
    /// Files and symlinks.
    pub n_files: u64,
    /// The sum of the sizes of the files.
    pub content_bytes: u64,
    /// The trees, in order.
    pub trees: Vec<TreeRef>,
}

/// Says how large a tree of a package is by itself.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PackageSize {
    /// Name and version, for people.
    pub package: String,
    /// The tree.
    pub path: PathBuf,
    /// Files and symlinks.
    pub n_files: u64,
    /// The sum of the sizes of the files.
    pub size_bytes: u64,
    /// What it would take in a tar of its own: the size that a partition goes by.
    #[serde(default)]
    pub tar_bytes: u64,
}

impl TreeRef {
    /// The package's name, without its version.
    pub fn name(&self) -> &str {
        self.package.split(' ').next().unwrap_or_default()
    }
}

impl LayerRequest {
    /// Reads and checks a request.
    pub fn read(path: &Path) -> Result<Self, Error> {
        read_json("layer request", path)
    }
}

impl LayerSpec {
    /// Reads and checks a spec.
    pub fn read(path: &Path, store_root: Option<&Path>) -> Result<Self, Error> {
        let spec: Self = read_json("layer spec", &crate::files::resolve(store_root, path))?;
        check_trees(spec.blobs.iter().flat_map(|blob| &blob.trees))?;
        Ok(spec)
    }
}

/// Counts the packages that trees belong to.
pub(crate) fn count_packages(trees: &[TreeRef]) -> u64 {
    let names: BTreeSet<&str> = trees.iter().map(|tree| tree.package.as_str()).collect();
    names.len() as u64
}

/// Refuses trees that are not named by a plain absolute path, or named twice.
pub(crate) fn check_trees<'a>(trees: impl IntoIterator<Item = &'a TreeRef>) -> Result<(), Error> {
    let mut seen = BTreeSet::new();
    for TreeRef { package, path, .. } in trees {
        let is_plain = path.is_absolute()
            && path
                .components()
                .all(|part| matches!(part, Component::RootDir | Component::Normal(_)));
        let shown = path.display();
        if package.is_empty() {
            return Err(Error::invalid(
                "tree",
                format!("no package name for `{shown}`"),
            ));
        }
        if !is_plain {
            let reason =
                format!("package `{package}`: not an absolute path without `..`: `{shown}`");
            return Err(Error::invalid("tree", reason));
        }
        if !seen.insert(path) {
            return Err(Error::invalid(
                "tree",
                format!("package `{package}`: listed twice: `{shown}`"),
            ));
        }
    }
    Ok(())
}
