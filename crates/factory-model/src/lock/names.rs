//! Which distributions a lock puts into an image.

use std::collections::BTreeSet;

use super::python::PythonLock;
use crate::layer::LayerName;
use crate::layers::Layers;

impl PythonLock {
    /// Normalized names of everything in the lock.
    pub fn names(&self) -> BTreeSet<String> {
        self.placed().map(|(name, _)| name.to_owned()).collect()
    }

    /// Normalized names of what Python finds in an image of these layers. What it wants to
    /// know of NVIDIA's files (their dist-info) comes with PyTorch, the first that asks.
    pub fn distributions(&self, all: &Layers, layers: &[LayerName]) -> BTreeSet<String> {
        let names: BTreeSet<String> = layers.iter().map(ToString::to_string).collect();
        let cuda = all.cuda.to_string();
        let metadata = all.cuda_metadata.to_string();
        self.placed()
            .filter(|&(_, layer)| {
                names.contains(if layer == cuda {
                    metadata.as_str()
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
        let all = Layers::parse(
            "schema_version = 1\ncuda = '01-base-cuda'\ncuda_metadata = '03-pytorch'\nlayers = [\
            {name = '01-base-cuda', stage = 's'}, {name = '02-python-tools', stage = 's'}, {name = '03-pytorch', stage = 's'}]",
        )
        .unwrap();
        let layers = all.names();
        let names = |layers: &[LayerName]| {
            lock.distributions(&all, layers)
                .into_iter()
                .collect::<Vec<_>>()
        };
        assert_eq!(names(&layers[..2]), ["clip"]);
        assert_eq!(names(&layers), ["clip", "nvidia-nvtx"]);
        assert_eq!(lock.names().len(), 2);
    }
}
