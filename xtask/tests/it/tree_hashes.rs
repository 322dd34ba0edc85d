//! `package-lists/tree-hashes.toml` and `docs/sources.md`: every git tree of the locks is there
//! with its hash, and who computed it.

use std::path::Path;

use factory_model::lock::SourcesLock;
use factory_model::tree_hashes::TreeHashes;

fn read(path: &str) -> String {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    std::fs::read_to_string(root.join(path)).unwrap()
}

fn committed() -> (TreeHashes, SourcesLock) {
    let hashes = TreeHashes::parse(&read("package-lists/tree-hashes.toml")).unwrap();
    let lock = read("package-lists/locks/sources.toml");
    let lock = factory_model::lock::parse::<SourcesLock>(&lock).unwrap();
    (hashes, lock.lock)
}

#[test]
fn ok_every_tree_is_recorded() {
    let (hashes, lock) = committed();
    assert!(lock.git.len() > 50, "{} trees", lock.git.len());
    let found = hashes.disagreements(&lock);
    assert!(
        found.is_empty(),
        "{found:#?}\nfetch and hash what changed: `cargo xtask hash-sources NAME`"
    );
}

#[test]
fn ok_page_is_written_from_the_record() {
    let (hashes, lock) = committed();
    let sandbox = crate::support::Sandbox::new();
    let ctx = &sandbox.ctx;
    let left_out = factory_resolve::python::left_out_of_trees(ctx).unwrap();
    let page = hashes.page(&lock, &left_out);
    let is_current = read("docs/sources.md") == page;
    assert!(
        is_current,
        "docs/sources.md: run `cargo xtask hash-sources NAME`"
    );
}

#[test]
fn ok_what_is_left_out_without_a_function_is_said() {
    let (hashes, lock) = committed();
    for (name, hash) in &hashes.tree {
        let is_explained = hash.computed.is_some() || hash.note.is_some();
        assert!(
            is_explained,
            "{name}: not computed here, and no note says why"
        );
    }
    assert!(lock.git.values().any(|tree| !tree.exclude.is_empty()));
}
