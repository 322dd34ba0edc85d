//! The blobs that a layer will have, before it is built.

use std::collections::{BTreeMap, BTreeSet};
use std::ffi::OsString;

use comfy_image::layer::{LayerRequest, LayerSpec, TreeRef, join, name_of};
use comfy_image::record;

use crate::view::{Blob, owned};

/// What each blob has beside its trees: the root directory and the end of the archive.
const FRAME_BYTES: u64 = 3 * 512;

/// From this size on, a wheel or a deb holds native code above all.
const LARGE_ARCHIVE: u64 = 5_000_000;

/// What a wheel or a deb takes once it is unpacked, and what its byte code takes. Measured on
/// `slim`: 3.6 and 1.6 times the size of wheels below [`LARGE_ARCHIVE`], which are text; 1.8 and
/// 0.1 times that of the others; 3.3 to 4.1 times that of the debs of a root.
fn unpacked(archive_bytes: u64) -> [u64; 2] {
    if archive_bytes < LARGE_ARCHIVE {
        [archive_bytes * 18 / 5, archive_bytes * 8 / 5]
    } else {
        [archive_bytes * 9 / 5, archive_bytes / 10]
    }
}

/// What is known of the sizes of package trees.
#[derive(Debug, Clone, Default)]
pub struct Sizes {
    /// Bytes in a tar, by the tree's name in the store and the package's, as a Debian root is one
    /// tree: exact.
    trees: BTreeMap<(OsString, String), u64>,
    /// The same of another version, by layer, package, and which of the package's trees it is.
    packages: BTreeMap<(String, String, usize), u64>,
    /// What the files take that a package is unpacked from, and their byte code: a guess.
    archives: BTreeMap<String, [u64; 2]>,
    /// What a blob of several packages takes, by layer and names.
    groups: BTreeMap<(String, BTreeSet<String>), u64>,
    /// Layer and name of the packages in such blobs.
    grouped: BTreeSet<(String, String)>,
}

/// What is said of the size of a tree.
#[derive(Debug, Clone, Copy)]
struct Guess {
    n_bytes: u64,
    /// It rests on the size of an archive, or on nothing.
    is_rough: bool,
}

impl Sizes {
    /// Learns from a layer that is built. What is learnt later goes first, where versions differ.
    pub fn learn(&mut self, spec: &LayerSpec) {
        let mut seen = Seen::default();
        for package in &spec.packages {
            let name = name_of(&package.package);
            // Specs of earlier versions do not say it: a header, and half a block of padding.
            let n_bytes = match package.tar_bytes {
                0 => package.size_bytes + 768 * package.n_files,
                n_bytes => n_bytes,
            };
            let which = seen.next(name);
            let key = (spec.name.to_string(), name.to_owned(), which);
            self.packages.insert(key, n_bytes);
            if let Some(tree) = package.path.file_name() {
                let key = (tree.to_owned(), name.to_owned());
                self.trees.insert(key, n_bytes);
            }
        }
    }

    /// Learns the size of a wheel or a deb that is unpacked for a package.
    pub fn learn_archive(&mut self, package: &str, n_bytes: u64) {
        let known = self.archives.entry(package.to_owned()).or_default();
        for (sum, more) in known.iter_mut().zip(unpacked(n_bytes)) {
            *sum += more;
        }
    }

    /// Learns from the blobs of an image whose trees are not here: how large a package is that
    /// has a blob of its own, and which packages have none. `compressed` is what a blob takes in
    /// its registry, in hundredths of its tar.
    pub fn learn_blobs(&mut self, blobs: &[Blob], compressed: u64) {
        for blob in blobs {
            let (Some(layer), Some(packages)) = (&blob.layer, &blob.packages) else {
                continue;
            };
            let tar = |stored_bytes| stored_bytes * 100 / compressed.max(1);
            let Some(n_bytes) = blob.tar_bytes.or(blob.stored_bytes.map(tar)) else {
                continue;
            };
            let names = packages.iter().map(|package| name_of(package).to_owned());
            let names: BTreeSet<String> = names.collect();
            if names.len() == 1 {
                for name in names {
                    let key = (layer.clone(), name, 0);
                    let tree_bytes = n_bytes.saturating_sub(FRAME_BYTES);
                    self.packages.entry(key).or_insert(tree_bytes);
                }
            } else {
                let each = names.iter().map(|name| (layer.clone(), name.clone()));
                self.grouped.extend(each);
                self.groups.insert((layer.clone(), names), n_bytes);
            }
        }
    }

    fn guess(&self, layer: &str, tree: &TreeRef, which: usize, alone_from_bytes: u64) -> Guess {
        let name = tree.name().to_owned();
        let key = |tree: &std::ffi::OsStr| (tree.to_owned(), name.clone());
        let exact = tree.path.file_name();
        let exact = exact.and_then(|tree| self.trees.get(&key(tree)));
        let of_version = || self.packages.get(&(layer.to_owned(), name.clone(), which));
        if let Some(n_bytes) = exact.or_else(of_version) {
            return Guess {
                n_bytes: *n_bytes,
                is_rough: false,
            };
        }
        // The first tree has the files, and the second one their byte code.
        let guesses = self.archives.get(tree.name());
        let guess = guesses.and_then(|guesses| guesses.get(which));
        let guess = guess.copied().unwrap_or(0);
        let is_grouped = self.grouped.contains(&(layer.to_owned(), name));
        Guess {
            // Both trees together, too, are not large enough for a blob of their own.
            n_bytes: match is_grouped {
                true => guess.min(alone_from_bytes.saturating_sub(1) / 2),
                false => guess,
            },
            is_rough: true,
        }
    }

    /// What a blob of these packages took.
    fn group(&self, layer: &str, trees: &[TreeRef]) -> Option<u64> {
        let names = record::packages(trees).into_iter();
        let names = names.map(|package| name_of(package).to_owned()).collect();
        self.groups.get(&(layer.to_owned(), names)).copied()
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
    let alone_from_bytes = request.partition.alone_from_bytes;
    let trees = parts(&request.trees);
    let mut seen = Seen::default();
    let guesses = trees.iter().map(|tree| {
        let which = seen.next(tree.name());
        sizes.guess(&layer, tree, which, alone_from_bytes)
    });
    let guesses: Vec<Guess> = guesses.collect();
    let weighed = trees.iter().zip(&guesses);
    let weighed: Vec<(&str, u64)> = weighed
        .map(|(tree, guess)| (tree.name(), guess.n_bytes))
        .collect();
    let numbers = request.partition.assign(&weighed);
    let mut blobs: BTreeMap<usize, Vec<(&TreeRef, Guess)>> = BTreeMap::new();
    for ((tree, number), guess) in trees.iter().zip(numbers).zip(guesses) {
        blobs.entry(number).or_default().push((tree, guess));
    }
    let blobs = blobs.into_values().map(|members| {
        let of_blob = members.iter().map(|(tree, _)| *tree);
        let joined = join(&request.trees, &trees, of_blob);
        blob(&layer, joined, &members, sizes)
    });
    blobs.collect()
}

/// The trees, and of a Debian root those that it is cut into: one for each package, and one for
/// what none has.
fn parts(trees: &[TreeRef]) -> Vec<TreeRef> {
    let mut parts = Vec::new();
    for tree in trees {
        if tree.is_cut() {
            parts.push(tree.part(""));
            let contained = tree.contains.iter();
            parts.extend(contained.map(|package| tree.part(name_of(package))));
        } else {
            parts.push(tree.clone());
        }
    }
    parts
}

fn blob(layer: &str, trees: Vec<TreeRef>, members: &[(&TreeRef, Guess)], sizes: &Sizes) -> Blob {
    let sum: u64 = members.iter().map(|(_, guess)| guess.n_bytes).sum();
    let is_rough = members.iter().any(|(_, guess)| guess.is_rough);
    let before = sizes.group(layer, &trees).filter(|_| is_rough);
    let sum = (sum > 0).then_some(sum + FRAME_BYTES);
    Blob {
        layer: Some(layer.to_owned()),
        tar_bytes: before.or(sum),
        is_estimate: true,
        packages: Some(owned(record::packages(&trees))),
        inputs: Some(record::inputs(&trees)),
        trees,
        ..Blob::default()
    }
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
                "scipy 1 Some(4656)",
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
    fn ok_blobs_of_an_image_elsewhere() {
        let blob = |packages: &[&str], stored_bytes| Blob {
            layer: Some("05-pak3".to_owned()),
            stored_bytes: Some(stored_bytes),
            packages: Some(owned(packages.iter().copied())),
            ..Blob::default()
        };
        let mut sizes = Sizes::default();
        // Of the wheels alone, `b` would be large and `torch` small.
        sizes.learn_archive("b", 1000);
        sizes.learn_archive("torch", 100);
        let wanted = request(&[("torch 2", "t"), ("a 1", "a"), ("b 1", "b"), ("c 1", "c")]);
        let before = forecast(&wanted, &sizes);
        assert_eq!(show(&before)[0], "b 1 Some(5136)");
        sizes.learn_blobs(
            &[blob(&["torch 1"], 2000), blob(&["a 1", "b 1", "c 1"], 400)],
            50,
        );
        let after = forecast(&wanted, &sizes);
        assert_eq!(
            show(&after),
            ["torch 2 Some(4000)", "a 1, b 1, c 1 Some(800)"]
        );
    }

    #[test]
    fn ok_debian_roots_are_cut_by_their_packages() {
        let mut wanted = request(&[("debian-base", "base-2")]);
        wanted.trees[0].contains = ["gcc 14", "libc6 2.42", "new 1"].map(str::to_owned).into();
        let mut sizes = Sizes::default();
        let one_tree = [
            ("debian-base", "base-1", 10),
            ("gcc 14", "base-1", 5000),
            ("libc6 2.41", "base-1", 500),
        ];
        sizes.learn(&spec(&one_tree));
        sizes.learn_archive("new", 100);
        let blobs = forecast(&wanted, &sizes);
        assert_eq!(
            show(&blobs),
            [
                "gcc 14 Some(6536)",
                "debian-base, libc6 2.42, new 1 Some(2406)"
            ]
        );
        assert_eq!(blobs[0].trees[0].only, ["gcc"]);
        assert_eq!(blobs[1].trees[0].only, ["", "libc6", "new"]);
        assert_ne!(blobs[0].inputs, blobs[1].inputs);
    }

    #[test]
    fn ok_specs_that_do_not_say_it() {
        let mut sizes = Sizes::default();
        sizes.learn(&spec(&[("a 1", "a", 0)]));
        let blobs = forecast(&request(&[("a 1", "a")]), &sizes);
        assert_eq!(show(&blobs), ["a 1 Some(2305)"]);
    }
}
