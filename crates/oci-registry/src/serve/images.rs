//! The images that are served: names, documents, and where the bytes of blobs are.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};

use anyhow::Result;
use comfy_image::image::{Image, ImageLayer};
use comfy_image::layer::Blob;
use comfy_image::stream::Plan;
use comfy_image::{Digest, LayerName, oci};
use serde_json::{Value, json};

use super::route;
use crate::error::Error;
use crate::referrers::{EMPTY, NewArtifact, Referrer};
use factory_base::error::Explain as _;

/// The images that are served, and nothing else is.
#[derive(Default)]
pub struct Images {
    repositories: BTreeMap<String, Repository>,
    /// By spec: images share layers.
    layers: BTreeMap<PathBuf, Arc<Layer>>,
}

/// What one name stands for. A blob of one repository is not in another.
#[derive(Default)]
pub(super) struct Repository {
    pub(super) tags: BTreeMap<String, Digest>,
    manifests: BTreeMap<Digest, Document>,
    blobs: BTreeMap<Digest, Stored>,
    /// The artifacts about each manifest.
    referrers: BTreeMap<Digest, Vec<Referrer>>,
}

/// A manifest.
#[derive(Debug, Clone)]
pub(super) struct Document {
    pub(super) media_type: String,
    pub(super) bytes: Vec<u8>,
}

/// Where the bytes of a blob are.
#[derive(Clone)]
pub(super) enum Stored {
    Memory(Arc<[u8]>),
    Trees(TreeBlob),
}

/// A blob that is written from package trees.
#[derive(Clone)]
pub(super) struct TreeBlob {
    layer: Arc<Layer>,
    number: usize,
}

/// A layer whose trees are listed when the first of its blobs is asked for.
struct Layer {
    name: LayerName,
    blobs: Vec<Blob>,
    store_root: Option<PathBuf>,
    plan: Mutex<Option<Arc<Plan>>>,
}

/// A blob that is ready to be written.
pub(super) struct Opened<'b> {
    plan: Arc<Plan>,
    number: usize,
    blob: &'b Blob,
}

impl Images {
    /// Adds an image under a name and a tag. `store_root` is where the Nix store is, if not
    /// at `/`.
    ///
    /// # Errors
    /// The specification allows no such name or tag.
    pub fn add(
        &mut self,
        repository: &str,
        tag: &str,
        image: &Image,
        store_root: Option<&Path>,
    ) -> Result<()> {
        if route::repository(repository).is_err() || !route::is_tag(tag) {
            let name = format!("{repository}:{tag}");
            let problem = "a registry allows no such name or tag".to_owned();
            return Err(Error::BadName { name, problem }.failure().into());
        }
        let mut blobs = Vec::new();
        for layer in &image.layers {
            let served = self
                .layers
                .entry(layer.spec.clone())
                .or_insert_with(|| Arc::new(Layer::new(layer, store_root)));
            blobs.extend((0..layer.blobs.len()).map(|number| TreeBlob {
                layer: Arc::clone(served),
                number,
            }));
        }
        let names = self.repositories.entry(repository.to_owned()).or_default();
        for tree in blobs {
            names.blobs.insert(tree.blob().diff_id, Stored::Trees(tree));
        }
        let config = Stored::Memory(image.config.json.as_bytes().into());
        names.blobs.insert(image.config.digest, config);
        let manifest = Document {
            media_type: oci::MANIFEST.to_owned(),
            bytes: image.manifest.json.clone().into_bytes(),
        };
        names.manifests.insert(image.manifest.digest, manifest);
        names.tags.insert(tag.to_owned(), image.manifest.digest);
        Ok(())
    }

    /// Adds another tag to an image's repository: an image of its `n_blobs` lowest blobs that
    /// starts nothing. Who pulls it first has these when the whole image is pulled.
    pub fn add_part(&mut self, repository: &str, tag: &str, image: &Image, n_blobs: usize) {
        let blobs: Vec<&Blob> = image.blobs().take(n_blobs).collect();
        let diff_ids: Vec<Digest> = blobs.iter().map(|blob| blob.diff_id).collect();
        let config = json!({
            "architecture": image.architecture,
            "os": image.os,
            "config": {},
            "rootfs": {"type": "layers", "diff_ids": diff_ids},
        });
        let config = config.to_string().into_bytes();
        let config_digest = Digest::of(&config);
        let layers: Vec<Value> = blobs
            .iter()
            .map(|blob| {
                json!({
                    "mediaType": oci::LAYER_TAR,
                    "digest": blob.diff_id,
                    "size": blob.size_bytes,
                })
            })
            .collect();
        let manifest = json!({
            "schemaVersion": 2,
            "mediaType": oci::MANIFEST,
            "config": {
                "mediaType": oci::CONFIG,
                "digest": config_digest,
                "size": config.len(),
            },
            "layers": layers,
        });
        let manifest = manifest.to_string().into_bytes();
        let digest = Digest::of(&manifest);
        let names = self.repositories.entry(repository.to_owned()).or_default();
        let config = Stored::Memory(config.into());
        names.blobs.insert(config_digest, config);
        let document = Document {
            media_type: oci::MANIFEST.to_owned(),
            bytes: manifest,
        };
        names.manifests.insert(digest, document);
        names.tags.insert(tag.to_owned(), digest);
    }

    /// Also serves an artifact about an image of the repository, and returns its digest; `None`
    /// when there is no such image.
    pub fn attach(
        &mut self,
        repository: &str,
        subject: &Digest,
        artifact: &NewArtifact<'_>,
    ) -> Option<Digest> {
        let names = self.repositories.get_mut(repository)?;
        let subject_bytes = names.manifests.get(subject)?.bytes.len() as u64;
        let manifest = artifact.manifest(subject, subject_bytes);
        let referrer = artifact.referrer(&manifest);
        let digest = Digest::of(manifest.as_bytes());
        for blob in [EMPTY, artifact.content] {
            let stored = Stored::Memory(blob.into());
            names.blobs.insert(Digest::of(blob), stored);
        }
        let document = Document {
            media_type: referrer.media_type.clone(),
            bytes: manifest.into_bytes(),
        };
        if names.manifests.insert(digest, document).is_none() {
            names.referrers.entry(*subject).or_default().push(referrer);
        }
        Some(digest)
    }

    pub(super) fn repository(&self, name: &str) -> Option<&Repository> {
        self.repositories.get(name)
    }
}

impl Repository {
    pub(super) fn manifest(&self, digest: &Digest) -> Option<&Document> {
        self.manifests.get(digest)
    }

    pub(super) fn blob(&self, digest: &Digest) -> Option<&Stored> {
        self.blobs.get(digest)
    }

    /// The artifacts about a manifest.
    pub(super) fn referrers(&self, subject: &Digest) -> &[Referrer] {
        self.referrers.get(subject).map_or(&[], Vec::as_slice)
    }
}

impl Stored {
    pub(super) fn size_bytes(&self) -> u64 {
        match self {
            Self::Memory(bytes) => bytes.len() as u64,
            Self::Trees(tree) => tree.blob().size_bytes,
        }
    }
}

impl Layer {
    fn new(layer: &ImageLayer, store_root: Option<&Path>) -> Self {
        Self {
            name: layer.name.clone(),
            blobs: layer.blobs.clone(),
            store_root: store_root.map(Path::to_owned),
            plan: Mutex::new(None),
        }
    }

    /// Lists the trees once; a failure is tried again, for the store may be repaired.
    fn open(&self) -> Result<Arc<Plan>, comfy_image::Error> {
        let mut known = self
            .plan
            .lock()
            .unwrap_or_else(std::sync::PoisonError::into_inner);
        if let Some(plan) = known.as_ref() {
            return Ok(Arc::clone(plan));
        }
        let plan = Plan::open(&self.name, &self.blobs, self.store_root.as_deref())?;
        let plan = Arc::new(plan);
        *known = Some(Arc::clone(&plan));
        Ok(plan)
    }
}

impl TreeBlob {
    fn blob(&self) -> &Blob {
        &self.layer.blobs[self.number]
    }

    /// Finds the files of the blob.
    pub(super) fn open(&self) -> Result<Opened<'_>, comfy_image::Error> {
        Ok(Opened {
            plan: self.layer.open()?,
            number: self.number,
            blob: self.blob(),
        })
    }
}

impl Opened<'_> {
    /// Writes the tar; the stream ends early unless it has the blob's digest.
    pub(super) fn write(&self, out: &mut dyn std::io::Write) -> Result<(), comfy_image::Error> {
        self.plan.write_blob(self.number, self.blob, out, &|_| ())
    }
}
