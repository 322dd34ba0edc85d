//! What the checks of one run are about.

use std::collections::BTreeSet;
use std::path::PathBuf;

use factory_model::layer::LayerName;

/// A variant up to one of its layers, and the checkout that says what it should be.
#[derive(Debug)]
pub struct Subject {
    /// The checkout.
    pub root: PathBuf,
    /// The variant's name, which its lock has too.
    pub variant: String,
    /// Its name in the flake and in the image's labels.
    pub attribute: String,
    /// Without what comes from git.
    pub without_git: bool,
    /// Up to the chosen one; never empty.
    pub layers: Vec<LayerName>,
    /// What the lock says of Python; `None` where the variant has no lock.
    pub locked: Option<Locked>,
    /// A ComfyUI checkout of the user's, for a variant without one.
    pub comfyui: Option<PathBuf>,
    /// When checks that need a GPU are run.
    pub gpu: GpuMode,
}

/// Normalized names of distributions, as the lock has them.
#[derive(Debug, Default)]
pub struct Locked {
    /// What Python finds in an image of the chosen layers.
    pub distributions: BTreeSet<String>,
    /// Whose files another distribution brings.
    pub provided: BTreeSet<String>,
    /// Those of any variant's lock, which the rules for imports may name.
    pub known: BTreeSet<String>,
}

/// When checks that need a GPU are run.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum GpuMode {
    /// Where there is one.
    #[default]
    Auto,
    /// A machine without one is an error.
    Require,
    /// Never.
    Off,
}

impl Subject {
    /// The chosen layer.
    pub fn layer(&self) -> &LayerName {
        // Its maker puts the chosen layer last.
        &self.layers[self.layers.len() - 1]
    }
}
