//! A directory of one run of `bench`, which goes with all that was mounted in it.

use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result};
use factory_base::fs::Lock;
use factory_base::process;
use factory_base::run::Report as _;
use factory_base::{error, text};
use xshell::Shell;

use crate::ctx::Ctx;
use crate::removal;

/// What its name begins with; `clean` removes what a killed run left.
pub(crate) const PREFIX: &str = "bench-";

/// Removed when dropped.
#[derive(Debug)]
pub(crate) struct Scratch<'a> {
    ctx: &'a Ctx,
    path: PathBuf,
    /// One run at a time: two would measure each other.
    _lock: Lock,
}

impl<'a> Scratch<'a> {
    /// A directory below `parent`, or the data directory. What killed runs left there goes.
    ///
    /// # Errors
    /// It cannot be made, or what was left cannot be removed.
    pub(crate) fn new(ctx: &'a Ctx, parent: Option<&Path>) -> Result<Self> {
        let lock = Self::lock(ctx)?;
        let parent = parent.unwrap_or(&ctx.data);
        fs_err::create_dir_all(parent)?;
        // Mounts are known by their whole path.
        let parent = fs_err::canonicalize(parent)?;
        for entry in fs_err::read_dir(&parent)? {
            let entry = entry?;
            let name = entry.file_name();
            let is_left = name.to_string_lossy().starts_with(PREFIX);
            if is_left && entry.file_type()?.is_dir() {
                ctx.step("Removing", &format!("`{}`", entry.path().display()));
                remove(&entry.path())?;
            }
        }
        let directory = tempfile::Builder::new()
            .prefix(PREFIX)
            .tempdir_in(&parent)
            .context("cannot make a directory to measure in")?;
        Ok(Self {
            ctx,
            path: directory.keep(),
            _lock: lock,
        })
    }

    /// The lock of a run that measures.
    ///
    /// # Errors
    /// As [`Lock::take`].
    pub(crate) fn lock(ctx: &Ctx) -> Result<Lock> {
        Lock::take(ctx, &ctx.data.join("bench.lock"))
    }

    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    /// A new, empty directory in it.
    ///
    /// # Errors
    /// It cannot be made, or one of that name cannot be removed.
    pub(crate) fn empty(&self, name: &str) -> Result<PathBuf> {
        let directory = self.path.join(name);
        if directory.exists() {
            remove(&directory)?;
        }
        fs_err::create_dir_all(&directory)?;
        Ok(directory)
    }

    /// Removes a directory in it.
    ///
    /// # Errors
    /// Something in it stays.
    pub(crate) fn remove(&self, directory: &Path) -> Result<()> {
        if directory.exists() {
            remove(directory)?;
        }
        Ok(())
    }

    /// Whether a case fits.
    ///
    /// # Errors
    /// The disk has less.
    pub(crate) fn require_disk(&self, what: &str, n_gigabytes: u64) -> Result<()> {
        let free = fs4::available_space(&self.path)?;
        let needed = n_gigabytes * 1_000_000_000;
        if free >= needed {
            return Ok(());
        }
        Err(error::environment(format!(
            "`{what}` takes {} of disk at its peak, and {} are free",
            text::bytes(needed),
            text::bytes(free)
        ))
        .hint("measure on another disk: `--scratch DIR`")
        .into())
    }
}

impl Drop for Scratch<'_> {
    fn drop(&mut self) {
        if let Err(error) = remove(&self.path) {
            self.ctx.ui.warn(format!(
                "cannot remove `{}`: {error:#}; `cargo xtask clean --yes` tries it again",
                self.path.display()
            ));
        }
    }
}

/// Removes a tree, and first what a killed engine left mounted in it.
pub(crate) fn remove(directory: &Path) -> Result<()> {
    let shell = Shell::new()?;
    let mut mounts = mounts_below(&fs_err::read_to_string("/proc/self/mountinfo")?, directory);
    // The last that was mounted is the first to go.
    mounts.reverse();
    for mount in &mounts {
        process::capture(shell.cmd("umount").arg(mount))?;
    }
    removal::remove(directory)
}

/// Mount points below a directory, in the order in which they were mounted.
fn mounts_below(mountinfo: &str, directory: &Path) -> Vec<PathBuf> {
    mountinfo
        .lines()
        .filter_map(|line| line.split(' ').nth(4))
        .map(PathBuf::from)
        .filter(|point| point.starts_with(directory))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ok_mounts_below_a_directory() {
        let mountinfo = "\
22 27 0:21 / /proc rw,relatime - proc proc rw
30 27 0:30 / /data/bench-1/overlay/a/merged rw - overlay overlay rw
31 27 0:31 / /data/bench-12 rw - tmpfs tmpfs rw
32 30 0:32 / /data/bench-1/overlay/a/merged/dev rw - tmpfs tmpfs rw
";
        assert_eq!(
            mounts_below(mountinfo, Path::new("/data/bench-1")),
            [
                Path::new("/data/bench-1/overlay/a/merged"),
                Path::new("/data/bench-1/overlay/a/merged/dev")
            ]
        );
    }
}
