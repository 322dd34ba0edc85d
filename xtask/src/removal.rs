//! Removing trees that were made read-only.

use std::path::Path;

use anyhow::Result;

/// Directories of a store are read-only and have to be opened before they can go.
pub(crate) fn remove(path: &Path) -> Result<()> {
    use std::os::unix::fs::PermissionsExt as _;
    for entry in walkdir::WalkDir::new(path) {
        let entry = entry?;
        let is_closed = || {
            entry
                .metadata()
                .is_ok_and(|metadata| metadata.permissions().mode() & 0o700 != 0o700)
        };
        if entry.file_type().is_dir() && is_closed() {
            fs_err::set_permissions(entry.path(), std::fs::Permissions::from_mode(0o755))?;
        }
    }
    fs_err::remove_dir_all(path)?;
    Ok(())
}
