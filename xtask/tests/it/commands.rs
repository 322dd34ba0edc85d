//! `load`, `stream`, `status` and `clean`, on the image of the fixture.

use std::io::{BufRead as _, BufReader};
use std::process::{Command, Stdio};

use factory_base::fs::Lock;

use crate::fixture::Checkout;
use crate::skips::skip;
use crate::support::{Sandbox, put_first_on_path};

#[test]
fn ok_stream_is_what_the_plan_says() {
    let Some(checkout) = Checkout::new() else {
        return;
    };
    let output = checkout.command(&["stream", "2"]).output().unwrap();
    assert!(
        output.status.success(),
        "{}",
        String::from_utf8_lossy(&output.stderr)
    );
    let mut archive = tar::Archive::new(output.stdout.as_slice());
    let names: Vec<String> = archive
        .entries()
        .unwrap()
        .map(|entry| entry.unwrap().path().unwrap().display().to_string())
        .collect();
    assert_eq!(
        names
            .iter()
            .filter(|name| name.ends_with("/layer.tar"))
            .count(),
        2
    );
    assert_eq!(names.last().unwrap(), "manifest.json");
}

#[test]
fn ok_oci_layout_is_written_once() {
    let Some(checkout) = Checkout::new() else {
        return;
    };
    let arguments = ["stream", "2", "--oci-layout", "out", "--json"];
    let first = checkout.run(&arguments).ok().json();
    let second = checkout.run(&arguments).ok().json();
    assert_eq!(first["manifest_digest"], second["manifest_digest"]);
    assert_eq!(
        (&first["n_kept"], &second["n_written"]),
        (&0.into(), &0.into())
    );
    comfy_image::layout::check(&checkout.root().join("out")).unwrap();

    // A flipped bit leaves the size as it is.
    let blobs = checkout.root().join("out/blobs/sha256");
    let mut n_blobs = 0;
    for entry in std::fs::read_dir(blobs).unwrap() {
        let path = entry.unwrap().path();
        let mut bytes = std::fs::read(&path).unwrap();
        bytes[0] ^= 1;
        std::fs::write(&path, bytes).unwrap();
        n_blobs += 1;
    }
    let third = checkout.run(&arguments).ok().json();
    assert_eq!(
        (&third["n_replaced"], &third["n_kept"]),
        (&n_blobs.into(), &0.into())
    );
    comfy_image::layout::check(&checkout.root().join("out")).unwrap();
}

#[test]
fn err_stream_with_json() {
    let Some(checkout) = Checkout::new() else {
        return;
    };
    let ran = checkout.run(&["stream", "2", "--json"]);
    assert_eq!((ran.status, ran.stdout.as_str()), (2, ""));
    insta::assert_snapshot!(checkout.filter(&ran.stderr));
}

#[test]
fn ok_closed_pipe_ends_quietly() {
    let Some(checkout) = Checkout::new() else {
        return;
    };
    let mut child = checkout
        .command(&["stream", "2"])
        .stdout(std::process::Stdio::piped())
        .stderr(std::process::Stdio::piped())
        .spawn()
        .unwrap();
    drop(child.stdout.take());
    let output = child.wait_with_output().unwrap();
    let stderr = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(!stderr.contains("error:"), "{stderr}");
}

#[test]
fn ok_status_before_and_after() {
    let Some(checkout) = Checkout::new() else {
        return;
    };
    let before = checkout.run(&["status"]).ok();
    insta::assert_snapshot!("status_before", checkout.filter(&before.stdout));
    checkout.run(&["build", "1"]).ok();
    let json = checkout.run(&["status", "--json"]).ok().json();
    assert_eq!(json["layers"][0]["state"], "built");
    assert_eq!(json["layers"][1]["state"], "missing");
    assert_eq!(json["layers"][1]["estimate"]["n_builds"], 2);
    checkout.run(&["build", "2"]).ok();
    let after = checkout.run(&["status"]).ok();
    insta::assert_snapshot!("status_after", checkout.filter(&after.stdout));
}

#[test]
fn ok_omit_git_is_a_sibling_of_the_variant() {
    let Some(checkout) = Checkout::new() else {
        return;
    };
    let omit = ["--variant", "full", "--omit", "git"];
    let run = |command: &[&str]| checkout.run(&[command, omit.as_slice()].concat()).ok();
    for command in [
        ["status", "--json"].as_slice(),
        &["build", "1", "--json"],
        &["build", "1", "--dry-run", "--json"],
        &["fetch", "1", "--dry-run", "--json"],
    ] {
        assert_eq!(run(command).json()["variant"], "full-nogit", "{command:?}");
    }
    let roots = checkout.data().join("roots");
    assert!(roots.join("full-nogit/01-low").symlink_metadata().is_ok());
    assert!(roots.join("full/01-low").symlink_metadata().is_err());

    // A variant without git sources is the same with and without them.
    let ran = checkout.run(&["status", "--omit", "git"]).ok();
    assert!(ran.stdout.starts_with("variant tiny,"), "{}", ran.stdout);
    assert!(
        ran.stderr.contains("takes nothing from git"),
        "{}",
        ran.stderr
    );
}

#[test]
fn ok_clean_removes_only_when_told() {
    let Some(checkout) = Checkout::new() else {
        return;
    };
    checkout.run(&["build", "1"]).ok();
    let roots = checkout.data().join("roots/tiny/01-low");
    let listed = checkout.run(&["clean"]).ok();
    assert!(
        listed.stdout.contains("garbage-collector roots"),
        "{}",
        listed.stdout
    );
    assert!(roots.symlink_metadata().is_ok());
    let json = checkout.run(&["clean", "--yes", "--json"]).ok().json();
    assert_eq!(json["removed"], true);
    assert!(roots.symlink_metadata().is_err());
    assert_eq!(checkout.run(&["clean"]).ok().stdout, "");
}

/// A fetch and a bootstrap use the downloads that `clean` removes.
#[test]
fn ok_clean_waits_for_a_fetch_and_a_bootstrap() {
    let checkout = Checkout::without_flake();
    let cache = checkout.cache();
    let download = cache.join("downloads/0000/half.whl");
    for lock in ["fetch.lock", "provide.lock"] {
        fs_err::create_dir_all(download.parent().unwrap()).unwrap();
        fs_err::write(&download, "half").unwrap();
        let held = Lock::take(&Sandbox::new().ctx, &cache.join(lock)).unwrap();
        let mut clean = checkout
            .command(&["clean", "--yes", "--plain"])
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let mut stderr = BufReader::new(clean.stderr.take().unwrap()).lines();
        let waits = stderr.find(|line| line.as_ref().unwrap().contains("Waiting for another run"));
        assert!(waits.is_some(), "{lock}: `clean` did not wait");
        assert!(download.exists(), "{lock}: removed while it was in use");
        drop(held);
        let rest: Vec<_> = stderr.map(Result::unwrap).collect();
        assert!(clean.wait().unwrap().success(), "{rest:?}");
        assert!(!download.exists(), "{lock}: {rest:?}");
    }
}

#[test]
fn ok_load_once() {
    let Some(checkout) = Checkout::new() else {
        return;
    };
    let _alone = crate::load::alone();
    for engine in ["docker", "podman"] {
        if !Command::new(engine)
            .arg("info")
            .output()
            .is_ok_and(|output| output.status.success())
        {
            skip(&format!("{engine} does not answer"));
            continue;
        }
        let first = checkout
            .run(&["load", "2", "--engine", engine, "--json"])
            .ok()
            .json();
        let second = checkout
            .run(&["load", "2", "--engine", engine, "--json"])
            .ok()
            .json();
        assert_eq!(second["loaded"]["already"], true, "{engine}");
        // A name that went away comes back without the bytes.
        let reference = first["reference"].as_str().unwrap();
        let other = "xtask-fixture:other";
        for arguments in [vec!["tag", reference, other], vec!["rmi", reference]] {
            assert!(
                Command::new(engine)
                    .args(arguments)
                    .output()
                    .unwrap()
                    .status
                    .success()
            );
        }
        let third = checkout
            .run(&["load", "2", "--engine", engine, "--json"])
            .ok()
            .json();
        assert_eq!(third["loaded"]["already"], true, "{engine}");
        let inspect = Command::new(engine)
            .args(["image", "inspect", reference])
            .output()
            .unwrap();
        assert!(inspect.status.success(), "{engine}");
        assert!(
            Command::new(engine)
                .args(["rmi", reference, other])
                .output()
                .unwrap()
                .status
                .success()
        );
    }
}

#[test]
fn ok_plan_for_other_architectures() {
    let Some(checkout) = Checkout::new() else {
        return;
    };
    let reference = |arguments: &[&str]| {
        let status = [&["status", "--json"], arguments].concat();
        checkout.run(&status).ok().json()["reference"].clone()
    };
    assert_eq!(reference(&[]), "xtask-fixture:layer02");
    assert_eq!(
        reference(&["--cuda-arch", "9.0,12.0+PTX"]),
        "xtask-fixture:9.0-12.0+PTX"
    );
    // Each choice has an evaluation of its own.
    assert_eq!(reference(&["--cuda-arch", "9.0"]), "xtask-fixture:9.0");
    assert_eq!(reference(&[]), "xtask-fixture:layer02");

    let ran = checkout.run(&["status", "--cuda-arch", "9.0,9.0+PTX"]);
    assert_eq!((ran.status, ran.stdout.as_str()), (2, ""));
    let reason = "`--cuda-arch`: the CUDA architecture 9.0 is named twice";
    assert!(ran.stderr.contains(reason), "{}", ran.stderr);
}

#[test]
fn ok_native_architectures_are_those_of_the_gpus() {
    let Some(checkout) = Checkout::new() else {
        return;
    };
    let status = |says: &str, architectures: &str| {
        checkout.write("gpus/nvidia-smi", &format!("#!/bin/sh\n{says}\n"));
        let programs = checkout.root().join("gpus");
        let mode = std::os::unix::fs::PermissionsExt::from_mode(0o755);
        fs_err::set_permissions(programs.join("nvidia-smi"), mode).unwrap();
        let mut command = checkout.command(&["status", "--json", "--cuda-arch", architectures]);
        put_first_on_path(&mut command, &programs);
        command.output().unwrap()
    };
    let reference = |says: &str, architectures: &str| {
        let output = status(says, architectures);
        let error = String::from_utf8_lossy(&output.stderr).into_owned();
        assert!(output.status.success(), "{error}");
        let status: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
        status["reference"].as_str().unwrap().to_owned()
    };
    let two = "[ $# = 2 ] && printf '12.0\\n9.0\\n12.0\\n'";
    assert_eq!(reference(two, "native"), "xtask-fixture:9.0-12.0");
    // One that is named may have PTX.
    assert_eq!(
        reference(two, "native,12.0+PTX"),
        "xtask-fixture:9.0-12.0+PTX"
    );

    for (says, expected) in [
        (
            "echo 'no devices were found' >&2; exit 6",
            "no devices were found",
        ),
        ("true", "`nvidia-smi` names none"),
        (
            "echo 6.1",
            "`nvidia-smi` says `6.1`, and `6.1` is no CUDA architecture",
        ),
    ] {
        let output = status(says, "native");
        let error = String::from_utf8_lossy(&output.stderr).into_owned();
        assert_eq!(output.status.code(), Some(3), "{error}");
        assert!(error.contains(expected), "{error}");
        assert!(error.contains("hint: name the architecture"), "{error}");
    }
}
