//! OCI layout directories: written, kept, repaired and checked.

use std::cell::Cell;
use std::fs;
use std::path::Path;

use comfy_image::image::Image;
use comfy_image::layout::{CheckReport, WriteOptions, WriteReport, check, write_layout};

use crate::fixture::{Store, Tree, spec};

fn image(store: &Store) -> (Tree, Image) {
    let tree = store.tree("one").file("f", "content");
    let image = store.image(&[spec("01-a", &[&tree])]);
    (tree, image)
}

fn write(image: &Image, directory: &Path) -> WriteReport {
    let options = WriteOptions::default();
    let n_bytes = Cell::new(0);
    let report = write_layout(image, directory, &options, &|n| {
        n_bytes.set(n_bytes.get() + n)
    })
    .unwrap();
    assert_eq!(n_bytes.get(), image.size_bytes);
    report
}

fn flip(path: &Path) {
    let mut bytes = fs::read(path).unwrap();
    let middle = bytes.len() / 2;
    bytes[middle] ^= 1;
    fs::write(path, bytes).unwrap();
}

#[test]
fn ok_written_once_and_sound() {
    let store = Store::new();
    let (_, image) = image(&store);
    let layout = store.path().join("layout");
    assert_eq!(
        write(&image, &layout),
        WriteReport {
            n_written: 3,
            n_kept: 0,
            n_replaced: 0
        }
    );
    let size_bytes = image.size_bytes + image.config.size_bytes + image.manifest.size_bytes;
    assert_eq!(
        check(&layout).unwrap(),
        CheckReport {
            n_images: 1,
            n_blobs: 3,
            size_bytes
        }
    );
    assert_eq!(
        write(&image, &layout),
        WriteReport {
            n_written: 0,
            n_kept: 3,
            n_replaced: 0
        }
    );
}

#[test]
fn ok_wrong_blobs_are_replaced() {
    let store = Store::new();
    let (_, image) = image(&store);
    let layout = store.path().join("layout");
    write(&image, &layout);
    let blobs = layout.join("blobs/sha256");
    fs::write(blobs.join(image.layers[0].blobs[0].diff_id.hex()), "short").unwrap();
    assert_eq!(write(&image, &layout).n_replaced, 1);
    flip(&blobs.join(image.config.digest.hex()));
    assert_eq!(write(&image, &layout).n_replaced, 1);
    flip(&blobs.join(image.layers[0].blobs[0].diff_id.hex()));
    assert_eq!(write(&image, &layout).n_replaced, 1);
    assert_eq!(write(&image, &layout).n_replaced, 0);
    check(&layout).unwrap();
}

#[test]
fn err_every_flipped_blob_is_named() {
    let store = Store::new();
    let (_, image) = image(&store);
    for digest in [
        image.layers[0].blobs[0].diff_id,
        image.config.digest,
        image.manifest.digest,
    ] {
        let layout = store.path().join(digest.hex());
        write(&image, &layout);
        flip(&layout.join("blobs/sha256").join(digest.hex()));
        let error = check(&layout).unwrap_err();
        assert_eq!(error.exit_code(), 1);
        let text = error.render();
        assert_eq!(text.matches("\n  ").count(), 1, "{text}");
        assert!(
            text.contains(&format!(
                "blob `{digest}` has other bytes than its name says"
            )),
            "{text}"
        );
    }
}

#[test]
fn err_missing_and_foreign_files() {
    let store = Store::new();
    let (_, image) = image(&store);
    let layout = store.path().join("layout");
    write(&image, &layout);
    fs::remove_file(
        layout
            .join("blobs/sha256")
            .join(image.layers[0].blobs[0].diff_id.hex()),
    )
    .unwrap();
    fs::write(layout.join("blobs/sha256/.partial-1-x"), "").unwrap();
    fs::write(layout.join("oci-layout"), "{}").unwrap();
    insta::assert_snapshot!(store.filter(&check(&layout).unwrap_err().render()), @"
    error: `[STORE]/layout` is not a sound OCI layout
      `oci-layout` does not name version 1.0.0
      `blobs/sha256/.partial-1-x` is not named by a digest
      manifest `sha256:e20bb04b06bc0555195e8473649e636d9fb22f297e161a514bcebd6558c5be8f` names blob `sha256:755dd3b317edd30856b8decf286a9b3ff168b8381c1f7c1bfdff84ee58ba61a1`, which is missing

    hint: write it again with `comfy-image oci-layout`
    ");
    insta::assert_snapshot!(store.filter(&check(&store.path().join("no")).unwrap_err().render()), @"
    error: `[STORE]/no` is not a sound OCI layout
      `oci-layout` is missing
      `index.json` is missing

    hint: write it again with `comfy-image oci-layout`
    ");
}

#[test]
fn err_changed_tree_publishes_nothing() {
    let store = Store::new();
    let (tree, image) = image(&store);
    fs::write(tree.at("f"), "cOntent").unwrap();
    let layout = store.path().join("layout");
    write_layout(&image, &layout, &WriteOptions::default(), &|_| ()).unwrap_err();
    assert!(!layout.join("index.json").exists());
    let blob = image.layers[0].blobs[0].diff_id.hex();
    assert!(!layout.join("blobs/sha256").join(blob).exists());
    let n_left = fs::read_dir(layout.join("blobs/sha256")).unwrap().count();
    assert_eq!(n_left, 0, "a failed write leaves no temporary file");
}
