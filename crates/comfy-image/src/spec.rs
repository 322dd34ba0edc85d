//! From a request to the spec that names each blob's digest.

use std::num::NonZeroUsize;
use std::path::Path;

use crate::blob::LayerPlan;
use crate::dpkg::Owners;
use crate::error::{Error, show};
use crate::layer::{
    self, Blob, LayerRequest, LayerSpec, PackageSize, TreeRef, check_trees, count_packages,
};
use crate::merge;
use crate::parallel;
use crate::schema::SchemaVersion;
use crate::tree::{self, Entries};

/// Merges the trees of a layer and computes each blob's digest, up to `jobs` at a time.
pub fn build_spec(
    request: &LayerRequest,
    jobs: NonZeroUsize,
    store_root: Option<&Path>,
) -> Result<LayerSpec, Error> {
    check_trees(&request.trees)?;
    let contents = parallel::map(&request.trees, jobs, |_, tree| tree::read(tree, store_root))?;
    let (trees, contents) = cut(&request.trees, contents, store_root)?;
    let packages = package_sizes(&trees, &contents);
    let assignment = assign(request, &trees, &packages);
    let plan = LayerPlan::new(&request.name, &trees, contents, &assignment, store_root)?;
    let blobs = hash_blobs(&request.trees, &trees, &plan, &assignment, jobs)?;
    Ok(LayerSpec {
        schema_version: SchemaVersion,
        name: request.name.clone(),
        n_packages: count_packages(&request.trees),
        n_files: blobs.iter().map(|blob| blob.n_files).sum(),
        size_bytes: blobs.iter().map(|blob| blob.size_bytes).sum(),
        blobs,
        packages,
    })
}

/// Lists the files and symlinks of a tree, and the size of each content in bytes.
///
/// # Errors
/// It is no tree, or cannot be read.
pub fn files(tree: &TreeRef, store_root: Option<&Path>) -> Result<Vec<(String, u64)>, Error> {
    let entries = tree::read(tree, store_root)?.into_iter();
    let files = entries.filter(|(_, entry)| entry.is_file());
    Ok(files
        .map(|(path, entry)| (show(&path), entry.content_bytes()))
        .collect())
}

/// Cuts roots of several Debian packages into a tree for each of them.
fn cut(
    trees: &[TreeRef],
    contents: Vec<Entries>,
    store_root: Option<&Path>,
) -> Result<(Vec<TreeRef>, Vec<Entries>), Error> {
    let (mut cut_trees, mut cut_contents) = (Vec::new(), Vec::new());
    for (tree, entries) in trees.iter().zip(contents) {
        let owners = match tree.is_cut() {
            true => Owners::read(&tree::root_of(tree, store_root))?,
            false => None,
        };
        let Some(owners) = owners else {
            cut_trees.push(tree.clone());
            cut_contents.push(entries);
            continue;
        };
        for (package, entries) in owners.cut(&entries) {
            cut_trees.push(tree.part(package));
            cut_contents.push(entries);
        }
    }
    Ok((cut_trees, cut_contents))
}

fn package_sizes(trees: &[TreeRef], contents: &[Entries]) -> Vec<PackageSize> {
    trees
        .iter()
        .zip(contents)
        .map(|(tree, entries)| PackageSize {
            package: tree.package.clone(),
            path: tree.path.clone(),
            n_files: entries.values().filter(|entry| entry.is_file()).count() as u64,
            size_bytes: entries.values().map(tree::Entry::content_bytes).sum(),
            tar_bytes: entries
                .iter()
                .map(|(path, entry)| merge::tar_bytes(path, entry))
                .sum(),
        })
        .collect()
}

/// Gives the number of its blob to each tree.
fn assign(request: &LayerRequest, trees: &[TreeRef], packages: &[PackageSize]) -> Vec<usize> {
    let names = trees.iter().map(TreeRef::name);
    let sizes: Vec<(&str, u64)> = names
        .zip(packages.iter().map(|package| package.tar_bytes))
        .collect();
    request.partition.assign(&sizes)
}

fn hash_blobs(
    whole: &[TreeRef],
    trees: &[TreeRef],
    plan: &LayerPlan,
    assignment: &[usize],
    jobs: NonZeroUsize,
) -> Result<Vec<Blob>, Error> {
    let numbers: Vec<usize> = (0..plan.blobs().len())
        .filter(|number| !plan.blobs()[*number].members.is_empty())
        .collect();
    parallel::map(&numbers, jobs, |_, number| {
        let (diff_id, size_bytes) = plan.hash_blob(*number)?;
        let blob = &plan.blobs()[*number];
        let of_blob = trees.iter().zip(assignment);
        let of_blob = of_blob
            .filter(|(_, of)| *of == number)
            .map(|(tree, _)| tree);
        Ok(Blob {
            diff_id,
            size_bytes,
            n_files: blob.n_files,
            content_bytes: blob.content_bytes,
            trees: layer::join(whole, trees, of_blob),
        })
    })
}
