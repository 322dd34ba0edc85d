//! What this machine knows of layers that were built here.

use std::collections::BTreeMap;
use std::path::Path;

use anyhow::Result;
use comfy_image::Digest;
use comfy_image::compression::CompressedLayer;
use comfy_image::image::Image;
use comfy_image::layer::LayerSpec;
use image_diff::{Blob, Sizes};

use crate::ctx::Ctx;
use crate::operand::{self, store_root};
use factory_nix::roots;

/// Layers whose descriptions the store has.
#[derive(Debug, Default)]
pub(crate) struct Known {
    /// Each blob by its diff_id.
    pub(crate) blobs: BTreeMap<Digest, Blob>,
    /// What a blob is for a registry that gets zstd.
    pub(crate) compressed: BTreeMap<Digest, u64>,
    /// How large package trees are.
    pub(crate) sizes: Sizes,
}

impl Known {
    /// Reads what the garbage-collector roots of this user lead to. What cannot be read is of
    /// another version of this program, and not known.
    ///
    /// # Errors
    /// A directory cannot be listed.
    pub(crate) fn read(ctx: &Ctx) -> Result<Self> {
        let mut known = Self::default();
        let mut links = Vec::new();
        for variant in list(&roots(ctx))? {
            links.extend(list(&variant)?);
        }
        for link in links {
            let Ok(target) = fs_err::read_link(&link) else {
                continue;
            };
            let store_root = store_root(ctx, &target)?;
            let root = store_root.as_deref();
            if let Ok(image) = operand::read(&target, root) {
                known.learn_image(&image, root);
            } else if let Ok(layer) = CompressedLayer::read(&target, root) {
                known.learn_compressed(&layer);
            }
        }
        Ok(known)
    }

    /// Adds the layers of an image that is described in the store.
    pub(crate) fn learn_image(&mut self, image: &Image, store_root: Option<&Path>) {
        for layer in &image.layers {
            let blobs = Blob::of_layer(layer).into_iter();
            let blobs = blobs.filter_map(|blob| Some((blob.diff_id?, blob)));
            self.blobs.extend(blobs);
            if let Ok(spec) = LayerSpec::read(&layer.spec, store_root) {
                self.sizes.learn(&spec);
            }
        }
    }

    /// Adds a layer that is built, whoever built it.
    pub(crate) fn learn_spec(&mut self, spec: &LayerSpec) {
        self.sizes.learn(spec);
    }

    /// Adds what the blobs of a layer are for a registry.
    pub(crate) fn learn_compressed(&mut self, layer: &CompressedLayer) {
        let blobs = layer.blobs.iter();
        self.compressed
            .extend(blobs.map(|blob| (blob.diff_id, blob.size_bytes)));
    }
}

/// The entries of a directory in order; none where it is not there.
fn list(directory: &Path) -> Result<Vec<std::path::PathBuf>> {
    if !directory.is_dir() {
        return Ok(Vec::new());
    }
    let entries = fs_err::read_dir(directory)?.map(|entry| entry.map(|entry| entry.path()));
    let mut paths = entries.collect::<Result<Vec<_>, _>>()?;
    paths.sort();
    Ok(paths)
}
