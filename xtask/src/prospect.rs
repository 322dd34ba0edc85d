//! The blobs and settings that an image will have, as far as they are known before it is built.

use std::collections::BTreeMap;
use std::path::Path;

use anyhow::Result;
use comfy_image::compression::{CompressedLayer, Compression};
use comfy_image::image::ImageRequest;
use comfy_image::layer::{LayerRequest, LayerSpec};
use image_diff::{Blob, forecast, settings_of};
use serde::Serialize;

use crate::exit::from_image;
use crate::known::Known;
use factory_model::layer::LayerName;
use factory_nix::{LayerPlan, Nix, Plan};

/// What a plan of the flake leads to.
#[derive(Debug, Default)]
pub(crate) struct Prospect {
    /// The lowest first.
    pub(crate) blobs: Vec<Blob>,
    /// As [`image_diff::View::settings`]; none where the derivation does not say it.
    pub(crate) settings: Option<BTreeMap<String, String>>,
    /// Layers that are not built, and whose derivations do not say what they hold.
    pub(crate) unknown_layers: Vec<LayerName>,
}

/// What stands in a configuration beside its layers.
#[derive(Serialize)]
struct Settings<'r> {
    architecture: &'r str,
    os: &'r str,
    created: &'r str,
    config: &'r comfy_image::oci::ContainerConfig,
}

/// Adds the sizes of all layers of a plan that are built.
///
/// # Errors
/// The store cannot be asked, or a description cannot be read.
pub(crate) fn learn(nix: &Nix, plan: &Plan, known: &mut Known) -> Result<()> {
    let zstd = Compression::Zstd.name();
    let outputs = plan.layers.iter().flat_map(|layer| {
        let encoded = layer.encoded.get(zstd);
        encoded
            .into_iter()
            .chain([&layer.spec])
            .map(|derivation| derivation.out_path.as_str())
    });
    let invalid = nix.invalid_paths(&outputs.collect::<Vec<_>>())?;
    let is_built = |path: &String| !invalid.contains(path);
    for layer in &plan.layers {
        if is_built(&layer.spec.out_path) {
            known.learn_spec(&spec(nix, layer)?);
        }
        if let Some(encoded) = layer
            .encoded
            .get(zstd)
            .filter(|encoded| is_built(&encoded.out_path))
        {
            let path = Path::new(&encoded.out_path);
            known.learn_compressed(
                &CompressedLayer::read(path, nix.store_root()).map_err(from_image)?,
            );
        }
    }
    Ok(())
}

/// Says what a plan leads to, up to a layer.
///
/// # Errors
/// The store cannot be asked, or a description cannot be read.
pub(crate) fn prospect(
    nix: &Nix,
    plan: &Plan,
    layer: &LayerName,
    known: &Known,
) -> Result<Prospect> {
    let layers = plan.up_to(layer);
    let outputs: Vec<&str> = layers
        .iter()
        .map(|layer| layer.spec.out_path.as_str())
        .collect();
    let invalid = nix.invalid_paths(&outputs)?;
    let mut prospect = Prospect::default();
    for layer in layers {
        if !invalid.contains(&layer.spec.out_path) {
            let spec = spec(nix, layer)?;
            prospect
                .blobs
                .extend(Blob::of_blobs(spec.name.as_str(), &spec.blobs));
            continue;
        }
        match request::<LayerRequest>(nix, &layer.spec.drv_path)? {
            Some(request) => prospect.blobs.extend(forecast(&request, &known.sizes)),
            None => prospect.unknown_layers.push(layer.name.clone()),
        }
    }
    let image = request::<ImageRequest>(nix, &plan.layer(layer)?.image.drv_path)?;
    prospect.settings = image.as_ref().map(settings).transpose()?;
    for blob in &mut prospect.blobs {
        let compressed = blob
            .diff_id
            .and_then(|diff_id| known.compressed.get(&diff_id));
        blob.stored_bytes = compressed.copied();
    }
    Ok(prospect)
}

fn spec(nix: &Nix, layer: &LayerPlan) -> Result<LayerSpec> {
    LayerSpec::read(Path::new(&layer.spec.out_path), nix.store_root()).map_err(from_image)
}

/// What a derivation asks the image tool for. One that was written for another version of it
/// says nothing that is known here.
fn request<T: serde::de::DeserializeOwned>(nix: &Nix, drv_path: &str) -> Result<Option<T>> {
    let text = nix.attribute(drv_path, "request")?;
    Ok(text.and_then(|text| serde_json::from_str(&text).ok()))
}

fn settings(request: &ImageRequest) -> Result<BTreeMap<String, String>> {
    let settings = Settings {
        architecture: &request.architecture,
        os: &request.os,
        created: &request.created,
        config: &request.config,
    };
    Ok(settings_of(&serde_json::to_value(settings)?))
}
