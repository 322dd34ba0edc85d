//! A store that changed after its spec was computed: the stream fails, and is cut.

use std::fs;

use comfy_image::Error;

use crate::fixture::{Store, Tree, docker_archive, spec};

type Change = fn(&Tree);

#[test]
fn err_flipped_byte_in_a_tree() {
    let store = Store::new();
    let first = store.tree("first").file("a", "untouched");
    let second = store.tree("second").file("b", "payload");
    let image = store.image(&[spec("01-a", &[&first]), spec("02-b", &[&second])]);
    let whole = docker_archive(&image).unwrap();

    fs::write(second.at("b"), "pAyload").unwrap();
    let mut out = Vec::new();
    let error = comfy_image::stream::write_docker_archive(&image, None, None, &mut out, &|_| ())
        .unwrap_err();
    assert!(matches!(error, Error::BlobMismatch { .. }));
    assert_eq!(error.exit_code(), 1);
    insta::assert_snapshot!(error.render(), @"
    error: layer `02-b`: a package tree of this blob is not what the spec was computed from
    expected: sha256:c0bac7de8950c2337d8056e0824143bdc701db411591f5525de1dd7f1178d478 (2560 bytes)
    found:    sha256:ba9a47518cf0329b23fa679ff08c33c8288e627019e4a2f626b0d734e37fd1fb (2560 bytes)

    hint: check the store with `nix store verify --all`, and repair it with `nix store repair PATH`
    ");

    // Cut inside the blob, so that no reader can take the archive for complete.
    assert_eq!(out, whole[..out.len()]);
    let mut archive = tar::Archive::new(&out[..]);
    let is_cut = archive.entries().unwrap().any(|entry| match entry {
        Ok(mut entry) => std::io::copy(&mut entry, &mut std::io::sink()).unwrap() < entry.size(),
        Err(_) => true,
    });
    assert!(is_cut);
}

#[test]
fn err_changed_trees() {
    let changes: [(&str, Change); 5] = [
        ("longer file", |tree| {
            fs::write(tree.at("f"), "longer content").unwrap()
        }),
        ("other mode", |tree| {
            let mode = std::os::unix::fs::PermissionsExt::from_mode(0o755);
            fs::set_permissions(tree.at("f"), mode).unwrap();
        }),
        ("new file", |tree| fs::write(tree.at("g"), "").unwrap()),
        ("removed file", |tree| {
            fs::remove_file(tree.at("f")).unwrap()
        }),
        ("new modes", |tree| {
            fs::write(tree.at("../modes"), "600 f").unwrap()
        }),
    ];
    for (title, change) in changes {
        let store = Store::new();
        let tree = store.tree("tree").file("f", "content").dir("d");
        let image = store.image(&[spec("01-a", &[&tree])]);
        change(&tree);
        let error = docker_archive(&image).unwrap_err();
        assert!(
            matches!(error, Error::BlobMismatch { .. }),
            "{title}: {error}"
        );
    }
}
