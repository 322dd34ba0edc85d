//! Trees of git repositories, through the user's own git and its settings.

use std::path::Path;

use anyhow::{Context as _, Result};
use walkdir::WalkDir;
use xshell::{Cmd, Shell, cmd};

use crate::ctx::Ctx;
use crate::error;
use crate::process;

/// What makes a checkout depend on the revision only: no conversion, no hooks, no prompt.
const SETTINGS: [&str; 5] = [
    "core.autocrlf=false",
    "core.eol=lf",
    "core.symlinks=true",
    "core.hooksPath=/dev/null",
    "advice.detachedHead=false",
];

/// Checks a revision out into the new directory `target`, without `.git`.
///
/// # Errors
/// The repository does not answer, no longer has the revision, or a submodule fails; each
/// says which.
pub fn checkout(ctx: &Ctx, url: &str, rev: &str, submodules: bool, target: &Path) -> Result<()> {
    if ctx.offline {
        return Err(error::environment(format!("{url}: not asked, because of `--offline`")).into());
    }
    let shell = Shell::new()?;
    process::capture(git(cmd!(shell, "git init --quiet {target}")))?;
    let here = |command: &[&str]| {
        let mut cmd = shell.cmd("git").arg("-C").arg(target);
        for setting in SETTINGS {
            cmd = cmd.arg("-c").arg(setting);
        }
        process::capture(git(cmd.args(command)))
    };
    here(&["remote", "add", "origin", url])?;
    if let Err(shallow) = here(&["fetch", "--quiet", "--depth", "1", "origin", rev]) {
        ctx.check_interrupted()?;
        reachable(ctx, url).map_err(|source| unreachable_host(url, &source))?;
        // Some servers give branches and tags only: the whole history has the revision, if
        // anything has.
        ctx.ui
            .detail(format!("{url}: no shallow fetch of {rev}: {shallow:#}"));
        here(&["fetch", "--quiet", "--tags", "origin"])
            .with_context(|| format!("cannot fetch the history of {url}"))?;
    }
    ctx.check_interrupted()?;
    here(&["checkout", "--quiet", "--detach", rev]).map_err(|source| {
        source.context(
            error::environment(format!(
                "{url} answers, but no longer has the revision {rev}"
            ))
            .hint("its branch was moved and the old commits dropped: `cargo xtask update-locks` pins the current revision"),
        )
    })?;
    if submodules {
        here(&[
            "submodule",
            "--quiet",
            "update",
            "--init",
            "--recursive",
            "--depth",
            "1",
        ])
        .with_context(|| format!("cannot check out the submodules of {url} at {rev}"))?;
    }
    remove_git_directories(target)
}

/// Asks a repository for its branches.
///
/// # Errors
/// It does not answer: git's own words.
pub fn reachable(ctx: &Ctx, url: &str) -> Result<()> {
    ctx.check_interrupted()?;
    let shell = Shell::new()?;
    // git has no limit of its own for connecting, and a host that drops packets must not
    // hold a preflight for minutes.
    let cmd = match process::find("timeout") {
        Some(timeout) => cmd!(shell, "{timeout} 10 git ls-remote --quiet {url} HEAD"),
        None => cmd!(shell, "git ls-remote --quiet {url} HEAD"),
    };
    let cmd = cmd.env(
        "GIT_SSH_COMMAND",
        "ssh -o BatchMode=yes -o ConnectTimeout=8",
    );
    process::capture(git(cmd)).map(drop)
}

/// The URL that git would use, after the user's `insteadOf` settings.
///
/// # Errors
/// There is no git.
pub fn actual_url(url: &str) -> Result<String> {
    let shell = Shell::new()?;
    process::capture(git(cmd!(shell, "git ls-remote --get-url {url}")))
        .map(|text| text.trim().to_owned())
}

fn unreachable_host(url: &str, source: &anyhow::Error) -> error::Failure {
    error::environment(format!("{url} does not answer\n    {source:#}")).hint(
        "behind a mirror: `git config --global url.MIRROR.insteadOf ORIGINAL`; without one: `--variant slim`, or `--omit git`",
    )
}

fn git(cmd: Cmd<'_>) -> Cmd<'_> {
    cmd.env("GIT_TERMINAL_PROMPT", "0")
        .env("GIT_LFS_SKIP_SMUDGE", "1")
        .env("LC_ALL", "C")
        .env_remove("GIT_DIR")
        .env_remove("GIT_WORK_TREE")
        .env_remove("GIT_INDEX_FILE")
}

/// `.git` of the tree and, as files, of its submodules.
fn remove_git_directories(root: &Path) -> Result<()> {
    let mut found = Vec::new();
    let mut walk = WalkDir::new(root).into_iter();
    while let Some(entry) = walk.next() {
        let entry = entry?;
        if entry.file_name() == ".git" {
            if entry.file_type().is_dir() {
                walk.skip_current_dir();
            }
            found.push(entry.into_path());
        }
    }
    for path in found {
        if path.is_dir() && !path.is_symlink() {
            fs_err::remove_dir_all(path)?;
        } else {
            fs_err::remove_file(path)?;
        }
    }
    Ok(())
}
