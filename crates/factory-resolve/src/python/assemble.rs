//! From a resolution to a lock: every package has a file and a layer. Pure.

use std::collections::BTreeMap;

use super::error::Error;
use super::inputs::{BUILD_NAME, Goal, LayerInput};
use super::name::PackageName;
use super::partition::partition;
use super::resolution::{Chosen, NoFile, Node};
use factory_model::lock::{
    DistributionKind, PythonGit, PythonLock, PythonPackage, PythonProvided, Sha256,
};

/// Every package has a file, and an sdist only where a recipe is promised.
pub(super) fn check_files(
    goal: &Goal<'_>,
    chosen: &BTreeMap<PackageName, Chosen>,
    missing: &[NoFile],
    nodes: &BTreeMap<PackageName, Node>,
) -> Result<(), Error> {
    let mut lines = Vec::new();
    for none in missing {
        lines.push(format!(
            "{} {}: no sdist, and none of its wheels fits: {}{}",
            none.name,
            none.version,
            none.wheels.join(", "),
            via(nodes.get(&none.name))
        ));
    }
    for (name, file) in chosen {
        let is_sdist = file.kind == DistributionKind::Sdist;
        if is_sdist && !goal.variant.sdists.contains(name) {
            lines.push(format!(
                "{name} {}: no wheel fits, and the variant names no build recipe for its sdist{}",
                file.version,
                via(nodes.get(name))
            ));
        }
        if goal.name == BUILD_NAME && !file.pure {
            lines.push(format!("{name} {}: not a pure wheel", file.version));
        }
    }
    if lines.is_empty() {
        return Ok(());
    }
    Err(Error::NoUsableFile {
        job: goal.name.to_owned(),
        abi: goal.variant.abi,
        faults: lines,
    })
}

fn via(node: Option<&Node>) -> String {
    let Some(node) = node else {
        return String::new();
    };
    let lists = node
        .lists
        .iter()
        .map(|list| format!("package-lists/{list}"));
    let parents = node.parents.iter().map(PackageName::to_string);
    format!(
        " (required by {})",
        lists.chain(parents).collect::<Vec<_>>().join(", ")
    )
}

/// The lock before files are shared. `lost` has wheels with native code that another interpreter
/// gets.
pub(super) fn assemble(
    goal: &Goal<'_>,
    layers: &[LayerInput<'_>],
    nodes: &BTreeMap<PackageName, Node>,
    chosen: &BTreeMap<PackageName, Chosen>,
    lost: &BTreeMap<PackageName, Chosen>,
    list_sha256: Sha256,
) -> Result<PythonLock, Error> {
    let assigned = assigned(layers, nodes);
    let layer_of = |name: &PackageName| -> Result<String, Error> {
        let index = assigned.get(name).ok_or_else(|| {
            let name = name.clone();
            Error::NotNeeded { name }
        })?;
        Ok(layers[*index].layer.to_owned())
    };
    let requested = |name: &PackageName| layers.iter().any(|l| l.requested.contains(name));
    let mut dependencies = dependencies(nodes);
    let mut packages = Vec::new();
    for (name, file) in chosen {
        packages.push(PythonPackage {
            name: name.to_string(),
            version: file.version.clone(),
            layer: layer_of(name)?,
            requested: requested(name),
            kind: file.kind,
            file: file.file.clone(),
            size: file.size,
            sha256: file.sha256,
            url: goal.variant.direct.get(name).map(|one| one.url.clone()),
            native_elsewhere: lost.get(name).map(|wheel| wheel.file.clone()),
            dependencies: dependencies.remove(name).unwrap_or_default(),
            shared: Vec::new(),
        });
    }
    let (git, bundle) = git_trees(layers);
    let mut provided = Vec::new();
    for one in &goal.variant.provided {
        if let Some(file) = chosen.get(&one.by) {
            provided.push(PythonProvided {
                name: one.name.to_string(),
                version: file.version.clone(),
                layer: layer_of(&one.by)?,
                by: one.by.to_string(),
            });
        }
    }
    provided.sort_by(|a, b| a.name.cmp(&b.name));
    Ok(PythonLock {
        schema_version: 1,
        python: if goal.name == BUILD_NAME {
            "py3".to_owned()
        } else {
            goal.variant.abi.to_string()
        },
        list_sha256,
        compared_with: goal.compared_with().map(|abi| abi.to_string()),
        wheel_files_sha256: None,
        unread: Vec::new(),
        packages,
        git,
        bundle,
        provided,
    })
}

/// The layer of each distribution, by its place in the order.
fn assigned(
    layers: &[LayerInput<'_>],
    nodes: &BTreeMap<PackageName, Node>,
) -> BTreeMap<PackageName, usize> {
    let parents = nodes
        .iter()
        .map(|(name, node)| (name.clone(), node.parents.clone()))
        .collect();
    let mut first: BTreeMap<PackageName, usize> = BTreeMap::new();
    for (index, layer) in layers.iter().enumerate().rev() {
        for (name, node) in nodes {
            if node.lists.contains(layer.file) {
                first.insert(name.clone(), index);
            }
        }
    }
    partition(&parents, &first)
}

/// What each distribution requires.
fn dependencies(nodes: &BTreeMap<PackageName, Node>) -> BTreeMap<&PackageName, Vec<String>> {
    let mut dependencies: BTreeMap<&PackageName, Vec<String>> = BTreeMap::new();
    for (child, node) in nodes {
        for parent in &node.parents {
            dependencies
                .entry(parent)
                .or_default()
                .push(child.to_string());
        }
    }
    dependencies
}

/// Python packages from git and the trees of ComfyUI's bundle, each sorted by name.
fn git_trees(layers: &[LayerInput<'_>]) -> (Vec<PythonGit>, Vec<PythonGit>) {
    let mut git = Vec::new();
    let mut bundle = Vec::new();
    for layer in layers {
        let entry = |(name, requires): &(&PackageName, &[String])| {
            let mut dependencies: Vec<String> = requires
                .iter()
                .filter_map(|text| super::requirement::parse(text).ok())
                .map(|requirement| requirement.name().to_string())
                .collect();
            dependencies.sort_unstable();
            PythonGit {
                name: name.to_string(),
                layer: layer.layer.to_owned(),
                dependencies,
            }
        };
        git.extend(layer.git.iter().map(entry));
        bundle.extend(layer.bundle.iter().map(entry));
    }
    for trees in [&mut git, &mut bundle] {
        trees.sort_by(|a, b| a.name.cmp(&b.name));
    }
    (git, bundle)
}
