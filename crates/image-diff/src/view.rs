//! What is known of an image without reading its files.

use std::collections::BTreeMap;

use comfy_image::image::{Image, ImageLayer};
use comfy_image::layer::TreeRef;
use comfy_image::{Digest, record};
use serde::Deserialize;
use serde_json::Value;

use crate::error::Error;
use crate::packages::Package;
use crate::settings::settings_of;

/// An image, wherever it is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct View {
    /// Digest of the manifest.
    pub manifest: Digest,
    /// Digest of the config: the image ID.
    pub config: Digest,
    /// What the config says, by name, without its layers.
    pub settings: BTreeMap<String, String>,
    /// The blobs, the lowest first.
    pub blobs: Vec<Blob>,
}

/// A blob of an image, or of one that is not built yet.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Blob {
    /// The logical layer, where it is known.
    pub layer: Option<String>,
    /// Digest of its tar, once it is built.
    pub diff_id: Option<Digest>,
    /// What a registry or a layout knows it by.
    pub digest: Option<Digest>,
    /// Size of the tar, where it is known.
    pub tar_bytes: Option<u64>,
    /// Size in the registry or the layout, where it is known.
    pub stored_bytes: Option<u64>,
    /// The sizes are guesses.
    pub is_estimate: bool,
    /// How it is stored.
    pub media_type: String,
    /// Its packages, `NAME VERSION` each, where they are recorded.
    pub packages: Option<Vec<String>>,
    /// What [`record::inputs`] says of the trees it is made from, where it is recorded.
    pub inputs: Option<Digest>,
    /// The trees it is made from, where they are known.
    pub trees: Vec<TreeRef>,
}

/// The parts of a manifest that count here.
#[derive(Debug, Deserialize)]
struct Manifest {
    config: Option<Descriptor>,
    #[serde(default)]
    layers: Vec<Descriptor>,
    /// Of an index.
    #[serde(default)]
    manifests: Vec<Value>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Descriptor {
    #[serde(default)]
    media_type: String,
    digest: Digest,
    size: u64,
    #[serde(default)]
    annotations: BTreeMap<String, String>,
}

#[derive(Debug, Deserialize)]
struct RootFs {
    diff_ids: Vec<Digest>,
}

impl View {
    /// The image that a description of the store is of.
    ///
    /// # Errors
    /// Its documents cannot be read.
    pub fn of_image(image: &Image) -> Result<Self, Error> {
        let mut view = Self::of_documents(&image.manifest.json, &image.config.json)?;
        view.blobs = image.layers.iter().flat_map(Blob::of_layer).collect();
        Ok(view)
    }

    /// Digest and size of the config that a manifest names.
    ///
    /// # Errors
    /// It is no manifest of an image.
    pub fn config_of(manifest: &str) -> Result<(Digest, u64), Error> {
        let config = parse_manifest(manifest)?.config;
        config
            .map(|config| (config.digest, config.size))
            .ok_or_else(|| missing("manifest", "config"))
    }

    /// The image that a manifest and a config are of.
    ///
    /// # Errors
    /// One of them cannot be read, or they do not belong together.
    pub fn of_documents(manifest: &str, config: &str) -> Result<Self, Error> {
        let digest = Digest::of(manifest.as_bytes());
        let (manifest, config_digest) = (parse_manifest(manifest)?, Digest::of(config.as_bytes()));
        let document = |source| Error::Document {
            what: "config",
            source,
        };
        let config: Value = serde_json::from_str(config).map_err(document)?;
        let rootfs: RootFs = serde_json::from_value(config["rootfs"].clone()).map_err(document)?;
        if rootfs.diff_ids.len() != manifest.layers.len() {
            return Err(Error::Disagree {
                n_layers: manifest.layers.len(),
                n_diff_ids: rootfs.diff_ids.len(),
            });
        }
        let layers = layers_of(&config, rootfs.diff_ids.len());
        let blobs = manifest.layers.into_iter().zip(rootfs.diff_ids).zip(layers);
        Ok(Self {
            manifest: digest,
            config: config_digest,
            settings: settings_of(&config),
            blobs: blobs
                .map(|((descriptor, diff_id), layer)| {
                    Blob::of_descriptor(descriptor, diff_id, layer)
                })
                .collect(),
        })
    }

    /// Adds what is known of blobs from elsewhere, by diff_id, to those that say less.
    pub fn complete(&mut self, known: &BTreeMap<Digest, Blob>) {
        for blob in &mut self.blobs {
            let Some(known) = blob.diff_id.and_then(|diff_id| known.get(&diff_id)) else {
                continue;
            };
            blob.tar_bytes = blob.tar_bytes.or(known.tar_bytes);
            blob.trees.clone_from(&known.trees);
            if blob.packages.is_none() {
                blob.packages.clone_from(&known.packages);
                blob.inputs = known.inputs;
                blob.layer = blob.layer.take().or_else(|| known.layer.clone());
            }
        }
    }

    /// Every package; none where a blob does not say what it holds.
    pub fn packages(&self) -> Option<Vec<Package>> {
        packages_of(&self.blobs)
    }
}

/// Every package of some blobs; none where one does not say what it holds.
pub fn packages_of(blobs: &[Blob]) -> Option<Vec<Package>> {
    let mut all = Vec::new();
    for blob in blobs {
        let layer = blob.layer.as_deref();
        let names = blob.packages.as_ref()?.iter();
        all.extend(names.map(|name| Package::parse(layer, name)));
    }
    Some(all)
}

impl Blob {
    /// The blobs of a layer that is built.
    pub fn of_layer(layer: &ImageLayer) -> Vec<Self> {
        Self::of_blobs(layer.name.as_str(), &layer.blobs)
    }

    /// The same, from the layer's spec.
    pub fn of_blobs(layer: &str, blobs: &[comfy_image::layer::Blob]) -> Vec<Self> {
        let of = |blob: &comfy_image::layer::Blob| Self {
            layer: Some(layer.to_owned()),
            diff_id: Some(blob.diff_id),
            digest: Some(blob.diff_id),
            tar_bytes: Some(blob.size_bytes),
            stored_bytes: None,
            is_estimate: false,
            media_type: comfy_image::oci::LAYER_TAR.to_owned(),
            packages: Some(owned(record::packages(&blob.trees))),
            inputs: Some(record::inputs(&blob.trees)),
            trees: blob.trees.clone(),
        };
        blobs.iter().map(of).collect()
    }

    fn of_descriptor(descriptor: Descriptor, diff_id: Digest, layer: Option<String>) -> Self {
        let mut annotations = descriptor.annotations;
        let packages = annotations.remove(record::PACKAGES);
        let is_tar = descriptor.digest == diff_id;
        Self {
            layer: annotations.remove(record::LAYER).or(layer),
            diff_id: Some(diff_id),
            digest: Some(descriptor.digest),
            tar_bytes: is_tar.then_some(descriptor.size),
            stored_bytes: Some(descriptor.size),
            is_estimate: false,
            media_type: descriptor.media_type,
            packages: packages.map(|text| owned(text.lines())),
            inputs: annotations
                .get(record::INPUTS)
                .and_then(|text| text.parse().ok()),
            trees: Vec::new(),
        }
    }
}

pub(crate) fn owned<'t>(texts: impl IntoIterator<Item = &'t str>) -> Vec<String> {
    texts.into_iter().map(str::to_owned).collect()
}

/// The logical layer of each blob, as the history of our own configs tells it.
fn layers_of(config: &Value, n_blobs: usize) -> Vec<Option<String>> {
    let is_blob = |entry: &&Value| entry["empty_layer"] != Value::Bool(true);
    let entries = config["history"].as_array().into_iter().flatten();
    let mut layers: Vec<Option<String>> = entries
        .filter(is_blob)
        .map(|entry| {
            let text = entry["created_by"].as_str()?.strip_prefix("layer ")?;
            text.split(' ').next().map(str::to_owned)
        })
        .collect();
    if layers.len() != n_blobs {
        layers = vec![None; n_blobs];
    }
    layers
}

fn parse_manifest(text: &str) -> Result<Manifest, Error> {
    let manifest: Manifest = serde_json::from_str(text).map_err(|source| Error::Document {
        what: "manifest",
        source,
    })?;
    if manifest.config.is_none() && !manifest.manifests.is_empty() {
        return Err(Error::Index {
            n_images: manifest.manifests.len(),
        });
    }
    Ok(manifest)
}

fn missing(what: &'static str, field: &'static str) -> Error {
    let source = <serde_json::Error as serde::de::Error>::missing_field(field);
    Error::Document { what, source }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn config(diff_ids: &[Digest]) -> String {
        serde_json::json!({
            "os": "linux",
            "rootfs": {"type": "layers", "diff_ids": diff_ids},
            "history": [
                {"created_by": "layer 01-low (1 of 2)"},
                {"created_by": "a label", "empty_layer": true},
                {"created_by": "layer 01-low (2 of 2)"},
            ],
        })
        .to_string()
    }

    fn manifest(config: &str, layers: &[Value]) -> String {
        let digest = Digest::of(config.as_bytes());
        let config = serde_json::json!({"digest": digest, "size": config.len()});
        serde_json::json!({"schemaVersion": 2, "config": config, "layers": layers}).to_string()
    }

    #[test]
    fn ok_annotations_and_history() {
        let (one, two) = (Digest::of(b"1"), Digest::of(b"2"));
        let config = config(&[one, two]);
        let zstd = "application/vnd.oci.image.layer.v1.tar+zstd";
        let layers = [
            serde_json::json!({"mediaType": zstd, "digest": Digest::of(b"z"), "size": 3,
                "annotations": {record::LAYER: "05-pak3", record::PACKAGES: "a 1\nb 2", record::INPUTS: one}}),
            serde_json::json!({"mediaType": comfy_image::oci::LAYER_TAR, "digest": two, "size": 9}),
        ];
        let text = manifest(&config, &layers);
        let mut view = View::of_documents(&text, &config).unwrap();
        assert_eq!(View::config_of(&text).unwrap().0, view.config);
        let first = &view.blobs[0];
        assert_eq!(first.layer.as_deref(), Some("05-pak3"));
        assert_eq!(first.packages, Some(owned(["a 1", "b 2"])));
        assert_eq!((first.tar_bytes, first.stored_bytes), (None, Some(3)));
        assert_eq!(first.inputs, Some(one));
        let second = &view.blobs[1];
        assert_eq!(second.layer.as_deref(), Some("01-low"));
        assert_eq!((second.tar_bytes, &second.packages), (Some(9), &None));
        assert_eq!(view.packages(), None);

        let known = Blob {
            packages: Some(owned(["c 3"])),
            layer: Some("02-high".to_owned()),
            ..Blob::default()
        };
        view.complete(&[(two, known)].into());
        let packages = view.packages().unwrap();
        assert_eq!(packages[2], Package::parse(Some("01-low"), "c 3"));
    }

    #[test]
    fn err_documents_that_are_no_image() {
        let one = Digest::of(b"1");
        let text = config(&[one, one]);
        let says = |manifest: &str, config: &str| {
            View::of_documents(manifest, config)
                .unwrap_err()
                .to_string()
        };
        let found = [
            says("{", "{}"),
            says(r#"{"manifests":[{},{}]}"#, &text),
            says(&manifest(&text, &[]), &text),
            says(&manifest(&text, &[]), "{}"),
            View::config_of(r#"{"layers":[]}"#).unwrap_err().to_string(),
        ];
        insta::assert_snapshot!(found.join("\n"), @r"
        the manifest cannot be read: EOF while parsing an object at line 1 column 1
        it is an index of 2 images, not one image
        the manifest has 0 layers, and the config 2 diff_ids
        the config cannot be read: invalid type: null, expected struct RootFs
        the manifest cannot be read: missing field `config`
        ");
    }
}
