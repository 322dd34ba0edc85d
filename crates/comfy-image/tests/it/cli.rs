//! The program itself: exit status, stdout and stderr.

use std::fs;
use std::path::Path;
use std::process::{Command, Output, Stdio};

use comfy_image::{Digest, write_json};

use crate::fixture::{Store, docker_archive, request, spec};

fn run(store: &Store, arguments: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_comfy-image"))
        .args(arguments)
        .current_dir(store.path())
        .stdin(Stdio::null())
        .output()
        .unwrap()
}

fn report(store: &Store, output: &Output) -> String {
    let text = |bytes: &[u8]| store.filter(&String::from_utf8_lossy(bytes));
    let status = output.status.code().unwrap();
    format!(
        "status: {status}\n--- stdout\n{}--- stderr\n{}",
        text(&output.stdout),
        text(&output.stderr)
    )
}

#[test]
#[expect(clippy::too_many_lines, reason = "one session, command after command")]
fn ok_from_request_to_archive() {
    let store = Store::new();
    let tree = store.tree("numpy 2").file("usr/lib/numpy.py", "pass\n");
    write_json(
        "request",
        &store.path().join("request.json"),
        &request("05-pak3", &[&tree]),
    )
    .unwrap();
    let output = run(
        &store,
        &[
            "layer",
            "--request",
            "request.json",
            "--out",
            "05.json",
            "--jobs",
            "2",
        ],
    );
    assert_eq!(
        report(&store, &output),
        "status: 0\n--- stdout\n--- stderr\n"
    );
    let written = fs::read_to_string(store.path().join("05.json")).unwrap();
    let output = run(
        &store,
        &["layer", "--request", "request.json", "--out", "-"],
    );
    assert_eq!(String::from_utf8(output.stdout).unwrap(), written);

    let request = format!(
        r#"{{"schema_version":1,"name":"boot","tag":"1","config":{{}},"architecture":"amd64","os":"linux","created":"1970-01-01T00:00:01Z","layers":["{}/05.json"]}}"#,
        store.path().display()
    );
    fs::write(store.path().join("image-request.json"), request).unwrap();
    let output = run(
        &store,
        &[
            "image",
            "--request",
            "image-request.json",
            "--out",
            "image.json",
        ],
    );
    assert_eq!(
        report(&store, &output),
        "status: 0\n--- stdout\n--- stderr\n"
    );
    insta::assert_snapshot!(report(&store, &run(&store, &["inspect", "--image", "image.json"])), @"
    status: 0
    --- stdout
    layer    packages  files    size  diff_id
    05-pak3         1      1  0.0 MB  sha256:7570e7f603074e0d4455c1acd0441ff0058191cf9b14c2c8996f3c30958af95e

    reference  boot:1
    size       0.0 MB
    image ID   sha256:685ba08347742e92d5909451a43ecda50385c239cbd6c3e977546b170609d2dd
    manifest   sha256:2075e0f5a196d7ece261929c6be53525676755d34ebdaea38c3ff8a55e44f3ae
    --- stderr
    ");
    insta::assert_snapshot!(report(&store, &run(&store, &["inspect", "--json", "--image", "image.json"])), @r#"
    status: 0
    --- stdout
    {
      "image_id": "sha256:685ba08347742e92d5909451a43ecda50385c239cbd6c3e977546b170609d2dd",
      "layers": [
        {
          "blobs": [
            {
              "diff_id": "sha256:7570e7f603074e0d4455c1acd0441ff0058191cf9b14c2c8996f3c30958af95e",
              "n_files": 1,
              "n_packages": 1,
              "size_bytes": 3584
            }
          ],
          "n_files": 1,
          "n_packages": 1,
          "name": "05-pak3",
          "size_bytes": 3584
        }
      ],
      "manifest_digest": "sha256:2075e0f5a196d7ece261929c6be53525676755d34ebdaea38c3ff8a55e44f3ae",
      "reference": "boot:1",
      "schema_version": 1,
      "size_bytes": 3584
    }
    --- stderr
    "#);

    let image = comfy_image::image::Image::read(&store.path().join("image.json"), None).unwrap();
    let output = run(&store, &["stream", "--image", "image.json", "--quiet"]);
    assert_eq!(output.status.code(), Some(0));
    assert_eq!(output.stdout, docker_archive(&image).unwrap());
    assert!(output.stderr.is_empty());
    let output = run(
        &store,
        &[
            "stream",
            "--image",
            "image.json",
            "-q",
            "--reference",
            "other:2",
        ],
    );
    assert!(String::from_utf8_lossy(&output.stdout).contains(r#""RepoTags":["other:2"]"#));

    let output = run(
        &store,
        &[
            "-q",
            "oci-layout",
            "--image",
            "image.json",
            "--out",
            "layout",
        ],
    );
    let digest: Digest = String::from_utf8(output.stdout)
        .unwrap()
        .trim_end()
        .parse()
        .unwrap();
    assert_eq!(digest, image.manifest.digest);
    insta::assert_snapshot!(report(&store, &run(&store, &["check", "--layout", "layout"])), @"
    status: 0
    --- stdout
    layout: 1 image(s), 3 blobs, 4439 bytes, all sound
    --- stderr
    ");
}

#[test]
fn ok_trees_below_a_store_root() {
    let store = Store::new();
    let tree = store.tree("nix/store/abc-numpy").file("f", "x");
    let request = |path: &str| {
        format!(
            r#"{{"schema_version":1,"name":"05-a","trees":[{{"package":"numpy","path":"{path}"}}],"partition":{{"max_blobs":1,"alone_from_bytes":1}}}}"#
        )
    };
    fs::write(
        store.path().join("request.json"),
        request("/nix/store/abc-numpy"),
    )
    .unwrap();
    let arguments = ["layer", "--request", "request.json", "--out", "-"];
    let root = store.path().display().to_string();
    let output = run(&store, &[&arguments[..], &["--store-root", &root]].concat());
    let diff_id = spec("05-a", &[&tree]).blobs[0].diff_id.to_string();
    let text = String::from_utf8(output.stdout).unwrap();
    assert!(
        text.contains(&diff_id) && text.contains(r#""path": "/nix/store/abc-numpy""#),
        "{text}"
    );
    let output = run(&store, &arguments);
    insta::assert_snapshot!(report(&store, &output), @"
    status: 3
    --- stdout
    --- stderr
    error: cannot look at `/nix/store/abc-numpy`
    caused by: No such file or directory (os error 2)
    ");
}

#[test]
fn ok_closed_pipe_ends_quietly() {
    let store = Store::new();
    let tree = store.tree("big").file("f", vec![1; 4 << 20]);
    let image = store.image(&[spec("01-a", &[&tree])]);
    write_json("image", &store.path().join("image.json"), &image).unwrap();
    let mut child = Command::new(env!("CARGO_BIN_EXE_comfy-image"))
        .args(["stream", "--quiet", "--image", "image.json"])
        .current_dir(store.path())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    drop(child.stdout.take());
    let output = child.wait_with_output().unwrap();
    assert_eq!(
        report(&store, &output),
        "status: 3\n--- stdout\n--- stderr\n"
    );
}

#[test]
fn err_usage() {
    let store = Store::new();
    assert_eq!(run(&store, &["stream"]).status.code(), Some(2));
    let output = run(
        &store,
        &["stream", "--image", "x", "--reference", "UPPER:1"],
    );
    insta::assert_snapshot!(report(&store, &output), @"
    status: 2
    --- stdout
    --- stderr
    error: invalid value 'UPPER:1' for '--reference <NAME:TAG>': not an image reference (`NAME:TAG` or `REGISTRY/NAME:TAG`, names in lower case): `UPPER:1`

    For more information, try '--help'.
    ");
}

#[test]
fn ok_help() {
    let store = Store::new();
    let mut text = report(&store, &run(&store, &["--help"]));
    for command in [
        "layer",
        "image",
        "stream",
        "oci-layout",
        "check",
        "inspect",
        "compress",
        "encode",
    ] {
        text.push_str(&report(&store, &run(&store, &[command, "--help"])));
    }
    insta::with_settings!({snapshot_path => Path::new("snapshots"), prepend_module_to_snapshot => false}, {
        insta::assert_snapshot!("help", text);
    });
}
