//! Merges the trees of a logical layer and lays the result out in blobs.
//!
//! **Invariant**: each path is written once per blob, after its parents, the root first;
//! a blob has all that its trees have, whatever other blobs have; a directory has the same
//! mode in every blob.

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;

use crate::compare;
use crate::error::{Conflict, Error, MAX_CONFLICTS, show};
use crate::tar_header::{END, header, padding};
use crate::tree::{DIRECTORY_MODE, Entries, Entry, Kind};

/// Is one member of a blob.
#[derive(Debug)]
pub(crate) struct Member {
    pub(crate) path: Vec<u8>,
    pub(crate) entry: Entry,
    /// Index of the tree that the bytes come from.
    pub(crate) tree: usize,
}

/// Lists what one blob holds, in the order of the tar.
#[derive(Debug, Default)]
pub(crate) struct BlobPlan {
    pub(crate) members: Vec<Member>,
    /// Size of the tar.
    pub(crate) size_bytes: u64,
    pub(crate) n_files: u64,
    pub(crate) content_bytes: u64,
}

impl BlobPlan {
    fn push(&mut self, member: Member) {
        self.size_bytes += tar_bytes(&member.path, &member.entry);
        self.n_files += u64::from(member.entry.is_file());
        self.content_bytes += member.entry.content_bytes();
        self.members.push(member);
    }
}

/// Is a tree that has been listed.
#[derive(Debug)]
pub(crate) struct Listed {
    pub(crate) package: String,
    /// Where the files physically are.
    pub(crate) root: PathBuf,
    pub(crate) entries: Entries,
    /// The blob that takes this tree.
    pub(crate) blob: usize,
}

/// Returns what a member takes in a tar.
pub(crate) fn tar_bytes(path: &[u8], entry: &Entry) -> u64 {
    let content_bytes = entry.content_bytes();
    header(path, entry.member_kind(), entry.mode).len() as u64
        + content_bytes
        + padding(content_bytes) as u64
}

struct Owned {
    entry: Entry,
    tree: usize,
    /// The blobs whose trees have it.
    blobs: BTreeSet<usize>,
}

/// Merges trees, and returns what each blob holds.
pub(crate) fn merge(layer: &str, trees: &mut [Listed]) -> Result<Vec<BlobPlan>, Error> {
    let mut owned: BTreeMap<Vec<u8>, Owned> = BTreeMap::new();
    let mut conflicts = Vec::new();
    let mut n_conflicts = 0;
    for tree in 0..trees.len() {
        let blob = trees[tree].blob;
        for (path, entry) in std::mem::take(&mut trees[tree].entries) {
            let Some(first) = owned.get_mut(&path) else {
                owned.insert(
                    path,
                    Owned {
                        entry,
                        tree,
                        blobs: [blob].into(),
                    },
                );
                continue;
            };
            first.blobs.insert(blob);
            if let Some(difference) = combine(first, &entry, &path, trees, tree)? {
                n_conflicts += 1;
                if conflicts.len() < MAX_CONFLICTS {
                    conflicts.push(Conflict {
                        path: show(&path),
                        first: trees[first.tree].package.clone(),
                        second: trees[tree].package.clone(),
                        difference,
                    });
                }
            }
        }
    }
    if n_conflicts > 0 {
        return Err(Error::Conflicts {
            layer: layer.to_owned(),
            conflicts,
            n_conflicts,
        });
    }
    let n_blobs = trees.iter().map(|tree| tree.blob + 1).max().unwrap_or(0);
    Ok(lay_out(owned, n_blobs))
}

/// Adds a second owner of a path; returns how the two differ, if they do.
fn combine(
    first: &mut Owned,
    second: &Entry,
    path: &[u8],
    trees: &[Listed],
    second_tree: usize,
) -> Result<Option<String>, Error> {
    Ok(match (&first.entry.kind, &second.kind) {
        (Kind::Directory, Kind::Directory) => {
            match (first.entry.has_explicit_mode, second.has_explicit_mode) {
                (true, true) if first.entry.mode != second.mode => {
                    Some(compare::modes(&first.entry, second))
                }
                (false, true) => {
                    first.entry.mode = second.mode;
                    first.entry.has_explicit_mode = true;
                    first.tree = second_tree;
                    None
                }
                _ => None,
            }
        }
        _ => {
            let (one, other) = (&trees[first.tree].root, &trees[second_tree].root);
            compare::difference(path, (&first.entry, one), (second, other))?
        }
    })
}

fn lay_out(owned: BTreeMap<Vec<u8>, Owned>, n_blobs: usize) -> Vec<BlobPlan> {
    let mut blobs: Vec<BlobPlan> = (0..n_blobs).map(|_| BlobPlan::default()).collect();
    for (path, owned) in owned {
        for number in owned.blobs {
            if blobs[number].members.is_empty() {
                blobs[number].push(root());
            }
            blobs[number].push(Member {
                path: path.clone(),
                entry: owned.entry.clone(),
                tree: owned.tree,
            });
        }
    }
    for blob in &mut blobs {
        if !blob.members.is_empty() {
            blob.size_bytes += END.len() as u64;
        }
    }
    blobs
}

/// Returns the member for the root, without which podman gives a container's `/` mode 0555.
///
/// Its name in the tar is `/`: docker and podman pass over a `./`.
fn root() -> Member {
    Member {
        path: Vec::new(),
        entry: Entry {
            kind: Kind::Directory,
            mode: DIRECTORY_MODE,
            has_explicit_mode: false,
        },
        tree: 0,
    }
}
