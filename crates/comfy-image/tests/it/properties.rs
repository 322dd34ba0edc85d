//! Properties over arbitrary trees.

use std::collections::BTreeMap;
use std::num::NonZeroUsize;

use comfy_image::spec::build_spec;
use proptest::prelude::*;

use crate::fixture::{Store, Tree, blob_bytes, read_tar, request_cut, spec};

#[derive(Debug, Clone)]
enum Node {
    File(Vec<u8>, bool),
    Link(String),
    Dir,
}

fn node() -> impl Strategy<Value = Node> {
    prop_oneof![
        (
            proptest::collection::vec(any::<u8>(), 0..1500),
            any::<bool>()
        )
            .prop_map(|(content, executable)| Node::File(content, executable)),
        "[a-zß/]{1,120}".prop_map(Node::Link),
        Just(Node::Dir),
    ]
}

/// Paths below `d?/`, so that a file is never where another path needs a directory.
fn nodes() -> impl Strategy<Value = BTreeMap<String, Node>> {
    proptest::collection::btree_map("(d[ab-]/){0,3}[e-hé -]{1,70}", node(), 0..12)
}

fn build(mut tree: Tree, nodes: &[(&String, &Node)]) -> Tree {
    for (path, node) in nodes {
        tree = match node {
            Node::File(content, true) => tree.executable(path, content),
            Node::File(content, false) => tree.file(path, content),
            Node::Link(target) => tree.link(path, target),
            Node::Dir => tree.dir(path),
        };
    }
    tree
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 48, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn ok_reads_back_and_does_not_depend_on_creation_order(nodes in nodes()) {
        let store = Store::new();
        let forward: Vec<_> = nodes.iter().collect();
        let backward: Vec<_> = nodes.iter().rev().collect();
        let one = spec("05-test", &[&build(store.tree("one"), &forward)]);
        let other = spec("05-test", &[&build(store.tree("other"), &backward)]);
        let digests = |spec: &comfy_image::layer::LayerSpec| {
            spec.blobs.iter().map(|blob| blob.diff_id).collect::<Vec<_>>()
        };
        prop_assert_eq!(digests(&one), digests(&other));
        prop_assert_eq!(one.blobs.len(), usize::from(!nodes.is_empty()));
        if nodes.is_empty() {
            return Ok(());
        }

        let bytes = blob_bytes(&one, 0);
        prop_assert_eq!(bytes.len() as u64, one.size_bytes);
        let mut found = read_tar(&bytes);
        prop_assert_eq!(found.remove(0).path, b"/");
        let trimmed = |path: &[u8]| path.strip_suffix(b"/").unwrap_or(path).to_vec();
        let paths: Vec<_> = found.iter().map(|found| trimmed(&found.path)).collect();
        prop_assert!(paths.is_sorted(), "sorted");
        for (path, node) in &nodes {
            let found = &found[paths.binary_search(&path.as_bytes().to_vec()).unwrap()];
            match node {
                Node::File(content, executable) => {
                    prop_assert_eq!(&found.content, content);
                    prop_assert_eq!(found.mode, if *executable { 0o755 } else { 0o644 });
                }
                Node::Link(target) => prop_assert_eq!(found.target.as_deref(), Some(target.as_bytes())),
                Node::Dir => prop_assert_eq!(found.kind, tar::EntryType::Directory),
            }
        }
    }

    #[test]
    fn ok_split_depends_on_neither_jobs_nor_overlap(nodes in nodes(), cut in 0usize..12, max_blobs in 1usize..9, alone in 0u64..20_000) {
        let store = Store::new();
        let all: Vec<_> = nodes.iter().collect();
        let cut = cut.min(all.len());
        // The two packages share the middle.
        let one = build(store.tree("one"), &all[..(cut + 2).min(all.len())]);
        let other = build(store.tree("other"), &all[cut..]);
        let wanted = request_cut("05-test", &[&one, &other], max_blobs, alone);
        let serial = build_spec(&wanted, NonZeroUsize::MIN, None).unwrap();
        let parallel = build_spec(&wanted, NonZeroUsize::new(4).unwrap(), None).unwrap();
        prop_assert_eq!(&serial, &parallel);

        prop_assert!(serial.blobs.len() <= max_blobs);
        let mut files = BTreeMap::new();
        for number in 0..serial.blobs.len() {
            let mut of_blob = std::collections::BTreeSet::new();
            for found in read_tar(&blob_bytes(&serial, number)) {
                prop_assert!(of_blob.insert(found.path.clone()), "written twice");
                if found.kind != tar::EntryType::Directory
                    && let Some(other) = files.insert(found.path.clone(), found.clone())
                {
                    prop_assert_eq!(other, found, "the same in each blob");
                }
            }
        }
        let n_files = nodes.values().filter(|node| !matches!(node, Node::Dir)).count();
        prop_assert_eq!(files.len(), n_files);
        if serial.blobs.len() < 2 {
            prop_assert_eq!(serial.n_files, n_files as u64);
        }
    }
}
