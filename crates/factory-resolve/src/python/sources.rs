//! `sources.toml` in, `locks/sources.toml` out: tarballs and git trees, pinned by people.

use std::collections::BTreeMap;

use anyhow::Result;
use serde::Deserialize;

use crate::Context;
use crate::committed::{self, Checked};
use factory_base::error;
use factory_model::lock::{GitTree, Sealed, SourcesLock, Tarball, Weights};
use factory_model::schema;

/// Its lock, below `package-lists/locks`.
const LOCK: &str = "sources";

/// `package-lists/sources.toml`.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Sources {
    pub schema_version: u32,
    #[serde(default)]
    pub tarball: BTreeMap<String, Tarball>,
    #[serde(default)]
    pub git: BTreeMap<String, GitSource>,
    #[serde(default)]
    pub weights: BTreeMap<String, Weights>,
}

/// A git tree with what its metadata would say.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct GitSource {
    pub url: String,
    pub rev: String,
    pub nar_hash: String,
    #[serde(default)]
    pub submodules: bool,
    pub kind: String,
    pub install_dir: Option<String>,
    pub import_fails: Option<String>,
    /// Requirements of a Python package, as PEP 508: resolving needs no clone, and a bound
    /// that does not hold is left out.
    #[serde(default)]
    pub requires: Vec<String>,
}

fn is_sri(text: &str) -> bool {
    text.starts_with("sha256-") && text.len() == 51
}

/// Reads `sources.toml`.
pub(super) fn read(ctx: &dyn Context) -> Result<Sources> {
    let text = fs_err::read_to_string(ctx.lists().join("sources.toml"))?;
    let wrong =
        |reason: String| error::bad_input(format!("`package-lists/sources.toml`: {reason}"));
    let sources: Sources = toml::from_str(&text).map_err(|error| wrong(error.to_string()))?;
    schema::check(sources.schema_version).map_err(wrong)?;
    for (name, git) in &sources.git {
        if git.rev.len() != 40 || !git.rev.bytes().all(|byte| byte.is_ascii_hexdigit()) {
            return Err(wrong(format!("git.{name}: `{}` is not a full revision", git.rev)).into());
        }
        if !is_sri(&git.nar_hash) {
            return Err(wrong(format!(
                "git.{name}: `{}` is not a SHA-256 in SRI form",
                git.nar_hash
            ))
            .into());
        }
        if !["build", "comfyui", "custom-node", "python"].contains(&git.kind.as_str()) {
            return Err(wrong(format!(
                "git.{name}: the kind `{}` is none of build, comfyui, custom-node and python",
                git.kind
            ))
            .into());
        }
        if (git.kind == "custom-node") != git.install_dir.is_some() {
            return Err(wrong(format!(
                "git.{name}: `install_dir` belongs to a custom node, and to nothing else"
            ))
            .into());
        }
    }
    for (name, weights) in &sources.weights {
        for (file, hash) in &weights.files {
            if !is_sri(hash) {
                return Err(wrong(format!(
                    "weights.{name}: `{hash}` of {file} is not a SHA-256 in SRI form"
                ))
                .into());
            }
        }
    }
    Ok(sources)
}

/// `locks/sources.toml`, before and after.
#[derive(Debug, Clone)]
pub struct SourcesUpdate {
    /// The committed lock; `None` also for one that cannot be read, for it is replaced
    /// whatever it holds.
    pub old: Option<SourcesLock>,
    /// What `sources.toml` says that it should be.
    pub new: SourcesLock,
}

/// The lock that belongs to `sources.toml`.
///
/// # Errors
/// `sources.toml` cannot be read or is wrong.
pub fn update(ctx: &dyn Context) -> Result<SourcesUpdate> {
    let new = locked(read(ctx)?);
    let old = committed::read(ctx, LOCK).ok().flatten();
    Ok(SourcesUpdate {
        old: old.map(|found: Sealed<SourcesLock>| found.lock),
        new,
    })
}

/// Whether the lock belongs to `sources.toml`, and is as it was written; no network.
///
/// # Errors
/// `sources.toml` or the lock cannot be read or is wrong.
pub fn check(ctx: &dyn Context) -> Result<Checked> {
    let new = locked(read(ctx)?);
    let mut checked = Checked::default();
    let found = committed::read::<SourcesLock>(ctx, LOCK)?;
    checked.add(LOCK.to_owned(), found.as_ref(), |lock| *lock == new);
    Ok(checked)
}

fn locked(sources: Sources) -> SourcesLock {
    SourcesLock {
        schema_version: 1,
        tarball: sources.tarball,
        git: sources
            .git
            .into_iter()
            .map(|(name, git)| {
                let is_package = git.kind == "python";
                let tree = GitTree {
                    url: git.url,
                    rev: git.rev,
                    nar_hash: git.nar_hash,
                    submodules: git.submodules,
                    kind: git.kind,
                    install_dir: git.install_dir,
                    import_fails: git.import_fails,
                    // A node's requirements are in the lists; its tree has no metadata.
                    requires: if is_package { git.requires } else { Vec::new() },
                };
                (name, tree)
            })
            .collect(),
        weights: sources.weights,
    }
}
