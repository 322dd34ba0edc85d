//! Logical layers: what is asked for, and the spec that names each blob's digest.

use std::collections::{BTreeMap, BTreeSet};
use std::num::NonZeroUsize;
use std::path::{Component, Path, PathBuf};

use serde::{Deserialize, Serialize};

use crate::blob::LayerPlan;
use crate::digest::Digest;
use crate::error::{Error, show};
use crate::files::read_json;
use crate::merge;
use crate::name::LayerName;
use crate::parallel;
use crate::schema::SchemaVersion;
use crate::tree;

/// Names a package and a directory that holds files of it: a package may have several.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TreeRef {
    /// Name and version, for people.
    pub package: String,
    /// The tree, an absolute path.
    pub path: PathBuf,
}

/// Asks for a layer.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct LayerRequest {
    /// The version of this document.
    pub schema_version: SchemaVersion,
    /// The layer.
    pub name: LayerName,
    /// The packages, the first one first in the layer.
    pub trees: Vec<TreeRef>,
    /// A blob is not larger than this, unless one package alone is.
    pub max_blob_size_bytes: u64,
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
    /// Files and symlinks, over all blobs.
    pub n_files: u64,
    /// Size of the tars, over all blobs.
    pub size_bytes: u64,
    /// The blobs; none if the packages are empty.
    pub blobs: Vec<Blob>,
    /// What each tree holds, before merging.
    pub packages: Vec<PackageSize>,
    /// Directories whose mode a `modes` file sets, with the octal mode.
    pub directory_modes: BTreeMap<String, String>,
    /// Symlinks that stand for a directory of this layer, such as `bin`.
    pub directory_symlinks: Vec<String>,
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

/// Merges the trees of a layer and computes each blob's digest, up to `jobs` at a time.
pub fn build_spec(
    request: &LayerRequest,
    jobs: NonZeroUsize,
    store_root: Option<&Path>,
) -> Result<LayerSpec, Error> {
    check_trees(&request.trees)?;
    let contents = parallel::map(&request.trees, jobs, |_, tree| tree::read(tree, store_root))?;
    let packages: Vec<PackageSize> = request
        .trees
        .iter()
        .zip(&contents)
        .map(|(tree, entries)| PackageSize {
            package: tree.package.clone(),
            path: tree.path.clone(),
            n_files: entries.values().filter(|entry| entry.is_file()).count() as u64,
            size_bytes: entries.values().map(tree::Entry::content_bytes).sum(),
        })
        .collect();
    let tree_bytes: Vec<u64> = contents
        .iter()
        .map(|entries| {
            entries
                .iter()
                .map(|(path, entry)| merge::tar_bytes(path, entry))
                .sum()
        })
        .collect();
    let assignment = merge::assign(&tree_bytes, request.max_blob_size_bytes);

    let plan = LayerPlan::new(
        &request.name,
        &request.trees,
        contents,
        &assignment,
        store_root,
    )?;
    let numbers: Vec<usize> = (0..plan.blobs().len())
        .filter(|number| !plan.blobs()[*number].members.is_empty())
        .collect();
    let blobs = parallel::map(&numbers, jobs, |_, number| {
        let (diff_id, size_bytes) = plan.hash_blob(*number)?;
        let blob = &plan.blobs()[*number];
        let trees = request.trees.iter().zip(&assignment);
        Ok(Blob {
            diff_id,
            size_bytes,
            n_files: blob.n_files,
            content_bytes: blob.content_bytes,
            trees: trees
                .filter(|(_, of)| *of == number)
                .map(|(tree, _)| tree.clone())
                .collect(),
        })
    })?;
    Ok(LayerSpec {
        schema_version: SchemaVersion,
        name: request.name.clone(),
        n_packages: count_packages(&request.trees),
        n_files: blobs.iter().map(|blob| blob.n_files).sum(),
        size_bytes: blobs.iter().map(|blob| blob.size_bytes).sum(),
        blobs,
        packages,
        directory_modes: plan
            .directory_modes()
            .iter()
            .map(|(path, mode)| (show(path), format!("{mode:04o}")))
            .collect(),
        directory_symlinks: plan
            .directory_symlinks()
            .iter()
            .map(|path| show(path))
            .collect(),
    })
}

/// Counts the packages that trees belong to.
pub(crate) fn count_packages(trees: &[TreeRef]) -> u64 {
    let names: BTreeSet<&str> = trees.iter().map(|tree| tree.package.as_str()).collect();
    names.len() as u64
}

/// Refuses trees that are not named by a plain absolute path, or named twice.
pub(crate) fn check_trees<'a>(trees: impl IntoIterator<Item = &'a TreeRef>) -> Result<(), Error> {
    let mut seen = BTreeSet::new();
    for TreeRef { package, path } in trees {
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
