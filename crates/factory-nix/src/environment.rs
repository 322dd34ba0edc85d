//! Which Nix and which store the environment asks for.

use std::path::{Path, PathBuf};

use factory_base::run::Directories;

/// Puts the store elsewhere, for tests and for disks that are not `/nix`.
const STORE_VARIABLE: &str = "XTASK_STORE";
/// Names the lock of the Nix to use, as `nix-forky`, whatever is on PATH.
pub(super) const NIX_VARIABLE: &str = "XTASK_NIX";

/// What [`NIX_VARIABLE`] says.
pub(super) fn chosen_nix() -> Option<String> {
    std::env::var(NIX_VARIABLE)
        .ok()
        .filter(|name| !name.is_empty())
}

/// What [`STORE_VARIABLE`] says.
pub(super) fn chosen_store() -> Option<PathBuf> {
    std::env::var_os(STORE_VARIABLE).map(PathBuf::from)
}

/// As root, or with a store that this user may write or ask a daemon for: `/nix`.
/// Otherwise a store of the user's own, in which builds see `/nix/store` all the same.
pub(super) fn store_root(directories: &dyn Directories) -> Option<PathBuf> {
    if let Some(path) = chosen_store() {
        return Some(path);
    }
    let daemon = Path::new("/nix/var/nix/daemon-socket/socket").exists();
    (!daemon && !may_write_nix()).then(|| directories.data().join("store"))
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
