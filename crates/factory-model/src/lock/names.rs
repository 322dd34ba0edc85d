//! Which distributions a lock puts into an image.

use std::collections::BTreeSet;

use super::PythonLock;
use crate::layer::LayerName;

/// The layer of NVIDIA's files. What Python wants to know of them (their dist-info) comes with
/// PyTorch, which is the first that asks for it.
const CUDA_LAYER: &str = "01-base-cuda";

/// The layer with the dist-info of [`CUDA_LAYER`]'s wheels.
const CUDA_METADATA_LAYER: &str = "04-pytorch";

impl PythonLock {
    /// Normalized names of everything in the lock.
    pub fn names(&self) -> BTreeSet<String> {
        self.placed().map(|(name, _)| name.to_owned()).collect()
    }

    /// Normalized names of what Python finds in an image of these layers.
    pub fn distributions(&self, layers: &[LayerName]) -> BTreeSet<String> {
        let has = |wanted: &str| layers.iter().any(|layer| layer.to_string() == wanted);
        self.placed()
            .filter(|&(_, layer)| {
                has(if layer == CUDA_LAYER {
                    CUDA_METADATA_LAYER
                } else {
                    layer
                })
            })
            .map(|(name, _)| name.to_owned())
            .collect()
    }

    fn placed(&self) -> impl Iterator<Item = (&str, &str)> {
        let packages = self.packages.iter();
        let packages = packages.map(|one| (one.name.as_str(), one.layer.as_str()));
        let git = self.git.iter();
        let git = git.map(|one| (one.name.as_str(), one.layer.as_str()));
        let provided = self.provided.iter();
        let provided = provided.map(|one| (one.name.as_str(), one.layer.as_str()));
        packages.chain(git).chain(provided)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ok_metadata_of_cuda_comes_with_torch() {
        let text = "schema_version = 1\npython = 'cp314t'\nlist_sha256 = '0000000000000000000000000000000000000000000000000000000000000000'\n\
            [[provided]]\nname = 'nvidia-nvtx'\nversion = '1'\nlayer = '01-base-cuda'\nby = 'x'\n\
            [[git]]\nname = 'clip'\nlayer = '02-python-tools'\n";
        let lock: PythonLock = toml::from_str(text).unwrap();
        let layers = ["01-base-cuda", "02-python-tools", "04-pytorch"].map(|l| l.parse().unwrap());
        let names =
            |layers: &[LayerName]| lock.distributions(layers).into_iter().collect::<Vec<_>>();
        assert_eq!(names(&layers[..2]), ["clip"]);
        assert_eq!(names(&layers), ["clip", "nvidia-nvtx"]);
        assert_eq!(lock.names().len(), 2);
    }
}
