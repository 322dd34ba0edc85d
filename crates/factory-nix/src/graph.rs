//! The derivations that a build consists of, and which of them the store lacks.

use std::collections::{BTreeMap, BTreeSet};

use anyhow::{Context as _, Result};
use xshell::Shell;

use super::drv::Drv;
use super::missing::{MissingSource, missing_sources};
use super::{Context, Error, Nix, name_of};
use factory_base::error::Explain as _;
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

impl Graph {
    /// Reads the closure of derivations.
    ///
    /// # Errors
    /// A derivation is not in the store, or has a form that is not known here.
    pub fn read(nix: &Nix, drv_paths: &[String]) -> Result<Self> {
        Self::read_with(drv_paths, |drv_path| nix.derivation(drv_path))
    }

    pub(super) fn read_with(
        drv_paths: &[String],
        read: impl Fn(&str) -> Result<Drv>,
    ) -> Result<Self> {
        let mut nodes = BTreeMap::new();
        let mut stack = drv_paths.to_vec();
        while let Some(drv_path) = stack.pop() {
            if nodes.contains_key(&drv_path) {
                continue;
            }
            let node = Node::new(&drv_path, read(&drv_path)?);
            stack.extend(node.inputs.iter().cloned());
            nodes.insert(drv_path, node);
        }
        Ok(Self { nodes })
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

    /// The sources that realizing `targets` needs and the store lacks; `missing` is what
    /// [`Self::missing`] found. Nix is asked only where there is one.
    ///
    /// # Errors
    /// As [`missing_sources`].
    pub fn missing_sources(
        &self,
        ctx: &dyn Context,
        nix: &Nix,
        (missing, targets): (&BTreeSet<String>, &[String]),
    ) -> Result<Vec<MissingSource>> {
        let mut nodes = missing.iter().filter_map(|drv_path| self.get(drv_path));
        if nodes.any(|node| node.is_fixed) {
            missing_sources(ctx, nix, targets)
        } else {
            Ok(Vec::new())
        }
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

impl Node {
    fn new(drv_path: &str, drv: Drv) -> Self {
        Self {
            name: name_of(drv_path),
            is_fixed: drv.outputs.values().any(|output| !output.hash.is_empty()),
            // The path of a floating output is known only when it is built.
            out_paths: drv
                .outputs
                .into_values()
                .map(|output| output.path)
                .filter(|path| !path.is_empty())
                .collect(),
            inputs: drv.inputs,
        }
    }
}

impl Nix {
    /// Reads a derivation of the store.
    ///
    /// # Errors
    /// It is not there, or has a form that is not known here.
    pub(super) fn derivation(&self, drv_path: &str) -> Result<Drv> {
        let text = fs_err::read_to_string(self.physical(drv_path)).with_context(|| {
            let drv_path = drv_path.to_owned();
            Error::NoDerivation { drv_path }.failure()
        })?;
        Drv::parse(&text).ok_or_else(|| {
            Error::UnknownDerivation {
                drv_path: drv_path.to_owned(),
                version: self.version.clone(),
            }
            .failure()
            .into()
        })
    }

    /// What a derivation sets for its builder under a name, such as the request of a layer.
    ///
    /// # Errors
    /// The derivation is not there, or has a form that is not known here.
    pub fn attribute(&self, drv_path: &str, name: &str) -> Result<Option<String>> {
        Ok(self.derivation(drv_path)?.attribute(name))
    }

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

    const STORE: [(&str, &str); 3] = [
        (
            "/s/x-a.drv",
            r#"Derive([("out","/s/a","sha256","00")],[],[],"s","b",[],[])"#,
        ),
        (
            "/s/x-b.drv",
            r#"Derive([("dev","/s/b-dev","",""),("out","/s/b","","")],[("/s/x-a.drv",["out"])],[],"s","b",[],[])"#,
        ),
        (
            "/s/x-c.drv",
            r#"Derive([("out","/s/c","","")],[("/s/x-a.drv",["out"]),("/s/x-b.drv",["dev","out"])],[],"s","b",[],[])"#,
        ),
    ];

    fn graph() -> Graph {
        let store: BTreeMap<&str, &str> = STORE.into();
        Graph::read_with(&["/s/x-c.drv".to_owned()], |drv_path| {
            Drv::parse(store[drv_path]).context("not a derivation")
        })
        .unwrap()
    }

    #[test]
    fn ok_closure() {
        let graph = graph();
        let node = graph.get("/s/x-b.drv").unwrap();
        assert_eq!((node.name.as_str(), node.is_fixed), ("b", false));
        assert_eq!(node.out_paths, ["/s/b-dev", "/s/b"]);
        assert_eq!(graph.iter().count(), 3);
    }

    #[test]
    fn err_unknown_form_names_the_version() {
        let store = tempfile::tempdir().unwrap();
        fs_err::create_dir_all(store.path().join("nix/store")).unwrap();
        let text = r#"DrvWithVersion("xp-dyn-drv",[],[],[],"s","b",[],[])"#;
        fs_err::write(store.path().join("nix/store/x-a.drv"), text).unwrap();
        let nix = Nix {
            bin: "/bin".into(),
            version: "nix (Nix) 9.1.0".to_owned(),
            environment: Vec::new(),
            store_root: Some(store.path().to_owned()),
        };
        let error = Graph::read(&nix, &["/nix/store/x-a.drv".to_owned()]).unwrap_err();
        assert_eq!(
            factory_base::error::kind_of(&error),
            factory_base::error::Kind::Environment
        );
        insta::assert_snapshot!(error, @"`/nix/store/x-a.drv`, written by nix (Nix) 9.1.0, has a form that is not known here");
    }

    #[test]
    fn ok_missing_stops_at_what_exists() {
        let targets = ["/s/x-c.drv".to_owned()];
        let missing = ["/s/x-a.drv", "/s/x-c.drv"].map(str::to_owned).into();
        let some = graph().among(&missing, &targets);
        assert_eq!(
            some.into_iter().collect::<Vec<_>>(),
            ["/s/x-a.drv", "/s/x-c.drv"]
        );
        assert!(graph().get("/s/x-a.drv").unwrap().is_fixed);
        assert!(!graph().get("/s/x-b.drv").unwrap().is_fixed);
    }

    #[test]
    fn ok_the_earliest_layer_owns() {
        let specs = [("01-low", "/s/x-b.drv"), ("02-high", "/s/x-c.drv")]
            .map(|(layer, spec)| (layer.parse().unwrap(), spec.to_owned()));
        let owners = graph().layers(&specs);
        let show = |path: &str| owners[path].to_string();
        assert_eq!(
            [show("/s/x-a.drv"), show("/s/x-c.drv")],
            ["01-low", "02-high"]
        );
    }
}
