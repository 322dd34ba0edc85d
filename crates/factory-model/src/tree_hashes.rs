//! Who computed the hash of each git tree, over what, and when: `package-lists/tree-hashes.toml`,
//! and the page that is written from it. Pure.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use serde::{Deserialize, Serialize};

use crate::lock::{GitTree, SourcesLock, SriSha256, short_revision};
use crate::schema;

/// Begins the file.
const HEAD: &str = "\
# Who computed the hash of each git tree of locks/sources.toml. `cargo xtask hash-sources`
# writes what it computed, and docs/sources.md; `published` and `note` are written by people.

";

/// `package-lists/tree-hashes.toml`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TreeHashes {
    /// 1.
    pub schema_version: u32,
    /// By the name in `sources.toml`.
    #[serde(default)]
    pub tree: BTreeMap<String, TreeHash>,
}

/// The hash of one tree.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TreeHash {
    /// The revision that it is of.
    pub rev: String,
    /// NAR hash without what the tree leaves out.
    pub nar_hash: SriSha256,
    /// The day on which our own code fetched the revision and computed this hash.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub computed: Option<Computed>,
    /// Who published this very hash, or that of the whole tree.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub published: Option<String>,
    /// What a reader should know.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub note: Option<String>,
}

/// What our own code found.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Computed {
    /// `YYYY-MM-DD`.
    pub date: String,
    /// Files and links.
    pub files: u64,
    /// Bytes of the files.
    pub bytes: u64,
}

/// Paths that a tree leaves out, and why.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LeftOut {
    /// As `sources.toml` has them.
    pub paths: Vec<String>,
    /// Why.
    pub reason: String,
    /// What does not work without them.
    pub disables: Option<String>,
}

impl Default for TreeHashes {
    fn default() -> Self {
        Self {
            schema_version: schema::VERSION,
            tree: BTreeMap::new(),
        }
    }
}

impl TreeHashes {
    /// Reads the file's text.
    ///
    /// # Errors
    /// It is no such file: what is wrong, and where.
    pub fn parse(text: &str) -> Result<Self, String> {
        let hashes: Self = toml::from_str(text).map_err(|error| error.to_string())?;
        schema::check(hashes.schema_version).map_err(|error| error.to_string())?;
        Ok(hashes)
    }

    /// The file's text.
    ///
    /// # Errors
    /// Never, for what [`TreeHashes::parse`] gave.
    pub fn text(&self) -> Result<String, toml::ser::Error> {
        Ok(format!("{HEAD}{}", toml::to_string(self)?))
    }

    /// Takes over what was computed for a tree; what people wrote stays.
    pub fn record(&mut self, name: &str, tree: &GitTree, computed: Computed) {
        let (published, note) = self
            .tree
            .remove(name)
            .map(|old| (old.published, old.note))
            .unwrap_or_default();
        let hash = TreeHash {
            rev: tree.rev.clone(),
            nar_hash: tree.nar_hash,
            computed: Some(computed),
            published,
            note,
        };
        self.tree.insert(name.to_owned(), hash);
    }

    /// What does not agree with the lock, a sentence for each tree.
    pub fn disagreements(&self, lock: &SourcesLock) -> Vec<String> {
        let locked = lock.git.iter().filter_map(|(name, tree)| {
            let Some(hash) = self.tree.get(name) else {
                return Some(format!("`{name}` is not in it"));
            };
            if hash.rev != tree.rev {
                return Some(format!("`{name}` has the revision {}", hash.rev));
            }
            if hash.nar_hash != tree.nar_hash {
                return Some(format!("`{name}` has the hash {}", hash.nar_hash));
            }
            let is_explained = hash.computed.is_some() || hash.published.is_some();
            (!is_explained).then(|| format!("nobody computed the hash of `{name}`"))
        });
        let names = self.tree.keys();
        let extra = names.filter(|name| !lock.git.contains_key(*name));
        locked
            .chain(extra.map(|name| format!("`{name}` is in no lock")))
            .collect()
    }

    /// The page for readers.
    pub fn page(&self, lock: &SourcesLock, left_out: &BTreeMap<String, Vec<LeftOut>>) -> String {
        let n_computed = self.tree.values().filter(|one| one.computed.is_some());
        let mut page = format!(
            "{PAGE_HEAD}\n{} of {} trees were fetched and hashed by `cargo xtask hash-sources`.\n\n\
             | tree | revision | `files` | `bytes` | computed | published by |\n\
             | --- | --- | ---: | ---: | --- | --- |\n",
            n_computed.count(),
            self.tree.len()
        );
        for (name, hash) in &self.tree {
            let url = lock.git.get(name).map_or("", |tree| tree.url.as_str());
            let rev = short_revision(&hash.rev);
            let [files, bytes, date] = hash.computed.as_ref().map_or_else(
                || ["", "", "no"].map(str::to_owned),
                |one| {
                    [
                        one.files.to_string(),
                        one.bytes.to_string(),
                        one.date.clone(),
                    ]
                },
            );
            let published = hash.published.as_deref().unwrap_or_default();
            _ = writeln!(
                page,
                "| [{name}]({url}) | `{rev}` | {files} | {bytes} | {date} | {published} |"
            );
        }
        page.push_str("\n## What is left out\n\n");
        for (name, entries) in left_out {
            for one in entries {
                let paths: Vec<String> = one.paths.iter().map(|path| format!("`{path}`")).collect();
                let paths = paths.join(", ");
                _ = write!(page, "- {name}, {paths}: {}.", one.reason);
                if let Some(disables) = &one.disables {
                    _ = write!(page, " Does not work then: {disables}.");
                }
                page.push('\n');
            }
        }
        page.push_str("\n## Notes\n\n");
        for (name, hash) in &self.tree {
            if let Some(note) = &hash.note {
                _ = writeln!(page, "- {name}: {note}");
            }
        }
        page
    }
}

const PAGE_HEAD: &str = "# Git sources: who computed their hashes

Each git tree of the image is pinned by revision and by the NAR hash of its files (`package-lists/locks/sources.toml`, [D10](design/D10-git-sources.md)).
This page says who computed that hash, over what, and when.

```sh
cargo xtask hash-sources              # fetch and hash all trees, as a build fetches them
cargo xtask hash-sources sam-2 clip   # two of them
cargo xtask hash-sources --check      # no network: does this page belong to the locks?
```

\"computed\" is the day on which this project's own code fetched the revision with git and hashed its files.
A mirror that lacks a file ends in an error and not in a hash.
\"published by\" is who else names a hash of the same revision.
Where files are left out, that hash is of the whole tree, and differs.

Written by `cargo xtask hash-sources` from `package-lists/tree-hashes.toml` and `package-lists/sources.toml`.
";

#[cfg(test)]
mod tests {
    use super::*;

    const LOCK: &str = r#"
        schema_version = 1
        [git.a]
        url = "https://forge.test/a"
        rev = "1111111111111111111111111111111111111111"
        nar_hash = "sha256-47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU="
        kind = "build"
        exclude = ["docs", "media/*.png"]
        [git.b]
        url = "https://forge.test/b"
        rev = "2222222222222222222222222222222222222222"
        nar_hash = "sha256-47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU="
        kind = "build"
    "#;

    fn computed() -> Computed {
        Computed {
            date: "2026-01-02".to_owned(),
            files: 3,
            bytes: 4,
        }
    }

    #[test]
    fn ok_record_keeps_what_people_wrote() {
        let lock: SourcesLock = toml::from_str(LOCK).unwrap();
        let mut hashes = TreeHashes::default();
        hashes.record("a", &lock.git["a"], computed());
        hashes.tree.get_mut("a").unwrap().published = Some("a catalog".to_owned());
        hashes.tree.get_mut("a").unwrap().rev = "0".repeat(40);
        hashes.record("a", &lock.git["a"], computed());
        let text = hashes.text().unwrap();
        assert_eq!(TreeHashes::parse(&text).unwrap(), hashes);
        assert!(text.contains("published = \"a catalog\""), "{text}");
        assert_eq!(hashes.disagreements(&lock), ["`b` is not in it"]);
    }

    #[test]
    fn err_disagreements() {
        let lock: SourcesLock = toml::from_str(LOCK).unwrap();
        let mut hashes = TreeHashes::default();
        for name in ["a", "b"] {
            hashes.record(name, &lock.git[name], computed());
        }
        assert!(hashes.disagreements(&lock).is_empty());
        let stray = hashes.tree["a"].clone();
        hashes.tree.insert("c".to_owned(), stray);
        hashes.tree.get_mut("a").unwrap().nar_hash = SriSha256(crate::lock::Sha256::of(b"another"));
        hashes.tree.get_mut("b").unwrap().computed = None;
        insta::assert_snapshot!(hashes.disagreements(&lock).join("\n"), @"
        `a` has the hash sha256-rkSKyGxOjk3sZFcpcI70GHOuecbf+E7/czYJiUh/COU=
        nobody computed the hash of `b`
        `c` is in no lock
        ");
    }
}
