//! Which package of a Debian root each of its members belongs to, by dpkg's own lists
//! (`/var/lib/dpkg/info/NAME[:ARCHITECTURE].list`, a path on each line).
//!
//! A root is one tree of several hundred packages. By these lists it is cut as the trees of
//! other packages are, so that a new libc does not move the compiler.

use std::collections::{BTreeMap, BTreeSet};
use std::ffi::OsStr;
use std::fs;
use std::io;
use std::os::unix::ffi::OsStrExt as _;
use std::path::Path;

use crate::error::Error;
use crate::files::At as _;

/// Stands for what no package owns: dpkg's status, caches, links of alternatives.
pub(crate) const NOBODY: &str = "";

/// Where dpkg keeps its lists, and the scripts of packages.
const INFO: &str = "var/lib/dpkg/info";

/// Knows whether it is a directory.
pub(crate) trait Member {
    fn is_directory(&self) -> bool;
}

/// Maps each file that a package lists to the package's name.
#[derive(Debug)]
pub(crate) struct Owners {
    by_path: BTreeMap<Vec<u8>, String>,
}

impl Owners {
    /// Reads the lists below the root of a tree; none if it has no such directory.
    pub(crate) fn read(root: &Path) -> Result<Option<Self>, Error> {
        let directory = root.join(INFO);
        let items = match fs::read_dir(&directory) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            items => items.at("list", &directory)?,
        };
        // Sorted: of two packages with the same file, the first by name has it.
        let mut lists = BTreeSet::new();
        for item in items {
            let path = item.at("list", &directory)?.path();
            if path.extension() == Some(OsStr::new("list")) {
                lists.insert(path);
            }
        }
        let mut by_path = BTreeMap::new();
        for path in lists {
            let package = package_of(&path);
            let text = fs::read(&path).at("read", &path)?;
            let lines = text.split(|byte| *byte == b'\n');
            for line in lines.filter_map(|line| line.strip_prefix(b"/")) {
                by_path
                    .entry(line.to_vec())
                    .or_insert_with(|| package.clone());
                // Packages that name a merged directory by its old name.
                let merged = [b"usr/".as_slice(), line].concat();
                by_path.entry(merged).or_insert_with(|| package.clone());
            }
            by_path.insert(own_list(&path), package);
        }
        Ok(Some(Self { by_path }))
    }

    /// The package that has a file, [`NOBODY`] if none has.
    fn of(&self, path: &[u8]) -> &str {
        if let Some(package) = self.by_path.get(path) {
            return package;
        }
        let Some(name) = path.strip_prefix(INFO.as_bytes()) else {
            return NOBODY;
        };
        // `/libc6:amd64.postinst`, beside `/libc6:amd64.list`.
        let stem = match name.iter().rposition(|byte| *byte == b'.') {
            Some(dot) => &name[..dot],
            None => name,
        };
        let list = [INFO.as_bytes(), stem, b".list"].concat();
        self.by_path.get(&list).map_or(NOBODY, String::as_str)
    }

    /// Cuts the members of a root into those of each package. Each part has the directories
    /// above its files; directories without any file are nobody's.
    pub(crate) fn cut<T: Member + Clone>(
        &self,
        members: &BTreeMap<Vec<u8>, T>,
    ) -> BTreeMap<&str, BTreeMap<Vec<u8>, T>> {
        let mut parts: BTreeMap<&str, BTreeMap<Vec<u8>, T>> = BTreeMap::new();
        let mut put = |package, path: &Vec<u8>, member: &T| {
            let part = parts.entry(package).or_default();
            part.insert(path.clone(), member.clone());
            for above in parents(path) {
                if let Some(directory) = members.get(above) {
                    part.entry(above.to_vec())
                        .or_insert_with(|| directory.clone());
                }
            }
        };
        let is_directory = |entry: &(&Vec<u8>, &T)| entry.1.is_directory();
        let (directories, files): (Vec<_>, Vec<_>) = members.iter().partition(is_directory);
        let with_files: BTreeSet<&[u8]> =
            files.iter().flat_map(|(path, _)| parents(path)).collect();
        for (path, member) in files {
            put(self.of(path), path, member);
        }
        for (path, member) in directories {
            if !with_files.contains(path.as_slice()) {
                put(NOBODY, path, member);
            }
        }
        parts
    }

    /// Keeps what belongs to these packages.
    pub(crate) fn keep<T: Member + Clone>(
        &self,
        members: &BTreeMap<Vec<u8>, T>,
        packages: &[String],
    ) -> BTreeMap<Vec<u8>, T> {
        let mut parts = self.cut(members);
        let kept = packages
            .iter()
            .filter_map(|name| parts.remove(name.as_str()));
        kept.flatten().collect()
    }
}

/// The directories above a path, the root excepted.
fn parents(path: &[u8]) -> impl Iterator<Item = &[u8]> {
    let slashes = path.iter().enumerate();
    slashes
        .filter(|(_, byte)| **byte == b'/')
        .map(|(index, _)| &path[..index])
}

/// `libc6` of `…/libc6:amd64.list`.
fn package_of(list: &Path) -> String {
    let stem = list.file_stem().unwrap_or_default().to_string_lossy();
    stem.split(':').next().unwrap_or_default().to_owned()
}

/// A list below the root, as members are named.
fn own_list(list: &Path) -> Vec<u8> {
    let name = list.file_name().unwrap_or_default().as_bytes();
    [INFO.as_bytes(), b"/", name].concat()
}
