//! The derivations that a build consists of, and which of them the store lacks.

use std::collections::{BTreeMap, BTreeSet};

use anyhow::{Context as _, Result};
use serde::Deserialize;
use xshell::Shell;

use super::Nix;
use factory_base::process;
use factory_model::layer::LayerName;

/// Arguments of one call: far below the kernel's limit for all arguments together.
const BATCH: usize = 5_000;

/// Derivations by path, closed under "needs".
#[derive(Debug, Clone, Default)]
pub struct Graph {
    nodes: BTreeMap<String, Node>,
}

/// What a build needs to know of a derivation.
#[derive(Debug, Clone)]
pub struct Node {
    /// Name with version, without hash.
    pub name: String,
    /// All output paths.
    pub out_paths: Vec<String>,
    /// Whether the output's hash is declared: a source.
    pub is_fixed: bool,
    /// Derivations it needs.
    pub inputs: Vec<String>,
}

/// The form of `nix derivation show`, as far as it is used here.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Shown {
    name: String,
    outputs: BTreeMap<String, ShownOutput>,
    input_drvs: BTreeMap<String, serde::de::IgnoredAny>,
}

#[derive(Deserialize)]
struct ShownOutput {
    #[serde(default)]
    path: Option<String>,
    #[serde(default)]
    hash: Option<String>,
}

impl Graph {
    /// Reads the closure of derivations.
    ///
    /// # Errors
    /// A derivation is not in the store.
    pub fn read(nix: &Nix, drv_paths: &[String]) -> Result<Self> {
        let shell = Shell::new()?;
        let cmd = nix.cmd(&shell, "nix");
        let json = process::capture(
            cmd.args(["derivation", "show", "--recursive"])
                .args(drv_paths),
        )?;
        Self::parse(&json)
    }

    fn parse(json: &str) -> Result<Self> {
        let shown: BTreeMap<String, Shown> = serde_json::from_str(json)
            .context("cannot read the output of `nix derivation show`")?;
        let nodes = shown.into_iter().map(|(drv_path, shown)| {
            let node = Node {
                name: shown.name,
                is_fixed: shown.outputs.values().any(|output| output.hash.is_some()),
                out_paths: shown
                    .outputs
                    .into_values()
                    .filter_map(|output| output.path)
                    .collect(),
                inputs: shown.input_drvs.into_keys().collect(),
            };
            (drv_path, node)
        });
        Ok(Self {
            nodes: nodes.collect(),
        })
    }

    /// One derivation.
    pub fn get(&self, drv_path: &str) -> Option<&Node> {
        self.nodes.get(drv_path)
    }

    /// All derivations by path.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &Node)> {
        self.nodes.iter().map(|(path, node)| (path.as_str(), node))
    }

    /// The derivations that realizing `targets` has to build, sources included.
    ///
    /// # Errors
    /// The store cannot be asked.
    pub fn missing(&self, nix: &Nix, targets: &[String]) -> Result<BTreeSet<String>> {
        let paths: Vec<&str> = self
            .nodes
            .values()
            .flat_map(|node| node.out_paths.iter().map(String::as_str))
            .collect();
        let invalid = nix.invalid_paths(&paths)?;
        let lacks = |node: &Node| node.out_paths.iter().any(|path| invalid.contains(path));
        let missing = self
            .iter()
            .filter(|(_, node)| lacks(node))
            .map(|(path, _)| path.to_owned());
        Ok(self.among(&missing.collect(), targets))
    }

    /// Those of `missing` that realizing `targets` reaches.
    pub fn among(&self, missing: &BTreeSet<String>, targets: &[String]) -> BTreeSet<String> {
        let mut found = BTreeSet::new();
        let mut stack = targets.to_vec();
        while let Some(drv_path) = stack.pop() {
            let Some(node) = self
                .nodes
                .get(&drv_path)
                .filter(|_| missing.contains(&drv_path))
            else {
                continue;
            };
            if found.insert(drv_path) {
                stack.extend(node.inputs.iter().cloned());
            }
        }
        found
    }

    /// Whether one of these derivations is a source.
    pub fn has_source(&self, drv_paths: &BTreeSet<String>) -> bool {
        let mut nodes = drv_paths.iter().filter_map(|drv_path| self.get(drv_path));
        nodes.any(|node| node.is_fixed)
    }

    /// Which layer first needs each derivation; `specs` in order of layers.
    pub fn layers(&self, specs: &[(LayerName, String)]) -> BTreeMap<String, LayerName> {
        let all: BTreeSet<String> = self.nodes.keys().cloned().collect();
        let mut owners = BTreeMap::new();
        for (layer, spec) in specs {
            for drv_path in self.among(&all, std::slice::from_ref(spec)) {
                owners.entry(drv_path).or_insert_with(|| layer.clone());
            }
        }
        owners
    }
}

impl Nix {
    /// Those of `paths` that the store does not hold.
    ///
    /// # Errors
    /// The store cannot be asked.
    pub fn invalid_paths(&self, paths: &[&str]) -> Result<BTreeSet<String>> {
        let shell = Shell::new()?;
        let mut invalid = BTreeSet::new();
        for batch in paths.chunks(BATCH) {
            let cmd = self.cmd(&shell, "nix-store");
            let cmd = cmd
                .args(["--check-validity", "--print-invalid"])
                .args(batch);
            invalid.extend(process::capture(cmd)?.lines().map(str::to_owned));
        }
        Ok(invalid)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn graph() -> Graph {
        Graph::parse(
            r#"{
              "/s/a.drv": {"name": "a", "outputs": {"out": {"path": "/s/a", "hash": "00", "method": "flat"}}, "inputDrvs": {}, "env": {}},
              "/s/b.drv": {"name": "b", "outputs": {"out": {"path": "/s/b"}}, "inputDrvs": {"/s/a.drv": {"outputs": ["out"]}}, "new": 1},
              "/s/c.drv": {"name": "c", "outputs": {"out": {"path": "/s/c"}}, "inputDrvs": {"/s/b.drv": {}, "/s/a.drv": {}}}
            }"#,
        )
        .unwrap()
    }

    #[test]
    fn ok_missing_stops_at_what_exists() {
        let targets = ["/s/c.drv".to_owned()];
        let missing = ["/s/a.drv", "/s/c.drv"].map(str::to_owned).into();
        let some = graph().among(&missing, &targets);
        assert_eq!(
            some.into_iter().collect::<Vec<_>>(),
            ["/s/a.drv", "/s/c.drv"]
        );
        assert!(graph().get("/s/a.drv").unwrap().is_fixed);
        assert!(!graph().get("/s/b.drv").unwrap().is_fixed);
    }

    #[test]
    fn ok_the_earliest_layer_owns() {
        let specs = [("01-low", "/s/b.drv"), ("02-high", "/s/c.drv")]
            .map(|(layer, spec)| (layer.parse().unwrap(), spec.to_owned()));
        let owners = graph().layers(&specs);
        let show = |path: &str| owners[path].to_string();
        assert_eq!([show("/s/a.drv"), show("/s/c.drv")], ["01-low", "02-high"]);
    }
}
