//! Finds a Nix that is new enough, and the store it uses.

use std::path::PathBuf;

use anyhow::{Context as _, Result};

use super::Context;
use super::Nix;
use super::bootstrap::bootstrapped;
use super::environment::{chosen_nix, chosen_store, store_root};
use super::program::version_of;
use factory_base::process;
use factory_base::run::{Directories, Report};

/// The oldest version that the tests run with.
const OLDEST: (u64, u64) = (2, 26);

impl Nix {
    /// The Nix that `XTASK_NIX` names; else the user's own when it is 2.26 or newer; else
    /// the pinned one.
    ///
    /// # Errors
    /// Its debs cannot be fetched, or the unpacked program does not run.
    pub fn find_or_provide(ctx: &dyn Context) -> Result<Self> {
        if let Some(lock) = chosen_nix() {
            return bootstrapped(ctx, &lock);
        }
        match Self::on_path(ctx)? {
            Some(nix) => Ok(nix),
            None => bootstrapped(ctx, "nix"),
        }
    }

    /// The Nix on PATH, when it is new enough and `XTASK_NIX` names no other.
    ///
    /// # Errors
    /// It is there but does not run.
    pub fn on_path(report: &dyn Report) -> Result<Option<Self>> {
        let Some(program) = process::find("nix").filter(|_| chosen_nix().is_none()) else {
            return Ok(None);
        };
        let bin = program
            .parent()
            .context("a program without a directory")?
            .to_owned();
        let version = version_of(&bin)?;
        if !is_new_enough(&version) {
            report.detail(&format!(
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
            store_root: chosen_store(),
        }))
    }

    /// Where store paths are on this machine.
    pub fn store_paths(directories: &dyn Directories) -> PathBuf {
        let root = store_root(directories).unwrap_or_else(|| PathBuf::from("/"));
        root.join("nix/store")
    }

    /// Where a provided Nix keeps its store on this machine.
    pub fn store_directory(directories: &dyn Directories) -> PathBuf {
        store_root(directories).unwrap_or_else(|| PathBuf::from("/nix"))
    }
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
