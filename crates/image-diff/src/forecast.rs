//! The blobs that a layer will have, before it is built.

use std::collections::BTreeMap;
use std::ffi::OsString;

use comfy_image::layer::{LayerRequest, LayerSpec, TreeRef};
use comfy_image::record;

use crate::view::{Blob, owned};

/// What each blob has beside its trees: the root directory and the end of the archive.
const FRAME_BYTES: u64 = 3 * 512;

/// From this size on, a wheel or a deb holds native code above all.
const LARGE_ARCHIVE: u64 = 5_000_000;

/// What a wheel or a deb takes once it is unpacked. Measured on `slim`: 3.6 times the size of
/// wheels below [`LARGE_ARCHIVE`], which are text; 1.8 times that of all wheels together; 3.3 to
/// 4.1 times that of the debs of a root.
fn unpacked(archive_bytes: u64) -> u64 {
    if archive_bytes < LARGE_ARCHIVE {
        archive_bytes * 18 / 5
    } else {
        archive_bytes * 9 / 5
    }
}

/// What is known of the sizes of package trees.
#[derive(Debug, Clone, Default)]
pub struct Sizes {
    /// Bytes in a tar, by the tree's name in the store: exact.
    trees: BTreeMap<OsString, u64>,
    /// The same of another version, by layer, package, and which of the package's trees it is.
    packages: BTreeMap<(String, String, usize), u64>,
    /// What the files take that a package is unpacked from, by its name: a guess.
    archives: BTreeMap<String, u64>,
}

impl Sizes {
    /// Learns from a layer that is built. What is learnt later goes first, where versions differ.
    pub fn learn(&mut self, spec: &LayerSpec) {
        let mut seen = Seen::default();
        for package in &spec.packages {
            let name = package.package.split(' ').next().unwrap_or_default();
            // Specs of earlier versions do not say it: a header, and half a block of padding.
            let n_bytes = match package.tar_bytes {
                0 => package.size_bytes + 768 * package.n_files,
                n_bytes => n_bytes,
            };
            let which = seen.next(name);
            let key = (spec.name.to_string(), name.to_owned(), which);
            self.packages.insert(key, n_bytes);
            if let Some(tree) = package.path.file_name() {
                self.trees.insert(tree.to_owned(), n_bytes);
            }
        }
    }

    /// Learns the size of a wheel or a deb that is unpacked for a package; for a Debian root,
    /// of each of its debs.
    pub fn learn_archive(&mut self, package: &str, n_bytes: u64) {
        *self.archives.entry(package.to_owned()).or_default() += unpacked(n_bytes);
    }

    fn guess(&self, layer: &str, tree: &TreeRef, which: usize) -> u64 {
        let known = tree.path.file_name().and_then(|name| self.trees.get(name));
        let key = || (layer.to_owned(), tree.name().to_owned(), which);
        let known = known.or_else(|| self.packages.get(&key()));
        known.copied().unwrap_or_else(|| {
            // The first tree has the files; what comes after it is small.
            let archive = self.archives.get(tree.name()).filter(|_| which == 0);
            archive.copied().unwrap_or(0)
        })
    }
}

/// Numbers the trees of each package.
#[derive(Default)]
struct Seen<'n>(BTreeMap<&'n str, usize>);

impl<'n> Seen<'n> {
    fn next(&mut self, name: &'n str) -> usize {
        let count = self.0.entry(name).or_default();
        *count += 1;
        *count - 1
    }
}

/// Says which blobs a layer will have, by the rule that it is cut by when it is built. The sizes
/// are estimates, and with them where a package goes that is near the limit to a blob of its own.
pub fn forecast(request: &LayerRequest, sizes: &Sizes) -> Vec<Blob> {
    let layer = request.name.to_string();
    let mut seen = Seen::default();
    let weighed: Vec<(&str, u64)> = request
        .trees
        .iter()
        .map(|tree| {
            let which = seen.next(tree.name());
            (tree.name(), sizes.guess(&layer, tree, which))
        })
        .collect();
    let numbers = request.partition.assign(&weighed);
    let mut blobs: BTreeMap<usize, (Vec<TreeRef>, u64)> = BTreeMap::new();
    for ((tree, number), (_, n_bytes)) in request.trees.iter().zip(numbers).zip(weighed) {
        let (trees, sum) = blobs.entry(number).or_default();
        trees.push(tree.clone());
        *sum += n_bytes;
    }
    let blob = |(trees, n_bytes): (Vec<TreeRef>, u64)| Blob {
        layer: Some(layer.clone()),
        tar_bytes: (n_bytes > 0).then_some(n_bytes + FRAME_BYTES),
        is_estimate: true,
        packages: Some(owned(record::packages(&trees))),
        inputs: Some(record::inputs(&trees)),
        trees,
        ..Blob::default()
    };
    blobs.into_values().map(blob).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn request(packages: &[(&str, &str)]) -> LayerRequest {
        let trees: Vec<String> = packages
            .iter()
            .map(|(package, path)| format!(r#"{{"package":"{package}","path":"/s/{path}"}}"#))
            .collect();
        let text = format!(
            r#"{{"schema_version":1,"name":"05-pak3","trees":[{}],
            "partition":{{"max_blobs":4,"alone_from_bytes":1000}}}}"#,
            trees.join(",")
        );
        serde_json::from_str(&text).unwrap()
    }

    fn spec(packages: &[(&str, &str, u64)]) -> LayerSpec {
        let packages: Vec<String> = packages
            .iter()
            .map(|(package, path, tar_bytes)| {
                format!(
                    r#"{{"package":"{package}","path":"/s/{path}","n_files":1,"size_bytes":1,"tar_bytes":{tar_bytes}}}"#
                )
            })
            .collect();
        let text = format!(
            r#"{{"schema_version":1,"name":"05-pak3","n_packages":1,"n_files":1,"size_bytes":1,
            "blobs":[],"packages":[{}]}}"#,
            packages.join(",")
        );
        serde_json::from_str(&text).unwrap()
    }

    fn show(blobs: &[Blob]) -> Vec<String> {
        let packages = |blob: &Blob| blob.packages.clone().unwrap_or_default().join(", ");
        blobs
            .iter()
            .map(|blob| format!("{} {:?}", packages(blob), blob.tar_bytes))
            .collect()
    }

    #[test]
    fn ok_sizes_of_the_tree_of_another_version_or_of_the_file() {
        let mut sizes = Sizes::default();
        sizes.learn(&spec(&[
            ("torch 1", "torch", 5000),
            ("torch 1", "torch-byte-code", 700),
            ("numpy 1", "numpy", 2000),
        ]));
        sizes.learn_archive("scipy", 600);
        sizes.learn_archive("torch", 9_000_000);
        let blobs = forecast(
            &request(&[
                ("torch 2", "torch2"),
                ("torch 2", "torch2-byte-code"),
                ("numpy 1", "numpy"),
                ("scipy 1", "scipy"),
                ("scipy 1", "scipy-byte-code"),
                ("a 1", "a"),
            ]),
            &sizes,
        );
        assert_eq!(
            show(&blobs),
            [
                "numpy 1 Some(3536)",
                "scipy 1 Some(3696)",
                "torch 2 Some(7236)",
                "a 1 None"
            ]
        );
        assert!(
            blobs
                .iter()
                .all(|blob| blob.is_estimate && blob.diff_id.is_none())
        );
    }

    #[test]
    fn ok_specs_that_do_not_say_it() {
        let mut sizes = Sizes::default();
        sizes.learn(&spec(&[("a 1", "a", 0)]));
        let blobs = forecast(&request(&[("a 1", "a")]), &sizes);
        assert_eq!(show(&blobs), ["a 1 Some(2305)"]);
    }
}
