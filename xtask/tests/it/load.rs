//! `load`: an engine pulls the fixture's image, or gets the archive.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use factory_verify::engine::{Engine, EngineKind};
use rustix::process::{Pid, Signal, kill_process};

use crate::fixture::Checkout;
use crate::skips::skip;
use crate::support::put_first_on_path;

/// The fixture's images have the same names in each test.
static ENGINES: Mutex<()> = Mutex::new(());

pub(crate) fn alone() -> MutexGuard<'static, ()> {
    ENGINES.lock().unwrap_or_else(PoisonError::into_inner)
}

pub(crate) fn engines() -> impl Iterator<Item = EngineKind> {
    EngineKind::ALL.into_iter().filter(|kind| {
        let answers = Engine::require(*kind).is_ok();
        if !answers {
            skip(&format!("{} does not answer", kind.program()));
        }
        answers
    })
}

fn output(kind: EngineKind, arguments: &[&str]) -> String {
    let output = Command::new(kind.program())
        .args(arguments)
        .output()
        .unwrap();
    String::from_utf8(output.stdout).unwrap()
}

fn remove(kind: EngineKind) {
    for tag in ["layer01", "layer02"] {
        // It may not be there.
        output(kind, &["rmi", "--force", &format!("xtask-fixture:{tag}")]);
    }
}

fn images(kind: EngineKind) -> String {
    output(kind, &["images", "--format", "{{.Repository}}:{{.Tag}}"])
}

#[test]
fn ok_an_engine_pulls_what_it_lacks() {
    let Some(checkout) = Checkout::new() else {
        return;
    };
    let _alone = alone();
    for kind in engines() {
        remove(kind);
        let load = |layer: &str| {
            let arguments = ["load", layer, "--engine", kind.program(), "--json"];
            checkout.run(&arguments).ok().json()["loaded"].clone()
        };
        let low = load("1");
        assert_eq!(
            (&low["via"], &low["n_blobs_sent"]),
            (&"pull".into(), &1.into())
        );
        assert!(low["bytes_sent"].as_u64().unwrap() >= 1024, "{low}");
        // The lower layer is there.
        let high = load("2");
        assert_eq!(
            (&high["via"], &high["n_blobs_sent"]),
            (&"pull".into(), &1.into())
        );
        let again = load("2");
        assert_eq!(
            (&again["already"], &again["n_blobs_sent"]),
            (&true.into(), &0.into())
        );
        assert_eq!(again["via"], serde_json::Value::Null);
        let images = images(kind);
        assert!(images.contains("xtask-fixture:layer02"), "{images}");
        assert!(!images.contains("cargo-xtask-load"), "{images}");
        remove(kind);
    }
}

#[test]
fn ok_the_archive_is_the_same_image() {
    let Some(checkout) = Checkout::new() else {
        return;
    };
    let _alone = alone();
    for kind in engines() {
        remove(kind);
        let load = |via: &str| {
            let arguments = [
                "load",
                "2",
                "--engine",
                kind.program(),
                "--via",
                via,
                "--json",
            ];
            checkout.run(&arguments).ok().json()["loaded"].clone()
        };
        let archive = load("archive");
        let went = (&archive["via"], &archive["n_blobs_sent"]);
        assert_eq!(went, (&"archive".into(), &2.into()));
        assert_eq!(load("pull")["already"], true);
        remove(kind);
    }
}

/// A `podman` that says or does something else in one case.
fn wrapper(checkout: &Checkout, case: &str) -> PathBuf {
    let real = factory_base::process::find("podman").unwrap();
    let at = checkout.root().join("wrapper");
    let text = format!("#!/bin/sh\n{case}\nexec {} \"$@\"\n", real.display());
    checkout.write("wrapper/podman", &text);
    let mode = std::os::unix::fs::PermissionsExt::from_mode(0o755);
    fs_err::set_permissions(at.join("podman"), mode).unwrap();
    at
}

fn with_wrapper(checkout: &Checkout, wrapper: &Path, arguments: &[&str]) -> Command {
    let mut command = checkout.command(&["load", "2", "--engine", "podman"]);
    command.args(arguments);
    put_first_on_path(&mut command, wrapper);
    command
}

#[test]
fn ok_an_engine_that_cannot_reach_us_gets_the_archive() {
    let Some(checkout) = Checkout::new() else {
        return;
    };
    let _alone = alone();
    let kind = EngineKind::Podman;
    if Engine::require(kind).is_err() {
        return skip("podman does not answer");
    }
    let refuses =
        r#"if [ "$1" = pull ]; then echo "dial tcp: connection refused" >&2; exit 125; fi"#;
    let remote = r#"if [ "$*" = "info --format json" ]; then echo '{"host": {"serviceIsRemote": true}}'; exit 0; fi"#;
    for (case, why) in [
        (
            refuses,
            "podman does not reach this machine's loopback; it gets the whole archive",
        ),
        (
            remote,
            "such as its virtual machine; it gets the whole archive",
        ),
    ] {
        remove(kind);
        let wrapper = wrapper(&checkout, case);
        let output = with_wrapper(&checkout, &wrapper, &["--json"])
            .output()
            .unwrap();
        let said = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "{said}");
        assert_eq!(said.matches(why).count(), 1, "{said}");
        let loaded: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
        assert_eq!(loaded["loaded"]["via"], "archive");
        assert!(images(kind).contains("xtask-fixture:layer02"));
    }
    remove(kind);
    // Who asks for a pull gets no archive.
    let wrapper = wrapper(&checkout, refuses);
    let output = with_wrapper(&checkout, &wrapper, &["--via", "pull"])
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(3), "{said}");
    assert!(said.contains("connection refused"), "{said}");
    assert!(
        said.contains("hint: give it the whole archive: `--via archive`"),
        "{said}"
    );
}

/// Ctrl-C while the engine pulls: it is told, nothing is left, and the next run goes on.
#[test]
fn ok_ctrl_c_ends_a_pull() {
    let Some(checkout) = Checkout::new() else {
        return;
    };
    let _alone = alone();
    let kind = EngineKind::Podman;
    if Engine::require(kind).is_err() {
        return skip("podman does not answer");
    }
    remove(kind);
    let (began, ended) = (checkout.root().join("began"), checkout.root().join("ended"));
    let slow = format!(
        "if [ \"$1\" = pull ]; then trap 'touch {}; exit 130' INT; touch \"$TMPDIR/1\"; echo \"$TMPDIR\" >{}; while :; do sleep 0.1; done; fi",
        ended.display(),
        began.display()
    );
    let wrapper = wrapper(&checkout, &slow);
    let child = with_wrapper(&checkout, &wrapper, &[])
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let start = Instant::now();
    while !began.exists() {
        assert!(start.elapsed() < Duration::from_secs(120), "it never pulls");
        std::thread::sleep(Duration::from_millis(20));
    }
    let scratch = loop {
        let told = fs_err::read_to_string(&began).unwrap();
        if let Some(told) = told.strip_suffix('\n') {
            break PathBuf::from(told);
        }
    };
    assert!(scratch.join("1").exists());
    kill_process(Pid::from_child(&child), Signal::INT).unwrap();
    let output = child.wait_with_output().unwrap();
    let said = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(3), "{said}");
    assert!(said.contains("interrupted"), "{said}");
    assert!(ended.exists(), "the engine was not told");
    assert!(!scratch.exists(), "{} is left", scratch.display());
    let left = images(kind);
    assert!(
        !left.contains("xtask-fixture") && !left.contains("cargo-xtask-load"),
        "{left}"
    );
    checkout.run(&["load", "2", "--engine", "podman"]).ok();
    remove(kind);
}

/// A run that was killed after the pull leaves a name; the next one takes it away.
#[test]
fn ok_a_name_that_was_left_goes_away() {
    let Some(checkout) = Checkout::new() else {
        return;
    };
    let _alone = alone();
    for kind in engines() {
        remove(kind);
        checkout
            .run(&["load", "2", "--engine", kind.program()])
            .ok();
        let left = "127.0.0.1:5/cargo-xtask-load/xtask-fixture:layer02";
        output(kind, &["tag", "xtask-fixture:layer02", left]);
        output(kind, &["rmi", "xtask-fixture:layer02"]);
        assert!(images(kind).contains(left));
        checkout
            .run(&["load", "2", "--engine", kind.program()])
            .ok();
        let images = images(kind);
        assert!(
            images.contains("xtask-fixture:layer02") && !images.contains(left),
            "{images}"
        );
        remove(kind);
    }
}
