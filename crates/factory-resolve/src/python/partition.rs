//! Which layer owns a package: the earliest one whose list needs it, transitively. Pure.

use std::collections::{BTreeMap, BTreeSet};

use super::name::PackageName;

/// Assigns layers. `lists` gives, per package, the index of the first layer whose list
/// names it; `parents` the packages that require it. What nothing needs is absent.
pub(super) fn partition(
    parents: &BTreeMap<PackageName, BTreeSet<PackageName>>,
    lists: &BTreeMap<PackageName, usize>,
) -> BTreeMap<PackageName, usize> {
    let mut children: BTreeMap<&PackageName, Vec<&PackageName>> = BTreeMap::new();
    for (child, parents) in parents {
        for parent in parents {
            children.entry(parent).or_default().push(child);
        }
    }
    let mut roots: Vec<(usize, &PackageName)> =
        lists.iter().map(|(name, layer)| (*layer, name)).collect();
    roots.sort_unstable();
    let mut assigned = BTreeMap::new();
    for (layer, root) in roots {
        let mut stack = vec![root];
        while let Some(name) = stack.pop() {
            if assigned.contains_key(name) {
                continue;
            }
            assigned.insert(name.clone(), layer);
            stack.extend(children.get(name).into_iter().flatten());
        }
    }
    assigned
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn name(index: usize) -> PackageName {
        format!("p{index}").parse().unwrap()
    }

    proptest! {
        /// A package is never in a later layer than something that needs it.
        #[test]
        fn ok_dependencies_come_no_later(
            edges in prop::collection::btree_set((0usize..8, 0usize..8), 0..20),
            lists in prop::collection::btree_map(0usize..8, 0usize..5, 0..8),
        ) {
            let mut parents: BTreeMap<PackageName, BTreeSet<PackageName>> = BTreeMap::new();
            for (parent, child) in &edges {
                parents.entry(name(*child)).or_default().insert(name(*parent));
            }
            let lists: BTreeMap<PackageName, usize> =
                lists.into_iter().map(|(index, layer)| (name(index), layer)).collect();
            let layers = partition(&parents, &lists);
            for (parent, child) in &edges {
                if let Some(layer) = layers.get(&name(*parent)) {
                    prop_assert!(layers[&name(*child)] <= *layer);
                }
            }
            for (named, layer) in &lists {
                prop_assert!(layers[named] <= *layer);
            }
        }
    }
}
