//! The programs of a Nix, and how they are called.

use std::path::{Path, PathBuf};

use anyhow::Result;
use xshell::{Cmd, Shell, cmd};

use factory_base::process;

/// A Nix that works on this machine: the user's own, or the provided one.
#[derive(Debug, Clone)]
pub struct Nix {
    /// Directory with `nix` and `nix-store`.
    pub(super) bin: PathBuf,
    /// What `nix --version` says.
    pub(super) version: String,
    /// Variables set on each call: `NIX_CONF_DIR` of a provided Nix, for example.
    pub(super) environment: Vec<(String, String)>,
    /// Arguments for a chroot store, when there is no usable `/nix`.
    pub(super) store_root: Option<PathBuf>,
}

impl Nix {
    /// A command line of this Nix; `program` is `nix` or `nix-store`.
    /// For `nix` the experimental features are on; in a chroot store `--store` is set.
    pub fn cmd<'a>(&self, shell: &'a Shell, program: &str) -> Cmd<'a> {
        let mut cmd = shell.cmd(self.program(program));
        for (name, value) in &self.environment {
            cmd = cmd.env(name, value);
        }
        if program == "nix" {
            cmd = cmd.args(["--extra-experimental-features", "nix-command flakes"]);
        }
        if let Some(root) = &self.store_root {
            cmd = cmd.arg("--store").arg(root);
        }
        cmd
    }

    /// Where a program of this Nix lies.
    pub fn program(&self, name: &str) -> PathBuf {
        self.bin.join(name)
    }

    /// Variables with which other programs find and run this Nix: `PATH` with its directory in
    /// front, and what each call needs.
    pub fn variables(&self) -> Vec<(String, std::ffi::OsString)> {
        let mut path = self.bin.clone().into_os_string();
        if let Some(rest) = std::env::var_os("PATH") {
            path.push(":");
            path.push(rest);
        }
        let own = self.environment.iter();
        own.map(|(name, value)| (name.clone(), value.into()))
            .chain([("PATH".to_owned(), path)])
            .collect()
    }

    /// Where a chroot store lies; `None` when store paths are real paths.
    pub fn store_root(&self) -> Option<&Path> {
        self.store_root.as_deref()
    }

    /// The same programs with a chroot store elsewhere.
    #[must_use]
    pub fn with_store(&self, root: &Path) -> Self {
        Self {
            store_root: Some(root.to_owned()),
            ..self.clone()
        }
    }

    /// The file system path at which this machine can read a store path.
    pub fn physical(&self, store_path: &str) -> PathBuf {
        match &self.store_root {
            Some(root) => root.join(store_path.trim_start_matches('/')),
            None => PathBuf::from(store_path),
        }
    }

    /// What `nix --version` says.
    pub fn version(&self) -> &str {
        &self.version
    }

    /// The command that prints the log of a build, as a user can paste it.
    pub fn log_command(&self, drv_path: &str) -> String {
        let program = self.bin.join("nix");
        let mut words = Vec::new();
        if !self.environment.is_empty() {
            words.push("env".to_owned());
            words.extend(
                self.environment
                    .iter()
                    .map(|(name, value)| format!("{name}={value}")),
            );
        }
        if process::find("nix").as_deref() == Some(&program) {
            words.push("nix".to_owned());
        } else {
            words.push(program.display().to_string());
        }
        words.push("--extra-experimental-features nix-command".to_owned());
        if let Some(root) = &self.store_root {
            words.push(format!("--store {}", root.display()));
        }
        words.push(format!("log {drv_path}"));
        words.join(" ")
    }
}

/// What `nix --version` says; `nix-store` would open the store even for this.
///
/// # Errors
/// It does not run.
pub(super) fn version_of(bin: &Path) -> Result<String> {
    let program = bin.join("nix");
    let shell = Shell::new()?;
    let text = process::capture(cmd!(shell, "{program} --version"))?;
    Ok(text.trim().to_owned())
}
