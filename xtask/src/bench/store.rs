//! A store with what is below some trees, and not the trees: they are built in it, forgotten,
//! and built again.

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;

use anyhow::Result;
use factory_model::layer::LayerName;
use factory_nix::{Graph, Nix, ensure_sources};
use xshell::{Cmd, Shell};

use super::ground::Ground;

/// Store paths for one call of a program.
const BATCH: usize = 2_000;

/// A store below the scratch directory.
#[derive(Debug)]
pub(crate) struct Seeded {
    nix: Nix,
    directory: PathBuf,
    targets: Vec<String>,
    /// What a build of the targets adds.
    built: Vec<String>,
}

impl Seeded {
    /// Copies the sources of the targets, and everything that does not belong to `layers`.
    ///
    /// # Errors
    /// The user's store lacks something that cannot be fetched, or copying fails.
    pub(crate) fn new(
        ground: &Ground<'_>,
        graph: &Graph,
        targets: Vec<String>,
        layers: &BTreeSet<LayerName>,
    ) -> Result<Self> {
        let factory = ground.factory()?;
        let owners = graph.layers(&factory.plan.specs());
        let (built, below) = split(graph, &targets, &owners, layers);
        let absent = factory
            .nix
            .invalid_paths(&below.keys().map(String::as_str).collect::<Vec<_>>())?;
        if !absent.is_empty() {
            let drv_paths: BTreeSet<String> =
                absent.iter().map(|path| below[path].clone()).collect();
            ensure_sources(
                ground.ctx,
                &factory.nix,
                &drv_paths.into_iter().collect::<Vec<_>>(),
            )?;
        }
        let directory = ground.scratch.empty("store")?;
        let shell = Shell::new()?;
        let copy = |arguments: &[&str]| {
            let cmd = factory
                .nix
                .cmd(&shell, "nix")
                .args(["copy", "--no-check-sigs"]);
            cmd.args(arguments).arg("--to").arg(&directory)
        };
        let what = format!("a store with {} sources and trees below", below.len());
        for batch in targets.chunks(BATCH) {
            ground.set_up(&what, copy(&["--derivation"]).args(batch))?;
        }
        let paths: Vec<&String> = below.keys().collect();
        for batch in paths.chunks(BATCH) {
            ground.set_up(&what, copy(&[]).args(batch))?;
        }
        Ok(Self {
            nix: factory.nix.with_store(&directory),
            directory,
            targets,
            built,
        })
    }

    /// Builds the targets, as `cargo xtask build` does.
    pub(crate) fn build<'s>(&self, shell: &'s Shell) -> Cmd<'s> {
        let cmd = self.nix.cmd(shell, "nix");
        cmd.args(["build", "--no-link", "--keep-going", "--max-jobs", "auto"])
            .args(["--option", "substitute", "false"])
            .args(
                self.targets
                    .iter()
                    .map(|drv_path| format!("{drv_path}^out")),
            )
    }

    /// Takes away what was built.
    ///
    /// # Errors
    /// Something stays.
    pub(crate) fn forget(&self, ground: &Ground<'_>) -> Result<()> {
        forget(ground, &self.nix, &self.built)
    }

    /// Everything goes.
    ///
    /// # Errors
    /// Something stays.
    pub(crate) fn remove(&self, ground: &Ground<'_>) -> Result<()> {
        ground.scratch.remove(&self.directory)
    }
}

/// Removes store paths that nothing protects, those that are there.
///
/// # Errors
/// Something protects one.
pub(crate) fn forget(ground: &Ground<'_>, nix: &Nix, paths: &[String]) -> Result<()> {
    let shell = Shell::new()?;
    let all: Vec<&str> = paths.iter().map(String::as_str).collect();
    let invalid = nix.invalid_paths(&all)?;
    let valid: Vec<&str> = all
        .into_iter()
        .filter(|path| !invalid.contains(*path))
        .collect();
    if !valid.is_empty() {
        let cmd = nix.cmd(&shell, "nix-store").arg("--delete").args(&valid);
        ground.set_up(&format!("{} store paths go again", valid.len()), cmd)?;
    }
    Ok(())
}

/// What is built for the targets, and what has to be there for it, with its derivations.
fn split(
    graph: &Graph,
    targets: &[String],
    owners: &BTreeMap<String, LayerName>,
    layers: &BTreeSet<LayerName>,
) -> (Vec<String>, BTreeMap<String, String>) {
    let (mut built, mut below) = (BTreeSet::new(), BTreeMap::new());
    let mut seen = BTreeSet::new();
    let mut stack = targets.to_vec();
    while let Some(drv_path) = stack.pop() {
        let Some(node) = graph
            .get(&drv_path)
            .filter(|_| seen.insert(drv_path.clone()))
        else {
            continue;
        };
        let is_own = owners
            .get(&drv_path)
            .is_some_and(|layer| layers.contains(layer));
        if is_own && !node.is_fixed {
            built.extend(node.out_paths.iter().cloned());
            stack.extend(node.inputs.iter().cloned());
        } else {
            let paths = node.out_paths.iter();
            below.extend(paths.map(|path| (path.clone(), drv_path.clone())));
        }
    }
    (built.into_iter().collect(), below)
}
