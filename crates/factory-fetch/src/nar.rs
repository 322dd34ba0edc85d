//! The hash of a tree as Nix sees it: names, contents, links and the executable bit, nothing
//! else (the NAR format, figure 5.2 of Eelco Dolstra's thesis). Pure but for reading the tree.

use std::io::{self, Read as _, Write};
use std::os::unix::ffi::OsStrExt as _;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;

use anyhow::Result;
use digest_io::IoWrapper;
use sha2::Digest as _;

use factory_base::error::Explain as _;
use factory_model::lock::Sha256;

use super::error::Error;

/// Hashes a file, link or directory.
///
/// # Errors
/// It cannot be read, or holds a special file.
pub fn hash(path: &Path) -> Result<Sha256> {
    let mut hasher = IoWrapper(sha2::Sha256::new());
    string(&mut hasher, b"nix-archive-1")?;
    node(&mut hasher, path)?;
    Ok(Sha256::from_bytes(hasher.0.finalize().into()))
}

fn node(out: &mut impl Write, path: &Path) -> Result<()> {
    let metadata = fs_err::symlink_metadata(path)?;
    string(out, b"(")?;
    string(out, b"type")?;
    if metadata.is_symlink() {
        string(out, b"symlink")?;
        string(out, b"target")?;
        string(out, fs_err::read_link(path)?.as_os_str().as_bytes())?;
    } else if metadata.is_file() {
        string(out, b"regular")?;
        // Nix looks at the owner's bit only.
        if metadata.permissions().mode() & 0o100 != 0 {
            string(out, b"executable")?;
            string(out, b"")?;
        }
        string(out, b"contents")?;
        contents(out, path, metadata.len())?;
    } else if metadata.is_dir() {
        string(out, b"directory")?;
        let mut names = Vec::new();
        for entry in fs_err::read_dir(path)? {
            names.push(entry?.file_name());
        }
        names.sort_by(|one, other| one.as_bytes().cmp(other.as_bytes()));
        for name in names {
            string(out, b"entry")?;
            string(out, b"(")?;
            string(out, b"name")?;
            string(out, name.as_bytes())?;
            string(out, b"node")?;
            node(out, &path.join(&name))?;
            string(out, b")")?;
        }
    } else {
        return Err(Error::SpecialFile {
            path: path.to_owned(),
        }
        .failure()
        .into());
    }
    string(out, b")")?;
    Ok(())
}

/// Length as 64 bits little-endian, bytes, zeros up to a multiple of 8.
fn string(out: &mut impl Write, bytes: &[u8]) -> io::Result<()> {
    out.write_all(&(bytes.len() as u64).to_le_bytes())?;
    out.write_all(bytes)?;
    padding(out, bytes.len() as u64)
}

fn contents(out: &mut impl Write, path: &Path, length: u64) -> Result<()> {
    out.write_all(&length.to_le_bytes())?;
    let copied = io::copy(&mut fs_err::File::open(path)?.take(length), out)?;
    if copied != length {
        return Err(io::Error::other(format!("`{}` changed while read", path.display())).into());
    }
    Ok(padding(out, length)?)
}

fn padding(out: &mut impl Write, length: u64) -> io::Result<()> {
    let zeros = [0; 8];
    let count = usize::try_from((8 - length % 8) % 8).unwrap_or(0);
    out.write_all(&zeros[..count])
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The expected values come from `nix hash path`.
    #[test]
    fn ok_as_nix_hashes() {
        let directory = tempfile::tempdir().unwrap();
        let root = directory.path().join("tree");
        std::fs::create_dir(&root).unwrap();
        std::fs::write(root.join("b"), "twelve bytes").unwrap();
        std::fs::write(root.join("B"), "").unwrap();
        std::fs::write(root.join("x"), "#!/bin/sh\n").unwrap();
        std::fs::set_permissions(root.join("x"), std::fs::Permissions::from_mode(0o755)).unwrap();
        std::os::unix::fs::symlink("b", root.join("link")).unwrap();
        std::fs::create_dir(root.join("empty")).unwrap();
        insta::assert_snapshot!(hash(&root).unwrap().to_string(), @"5370f31f043b1b352e9cf6dae646efa62131576af60d7191e64948c8143aaaed");
        insta::assert_snapshot!(hash(&root.join("b")).unwrap().to_string(), @"a4d56644b4c3741acec5d5f14ac8dd91aa820d1c48aabe967d61b28c2cca3b08");
    }
}
