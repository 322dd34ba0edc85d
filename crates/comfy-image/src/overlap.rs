//! Finds directories that a layer would silently replace in a layer below it.
//!
//! An image layer names the parents of its files, and a directory in an upper layer
//! wins over a symlink and over the mode in a lower one: `lib/x` above a merged `/usr`
//! would cut off `/lib`, and `tmp/x` would take the sticky bit from `/tmp`.

use std::fs;
use std::io;
use std::path::Path;

use crate::error::{Error, Overlap};
use crate::files::At as _;
use crate::layer::LayerSpec;
use crate::tree;

/// Refuses layers, lowest first, of which one would change another in that way.
pub(crate) fn check(layers: &[LayerSpec], store_root: Option<&Path>) -> Result<(), Error> {
    let mut overlaps = Vec::new();
    for (index, upper) in layers.iter().enumerate() {
        for tree in upper.blobs.iter().flat_map(|blob| &blob.trees) {
            let root = tree::root_of(tree, store_root);
            for lower in &layers[..index] {
                for (path, effect) in effects(lower, upper) {
                    if is_real_directory(&root.join(path))? {
                        overlaps.push(Overlap {
                            path: path.clone(),
                            lower_layer: lower.name.to_string(),
                            upper_layer: upper.name.to_string(),
                            package: tree.package.clone(),
                            effect,
                        });
                    }
                }
            }
        }
    }
    if overlaps.is_empty() {
        Ok(())
    } else {
        Err(Error::Overlaps { overlaps })
    }
}

/// Lists what would happen if the upper layer had a directory at a path of the lower one.
fn effects<'a>(
    lower: &'a LayerSpec,
    upper: &'a LayerSpec,
) -> impl Iterator<Item = (&'a String, String)> {
    let replaced = lower
        .directory_symlinks
        .iter()
        .map(|path| (path, "replaces by a directory the symlink".to_owned()));
    let default = format!("{:04o}", tree::DIRECTORY_MODE);
    let changed = lower
        .directory_modes
        .iter()
        .filter(move |(path, mode)| **mode != default && !upper.directory_modes.contains_key(*path))
        .map(|(path, mode)| {
            (
                path,
                format!(
                    "sets mode {:04o} in place of the {mode}",
                    tree::DIRECTORY_MODE
                ),
            )
        });
    replaced.chain(changed)
}

fn is_real_directory(path: &Path) -> Result<bool, Error> {
    match fs::symlink_metadata(path) {
        Ok(metadata) => Ok(metadata.is_dir()),
        Err(error)
            if matches!(
                error.kind(),
                io::ErrorKind::NotFound | io::ErrorKind::NotADirectory
            ) =>
        {
            Ok(false)
        }
        Err(error) => Err(error).at("look at", path),
    }
}
