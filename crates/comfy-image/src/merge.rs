//! Merges the trees of a logical layer and lays the result out in blobs.
//!
//! **Invariant**: each path is written once per blob, after its parents, the root first;
//! a file is in one blob only; a directory has the same mode in every blob.

use std::collections::BTreeMap;
use std::path::PathBuf;

use crate::compare;
use crate::error::{Conflict, Error, MAX_CONFLICTS, show};
use crate::tar_header::{BLOCK_BYTES, END, header, padding};
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

/// Is what the trees of a layer become.
#[derive(Debug)]
pub(crate) struct Merged {
    pub(crate) blobs: Vec<BlobPlan>,
    /// Directories with a mode of their own.
    pub(crate) directory_modes: BTreeMap<Vec<u8>, u32>,
    /// Symlinks that stand for a directory of this layer.
    pub(crate) directory_symlinks: Vec<Vec<u8>>,
}

/// Returns what a member takes in a tar.
pub(crate) fn tar_bytes(path: &[u8], entry: &Entry) -> u64 {
    let content_bytes = entry.content_bytes();
    header(path, entry.member_kind(), entry.mode).len() as u64
        + content_bytes
        + padding(content_bytes) as u64
}

/// Assigns each tree to a blob: in order, never split, a new blob when the limit would be passed.
pub(crate) fn assign(tree_bytes: &[u64], max_blob_bytes: u64) -> Vec<usize> {
    let mut blob = 0;
    let mut blob_bytes: u64 = 0;
    // Beside its trees, a blob has a header for the root and an end.
    let limit = max_blob_bytes.saturating_sub(BLOCK_BYTES + END.len() as u64);
    tree_bytes
        .iter()
        .map(|tree_bytes| {
            let is_over = blob_bytes.saturating_add(*tree_bytes) > limit;
            if blob_bytes > 0 && *tree_bytes > 0 && is_over {
                blob += 1;
                blob_bytes = 0;
            }
            blob_bytes = blob_bytes.saturating_add(*tree_bytes);
            blob
        })
        .collect()
}

struct Owned {
    entry: Entry,
    tree: usize,
    /// For a directory: the blobs that mention it, ascending.
    blobs: Vec<usize>,
}

/// Merges trees, in order; `blob` of each must not decrease.
pub(crate) fn merge(layer: &str, trees: &mut [Listed]) -> Result<Merged, Error> {
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
                        blobs: vec![blob],
                    },
                );
                continue;
            };
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
    Ok(lay_out(owned, trees.last().map_or(0, |tree| tree.blob + 1)))
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
            let blob = trees[second_tree].blob;
            if first.blobs.last() != Some(&blob) {
                first.blobs.push(blob);
            }
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

fn lay_out(owned: BTreeMap<Vec<u8>, Owned>, n_blobs: usize) -> Merged {
    let directory_symlinks = directory_symlinks(&owned);
    let mut directory_modes = BTreeMap::new();
    let mut blobs: Vec<BlobPlan> = (0..n_blobs).map(|_| BlobPlan::default()).collect();
    for (
        path,
        Owned {
            entry,
            tree,
            blobs: numbers,
        },
    ) in owned
    {
        if entry.kind == Kind::Directory && entry.has_explicit_mode {
            directory_modes.insert(path.clone(), entry.mode);
        }
        for number in numbers {
            if blobs[number].members.is_empty() {
                blobs[number].push(root());
            }
            blobs[number].push(Member {
                path: path.clone(),
                entry: entry.clone(),
                tree,
            });
        }
    }
    for blob in &mut blobs {
        if !blob.members.is_empty() {
            blob.size_bytes += END.len() as u64;
        }
    }
    Merged {
        blobs,
        directory_modes,
        directory_symlinks,
    }
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

fn directory_symlinks(owned: &BTreeMap<Vec<u8>, Owned>) -> Vec<Vec<u8>> {
    let is_symlink = |owned: &Owned| matches!(owned.entry.kind, Kind::Symlink { .. });
    let to_directory = |path: &[u8]| {
        // Symlinks that point at each other end nowhere; the kernel gives up at 40, too.
        let mut path = path.to_vec();
        for _ in 0..40 {
            match owned.get(&path).map(|owned| &owned.entry.kind) {
                Some(Kind::Directory) => return true,
                Some(Kind::Symlink { target }) => path = join_target(&path, target),
                Some(Kind::File { .. }) | None => return false,
            }
        }
        false
    };
    owned
        .iter()
        .filter(|(path, owned)| is_symlink(owned) && to_directory(path))
        .map(|(path, _)| path.clone())
        .collect()
}

/// Returns where a symlink points, relative to the root; other symlinks on the way are not followed.
fn join_target(path: &[u8], target: &[u8]) -> Vec<u8> {
    let mut parts: Vec<&[u8]> = Vec::new();
    if !target.starts_with(b"/") {
        parts.extend(path.split(|byte| *byte == b'/'));
        parts.pop();
    }
    for part in target.split(|byte| *byte == b'/') {
        match part {
            b"" | b"." => {}
            b".." => {
                parts.pop();
            }
            _ => parts.push(part),
        }
    }
    parts.join(&b'/')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ok_greedy_groups() {
        for (sizes, limit, expected) in [
            (&[][..], 10_000, &[][..]),
            (&[5000, 3000, 3000, 9000, 100], 10_000, &[0, 0, 1, 2, 3]),
            (&[20_000, 0, 1, 20_000], 10_000, &[0, 0, 1, 2]),
            (&[0, 20_000, 0], 10_000, &[0, 0, 0]),
            (&[4232, 4232], 10_000, &[0, 0]),
            (&[4232, 4233], 10_000, &[0, 1]),
            (&[1, 1], 0, &[0, 1]),
        ] {
            assert_eq!(assign(sizes, limit), expected, "{sizes:?}");
        }
    }

    #[test]
    fn ok_symlink_targets() {
        for (path, target, expected) in [
            ("lib", "usr/lib", "usr/lib"),
            ("usr/lib64", "../lib", "lib"),
            ("a/b/c", "/x/./y/", "x/y"),
            ("a", "../../..", ""),
        ] {
            assert_eq!(
                join_target(path.as_bytes(), target.as_bytes()),
                expected.as_bytes()
            );
        }
    }
}
