//! Podman and docker of an ordinary user.

use std::fs;
use std::os::unix::fs::MetadataExt as _;

use crate::engine::{Engine, rootless_engines};

/// What the container is started with, and who ComfyUI is then, inside.
const USERS: [(&str, u64); 7] = [
    ("", 0),
    ("--env PUID=1000", 1000),
    ("--user 1000:1000", 1000),
    ("--read-only --tmpfs /tmp", 0),
    ("--cap-drop ALL", 0),
    ("--security-opt no-new-privileges", 0),
    (
        "--read-only --tmpfs /tmp --cap-drop ALL --security-opt no-new-privileges --user 54321:54321",
        54321,
    ),
];

#[test]
#[expect(clippy::print_stdout, reason = "the counts are what the test is for")]
fn ok_without_root() {
    for engine in rootless_engines() {
        for (options, uid) in USERS {
            let (state, said) = engine
                .report(&words(options))
                .unwrap_or_else(|why| panic!("{}, {options}: {why}", engine.program));
            assert_eq!(state["uid"], uid, "{options}: {said}");
            assert!(state["nodes"].to_string().contains("\"node\""), "{said}");
        }
        println!(
            "{}: {} ways to start without root",
            engine.program,
            USERS.len()
        );
        volume_of_the_user(&engine, "", 0);
        if engine.program == "podman" {
            let own = rustix::process::geteuid().as_raw();
            volume_of_the_user(&engine, "--userns keep-id", own.into());
        }
    }
}

/// What ComfyUI writes belongs to whose engine it is; the second start finds what the first left.
fn volume_of_the_user(engine: &Engine, options: &str, uid: u64) {
    let directory = tempfile::tempdir().unwrap();
    let mut options = words(options);
    options.push("--volume".to_owned());
    options.push(format!("{}:/root", directory.path().display()));
    for _ in 0..2 {
        let (state, said) = engine.report(&options).unwrap();
        assert_eq!(state["uid"], uid, "{said}");
        let written = fs::metadata(directory.path().join("ComfyUI/output/written")).unwrap();
        let own = rustix::process::geteuid().as_raw();
        assert_eq!(written.uid(), own, "{said}");
    }
}

fn words(options: &str) -> Vec<String> {
    options.split_whitespace().map(str::to_owned).collect()
}
