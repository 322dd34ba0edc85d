//! `build`: what is built, reused, refused, and said about it.

use std::process::Stdio;
use std::time::{Duration, Instant};

use crate::fixture::{Checkout, physical};

#[test]
fn ok_build_then_reuse() {
    let Some(checkout) = Checkout::new() else {
        return;
    };
    let first = checkout.run(&["build", "02", "--json"]).ok().json();
    assert_eq!(first["schema_version"], 1);
    assert_eq!(first["reference"], "xtask-fixture:layer02");
    assert_eq!(first["n_built"], 4);
    assert_eq!(first["layers"][1]["name"], "02-high");
    assert_eq!(first["layers"][1]["state"], "built");

    let again = checkout.run(&["build", "layer02"]).ok();
    insta::assert_snapshot!(checkout.filter(&again.stdout));
    assert!(!again.stderr.contains("Evaluating"), "{}", again.stderr);
    // A root keeps the image from the garbage collector.
    let root = checkout.data().join("roots/tiny/02-high");
    assert!(physical(fs_err::read_link(root).unwrap().to_str().unwrap()).exists());

    let changed = checkout.run(&["build", "1"]).ok();
    assert!(
        changed.stderr.contains("Built layer01-low-image"),
        "{}",
        changed.stderr
    );
    assert!(
        !changed.stderr.contains("layer01-low-spec"),
        "{}",
        changed.stderr
    );
}

#[test]
fn ok_plan_follows_tracked_files() {
    let Some(checkout) = Checkout::new() else {
        return;
    };
    checkout.run(&["build", "01"]).ok();
    checkout.write("notes.txt", "untracked files are not seen by Nix");
    assert!(
        !checkout
            .run(&["build", "01"])
            .ok()
            .stderr
            .contains("Evaluating")
    );
    checkout.write_layers("two");
    assert!(
        checkout
            .run(&["build", "01"])
            .ok()
            .stderr
            .contains("Evaluating")
    );
}

#[test]
fn ok_dry_run_builds_nothing() {
    let Some(checkout) = Checkout::new() else {
        return;
    };
    let ran = checkout.run(&["build", "2", "--dry-run"]).ok();
    insta::assert_snapshot!(checkout.filter(&ran.stdout));
    assert!(!ran.stderr.contains("Building"), "{}", ran.stderr);
    let json = checkout
        .run(&["build", "2", "--dry-run", "--json"])
        .ok()
        .json();
    assert_eq!(json["estimate"]["n_builds"], 4);
}

#[test]
fn ok_check_reproducible() {
    let Some(checkout) = Checkout::new() else {
        return;
    };
    let ran = checkout.run(&["build", "1", "--check-reproducible"]);
    assert!(ran.stderr.contains("Reproduced sha256:"), "{}", ran.stderr);
    assert_eq!(ran.status, 0);
}

#[test]
fn err_failed_build() {
    let Some(checkout) = Checkout::new() else {
        return;
    };
    let ran = checkout.run(&["build", "2", "--variant", "broken"]);
    assert_eq!(ran.status, 1, "{}", ran.stderr);
    assert_eq!(ran.stdout, "");
    let error = ran.stderr.split("error: ").nth(1).unwrap();
    // The program's path is this machine's.
    let (error, hint) = error.split_once("hint: ").unwrap();
    insta::assert_snapshot!(checkout.filter(error));
    assert!(hint.contains("nix"), "{hint}");
    assert!(hint.contains("log /nix/store/"), "{hint}");
}

#[test]
fn err_untracked_file() {
    let Some(checkout) = Checkout::new() else {
        return;
    };
    checkout.write("flake.nix", "{ outputs = _: { x = import ./new.nix; legacyPackages.x86_64-linux.factory.tiny.plan = import ./new.nix; }; }");
    checkout.write("new.nix", "{ }");
    let ran = checkout.run(&["build", "1"]);
    assert_eq!(ran.status, 2, "{}", ran.stderr);
    assert!(ran.stderr.contains("`git add`"), "{}", ran.stderr);
}

#[test]
fn err_unknown_names() {
    let checkout = Checkout::without_flake();
    for (arguments, status) in [
        (["build", "layer13"], 2),
        (["build", "hihg"], 2),
        (["build", "--variant=tyni"], 2),
        (["build", "--jobs=0"], 2),
        (["build-final", "--engine=nerdctl"], 2),
    ] {
        let ran = checkout.run(&arguments);
        assert_eq!(
            (ran.status, ran.stdout.as_str()),
            (status, ""),
            "{}",
            ran.stderr
        );
        let name = arguments.join("_").replace("--", "").replace('=', "_");
        insta::assert_snapshot!(name, checkout.filter(&ran.stderr));
    }
}

#[test]
fn ok_second_run_waits_and_says_for_whom() {
    let Some(checkout) = Checkout::new() else {
        return;
    };
    let mut first = checkout
        .command(&["build", "2", "--variant", "slow"])
        .stderr(Stdio::null())
        .stdout(Stdio::null())
        .spawn()
        .unwrap();
    let lock = checkout.data().join("run.lock");
    let start = Instant::now();
    while !lock.exists() && start.elapsed() < Duration::from_secs(20) {
        std::thread::yield_now();
    }
    let second = checkout.run(&["build", "2", "--variant", "slow"]).ok();
    assert!(first.wait().unwrap().success());
    let said = format!(
        "Waiting for another run: `cargo xtask build 2 --variant slow` (process {})",
        first.id()
    );
    assert!(second.stderr.contains(&said), "{}", second.stderr);
    assert!(second.stdout.contains("reused"), "{}", second.stdout);
}

#[test]
fn ok_interrupt_stops_nix_and_keeps_what_is_done() {
    let Some(checkout) = Checkout::new() else {
        return;
    };
    let child = checkout
        .command(&["build", "2", "--variant", "slow"])
        .stderr(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let lock = checkout.data().join("run.lock");
    let start = Instant::now();
    while !lock.exists() && start.elapsed() < Duration::from_secs(20) {
        std::thread::yield_now();
    }
    let pid = rustix::process::Pid::from_raw(i32::try_from(child.id()).unwrap()).unwrap();
    rustix::process::kill_process(pid, rustix::process::Signal::INT).unwrap();
    let output = child.wait_with_output().unwrap();
    let stderr = String::from_utf8_lossy(&output.stderr).into_owned();
    assert_eq!(output.status.code(), Some(3), "{stderr}");
    assert!(stderr.contains("error: interrupted"), "{stderr}");
    let next = checkout.run(&["build", "2", "--variant", "slow"]).ok();
    assert!(next.stdout.contains("02-high"), "{}", next.stdout);
}
