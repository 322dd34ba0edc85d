//! Which blob of its layer each package goes to, so that a change of one moves little else.
//!
//! Large packages have a blob each. The others are grouped by a hash of their name, so that a
//! group does not shift when a package comes or goes (docs/design/D14-compressed-blobs.md).

use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet};
use std::num::NonZeroUsize;

use serde::{Deserialize, Serialize};

use crate::digest::Digest;

/// Says how finely a layer is cut.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Partition {
    /// The layer has no more blobs than this. A quarter of them is for groups of small packages,
    /// an eighth for groups of large ones, rounded up and down.
    pub max_blobs: NonZeroUsize,
    /// A package of this size or more has a blob of its own, while there are enough: the
    /// largest ones come first. Those for which there are none are grouped apart from small
    /// packages, which are many and change more often.
    pub alone_from_bytes: u64,
}

impl Partition {
    /// Gives the number of its blob to each tree, from the name of its package and its size.
    ///
    /// Trees of one package stay together. A package that comes, goes or changes is the only
    /// one to move, but for one other at most: the smallest that has a blob of its own, or the
    /// largest that has none.
    pub fn assign(&self, trees: &[(&str, u64)]) -> Vec<usize> {
        let mut package_bytes: BTreeMap<&str, u64> = BTreeMap::new();
        for (name, n_bytes) in trees {
            *package_bytes.entry(name).or_default() += n_bytes;
        }
        let n_groups = self.max_blobs.get().div_ceil(4);
        let mut large: Vec<(Reverse<u64>, &str)> = package_bytes
            .iter()
            .filter(|(_, n_bytes)| **n_bytes >= self.alone_from_bytes)
            .map(|(name, n_bytes)| (Reverse(*n_bytes), *name))
            .collect();
        large.sort();
        let n_large_groups = self.max_blobs.get() / 8;
        let n_alone = self.max_blobs.get() - n_groups - n_large_groups;
        let names: Vec<&str> = large.into_iter().map(|(_, name)| name).collect();
        let (alone, rest) = names.split_at(n_alone.min(names.len()));
        let alone: BTreeSet<&str> = alone.iter().copied().collect();
        let in_large_groups: BTreeSet<&str> = match n_large_groups {
            0 => BTreeSet::new(),
            _ => rest.iter().copied().collect(),
        };

        // In the layer's order: large packages by name, then the groups of large ones, then the
        // others.
        let place = |name| match alone.contains(name) {
            true => (0, name),
            false if in_large_groups.contains(name) => (1 + group(name, n_large_groups), ""),
            false => (1 + n_large_groups + group(name, n_groups), ""),
        };
        let places: BTreeSet<(usize, &str)> =
            package_bytes.keys().map(|name| place(name)).collect();
        let numbers: BTreeMap<(usize, &str), usize> = places.into_iter().zip(0..).collect();
        trees
            .iter()
            .map(|(name, _)| numbers[&place(name)])
            .collect()
    }
}

/// Returns a number below `n_groups` that depends on the name only.
fn group(name: &str, n_groups: usize) -> usize {
    let hex = Digest::of(name.as_bytes()).hex();
    let number = u64::from_str_radix(&hex[..15], 16).unwrap_or_default();
    usize::try_from(number % n_groups as u64).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn partition(max_blobs: usize) -> Partition {
        Partition {
            max_blobs: NonZeroUsize::new(max_blobs).unwrap(),
            alone_from_bytes: 100,
        }
    }

    #[test]
    fn ok_large_ones_alone_and_the_rest_in_groups() {
        let trees = [
            ("torch", 60),
            ("numpy", 100),
            ("pip", 1),
            ("torch", 60),
            ("wheel", 99),
            ("zlib", 300),
        ];
        // One group of two blobs, and only the largest alone.
        assert_eq!(partition(2).assign(&trees), [1, 1, 1, 1, 1, 0]);
        assert_eq!(partition(1).assign(&trees), [0; 6]);
        assert_eq!(partition(4).assign(&trees), [1, 0, 3, 1, 3, 2]);
        assert_eq!(partition(4).assign(&[]), [0; 0]);
    }

    #[test]
    fn ok_large_ones_without_a_blob_are_apart_from_small_ones() {
        let names: Vec<String> = (0..40).map(|number| format!("package-{number}")).collect();
        // 20 of them are large.
        let sizes = (0..40).map(|number| if number % 2 == 0 { 100 + number } else { 1 });
        let trees: Vec<(&str, u64)> = names.iter().map(String::as_str).zip(sizes).collect();
        let numbers = partition(16).assign(&trees);
        let of = |is_large: bool| -> BTreeSet<usize> {
            let all = trees.iter().zip(&numbers);
            all.filter(|((_, size), _)| (*size >= 100) == is_large)
                .map(|(_, number)| *number)
                .collect()
        };
        assert!(of(true).is_disjoint(&of(false)), "{numbers:?}");
        // Ten alone, two groups, and four groups of small ones.
        assert_eq!((of(true).len(), of(false).len()), (12, 4));
    }

    #[test]
    fn ok_groups_are_used_evenly() {
        let names: Vec<String> = (0..1000)
            .map(|number| format!("package-{number}"))
            .collect();
        let mut counts = [0; 4];
        for name in &names {
            counts[group(name, 4)] += 1;
        }
        assert!(
            counts.iter().all(|count| (200..300).contains(count)),
            "{counts:?}"
        );
        // A change here moves every package of every published image.
        assert_eq!(
            ["numpy", "torch", "pip"].map(|name| group(name, 1000)),
            [637, 762, 634]
        );
    }
}
