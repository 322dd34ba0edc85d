//! `layers/layers.toml`: which layers the image has, and what feeds each. Nix reads the same
//! file.
//!
//! Pure: text in, types out.

use std::collections::BTreeSet;

use serde::Deserialize;

use crate::layer::LayerName;
use crate::schema;

/// `layers/layers.toml`.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Layers {
    schema_version: u32,
    /// The layer with the files of NVIDIA's wheels.
    pub cuda: LayerName,
    /// The layer with their metadata, where Python looks for it.
    pub cuda_metadata: LayerName,
    /// The last layer of the part of an image that the others stand on; none: all of it.
    #[serde(default)]
    pub foundation: Option<LayerName>,
    /// Lists that only variants with sources from git have: what custom nodes want.
    #[serde(default)]
    with_git: Vec<String>,
    layers: Vec<Layer>,
}

/// One line of the file.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Layer {
    /// Its directory below `layers/`; the number is its place, from 01.
    pub name: LayerName,
    /// File names of the lists in `package-lists/` whose distributions it holds.
    #[serde(default)]
    pub lists: Vec<String>,
    /// What builds call its Debian root, when it has one.
    #[serde(default)]
    pub debian: Option<String>,
    /// The most blobs that it is cut into; Nix has a number for a layer that says nothing.
    #[serde(default)]
    pub blobs: Option<std::num::NonZeroU32>,
    /// The job of CI that builds it.
    pub stage: String,
}

/// What is wrong in `layers/layers.toml`.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum LayersError {
    /// It is not TOML, or says something else.
    #[error(transparent)]
    Toml(#[from] toml::de::Error),
    /// It is of another version.
    #[error(transparent)]
    Version(#[from] schema::OtherVersion),
    /// There would be no image.
    #[error("no layer is named")]
    Empty,
    /// Names count from 01.
    #[error("`{name}` is layer {place:02} by its place, and must be called so")]
    OutOfPlace {
        /// What it is called.
        name: LayerName,
        /// Where it stands.
        place: usize,
    },
    /// A role is given to a name that stands for nothing.
    #[error("{key} names `{name}`, which is no layer")]
    NoLayer {
        /// `cuda`, `cuda_metadata` or `foundation`.
        key: &'static str,
        /// What it names.
        name: LayerName,
    },
    /// A list feeds two layers.
    #[error("the list `{0}` is named twice")]
    ListTwice(String),
    /// A list that no layer has.
    #[error("with_git names `{0}`, which is no list of a layer")]
    NoList(String),
}

impl Layers {
    /// Where the file is, from the checkout's root.
    pub const FILE: &str = "layers/layers.toml";

    /// Reads the file's text.
    ///
    /// # Errors
    /// What is wrong in it: not TOML, names that do not count from 01, a list of two layers.
    pub fn parse(text: &str) -> Result<Self, LayersError> {
        let file: Self = toml::from_str(text)?;
        schema::check(file.schema_version)?;
        if file.layers.is_empty() {
            return Err(LayersError::Empty);
        }
        for (place, layer) in (1_usize..).zip(&file.layers) {
            if usize::from(layer.name.number()) != place {
                let name = layer.name.clone();
                return Err(LayersError::OutOfPlace { name, place });
            }
        }
        let foundation = file.foundation.iter().map(|name| ("foundation", name));
        let cuda = [("cuda", &file.cuda), ("cuda_metadata", &file.cuda_metadata)];
        for (key, name) in cuda.into_iter().chain(foundation) {
            if !file.layers.iter().any(|layer| layer.name == *name) {
                let name = name.clone();
                return Err(LayersError::NoLayer { key, name });
            }
        }
        let mut lists = BTreeSet::new();
        for list in file.layers.iter().flat_map(|layer| &layer.lists) {
            if !lists.insert(list) {
                return Err(LayersError::ListTwice(list.clone()));
            }
        }
        if let Some(unknown) = file.with_git.iter().find(|list| !lists.contains(list)) {
            return Err(LayersError::NoList(unknown.clone()));
        }
        Ok(file)
    }

    /// All layers, the bottom one first.
    pub fn iter(&self) -> impl DoubleEndedIterator<Item = &Layer> {
        self.layers.iter()
    }

    /// Names of all layers, the bottom one first.
    pub fn names(&self) -> Vec<LayerName> {
        self.layers.iter().map(|layer| layer.name.clone()).collect()
    }

    /// Each Python list with the layer that it feeds, the bottom one first.
    pub fn lists(&self) -> impl Iterator<Item = (&LayerName, &str)> {
        self.layers
            .iter()
            .flat_map(|layer| layer.lists.iter().map(|list| (&layer.name, list.as_str())))
    }

    /// Whether only variants with sources from git have a list.
    pub fn is_with_git(&self, list: &str) -> bool {
        self.with_git.iter().any(|one| one == list)
    }

    /// Names of the layers that a stage of CI builds, the bottom one first.
    pub fn of_stage(&self, stage: &str) -> Vec<&LayerName> {
        self.layers
            .iter()
            .filter(|layer| layer.stage == stage)
            .map(|layer| &layer.name)
            .collect()
    }

    /// Names of the stages in the order in which they build.
    pub fn stages(&self) -> Vec<&str> {
        let mut stages: Vec<&str> = Vec::new();
        for layer in &self.layers {
            if !stages.contains(&layer.stage.as_str()) {
                stages.push(&layer.stage);
            }
        }
        stages
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const HEAD: &str = "schema_version = 1\ncuda = '01-low'\ncuda_metadata = '02-high'\n";

    fn parse(layers: &str) -> Result<Layers, LayersError> {
        Layers::parse(&format!("{HEAD}layers = [{layers}]"))
    }

    #[test]
    fn ok_in_order() {
        let layers = parse(
            "{ name = '01-low', debian = 'base', lists = ['a.txt'], stage = 'one' },\
             { name = '02-high', lists = ['b.txt', 'c.txt'], stage = 'two' },\
             { name = '03-top', stage = 'two' }",
        )
        .unwrap();
        let names: Vec<String> = layers.names().iter().map(ToString::to_string).collect();
        assert_eq!(names, ["01-low", "02-high", "03-top"]);
        let lists: Vec<String> = layers
            .lists()
            .map(|(layer, list)| format!("{layer} {list}"))
            .collect();
        assert_eq!(lists, ["01-low a.txt", "02-high b.txt", "02-high c.txt"]);
        assert_eq!(layers.stages(), ["one", "two"]);
        assert_eq!(layers.of_stage("two").len(), 2);
    }

    #[test]
    fn err_each_says_what_is_wrong() {
        let low = "{ name = '01-low', lists = ['a.txt'], stage = 's' }";
        let reason = |layers: &str| parse(layers).unwrap_err();
        insta::assert_snapshot!(reason(&format!("{low}, {{ name = '03-high', stage = 's' }}")), @"`03-high` is layer 02 by its place, and must be called so");
        insta::assert_snapshot!(reason(low), @"cuda_metadata names `02-high`, which is no layer");
        insta::assert_snapshot!(reason(&format!("{low}, {{ name = '02-high', lists = ['a.txt'], stage = 's' }}")), @"the list `a.txt` is named twice");
        insta::assert_snapshot!(reason(""), @"no layer is named");
        let text = "schema_version = 1\ncuda = '01-low'\ncuda_metadata = '01-low'\nwith_git = ['a.txt', 'b.txt']\n";
        let one = Layers::parse(&format!("{text}layers = [{low}]")).unwrap_err();
        insta::assert_snapshot!(one, @"with_git names `b.txt`, which is no list of a layer");
        let text = "schema_version = 1\ncuda = '01-low'\ncuda_metadata = '01-low'\nfoundation = '02-high'\n";
        let one = Layers::parse(&format!("{text}layers = [{low}]")).unwrap_err();
        insta::assert_snapshot!(one, @"foundation names `02-high`, which is no layer");
        let said = reason("{ name = 'low', stage = 's' }").to_string();
        assert!(said.contains("`low` is not a layer name"), "{said}");
    }
}
