//! The Nix adapter: finding or providing the program, the store, evaluation, builds.

mod binary_cache;
mod bootstrap;
mod bring;
mod build;
mod configuration;
mod drv;
mod find;
mod graph;
mod info;
mod log;
mod missing;
mod plan;
mod preflight;
mod roots;
mod signing_key;
mod sources;
mod state;
mod times;
mod view;

use std::path::{Path, PathBuf};

use xshell::{Cmd, Shell};

pub use binary_cache::BinaryCache;
pub use bootstrap::{lock_bootstrap, tested_versions};
pub use build::{BuildOptions, BuildReport, Built, build, build_with, name_of};
pub use graph::{Graph, Node};
pub use info::PathInfo;
pub use missing::{MissingSource, missing_sources};
pub use plan::{Derivation, LayerPlan, Plan};
pub use roots::{add_root, roots};
pub use signing_key::SigningKey;
pub use sources::{FetchReport, ensure_sources, fetch_sources, lock_sources};
pub use times::{Estimate, Times};

/// A Nix that works on this machine: the user's own, or the provided one.
#[derive(Debug, Clone)]
pub struct Nix {
    /// Directory with `nix` and `nix-store`.
    bin: PathBuf,
    /// What `nix --version` says.
    version: String,
    /// Variables set on each call: `NIX_CONF_DIR` of a provided Nix, for example.
    environment: Vec<(String, String)>,
    /// Arguments for a chroot store, when there is no usable `/nix`.
    store_root: Option<PathBuf>,
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
}
