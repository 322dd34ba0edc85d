//! `sources.toml` in, `locks/sources.toml` out: tarballs and git trees, pinned by people.

use std::collections::BTreeMap;

use anyhow::Result;
use serde::Deserialize;

use crate::committed::{self, Checked};
use crate::context::Context;
use crate::error::Problem;
use factory_base::error::Explain as _;
use factory_model::lock::{
    GitKind, GitTree, Sealed, SourcesLock, SriSha256, Tarball, TreePattern, Weights,
};
use factory_model::schema;
use factory_model::tree_hashes::LeftOut;

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
    pub nar_hash: SriSha256,
    /// What no image needs; the hash is over the rest.
    #[serde(default)]
    pub exclude: Vec<Exclude>,
    #[serde(default)]
    pub submodules: bool,
    pub kind: GitKind,
    pub install_dir: Option<String>,
    pub import_fails: Option<String>,
    /// Requirements of a Python package, as PEP 508: resolving needs no clone, and a bound
    /// that does not hold is left out.
    #[serde(default)]
    pub requires: Vec<String>,
}

/// Paths that a tree leaves out.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Exclude {
    pub paths: Vec<TreePattern>,
    /// Why nobody needs them, or why they cannot be had.
    pub reason: String,
    /// What does not work without them, such as a node.
    pub disables: Option<String>,
}

/// Reads `sources.toml`.
pub(super) fn read(ctx: &dyn Context) -> Result<Sources> {
    let text = fs_err::read_to_string(ctx.lists().join("sources.toml"))?;
    let sources = Sources::parse(&text);
    Ok(sources.map_err(|problem| problem.of("package-lists/sources.toml").failure())?)
}

impl Sources {
    /// Reads the file's text.
    pub fn parse(text: &str) -> Result<Self, Problem> {
        let sources: Self = toml::from_str(text)?;
        schema::check(sources.schema_version)?;
        for (name, git) in &sources.git {
            git.check()
                .map_err(|problem| Problem::Content(format!("git.{name}: {problem}")))?;
        }
        Ok(sources)
    }
}

impl GitSource {
    fn excluded(&self) -> impl Iterator<Item = &TreePattern> {
        self.exclude.iter().flat_map(|exclude| &exclude.paths)
    }

    fn check(&self) -> Result<(), String> {
        if self.rev.len() != 40 || !self.rev.bytes().all(|byte| byte.is_ascii_hexdigit()) {
            return Err(format!("`{}` is not a full revision", self.rev));
        }
        if (self.kind == GitKind::CustomNode) != self.install_dir.is_some() {
            return Err("`install_dir` belongs to a custom node, and to nothing else".to_owned());
        }
        let mut paths: Vec<&TreePattern> = self.excluded().collect();
        paths.sort();
        if let Some(twice) = paths.windows(2).find(|pair| pair[0] == pair[1]) {
            return Err(format!("`exclude` has `{}` twice", twice[0]));
        }
        Ok(())
    }
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

/// What the trees of `sources.toml` leave out, by name.
///
/// # Errors
/// `sources.toml` cannot be read or is wrong.
pub fn left_out(ctx: &dyn Context) -> Result<BTreeMap<String, Vec<LeftOut>>> {
    let git = read(ctx)?.git.into_iter();
    let left_out = git.filter(|(_, git)| !git.exclude.is_empty());
    Ok(left_out
        .map(|(name, git)| {
            let entries = git.exclude.into_iter().map(|exclude| LeftOut {
                paths: exclude.paths.iter().map(TreePattern::to_string).collect(),
                reason: exclude.reason,
                disables: exclude.disables,
            });
            (name, entries.collect())
        })
        .collect())
}

fn locked(sources: Sources) -> SourcesLock {
    SourcesLock {
        schema_version: 1,
        tarball: sources.tarball,
        git: sources
            .git
            .into_iter()
            .map(|(name, git)| {
                let is_package = git.kind == GitKind::Python;
                let mut exclude: Vec<TreePattern> = git.excluded().cloned().collect();
                exclude.sort();
                let tree = GitTree {
                    url: git.url,
                    rev: git.rev,
                    nar_hash: git.nar_hash,
                    exclude,
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
