//! A Debian root, which is one tree, is cut by the packages that it holds.

use std::collections::{BTreeMap, BTreeSet};
use std::num::NonZeroUsize;

use comfy_image::layer::{LayerRequest, LayerSpec};
use comfy_image::record;
use comfy_image::spec::build_spec;
use tar::EntryType;

use crate::fixture::{Store, Tree, blob_bytes, read_tar, request_cut};

const ALONE_FROM_BYTES: u64 = 20_000;

/// A root with a libc of some version, a compiler of its own size, and what nobody owns.
fn root(store: &Store, libc: &str, gcc_bytes: usize) -> Tree {
    let list = |package: &str, paths: &str| {
        (
            format!("var/lib/dpkg/info/{package}.list"),
            paths.to_owned(),
        )
    };
    let lists = [
        // An old name of a merged directory, and a multiarch name.
        list(
            "libc6:amd64",
            "/.\n/lib\n/lib/libc.so.6\n/usr/share/doc/libc6/copyright\n",
        ),
        list("gcc", "/.\n/usr/bin/gcc\n/usr/share/doc/gcc/copyright\n"),
        list("tmp-dir", "/.\n/tmp\n"),
        list("base", "/.\n/usr/bin/true\n/lib\n"),
    ];
    let mut tree = store
        .tree("debian-base")
        .link("lib", "usr/lib")
        .file("usr/lib/libc.so.6", format!("libc {libc}"))
        .file("usr/share/doc/libc6/copyright", "GPL")
        .file(
            "var/lib/dpkg/info/libc6:amd64.postinst",
            format!("#!/bin/sh {libc}"),
        )
        .executable("usr/bin/gcc", vec![b'g'; gcc_bytes])
        .file("usr/share/doc/gcc/copyright", "GPL")
        .executable("usr/bin/true", "true")
        .dir("tmp")
        .dir("var/empty/deep")
        .file("var/lib/dpkg/status", format!("libc6 {libc}"))
        .modes("1777 tmp\n2755 usr/bin/gcc\n700 var/empty\n");
    for (path, text) in lists {
        tree = tree.file(&path, text);
    }
    tree
}

fn request(tree: &Tree, libc: &str, max_blobs: usize) -> LayerRequest {
    let mut request = request_cut("01-base", &[tree], max_blobs, ALONE_FROM_BYTES);
    request.trees[0].contains = ["base 1", &format!("libc6 {libc}"), "gcc 14", "tmp-dir 1"]
        .map(str::to_owned)
        .to_vec();
    request
}

fn build(libc: &str, gcc_bytes: usize, max_blobs: usize) -> (Store, LayerSpec) {
    let store = Store::new();
    let tree = root(&store, libc, gcc_bytes);
    let spec = build_spec(&request(&tree, libc, max_blobs), NonZeroUsize::MIN, None).unwrap();
    (store, spec)
}

type Members = BTreeMap<Vec<u8>, (EntryType, u32, Vec<u8>)>;

fn members(spec: &LayerSpec) -> Vec<Members> {
    let of = |number| {
        let found = read_tar(&blob_bytes(spec, number)).into_iter();
        found
            .map(|one| (one.path, (one.kind, one.mode, one.content)))
            .collect()
    };
    (0..spec.blobs.len()).map(of).collect()
}

#[test]
fn ok_all_parts_together_are_the_root() {
    let (_whole_store, whole) = build("2.41", 30_000, 1);
    let (_store, cut) = build("2.41", 30_000, 4);
    assert!(
        whole.blobs[0].trees[0].only.is_empty(),
        "all of its parts are one tree"
    );
    assert_eq!(cut.blobs.len(), 2);

    let all = members(&whole).remove(0);
    let parts = members(&cut);
    let mut together = Members::new();
    for part in &parts {
        for (path, member) in part {
            let before = together.insert(path.clone(), member.clone());
            let is_same_directory = |before: &(EntryType, u32, Vec<u8>)| {
                before == member && member.0 == EntryType::Directory
            };
            assert!(before.as_ref().is_none_or(is_same_directory), "{path:?}");
        }
    }
    assert_eq!(together, all);
    assert_eq!(all[b"tmp/".as_slice()].1 & 0o7777, 0o1777);

    // The compiler alone, with its own files and no others.
    let files = |part: &Members| -> BTreeSet<String> {
        let files = part
            .iter()
            .filter(|(_, member)| member.0 != EntryType::Directory);
        files
            .map(|(path, _)| String::from_utf8_lossy(path).into_owned())
            .collect()
    };
    let gcc = [
        "usr/bin/gcc",
        "usr/share/doc/gcc/copyright",
        "var/lib/dpkg/info/gcc.list",
    ];
    assert_eq!(files(&parts[0]), gcc.map(str::to_owned).into());
    assert_eq!(record::packages(&cut.blobs[0].trees), ["gcc 14"]);
    assert_eq!(
        record::packages(&cut.blobs[1].trees),
        ["debian-base", "base 1", "libc6 2.41", "tmp-dir 1"]
    );
    assert_ne!(
        record::inputs(&cut.blobs[0].trees),
        record::inputs(&cut.blobs[1].trees)
    );
    let names: Vec<&str> = cut
        .packages
        .iter()
        .map(|package| package.package.as_str())
        .collect();
    assert_eq!(
        names,
        ["debian-base", "base 1", "gcc 14", "libc6 2.41", "tmp-dir 1"]
    );
}

#[test]
fn ok_a_new_libc_does_not_move_the_compiler() {
    let (_one_store, one) = build("2.41-1", 30_000, 4);
    let (_other_store, other) = build("2.41-2", 30_000, 4);
    assert_eq!(one.blobs[0].diff_id, other.blobs[0].diff_id);
    assert_ne!(one.blobs[1].diff_id, other.blobs[1].diff_id);
}

#[test]
fn err_no_lists_to_cut_by() {
    let store = Store::new();
    let tree = store.tree("debian-base").file("usr/bin/true", "true");
    let mut cut = request(&tree, "2.41", 4);
    // A tree of several packages without lists stays whole.
    let spec = build_spec(&cut, NonZeroUsize::MIN, None).unwrap();
    assert_eq!(spec.blobs.len(), 1);
    cut.trees[0].only = vec!["libc6".to_owned()];
    let error = build_spec(&cut, NonZeroUsize::MIN, None).unwrap_err();
    insta::assert_snapshot!(store.filter(&error.to_string()), @"package `debian-base`: `[STORE]/debian-base` is not a package tree: it has no lists of dpkg, by which it could be cut");
    cut.trees = vec![cut.trees[0].clone(), cut.trees[0].clone()];
    let error = build_spec(&cut, NonZeroUsize::MIN, None).unwrap_err();
    insta::assert_snapshot!(store.filter(&error.to_string()), @"invalid tree: package `debian-base`: listed twice: `[STORE]/debian-base`");
}
