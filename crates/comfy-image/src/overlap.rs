//! Finds what a layer would change of the layers below it.
//!
//! An image layer names files and their parents, and each of them wins over the layers below:
//! `lib/x` above a merged `/usr` would cut off `/lib`, `tmp/x` would take the sticky bit from
//! `/tmp`, and a file would take the place of another package's. None of it is an error to an
//! engine, so it is one here.

use std::collections::BTreeMap;
use std::collections::btree_map::Entry as Slot;
use std::num::NonZeroUsize;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use crate::compare;
use crate::error::{Error, MAX_CONFLICTS, Overlap, Owner, show};
use crate::layer::{LayerSpec, TreeRef};
use crate::parallel;
use crate::tree::{self, Kind, Name, Names};

/// Allows packages to replace files of one another in another layer, for a reason.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Replacement {
    /// Files and symlinks, and directories whose mode changes, relative to the root.
    pub paths: Vec<String>,
    /// The packages, without their versions: each may replace the others' below it.
    pub packages: Vec<String>,
    /// Why that does no harm.
    pub reason: String,
}

impl Replacement {
    fn allows(&self, path: &[u8], lower: &TreeRef, upper: &TreeRef) -> bool {
        let names = |tree: &TreeRef| self.packages.iter().any(|name| name == tree.name());
        self.paths.iter().any(|known| known.as_bytes() == path) && names(lower) && names(upper)
    }

    fn check(&self) -> Result<(), Error> {
        if self.reason.trim().is_empty() || self.paths.is_empty() || self.packages.len() < 2 {
            let reason = format!(
                "a replacement needs paths, two packages and a reason: `{}`",
                self.paths.join(" ")
            );
            return Err(Error::invalid("image request", reason));
        }
        Ok(())
    }
}

/// The layers so far, as one root.
struct Below {
    members: BTreeMap<Vec<u8>, Member>,
    /// Each tree, with the name of its layer and its root.
    trees: Vec<(TreeRef, String, PathBuf)>,
}

/// A member of the root, and the tree that it comes from.
struct Member {
    name: Name,
    tree: usize,
}

/// Refuses layers, lowest first, of which one would change another, unless that is allowed.
pub(crate) fn check(
    layers: &[LayerSpec],
    replacements: &[Replacement],
    jobs: NonZeroUsize,
    store_root: Option<&Path>,
) -> Result<(), Error> {
    for replacement in replacements {
        replacement.check()?;
    }
    let mut below = Below {
        members: BTreeMap::new(),
        trees: Vec::new(),
    };
    let (mut overlaps, mut n_overlaps) = (Vec::new(), 0);
    for layer in layers {
        let own = below.list(layer, jobs, store_root)?;
        for (path, upper) in &own {
            let Some(overlap) = below.overlap(path, upper, replacements)? else {
                continue;
            };
            n_overlaps += 1;
            if overlaps.len() < MAX_CONFLICTS {
                overlaps.push(overlap);
            }
        }
        below.members.extend(own);
    }
    if n_overlaps == 0 {
        Ok(())
    } else {
        Err(Error::Overlaps {
            overlaps,
            n_overlaps,
        })
    }
}

impl Below {
    /// Lists what a layer has at each path: what its trees agree on.
    fn list(
        &mut self,
        layer: &LayerSpec,
        jobs: NonZeroUsize,
        store_root: Option<&Path>,
    ) -> Result<BTreeMap<Vec<u8>, Member>, Error> {
        // A root that is cut is in the layer with all of its parts: it is listed once, and whole.
        let mut trees: Vec<TreeRef> = Vec::new();
        for tree in layer.blobs.iter().flat_map(|blob| &blob.trees) {
            let is_part = !tree.only.is_empty();
            if !(is_part && trees.iter().any(|other| other.path == tree.path)) {
                trees.push(TreeRef {
                    only: Vec::new(),
                    ..tree.clone()
                });
            }
        }
        let contents: Vec<Names> =
            parallel::map(&trees, jobs, |_, tree| tree::names(tree, store_root))?;
        let mut own: BTreeMap<Vec<u8>, Member> = BTreeMap::new();
        for (tree, names) in trees.into_iter().zip(contents) {
            let number = self.trees.len();
            let root = tree::root_of(&tree, store_root);
            self.trees.push((tree, layer.name.to_string(), root));
            for (path, name) in names {
                let member = Member { name, tree: number };
                match own.entry(path) {
                    Slot::Vacant(slot) => {
                        slot.insert(member);
                    }
                    // The mode that a package asks for is the directory's in the whole layer.
                    Slot::Occupied(mut slot) if member.name.explicit_mode.is_some() => {
                        slot.insert(member);
                    }
                    Slot::Occupied(_) => {}
                }
            }
        }
        Ok(own)
    }

    fn overlap(
        &self,
        path: &[u8],
        upper: &Member,
        replacements: &[Replacement],
    ) -> Result<Option<Overlap>, Error> {
        let Some(lower) = self.members.get(path) else {
            return Ok(None);
        };
        let ((lower_tree, _, lower_root), (upper_tree, _, upper_root)) =
            (&self.trees[lower.tree], &self.trees[upper.tree]);
        let (one, other) = (
            tree::look(upper_root, path, upper.name)?,
            tree::look(lower_root, path, lower.name)?,
        );
        let has_directory = [&one, &other].map(|entry| entry.kind == Kind::Directory);
        let difference = if has_directory == [true, true] {
            (one.mode != other.mode).then(|| compare::modes(&one, &other))
        } else {
            compare::difference(path, (&one, upper_root), (&other, lower_root))?
        };
        // What is below a directory would go with it: no declaration covers that.
        let is_allowed = || {
            has_directory[0] == has_directory[1]
                && replacements
                    .iter()
                    .any(|replacement| replacement.allows(path, lower_tree, upper_tree))
        };
        Ok(difference
            .filter(|_| !is_allowed())
            .map(|difference| Overlap {
                path: show(path),
                lower: self.owner(lower),
                upper: self.owner(upper),
                difference,
            }))
    }

    fn owner(&self, member: &Member) -> Owner {
        let (tree, layer, _) = &self.trees[member.tree];
        Owner {
            layer: layer.clone(),
            package: tree.package.clone(),
            tree: tree.path.clone(),
        }
    }
}
