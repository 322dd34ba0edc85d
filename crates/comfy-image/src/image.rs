//! Images: layer specs and a container config become a config and a manifest.

use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use crate::canonical;
use crate::compression::CompressedLayer;
use crate::digest::Digest;
use crate::error::Error;
use crate::files::read_json;
use crate::layer::{Blob, LayerSpec, check_trees};
use crate::name::{LayerName, Reference};
use crate::oci::{
    self, ContainerConfig, Descriptor, History, ImageConfig, Index, Manifest, Platform, RootFs,
};
use crate::overlap::{self, Replacement};
use crate::parallel;
use crate::record;
use crate::schema::SchemaVersion;
use crate::stack::{self, Place, Stacking};

/// Asks for an image.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ImageRequest {
    /// The version of this document.
    pub schema_version: SchemaVersion,
    /// The repository, with or without a registry.
    pub name: String,
    /// The tag.
    pub tag: String,
    /// How a container starts.
    pub config: ContainerConfig,
    /// The processor, in Go's words.
    pub architecture: String,
    /// The operating system, in Go's words.
    pub os: String,
    /// The creation time, as in `1970-01-01T00:00:01Z`.
    pub created: String,
    /// The layer specs, the lowest first.
    pub layers: Vec<PathBuf>,
    /// What a layer may replace in the layers below it.
    #[serde(default)]
    pub replacements: Vec<Replacement>,
    /// How the blobs are stacked; none: in the order of the layers.
    #[serde(default)]
    pub stacking: Option<Stacking>,
}

/// Describes an image completely, except for the bytes of its files.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Image {
    /// The version of this document.
    pub schema_version: SchemaVersion,
    /// The name it gets unless another is asked for.
    pub reference: Reference,
    /// The processor, in Go's words.
    pub architecture: String,
    /// The operating system, in Go's words.
    pub os: String,
    /// The config; its digest is the image ID.
    pub config: Document,
    /// The manifest for layers that are not compressed.
    pub manifest: Document,
    /// Size of the tars of all blobs.
    pub size_bytes: u64,
    /// The layers, the lowest first, empty ones included.
    pub layers: Vec<ImageLayer>,
    /// The blobs as an engine stacks them, the lowest first; none: in the order of the layers.
    #[serde(default)]
    pub order: Vec<Place>,
}

/// Holds a JSON text and what identifies it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Document {
    /// The digest of the text.
    pub digest: Digest,
    /// The size of the text.
    pub size_bytes: u64,
    /// The text, canonical: sorted keys, no white space.
    pub json: String,
}

/// Describes a layer of an image.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ImageLayer {
    /// The layer.
    pub name: LayerName,
    /// The spec it was taken from.
    pub spec: PathBuf,
    /// How many packages it has.
    pub n_packages: u64,
    /// Files and symlinks.
    pub n_files: u64,
    /// Size of the tars of its blobs.
    pub size_bytes: u64,
    /// The blobs; none if the layer is empty.
    pub blobs: Vec<Blob>,
}

/// Reads the layer specs and computes config and manifest.
pub fn assemble(request: &ImageRequest, store_root: Option<&Path>) -> Result<Image, Error> {
    let reference: Reference = format!("{}:{}", request.name, request.tag)
        .parse()
        .map_err(|error: crate::name::ParseNameError| {
            Error::invalid("image request", error.to_string())
        })?;
    if !is_time(&request.created) {
        let reason = format!(
            "`created` is not a time as in `1970-01-01T00:00:01Z`: `{}`",
            request.created
        );
        return Err(Error::invalid("image request", reason));
    }
    let specs = request
        .layers
        .iter()
        .map(|path| LayerSpec::read(path, store_root))
        .collect::<Result<Vec<_>, _>>()?;
    for (index, spec) in specs.iter().enumerate() {
        if specs[..index].iter().any(|other| other.name == spec.name) {
            let reason = format!("two layers have the name `{}`", spec.name);
            return Err(Error::invalid("image request", reason));
        }
    }
    overlap::check(
        &specs,
        &request.replacements,
        parallel::processors(),
        store_root,
    )?;

    let layers: Vec<ImageLayer> = specs
        .into_iter()
        .zip(&request.layers)
        .map(|(spec, path)| ImageLayer {
            name: spec.name,
            spec: path.clone(),
            n_packages: spec.n_packages,
            n_files: spec.n_files,
            size_bytes: spec.size_bytes,
            blobs: spec.blobs,
        })
        .collect();
    let order = stack::order(
        &blobs_of(&layers),
        request.stacking.as_ref(),
        &request.replacements,
    );
    let config = Document::new(&config(request, &layers, &order))?;
    let manifest = Document::new(&manifest_of(&config, descriptors(&layers, &order)))?;
    Ok(Image {
        schema_version: SchemaVersion,
        reference,
        architecture: request.architecture.clone(),
        os: request.os.clone(),
        config,
        manifest,
        size_bytes: layers.iter().map(|layer| layer.size_bytes).sum(),
        layers,
        order,
    })
}

impl ImageRequest {
    /// Reads a request.
    pub fn read(path: &Path) -> Result<Self, Error> {
        read_json("image request", path)
    }
}

impl Image {
    /// Reads an image description and checks that its parts agree.
    pub fn read(path: &Path, store_root: Option<&Path>) -> Result<Self, Error> {
        let image: Self = read_json(
            "image description",
            &crate::files::resolve(store_root, path),
        )?;
        image.check()?;
        Ok(image)
    }

    /// Iterates over all blobs, the lowest first: not in the order of the layers.
    pub fn blobs(&self) -> impl Iterator<Item = &Blob> {
        self.stacked().map(|(_, blob)| blob)
    }

    /// Iterates over all blobs, the lowest first, and the layers that they are of.
    pub fn stacked(&self) -> impl Iterator<Item = (&ImageLayer, &Blob)> {
        self.places()
            .into_iter()
            .map(|place| at(&self.layers, place))
    }

    fn places(&self) -> Vec<Place> {
        match self.order.is_empty() {
            true => stack::in_layers(&blobs_of(&self.layers)),
            false => self.order.clone(),
        }
    }

    /// Returns the manifest for layers that are encoded so: the same config, other blobs.
    /// `layers` has each layer of this image.
    ///
    /// # Errors
    /// A layer is missing, or is described with other blobs.
    pub fn encoded_manifest(&self, layers: &[CompressedLayer]) -> Result<Document, Error> {
        let described = |layer: &ImageLayer| {
            let found = layers.iter().find(|encoded| encoded.name == layer.name);
            let diff_ids = layer.blobs.iter().map(|blob| blob.diff_id);
            found
                .filter(|encoded| encoded.blobs.iter().map(|blob| blob.diff_id).eq(diff_ids))
                .ok_or_else(|| {
                    let reason =
                        format!("it does not describe the blobs of layer `{}`", layer.name);
                    Error::invalid("compressed layer", reason)
                })
        };
        let of_layers: Vec<&CompressedLayer> = self
            .layers
            .iter()
            .map(described)
            .collect::<Result<_, _>>()?;
        let of_place = |place: Place| {
            let (layer, blob) = at(&self.layers, place);
            let described = of_layers[place.layer];
            let encoded = &described.blobs[place.blob];
            Descriptor {
                media_type: described.compression.media_type().to_owned(),
                digest: encoded.digest,
                size: encoded.size_bytes,
                annotations: record::annotations(&layer.name, blob),
                platform: None,
            }
        };
        let descriptors = self.places().into_iter().map(of_place).collect();
        Document::new(&manifest_of(&self.config, descriptors))
    }

    /// Renders the index of a layout that holds this image.
    pub fn index_json(&self, reference: &Reference) -> Result<String, Error> {
        let annotations = [
            ("io.containerd.image.name", reference.fully_qualified()),
            (
                "org.opencontainers.image.ref.name",
                reference.tag().to_owned(),
            ),
        ];
        let manifest = Descriptor {
            media_type: oci::MANIFEST.to_owned(),
            digest: self.manifest.digest,
            size: self.manifest.size_bytes,
            annotations: annotations
                .map(|(key, value)| (key.to_owned(), value))
                .into(),
            platform: Some(Platform {
                architecture: self.architecture.clone(),
                os: self.os.clone(),
            }),
        };
        let index = Index {
            schema_version: 2,
            media_type: oci::INDEX.to_owned(),
            manifests: vec![manifest],
        };
        canonical_json("index", &index)
    }

    fn check(&self) -> Result<(), Error> {
        let wrong = |reason: &str| Err(Error::invalid("image description", reason));
        for layer in &self.layers {
            check_trees(layer.blobs.iter().flat_map(|blob| &blob.trees))?;
        }
        if !self.config.is_sound() || !self.manifest.is_sound() {
            return wrong("the digest of the config or the manifest is not that of its text");
        }
        let places = self.places();
        let mut sorted = places.clone();
        sorted.sort_unstable();
        if sorted != stack::in_layers(&blobs_of(&self.layers)) {
            return wrong("its order does not name each blob of its layers once");
        }
        let layers = descriptors(&self.layers, &places);
        let manifest: Option<Manifest> = serde_json::from_str(&self.manifest.json).ok();
        let config: Option<oci::ConfigDiffIds> = serde_json::from_str(&self.config.json).ok();
        let agrees = manifest.is_some_and(|manifest| {
            manifest.layers == layers && manifest.config.digest == self.config.digest
        }) && config.is_some_and(|config| {
            config
                .rootfs
                .diff_ids
                .iter()
                .eq(self.blobs().map(|blob| &blob.diff_id))
        });
        if agrees {
            Ok(())
        } else {
            wrong("the config or the manifest does not name the blobs of its layers")
        }
    }
}

impl Document {
    fn new<T: Serialize>(value: &T) -> Result<Self, Error> {
        let json = canonical_json("document", value)?;
        Ok(Self {
            digest: Digest::of(json.as_bytes()),
            size_bytes: json.len() as u64,
            json,
        })
    }

    fn is_sound(&self) -> bool {
        self.digest == Digest::of(self.json.as_bytes()) && self.size_bytes == self.json.len() as u64
    }
}

/// Renders our own value, which cannot fail for reasons of input.
pub(crate) fn canonical_json<T: Serialize>(what: &'static str, value: &T) -> Result<String, Error> {
    canonical::to_string(value).map_err(|error| Error::invalid(what, error.to_string()))
}

/// What the order of blobs goes by.
fn blobs_of(layers: &[ImageLayer]) -> Vec<(&LayerName, &[Blob])> {
    let layers = layers.iter();
    layers
        .map(|layer| (&layer.name, layer.blobs.as_slice()))
        .collect()
}

/// The layer and the blob at a place that was checked.
fn at(layers: &[ImageLayer], place: Place) -> (&ImageLayer, &Blob) {
    let layer = &layers[place.layer];
    (layer, &layer.blobs[place.blob])
}

fn config(request: &ImageRequest, layers: &[ImageLayer], order: &[Place]) -> ImageConfig {
    let history = order.iter().map(|place| {
        let layer = &layers[place.layer];
        let part = match layer.blobs.len() {
            1 => String::new(),
            n_blobs => format!(" ({} of {n_blobs})", place.blob + 1),
        };
        History {
            created: request.created.clone(),
            created_by: format!("layer {}{part}", layer.name),
        }
    });
    let diff_ids = order.iter().map(|place| at(layers, *place).1.diff_id);
    ImageConfig {
        architecture: request.architecture.clone(),
        os: request.os.clone(),
        created: request.created.clone(),
        config: request.config.clone(),
        history: history.collect(),
        rootfs: RootFs {
            kind: "layers".to_owned(),
            diff_ids: diff_ids.collect(),
        },
    }
}

fn manifest_of(config: &Document, layers: Vec<Descriptor>) -> Manifest {
    Manifest {
        schema_version: 2,
        media_type: oci::MANIFEST.to_owned(),
        config: Descriptor {
            media_type: oci::CONFIG.to_owned(),
            digest: config.digest,
            size: config.size_bytes,
            annotations: Default::default(),
            platform: None,
        },
        layers,
    }
}

/// Describes the blobs of layers that are not compressed.
fn descriptors(layers: &[ImageLayer], order: &[Place]) -> Vec<Descriptor> {
    let of = |place: &Place| {
        let (layer, blob) = at(layers, *place);
        Descriptor {
            media_type: oci::LAYER_TAR.to_owned(),
            digest: blob.diff_id,
            size: blob.size_bytes,
            annotations: record::annotations(&layer.name, blob),
            platform: None,
        }
    };
    order.iter().map(of).collect()
}

/// Accepts the one notation of RFC 3339 that we write.
fn is_time(text: &str) -> bool {
    let shape = "dddd-dd-ddTdd:dd:ddZ";
    text.len() == shape.len()
        && text
            .chars()
            .zip(shape.chars())
            .all(|(character, expected)| match expected {
                'd' => character.is_ascii_digit(),
                _ => character == expected,
            })
}
