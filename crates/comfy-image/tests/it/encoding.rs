//! Blobs as a registry gets them: `compress` says what `encode` writes, and the manifest names it.

use std::io::Read as _;
use std::path::Path;
use std::process::{Command, Output, Stdio};

use comfy_image::Digest;
use comfy_image::compression::CompressedLayer;
use comfy_image::layer::LayerSpec;
use comfy_image::record;

use crate::fixture::{Store, spec};

fn run(store: &Store, arguments: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_comfy-image"))
        .args(arguments)
        .current_dir(store.path())
        .stdin(Stdio::null())
        .output()
        .unwrap()
}

/// A layer of two blobs' worth of trees, as a file.
fn layer(store: &Store) -> (LayerSpec, String) {
    let tree = store
        .tree("numpy 2")
        .file("usr/lib/numpy.py", "pass\n".repeat(20_000))
        .executable("usr/bin/f2py", "#!/bin/sh\n");
    let spec = spec("05-pak3", &[&tree]);
    let path = store.write_spec(&spec).display().to_string();
    (spec, path)
}

fn compress(store: &Store, spec: &str, compression: &str, jobs: &str) -> CompressedLayer {
    let output = run(
        store,
        &[
            "compress",
            "--spec",
            spec,
            "--compression",
            compression,
            "--jobs",
            jobs,
            "--out",
            "-",
        ],
    );
    assert!(output.status.success(), "{output:?}");
    serde_json::from_slice(&output.stdout).unwrap()
}

fn decoded(compression: &str, bytes: &[u8]) -> Vec<u8> {
    let mut tar = Vec::new();
    match compression {
        "zstd" => tar = zstd::decode_all(bytes).unwrap(),
        _ => {
            flate2::read::MultiGzDecoder::new(bytes)
                .read_to_end(&mut tar)
                .unwrap();
        }
    }
    tar
}

#[test]
fn ok_what_is_written_is_what_was_said() {
    let store = Store::new();
    let (spec, path) = layer(&store);
    for compression in ["zstd", "gzip"] {
        let said = compress(&store, &path, compression, "1");
        assert_eq!(said, compress(&store, &path, compression, "16"));
        assert_eq!(said.blobs.len(), spec.blobs.len());
        for (known, blob) in said.blobs.iter().zip(&spec.blobs) {
            let diff_id = blob.diff_id.to_string();
            let output = run(
                &store,
                &[
                    "encode",
                    "--spec",
                    &path,
                    "--diff-id",
                    &diff_id,
                    "--compression",
                    compression,
                ],
            );
            assert!(output.status.success(), "{output:?}");
            assert_eq!(known.diff_id, blob.diff_id);
            assert_eq!(known.digest, Digest::of(&output.stdout));
            assert_eq!(known.size_bytes, output.stdout.len() as u64);
            let tar = decoded(compression, &output.stdout);
            assert_eq!(Digest::of(&tar), blob.diff_id);
            assert_eq!(tar.len() as u64, blob.size_bytes);
        }
    }
}

#[test]
fn ok_the_manifest_of_encoded_blobs() {
    let store = Store::new();
    let (spec, path) = layer(&store);
    let image = store.image(std::slice::from_ref(&spec));
    let zstd = compress(&store, &path, "zstd", "2");
    let manifest = image.encoded_manifest(std::slice::from_ref(&zstd)).unwrap();
    assert_eq!(manifest.digest, Digest::of(manifest.json.as_bytes()));
    let json: serde_json::Value = serde_json::from_str(&manifest.json).unwrap();
    assert_eq!(
        json["config"]["digest"].as_str().unwrap(),
        image.config.digest.to_string()
    );
    assert_eq!(
        json["layers"],
        serde_json::json!([{
            "mediaType": "application/vnd.oci.image.layer.v1.tar+zstd",
            "digest": zstd.blobs[0].digest,
            "size": zstd.blobs[0].size_bytes,
            "annotations": {
                record::LAYER: spec.name.to_string(),
                record::PACKAGES: record::packages(&spec.blobs[0].trees).join("\n"),
                record::INPUTS: record::inputs(&spec.blobs[0].trees).to_string(),
            },
        }])
    );
}

#[test]
fn err_another_layer_s_description() {
    let store = Store::new();
    let (spec, path) = layer(&store);
    let image = store.image(std::slice::from_ref(&spec));
    let mut other = compress(&store, &path, "zstd", "2");
    other.blobs[0].diff_id = Digest::of(b"");
    for layers in [vec![other], Vec::new()] {
        let error = image.encoded_manifest(&layers).unwrap_err();
        assert_eq!(
            error.to_string(),
            "invalid compressed layer: it does not describe the blobs of layer `05-pak3`"
        );
    }
}

#[test]
fn err_a_blob_that_is_not_of_the_layer_and_a_tree_that_changed() {
    let store = Store::new();
    let (spec, path) = layer(&store);
    let encode = |diff_id: &Digest| {
        let diff_id = diff_id.to_string();
        run(
            &store,
            &[
                "encode",
                "--spec",
                &path,
                "--diff-id",
                &diff_id,
                "--compression",
                "zstd",
            ],
        )
    };
    let output = encode(&Digest::of(b""));
    assert_eq!(output.status.code(), Some(2));
    assert!(output.stdout.is_empty());
    let file = Path::new(&spec.blobs[0].trees[0].path).join("root/usr/lib/numpy.py");
    std::fs::write(&file, "fail\n".repeat(20_000)).unwrap();
    let output = encode(&spec.blobs[0].diff_id);
    assert_eq!(output.status.code(), Some(1));
    assert!(!output.stderr.is_empty());
}
