//! What the flake says a variant consists of, from one evaluation.

use anyhow::Result;
use serde::{Deserialize, Serialize};

use super::Nix;
use crate::ctx::Ctx;

/// The evaluated `legacyPackages.x86_64-linux.factory.VARIANT.plan`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Plan {
    /// Variant name.
    pub variant: String,
    /// Image reference `name:tag` of the final image.
    pub reference: String,
    /// The twelve layers in order.
    pub layers: Vec<LayerPlan>,
}

/// One layer of the plan.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct LayerPlan {
    /// `05-pak3`.
    pub name: String,
    /// The layer spec (JSON file) of this layer alone.
    pub spec: Derivation,
    /// The image (JSON file) of layers 01 to this one.
    pub image: Derivation,
}

/// A derivation and the path of its `out` output.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub struct Derivation {
    /// `/nix/store/….drv`.
    pub drv_path: String,
    /// `/nix/store/…`.
    pub out_path: String,
}

impl Nix {
    /// Evaluates the plan of a variant (and instantiates its derivations).
    ///
    /// # Errors
    /// The flake does not evaluate, or there is no such variant.
    pub fn plan(&self, _ctx: &Ctx, _variant: &str) -> Result<Plan> {
        anyhow::bail!("not written yet")
    }
}
