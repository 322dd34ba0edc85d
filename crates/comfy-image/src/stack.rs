//! In which order an engine gets the blobs of an image.
//!
//! Whatever lies above a changed blob is unpacked again, and docker even fetches it again. So
//! large packages, which are most of the bytes, lie below the groups of small ones, of which one
//! changes with nearly every build (docs/design/D40-large-packages-lie-below.md).
//!
//! The layers are in two parts: the foundation, which changes with PyTorch and Debian, and what
//! stands on it. Nothing moves from one part to the other.

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};

use crate::layer::{Blob, TreeRef};
use crate::name::LayerName;
use crate::overlap::Replacement;

/// Says how blobs are stacked; without it they lie in the order of the layers.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Stacking {
    /// A package of this size or more in a blob of its own is a large one.
    pub large_from_bytes: u64,
    /// The last layer of the foundation. An image that ends below it is all foundation.
    pub foundation: LayerName,
}

/// Where a blob stands among the layers of an image, both counted from 0.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Place {
    /// The layer.
    pub layer: usize,
    /// The blob of that layer.
    pub blob: usize,
}

/// Gives all blobs, the lowest first: those of the foundation, then the others; of each part
/// the large packages, then the rest; and among those in the order of the layers.
///
/// What may replace a file of another layer is never a large one, and so keeps its place among
/// the others of its part: the upper layer's file is the one that stays.
pub(crate) fn order(
    layers: &[(&LayerName, &[Blob])],
    stacking: Option<&Stacking>,
    replacements: &[Replacement],
) -> Vec<Place> {
    let mut places = in_layers(layers);
    let Some(stacking) = stacking else {
        return places;
    };
    let mut names = layers.iter().map(|(name, _)| *name);
    let last = names.position(|name| *name == stacking.foundation);
    let foundation = last.unwrap_or(layers.len());
    let replacing: BTreeSet<&str> = replacements
        .iter()
        .flat_map(|replacement| &replacement.packages)
        .map(String::as_str)
        .collect();
    // The sort is stable.
    places.sort_by_key(|place| {
        let (_, blobs) = layers[place.layer];
        let is_large = is_large(&blobs[place.blob], stacking.large_from_bytes, &replacing);
        (place.layer > foundation, !is_large)
    });
    places
}

/// All blobs in the order of the layers.
pub(crate) fn in_layers(layers: &[(&LayerName, &[Blob])]) -> Vec<Place> {
    let numbered = layers.iter().enumerate();
    numbered
        .flat_map(|(layer, (_, blobs))| (0..blobs.len()).map(move |blob| Place { layer, blob }))
        .collect()
}

/// Whether it is one package, large, and no part of a root of several.
fn is_large(blob: &Blob, from_bytes: u64, replacing: &BTreeSet<&str>) -> bool {
    let Some(first) = blob.trees.first() else {
        return false;
    };
    let is_of_it = |tree: &TreeRef| {
        tree.name() == first.name() && tree.contains.is_empty() && tree.only.is_empty()
    };
    blob.size_bytes >= from_bytes
        && blob.trees.iter().all(is_of_it)
        && !replacing.contains(first.name())
}
