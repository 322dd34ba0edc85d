//! Merging trees in a layer, and splitting a layer in blobs.

use std::num::NonZeroUsize;

use comfy_image::spec::build_spec;

use comfy_image::layer::{Blob, LayerSpec};

use crate::fixture::{Store, Tree, blob_bytes, listing, request_cut, spec, try_spec};

fn message(trees: &[&Tree]) -> String {
    try_spec("05-test", trees).unwrap_err().render()
}

#[test]
fn ok_directories_merge_and_identical_files_are_one() {
    let store = Store::new();
    let one = store
        .tree("one")
        .file("d/a", "same")
        .file("d/b", "")
        .link("l", "d");
    let other = store
        .tree("other")
        .file("d/a", "same")
        .file("d/c", "")
        .link("l", "d")
        .dir("e");
    let layer = spec("05-test", &[&one, &other]);
    assert_eq!(
        (layer.n_packages, layer.n_files, layer.blobs.len()),
        (2, 4, 1)
    );
    insta::assert_snapshot!(listing(&blob_bytes(&layer, 0)), @r#"
    d 0755 /
    d 0755 d/
    - 0644 d/a "same"
    - 0644 d/b ""
    - 0644 d/c ""
    d 0755 e/
    l 0777 l -> d
    "#);
}

#[test]
fn ok_explicit_directory_mode_wins_in_either_order() {
    let store = Store::new();
    let plain = store.tree("plain").file("tmp/x", "");
    let sticky = store.tree("sticky").dir("tmp").modes("1777 tmp");
    for trees in [[&plain, &sticky], [&sticky, &plain]] {
        let layer = spec("05-test", &trees);
        insta::allow_duplicates! {
            insta::assert_snapshot!(listing(&blob_bytes(&layer, 0)), @r#"
            d 0755 /
            d 1777 tmp/
            - 0644 tmp/x ""
            "#);
        }
    }
}

#[test]
fn ok_blobs_split_between_packages() {
    let store = Store::new();
    let one = store
        .tree("one")
        .file("d/a", vec![b'a'; 3000])
        .file("shared", "s");
    let two = store
        .tree("two")
        .file("d/b", vec![b'b'; 3000])
        .file("shared", "s");
    let tmp = store
        .tree("tmp")
        .file("d/c", vec![b'c'; 9000])
        .modes("700 d");
    let layer = build_spec(
        &request_cut("05-test", &[&one, &two, &tmp], 2, 9000),
        NonZeroUsize::new(3).unwrap(),
        None,
    )
    .unwrap();
    let packages = |layer: &LayerSpec| -> Vec<Vec<String>> {
        let names = |blob: &Blob| blob.trees.iter().map(|tree| tree.package.clone()).collect();
        layer.blobs.iter().map(names).collect()
    };
    assert_eq!(packages(&layer), [vec!["tmp"], vec!["one", "two"]]);
    for (number, blob) in layer.blobs.iter().enumerate() {
        let bytes = blob_bytes(&layer, number);
        assert_eq!(bytes.len() as u64, blob.size_bytes);
        assert!(
            listing(&bytes).starts_with("d 0755 /\nd 0700 d/\n"),
            "one mode in every blob"
        );
    }
    assert_eq!(layer.n_files, 4, "a blob has a file once");

    // Each package alone: what two of them have is in both blobs, as if the other were not there.
    let request = request_cut("05-test", &[&one, &two], 8, 0);
    let layer = build_spec(&request, NonZeroUsize::MIN, None).unwrap();
    assert_eq!(packages(&layer), [["one"], ["two"]]);
    for (number, tree) in [&one, &two].into_iter().enumerate() {
        assert!(listing(&blob_bytes(&layer, number)).contains("shared"));
        assert_eq!(
            layer.blobs[number].diff_id,
            spec("05-test", &[tree]).blobs[0].diff_id
        );
    }
}

#[test]
fn ok_empty_trees_give_no_blob() {
    let store = Store::new();
    let (empty, directory) = (store.tree("empty"), store.tree("directory").dir("d"));
    assert!(spec("05-test", &[]).blobs.is_empty());
    let layer = spec("05-test", &[&empty]);
    assert_eq!(
        (layer.blobs.len(), layer.n_packages, layer.packages.len()),
        (0, 1, 1)
    );
    assert_eq!(spec("05-test", &[&empty, &directory]).blobs.len(), 1);
}

#[test]
fn ok_trees_of_one_package_count_once() {
    let store = Store::new();
    let (modules, byte_code) = (
        store.tree("modules").file("a.py", "1"),
        store.tree("byte-code").file("__pycache__/a.pyc", "1"),
    );
    let mut request = request_cut("05-test", &[&modules, &byte_code], 8, 0);
    for tree in &mut request.trees {
        tree.package = "a 1.0".to_owned();
    }
    let layer = build_spec(&request, NonZeroUsize::MIN, None).unwrap();
    assert_eq!(
        (layer.n_packages, layer.packages.len(), layer.n_files),
        (1, 2, 2)
    );
    assert_eq!(layer.blobs.len(), 1);
}

#[test]
fn err_conflicts_are_all_named() {
    let store = Store::new();
    let one = store
        .tree("one 1")
        .file("content", "a")
        .file("mode", "")
        .link("target", "a")
        .dir("kind")
        .dir("dirmode")
        .modes("700 dirmode");
    let other = store
        .tree("other 2")
        .file("content", "b")
        .executable("mode", "")
        .link("target", "b")
        .file("kind", "")
        .dir("dirmode")
        .modes("750 dirmode");
    insta::assert_snapshot!(message(&[&one, &other]), @"
    error: packages of layer `05-test` own the same paths, 5 in all
      `content`: `one 1` and `other 2`: the contents differ
      `dirmode`: `one 1` and `other 2`: the modes differ, 0700 and 0750
      `kind`: `one 1` and `other 2`: a directory and a file
      `mode`: `one 1` and `other 2`: the modes differ, 0644 and 0755
      `target`: `one 1` and `other 2`: symlinks to `a` and to `b`

    hint: let one package own the path, or make both copies identical
    ");
}

#[test]
fn err_files_below_a_symlink_of_another_package() {
    let store = Store::new();
    let one = store
        .tree("merged-usr 1")
        .link("lib", "usr/lib")
        .dir("usr/lib");
    let other = store.tree("old 2").file("lib/x", "").file("lib/y", "");
    insta::assert_snapshot!(message(&[&one, &other]), @"
    error: packages of layer `05-test` own the same paths, 1 in all
      `lib`: `merged-usr 1` and `old 2`: a symlink to `usr/lib` and a directory

    hint: let one package own the path, or make both copies identical
    ");
    assert_eq!(
        try_spec("05-test", &[&other, &one])
            .unwrap_err()
            .exit_code(),
        1
    );
}

#[test]
fn err_conflict_across_blobs() {
    let store = Store::new();
    let one = store.tree("one").file("f", "a");
    let other = store.tree("other").file("f", "b");
    let error = build_spec(
        &request_cut("05-test", &[&one, &other], 8, 0),
        NonZeroUsize::MIN,
        None,
    );
    assert_eq!(error.unwrap_err().exit_code(), 1);
}

#[test]
fn err_many_conflicts_are_counted() {
    let store = Store::new();
    let mut one = store.tree("one");
    let mut other = store.tree("other");
    for index in 0..25 {
        one = one.file(&format!("{index}"), "a");
        other = other.file(&format!("{index}"), "b");
    }
    let text = message(&[&one, &other]);
    assert!(
        text.contains("25 in all") && text.contains("\n  and 5 more\n"),
        "{text}"
    );
    assert_eq!(text.lines().count(), 24);
}
