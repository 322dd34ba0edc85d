//! Packages of two images: added, removed, changed, moved.

use std::collections::{BTreeMap, BTreeSet};

use serde::Serialize;

/// A package in a layer.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Package {
    /// The layer, where it is known.
    pub layer: Option<String>,
    /// The name.
    pub name: String,
    /// The version; empty for what has none.
    pub version: String,
}

/// How one package differs. A package that is in two layers counts in each.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(tag = "change", rename_all = "lowercase")]
pub enum PackageChange {
    /// It is new.
    Added {
        /// Where.
        layer: Option<String>,
        /// Its name.
        name: String,
        /// Its version; empty for what has none.
        version: String,
    },
    /// It is gone.
    Removed {
        /// Where it was.
        layer: Option<String>,
        /// Its name.
        name: String,
        /// The version that it had.
        version: String,
    },
    /// It has another version.
    Changed {
        /// Where.
        layer: Option<String>,
        /// Its name.
        name: String,
        /// The version that it had.
        was: String,
        /// The version that it has.
        now: String,
    },
    /// It is in another layer.
    Moved {
        /// Its name.
        name: String,
        /// The layer that it was in.
        from: Option<String>,
        /// The layer that it is in.
        layer: Option<String>,
        /// The version that it had.
        was: String,
        /// The version that it has.
        now: String,
    },
}

impl Package {
    /// Reads `numpy 2.4.0`, as package trees are named.
    pub fn parse(layer: Option<&str>, text: &str) -> Self {
        let (name, version) = text.split_once(' ').unwrap_or((text, ""));
        Self {
            layer: layer.map(str::to_owned),
            name: name.to_owned(),
            version: version.to_owned(),
        }
    }
}

impl PackageChange {
    /// Name of the package.
    pub fn name(&self) -> &str {
        match self {
            Self::Added { name, .. }
            | Self::Removed { name, .. }
            | Self::Changed { name, .. }
            | Self::Moved { name, .. } => name,
        }
    }

    /// The layer that it is in, or was in before it was removed.
    pub fn layer(&self) -> Option<&str> {
        match self {
            Self::Added { layer, .. }
            | Self::Removed { layer, .. }
            | Self::Changed { layer, .. }
            | Self::Moved { layer, .. } => layer.as_deref(),
        }
    }

    /// The word for it in a table.
    pub fn verb(&self) -> &'static str {
        match self {
            Self::Added { .. } => "added",
            Self::Removed { .. } => "removed",
            Self::Changed { .. } => "changed",
            Self::Moved { .. } => "moved",
        }
    }

    /// Name and versions: `numpy 2.4.0 -> 2.4.1`.
    pub fn describe(&self) -> String {
        let text = match self {
            Self::Added { name, version, .. } | Self::Removed { name, version, .. } => {
                format!("{name} {version}")
            }
            Self::Changed { name, was, now, .. } => format!("{name} {was} -> {now}"),
            Self::Moved {
                name,
                from,
                was,
                now,
                ..
            } => {
                let from = from.as_deref().unwrap_or("elsewhere");
                if was == now {
                    format!("{name} {now} from {from}")
                } else {
                    format!("{name} {was} -> {now} from {from}")
                }
            }
        };
        text.trim_end().to_owned()
    }
}

/// Compares the packages of two images. The result is in the order of layers and names.
pub fn compare_packages(
    old: impl IntoIterator<Item = Package>,
    new: impl IntoIterator<Item = Package>,
) -> Vec<PackageChange> {
    let (old, new) = (by_place(old), by_place(new));
    let places: BTreeSet<&(Option<String>, String)> = old.keys().chain(new.keys()).collect();
    let mut changes = BTreeSet::new();
    // What left one layer and came to another, by name.
    let mut left: BTreeMap<&str, Vec<(&Option<String>, &str)>> = BTreeMap::new();
    let mut came: Vec<(&Option<String>, &str, &str)> = Vec::new();
    for place in places {
        let (layer, name) = place;
        match (old.get(place), new.get(place)) {
            (Some(was), None) => left.entry(name).or_default().push((layer, was)),
            (None, Some(now)) => came.push((layer, name, now)),
            (Some(was), Some(now)) if was != now => {
                changes.insert(PackageChange::Changed {
                    layer: layer.clone(),
                    name: name.clone(),
                    was: was.clone(),
                    now: now.clone(),
                });
            }
            _ => {}
        }
    }
    for (layer, name, now) in came {
        let before = left.get_mut(name).and_then(Vec::pop);
        changes.insert(match before {
            Some((from, was)) => PackageChange::Moved {
                name: name.to_owned(),
                from: from.clone(),
                layer: layer.clone(),
                was: was.to_owned(),
                now: now.to_owned(),
            },
            None => PackageChange::Added {
                layer: layer.clone(),
                name: name.to_owned(),
                version: now.to_owned(),
            },
        });
    }
    for (name, places) in left {
        changes.extend(
            places
                .into_iter()
                .map(|(layer, was)| PackageChange::Removed {
                    layer: layer.clone(),
                    name: name.to_owned(),
                    version: was.to_owned(),
                }),
        );
    }
    let mut changes: Vec<PackageChange> = changes.into_iter().collect();
    changes.sort_by(|one, other| (one.layer(), one.name()).cmp(&(other.layer(), other.name())));
    changes
}

/// The version at each place; a package that is twice in a layer counts once.
fn by_place(
    packages: impl IntoIterator<Item = Package>,
) -> BTreeMap<(Option<String>, String), String> {
    packages
        .into_iter()
        .map(|package| ((package.layer, package.name), package.version))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn packages(texts: &[&str]) -> Vec<Package> {
        let split = |text: &&str| {
            let (layer, package) = text.split_once('/').unwrap();
            Package::parse(Some(layer), package)
        };
        texts.iter().map(split).collect()
    }

    #[test]
    fn ok_all_kinds() {
        let old = packages(&[
            "01/nvtx 1",
            "04/nvtx 1",
            "05/a 1",
            "05/b 1",
            "05/c 1",
            "05/files",
        ]);
        let new = packages(&[
            "01/nvtx 1",
            "04/nvtx 2",
            "04/c 1",
            "05/b 2",
            "05/d 1",
            "05/files",
        ]);
        let changes = compare_packages(old.clone(), new);
        let shown: Vec<String> = changes
            .iter()
            .map(|one| format!("{} {} {}", one.layer().unwrap(), one.verb(), one.describe()))
            .collect();
        insta::assert_snapshot!(shown.join("\n"), @r"
        04 moved c 1 from 05
        04 changed nvtx 1 -> 2
        05 removed a 1
        05 changed b 1 -> 2
        05 added d 1
        ");
        assert_eq!(compare_packages(old.clone(), old), []);
    }

    proptest! {
        /// Each package that differs is named once, and applying the changes gives the new set.
        #[test]
        fn ok_changes_lead_from_old_to_new(
            old in proptest::collection::btree_map(("[12]", "[a-e]"), "[12]", 0..10),
            new in proptest::collection::btree_map(("[12]", "[a-e]"), "[12]", 0..10),
        ) {
            let list = |map: &BTreeMap<(String, String), String>| -> Vec<Package> {
                map.iter()
                    .map(|((layer, name), version)| Package::parse(Some(layer), &format!("{name} {version}")))
                    .collect()
            };
            let changes = compare_packages(list(&old), list(&new));
            let mut applied = by_place(list(&old));
            let place = |layer: &Option<String>, name: &String| (layer.clone(), name.clone());
            for change in &changes {
                match change {
                    PackageChange::Removed { layer, name, version } => {
                        prop_assert_eq!(applied.remove(&place(layer, name)), Some(version.clone()));
                    }
                    PackageChange::Moved { name, from, was, .. } => {
                        prop_assert_eq!(applied.remove(&place(from, name)), Some(was.clone()));
                    }
                    _ => {}
                }
            }
            for change in &changes {
                match change {
                    PackageChange::Added { layer, name, version: now }
                    | PackageChange::Changed { layer, name, now, .. }
                    | PackageChange::Moved { name, layer, now, .. } => {
                        let before = applied.insert(place(layer, name), now.clone());
                        prop_assert_eq!(before.is_some(), matches!(change, PackageChange::Changed { .. }));
                    }
                    PackageChange::Removed { .. } => {}
                }
            }
            prop_assert_eq!(applied, by_place(list(&new)));
        }
    }
}
