//! One package more, less or newer changes its own blobs, and next to nothing else.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet};
use std::num::NonZeroUsize;

use comfy_image::Digest;
use comfy_image::layer::LayerSpec;
use comfy_image::spec::build_spec;
use proptest::prelude::*;

use crate::fixture::{Store, Tree, request_cut};

/// What a package takes beside its code: two directories, two headers and a shared file.
const OVERHEAD_BYTES: u64 = 5 * 512;
/// A package of this size may have a blob of its own.
const ALONE_FROM_BYTES: u64 = 20 * 512 + OVERHEAD_BYTES;

/// A package: its size in blocks of a tar, and the version that its content shows.
type Packages = BTreeMap<String, (u64, u32)>;

#[derive(Debug, Clone)]
enum Change {
    Add(u64),
    Remove(usize),
    Upgrade(usize, u64),
}

fn packages() -> impl Strategy<Value = Packages> {
    proptest::collection::btree_map("[a-z]{3,6}", (0u64..40, 0u32..9), 1..16)
}

fn change() -> impl Strategy<Value = Change> {
    prop_oneof![
        (0u64..40).prop_map(Change::Add),
        any::<usize>().prop_map(Change::Remove),
        (any::<usize>(), 0u64..40).prop_map(|(index, blocks)| Change::Upgrade(index, blocks)),
    ]
}

/// Returns the packages after a change, and the one that changed.
fn apply(before: &Packages, change: &Change) -> (Packages, String) {
    let mut after = before.clone();
    let name = |index: &usize| before.keys().nth(index % before.len()).unwrap().clone();
    let changed = match change {
        Change::Add(blocks) => {
            // Longer than any other name.
            after.insert("a-new-one".to_owned(), (*blocks, 0));
            "a-new-one".to_owned()
        }
        Change::Remove(index) => {
            after.remove(&name(index));
            name(index)
        }
        Change::Upgrade(index, blocks) => {
            after.insert(name(index), (*blocks, 99));
            name(index)
        }
    };
    (after, changed)
}

fn build(packages: &Packages, max_blobs: usize) -> LayerSpec {
    let store = Store::new();
    let trees: Vec<Tree> = packages
        .iter()
        .map(|(name, (blocks, version))| {
            let content = vec![b'0' + u8::try_from(*version % 10).unwrap(); *blocks as usize * 512];
            store
                .tree(&format!("{name} {version}"))
                .file(&format!("lib/{name}/code"), content)
                .file("lib/shared", "the same in each package")
        })
        .collect();
    let trees: Vec<&Tree> = trees.iter().collect();
    let request = request_cut("05-test", &trees, max_blobs, ALONE_FROM_BYTES);
    build_spec(&request, NonZeroUsize::MIN, None).unwrap()
}

/// The packages that have a blob of their own: the largest ones, while there are blobs.
fn alone(packages: &Packages, max_blobs: usize) -> BTreeSet<String> {
    let size_of = |blocks: u64| blocks * 512 + OVERHEAD_BYTES;
    let mut large: Vec<(Reverse<u64>, &String)> = packages
        .iter()
        .filter(|(_, (blocks, _))| size_of(*blocks) >= ALONE_FROM_BYTES)
        .map(|(name, (blocks, _))| (Reverse(*blocks), name))
        .collect();
    large.sort();
    let n_alone = max_blobs - max_blobs.div_ceil(4) - max_blobs / 8;
    let names = large
        .into_iter()
        .take(n_alone)
        .map(|(_, name)| name.clone());
    names.collect()
}

/// The names in each blob, by its digest.
fn blobs(spec: &LayerSpec) -> BTreeMap<Digest, BTreeSet<String>> {
    let names =
        |tree: &comfy_image::layer::TreeRef| tree.package.split(' ').next().unwrap().to_owned();
    spec.blobs
        .iter()
        .map(|blob| (blob.diff_id, blob.trees.iter().map(names).collect()))
        .collect()
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 32, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn ok_a_change_of_one_package_stays_where_it_is(
        packages in packages(),
        change in change(),
        max_blobs in 1usize..13,
    ) {
        let (after, changed) = apply(&packages, &change);
        let (one, other) = (build(&packages, max_blobs), build(&after, max_blobs));
        prop_assert!(one.blobs.len() <= max_blobs && other.blobs.len() <= max_blobs);
        let (one, other) = (blobs(&one), blobs(&other));
        let only = |these: &BTreeMap<Digest, BTreeSet<String>>, those: &BTreeMap<Digest, BTreeSet<String>>| {
            these
                .iter()
                .filter(|(digest, _)| !those.contains_key(digest))
                .map(|(_, names)| names.clone())
                .collect::<Vec<_>>()
        };
        let (gone, new) = (only(&one, &other), only(&other, &one));
        let alone = (alone(&packages, max_blobs), alone(&after, max_blobs));
        let moved: Vec<&String> = packages
            .keys()
            .filter(|name| **name != changed && after.contains_key(*name))
            .filter(|name| alone.0.contains(*name) != alone.1.contains(*name))
            .collect();
        // The smallest that was alone makes room for a larger one, or the other way round.
        prop_assert!(moved.len() <= 1, "{moved:?} moved");
        // Its own blob or group, and those of the one that moved: no other is touched.
        prop_assert!(gone.len() <= 2 + moved.len() && new.len() <= 2 + moved.len(), "{gone:?} {new:?}");
        if moved.is_empty() {
            for names in &new {
                let was_its_group = gone.iter().any(|old| old.contains(&changed) && old.is_superset(names));
                prop_assert!(names.contains(&changed) || was_its_group, "{names:?} changed with {changed}");
            }
        }
        if moved.is_empty() && matches!(change, Change::Remove(_)) {
            prop_assert!(new.len() <= 1, "what is left of its group");
        }
    }
}
