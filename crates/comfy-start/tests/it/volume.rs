//! First starts, upgrades and downgrades: what comes, what stays, what goes.

use std::fs;
use std::os::unix::fs::{MetadataExt as _, symlink};
use std::path::PathBuf;

use crate::fixture::{Fixture, is_somewhere, read, write};

fn first(fixture: &Fixture) -> PathBuf {
    fixture.bundle(
        "v1",
        &[
            ("main.py", "main 1"),
            ("comfy/same.py", "same"),
            ("comfy/old.py", "old"),
            ("models/vae_approx/taesd.pth", "weights 1"),
            ("user/__manager/config.ini", "config 1"),
            ("custom_nodes/loose.py", "loose 1"),
            ("custom_nodes/plain/__init__.py", "plain 1"),
            ("custom_nodes/plain/gone.py", "gone"),
            ("custom_nodes/edited/__init__.py", "edited 1"),
            ("custom_nodes/edited/other.py", "other 1"),
            ("custom_nodes/removed/__init__.py", "removed 1"),
            ("custom_nodes/disabled/__init__.py", "disabled 1"),
            ("custom_nodes/shipped.disabled/__init__.py", "shipped 1"),
            ("custom_nodes/dropped/__init__.py", "dropped 1"),
            ("custom_nodes/dropped-in-use/__init__.py", "in use 1"),
        ],
    )
}

fn second(fixture: &Fixture) -> PathBuf {
    fixture.bundle(
        "v2",
        &[
            ("main.py", "main 2"),
            ("comfy/same.py", "same"),
            ("comfy/new.py", "new"),
            ("models/vae_approx/taesd.pth", "weights 2"),
            ("user/__manager/config.ini", "config 2"),
            ("custom_nodes/loose.py", "loose 2"),
            ("custom_nodes/plain/__init__.py", "plain 2"),
            ("custom_nodes/plain/web/new.js", "new"),
            ("custom_nodes/edited/__init__.py", "edited 2"),
            ("custom_nodes/edited/other.py", "other 2"),
            ("custom_nodes/removed/__init__.py", "removed 2"),
            ("custom_nodes/disabled/__init__.py", "disabled 2"),
            ("custom_nodes/shipped.disabled/__init__.py", "shipped 2"),
            ("custom_nodes/added/__init__.py", "added 2"),
        ],
    )
}

/// What a user does between two images.
fn use_it(fixture: &Fixture) {
    write(fixture.volume("custom_nodes/edited/__init__.py"), "mine");
    write(fixture.volume("custom_nodes/plain/settings.json"), "mine");
    write(
        fixture.volume("custom_nodes/plain/__pycache__/gone.cpython-314.pyc"),
        "code",
    );
    write(
        fixture.volume("custom_nodes/dropped/__pycache__/__init__.cpython-314.pyc"),
        "code",
    );
    write(
        fixture.volume("custom_nodes/dropped-in-use/ckpts/model.pth"),
        "mine",
    );
    write(fixture.volume("custom_nodes/own/__init__.py"), "mine");
    write(fixture.volume("models/checkpoints/big.safetensors"), "mine");
    write(fixture.volume("comfy/same.py"), "mine, in ComfyUI itself");
    fs::remove_dir_all(fixture.volume("custom_nodes/removed")).unwrap();
    fs::rename(
        fixture.volume("custom_nodes/disabled"),
        fixture.volume("custom_nodes/disabled.disabled"),
    )
    .unwrap();
    fs::rename(
        fixture.volume("custom_nodes/shipped.disabled"),
        fixture.volume("custom_nodes/shipped"),
    )
    .unwrap();
}

#[test]
fn ok_first_start_and_nothing_to_do() {
    let fixture = Fixture::new();
    let bundle = first(&fixture);
    let said = fixture.prepared(&bundle);
    assert!(said.contains("7 nodes and 6 files to write"), "{said}");
    assert_eq!(
        read(fixture.volume("custom_nodes/plain/__init__.py")),
        "plain 1"
    );
    let inode = fs::metadata(fixture.volume("main.py")).unwrap().ino();
    let before = fixture.tree();
    let said = fixture.prepared(&bundle);
    assert_eq!(said.lines().count(), 1, "{said}");
    assert_eq!(fixture.tree(), before);
    assert_eq!(
        fs::metadata(fixture.volume("main.py")).unwrap().ino(),
        inode
    );
}

#[test]
#[expect(clippy::too_many_lines, reason = "one volume from image to image")]
fn ok_upgrade_and_downgrade() {
    let fixture = Fixture::new();
    let (v1, v2) = (first(&fixture), second(&fixture));
    fixture.prepared(&v1);
    use_it(&fixture);
    let said = fixture.prepared(&v2);

    // ComfyUI itself is the image's, and an edit of it is not lost.
    assert_eq!(read(fixture.volume("main.py")), "main 2");
    assert_eq!(read(fixture.volume("comfy/same.py")), "same");
    assert!(!fixture.volume("comfy/old.py").exists());
    assert_eq!(
        read(fixture.volume(".replaced/1/comfy/same.py")),
        "mine, in ComfyUI itself"
    );
    // Untouched nodes are upgraded, and what they wrote stays.
    assert_eq!(
        read(fixture.volume("custom_nodes/plain/__init__.py")),
        "plain 2"
    );
    assert_eq!(read(fixture.volume("custom_nodes/plain/web/new.js")), "new");
    assert_eq!(
        read(fixture.volume("custom_nodes/plain/settings.json")),
        "mine"
    );
    assert!(!fixture.volume("custom_nodes/plain/gone.py").exists());
    assert!(!fixture.volume("custom_nodes/plain/__pycache__").exists());
    assert_eq!(read(fixture.volume("custom_nodes/loose.py")), "loose 2");
    assert_eq!(
        read(fixture.volume("models/vae_approx/taesd.pth")),
        "weights 2"
    );
    // Edits stay, are listed, and the rest of the node is upgraded.
    assert_eq!(
        read(fixture.volume("custom_nodes/edited/__init__.py")),
        "mine"
    );
    assert_eq!(
        read(fixture.volume("custom_nodes/edited/other.py")),
        "other 2"
    );
    let image = v2.join("ComfyUI");
    let line = format!(
        "kept as you changed it: custom_nodes/edited/__init__.py; the image's is below `{}`",
        image.display()
    );
    assert!(said.contains(&line), "{said}");
    // Removed and disabled nodes stay so; those that are there are upgraded where they are.
    assert!(!fixture.volume("custom_nodes/removed").exists());
    assert!(!fixture.volume("custom_nodes/disabled").exists());
    assert_eq!(
        read(fixture.volume("custom_nodes/disabled.disabled/__init__.py")),
        "disabled 2"
    );
    assert_eq!(
        read(fixture.volume("custom_nodes/shipped/__init__.py")),
        "shipped 2"
    );
    assert!(!fixture.volume("custom_nodes/shipped.disabled").exists());
    assert_eq!(
        read(fixture.volume("custom_nodes/added/__init__.py")),
        "added 2"
    );
    // What the image has no more goes, and leaves no directory that ComfyUI would import.
    assert!(!fixture.volume("custom_nodes/dropped").exists());
    assert!(!fixture.volume("custom_nodes/dropped-in-use").exists());
    let left = "custom_nodes/dropped-in-use.retired.disabled";
    assert_eq!(
        read(fixture.volume(&format!("{left}/ckpts/model.pth"))),
        "mine"
    );
    // The user's own.
    assert_eq!(read(fixture.volume("custom_nodes/own/__init__.py")), "mine");
    assert_eq!(
        read(fixture.volume("models/checkpoints/big.safetensors")),
        "mine"
    );

    // And back.
    fixture.prepared(&v1);
    assert_eq!(read(fixture.volume("main.py")), "main 1");
    assert_eq!(read(fixture.volume("comfy/old.py")), "old");
    assert!(!fixture.volume("comfy/new.py").exists());
    assert_eq!(read(fixture.volume("custom_nodes/plain/gone.py")), "gone");
    assert!(!fixture.volume("custom_nodes/plain/web").exists());
    assert!(!fixture.volume("custom_nodes/added").exists());
    assert!(!fixture.volume("custom_nodes/removed").exists());
    assert_eq!(
        read(fixture.volume("custom_nodes/edited/__init__.py")),
        "mine"
    );
    assert_eq!(
        read(fixture.volume("custom_nodes/dropped/__init__.py")),
        "dropped 1"
    );
    assert_eq!(
        read(fixture.volume("custom_nodes/dropped-in-use/__init__.py")),
        "in use 1"
    );
    assert_eq!(
        read(fixture.volume("custom_nodes/dropped-in-use/ckpts/model.pth")),
        "mine"
    );
    assert!(!fixture.volume(left).exists());
    assert_eq!(
        read(fixture.volume("custom_nodes/disabled.disabled/__init__.py")),
        "disabled 1"
    );
}

#[test]
#[expect(clippy::too_many_lines, reason = "one volume from image to image")]
fn ok_volume_of_the_earlier_layout() {
    let fixture = Fixture::new();
    let v2 = second(&fixture);
    // As `cp --update=none` left it: an older ComfyUI, nodes whole, changed and cut off.
    for (path, text) in [
        ("main.py", "main 0"),
        ("comfy/stale.py", "stale"),
        ("comfy/same.py", "sa"),
        ("models/checkpoints/big.safetensors", "mine"),
        ("models/vae_approx/taesd.pth", "weig"),
        ("custom_nodes/plain/__init__.py", "plain 2"),
        ("custom_nodes/edited/__init__.py", "mine"),
        ("custom_nodes/edited/other.py", "other 2"),
        ("custom_nodes/added/__init__.py", "ad"),
        ("user/default/workflow.json", "mine"),
        ("extra_model_paths.yaml", "mine"),
        (".git/config", "[core]\n"),
    ] {
        write(fixture.volume(path), text);
    }
    let before = fixture.tree();
    let said = fixture.prepared(&v2);
    // No file is lost: each is where it was, or moved aside, or was the image's cut off.
    for (path, content) in &before {
        let is_cut_off = ["taesd.pth", "same.py", "added/__init__.py"]
            .iter()
            .any(|name| path.ends_with(name));
        let found = is_somewhere(&fixture.home(), content);
        assert!(found || is_cut_off, "{path} is lost");
    }
    assert_eq!(read(fixture.volume("main.py")), "main 2");
    assert_eq!(read(fixture.volume("comfy/same.py")), "same");
    assert_eq!(read(fixture.volume(".replaced/1/main.py")), "main 0");
    assert_eq!(read(fixture.volume(".replaced/1/comfy/stale.py")), "stale");
    assert!(!fixture.volume("comfy/stale.py").exists());
    assert!(!fixture.volume(".git").exists());
    assert_eq!(
        read(fixture.volume("models/vae_approx/taesd.pth")),
        "weights 2"
    );
    // A whole or cut-off copy is ours; another node is the user's.
    assert_eq!(read(fixture.volume("custom_nodes/plain/web/new.js")), "new");
    assert_eq!(
        read(fixture.volume("custom_nodes/added/__init__.py")),
        "added 2"
    );
    assert_eq!(
        read(fixture.volume("custom_nodes/edited/__init__.py")),
        "mine"
    );
    assert!(
        said.contains("custom_nodes/edited; remove it to have the image's"),
        "{said}"
    );
    assert_eq!(read(fixture.volume("extra_model_paths.yaml")), "mine");

    // From here on it has receipts.
    let v1 = first(&fixture);
    fixture.prepared(&v1);
    assert_eq!(
        read(fixture.volume("custom_nodes/plain/__init__.py")),
        "plain 1"
    );
    assert_eq!(
        read(fixture.volume("custom_nodes/edited/other.py")),
        "other 2"
    );
}

#[test]
fn ok_checkout_of_the_user_runs_as_it_is() {
    let fixture = Fixture::new();
    let v1 = first(&fixture);
    write(fixture.volume("main.py"), "mine");
    write(fixture.volume(".git/config"), "[remote \"origin\"]\n");
    let said = fixture.prepared(&v1);
    assert_eq!(read(fixture.volume("main.py")), "mine");
    assert!(!fixture.volume("comfy").exists());
    assert_eq!(
        read(fixture.volume("custom_nodes/plain/__init__.py")),
        "plain 1"
    );
    assert!(
        said.contains("is a git checkout of yours, and runs as it is"),
        "{said}"
    );
}

#[test]
fn ok_nodes_that_became_the_users() {
    let fixture = Fixture::new();
    let (v1, v2) = (first(&fixture), second(&fixture));
    fixture.prepared(&v1);
    // A checkout over it, a link to a place of the user's, and what the Manager installed.
    write(fixture.volume("custom_nodes/plain/.git/HEAD"), "x");
    fs::rename(
        fixture.volume("custom_nodes/edited"),
        fixture.path("elsewhere"),
    )
    .unwrap();
    symlink(
        fixture.path("elsewhere"),
        fixture.volume("custom_nodes/edited"),
    )
    .unwrap();
    write(fixture.volume("custom_nodes/disabled/.tracking"), "x");
    fixture.prepared(&v2);
    assert_eq!(
        read(fixture.volume("custom_nodes/plain/__init__.py")),
        "plain 1"
    );
    assert_eq!(read(fixture.path("elsewhere/__init__.py")), "edited 1");
    assert_eq!(
        read(fixture.volume("custom_nodes/disabled/__init__.py")),
        "disabled 1"
    );
    // And when the user removes one, it stays removed.
    fs::remove_dir_all(fixture.volume("custom_nodes/plain")).unwrap();
    fixture.prepared(&v1);
    assert!(!fixture.volume("custom_nodes/plain").exists());
}

#[test]
fn ok_another_volume_for_an_area() {
    let fixture = Fixture::new();
    let v1 = first(&fixture);
    fixture.prepared(&v1);
    // As if an empty volume were mounted at each later.
    for area in ["custom_nodes", "models"] {
        fs::remove_dir_all(fixture.volume(area)).unwrap();
    }
    fixture.prepared(&v1);
    assert_eq!(
        read(fixture.volume("custom_nodes/plain/__init__.py")),
        "plain 1"
    );
    assert_eq!(
        read(fixture.volume("models/vae_approx/taesd.pth")),
        "weights 1"
    );
}

#[test]
fn ok_models_behind_a_link() {
    let fixture = Fixture::new();
    let v1 = first(&fixture);
    write(fixture.path("disk/checkpoints/big"), "mine");
    fs::create_dir_all(fixture.volume("")).unwrap();
    symlink(fixture.path("disk"), fixture.volume("models")).unwrap();
    fixture.prepared(&v1);
    assert_eq!(read(fixture.path("disk/vae_approx/taesd.pth")), "weights 1");
    fs::remove_file(fixture.volume("models")).unwrap();
    symlink("/nowhere/models", fixture.volume("models")).unwrap();
    let said = fixture.prepared(&v1);
    assert!(
        said.contains("is a link to `/nowhere/models`, which this container does not have"),
        "{said}"
    );
}

#[test]
fn err_receipt() {
    let fixture = Fixture::new();
    let v1 = first(&fixture);
    write(fixture.volume(".comfy-start.json"), "{");
    let output = fixture.prepare(&v1);
    assert_eq!(output.status.code(), Some(3));
    let said = String::from_utf8(output.stderr).unwrap();
    assert!(said.contains("hint: remove it with `rm "), "{said}");
}

#[test]
fn err_no_comfyui() {
    let fixture = Fixture::new();
    let v1 = first(&fixture);
    let mut command = fixture.command(&v1, &["prepare"]);
    let output = command
        .env("COMFYUI_DIR", fixture.path("empty"))
        .output()
        .unwrap();
    let said = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(3), "{said}");
    assert!(
        said.contains("holds no ComfyUI: there is no main.py"),
        "{said}"
    );
}
