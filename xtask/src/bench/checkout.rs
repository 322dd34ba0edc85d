//! A clone of the checkout in which something changes, and which goes without a trace.

use std::collections::BTreeSet;
use std::path::PathBuf;

use anyhow::{Context as _, Result};
use factory_base::process;
use factory_nix::Graph;
use xshell::{Cmd, Shell};

use super::ground::Ground;
use super::store;

/// A clone with the changes of the checkout's tracked files.
#[derive(Debug)]
pub(crate) struct Checkout {
    root: PathBuf,
    /// Its garbage-collector roots must not replace the user's.
    data: PathBuf,
}

impl Checkout {
    /// # Errors
    /// git fails.
    pub(crate) fn new(ground: &Ground<'_>, name: &str) -> Result<Self> {
        let directory = ground.scratch.empty(name)?;
        let (root, data) = (directory.join("checkout"), directory.join("data"));
        fs_err::create_dir_all(&data)?;
        let shell = Shell::new()?;
        let from = &ground.ctx.root;
        let clone = shell
            .cmd("git")
            .args(["clone", "--quiet", "--shared", "--template="]);
        ground.set_up("a clone of the checkout", clone.arg(from).arg(&root))?;
        shell.change_dir(from);
        let difference =
            process::capture(
                shell
                    .cmd("git")
                    .args(["diff", "HEAD", "--binary", "--no-ext-diff"]),
            )?;
        if !difference.is_empty() {
            shell.change_dir(&root);
            let patch = directory.join("difference");
            fs_err::write(&patch, difference)?;
            process::capture(shell.cmd("git").arg("apply").arg(patch))?;
        }
        Ok(Self { root, data })
    }

    /// Appends a line to a file.
    ///
    /// # Errors
    /// The file cannot be written.
    pub(crate) fn append(&self, file: &str, line: &str) -> Result<()> {
        let path = self.root.join(file);
        let text = fs_err::read_to_string(&path)?;
        fs_err::write(path, format!("{text}{line}\n"))?;
        Ok(())
    }

    /// This program on the clone.
    ///
    /// # Errors
    /// It does not know where it lies, or there is no Nix.
    pub(crate) fn xtask<'s>(
        &self,
        ground: &Ground<'_>,
        shell: &'s Shell,
        command: &str,
    ) -> Result<Cmd<'s>> {
        let mut cmd = ground
            .xtask(shell, command)?
            .env("XDG_DATA_HOME", &self.data);
        shell.change_dir(&self.root);
        // The store is the user's, also where it is below the data directory.
        if let Some(root) = ground.factory()?.nix.store_root() {
            cmd = cmd.env("XTASK_STORE", root);
        }
        Ok(cmd)
    }

    /// What its image consists of.
    ///
    /// # Errors
    /// It cannot be evaluated.
    pub(crate) fn graph(&self, ground: &Ground<'_>) -> Result<Graph> {
        let nix = &ground.factory()?.nix;
        let plan = ground.wishes.variant.plan_of(ground.ctx, nix, &self.root)?;
        let last = plan.layers.last().context("a plan without layers")?;
        Graph::read(nix, std::slice::from_ref(&last.image.drv_path))
    }

    /// Takes away what it added to the user's store, and then itself.
    ///
    /// # Errors
    /// Something stays.
    pub(crate) fn forget(&self, ground: &Ground<'_>, before: &Graph) -> Result<()> {
        let after = self.graph(ground)?;
        ground.scratch.remove(&self.data)?;
        let paths = |graph: &Graph| -> BTreeSet<String> {
            let nodes = graph.iter().flat_map(|(_, node)| node.out_paths.clone());
            nodes.collect()
        };
        let known = paths(before);
        let new: Vec<String> = paths(&after).difference(&known).cloned().collect();
        store::forget(ground, &ground.factory()?.nix, &new)?;
        ground
            .scratch
            .remove(self.root.parent().context("a clone at the root")?)
    }
}
