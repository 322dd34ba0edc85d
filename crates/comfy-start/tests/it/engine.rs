//! Containers of every engine that answers here, from a small image: this machine's Python,
//! bash and git's absence, the program under test, and a ComfyUI that stands in for the real one.

use std::fs;
use std::io::Write as _;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use std::sync::OnceLock;

use serde_json::Value;

use crate::fixture::{PROGRAM, WHOLE, write};

/// One place for all libraries, whatever is mounted over theirs.
const LIBRARIES: &str = "/opt/libraries";

/// The image's name: an earlier run's is replaced.
pub(crate) const IMAGE: &str = "comfy-start-test:latest";

const COMFYUI: &str = include_str!("comfyui.py");

/// An engine, and what its `run` needs on machines like CI's.
#[derive(Clone)]
pub(crate) struct Engine {
    pub(crate) program: &'static str,
    global: &'static [&'static str],
    create: &'static [&'static str],
}

/// The engines that answer, with the image of this test binary in each. `None` without one;
/// then the machine lacks something, which is said.
pub(crate) fn engines() -> Vec<Engine> {
    static ENGINES: OnceLock<Vec<Engine>> = OnceLock::new();
    ENGINES.get_or_init(find_engines).clone()
}

fn find_engines() -> Vec<Engine> {
    if !rustix::process::geteuid().is_root() {
        skip("only root can make mounts that belong to others");
        return Vec::new();
    }
    answering()
}

/// The engines that answer an ordinary user, with the image of this test binary in each.
pub(crate) fn rootless_engines() -> Vec<Engine> {
    if rustix::process::geteuid().is_root() {
        skip("only an ordinary user has engines without root");
        return Vec::new();
    }
    answering()
}

fn answering() -> Vec<Engine> {
    let podman = Engine {
        program: "podman",
        global: &["--runtime", "runc"],
        create: &[
            "--ulimit",
            "nofile=1024:1024",
            "--ulimit",
            "nproc=4096:4096",
        ],
    };
    let docker = Engine {
        program: "docker",
        global: &[],
        create: &[],
    };
    let Some(root) = root() else {
        skip("this machine's Python cannot be taken into an image");
        return Vec::new();
    };
    [podman, docker]
        .into_iter()
        .filter_map(|engine| {
            let answers = Command::new(engine.program).arg("info").output();
            if !answers.is_ok_and(|output| output.status.success()) {
                skip(&format!("{} does not answer", engine.program));
                return None;
            }
            Some(engine.import(root.path()))
        })
        .collect()
}

/// Says that the running test does not do something, and why; a failure where `CI` is set,
/// unless `.ci/allowed-skips.toml` has the reason. As `xtask/tests/it/skips.rs` does, whose
/// crates this one cannot use: it is built in the store.
#[expect(clippy::print_stderr, reason = "what is skipped must be seen")]
pub(crate) fn skip(why: &str) {
    let test = std::thread::current().name().unwrap_or("main").to_owned();
    let is_allowed =
        include_str!("../../../../.ci/allowed-skips.toml").contains(&format!("why = \"{why}\""));
    if let Some(path) = std::env::var_os("FACTORY_SKIPS") {
        let by = if rustix::process::geteuid().is_root() {
            "root"
        } else {
            "user"
        };
        let reason = is_allowed.then_some("as .ci/allowed-skips.toml says");
        let line = serde_json::json!({"test": test, "why": why, "by": by, "allowed": reason});
        let mut file = fs::OpenOptions::new()
            .append(true)
            .create(true)
            .open(path)
            .unwrap();
        file.write_all(format!("{line}\n").as_bytes()).unwrap();
    }
    eprintln!("skipped: {test}: {why}");
    let is_ci =
        std::env::var("CI").is_ok_and(|value| !["", "0", "false"].contains(&value.as_str()));
    assert!(
        is_allowed || !is_ci,
        "`{test}` cannot run as it should, and `CI` is set: {why}"
    );
}

impl Engine {
    fn import(self, root: &Path) -> Self {
        let _was_there = self.plain("rmi").args(["--force", IMAGE]).output();
        let mut command = self.plain("import");
        for change in [
            "CMD [\"bash\", \"/runner-scripts/entrypoint.sh\"]",
            "ENV PATH=/usr/local/bin:/usr/bin:/bin",
            "ENV CLI_ARGS=",
            "VOLUME /root",
            "WORKDIR /root",
        ] {
            command.args(["--change", change]);
        }
        let mut archive = Command::new("tar")
            .args(["--create", "--owner=0", "--group=0", "--directory"])
            .arg(root)
            .arg(".")
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let output = command
            .args(["-", IMAGE])
            .stdin(archive.stdout.take().unwrap())
            .output()
            .unwrap();
        assert!(archive.wait().unwrap().success());
        assert!(output.status.success(), "{}", text(&output.stderr));
        self
    }

    pub(crate) fn plain(&self, word: &str) -> Command {
        let mut command = Command::new(self.program);
        // podman's monitor wants a directory that stays.
        command.args(self.global).arg(word).current_dir("/");
        command
    }

    /// `run` or `create` of the image's command, with ComfyUI's arguments.
    pub(crate) fn container(&self, word: &str, options: &[String], arguments: &str) -> Command {
        let mut command = self.plain(word);
        command.args(self.create);
        // This test's only.
        if !options.iter().any(|option| option.starts_with("--network")) {
            command.args(["--network", "none"]);
        }
        command
            .args(options)
            .args(["--env", &format!("CLI_ARGS={arguments}")])
            .arg(IMAGE);
        command
    }

    /// Runs a container to its end; what ComfyUI reported, and what was said.
    pub(crate) fn report(&self, options: &[String]) -> Result<(Value, String), String> {
        let mut options = options.to_vec();
        options.push("--rm".to_owned());
        let output = self
            .container("run", &options, "--cpu --report")
            .output()
            .unwrap();
        parse_report(&output)
    }
}

pub(crate) fn parse_report(output: &Output) -> Result<(Value, String), String> {
    let said = text(&output.stderr) + &text(&output.stdout);
    let report = said.lines().find_map(|line| line.split_once("REPORT "));
    match report {
        Some((_, report)) if output.status.success() => {
            let value = serde_json::from_str(report.trim()).map_err(|error| error.to_string())?;
            Ok((value, said))
        }
        _ => Err(format!("status {:?}: {said}", output.status.code())),
    }
}

pub(crate) fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

pub(crate) fn unique() -> u32 {
    use std::sync::atomic::{AtomicU32, Ordering};
    static NUMBER: AtomicU32 = AtomicU32::new(0);
    NUMBER.fetch_add(1, Ordering::Relaxed)
}

/// The image's files.
fn root() -> Option<tempfile::TempDir> {
    let directory = tempfile::tempdir().unwrap();
    let root = directory.path();
    let mut binaries = vec![PathBuf::from(PROGRAM)];
    let programs = [
        "bash", "cat", "chmod", "cp", "env", "id", "ln", "ls", "mkdir", "mv", "rm", "sleep",
    ];
    for program in programs {
        binaries.push(fs::canonicalize(find(program)?).ok()?);
    }
    for (index, program) in programs.iter().enumerate() {
        copy(&binaries[index + 1], &root.join("usr/bin").join(program));
    }
    copy(Path::new(PROGRAM), &root.join("usr/local/bin/comfy-start"));
    python(root, &mut binaries)?;
    for binary in &binaries {
        for needed in needed(binary) {
            // The loader is asked for by its path; nothing of the image may be in the volume.
            if !needed.starts_with("/root") {
                copy(&needed, &root.join(needed.strip_prefix("/").ok()?));
            }
            let libraries = root.join(LIBRARIES.trim_start_matches('/'));
            copy(&needed, &libraries.join(needed.file_name()?));
        }
    }
    write(root.join("etc/passwd"), "root:x:0:0:root:/root:/bin/bash\n");
    write(root.join("etc/shadow"), "root:*:1::::::\n");
    write(
        root.join("runner-scripts/entrypoint.sh"),
        include_str!("../../../../layers/11-app/root/runner-scripts/entrypoint.sh"),
    );
    write(
        root.join("runner-scripts/python/sitecustomize.py"),
        include_str!("../../../../layers/11-app/root/runner-scripts/python/sitecustomize.py"),
    );
    let bundle = root.join("default-comfyui-bundle");
    write(bundle.join("bundle-id"), "test");
    for (path, content) in [
        ("main.py", COMFYUI),
        ("comfy/a.py", WHOLE),
        ("custom_nodes/node/__init__.py", "node"),
        ("models/vae_approx/preview.pth", "weights"),
        ("user/__manager/config.ini", "config"),
    ] {
        write(bundle.join("ComfyUI").join(path), content);
    }
    for path in ["tmp", "root"] {
        fs::create_dir_all(root.join(path)).unwrap();
        fs::set_permissions(root.join(path), fs::Permissions::from_mode(0o1777)).unwrap();
    }
    fs::set_permissions(root, fs::Permissions::from_mode(0o755)).unwrap();
    std::os::unix::fs::symlink("usr/bin", root.join("bin")).unwrap();
    Some(directory)
}

/// Copies Python and its library without tests to `/opt/python`, for its own place may be one
/// that the tests mount over.
fn python(root: &Path, binaries: &mut Vec<PathBuf>) -> Option<()> {
    let script =
        "import sys, sysconfig; print(sys.executable, sysconfig.get_path('stdlib'), sep='\\n')";
    let output = Command::new("python3")
        .args(["-I", "-c", script])
        .output()
        .ok()?;
    let said = text(&output.stdout);
    let mut lines = said.lines().map(PathBuf::from);
    let (executable, library) = (fs::canonicalize(lines.next()?).ok()?, lines.next()?);
    copy(&executable, &root.join("opt/python/bin/python3"));
    let start = format!(
        "#!/bin/bash\nPYTHONHOME=/opt/python LD_LIBRARY_PATH={LIBRARIES} exec /opt/python/bin/python3 \"$@\"\n"
    );
    write(root.join("usr/bin/python3"), start);
    let path = root.join("usr/bin/python3");
    fs::set_permissions(path, fs::Permissions::from_mode(0o755)).unwrap();
    binaries.push(executable);
    let inside = root.join("opt/python/lib").join(library.file_name()?);
    let mut directories = vec![library.clone()];
    while let Some(directory) = directories.pop() {
        for item in fs::read_dir(&directory).ok()? {
            let path = item.ok()?.path();
            let name = path.file_name()?.to_string_lossy().into_owned();
            let to = inside.join(path.strip_prefix(&library).ok()?);
            let skipped = [
                "__pycache__",
                "ensurepip",
                "idlelib",
                "lib2to3",
                "site-packages",
                "dist-packages",
                "test",
                "tkinter",
                "turtledemo",
                "unittest",
                "pydoc_data",
            ];
            if path.is_dir() {
                if !skipped.contains(&name.as_str()) && !name.starts_with("config-") {
                    directories.push(path);
                }
            } else if name.ends_with(".py") {
                copy(&path, &to);
            } else if name.ends_with(".so") {
                copy(&path, &to);
                binaries.push(path);
            }
        }
    }
    Some(())
}

fn find(program: &str) -> Option<PathBuf> {
    let path = std::env::var_os("PATH")?;
    std::env::split_paths(&path)
        .map(|directory| directory.join(program))
        .find(|path| path.is_file())
}

fn copy(from: &Path, to: &Path) {
    fs::create_dir_all(to.parent().unwrap()).unwrap();
    fs::copy(from, to).unwrap();
}

/// What `ldd` says a file needs, the loader included.
fn needed(binary: &Path) -> Vec<PathBuf> {
    let output = Command::new("ldd").arg(binary).output().unwrap();
    text(&output.stdout)
        .lines()
        .filter_map(|line| {
            line.split_whitespace()
                .find(|word| word.starts_with('/'))
                .map(PathBuf::from)
        })
        .collect()
}
