//! Files written so that a reader sees the old or the new content, never half of one.

mod lock;

use std::io::Write as _;
use std::path::Path;

use anyhow::{Context as _, Result};

pub use lock::Lock;

/// Writes a file beside its place, syncs it, and renames it there.
///
/// # Errors
/// The directory cannot be made, or the file cannot be written or renamed.
pub fn write_atomic(path: &Path, content: &[u8]) -> Result<()> {
    let directory = path
        .parent()
        .with_context(|| format!("`{}` has no parent directory", path.display()))?;
    fs_err::create_dir_all(directory)?;
    let mut file = tempfile::NamedTempFile::new_in(directory)
        .with_context(|| format!("cannot write beside `{}`", path.display()))?;
    file.write_all(content)?;
    file.as_file().sync_all()?;
    set_readable(file.path())?;
    file.persist(path)
        .with_context(|| format!("cannot rename to `{}`", path.display()))?;
    Ok(())
}

/// Removes a directory with all that is in it, if it is there.
///
/// # Errors
/// Something in it cannot be removed.
pub fn remove_tree(directory: &Path) -> Result<()> {
    if directory.exists() {
        fs_err::remove_dir_all(directory)?;
    }
    Ok(())
}

/// Temporary files start at 0600; committed files and caches are for everyone to read.
fn set_readable(path: &Path) -> Result<()> {
    use std::os::unix::fs::PermissionsExt as _;
    fs_err::set_permissions(path, std::fs::Permissions::from_mode(0o644))?;
    Ok(())
}
