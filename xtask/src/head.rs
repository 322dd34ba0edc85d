//! Which revision of the project this checkout is.

use anyhow::Result;
use xshell::{Shell, cmd};

use crate::ctx::Ctx;
use crate::revision;
use factory_base::process;
use factory_origin::provenance::Revision;

/// The commit, and whether tracked files differ from it; `None` outside a git repository, as in
/// an exported tree.
///
/// # Errors
/// git does not run.
pub(crate) fn of_checkout(ctx: &Ctx) -> Result<Option<Revision>> {
    of_checkout_but(ctx, &[])
}

/// The same, where what differs below some directories does not count.
///
/// # Errors
/// As [`of_checkout`].
pub(crate) fn of_checkout_but(ctx: &Ctx, directories: &[&str]) -> Result<Option<Revision>> {
    if process::find("git").is_none() || !ctx.root.join(".git").exists() {
        return Ok(None);
    }
    // There may be a repository without a commit.
    let Some(commit) = revision::commit(ctx, "HEAD")? else {
        return Ok(None);
    };
    let shell = Shell::new()?;
    let root = &ctx.root;
    let status = cmd!(
        shell,
        "git -C {root} status --porcelain --untracked-files=no -- ."
    )
    .args(directories.iter().map(|name| format!(":!{name}")))
    .env("GIT_OPTIONAL_LOCKS", "0");
    Ok(Some(Revision {
        commit,
        is_changed: !process::capture(status)?.trim().is_empty(),
    }))
}
