//! Nodes of the image in `custom_nodes`: where each is, and whose.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

use crate::entry::Entries;
use crate::error::{At as _, Error};
use crate::files::look;
use crate::plan::{Decision, Found, Policy, Target, find};
use crate::receipt::{NodeState, Receipt};

/// What ComfyUI passes over, and its Manager calls disabled.
const DISABLED: &str = ".disabled";
/// What is left of a node that the image has no more.
const RETIRED: &str = ".retired.disabled";

/// Holds what is to be done with the nodes.
#[derive(Debug, Default)]
pub struct Nodes {
    /// Nodes that are not here yet: name of the directory, and content.
    pub new: BTreeMap<String, Entries>,
    /// Nodes that are here with a receipt, or as the image has them.
    pub targets: Vec<Target>,
    /// Nodes here that differ and have no receipt: the user's.
    pub foreign: Vec<String>,
    /// Nodes that the user removed.
    pub removed: Vec<String>,
    /// What the receipt of `custom_nodes` shall say in the end.
    pub states: BTreeMap<String, NodeState>,
    /// Nodes that the image has no more.
    pub retiring: BTreeSet<String>,
}

/// The name of a node whether it is disabled or not.
fn canonical(name: &str) -> &str {
    name.strip_suffix(DISABLED).unwrap_or(name)
}

impl Nodes {
    /// Looks at `custom_nodes`, and decides.
    ///
    /// # Errors
    ///
    /// Something cannot be read.
    pub fn plan(
        custom_nodes: &Path,
        image: &BTreeMap<String, Entries>,
        known: &BTreeMap<String, NodeState>,
    ) -> Result<Self, Error> {
        let image: BTreeMap<&str, (&String, &Entries)> = image
            .iter()
            .map(|(name, entries)| (canonical(name), (name, entries)))
            .collect();
        let mut nodes = Self::default();
        let names = image
            .keys()
            .copied()
            .chain(known.keys().map(String::as_str));
        for name in names.collect::<BTreeSet<&str>>() {
            let (held, state) = (image.get(name).copied(), known.get(name).copied());
            match (held, locate(custom_nodes, name)?) {
                (Some((directory, entries)), None) if state != Some(NodeState::Installed) => {
                    nodes.new.insert(directory.clone(), entries.clone());
                    nodes.states.insert(name.to_owned(), NodeState::Installed);
                }
                (Some(_), None) => {
                    nodes.removed.push(name.to_owned());
                    nodes.states.insert(name.to_owned(), NodeState::Installed);
                }
                (None, None) => {
                    if state == Some(NodeState::Installed) {
                        nodes.states.insert(name.to_owned(), NodeState::Installed);
                    }
                }
                (Some((_, entries)), Some(found)) => nodes.upgrade(name, found, entries)?,
                (None, Some(found)) => nodes.retire(name, found)?,
            }
        }
        Ok(nodes)
    }

    /// A node that is here and in the image.
    fn upgrade(&mut self, name: &str, found: Directory, entries: &Entries) -> Result<(), Error> {
        let label = format!("custom_nodes/{}", found.name);
        let Some(receipt) = found.receipt.filter(|_| !found.is_users) else {
            if found.is_users || !is_copy(&found.directory, entries)? {
                // Should the user remove it, it stays removed.
                self.states.insert(name.to_owned(), NodeState::Installed);
                self.foreign.push(found.name);
                return Ok(());
            }
            return self.push(
                name,
                found.directory,
                label,
                Receipt::default(),
                entries.clone(),
            );
        };
        self.push(name, found.directory, label, receipt, entries.clone())
    }

    /// A node that is here, and that the image has no more.
    fn retire(&mut self, name: &str, found: Directory) -> Result<(), Error> {
        // Without a receipt it is the user's by now: we forget it.
        let Some(receipt) = found.receipt.filter(|_| !found.is_users) else {
            return Ok(());
        };
        if receipt.is_retired && found.name.ends_with(DISABLED) {
            return Ok(());
        }
        let label = format!("custom_nodes/{}", found.name);
        self.push(name, found.directory, label, receipt, Entries::new())?;
        self.states.insert(name.to_owned(), NodeState::Going);
        self.retiring.insert(name.to_owned());
        Ok(())
    }

    fn push(
        &mut self,
        name: &str,
        directory: PathBuf,
        label: String,
        receipt: Receipt,
        entries: Entries,
    ) -> Result<(), Error> {
        self.states.insert(name.to_owned(), NodeState::Installed);
        let target = Target::plan(directory, label, Policy::Keep, receipt, entries, false)?;
        self.targets.push(target);
        Ok(())
    }
}

/// A node's directory as it was found.
struct Directory {
    name: String,
    directory: PathBuf,
    receipt: Option<Receipt>,
    /// A link, a checkout, or what the Manager installed over ours.
    is_users: bool,
}

/// Finds a node under one of its names: the one that we put there, or else the first.
fn locate(custom_nodes: &Path, name: &str) -> Result<Option<Directory>, Error> {
    let mut found: Option<Directory> = None;
    for suffix in ["", DISABLED, RETIRED] {
        let directory_name = format!("{name}{suffix}");
        let directory = custom_nodes.join(&directory_name);
        let Some(metadata) = look(&directory)? else {
            continue;
        };
        let is_users = !metadata.is_dir()
            || look(&directory.join(".git"))?.is_some()
            || look(&directory.join(".tracking"))?.is_some();
        let receipt = if is_users {
            None
        } else {
            Receipt::read(&directory)?
        };
        let is_ours = receipt.is_some();
        if is_ours || found.is_none() {
            found = Some(Directory {
                name: directory_name,
                directory,
                receipt,
                is_users,
            });
        }
        if is_ours {
            break;
        }
    }
    Ok(found)
}

/// Says whether a directory without a receipt is a copy of the image's node, whole or cut off.
fn is_copy(directory: &Path, entries: &Entries) -> Result<bool, Error> {
    for (path, entry) in entries {
        if find(&directory.join(path), Some(entry), None, false)? == Found::Other
            && !path.contains("__pycache__/")
        {
            return Ok(false);
        }
    }
    Ok(true)
}

/// Gives a retired node its name back, now that the image has it again. Atomic.
///
/// # Errors
///
/// It cannot be renamed.
pub fn recall(target: &mut Target) -> Result<(), Error> {
    if !std::mem::take(&mut target.receipt.is_retired) {
        return Ok(());
    }
    let old = target.directory.to_string_lossy().into_owned();
    let Some(name) = old.strip_suffix(RETIRED) else {
        return Ok(());
    };
    let directory = PathBuf::from(name);
    if look(&directory)?.is_none() {
        fs::rename(&target.directory, &directory).at("rename", &target.directory)?;
        target.label = target.label.replace(RETIRED, "");
        target.directory = directory;
    }
    Ok(())
}

/// Ends a node whose files are removed: nothing is left of it, or the user's files under a
/// name that ComfyUI passes over. Returns the name of what is left.
///
/// # Errors
///
/// Something cannot be removed or renamed.
pub fn end(target: &Target) -> Result<Option<PathBuf>, Error> {
    let directory = &target.directory;
    remove_byte_code(directory)?;
    let mut names = fs::read_dir(directory).at("list", directory)?;
    let only_receipt =
        names.all(|item| item.is_ok_and(|item| item.file_name() == crate::receipt::NAME));
    if only_receipt {
        crate::files::remove_tree(directory)?;
        return Ok(None);
    }
    let receipt = Receipt {
        is_retired: true,
        ..Receipt::default()
    };
    receipt.write(directory)?;
    let name = directory.to_string_lossy();
    if name.ends_with(DISABLED) {
        return Ok(Some(directory.clone()));
    }
    let mut retired = PathBuf::from(format!("{name}{RETIRED}"));
    for number in 2.. {
        if look(&retired)?.is_none() {
            break;
        }
        retired = PathBuf::from(format!("{name}.retired-{number}{DISABLED}"));
    }
    fs::rename(directory, &retired).at("rename", directory)?;
    Ok(Some(retired))
}

/// Removes byte code whose source is gone, and directories that are empty then.
///
/// # Errors
///
/// Something cannot be removed.
pub fn remove_byte_code(directory: &Path) -> Result<(), Error> {
    for item in fs::read_dir(directory).at("list", directory)? {
        let item = item.at("list", directory)?;
        let path = item.path();
        if !item.file_type().at("look at", &path)?.is_dir() {
            continue;
        }
        if item.file_name() != "__pycache__" {
            remove_byte_code(&path)?;
        } else {
            for file in fs::read_dir(&path).at("list", &path)? {
                let file = file.at("list", &path)?;
                let name = file.file_name().to_string_lossy().into_owned();
                let source = name.split('.').next().unwrap_or_default();
                if name.ends_with(".pyc")
                    && look(&directory.join(format!("{source}.py")))?.is_none()
                {
                    crate::files::remove_if_there(&file.path())?;
                }
            }
        }
        // Only an empty one goes.
        let _is_gone = fs::remove_dir(&path).is_ok();
    }
    Ok(())
}

impl Nodes {
    /// The paths of all nodes with one of these decisions, as messages name them.
    pub fn with(&self, decisions: &[Decision]) -> Vec<String> {
        self.targets
            .iter()
            .flat_map(|target| target.with(decisions).map(|path| target.name(path)))
            .collect()
    }
}
