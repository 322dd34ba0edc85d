//! Images and volumes in temporary directories, and the program run on them.

use std::collections::BTreeMap;
use std::fs;
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

/// The program under test.
pub(crate) const PROGRAM: &str = env!("CARGO_BIN_EXE_comfy-start");

/// What every source of a test's ComfyUI ends with.
pub(crate) const WHOLE: &str = "\n# whole\n";

/// Writes a file and the directories above it.
pub(crate) fn write(path: impl AsRef<Path>, text: impl AsRef<[u8]>) {
    let path = path.as_ref();
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    fs::write(path, text).unwrap();
}

pub(crate) fn read(path: impl AsRef<Path>) -> String {
    let path = path.as_ref();
    fs::read_to_string(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

/// Bytes that differ with a seed, and do not compress.
pub(crate) fn noise(seed: u64, n_bytes: usize) -> Vec<u8> {
    let mut state = seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1;
    let step = || {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        state.to_le_bytes()
    };
    let mut bytes: Vec<u8> = std::iter::repeat_with(step)
        .take(n_bytes / 8 + 1)
        .flatten()
        .collect();
    bytes.truncate(n_bytes);
    bytes
}

/// An image's bundle and a home directory.
pub(crate) struct Fixture {
    pub(crate) directory: tempfile::TempDir,
}

impl Fixture {
    pub(crate) fn new() -> Self {
        Self {
            directory: tempfile::tempdir().unwrap(),
        }
    }

    pub(crate) fn path(&self, path: &str) -> PathBuf {
        self.directory.path().join(path)
    }

    /// The bundle of a version, made of files by path.
    pub(crate) fn bundle(&self, version: &str, files: &[(&str, &str)]) -> PathBuf {
        let bundle = self.path(version);
        write(bundle.join("bundle-id"), version);
        for (path, text) in files {
            write(bundle.join("ComfyUI").join(path), text);
        }
        bundle
    }

    pub(crate) fn home(&self) -> PathBuf {
        self.path("home")
    }

    /// A path in the volume's ComfyUI.
    pub(crate) fn volume(&self, path: &str) -> PathBuf {
        self.home().join("ComfyUI").join(path)
    }

    pub(crate) fn command(&self, bundle: &Path, words: &[&str]) -> Command {
        fs::create_dir_all(self.home()).unwrap();
        let mut command = Command::new(PROGRAM);
        command
            .args(words)
            .env("COMFY_START_BUNDLE", bundle)
            .env("COMFY_START_HOME", self.home())
            .env("HOME", self.home())
            .env_remove("PUID")
            .env_remove("CLI_ARGS")
            .env_remove("COMFYUI_MANAGER")
            .process_group(0);
        command
    }

    pub(crate) fn prepare(&self, bundle: &Path) -> Output {
        self.command(bundle, &["prepare"]).output().unwrap()
    }

    /// Prepares, and returns what was said.
    pub(crate) fn prepared(&self, bundle: &Path) -> String {
        let output = self.prepare(bundle);
        let said = String::from_utf8(output.stderr).unwrap();
        assert!(output.status.success(), "{said}");
        said
    }

    /// Every file of the volume by path, what we keep for ourselves apart.
    pub(crate) fn tree(&self) -> BTreeMap<String, Vec<u8>> {
        tree(&self.home())
    }
}

/// Every file below a directory, receipts and what is moved aside apart.
pub(crate) fn tree(directory: &Path) -> BTreeMap<String, Vec<u8>> {
    let mut files = BTreeMap::new();
    collect(directory, directory, &mut files);
    files
}

fn collect(top: &Path, directory: &Path, files: &mut BTreeMap<String, Vec<u8>>) {
    for item in fs::read_dir(directory).unwrap() {
        let path = item.unwrap().path();
        let name = path.file_name().unwrap().to_string_lossy().into_owned();
        if [".comfy-start", ".comfy-start.json", ".replaced"].contains(&name.as_str()) {
            continue;
        }
        let metadata = fs::symlink_metadata(&path).unwrap();
        if metadata.is_dir() {
            collect(top, &path, files);
        } else {
            let content = if metadata.is_symlink() {
                fs::read_link(&path)
                    .unwrap()
                    .into_os_string()
                    .into_encoded_bytes()
            } else {
                fs::read(&path).unwrap()
            };
            let relative = path
                .strip_prefix(top)
                .unwrap()
                .to_string_lossy()
                .into_owned();
            files.insert(relative, content);
        }
    }
}

/// Says whether a content is anywhere below a directory.
pub(crate) fn is_somewhere(directory: &Path, content: &[u8]) -> bool {
    fs::read_dir(directory).unwrap().any(|item| {
        let path = item.unwrap().path();
        let metadata = fs::symlink_metadata(&path).unwrap();
        if metadata.is_dir() {
            is_somewhere(&path, content)
        } else {
            metadata.is_file() && fs::read(&path).unwrap() == content
        }
    })
}
