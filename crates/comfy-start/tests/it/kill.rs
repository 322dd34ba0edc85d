//! SIGKILL at random moments: the next start gives the right tree, and nothing half-written.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process_group};

use crate::fixture::{Fixture, WHOLE, noise, write};

/// A bundle of some megabytes: ComfyUI, twelve nodes, weights.
fn bundle(fixture: &Fixture, version: u64, has_core: bool) -> PathBuf {
    let bundle = fixture.bundle(&format!("v{version}"), &[]);
    let comfyui = bundle.join("ComfyUI");
    if has_core {
        core(&comfyui, version);
    }
    for node in version..version + 12 {
        for file in 0..12 {
            let size = if file == 0 { 300_000 } else { 2_000 };
            let path = format!(
                "custom_nodes/node-{node}/part-{}/file-{}.py",
                file % 3,
                file + version % 2
            );
            // Half of the nodes change from version to version.
            let seed = node * 100 + file + if node % 2 == 0 { version * 10_000 } else { 0 };
            write(comfyui.join(path), noise(seed, size));
        }
    }
    write(
        comfyui.join("models/vae_approx/taesd.pth"),
        noise(version, 4_000_000),
    );
    write(
        comfyui.join("user/__manager/config.ini"),
        noise(version, 500),
    );
    bundle
}

/// A module that can be compiled.
fn module(seed: u64) -> String {
    let digits: String = noise(seed, 10_000)
        .iter()
        .map(|byte| format!("{byte:02x}"))
        .collect();
    format!("DATA = \"{digits}\"\n")
}

fn core(directory: &Path, version: u64) {
    write(directory.join("main.py"), format!("{version}{WHOLE}"));
    for file in 0..80 {
        let path = format!("comfy/part-{}/file-{}.py", file % 7, file + version % 3);
        write(directory.join(path), module(file + version * 1000));
    }
}

/// Starts, and kills after some time if it still runs. Says whether it was killed.
fn kill_after(command: &mut Command, delay: Duration) -> bool {
    let mut child = command
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    std::thread::sleep(delay);
    let is_running = child.try_wait().unwrap().is_none();
    if is_running {
        kill_process_group(Pid::from_child(&child), Signal::KILL).unwrap();
    }
    child.wait().unwrap();
    is_running
}

/// Kills a start at a random moment of the time that a whole one takes, and compares the tree
/// after the next start with that of a whole one.
struct Rounds<'a> {
    what: &'a str,
    n_rounds: usize,
    n_killed: usize,
    n_right: usize,
}

impl Rounds<'_> {
    fn report(self) {
        let Self {
            what,
            n_rounds,
            n_killed,
            n_right,
        } = self;
        println_to_log(&format!(
            "{what}: {n_right} of {n_rounds} right, {n_killed} of them killed midway"
        ));
        assert_eq!(n_right, n_rounds, "{what}");
        assert!(
            n_killed * 2 > n_rounds,
            "{what}: only {n_killed} were killed"
        );
    }
}

#[expect(clippy::print_stdout, reason = "the counts are what the test is for")]
fn println_to_log(line: &str) {
    println!("{line}");
}

/// The volume's files. Byte code names the file that it was compiled from, which is another in
/// each fixture.
fn tree(fixture: &Fixture) -> BTreeMap<String, Vec<u8>> {
    let mut tree = fixture.tree();
    for (path, content) in &mut tree {
        if path.ends_with(".pyc") {
            content.clear();
        }
    }
    tree
}

/// Says whether all byte code of the volume can be read, and is compared by hash.
fn is_byte_code_whole(fixture: &Fixture) -> bool {
    let script = "import marshal, pathlib, sys\n\
        for path in pathlib.Path(sys.argv[1]).rglob('*.pyc'):\n\
        \x20   data = path.read_bytes()\n\
        \x20   assert data[4:8] == b'\\3\\0\\0\\0', path\n\
        \x20   marshal.loads(data[16:])\n";
    let status = Command::new("python3")
        .args(["-I", "-c", script])
        .arg(fixture.home())
        .status()
        .unwrap();
    status.success()
}

fn rounds(
    what: &str,
    n_rounds: usize,
    seed: u64,
    begin: impl Fn() -> Fixture,
    start: impl Fn(&Fixture) -> Command,
) {
    let whole = begin();
    let begun = Instant::now();
    assert!(start(&whole).output().unwrap().status.success());
    let duration = begun.elapsed();
    let expected = tree(&whole);
    let mut rounds = Rounds {
        what,
        n_rounds,
        n_killed: 0,
        n_right: 0,
    };
    let moments = noise(seed, n_rounds * 8);
    for (round, moment) in moments.chunks_exact(8).enumerate() {
        let share =
            f64::from(u32::from_le_bytes(moment[..4].try_into().unwrap())) / f64::from(u32::MAX);
        let fixture = begin();
        rounds.n_killed += usize::from(kill_after(&mut start(&fixture), duration.mul_f64(share)));
        let output = start(&fixture).output().unwrap();
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        assert!(output.status.success(), "round {round} at {share}: {said}");
        let found = tree(&fixture);
        if found == expected && is_byte_code_whole(&fixture) {
            rounds.n_right += 1;
        } else {
            let differing: Vec<_> = expected
                .keys()
                .chain(found.keys())
                .filter(|path| expected.get(*path) != found.get(*path))
                .collect();
            println_to_log(&format!("round {round} at {share}: {differing:?}\n{said}"));
        }
    }
    rounds.report();
}

#[test]
fn ok_first_start_copying() {
    let begin = || {
        let fixture = Fixture::new();
        bundle(&fixture, 1, true);
        fixture
    };
    rounds("first start, copying", 25, 1, begin, |fixture| {
        fixture.command(&fixture.path("v1"), &["prepare"])
    });
}

/// A git repository with ComfyUI in it; returns the commit.
pub(crate) fn repository(directory: &Path, version: u64) -> String {
    core(directory, version);
    let git = |arguments: &[&str]| {
        let output = Command::new("git")
            .args(["-c", "user.name=x", "-c", "user.email=x@example.invalid"])
            .args([
                "-c",
                "commit.gpgsign=false",
                "-c",
                "init.defaultBranch=main",
            ])
            .args(arguments)
            .current_dir(directory)
            .output()
            .unwrap();
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        assert!(output.status.success(), "{arguments:?}: {said}");
        String::from_utf8(output.stdout).unwrap().trim().to_owned()
    };
    git(&["init", "--quiet"]);
    git(&["add", "."]);
    git(&["commit", "--quiet", "--message", "x"]);
    git(&["config", "uploadpack.allowAnySHA1InWant", "true"]);
    git(&["rev-parse", "HEAD"])
}

#[test]
fn ok_first_start_cloning() {
    let source = tempfile::tempdir().unwrap();
    let revision = repository(source.path(), 1);
    let url = format!("file://{}", source.path().display());
    let begin = || {
        let fixture = Fixture::new();
        let bundle = bundle(&fixture, 1, false);
        write(bundle.join("comfyui-revision"), format!("{revision}\n"));
        fixture
    };
    let start = |fixture: &Fixture| {
        let mut command = fixture.command(&fixture.path("v1"), &["prepare"]);
        command.env("COMFYUI_REPOSITORY", &url);
        command
    };
    let whole = begin();
    assert!(start(&whole).status().unwrap().success());
    let tree = whole.tree();
    let byte_code = tree.keys().filter(|path| path.ends_with(".pyc"));
    // Of `main.py`, and of each of the 80.
    assert_eq!(byte_code.count(), 81);
    rounds("first start, cloning", 25, 2, begin, start);
}

/// A volume of version 1 that somebody uses, and both bundles.
fn used_volume() -> Fixture {
    let fixture = Fixture::new();
    let v1 = bundle(&fixture, 1, true);
    bundle(&fixture, 2, true);
    fixture.prepared(&v1);
    write(
        fixture.volume("custom_nodes/node-4/part-0/file-1.py"),
        "mine",
    );
    write(fixture.volume("custom_nodes/node-5/settings.json"), "mine");
    write(fixture.volume("custom_nodes/node-1/settings.json"), "mine");
    write(fixture.volume("models/checkpoints/big"), noise(7, 100_000));
    std::fs::remove_dir_all(fixture.volume("custom_nodes/node-6")).unwrap();
    std::fs::rename(
        fixture.volume("custom_nodes/node-8"),
        fixture.volume("custom_nodes/node-8.disabled"),
    )
    .unwrap();
    fixture
}

#[test]
fn ok_upgrade() {
    rounds("upgrade", 25, 3, used_volume, |fixture| {
        fixture.command(&fixture.path("v2"), &["prepare"])
    });
}

#[test]
fn ok_downgrade_after_a_killed_upgrade() {
    // The start that is killed takes the new image, the next one the old image again.
    let v2 = used_volume();
    let begun = Instant::now();
    fixture_prepare(&v2, "v2");
    let duration = begun.elapsed();
    let before = {
        let fixture = used_volume();
        fixture_prepare(&fixture, "v1");
        fixture.tree()
    };
    let mut rounds = Rounds {
        what: "old image after a killed upgrade",
        n_rounds: 15,
        n_killed: 0,
        n_right: 0,
    };
    for round in 0..rounds.n_rounds {
        let fixture = used_volume();
        let share = (u32::try_from(round).unwrap() * 7 % 15 + 1) as f64 / 15.0;
        let mut command = fixture.command(&fixture.path("v2"), &["prepare"]);
        rounds.n_killed += usize::from(kill_after(&mut command, duration.mul_f64(share)));
        fixture_prepare(&fixture, "v1");
        let found = fixture.tree();
        let differing: Vec<_> = before
            .keys()
            .chain(found.keys())
            .filter(|path| before.get(*path) != found.get(*path))
            .collect();
        if differing.is_empty() {
            rounds.n_right += 1;
        } else {
            println_to_log(&format!("round {round} at {share}: {differing:?}"));
        }
    }
    rounds.report();
}

fn fixture_prepare(fixture: &Fixture, version: &str) {
    fixture.prepared(&fixture.path(version));
}
