//! A small image that can run the Python checks: this machine's own interpreter and what it
//! is linked with, and distributions that a test makes.

use std::collections::BTreeSet;
use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use factory_verify::engine::EngineKind;

/// The files of an image.
pub(crate) struct TinyImage {
    files: Vec<(PathBuf, Content)>,
    /// Where Python looks for distributions.
    pub(crate) site_packages: PathBuf,
}

enum Content {
    Copy(PathBuf),
    Bytes(Vec<u8>),
}

/// A distribution as `pip` would leave it behind.
pub(crate) struct Distribution<'a> {
    pub(crate) name: &'a str,
    /// As in `cp314-cp314t-linux_x86_64`.
    pub(crate) tag: &'a str,
    /// Name and content of each file.
    pub(crate) files: &'a [(&'a str, &'a [u8])],
}

impl TinyImage {
    /// `None` where the machine's Python is not one that can be taken along.
    pub(crate) fn new() -> Option<Self> {
        let script = "import sys, sysconfig\n\
            print(sys.executable, sysconfig.get_path('stdlib'), sysconfig.get_path('platlib'), sep='\\n')\n\
            raise SystemExit(sys.version_info < (3, 11))";
        let output = Command::new("python3").args(["-I", "-c", script]).output();
        let output = output.ok().filter(|output| output.status.success())?;
        let text = String::from_utf8(output.stdout).ok()?;
        let mut lines = text.lines().map(PathBuf::from);
        let (executable, library, site_packages) = (lines.next()?, lines.next()?, lines.next()?);

        let mut image = Self {
            files: Vec::new(),
            site_packages,
        };
        let executable = fs::canonicalize(executable).ok()?;
        let mut binaries = vec![executable.clone()];
        for program in ["bash", "true", "sleep"] {
            binaries.push(fs::canonicalize(factory_base::process::find(program)?).ok()?);
        }
        for entry in walkdir::WalkDir::new(&library).into_iter().flatten() {
            let path = entry.path();
            let skip = [
                "__pycache__",
                "ensurepip",
                "idlelib",
                "lib2to3",
                "pydoc_data",
                "site-packages",
                "test",
                "tkinter",
                "turtledemo",
                "unittest",
            ];
            let is_skipped = path
                .components()
                .any(|part| skip.iter().any(|name| part.as_os_str() == *name));
            if entry.file_type().is_file() && !is_skipped {
                if path.extension().is_some_and(|extension| extension == "so") {
                    binaries.push(path.to_owned());
                } else if path.extension().is_some_and(|extension| extension == "py") {
                    image.copy(path, path);
                }
            }
        }
        let mut libraries = BTreeSet::new();
        for binary in &binaries {
            // A module that lacks a library here would be a fault of the image.
            if let Some(needed) = needed(binary) {
                libraries.extend(needed);
                image.copy(binary, binary);
            }
        }
        for path in &libraries {
            image.copy(path, path);
        }
        for (name, at) in [("bash", 1), ("true", 2), ("sleep", 3)] {
            image.copy(&binaries[at], Path::new(&format!("/bin/{name}")));
        }
        // Under another path the interpreter would look for its library elsewhere.
        let start = format!("#!/bin/bash\nexec {} \"$@\"\n", executable.display());
        image.bytes("/usr/bin/python3", start.into_bytes());
        image.bytes("/usr/sbin/ldconfig", b"#!/bin/bash\n".to_vec());
        Some(image)
    }

    fn copy(&mut self, from: &Path, to: &Path) {
        self.files
            .push((to.to_owned(), Content::Copy(from.to_owned())));
    }

    /// Adds a file.
    pub(crate) fn bytes(&mut self, path: impl AsRef<Path>, bytes: Vec<u8>) {
        self.files
            .push((path.as_ref().to_owned(), Content::Bytes(bytes)));
    }

    /// Adds a distribution with its metadata.
    pub(crate) fn install(&mut self, distribution: &Distribution<'_>) {
        let Distribution { name, tag, files } = distribution;
        let info = format!("{}-1.0.dist-info", name.replace('-', "_"));
        let wheel = format!("Wheel-Version: 1.0\nGenerator: test\nTag: {tag}\n");
        let metadata = format!("Metadata-Version: 2.1\nName: {name}\nVersion: 1.0\n");
        let mut record = String::new();
        for (path, content) in *files {
            let digest = comfy_image::digest::Digest::of(content);
            record.push_str(&format!(
                "{path},sha256={},{}\n",
                digest.hex(),
                content.len()
            ));
            self.bytes(self.site_packages.join(path), content.to_vec());
        }
        record.push_str(&format!(
            "{info}/METADATA,,\n{info}/WHEEL,,\n{info}/RECORD,,\n"
        ));
        for (file, content) in [("METADATA", metadata), ("WHEEL", wheel), ("RECORD", record)] {
            let path = self.site_packages.join(&info).join(file);
            self.bytes(path, content.into_bytes());
        }
    }

    /// Puts the image into an engine.
    pub(crate) fn import(&self, kind: EngineKind, name: &str, changes: &[&str]) {
        let mut command = Command::new(kind.program());
        command.arg("import");
        for change in changes {
            command.args(["--change", change]);
        }
        let mut child = command
            .args(["-", name])
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .spawn()
            .unwrap();
        self.write(&mut child.stdin.take().unwrap());
        assert!(child.wait().unwrap().success());
    }

    fn write(&self, out: &mut dyn Write) {
        let mut archive = tar::Builder::new(out);
        let mut written = BTreeSet::new();
        // The last of a name wins.
        for (path, content) in self.files.iter().rev() {
            if !written.insert(path) {
                continue;
            }
            let bytes = match content {
                Content::Copy(from) => fs::read(from).unwrap(),
                Content::Bytes(bytes) => bytes.clone(),
            };
            let mut header = tar::Header::new_gnu();
            header.set_size(bytes.len() as u64);
            header.set_mode(0o755);
            let inside = path.strip_prefix("/").unwrap();
            archive
                .append_data(&mut header, inside, bytes.as_slice())
                .unwrap();
        }
        archive.finish().unwrap();
    }
}

/// What `ldd` says a file needs, the loader included; `None` if some of it is not there.
fn needed(binary: &Path) -> Option<Vec<PathBuf>> {
    let output = Command::new("ldd").arg(binary).output().ok()?;
    let text = String::from_utf8(output.stdout).ok()?;
    if text.contains("not found") {
        return None;
    }
    let paths = text.split_whitespace().filter(|word| word.starts_with('/'));
    Some(paths.map(PathBuf::from).collect())
}

/// A shared library of this machine that asks for a C library which nobody has.
pub(crate) fn library_that_lacks_one() -> Option<Vec<u8>> {
    let executable = fs::canonicalize(factory_base::process::find("true")?).ok()?;
    let library = needed(&executable)?;
    let is_libc = |path: &&PathBuf| path.to_string_lossy().contains("/libc.so");
    let library = library.iter().find(is_libc)?;
    // The C library itself is linked with the loader.
    let mut bytes = fs::read(library).ok()?;
    let old = b"ld-linux-x86-64.so.2\0";
    let at: Vec<usize> = (0..bytes.len() - old.len())
        .filter(|&at| bytes[at..].starts_with(old))
        .collect();
    for at in &at {
        bytes[*at..at + 2].copy_from_slice(b"no");
    }
    (!at.is_empty()).then_some(bytes)
}
