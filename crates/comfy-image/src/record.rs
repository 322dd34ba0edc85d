//! What a manifest says of its blobs, so that images can be compared without reading them.
//!
//! The annotations stand at the descriptors of the layers (OCI image specification,
//! descriptor.md): the config, and with it the image ID, does not depend on them.

use std::collections::{BTreeMap, BTreeSet};

use crate::digest::Digest;
use crate::dpkg::NOBODY;
use crate::layer::{Blob, TreeRef};
use crate::name::LayerName;

/// The logical layer that a blob is a part of.
pub const LAYER: &str = "io.comfyui-boot.layer";
/// Name and version of each package in it, one on a line.
pub const PACKAGES: &str = "io.comfyui-boot.packages";
/// What [`inputs`] returns.
pub const INPUTS: &str = "io.comfyui-boot.inputs";

/// Returns the annotations of a blob.
pub(crate) fn annotations(layer: &LayerName, blob: &Blob) -> BTreeMap<String, String> {
    [
        (LAYER, layer.to_string()),
        (PACKAGES, packages(&blob.trees).join("\n")),
        (INPUTS, inputs(&blob.trees).to_string()),
    ]
    .map(|(key, value)| (key.to_owned(), value))
    .into()
}

/// Returns name and version of each package of some trees, in order, each once.
pub fn packages(trees: &[TreeRef]) -> Vec<&str> {
    let mut seen = BTreeSet::new();
    let names = trees.iter().flat_map(|tree| {
        // A part of a root without what is the root's own is not the root.
        let has_own = tree.only.is_empty() || tree.only.iter().any(|name| name == NOBODY);
        let own = has_own.then_some(&tree.package);
        own.into_iter().chain(&tree.contains)
    });
    names
        .map(String::as_str)
        .filter(|name| seen.insert(*name))
        .collect()
}

/// Returns a digest over the names of some trees in the store, wherever that is, and of the
/// packages of those that are cut: it tells whether a blob that is not built yet will be made
/// from the same ones.
pub fn inputs(trees: &[TreeRef]) -> Digest {
    let names: BTreeSet<_> = trees
        .iter()
        .map(|tree| (tree.path.file_name(), &tree.only))
        .collect();
    let mut text = Vec::new();
    for (name, only) in names {
        let Some(name) = name else { continue };
        text.extend_from_slice(name.as_encoded_bytes());
        for package in only {
            text.push(b' ');
            text.extend_from_slice(package.as_bytes());
        }
        text.push(b'\n');
    }
    Digest::of(&text)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tree(package: &str, path: &str, contains: &[&str]) -> TreeRef {
        TreeRef {
            package: package.to_owned(),
            path: path.into(),
            contains: contains.iter().map(|name| (*name).to_owned()).collect(),
            only: Vec::new(),
        }
    }

    #[test]
    fn ok_each_package_once() {
        let trees = [
            tree("debian-base", "/s/b", &["bash 5.2", "apt 3.0"]),
            tree("numpy 2.5", "/s/n", &[]),
            tree("numpy 2.5", "/s/n-byte-code", &[]),
        ];
        assert_eq!(
            packages(&trees),
            ["debian-base", "bash 5.2", "apt 3.0", "numpy 2.5"]
        );
    }

    #[test]
    fn ok_inputs_are_the_names_in_the_store() {
        let [one, two] = ["/s/1", "/s/2"].map(|path| tree("a 1", path, &[]));
        let both = inputs(&[one.clone(), two.clone()]);
        assert_eq!(both, inputs(&[two.clone(), one.clone()]));
        assert_ne!(both, inputs(std::slice::from_ref(&one)));
        let elsewhere = tree("b 1", "/chroot/s/1", &["c 1"]);
        assert_eq!(inputs(&[one]), inputs(&[elsewhere]));
    }
}
