//! A checkout of two small layers, built by the real Nix.

use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use std::sync::OnceLock;

use comfy_image::image::{ImageRequest, assemble};
use comfy_image::layer::LayerRequest;
use comfy_image::spec::build_spec;

use crate::support::{known_nix, shared_nix};

/// A checkout with its own caches.
pub(crate) struct Checkout {
    directory: tempfile::TempDir,
}

/// What a run printed.
pub(crate) struct Ran {
    pub(crate) status: i32,
    pub(crate) stdout: String,
    pub(crate) stderr: String,
}

impl Ran {
    pub(crate) fn new(output: Output) -> Self {
        let text = |bytes: Vec<u8>| String::from_utf8_lossy(&bytes).into_owned();
        Self {
            status: output.status.code().unwrap_or(-1),
            stdout: text(output.stdout),
            stderr: text(output.stderr),
        }
    }

    /// Panics with all that was printed unless the program succeeded.
    pub(crate) fn ok(self) -> Self {
        assert_eq!(
            self.status, 0,
            "stdout:\n{}\nstderr:\n{}",
            self.stdout, self.stderr
        );
        self
    }

    /// The one JSON document on stdout.
    pub(crate) fn json(&self) -> serde_json::Value {
        serde_json::from_str(&self.stdout).unwrap()
    }
}

/// One of Nix's programs, on the store that the program under test uses.
pub(crate) fn nix_program(name: &str) -> Command {
    let nix = known_nix().expect("a checkout is made only where there is Nix");
    let mut command = Command::new(nix.program(name));
    command.envs(nix.variables());
    if let Some(root) = nix.store_root() {
        command.arg("--store").arg(root);
    }
    command
}

/// Gives a program caches of its own below a directory, and the tests' Nix.
pub(crate) fn set_apart(command: &mut Command, directory: &Path) {
    let data = directory.join("data");
    share_containers(&data);
    command
        .env("XDG_CACHE_HOME", directory.join("cache"))
        .env("XDG_DATA_HOME", data)
        .env("NO_COLOR", "1")
        // The tests' own Nix is on its PATH, and need not be unpacked once more.
        .env_remove("XTASK_NIX")
        .stdin(Stdio::null());
    if let Some(nix) = known_nix() {
        command.envs(nix.variables());
        if let Some(root) = nix.store_root() {
            command.env("XTASK_STORE", root);
        }
    }
}

/// Without root podman keeps images below `XDG_DATA_HOME` (containers-storage.conf(5)): those
/// of the program under test are the user's, as the test's own are.
fn share_containers(data: &Path) {
    let link = data.join("containers");
    if rustix::process::getuid().is_root() || link.is_symlink() {
        return;
    }
    let home = std::env::var_os("XDG_DATA_HOME").map(PathBuf::from);
    let home =
        home.unwrap_or_else(|| Path::new(&std::env::var_os("HOME").unwrap()).join(".local/share"));
    fs_err::create_dir_all(home.join("containers")).unwrap();
    fs_err::create_dir_all(data).unwrap();
    fs_err::os::unix::fs::symlink(home.join("containers"), link).unwrap();
}

/// Where the file of a store path is: a store without root is not at `/nix`.
pub(crate) fn physical(store_path: &str) -> PathBuf {
    known_nix().unwrap().physical(store_path)
}

/// A document with the paths that a build sees.
fn logical(document: &str) -> String {
    document.replace(&format!("{}/", physical("/nix").display()), "/nix/")
}

impl Checkout {
    /// Two layers, `01-low` and `02-high`; `None` where there is no Nix.
    pub(crate) fn new() -> Option<Self> {
        shared_nix()?;
        let checkout = Self::without_flake();
        checkout.write_layers("one");
        // Nothing that another test or run built may count as built.
        checkout.write("salt", &checkout.directory.path().display().to_string());
        checkout.write("flake.nix", include_str!("fixture/flake.nix"));
        checkout.git(&["add", "-A"]);
        checkout.git(&["commit", "-qm", "fixture"]);
        Some(checkout)
    }

    /// A checkout in which nothing can be evaluated.
    pub(crate) fn without_flake() -> Self {
        let checkout = Self {
            directory: tempfile::tempdir().unwrap(),
        };
        fs_err::create_dir_all(checkout.root()).unwrap();
        checkout.write("layers/layers.toml", include_str!("fixture/layers.toml"));
        checkout.write("layers/01-low/flake.nix", "{ outputs = _: { }; }\n");
        checkout.write("layers/02-high/flake.nix", "{ outputs = _: { }; }\n");
        checkout.write(
            "package-lists/variants.toml",
            include_str!("fixture/variants.toml"),
        );
        checkout.write(
            "package-lists/systems.toml",
            include_str!("../../../package-lists/systems.toml"),
        );
        checkout.git(&["init", "-q"]);
        checkout
    }

    pub(crate) fn root(&self) -> PathBuf {
        self.directory.path().join("checkout")
    }

    /// The program's own data directory.
    pub(crate) fn data(&self) -> PathBuf {
        self.directory.path().join("data/comfyui-image-factory")
    }

    /// The program's own cache.
    pub(crate) fn cache(&self) -> PathBuf {
        self.directory.path().join("cache/comfyui-image-factory")
    }

    pub(crate) fn write(&self, path: &str, text: &str) {
        let path = self.root().join(path);
        fs_err::create_dir_all(path.parent().unwrap()).unwrap();
        fs_err::write(path, text).unwrap();
    }

    pub(crate) fn git(&self, arguments: &[&str]) {
        let name = [
            "-c",
            "user.name=x",
            "-c",
            "user.email=x@example.invalid",
            "-c",
            "commit.gpgsign=false",
        ];
        let status = Command::new("git")
            .args(name)
            .args(arguments)
            .current_dir(self.root())
            .status();
        assert!(status.unwrap().success());
    }

    /// A lock of two distributions, and the script that imports them.
    pub(crate) fn write_python_lock(&self) {
        self.write(
            "scripts/check-imports.py",
            include_str!("../../../scripts/check-imports.py"),
        );
        self.write(
            "package-lists/locks/python/tiny.toml",
            include_str!("fixture/python-lock.toml"),
        );
    }

    /// The locks that a list of the image is made of.
    pub(crate) fn write_locks(&self) {
        self.write_python_lock();
        self.write("package-lists/locks/sources.toml", "schema_version = 1\n");
    }

    /// Writes the documents that the image tool would write: the sandbox has only a shell.
    pub(crate) fn write_layers(&self, content: &str) {
        let mut specs = Vec::new();
        for name in ["01-low", "02-high"] {
            let tree = self.directory.path().join(format!("tree-{name}"));
            fs_err::create_dir_all(tree.join("root/etc")).unwrap();
            fs_err::write(tree.join(format!("root/etc/{name}")), content).unwrap();
            let tree = self.store_add(&tree);
            let request: LayerRequest = serde_json::from_value(serde_json::json!({
                "schema_version": 1,
                "name": name,
                "trees": [{"package": format!("{name}-tree"), "path": physical(&tree)}],
                "partition": {"max_blobs": 1, "alone_from_bytes": 0},
            }))
            .unwrap();
            let asked = logical(&serde_json::to_string(&request).unwrap());
            self.write(&format!("documents/{name}-spec.json-request"), &asked);
            let spec = build_spec(&request, std::num::NonZeroUsize::MIN, None).unwrap();
            let file = self.directory.path().join(format!("{name}.json"));
            fs_err::write(&file, logical(&serde_json::to_string(&spec).unwrap())).unwrap();
            fs_err::copy(&file, self.path_of(&format!("documents/{name}-spec.json"))).unwrap();
            let spec = self.store_add(&file);
            for compression in ["gzip", "zstd"] {
                let out = self.path_of(&format!("documents/{name}-{compression}.json"));
                describe(&spec, compression, &out);
            }
            specs.push(physical(&spec));
            let request: ImageRequest = serde_json::from_value(serde_json::json!({
                "schema_version": 1,
                "name": "xtask-fixture",
                "tag": format!("layer{}", &name[..2]),
                "config": {"Cmd": ["true"]},
                "architecture": "amd64",
                "os": "linux",
                "created": "1970-01-01T00:00:01Z",
                "layers": specs,
            }))
            .unwrap();
            let asked = logical(&serde_json::to_string(&request).unwrap());
            self.write(&format!("documents/{name}-image.json-request"), &asked);
            let image = assemble(&request, known_nix().unwrap().store_root()).unwrap();
            let json = logical(&serde_json::to_string(&image).unwrap());
            self.write(&format!("documents/{name}-image.json"), &json);
        }
    }

    fn path_of(&self, path: &str) -> PathBuf {
        let path = self.root().join(path);
        fs_err::create_dir_all(path.parent().unwrap()).unwrap();
        path
    }

    fn store_add(&self, path: &Path) -> String {
        let output = nix_program("nix-store")
            .arg("--add")
            .arg(path)
            .output()
            .unwrap();
        assert!(
            output.status.success(),
            "{}",
            String::from_utf8_lossy(&output.stderr)
        );
        String::from_utf8(output.stdout).unwrap().trim().to_owned()
    }

    /// The program with its caches inside the fixture.
    pub(crate) fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_xtask"));
        command.args(arguments).current_dir(self.root());
        set_apart(&mut command, self.directory.path());
        command
    }

    pub(crate) fn run(&self, arguments: &[&str]) -> Ran {
        Ran::new(self.command(arguments).output().unwrap())
    }

    /// Text that is the same on every machine and in every run.
    pub(crate) fn filter(&self, text: &str) -> String {
        let root = self.directory.path().display().to_string();
        let text = text.replace(&root, "[ROOT]");
        let mut out = String::new();
        for line in text.lines() {
            let words = line.split_inclusive([' ', '\n']).map(filter_word);
            out.extend(words);
            out.push('\n');
        }
        out
    }
}

/// Store hashes, times and dates.
fn filter_word(word: &str) -> String {
    let bare = word.trim_end().trim_end_matches(':');
    if bare.len() == "2026-11-22T20:00:00Z".len() && bare.ends_with('Z') && bare.contains('T') {
        return word.replace(bare, "[DATE]");
    }
    let is_time = bare.ends_with('s') && bare.contains(|c: char| c.is_ascii_digit()) && {
        bare.trim_end_matches('s')
            .chars()
            .all(|c| c.is_ascii_digit() || c == '.' || c == 'm')
    };
    if is_time {
        return word.replace(bare, "[TIME]");
    }
    match word.find("/nix/store/") {
        Some(at) if word.len() > at + 43 => {
            let (head, tail) = word.split_at(at + "/nix/store/".len());
            format!("{head}[HASH]{}", &tail[32..])
        }
        _ => word.to_owned(),
    }
}

/// Computes what the blobs of a layer are for a registry, as the derivation of the factory does.
fn describe(spec: &str, compression: &str, out: &Path) {
    let mut command = Command::new(encoder());
    command
        .args([
            "compress",
            "--spec",
            spec,
            "--compression",
            compression,
            "--out",
        ])
        .arg(out);
    if let Some(root) = known_nix().unwrap().store_root() {
        command.arg("--store-root").arg(root);
    }
    let output = command.output().unwrap();
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{said}");
}

/// The image tool with its encoders, as `nix/default.nix` builds it; here cargo does. A user
/// without cargo has what the tests of the workspace were built with.
pub(crate) fn encoder() -> &'static Path {
    static ENCODER: OnceLock<PathBuf> = OnceLock::new();
    ENCODER.get_or_init(|| {
        let beside = Path::new(env!("CARGO_BIN_EXE_xtask")).with_file_name("comfy-image");
        let built = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()))
            .args(["build", "--locked", "--package", "comfy-image"])
            .args(["--bin", "comfy-image", "--features", "encode"])
            .args(["--message-format", "json"])
            .current_dir(Path::new(env!("CARGO_MANIFEST_DIR")).join(".."))
            .output();
        let output = match built {
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => return beside,
            built => built.unwrap(),
        };
        let said = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "{said}");
        let messages = String::from_utf8(output.stdout).unwrap();
        let executable = messages.lines().find_map(|line| {
            let message: serde_json::Value = serde_json::from_str(line).ok()?;
            Some(PathBuf::from(message["executable"].as_str()?))
        });
        executable.expect("cargo names what it built")
    })
}
