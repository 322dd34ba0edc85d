//! The difference between two locks, for people and as JSON. Pure.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

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

impl fmt::Display for Diff {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let sign = if self.size_change < 0 { "-" } else { "+" };
        let mut size = factory_base::text::bytes(self.size_change.unsigned_abs());
        if self.n_unknown_sizes > 0 {
            size.push_str(&format!(", and {} of unknown size", self.n_unknown_sizes));
        }
        if self.is_new {
            return write!(
                formatter,
                "{}: new, {} packages, {size}",
                self.lock, self.packages
            );
        }
        write!(
            formatter,
            "{}: {} packages, {sign}{size}",
            self.lock, self.packages
        )?;
        for (name, version) in &self.added {
            write!(formatter, "\n  added    {name} {version}")?;
        }
        for (name, version) in &self.removed {
            write!(formatter, "\n  removed  {name} {version}")?;
        }
        for (name, was, now) in &self.changed {
            write!(formatter, "\n  changed  {name} {was} -> {now}")?;
        }
        for (name, version) in &self.refiled {
            write!(formatter, "\n  new file {name} {version}")?;
        }
        for (name, was, now) in &self.moved {
            write!(formatter, "\n  moved    {name} {was} -> {now}")?;
        }
        Ok(())
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
        insta::assert_snapshot!(diff("python/slim", Some(&old), &new), @r"
        python/slim: 4 packages, -2.0 kB
          added    e 1
          removed  b 1
          changed  a 1 -> 2
          new file d 1
          moved    c 05-pak3 -> 04-pytorch
        ");
        assert!(diff("x", Some(&new), &new).is_empty());
        assert_eq!(
            diff("x", None, &new).to_string(),
            "x: new, 4 packages, 42 B"
        );
        let unknown = |version: &str| Entry {
            size: None,
            ..entry("f", version, "04-pytorch", 0)
        };
        assert_eq!(
            diff("x", None, &[unknown("1")]).to_string(),
            "x: new, 1 packages, 0 B, and 1 of unknown size"
        );
        let diff = diff("x", Some(&[unknown("1")]), &[unknown("2")]);
        insta::assert_snapshot!(diff, @r"
        x: 1 packages, +0 B, and 1 of unknown size
          changed  f 1 -> 2
        ");
        assert_eq!(
            super::diff("x", Some(&[unknown("2")]), &[unknown("2")]).n_unknown_sizes,
            0
        );
    }
}
