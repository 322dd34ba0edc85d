//! What the image holds for the volume, by the part of ComfyUI's directory that it belongs to.

use std::collections::BTreeMap;
use std::fs;
use std::io;
use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};

use sha2::{Digest as _, Sha256};

use crate::entry::{Entries, Entry};
use crate::error::{At as _, Error};
use crate::files::{hex, mtime_ns, symlink_metadata};

/// Names a directory of ComfyUI's that `--base-directory` moves, and that people mount.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Area {
    /// `custom_nodes`.
    CustomNodes,
    /// `input`.
    Input,
    /// `models`.
    Models,
    /// `output`.
    Output,
    /// `temp`.
    Temp,
    /// `user`.
    User,
}

impl Area {
    /// Every area, in the order of their names.
    pub const ALL: [Self; 6] = [
        Self::CustomNodes,
        Self::Input,
        Self::Models,
        Self::Output,
        Self::Temp,
        Self::User,
    ];

    /// The directory's name.
    pub fn name(self) -> &'static str {
        match self {
            Self::CustomNodes => "custom_nodes",
            Self::Input => "input",
            Self::Models => "models",
            Self::Output => "output",
            Self::Temp => "temp",
            Self::User => "user",
        }
    }

    /// Says whether ComfyUI can do nothing without writing here.
    pub fn is_needed(self) -> bool {
        matches!(self, Self::Output | Self::Temp | Self::User)
    }

    fn of(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|area| area.name() == name)
    }
}

/// Holds the image's files by where they belong.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Bundle {
    /// ComfyUI itself, by path below its directory.
    pub core: Entries,
    /// Each node, by the name of its directory.
    pub nodes: BTreeMap<String, Entries>,
    /// What else belongs into an area, by path below it.
    pub areas: BTreeMap<Area, Entries>,
    /// Changes whenever a file does.
    pub identity: String,
}

impl Bundle {
    /// Walks directories that have the form of ComfyUI's; a later one wins. `label` is what
    /// the image says of its content, and goes into the identity with every file's status.
    ///
    /// # Errors
    ///
    /// A directory cannot be read, or has a name that is not UTF-8.
    pub fn scan(directories: &[PathBuf], label: &[u8]) -> Result<Self, Error> {
        let mut all = BTreeMap::new();
        let mut hash = Sha256::new();
        hash.update(label);
        for directory in directories {
            walk(directory, "", &mut all)?;
        }
        let mut bundle = Self::default();
        for (path, (entry, metadata)) in all {
            let status = format!(
                "{path}\0{} {} {}\n",
                metadata.len(),
                mtime_ns(&metadata),
                metadata.mode()
            );
            hash.update(status.as_bytes());
            bundle.put(&path, entry);
        }
        bundle.identity = hex(&hash.finalize());
        Ok(bundle)
    }

    fn put(&mut self, path: &str, entry: Entry) {
        // It keeps an empty directory in the image.
        if path.ends_with("/.keep") {
            return;
        }
        let Some((first, rest)) = path.split_once('/') else {
            self.core.insert(path.to_owned(), entry);
            return;
        };
        match (Area::of(first), rest.split_once('/')) {
            (None, _) => {
                self.core.insert(path.to_owned(), entry);
            }
            (Some(Area::CustomNodes), Some((node, below))) if node != "__pycache__" => {
                let files = self.nodes.entry(node.to_owned()).or_default();
                files.insert(below.to_owned(), entry);
            }
            (Some(area), _) => {
                let files = self.areas.entry(area).or_default();
                files.insert(rest.to_owned(), entry);
            }
        }
    }

    /// Says whether ComfyUI itself is here.
    pub fn has_core(&self) -> bool {
        self.core.contains_key("main.py")
    }
}

/// Lists the files of a directory tree by path, byte code apart.
///
/// # Errors
///
/// It cannot be read.
pub fn files(directory: &Path) -> Result<Entries, Error> {
    let mut all = BTreeMap::new();
    walk(directory, "", &mut all)?;
    all.retain(|path, _| !path.split('/').any(|part| part == "__pycache__"));
    Ok(all
        .into_iter()
        .map(|(path, (entry, _))| (path, entry))
        .collect())
}

fn walk(
    directory: &Path,
    prefix: &str,
    all: &mut BTreeMap<String, (Entry, fs::Metadata)>,
) -> Result<(), Error> {
    let items = match fs::read_dir(directory) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
        items => items.at("list", directory)?,
    };
    for item in items {
        let item = item.at("list", directory)?;
        let source = item.path();
        let Ok(name) = item.file_name().into_string() else {
            let invalid = io::Error::from(io::ErrorKind::InvalidData);
            return Err(invalid).at("use the name of", &source);
        };
        if prefix.is_empty() && name == ".git" {
            continue;
        }
        let path = format!("{prefix}{name}");
        let metadata = symlink_metadata(&source)?;
        if metadata.is_dir() {
            walk(&source, &format!("{path}/"), all)?;
        } else {
            let entry = Entry {
                source,
                size_bytes: metadata.len(),
                is_executable: metadata.permissions().mode() & 0o111 != 0,
                is_link: metadata.is_symlink(),
            };
            all.insert(path, (entry, metadata));
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ok_parts_and_identity() {
        let directory = tempfile::tempdir().unwrap();
        let here = directory.path();
        let write = |path: &str, text: &str| {
            let path = here.join(path);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, text).unwrap();
        };
        for path in [
            ".git/HEAD",
            "main.py",
            "comfy/a.py",
            "comfy/models/b.py",
            "models/vae_approx/w",
            "custom_nodes/loose.py",
            "custom_nodes/node/__init__.py",
            "custom_nodes/node/web/x.js",
        ] {
            write(path, path);
        }
        let scan = || Bundle::scan(&[here.to_owned()], b"label").unwrap();
        let bundle = scan();
        let keys = |entries: &Entries| entries.keys().cloned().collect::<Vec<_>>();
        assert_eq!(
            keys(&bundle.core),
            ["comfy/a.py", "comfy/models/b.py", "main.py"]
        );
        assert_eq!(keys(&bundle.nodes["node"]), ["__init__.py", "web/x.js"]);
        assert_eq!(keys(&bundle.areas[&Area::Models]), ["vae_approx/w"]);
        assert_eq!(keys(&bundle.areas[&Area::CustomNodes]), ["loose.py"]);
        assert!(bundle.has_core());

        assert_eq!(scan().identity, bundle.identity);
        write("main.py", "longer than it was");
        assert_ne!(scan().identity, bundle.identity);
        let other = Bundle::scan(&[here.to_owned()], b"other").unwrap();
        assert_ne!(other.identity, scan().identity);
    }
}
