//! What `image inspect` of docker and podman says, and whether it is our image.

use anyhow::{Context as _, Result};
use comfy_image::Reference;
use comfy_image::image::Image;
use serde::Deserialize;
use serde_json::Value;

/// An image that the engine has.
#[derive(Debug, Clone, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct EngineImage {
    /// What the engine knows it by.
    pub id: String,
    #[serde(default)]
    repo_tags: Option<Vec<String>>,
    /// `name@digest` of each manifest by which it was pulled or stored.
    #[serde(default)]
    pub repo_digests: Option<Vec<String>>,
    #[serde(default, rename = "RootFS")]
    root_fs: Option<RootFs>,
    /// How a container starts: the `config` object of the OCI image configuration.
    #[serde(default)]
    pub config: Value,
}

#[derive(Debug, Clone, Default, Deserialize)]
#[serde(rename_all = "PascalCase")]
struct RootFs {
    #[serde(default)]
    layers: Option<Vec<String>>,
}

/// Reads the output of `image inspect`.
pub(super) fn parse(json: &str) -> Result<Vec<EngineImage>> {
    if json.trim().is_empty() {
        return Ok(Vec::new());
    }
    serde_json::from_str(json).context("cannot read the output of `image inspect`")
}

impl EngineImage {
    /// Whether it is this very image. The ID is the digest of the config; where docker keeps
    /// images in containerd it is that of a manifest of its own, and then the content decides.
    pub fn is(&self, image: &Image) -> bool {
        let id = self.id.trim_start_matches("sha256:");
        if id == image.config.digest.hex() {
            return true;
        }
        let n_layers = self.layers().len();
        n_layers > 0
            && n_layers == image.blobs().count()
            && n_layers == self.n_common_blobs(image)
            && self.same_config(&image.config.json)
    }

    /// How many of the image's blobs it has, from the lowest up.
    pub(super) fn n_common_blobs(&self, image: &Image) -> usize {
        let pairs = self.layers().iter().zip(image.blobs());
        pairs
            .take_while(|(layer, blob)| **layer == blob.diff_id.to_string())
            .count()
    }

    fn layers(&self) -> &[String] {
        let layers = self.root_fs.as_ref();
        layers
            .and_then(|root_fs| root_fs.layers.as_deref())
            .unwrap_or_default()
    }

    /// Each name that stands for it.
    pub(super) fn tags(&self) -> impl Iterator<Item = &str> {
        let tags = self.repo_tags.iter().flatten();
        tags.map(String::as_str)
    }

    pub(super) fn has_tag(&self, reference: &Reference) -> bool {
        let short = reference.to_string();
        let full = reference.fully_qualified();
        let local = format!("localhost/{short}");
        self.tags()
            .any(|tag| tag == short || tag == full || tag == local)
    }

    fn same_config(&self, json: &str) -> bool {
        let Ok(expected) = serde_json::from_str::<Value>(json) else {
            return false;
        };
        let expected = &expected["config"];
        ["Cmd", "Entrypoint", "Env", "Labels", "WorkingDir"]
            .iter()
            .all(|key| expected[key] == self.config[key])
    }
}
