//! Garbage collector roots: what was built for the user stays until `clean` lets it go.

use std::path::{Path, PathBuf};

use anyhow::Result;
use xshell::Shell;

use super::Nix;
use factory_base::process;
use factory_base::run::Directories;

/// Where the roots are: `VARIANT/LAYER`, each a symlink to a store path.
pub fn roots(directories: &dyn Directories) -> PathBuf {
    directories.data().join("roots")
}

/// Makes `link` a root of a valid store path; nothing is done if it already is.
///
/// # Errors
/// The link cannot be made.
pub fn add_root(nix: &Nix, link: &Path, store_path: &str) -> Result<()> {
    if std::fs::read_link(link).is_ok_and(|target| target == Path::new(store_path)) {
        return Ok(());
    }
    if let Some(directory) = link.parent() {
        fs_err::create_dir_all(directory)?;
    }
    let shell = Shell::new()?;
    let cmd = nix.cmd(&shell, "nix-store");
    process::capture(
        cmd.arg("--realise")
            .arg(store_path)
            .arg("--add-root")
            .arg(link),
    )?;
    Ok(())
}
