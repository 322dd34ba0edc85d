//! Logical layers: what is asked for, and what a spec says of one.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Component, Path, PathBuf};

use serde::{Deserialize, Serialize};

use crate::digest::Digest;
use crate::dpkg::NOBODY;
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
    /// Names of the Debian packages whose files are meant, where the others of this root are in
    /// other blobs; the empty name stands for what no package owns. None: the whole tree.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub only: Vec<String>,
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
        name_of(&self.package)
    }

    /// Its packages may be in different blobs.
    pub fn is_cut(&self) -> bool {
        !self.contains.is_empty() && self.only.is_empty()
    }

    /// The files of one package of this root, under the package's own name; with the empty name,
    /// of none of them, under the root's.
    pub fn part(&self, package: &str) -> Self {
        let mut contains = self.contains.iter();
        let full = contains.find(|full| name_of(full) == package);
        Self {
            package: match (full, package) {
                (_, NOBODY) => self.package.clone(),
                (Some(full), _) => full.clone(),
                (None, _) => package.to_owned(),
            },
            path: self.path.clone(),
            contains: Vec::new(),
            only: vec![package.to_owned()],
        }
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

/// Makes one tree of the parts of a root that are in one blob, and the whole one of all its
/// parts. `whole` is what `all` was cut from.
pub fn join<'a>(
    whole: &[TreeRef],
    all: &[TreeRef],
    some: impl IntoIterator<Item = &'a TreeRef>,
) -> Vec<TreeRef> {
    let mut joined: Vec<TreeRef> = Vec::new();
    for part in some {
        let root = whole.iter().find(|root| root.path == part.path);
        let Some(root) = root.filter(|root| root.is_cut() && !part.only.is_empty()) else {
            joined.push(part.clone());
            continue;
        };
        match joined.iter_mut().find(|tree| tree.path == part.path) {
            Some(tree) => tree.only.extend_from_slice(&part.only),
            None => joined.push(TreeRef {
                only: part.only.clone(),
                ..root.clone()
            }),
        }
    }
    for tree in joined.iter_mut().filter(|tree| !tree.only.is_empty()) {
        tree.only.sort();
        if all.iter().filter(|part| part.path == tree.path).count() == tree.only.len() {
            tree.only.clear();
        } else {
            tree.contains
                .retain(|full| tree.only.iter().any(|name| name == name_of(full)));
        }
    }
    joined
}

/// The name before the version.
pub fn name_of(package: &str) -> &str {
    package.split(' ').next().unwrap_or_default()
}

/// Counts the packages that trees belong to.
pub(crate) fn count_packages(trees: &[TreeRef]) -> u64 {
    let names: BTreeSet<&str> = trees.iter().map(|tree| tree.package.as_str()).collect();
    names.len() as u64
}

/// Refuses trees that are not named by a plain absolute path, or named twice.
pub(crate) fn check_trees<'a>(trees: impl IntoIterator<Item = &'a TreeRef>) -> Result<(), Error> {
    let mut seen: BTreeMap<&Path, BTreeSet<&str>> = BTreeMap::new();
    for tree in trees {
        let TreeRef { package, path, .. } = tree;
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
        let is_first = !seen.contains_key(path.as_path());
        let parts = seen.entry(path).or_default();
        // A whole tree once, or parts of it each once.
        let is_new = match tree.only.is_empty() {
            true => is_first,
            false => {
                (is_first || !parts.is_empty()) && tree.only.iter().all(|name| parts.insert(name))
            }
        };
        if !is_new {
            return Err(Error::invalid(
                "tree",
                format!("package `{package}`: listed twice: `{shown}`"),
            ));
        }
    }
    Ok(())
}
