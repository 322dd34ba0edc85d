//! What is in an image, from its locks: each package with its origin, hash, licence and layer.

use std::collections::{BTreeMap, BTreeSet};

use factory_model::layer::LayerName;
use factory_model::layers::{Layer, Layers};
use factory_model::lock::{
    DebianLock, DebianPackage, GitTree, Origin, PythonLock, PythonPackage, Sha256, SourcesLock,
    Tarball,
};

use crate::licence::Licence;
use crate::purl::Purl;

/// The layer with this Debian root has the interpreter (`layers/02-python-tools/layer.nix`).
const WITH_PYTHON: &str = "tools";
/// The layer with this Debian root has the program that starts ComfyUI.
const WITH_START: &str = "app";
/// The layer that this list feeds has the weights of previews (`nix/comfyuiBundle.nix`).
const WITH_WEIGHTS: &str = "nodes.txt";

/// The locks of one variant.
#[derive(Debug)]
pub struct Locks<'a> {
    /// `layers/layers.toml`.
    pub layers: &'a Layers,
    /// The variant's Python lock.
    pub python: &'a PythonLock,
    /// Tarballs, git trees and weights.
    pub sources: &'a SourcesLock,
    /// What each layer's Debian root adds.
    pub debian: &'a BTreeMap<LayerName, DebianLock>,
    /// Whether what comes from git is left out (`--omit git`).
    pub without_git: bool,
}

/// Who makes images: what documents name as their maker.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Project {
    /// Where its repository is, an `https` URL.
    pub address: String,
    /// Its version.
    pub version: String,
}

/// Licences that were read from built packages.
#[derive(Debug, Default)]
pub struct Licences {
    /// By name and version of the distribution.
    pub python: BTreeMap<(String, String), Licence>,
    /// By name of the binary package.
    pub debian: BTreeMap<String, Licence>,
}

/// What an image up to a layer holds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Inventory {
    /// Who made the image.
    pub project: Project,
    /// The image's name, without a registry.
    pub name: String,
    /// Variant and version, as in `slim-pt211-py314t`.
    pub version: String,
    /// The layers, the bottom one first.
    pub layers: Vec<LayerName>,
    /// Sorted by layer, kind and name.
    pub components: Vec<Component>,
}

/// Where a package comes from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Kind {
    /// A binary package of Debian.
    Debian,
    /// A wheel, as published.
    Wheel,
    /// A source distribution, built here.
    Sdist,
    /// A revision of a git repository.
    Git,
    /// A file that no registry has.
    File,
    /// A part of this project.
    Own,
}

impl Kind {
    /// The word in documents.
    pub fn word(self) -> &'static str {
        match self {
            Self::Debian => "deb",
            Self::Wheel => "wheel",
            Self::Sdist => "sdist",
            Self::Git => "git",
            Self::File => "file",
            Self::Own => "own",
        }
    }
}

/// One package.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Component {
    /// The layer that it is in.
    pub layer: LayerName,
    /// Where it comes from.
    pub kind: Kind,
    /// Its name there.
    pub name: String,
    /// Its version there; of a git tree the revision.
    pub version: String,
    /// What others know it by.
    pub purl: Purl,
    /// The file that was fetched.
    pub file: Option<String>,
    /// The hash of that file.
    pub sha256: Option<Sha256>,
    /// The NAR hash of a git tree, SRI.
    pub nar_hash: Option<String>,
    /// Where it is, when it is in no package registry.
    pub url: Option<String>,
    /// What it says of its licence.
    pub licence: Licence,
    /// The packages that it needs, where the lock knows them.
    pub dependencies: BTreeSet<Purl>,
}

impl Inventory {
    /// All packages of the layers up to this one.
    pub fn new(
        project: Project,
        name: &str,
        version: &str,
        up_to: &LayerName,
        locks: &Locks<'_>,
        licences: &Licences,
    ) -> Self {
        let layers: Vec<LayerName> = locks.layers.names();
        let layers: Vec<LayerName> = layers.into_iter().filter(|one| one <= up_to).collect();
        let mut components: Vec<Component> = python(locks, licences);
        components.extend(debian(locks, licences));
        components.extend(files(locks));
        components.extend(own(&project, locks.layers));
        components.retain(|component| layers.contains(&component.layer));
        let present: BTreeSet<Purl> = components.iter().map(|one| one.purl.clone()).collect();
        for component in &mut components {
            component.dependencies.retain(|purl| present.contains(purl));
        }
        components.sort_by(|a, b| {
            let key = |one: &Component| (one.layer.clone(), one.kind, one.name.clone());
            (key(a), &a.purl).cmp(&(key(b), &b.purl))
        });
        components.dedup_by(|a, b| a.purl == b.purl);
        Self {
            project,
            name: name.to_owned(),
            version: version.to_owned(),
            layers,
            components,
        }
    }

    /// How many packages say nothing of their licence.
    pub fn n_without_licence(&self) -> usize {
        let unknown = |one: &&Component| one.licence == Licence::Unknown;
        self.components.iter().filter(unknown).count()
    }
}

fn python(locks: &Locks<'_>, licences: &Licences) -> Vec<Component> {
    let lock = locks.python;
    let purls = purls(locks);
    let needs = |names: &[String]| -> BTreeSet<Purl> {
        names
            .iter()
            .filter_map(|name| purls.get(name.as_str()).cloned())
            .collect()
    };
    let mut components: Vec<Component> = Vec::new();
    for package in &lock.packages {
        let key = (package.name.clone(), package.version.clone());
        let Some(layer) = layer(&package.layer) else {
            continue;
        };
        components.push(Component {
            layer,
            kind: match package.kind {
                factory_model::lock::DistributionKind::Wheel => Kind::Wheel,
                factory_model::lock::DistributionKind::Sdist => Kind::Sdist,
            },
            name: package.name.clone(),
            version: package.version.clone(),
            purl: of_package(package),
            file: Some(package.file.clone()),
            sha256: Some(package.sha256),
            nar_hash: None,
            url: package.url.clone(),
            licence: licences.python.get(&key).cloned().unwrap_or_default(),
            dependencies: needs(&package.dependencies),
        });
    }
    if locks.without_git {
        return components;
    }
    for git in lock.git.iter().chain(&lock.bundle) {
        let (Some(tree), Some(layer)) = (locks.sources.git.get(&git.name), layer(&git.layer))
        else {
            continue;
        };
        // Their own versions are not in the lock.
        let known = licences
            .python
            .iter()
            .find(|((name, _), _)| *name == git.name);
        components.push(Component {
            layer,
            kind: Kind::Git,
            name: git.name.clone(),
            version: tree.rev.clone(),
            purl: of_tree(&git.name, tree),
            file: None,
            sha256: None,
            nar_hash: Some(tree.nar_hash.to_string()),
            url: Some(format!("git+{}@{}", tree.url, tree.rev)),
            licence: known
                .map(|(_, licence)| licence.clone())
                .unwrap_or_default(),
            dependencies: needs(&git.dependencies),
        });
    }
    components
}

/// What others know each name of the Python lock by. One that is only metadata is the package
/// that has its files.
fn purls<'a>(locks: &Locks<'a>) -> BTreeMap<&'a str, Purl> {
    let lock = locks.python;
    let packages = lock.packages.iter();
    let mut purls: BTreeMap<&str, Purl> = packages
        .map(|one| (one.name.as_str(), of_package(one)))
        .collect();
    for git in lock.git.iter().chain(&lock.bundle) {
        if let Some(tree) = locks.sources.git.get(&git.name) {
            purls.insert(&git.name, of_tree(&git.name, tree));
        }
    }
    for provided in &lock.provided {
        if let Some(purl) = purls.get(provided.by.as_str()).cloned() {
            purls.insert(&provided.name, purl);
        }
    }
    purls
}

fn of_package(package: &PythonPackage) -> Purl {
    Purl::pypi(&package.name, &package.version)
}

fn of_tree(name: &str, tree: &GitTree) -> Purl {
    Purl::git(name, &tree.url, &tree.rev)
}

fn debian(locks: &Locks<'_>, licences: &Licences) -> Vec<Component> {
    let mut components = Vec::new();
    for (layer, lock) in locks.debian {
        components.extend(lock.packages.iter().map(|package| {
            let licence = licences.debian.get(&package.name);
            of_deb(layer, package, licence.cloned().unwrap_or_default())
        }));
    }
    components
}

fn of_deb(layer: &LayerName, package: &DebianPackage, licence: Licence) -> Component {
    let file = package.path.rsplit('/').next().unwrap_or_default();
    // `NAME_VERSION_ARCHITECTURE.deb`
    let name = file.trim_end_matches(".deb");
    let architecture = name.rsplit('_').next().unwrap_or_default();
    Component {
        layer: layer.clone(),
        kind: Kind::Debian,
        name: package.name.clone(),
        version: package.version.clone(),
        purl: Purl::deb(&package.name, &package.version, architecture),
        file: Some(file.to_owned()),
        sha256: Some(package.sha256),
        nar_hash: None,
        url: None,
        licence,
        dependencies: BTreeSet::new(),
    }
}

/// CPython, and the weights of previews.
fn files(locks: &Locks<'_>) -> Vec<Component> {
    let mut components = Vec::new();
    let python = with_root(locks.layers, WITH_PYTHON);
    if let (Some(layer), Some(tarball)) = (python, locks.sources.tarball.get("cpython")) {
        components.push(of_tarball(&layer.name, "cpython", tarball));
    }
    let weights = locks
        .layers
        .iter()
        .find(|one| one.lists.iter().any(|list| list == WITH_WEIGHTS));
    // A variant has the weights with the nodes, all of which come from git.
    if let Some(layer) = weights.filter(|_| !locks.without_git && !locks.python.bundle.is_empty()) {
        for (name, weights) in &locks.sources.weights {
            let of_file = |(file, hash): (&String, &factory_model::lock::SriSha256)| {
                let sha256 = hash.0;
                let url = format!("{}/{file}", weights.url);
                Component {
                    layer: layer.name.clone(),
                    kind: Kind::File,
                    name: file.clone(),
                    version: name.clone(),
                    purl: Purl::file(file, name, Some(&url), &sha256.to_string()),
                    file: Some(file.clone()),
                    sha256: Some(sha256),
                    nar_hash: None,
                    url: Some(url),
                    licence: Licence::Unknown,
                    dependencies: BTreeSet::new(),
                }
            };
            components.extend(weights.files.iter().map(of_file));
        }
    }
    components
}

fn of_tarball(layer: &LayerName, name: &str, tarball: &Tarball) -> Component {
    let url = tarball.origins.iter().find_map(|origin| match origin {
        Origin::Url { url } => Some(url.clone()),
        _ => None,
    });
    Component {
        layer: layer.clone(),
        kind: Kind::File,
        name: name.to_owned(),
        version: tarball.version.clone(),
        purl: Purl::file(
            name,
            &tarball.version,
            url.as_deref(),
            &tarball.sha256.to_string(),
        ),
        file: Some(tarball.file.clone()),
        sha256: Some(tarball.sha256),
        nar_hash: None,
        url,
        licence: Licence::Expression("PSF-2.0".to_owned()),
        dependencies: BTreeSet::new(),
    }
}

/// The one program of this project that is in the image.
fn own(project: &Project, layers: &Layers) -> Option<Component> {
    let layer = with_root(layers, WITH_START)?;
    Some(Component {
        layer: layer.name.clone(),
        kind: Kind::Own,
        name: "comfy-start".to_owned(),
        version: project.version.clone(),
        purl: Purl::own("comfy-start", &project.version),
        file: None,
        sha256: None,
        nar_hash: None,
        url: None,
        licence: Licence::Expression("Apache-2.0".to_owned()),
        dependencies: BTreeSet::new(),
    })
}

fn with_root<'a>(layers: &'a Layers, root: &str) -> Option<&'a Layer> {
    layers
        .iter()
        .find(|layer| layer.debian.as_deref() == Some(root))
}

fn layer(name: &str) -> Option<LayerName> {
    name.parse().ok()
}
