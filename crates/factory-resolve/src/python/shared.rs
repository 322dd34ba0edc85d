//! Large files that several wheels have with the same bytes: one owns the file, the others
//! get links. Pure.
//!
//! The owner is the package of the lowest layer; among those of one layer the last by name.
//! Any fixed order would do: this one holds whatever versions come, and since nobody links
//! upwards, no tree ever depends on itself.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet};

use factory_model::lock::SharedFile;

use super::name::PackageName;

/// The files of one wheel, where the image has them.
#[derive(Debug, Clone)]
pub(super) struct WheelTree {
    pub name: PackageName,
    /// Place of its layer; the bottom one is 0.
    pub layer: usize,
    /// A wheel of the CUDA toolkit.
    pub is_cuda: bool,
    /// Path below the toolkit's directory or `site-packages` -> hash and size.
    pub files: BTreeMap<String, (String, u64)>,
}

/// Where a file of a wheel is installed: below `site-packages`, or below the toolkit's
/// directory for a CUDA wheel. `None` for what goes elsewhere or nowhere.
pub(super) fn placed(path: &str, is_cuda: bool) -> Option<&str> {
    let (first, rest) = path.split_once('/').unwrap_or(("", path));
    if is_cuda {
        // `nvidia/cu13/lib/x`, `nvidia/cudnn/lib/x`: `nix/cudaTree.nix` merges them.
        let (_, rest) = rest.split_once('/')?;
        let is_marker = rest.rsplit('/').next() == Some("__init__.py");
        return (first == "nvidia" && !is_marker).then_some(rest);
    }
    // Metadata stays with its distribution; `.data` holds what goes beside `site-packages`.
    (!first.ends_with(".dist-info") && !first.ends_with(".data")).then_some(path)
}

/// The links of each package that has any, sorted by path.
pub(super) fn find(trees: &[WheelTree], from_bytes: u64) -> BTreeMap<PackageName, Vec<SharedFile>> {
    let mut by_content: BTreeMap<(&str, u64), Vec<(&WheelTree, &str)>> = BTreeMap::new();
    for tree in trees {
        for (path, (hash, size)) in &tree.files {
            if *size >= from_bytes {
                let content = (hash.as_str(), *size);
                by_content.entry(content).or_default().push((tree, path));
            }
        }
    }
    let mut links: BTreeMap<PackageName, Vec<SharedFile>> = BTreeMap::new();
    for places in by_content.values_mut() {
        places.sort_by_key(|(tree, path)| (tree.layer, Reverse(&tree.name), *path));
        let Some(((owner, owner_path), others)) = places.split_first() else {
            continue;
        };
        for (tree, path) in others {
            // The same file of the toolkit, whichever wheel brings it.
            let is_same_place = tree.is_cuda && owner.is_cuda && path == owner_path;
            // Second copies within one wheel are found when it is unpacked; a CUDA wheel is not.
            let is_left_to_the_build = tree.name == owner.name && !tree.is_cuda;
            if is_same_place || is_left_to_the_build {
                continue;
            }
            links
                .entry(tree.name.clone())
                .or_default()
                .push(SharedFile {
                    path: (*path).to_owned(),
                    owner: owner.name.to_string(),
                    owner_path: (*owner_path).to_owned(),
                });
        }
    }
    for files in links.values_mut() {
        files.sort_by(|one, other| one.path.cmp(&other.path));
    }
    links
}

/// Paths of the toolkit that several wheels have with different bytes: `PATH: ONE, OTHER`.
pub(super) fn conflicts(trees: &[WheelTree]) -> Vec<String> {
    let mut by_path: BTreeMap<&str, Vec<(&WheelTree, &str)>> = BTreeMap::new();
    for tree in trees.iter().filter(|tree| tree.is_cuda) {
        for (path, (hash, _)) in &tree.files {
            by_path.entry(path).or_default().push((tree, hash));
        }
    }
    let mut lines = Vec::new();
    for (path, owners) in by_path {
        let contents: BTreeSet<&str> = owners.iter().map(|(_, hash)| *hash).collect();
        if contents.len() > 1 {
            let names: Vec<&str> = owners.iter().map(|(tree, _)| tree.name.as_str()).collect();
            lines.push(format!("{path}: {}", names.join(", ")));
        }
    }
    lines
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn tree(name: &str, layer: usize, files: &[(&str, &str, u64)]) -> WheelTree {
        WheelTree {
            name: name.parse().unwrap(),
            layer,
            is_cuda: layer == 0,
            files: files
                .iter()
                .map(|(path, hash, size)| ((*path).to_owned(), ((*hash).to_owned(), *size)))
                .collect(),
        }
    }

    fn show(trees: &[WheelTree]) -> Vec<String> {
        let links = find(trees, 100);
        let lines = links.iter().flat_map(|(name, files)| {
            files.iter().map(move |file| {
                format!("{name}:{} -> {}:{}", file.path, file.owner, file.owner_path)
            })
        });
        lines.collect()
    }

    #[test]
    fn ok_the_lowest_layer_owns_then_the_last_by_name() {
        let trees = [
            tree("nvidia-nvjpeg", 0, &[("lib/libnvjpeg.so.13", "j", 500)]),
            tree(
                "torchvision",
                3,
                &[
                    ("torchvision.libs/libnvjpeg.36e11081.so.13", "j", 500),
                    ("torchvision/small", "s", 99),
                ],
            ),
            tree(
                "media-api",
                9,
                &[("api/a.webp", "t", 100), ("api/b.webp", "s", 99)],
            ),
            tree("media-video", 9, &[("video/a.webp", "t", 100)]),
        ];
        assert_eq!(
            show(&trees),
            [
                "media-api:api/a.webp -> media-video:video/a.webp",
                "torchvision:torchvision.libs/libnvjpeg.36e11081.so.13 -> nvidia-nvjpeg:lib/libnvjpeg.so.13",
            ]
        );
    }

    #[test]
    fn ok_an_upgrade_changes_names_only() {
        let of = |library: &str, content: &str| {
            show(&[
                tree("nvidia-nvjpeg", 0, &[("lib/libnvjpeg.so.13", content, 500)]),
                tree("torchvision", 3, &[(library, content, 500)]),
            ])
        };
        let before = of("torchvision.libs/libnvjpeg.36e11081.so.13", "old");
        let after = of("torchvision.libs/libnvjpeg.9f01aa22.so.13", "new");
        assert_eq!(before[0].replace("36e11081", "9f01aa22"), after[0]);
        // A build of its own is nobody's copy.
        let apart = [
            tree("nvidia-nvjpeg", 0, &[("lib/libnvjpeg.so.13", "one", 500)]),
            tree(
                "torchvision",
                3,
                &[("torchvision.libs/libnvjpeg.so.13", "two", 500)],
            ),
        ];
        assert!(show(&apart).is_empty());
    }

    #[test]
    fn ok_second_copies_within_a_wheel() {
        let twice = [("bin/x.so", "x", 500), ("lib/x.so", "x", 500)];
        assert_eq!(
            show(&[tree("nvidia-x", 0, &twice)]),
            ["nvidia-x:lib/x.so -> nvidia-x:bin/x.so"]
        );
        assert!(show(&[tree("triton", 3, &twice)]).is_empty());
        // All copies go to the owner.
        let owner = tree("nvidia-y", 0, &[("y", "x", 500)]);
        assert_eq!(show(&[tree("triton", 3, &twice), owner]).len(), 2);
        // Two wheels that bring one path of the toolkit with the same bytes.
        let same = [("lib/x.so", "x", 500)];
        assert!(show(&[tree("nvidia-a", 0, &same), tree("nvidia-b", 0, &same)]).is_empty());
    }

    #[test]
    fn err_two_contents_at_one_place_of_the_toolkit() {
        let trees = [
            tree(
                "nvidia-a",
                0,
                &[("include/x.h", "one", 5), ("include/y.h", "y", 5)],
            ),
            tree(
                "nvidia-b",
                0,
                &[("include/x.h", "two", 5), ("include/y.h", "y", 5)],
            ),
            tree("torch", 3, &[("include/x.h", "three", 5)]),
        ];
        assert_eq!(conflicts(&trees), ["include/x.h: nvidia-a, nvidia-b"]);
    }

    #[test]
    fn ok_places() {
        for (path, is_cuda, place) in [
            ("nvidia/cu13/lib/x.so", true, Some("lib/x.so")),
            ("nvidia/cudnn/include/x.h", true, Some("include/x.h")),
            ("nvidia/cu13/__init__.py", true, None),
            ("nvidia_x-1.dist-info/METADATA", true, None),
            ("torch/bin/ptxas", false, Some("torch/bin/ptxas")),
            ("six.py", false, Some("six.py")),
            ("torch-2.dist-info/licenses/LICENSE", false, None),
            ("x-1.data/scripts/x", false, None),
        ] {
            assert_eq!(placed(path, is_cuda), place, "{path}");
        }
    }

    prop_compose! {
        fn any_tree()(
            name in "[a-d]",
            layer in 0usize..3,
            files in prop::collection::btree_map("[a-c]/[a-c]", ("[p-s]", 90u64..110), 0..5),
        ) -> WheelTree {
            WheelTree { name: name.parse().unwrap(), layer, is_cuda: layer == 0, files }
        }
    }

    proptest! {
        #[test]
        fn ok_every_copy_has_one_owner_below(trees in prop::collection::vec(any_tree(), 0..6)) {
            let mut seen = BTreeSet::new();
            let trees: Vec<WheelTree> = trees.into_iter().filter(|one| seen.insert(one.name.clone())).collect();
            let by_name: BTreeMap<String, &WheelTree> =
                trees.iter().map(|one| (one.name.to_string(), one)).collect();
            let links = find(&trees, 100);
            for (name, files) in &links {
                let tree = by_name[name.as_str()];
                for file in files {
                    let owner = by_name[&file.owner];
                    prop_assert_eq!(&tree.files[&file.path], &owner.files[&file.owner_path]);
                    let rank = |one: &WheelTree| (one.layer, Reverse(one.name.clone()));
                    prop_assert!(rank(owner) <= rank(tree));
                    let owners = links.get(&owner.name).map_or(&[][..], Vec::as_slice);
                    prop_assert!(owners.iter().all(|link| link.path != file.owner_path));
                }
            }
            let mut shuffled = trees.clone();
            shuffled.reverse();
            prop_assert_eq!(find(&shuffled, 100), links);
        }
    }
}
