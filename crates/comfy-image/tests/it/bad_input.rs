//! Trees and documents that are refused, with the message a user gets.

use std::fs;
use std::num::NonZeroUsize;
use std::os::unix::net::UnixListener;
use std::path::Path;
use std::process::Command;

use comfy_image::Error;
use comfy_image::image::{Image, ImageRequest};
use comfy_image::layer::{LayerRequest, TreeRef};
use comfy_image::spec::build_spec;

use crate::fixture::{Store, Tree, request, spec, try_spec};

fn refused(store: &Store, trees: &[&Tree]) -> String {
    let error = try_spec("05-test", trees).unwrap_err();
    assert_eq!(error.exit_code(), 2);
    store.filter(&error.render())
}

#[test]
#[expect(clippy::print_stderr, reason = "says what was skipped")]
fn err_special_files() {
    let store = Store::new();
    let pipe = store.tree("pipe 1").file("run/other", "");
    let status = Command::new("mkfifo")
        .arg(pipe.at("run/initctl"))
        .status()
        .unwrap();
    assert!(status.success());
    insta::assert_snapshot!(refused(&store, &[&pipe]), @"
    error: package `pipe 1`: `run/initctl` in `[STORE]/pipe 1` is a named pipe, and only files, directories and symlinks can be in a layer

    hint: remove the member where the package is built
    ");

    let socket = store.tree("socket 1").dir("run");
    let _listener = UnixListener::bind(socket.at("run/s")).unwrap();
    assert!(refused(&store, &[&socket]).contains("`run/s` in `[STORE]/socket 1` is a socket"));

    let device = store.tree("device 1").dir("dev");
    let made = Command::new("mknod")
        .arg(device.at("dev/null"))
        .args(["c", "1", "3"])
        .output()
        .unwrap();
    if made.status.success() {
        assert!(refused(&store, &[&device]).contains("is a device node"));
    } else {
        // As the tests of xtask do it (`xtask/tests/it/skips.rs`); root can, and CI is root.
        assert!(
            std::env::var_os("CI").is_none(),
            "this user cannot make device nodes, and `CI` is set"
        );
        eprintln!("skipped: this user cannot make device nodes");
    }
}

#[test]
fn err_not_a_tree() {
    let store = Store::new();
    let rootless = store.tree("rootless");
    fs::remove_dir(rootless.at("")).unwrap();
    insta::assert_snapshot!(refused(&store, &[&rootless]), @"
    error: package `rootless`: `[STORE]/rootless` is not a package tree: it has no `root`

    hint: a package tree is a directory with a directory `root` and, if needed, a text file `modes`
    ");
    let linked = store.tree("linked");
    fs::remove_dir(linked.at("")).unwrap();
    std::os::unix::fs::symlink("/", linked.at("").parent().unwrap().join("root")).unwrap();
    assert!(refused(&store, &[&linked]).contains("its `root` is not a directory"));

    let mut missing = request("05-test", &[]);
    missing.trees = vec![TreeRef {
        package: "gone".to_owned(),
        path: store.path().join("gone"),
        contains: Vec::new(),
        only: Vec::new(),
    }];
    let error = build_spec(&missing, NonZeroUsize::MIN, None).unwrap_err();
    assert_eq!(error.exit_code(), 3);
    insta::assert_snapshot!(store.filter(&error.render()), @"
    error: cannot look at `[STORE]/gone`
    caused by: No such file or directory (os error 2)
    ");
}

#[test]
fn err_tree_paths() {
    for path in ["relative", "/nix/store/../etc", ""] {
        let mut bad = request("05-test", &[]);
        bad.trees = vec![TreeRef {
            package: "p".to_owned(),
            path: path.into(),
            contains: Vec::new(),
            only: Vec::new(),
        }];
        let error = build_spec(&bad, NonZeroUsize::MIN, None).unwrap_err();
        assert!(matches!(error, Error::Invalid { .. }), "{error}");
    }
    let store = Store::new();
    let tree = store.tree("twice");
    insta::assert_snapshot!(refused(&store, &[&tree, &tree]), @"error: invalid tree: package `twice`: listed twice: `[STORE]/twice`");
}

#[test]
fn err_modes_file() {
    let store = Store::new();
    let tree = store
        .tree("sudo 1")
        .file("usr/bin/sudo", "")
        .link("l", "usr");
    let tree = tree.modes("4755 usr/bin/sudo\n4755 /etc/passwd\n");
    insta::assert_snapshot!(refused(&store, &[&tree]), @"
    error: package `sudo 1`: `[STORE]/sudo 1/modes`, line 2: not a plain path relative to the root: `/etc/passwd`

    hint: a line is an octal mode, one space and a path below `root`, as in `4755 usr/bin/sudo`
    ");
    let tree = tree.modes("4755 usr/bin/su");
    assert!(refused(&store, &[&tree]).contains("line 1: no such member: `usr/bin/su`"));
    let tree = tree.modes("755 l");
    assert!(refused(&store, &[&tree]).contains("a symlink has no mode of its own: `l`"));
}

#[test]
fn err_documents() {
    let store = Store::new();
    let path = store.path().join("request.json");
    let read = |text: &str| {
        fs::write(&path, text).unwrap();
        let error = LayerRequest::read(&path).unwrap_err();
        assert_eq!(error.exit_code(), 2);
        store.filter(&error.render())
    };
    insta::assert_snapshot!(
        read(r#"{"schema_version":1,"name":"a","trees":[],"partition":{"max_blobs":1,"alone_from_bytes":1},"extra":1}"#),
        @"
    error: `[STORE]/request.json` is not a valid layer request
    caused by: unknown field `extra`, expected one of `schema_version`, `name`, `trees`, `partition` at line 1 column 98
    "
    );
    insta::assert_snapshot!(
        read(r#"{"schema_version":2,"name":"a","trees":[],"partition":{"max_blobs":1,"alone_from_bytes":1}}"#),
        @"
    error: `[STORE]/request.json` is not a valid layer request
    caused by: unknown schema_version 2, this program reads 1 at line 1 column 19
    "
    );
    insta::assert_snapshot!(
        read(r#"{"schema_version":1,"name":"a/b","trees":[],"partition":{"max_blobs":1,"alone_from_bytes":1}}"#),
        @"
    error: `[STORE]/request.json` is not a valid layer request
    caused by: not a layer name (letters, digits, `.`, `_`, `-`): `a/b` at line 1 column 32
    "
    );
    fs::write(
        &path,
        r#"{"schema_version":1,"name":"a","tag":"b","config":{"Comand":[]}}"#,
    )
    .unwrap();
    let error = ImageRequest::read(&path).unwrap_err();
    assert!(
        error.render().contains("unknown field `Comand`"),
        "{}",
        error.render()
    );
    let error = LayerRequest::read(Path::new("/nowhere/x.json")).unwrap_err();
    assert_eq!(error.exit_code(), 3);
}

#[test]
fn err_image_description_that_disagrees_with_itself() {
    let store = Store::new();
    let tree = store.tree("one").file("f", "");
    let image = store.image(&[spec("01-a", &[&tree])]);
    let path = store.path().join("image.json");
    let text = serde_json::to_string(&image).unwrap();
    fs::write(&path, &text).unwrap();
    assert_eq!(Image::read(&path, None).unwrap(), image);

    for (from, to) in [("amd64\\\"", "arm64\\\""), ("/entrypoint", "/entrypoinT")] {
        assert!(text.contains(from));
        fs::write(&path, text.replace(from, to)).unwrap();
        assert!(
            matches!(Image::read(&path, None), Err(Error::Invalid { .. })),
            "{from}"
        );
    }
    let mut other = image.clone();
    other.layers[0].blobs[0].size_bytes += 1;
    fs::write(&path, serde_json::to_string(&other).unwrap()).unwrap();
    insta::assert_snapshot!(Image::read(&path, None).unwrap_err().render(), @"error: invalid image description: the config or the manifest does not name the blobs of its layers");
}
