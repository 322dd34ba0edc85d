//! Which blobs of two images are the same, which take whose place, and why.

use std::collections::{BTreeMap, BTreeSet};

use serde::Serialize;

use crate::packages::{PackageChange, compare_packages};
use crate::view::{Blob, packages_of};

/// How the blobs of two images differ.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct BlobDiff {
    /// Blobs that both have.
    pub n_same: usize,
    /// Their bytes as tar archives, as far as they are known.
    pub same_bytes: u64,
    /// The others, in the order of the new image; what only the old one has comes last.
    pub changes: Vec<BlobChange>,
}

/// A blob that only one of two images has, or one that takes the place of another.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct BlobChange {
    /// The logical layer, where it is known.
    pub layer: Option<String>,
    /// What was there; null for a blob that is new.
    pub was: Option<BlobSize>,
    /// What is there now; null for a blob that is gone.
    pub now: Option<BlobSize>,
    /// Whether the bytes are known to differ.
    pub certainty: Certainty,
    /// The packages that came to it, left it, or have another version.
    pub packages: Vec<PackageChange>,
    /// The packages of the same version that are built otherwise; where both blobs are there,
    /// their bytes differ.
    pub rebuilt: Vec<String>,
}

/// Whether a change is more than a guess.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "lowercase")]
pub enum Certainty {
    /// The bytes differ, or a package does.
    Certain,
    /// The same packages are built anew, which may give the same bytes.
    Possible,
}

/// One blob.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct BlobSize {
    /// Digest of its tar; null for a blob that is not built yet.
    pub diff_id: Option<String>,
    /// Its digest where it is kept, compressed or not; null for a blob that is not built yet.
    pub digest: Option<String>,
    /// Bytes of the tar, where they are known.
    pub tar_bytes: Option<u64>,
    /// Bytes in a registry or a layout, where they are known.
    pub stored_bytes: Option<u64>,
    /// Whether the sizes are guesses.
    pub is_estimate: bool,
}

impl BlobSize {
    fn of(blob: &Blob) -> Self {
        Self {
            diff_id: blob.diff_id.map(|digest| digest.to_string()),
            digest: blob.digest.map(|digest| digest.to_string()),
            tar_bytes: blob.tar_bytes,
            stored_bytes: blob.stored_bytes,
            is_estimate: blob.is_estimate,
        }
    }
}

impl BlobDiff {
    /// Those that the new image has and the old one lacks.
    pub fn new_blobs(&self) -> impl Iterator<Item = (&BlobChange, &BlobSize)> {
        let changes = self.changes.iter();
        changes.filter_map(|change| change.now.as_ref().map(|now| (change, now)))
    }
}

/// Compares the blobs of two images, of which either may not be built yet.
pub fn compare_blobs(old: &[Blob], new: &[Blob]) -> BlobDiff {
    let (same, old, new) = sort_out(old, new);
    let n_bytes = |(one, other): &(&Blob, &Blob)| one.tar_bytes.or(other.tar_bytes);
    let same_bytes = same.iter().filter_map(n_bytes).sum();
    let mut left = Left { blobs: old };
    let mut changes: Vec<BlobChange> = new
        .into_iter()
        .map(|blob| change(left.take_like(blob), Some(blob)))
        .collect();
    changes.extend(left.blobs.into_iter().map(|blob| change(Some(blob), None)));
    BlobDiff {
        n_same: same.len(),
        same_bytes,
        changes,
    }
}

/// The blobs that only the old image has, and those that only the new one has. What differs
/// between two images differs between these: a blob that both have holds the same.
pub fn differing_blobs(old: &[Blob], new: &[Blob]) -> (Vec<Blob>, Vec<Blob>) {
    let (_, old, new) = sort_out(old, new);
    let owned = |blobs: Vec<&Blob>| blobs.into_iter().cloned().collect();
    (owned(old), owned(new))
}

type Pair<'b> = (&'b Blob, &'b Blob);

/// The pairs of the same blobs, what is left of the old image, and what is left of the new one.
fn sort_out<'b>(old: &'b [Blob], new: &'b [Blob]) -> (Vec<Pair<'b>>, Vec<&'b Blob>, Vec<&'b Blob>) {
    let mut left = Left {
        blobs: old.iter().collect(),
    };
    let (mut same, mut others) = (Vec::new(), Vec::new());
    for blob in new {
        match left.take_same(blob) {
            Some(before) => same.push((blob, before)),
            None => others.push(blob),
        }
    }
    (same, left.blobs, others)
}

/// Blobs of the old image that nothing was found for yet.
struct Left<'b> {
    blobs: Vec<&'b Blob>,
}

impl<'b> Left<'b> {
    /// The same blob: by its digest, or by what it is made from where one of them is not built.
    fn take_same(&mut self, blob: &Blob) -> Option<&'b Blob> {
        let is_same = |other: &&Blob| match (blob.diff_id, other.diff_id) {
            (Some(one), Some(two)) => one == two,
            _ => blob.inputs.is_some() && blob.inputs == other.inputs,
        };
        self.take(is_same)
    }

    /// The blob whose place another one takes: of the same layer, with the most packages of the
    /// same names. Where packages are not known, the next one of the layer.
    fn take_like(&mut self, blob: &Blob) -> Option<&'b Blob> {
        blob.layer.as_ref()?;
        let names = names(blob);
        let of_layer = self.blobs.iter().filter(|other| other.layer == blob.layer);
        let n_shared = |other: &Blob| match (&names, self::names(other)) {
            (Some(names), Some(others)) => names.intersection(&others).count(),
            _ => 1,
        };
        let mut best: Option<(usize, &'b Blob)> = None;
        for other in of_layer {
            let n_shared = n_shared(other);
            if n_shared > best.map_or(0, |(most, _)| most) {
                best = Some((n_shared, other));
            }
        }
        let (_, best) = best?;
        self.take(|other| std::ptr::eq(*other, best))
    }

    fn take(&mut self, is_wanted: impl Fn(&&Blob) -> bool) -> Option<&'b Blob> {
        let index = self.blobs.iter().position(is_wanted)?;
        Some(self.blobs.remove(index))
    }
}

fn names(blob: &Blob) -> Option<BTreeSet<&str>> {
    let packages = blob.packages.as_ref()?.iter();
    Some(
        packages
            .filter_map(|package| package.split(' ').next())
            .collect(),
    )
}

fn change(was: Option<&Blob>, now: Option<&Blob>) -> BlobChange {
    let of = |blob: Option<&Blob>| {
        // A blob that is not there holds nothing.
        blob.map_or(Some(Vec::new()), |blob| {
            packages_of(std::slice::from_ref(blob))
        })
    };
    let packages = match (of(was), of(now)) {
        (Some(old), Some(new)) => compare_packages(old, new),
        _ => Vec::new(),
    };
    let is_unknown = |blob: &Blob| blob.packages.is_none();
    let is_built = |blob: &Blob| blob.diff_id.is_some();
    let certainty = match (was, now) {
        (Some(was), Some(now)) if !(is_built(was) && is_built(now)) => {
            match packages.is_empty() || is_unknown(was) || is_unknown(now) {
                true => Certainty::Possible,
                false => Certainty::Certain,
            }
        }
        _ => Certainty::Certain,
    };
    BlobChange {
        layer: now.or(was).and_then(|blob| blob.layer.clone()),
        was: was.map(BlobSize::of),
        now: now.map(BlobSize::of),
        certainty,
        packages,
        rebuilt: was
            .zip(now)
            .map_or_else(Vec::new, |(was, now)| rebuilt(was, now)),
    }
}

/// Packages that are in both by the same name and version, and made from other trees.
fn rebuilt(was: &Blob, now: &Blob) -> Vec<String> {
    let trees = |blob: &'_ Blob| -> BTreeMap<String, BTreeSet<std::ffi::OsString>> {
        let mut trees: BTreeMap<String, BTreeSet<_>> = BTreeMap::new();
        for tree in &blob.trees {
            let name = tree.path.file_name().unwrap_or_default().to_owned();
            trees.entry(tree.package.clone()).or_default().insert(name);
        }
        trees
    };
    let (was, now) = (trees(was), trees(now));
    now.into_iter()
        .filter(|(package, paths)| was.get(package).is_some_and(|before| before != paths))
        .map(|(package, _)| package)
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use comfy_image::Digest;
    use proptest::prelude::*;

    fn blob(layer: &str, packages: &[&str], diff_id: Option<&str>) -> Blob {
        Blob {
            layer: Some(layer.to_owned()),
            diff_id: diff_id.map(|text| Digest::of(text.as_bytes())),
            tar_bytes: Some(10),
            packages: Some(packages.iter().map(|name| (*name).to_owned()).collect()),
            inputs: Some(Digest::of(packages.join("\n").as_bytes())),
            ..Blob::default()
        }
    }

    fn show(diff: &BlobDiff) -> String {
        let of = |size: &Option<BlobSize>| if size.is_some() { "x" } else { "-" };
        let lines = diff.changes.iter().map(|change| {
            let why: Vec<String> = change
                .packages
                .iter()
                .map(|package| format!("{} {}", package.verb(), package.describe()))
                .collect();
            format!(
                "{} {} {} {:?} {} {}",
                change.layer.as_deref().unwrap_or("?"),
                of(&change.was),
                of(&change.now),
                change.certainty,
                why.join(", "),
                change.rebuilt.join(", ")
            )
        });
        let lines: Vec<String> = lines.collect();
        format!("{} same\n{}", diff.n_same, lines.join("\n"))
    }

    #[test]
    fn ok_pairs_and_reasons() {
        let old = [
            blob("01", &["base"], Some("base")),
            blob("05", &["torch 1"], Some("torch")),
            blob("05", &["a 1", "b 1", "c 1"], Some("group 1")),
            blob("05", &["d 1"], Some("group 2")),
            blob("06", &["gone 1"], Some("gone")),
        ];
        let new = [
            blob("01", &["base"], Some("base")),
            blob("05", &["torch 1"], None),
            blob("05", &["e 1", "b 2", "c 1"], None),
            Blob {
                inputs: Some(Digest::of(b"another recipe")),
                ..blob("05", &["d 1"], None)
            },
            blob("07", &["new 1"], None),
        ];
        insta::assert_snapshot!(show(&compare_blobs(&old, &new)), @r"
        2 same
        05 x x Certain removed a 1, changed b 1 -> 2, added e 1 
        05 x x Possible  
        07 - x Certain added new 1 
        06 x - Certain removed gone 1 
        ");
    }

    #[test]
    fn ok_what_is_built_anew_is_named() {
        let tree = |package: &str, path: &str| comfy_image::layer::TreeRef {
            package: package.to_owned(),
            path: path.into(),
            contains: Vec::new(),
            only: Vec::new(),
        };
        let with = |path: &str| Blob {
            trees: vec![tree("a 1", "/s/a"), tree("b 1", path)],
            ..blob("05", &["a 1", "b 1"], Some(path))
        };
        let diff = compare_blobs(&[with("/s/b")], &[with("/s/b2")]);
        assert_eq!(diff.changes[0].rebuilt, ["b 1"]);
        assert_eq!(diff.changes[0].certainty, Certainty::Certain);
    }

    #[test]
    fn ok_without_a_record_of_packages() {
        let bare = |layer: Option<&str>, diff_id: &str| Blob {
            layer: layer.map(str::to_owned),
            diff_id: Some(Digest::of(diff_id.as_bytes())),
            ..Blob::default()
        };
        let old = [
            bare(Some("05"), "1"),
            bare(Some("05"), "2"),
            bare(None, "3"),
        ];
        let new = [
            bare(Some("05"), "2"),
            bare(Some("05"), "4"),
            bare(None, "5"),
        ];
        insta::assert_snapshot!(show(&compare_blobs(&old, &new)), @r"
        1 same
        05 x x Certain  
        ? - x Certain  
        ? x - Certain  
        ");
    }

    proptest! {
        /// Each blob of either image is counted once: as the same, as what was, or as what is.
        #[test]
        fn ok_every_blob_once(
            old in proptest::collection::vec(("[12]", "[a-c]", 0..4_u8), 0..8),
            new in proptest::collection::vec(("[12]", "[a-c]", 0..4_u8), 0..8),
        ) {
            let blobs = |list: &[(String, String, u8)]| -> Vec<Blob> {
                list.iter()
                    .map(|(layer, name, version)| {
                        let package = format!("{name} {version}");
                        let diff_id = format!("{layer}{package}");
                        blob(layer, &[&package], Some(&diff_id))
                    })
                    .collect()
            };
            let (old, new) = (blobs(&old), blobs(&new));
            let diff = compare_blobs(&old, &new);
            let side = |of: &dyn Fn(&BlobChange) -> Option<&BlobSize>| {
                let mut ids: Vec<Option<String>> =
                    diff.changes.iter().filter_map(of).map(|size| size.diff_id.clone()).collect();
                ids.sort();
                ids
            };
            let was = side(&|change| change.was.as_ref());
            let now = side(&|change| change.now.as_ref());
            prop_assert_eq!(was.len() + diff.n_same, old.len());
            prop_assert_eq!(now.len() + diff.n_same, new.len());
            let known: BTreeSet<Option<String>> =
                old.iter().map(|blob| blob.diff_id.map(|id| id.to_string())).collect();
            prop_assert!(was.iter().all(|id| known.contains(id)));
            // What is said to be new is not among what is left of the old.
            prop_assert!(now.iter().all(|id| !was.contains(id)));
            prop_assert_eq!(compare_blobs(&old, &old).changes, vec![]);
        }
    }
}
