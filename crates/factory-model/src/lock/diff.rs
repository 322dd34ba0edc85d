//! The difference between two locks. Pure.

use std::collections::{BTreeMap, BTreeSet};

use serde::Serialize;

/// One package, or source, as every kind of lock has it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    /// Name.
    pub name: String,
    /// Version; of a git tree the revision, shortened.
    pub version: String,
    /// Layer, in locks that have one.
    pub layer: Option<String>,
    /// Size of the file in bytes, where it is known.
    pub size: Option<u64>,
    /// Hash of the file or of the tree as the lock writes it; empty where another lock has it.
    pub hash: String,
}

/// What changes from one lock to the next.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Diff {
    /// Below `package-lists/locks`, without `.toml`.
    pub lock: String,
    /// There was no such lock.
    pub is_new: bool,
    /// Name and version.
    pub added: Vec<(String, String)>,
    /// Name and version.
    pub removed: Vec<(String, String)>,
    /// Name, version before, version now.
    pub changed: Vec<(String, String, String)>,
    /// Same version, other file.
    pub refiled: Vec<(String, String)>,
    /// Name, layer before, layer now.
    pub moved: Vec<(String, String, String)>,
    /// Number of packages now.
    pub packages: usize,
    /// Bytes more (or fewer) to download, without files of unknown size.
    pub size_change: i64,
    /// Files and trees of unknown size among what is added or changed.
    pub n_unknown_sizes: usize,
}

/// Compares two locks; `old` is None for a new one.
pub fn diff(lock: &str, old: Option<&[Entry]>, new: &[Entry]) -> Diff {
    let by_name = |entries: &[Entry]| -> BTreeMap<String, Entry> {
        entries
            .iter()
            .map(|entry| (entry.name.clone(), entry.clone()))
            .collect()
    };
    let mut diff = Diff {
        lock: lock.to_owned(),
        is_new: old.is_none(),
        packages: new.len(),
        ..Diff::default()
    };
    let (old, new) = (by_name(old.unwrap_or_default()), by_name(new));
    let names: BTreeSet<&String> = old.keys().chain(new.keys()).collect();
    for name in names {
        match (old.get(name), new.get(name)) {
            (None, Some(now)) => diff.added.push((name.clone(), now.version.clone())),
            (Some(was), None) => diff.removed.push((name.clone(), was.version.clone())),
            (Some(was), Some(now)) => {
                if was.version != now.version {
                    let versions = (name.clone(), was.version.clone(), now.version.clone());
                    diff.changed.push(versions);
                } else if was.hash != now.hash {
                    diff.refiled.push((name.clone(), now.version.clone()));
                }
                if was.layer != now.layer {
                    let layer = |entry: &Entry| entry.layer.clone().unwrap_or_default();
                    diff.moved.push((name.clone(), layer(was), layer(now)));
                }
            }
            (None, None) => {}
        }
    }
    let total = |entries: &BTreeMap<String, Entry>| -> i64 {
        let sum: u64 = entries.values().filter_map(|entry| entry.size).sum();
        i64::try_from(sum).unwrap_or(i64::MAX)
    };
    diff.size_change = total(&new) - total(&old);
    let is_same = |was: &Entry, now: &Entry| was.version == now.version && was.hash == now.hash;
    diff.n_unknown_sizes = new
        .values()
        .filter(|now| now.size.is_none())
        .filter(|now| !old.get(&now.name).is_some_and(|was| is_same(was, now)))
        .count();
    diff
}

impl Diff {
    /// Whether the locks hold the same packages.
    pub fn is_empty(&self) -> bool {
        !self.is_new
            && self.added.is_empty()
            && self.removed.is_empty()
            && self.changed.is_empty()
            && self.refiled.is_empty()
            && self.moved.is_empty()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn entry(name: &str, version: &str, layer: &str, size: u64) -> Entry {
        Entry {
            name: name.into(),
            version: version.into(),
            layer: Some(layer.into()),
            size: Some(size),
            hash: format!("{name}{version}{size}"),
        }
    }

    #[test]
    fn ok_all_kinds() {
        let old = [
            entry("a", "1", "05-pak3", 10),
            entry("b", "1", "05-pak3", 2_000),
            entry("c", "1", "05-pak3", 10),
            entry("d", "1", "05-pak3", 10),
        ];
        let new = [
            entry("a", "2", "05-pak3", 10),
            entry("c", "1", "04-pytorch", 10),
            entry("d", "1", "05-pak3", 12),
            entry("e", "1", "05-pak3", 10),
        ];
        let changes = diff("python/slim", Some(&old), &new);
        let pair = |name: &str, version: &str| (name.to_owned(), version.to_owned());
        let triple =
            |name: &str, was: &str, now: &str| (name.to_owned(), was.to_owned(), now.to_owned());
        let expected = Diff {
            lock: "python/slim".to_owned(),
            is_new: false,
            added: vec![pair("e", "1")],
            removed: vec![pair("b", "1")],
            changed: vec![triple("a", "1", "2")],
            refiled: vec![pair("d", "1")],
            moved: vec![triple("c", "05-pak3", "04-pytorch")],
            packages: 4,
            size_change: -1988,
            n_unknown_sizes: 0,
        };
        assert_eq!(changes, expected);
        assert!(!changes.is_empty());
        assert!(diff("x", Some(&new), &new).is_empty());
        let first = diff("x", None, &new);
        assert_eq!((first.is_new, first.size_change), (true, 42));
    }

    #[test]
    fn ok_unknown_sizes() {
        let unknown = |version: &str| Entry {
            size: None,
            ..entry("f", version, "04-pytorch", 0)
        };
        let of = |old: Option<&[Entry]>, new: &str| {
            let changes = diff("x", old, &[unknown(new)]);
            (changes.size_change, changes.n_unknown_sizes)
        };
        assert_eq!(of(None, "1"), (0, 1));
        assert_eq!(of(Some(&[unknown("1")]), "2"), (0, 1));
        assert_eq!(of(Some(&[unknown("2")]), "2"), (0, 0));
    }
}
