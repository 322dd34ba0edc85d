//! `diff`: two builds of the fixture, in the store, in a layout and in registries.

use std::path::{Path, PathBuf};

use comfy_image::Digest;
use serde_json::Value;

use crate::fixture::Checkout;
use crate::push::Debian;
use crate::serve::Serving;
use crate::skips::skip;

/// Builds the fixture, keeps the description of its image, and builds another one.
fn two_builds(checkout: &Checkout) -> PathBuf {
    checkout.run(&["build", "02"]).ok();
    let link = checkout.data().join("roots/tiny/02-high");
    let old = fs_err::read_link(&link).unwrap();
    checkout.write_layers("the other");
    checkout.run(&["build", "02"]).ok();
    assert_ne!(fs_err::read_link(&link).unwrap(), old);
    old
}

/// Digests differ with the salt of each run's trees.
fn filter(checkout: &Checkout, text: &str) -> String {
    let text = checkout.filter(text);
    let is_hex =
        |text: &str| text.len() >= 64 && text.bytes().take(64).all(|byte| byte.is_ascii_hexdigit());
    let mut out = String::new();
    let mut rest = text.as_str();
    while let Some((before, after)) = rest.split_once("sha256:") {
        out.push_str(before);
        let is_digest = is_hex(after);
        out.push_str(if is_digest { "[DIGEST]" } else { "sha256:" });
        rest = if is_digest { &after[64..] } else { after };
    }
    out + rest
}

#[test]
fn ok_two_builds_down_to_files() {
    let Some(checkout) = Checkout::new() else {
        return;
    };
    let old = two_builds(&checkout);
    let old = old.to_str().unwrap();
    let ran = checkout.run(&["diff", old, "tiny/02", "--exit-code"]);
    assert_eq!(ran.status, 1, "{}", ran.stderr);
    insta::assert_snapshot!(filter(&checkout, &ran.stdout));

    let ran = checkout.run(&["diff", old, "tiny", "--json"]).ok();
    let json = ran.json();
    assert_eq!(json["schema_version"], 1);
    assert_eq!(json["is_same"], false);
    let blobs = json["blobs"]["changes"].as_array().unwrap();
    let layers: Vec<&str> = blobs
        .iter()
        .map(|blob| blob["layer"].as_str().unwrap())
        .collect();
    assert_eq!(layers, ["01-low", "02-high"]);
    assert_eq!(blobs[0]["rebuilt"], serde_json::json!(["01-low-tree"]));
    let files = &json["files"];
    assert_eq!(files["n_changed"], 2);
    assert_eq!(files["files"][0]["path"], "etc/01-low");
    assert_eq!(files["files"][0]["was"]["size_bytes"], 3);

    let same = checkout
        .run(&["diff", "02", "tiny/02-high", "--exit-code"])
        .ok();
    assert!(
        same.stdout.ends_with("\nthe same image\n"),
        "{}",
        same.stdout
    );
}

#[test]
fn ok_layouts_and_our_own_registry() {
    let Some(checkout) = Checkout::new() else {
        return;
    };
    let old = two_builds(&checkout);
    let layout = checkout.root().join("layout");
    let layout = layout.to_str().unwrap();
    checkout.run(&["stream", "02", "--oci-layout", layout]).ok();
    let mut serving = Serving::start(&checkout, &["2"], 1);
    let served = serving.references[0].clone();
    let same = checkout.run(&["diff", layout, &served, "--exit-code"]).ok();
    assert!(same.stdout.ends_with("the same image\n"), "{}", same.stdout);

    // Of a registry, blobs are read when somebody asks for it.
    let old = old.to_str().unwrap();
    let short = checkout.run(&["diff", old, &served, "--json"]).ok().json();
    assert_eq!(short["files"], serde_json::Value::Null);
    assert_eq!(short["packages"], serde_json::json!([]));
    let whole = checkout
        .run(&["diff", old, &served, "--files", "--json"])
        .ok()
        .json();
    let local = checkout
        .run(&["diff", old, "tiny", "--files", "--json"])
        .ok()
        .json();
    assert_eq!(whole["files"], local["files"]);
    assert_eq!(whole["files"]["n_changed"], 2);
    serving.interrupt();

    // A blob of a layout that is not what its name says is no answer.
    let digest = local["blobs"]["changes"][0]["now"]["digest"]
        .as_str()
        .unwrap();
    let blob = format!(
        "{layout}/blobs/sha256/{}",
        digest.trim_start_matches("sha256:")
    );
    let mut bytes = fs_err::read(&blob).unwrap();
    let last = bytes.len() - 1;
    bytes[last] ^= 1;
    fs_err::write(&blob, bytes).unwrap();
    let ran = checkout.run(&["diff", old, layout]);
    assert_eq!(ran.status, 1, "{}", ran.stderr);
    assert!(
        ran.stderr.contains("its digest is sha256:"),
        "{}",
        ran.stderr
    );
    let layers = checkout.run(&["diff", old, &format!("{layout}:none")]);
    assert_eq!(layers.status, 2, "{}", layers.stderr);
}

/// Turns the blobs of an image in a layout around.
fn turn_around(layout: &Path) {
    let at = |digest: &str| layout.join("blobs").join(digest.replace(':', "/"));
    let read = |path: &Path| -> Value {
        serde_json::from_str(&fs_err::read_to_string(path).unwrap()).unwrap()
    };
    let reverse = |value: &mut Value| value.as_array_mut().unwrap().reverse();
    let put = |descriptor: &mut Value, document: &Value| {
        let text = document.to_string();
        let digest = Digest::of(text.as_bytes()).to_string();
        fs_err::write(at(&digest), &text).unwrap();
        descriptor["digest"] = digest.into();
        descriptor["size"] = text.len().into();
    };
    let mut index = read(&layout.join("index.json"));
    let mut manifest = read(&at(index["manifests"][0]["digest"].as_str().unwrap()));
    let mut config = read(&at(manifest["config"]["digest"].as_str().unwrap()));
    reverse(&mut config["rootfs"]["diff_ids"]);
    reverse(&mut config["history"]);
    reverse(&mut manifest["layers"]);
    put(&mut manifest["config"], &config);
    put(&mut index["manifests"][0], &manifest);
    fs_err::write(layout.join("index.json"), index.to_string()).unwrap();
}

#[test]
fn ok_the_same_blobs_in_another_order() {
    let Some(checkout) = Checkout::new() else {
        return;
    };
    two_builds(&checkout);
    let layout = checkout.root().join("layout");
    let name = layout.to_str().unwrap();
    checkout.run(&["stream", "02", "--oci-layout", name]).ok();
    turn_around(&layout);
    let same = checkout.run(&["diff", name, "02", "--exit-code"]).ok();
    let said = "the same blobs and settings; they lie in another order, or the history differs\n";
    assert!(same.stdout.ends_with(said), "{}", same.stdout);
}

#[test]
fn ok_compressed_in_a_real_registry() {
    let Some(checkout) = Checkout::new() else {
        return;
    };
    let directory = tempfile::tempdir().unwrap();
    let Some(registry) = Debian::start(directory.path()) else {
        return skip("no `docker-registry` on PATH");
    };
    let push = |compression: &str, tag: &str| {
        let to = format!("{}/me/{compression}:{tag}", registry.host);
        checkout
            .run(&[
                "push",
                "--bare",
                "02",
                "--to",
                &to,
                "--compression",
                compression,
            ])
            .ok();
        to
    };
    let (zstd, gzip) = (push("zstd", "1"), push("gzip", "1"));
    let same = checkout.run(&["diff", &zstd, &gzip, "--exit-code"]).ok();
    assert!(
        same.stdout
            .contains("the same image, described or compressed otherwise")
    );

    // What a manifest says of packages is enough, also where nothing was ever built. The new
    // blobs are of two pieces, each compressed by itself.
    fs_err::remove_dir_all(checkout.data().join("roots")).unwrap();
    let content = "the other ".repeat(1_000_000);
    checkout.write_layers(&content);
    for (old, compression) in [(&zstd, "zstd"), (&gzip, "gzip"), (&zstd, "none")] {
        let new = push(compression, "2");
        let json = checkout
            .run(&["diff", old, &new, "--files", "--json"])
            .ok()
            .json();
        assert_eq!(json["packages"], serde_json::json!([]));
        assert_eq!(json["files"]["n_changed"], 2, "{json}");
        let file = &json["files"]["files"][1];
        assert_eq!(file["path"], "etc/02-high");
        assert_eq!(file["now"]["sha256"], Digest::of(content.as_bytes()).hex());
        let change = &json["blobs"]["changes"][1];
        assert_eq!(change["layer"], "02-high");
        assert_eq!(change["was"]["tar_bytes"], serde_json::Value::Null);
    }
}

#[test]
fn err_words_for_no_image() {
    let Some(checkout) = Checkout::new() else {
        return;
    };
    let says = |word: &str| {
        let ran = checkout.run(&["diff", word, word]);
        format!("{}\n{}", ran.status, checkout.filter(&ran.stderr))
    };
    checkout.write("archive.tar", "not JSON");
    insta::assert_snapshot!(says("tiny/02"));
    insta::assert_snapshot!(says("tyni"));
    insta::assert_snapshot!(says("archive.tar"));
    insta::assert_snapshot!(says("layers"));
    insta::assert_snapshot!(says("localhost:1/me/x"));
    let nothing_listens = checkout.run(&["diff", "127.0.0.1:1/me/x:1", "tiny"]);
    assert_eq!(nothing_listens.status, 3, "{}", nothing_listens.stderr);
}
