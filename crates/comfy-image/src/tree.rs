//! Reads what a package tree holds: kinds, sizes and normalized modes, never contents.

use std::collections::BTreeMap;
use std::ffi::OsStr;
use std::fs::{self, Metadata};
use std::os::unix::ffi::OsStrExt as _;
use std::os::unix::fs::{FileTypeExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};

use crate::error::{Error, show};
use crate::files::{At as _, resolve};
use crate::layer::TreeRef;
use crate::modes;
use crate::tar_header::MemberKind;

/// The mode of a directory that no `modes` file names.
pub(crate) const DIRECTORY_MODE: u32 = 0o755;

/// Describes one member of a tree.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Entry {
    pub(crate) kind: Kind,
    pub(crate) mode: u32,
    /// The `modes` file names it.
    pub(crate) has_explicit_mode: bool,
}

/// Says what a member is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Kind {
    Directory,
    File { size_bytes: u64 },
    Symlink { target: Vec<u8> },
}

impl Entry {
    pub(crate) fn member_kind(&self) -> MemberKind<'_> {
        match &self.kind {
            Kind::Directory => MemberKind::Directory,
            Kind::File { size_bytes } => MemberKind::File {
                size_bytes: *size_bytes,
            },
            Kind::Symlink { target } => MemberKind::Symlink { target },
        }
    }

    /// Returns the size of a file's content, and 0 for anything else.
    pub(crate) fn content_bytes(&self) -> u64 {
        match self.kind {
            Kind::File { size_bytes } => size_bytes,
            Kind::Directory | Kind::Symlink { .. } => 0,
        }
    }

    /// Counts in the number of files: everything but directories.
    pub(crate) fn is_file(&self) -> bool {
        self.kind != Kind::Directory
    }
}

/// Maps paths relative to the root to members, sorted by their bytes.
pub(crate) type Entries = BTreeMap<Vec<u8>, Entry>;

/// Returns where the files of a tree physically are.
pub(crate) fn root_of(tree: &TreeRef, store_root: Option<&Path>) -> PathBuf {
    resolve(store_root, &tree.path).join("root")
}

/// Lists a tree.
pub(crate) fn read(tree: &TreeRef, store_root: Option<&Path>) -> Result<Entries, Error> {
    let base = resolve(store_root, &tree.path);
    let not_a_tree = |reason| {
        Err(Error::NotATree {
            package: tree.package.clone(),
            path: base.to_path_buf(),
            reason,
        })
    };
    if !fs::symlink_metadata(&base).at("look at", &base)?.is_dir() {
        return not_a_tree("it is not a directory");
    }
    let root = base.join("root");
    match fs::symlink_metadata(&root) {
        Ok(metadata) if metadata.is_dir() => {}
        Ok(_) => return not_a_tree("its `root` is not a directory"),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
            return not_a_tree("it has no `root`");
        }
        Err(error) => return Err(error).at("look at", &root),
    }

    let mut entries = Entries::new();
    walk(tree, &root, &mut entries)?;
    apply_modes(tree, &base.join("modes"), &mut entries)?;
    Ok(entries)
}

fn walk(tree: &TreeRef, root: &Path, entries: &mut Entries) -> Result<(), Error> {
    let mut pending: Vec<Vec<u8>> = vec![Vec::new()];
    while let Some(parent) = pending.pop() {
        let directory = root.join(OsStr::from_bytes(&parent));
        for item in fs::read_dir(&directory).at("list", &directory)? {
            let item = item.at("list", &directory)?;
            let name = item.file_name();
            let mut path = Vec::with_capacity(parent.len() + 1 + name.len());
            if !parent.is_empty() {
                path.extend_from_slice(&parent);
                path.push(b'/');
            }
            path.extend_from_slice(name.as_bytes());
            // OCI image specification, layer.md, "Whiteouts".
            if name.as_bytes().starts_with(b".wh.") {
                return Err(Error::Whiteout {
                    package: tree.package.clone(),
                    path: tree.path.clone(),
                    member: show(&path),
                });
            }
            let entry = entry(tree, &path, &item)?;
            if entry.kind == Kind::Directory {
                pending.push(path.clone());
            }
            entries.insert(path, entry);
        }
    }
    Ok(())
}

fn entry(tree: &TreeRef, path: &[u8], item: &fs::DirEntry) -> Result<Entry, Error> {
    // Neither of these follows a symlink.
    let metadata = || item.metadata().at("look at", &item.path());
    let file_type = item.file_type().at("look at", &item.path())?;
    let (kind, mode) = if file_type.is_dir() {
        (Kind::Directory, DIRECTORY_MODE)
    } else if file_type.is_file() {
        let metadata = metadata()?;
        (
            Kind::File {
                size_bytes: metadata.len(),
            },
            file_mode(&metadata),
        )
    } else if file_type.is_symlink() {
        let target = fs::read_link(item.path()).at("read the symlink", &item.path())?;
        (
            Kind::Symlink {
                target: target.as_os_str().as_bytes().to_vec(),
            },
            0o777,
        )
    } else {
        let kind = if file_type.is_fifo() {
            "named pipe"
        } else if file_type.is_socket() {
            "socket"
        } else {
            "device node"
        };
        return Err(Error::SpecialFile {
            package: tree.package.clone(),
            path: tree.path.clone(),
            member: show(path),
            kind,
        });
    };
    Ok(Entry {
        kind,
        mode,
        has_explicit_mode: false,
    })
}

fn file_mode(metadata: &Metadata) -> u32 {
    if metadata.permissions().mode() & 0o111 == 0 {
        0o644
    } else {
        0o755
    }
}

fn apply_modes(tree: &TreeRef, path: &Path, entries: &mut Entries) -> Result<(), Error> {
    let error = |line, reason| Error::Modes {
        package: tree.package.clone(),
        path: path.to_owned(),
        line,
        reason,
    };
    let text = match fs::read(path) {
        Ok(text) => text,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(()),
        Err(error) => return Err(error).at("read", path),
    };
    let modes = modes::parse(&text).map_err(|fault| error(fault.line, fault.reason))?;
    for (member, mode) in modes {
        match entries.get_mut(&member) {
            None => {
                return Err(error(
                    mode.line,
                    format!("no such member: `{}`", show(&member)),
                ));
            }
            Some(Entry {
                kind: Kind::Symlink { .. },
                ..
            }) => {
                let reason = format!("a symlink has no mode of its own: `{}`", show(&member));
                return Err(error(mode.line, reason));
            }
            Some(entry) => {
                entry.mode = mode.bits;
                entry.has_explicit_mode = true;
            }
        }
    }
    Ok(())
}
