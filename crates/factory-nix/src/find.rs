//! Finds a Nix that is new enough, and the store it uses.

use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result};

use super::Nix;
use super::bootstrap::{bootstrapped, version_of};
use factory_base::ctx::Ctx;
use factory_base::process;

/// The oldest version that the tests run with.
const OLDEST: (u64, u64) = (2, 26);
/// Puts the store elsewhere, for tests and for disks that are not `/nix`.
const STORE_VARIABLE: &str = "XTASK_STORE";
/// Names the lock of the Nix to use, as `nix-forky`, whatever is on PATH.
pub(super) const NIX_VARIABLE: &str = "XTASK_NIX";

impl Nix {
    /// The Nix that [`NIX_VARIABLE`] names; else the user's own when it is 2.26 or newer; else
    /// the pinned one.
    ///
    /// # Errors
    /// Its debs cannot be fetched, or the unpacked program does not run.
    pub fn find_or_provide(ctx: &Ctx) -> Result<Self> {
        if let Some(lock) = chosen() {
            return bootstrapped(ctx, &lock);
        }
        match Self::on_path(ctx)? {
            Some(nix) => Ok(nix),
            None => bootstrapped(ctx, "nix"),
        }
    }

    /// The Nix on PATH, when it is new enough and [`NIX_VARIABLE`] names no other.
    ///
    /// # Errors
    /// It is there but does not run.
    pub fn on_path(ctx: &Ctx) -> Result<Option<Self>> {
        let Some(program) = process::find("nix").filter(|_| chosen().is_none()) else {
            return Ok(None);
        };
        let bin = program
            .parent()
            .context("a program without a directory")?
            .to_owned();
        let version = version_of(&bin)?;
        if !is_new_enough(&version) {
            ctx.ui.detail(format!(
                "{} is `{version}`, older than {}.{}: not used",
                program.display(),
                OLDEST.0,
                OLDEST.1
            ));
            return Ok(None);
        }
        Ok(Some(Self {
            bin,
            version,
            environment: Vec::new(),
            store_root: std::env::var_os(STORE_VARIABLE).map(PathBuf::from),
        }))
    }

    /// Where a provided Nix keeps its store on this machine.
    pub fn store_directory(ctx: &Ctx) -> PathBuf {
        store_root(ctx).unwrap_or_else(|| PathBuf::from("/nix"))
    }

    /// What `nix --version` says.
    pub fn version(&self) -> &str {
        &self.version
    }
}

fn chosen() -> Option<String> {
    std::env::var(NIX_VARIABLE)
        .ok()
        .filter(|name| !name.is_empty())
}

/// `nix (Nix) 2.26.3`; Lix counts its own versions and has no relative path inputs.
fn is_new_enough(version_text: &str) -> bool {
    if version_text.contains("Lix") {
        return false;
    }
    let Some(last) = version_text.split_whitespace().last() else {
        return false;
    };
    let mut numbers = last
        .split(|character: char| !character.is_ascii_digit())
        .map(str::parse::<u64>);
    match (numbers.next(), numbers.next()) {
        (Some(Ok(major)), Some(Ok(minor))) => (major, minor) >= OLDEST,
        _ => false,
    }
}

/// As root, or with a store that this user may write or ask a daemon for: `/nix`.
/// Otherwise a store of the user's own, in which builds see `/nix/store` all the same.
pub(super) fn store_root(ctx: &Ctx) -> Option<PathBuf> {
    if let Some(path) = std::env::var_os(STORE_VARIABLE) {
        return Some(PathBuf::from(path));
    }
    let daemon = Path::new("/nix/var/nix/daemon-socket/socket").exists();
    (!daemon && !may_write_nix()).then(|| ctx.data.join("store"))
}

/// Tried rather than computed: user, groups, read-only mounts and ACLs all count.
fn may_write_nix() -> bool {
    let is_writable = |directory: &Path| tempfile::tempfile_in(directory).is_ok();
    if Path::new("/nix/store").is_dir() {
        is_writable(Path::new("/nix/store")) && is_writable(Path::new("/nix/var/nix/db"))
    } else if Path::new("/nix").is_dir() {
        is_writable(Path::new("/nix"))
    } else {
        is_writable(Path::new("/"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ok_versions() {
        assert!(is_new_enough("nix (Nix) 2.26.3\n"));
        assert!(is_new_enough("nix (Nix) 3.0"));
        assert!(is_new_enough("nix (Nix) 2.32.0pre20250919_3b7f6a3\n"));
        assert!(is_new_enough("nix (Determinate Nix 3.11.2) 2.31.1"));
        assert!(!is_new_enough("nix (Nix) 2.8.0"));
        assert!(!is_new_enough("nix (Lix, like Nix) 2.93.3"));
        assert!(!is_new_enough("what"));
    }
}
