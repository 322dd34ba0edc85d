//! Reads what a package tree holds: kinds, sizes and normalized modes, never contents.

use std::collections::BTreeMap;
use std::ffi::OsStr;
use std::fs::{self, Metadata};
use std::os::unix::ffi::{OsStrExt as _, OsStringExt as _};
use std::os::unix::fs::{FileTypeExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};

use crate::dpkg::{Member, Owners};
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

/// What a directory says of a member, before anyone looks at the member itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Name {
    pub(crate) kind: NameKind,
    /// What the `modes` file asks for.
    pub(crate) explicit_mode: Option<u32>,
}

/// The kinds that a member may have.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum NameKind {
    Directory,
    File,
    Symlink,
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

impl Member for Entry {
    fn is_directory(&self) -> bool {
        self.kind == Kind::Directory
    }
}

impl Member for Name {
    fn is_directory(&self) -> bool {
        self.kind == NameKind::Directory
    }
}

/// Maps paths relative to the root to members, sorted by their bytes.
pub(crate) type Entries = BTreeMap<Vec<u8>, Entry>;

/// Maps paths relative to the root to names, sorted by their bytes.
pub(crate) type Names = BTreeMap<Vec<u8>, Name>;

/// Returns where the files of a tree physically are.
pub(crate) fn root_of(tree: &TreeRef, store_root: Option<&Path>) -> PathBuf {
    resolve(store_root, &tree.path).join("root")
}

/// Lists a tree, and looks at each of its members.
pub(crate) fn read(tree: &TreeRef, store_root: Option<&Path>) -> Result<Entries, Error> {
    let root = root_of(tree, store_root);
    let looked = names(tree, store_root)?.into_iter().map(|(path, name)| {
        let entry = look(&root, &path, name)?;
        Ok((path, entry))
    });
    looked.collect()
}

/// Lists a tree from its directories alone, and touches no file: inodes are what is slow to get
/// when the disk's caches are empty.
pub(crate) fn names(tree: &TreeRef, store_root: Option<&Path>) -> Result<Names, Error> {
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

    let mut names = Names::new();
    walk(tree, &root, &mut names)?;
    apply_modes(tree, &base.join("modes"), &mut names)?;
    if tree.only.is_empty() {
        return Ok(names);
    }
    match Owners::read(&root)? {
        Some(owners) => Ok(owners.keep(&names, &tree.only)),
        None => not_a_tree("it has no lists of dpkg, by which it could be cut"),
    }
}

/// Looks at the member that a name stands for, below the root of its tree.
pub(crate) fn look(root: &Path, path: &[u8], name: Name) -> Result<Entry, Error> {
    let file = || root.join(OsStr::from_bytes(path));
    let (kind, mode) = match name.kind {
        NameKind::Directory => (Kind::Directory, DIRECTORY_MODE),
        NameKind::File => {
            let file = file();
            // A symlink is not followed.
            let metadata = fs::symlink_metadata(&file).at("look at", &file)?;
            let size_bytes = metadata.len();
            (Kind::File { size_bytes }, file_mode(&metadata))
        }
        NameKind::Symlink => {
            let file = file();
            let target = fs::read_link(&file).at("read the symlink", &file)?;
            let target = target.into_os_string().into_vec();
            (Kind::Symlink { target }, 0o777)
        }
    };
    Ok(Entry {
        kind,
        mode: name.explicit_mode.unwrap_or(mode),
        has_explicit_mode: name.explicit_mode.is_some(),
    })
}

fn walk(tree: &TreeRef, root: &Path, names: &mut Names) -> Result<(), Error> {
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
            let kind = kind_of(tree, &path, &item)?;
            if kind == NameKind::Directory {
                pending.push(path.clone());
            }
            let explicit_mode = None;
            names.insert(
                path,
                Name {
                    kind,
                    explicit_mode,
                },
            );
        }
    }
    Ok(())
}

fn kind_of(tree: &TreeRef, path: &[u8], item: &fs::DirEntry) -> Result<NameKind, Error> {
    // Does not follow a symlink.
    let file_type = item.file_type().at("look at", &item.path())?;
    if file_type.is_dir() {
        return Ok(NameKind::Directory);
    } else if file_type.is_file() {
        return Ok(NameKind::File);
    } else if file_type.is_symlink() {
        return Ok(NameKind::Symlink);
    }
    let kind = if file_type.is_fifo() {
        "named pipe"
    } else if file_type.is_socket() {
        "socket"
    } else {
        "device node"
    };
    Err(Error::SpecialFile {
        package: tree.package.clone(),
        path: tree.path.clone(),
        member: show(path),
        kind,
    })
}

fn file_mode(metadata: &Metadata) -> u32 {
    if metadata.permissions().mode() & 0o111 == 0 {
        0o644
    } else {
        0o755
    }
}

fn apply_modes(tree: &TreeRef, path: &Path, names: &mut Names) -> Result<(), Error> {
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
        match names.get_mut(&member) {
            None => {
                return Err(error(
                    mode.line,
                    format!("no such member: `{}`", show(&member)),
                ));
            }
            Some(Name {
                kind: NameKind::Symlink,
                ..
            }) => {
                let reason = format!("a symlink has no mode of its own: `{}`", show(&member));
                return Err(error(mode.line, reason));
            }
            Some(name) => name.explicit_mode = Some(mode.bits),
        }
    }
    Ok(())
}
