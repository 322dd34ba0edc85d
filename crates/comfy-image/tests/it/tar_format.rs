//! What the `tar` crate reads back is what was in the tree.

use std::ffi::OsStr;
use std::fs;
use std::os::unix::ffi::OsStrExt as _;

use crate::fixture::{Store, blob_bytes, listing, read_tar, spec};

#[test]
fn ok_names_that_need_records() {
    let store = Store::new();
    let deep = format!("{}x", "d/".repeat(49));
    let mut tree = store.tree("names");
    let mut paths = vec![
        deep,
        format!("{}/{}", "p".repeat(155), "n".repeat(100)),
        format!("{}/{}", "q".repeat(156), "n".repeat(99)),
        format!("{}/{}", "r".repeat(20), "n".repeat(101)),
        "w".repeat(255),
        format!("{}f", format!("{}/", "z".repeat(200)).repeat(5)),
        "grüße/日本語 ☃".to_owned(),
        "with space\nand line".to_owned(),
    ];
    for path in &paths {
        tree = tree.file(path, path);
    }
    let layer = spec("05-test", &[&tree]);
    let found = read_tar(&blob_bytes(&layer, 0));
    let mut files: Vec<String> = found
        .iter()
        .filter(|found| found.kind == tar::EntryType::Regular)
        .map(|found| {
            assert_eq!(found.path, found.content);
            String::from_utf8(found.path.clone()).unwrap()
        })
        .collect();
    files.sort();
    paths.sort();
    assert_eq!(files, paths);
}

#[test]
fn ok_name_that_is_not_utf8() {
    let store = Store::new();
    let tree = store.tree("latin-1");
    let name = b"caf\xe9";
    fs::write(tree.at("").join(OsStr::from_bytes(name)), "x").unwrap();
    let found = read_tar(&blob_bytes(&spec("05-test", &[&tree]), 0));
    assert_eq!(found[1].path, name);
}

#[test]
fn ok_symlinks() {
    let store = Store::new();
    let long = "t/".repeat(100);
    let tree = store
        .tree("links")
        .link("dangling", "nowhere")
        .link("absolute", "/etc/passwd")
        .link("up", "../../../x")
        .link("umlaut", "ä")
        .link("long", &long)
        .link("loop", "loop");
    let layer = spec("05-test", &[&tree]);
    insta::assert_snapshot!(listing(&blob_bytes(&layer, 0)).replace(&long, "[LONG]"), @"
    d 0755 /
    l 0777 absolute -> /etc/passwd
    l 0777 dangling -> nowhere
    l 0777 long -> [LONG]
    l 0777 loop -> loop
    l 0777 umlaut -> ä
    l 0777 up -> ../../../x
    ");
}

#[test]
fn ok_sorted_by_bytes_and_parents_first() {
    let store = Store::new();
    let tree = store
        .tree("order")
        .file("a/x", "")
        .file("a-b", "")
        .file("a.c", "")
        .file("B", "")
        .dir("a0");
    insta::assert_snapshot!(listing(&blob_bytes(&spec("05-test", &[&tree]), 0)), @r#"
    d 0755 /
    - 0644 B ""
    d 0755 a/
    - 0644 a-b ""
    - 0644 a.c ""
    - 0644 a/x ""
    d 0755 a0/
    "#);
}

#[test]
fn ok_modes() {
    let store = Store::new();
    let tree = store
        .tree("modes")
        .executable("bin/tool", "")
        .file("etc/shadow file", "")
        .dir("root")
        .modes("0600 etc/shadow file\n0700 root\n2755 bin/tool\n");
    fs::set_permissions(
        tree.at("etc"),
        std::os::unix::fs::PermissionsExt::from_mode(0o500),
    )
    .unwrap();
    insta::assert_snapshot!(listing(&blob_bytes(&spec("05-test", &[&tree]), 0)), @r#"
    d 0755 /
    d 0755 bin/
    - 2755 bin/tool ""
    d 0755 etc/
    - 0600 etc/shadow file ""
    d 0700 root/
    "#);
}

#[test]
fn ok_sizes_around_a_block() {
    let store = Store::new();
    let mut tree = store.tree("sizes");
    for n_bytes in [0, 1, 511, 512, 513, (1 << 20) - 512, 1 << 20, 3 << 20] {
        tree = tree.file(&format!("{n_bytes:08}"), vec![b'x'; n_bytes]);
    }
    let layer = spec("05-test", &[&tree]);
    let bytes = blob_bytes(&layer, 0);
    assert_eq!(bytes.len() as u64, layer.size_bytes);
    for found in &read_tar(&bytes)[1..] {
        let name = std::str::from_utf8(&found.path).unwrap();
        assert_eq!(found.content.len(), name.parse::<usize>().unwrap());
    }
}
