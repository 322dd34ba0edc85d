//! `cold-layers` and `byte-code`: layers 04 to 07 from fetched sources.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result};
use comfy_image::layer::LayerSpec;
use factory_model::layer::LayerName;
use factory_nix::Graph;
use xshell::Shell;

use crate::bench::dockerfile::{FIRST, Installer};
use crate::bench::meter::Meter;
use crate::bench::recorder::Recorder;
use crate::bench::recorder::What;
use crate::bench::shared::Bench;
use crate::bench::store::Seeded;
use crate::exit::from_image;

/// The last layer that is compared.
const LAST: &str = "07-pak5";
/// What `nix/byteCode.nix` puts into the names of its trees.
const BYTE_CODE: &str = "-byte-code-";

pub(super) fn run(bench: &Bench<'_>, recorder: &mut Recorder<'_>, byte_code: bool) -> Result<()> {
    bench.build()?;
    let (store, n_targets) = store(bench, byte_code)?;
    let (podman, peers) = (bench.podman()?, bench.peers()?);
    let installers: &[Installer] = if byte_code {
        &[Installer::UvByteCode]
    } else {
        &[Installer::Uv, Installer::Pip]
    };
    let what = if byte_code {
        "with byte code"
    } else {
        "without byte code"
    };
    let shell = Shell::new()?;
    let meter = Meter::new(bench.ctx)?.with_disk(bench.scratch.path());
    let mut contexts: Vec<(Installer, PathBuf)> = Vec::new();
    for installer in installers {
        contexts.push((*installer, peers.context(*installer, Some(LAST), None)?));
    }
    // Both read the same wheels from the page cache.
    bench.set_up(
        "the wheels are read once",
        read_all(&shell, &bench.scratch.path().join("wheels")),
    )?;
    for _ in 0..bench.wishes.n_runs {
        Meter::settle();
        let ours = meter.run(store.build(&shell))?.run;
        store.forget(bench)?;
        recorder.add(What::ours(what, "cargo xtask"), ours);
        for (installer, context) in &contexts {
            let build = peers.build(podman, &shell, context).arg("--no-cache");
            Meter::settle();
            let peer = meter.run(build)?.run;
            let tag = peers.tag(context);
            bench.set_up(
                "its image goes",
                podman.cmd(&shell, &["rmi", "--force", &tag]),
            )?;
            recorder.add(What::peer(what, installer.by()), peer);
        }
    }
    store.remove(bench)?;
    let n_wheels = peers
        .packages()
        .filter(|one| one.layer.as_str() <= LAST)
        .count();
    recorder.note(format!(
        "{n_wheels} wheels, {} and {}; here {n_targets} trees, each a derivation of its own, in a store that has everything below them. Packages that are built from source are left out on both sides, and so are those whose ABI tag installers refuse.",
        peers.version("uv"),
        peers.version("pip")
    ));
    Ok(())
}

/// A store in which the trees of these layers are built, and how many they are.
fn store(bench: &Bench<'_>, byte_code: bool) -> Result<(Seeded, usize)> {
    let graph = bench.graph()?;
    let plan = &bench.factory()?.plan;
    let layers = plan.layers.iter().map(|layer| layer.name.clone());
    let layers: BTreeSet<LayerName> = layers
        .filter(|name| (FIRST..=LAST).contains(&name.to_string().as_str()))
        .collect();
    let targets = targets(bench, &graph, &layers, byte_code)?;
    let n_targets = targets.len();
    Ok((Seeded::new(bench, &graph, targets, &layers)?, n_targets))
}

fn read_all<'s>(shell: &'s Shell, directory: &Path) -> xshell::Cmd<'s> {
    let read = "cat \"$0\"/* >/dev/null";
    shell.cmd("sh").args(["-c", read]).arg(directory)
}

/// The derivations of all trees of these layers, but of what is built from source.
fn targets(
    bench: &Bench<'_>,
    graph: &Graph,
    layers: &BTreeSet<LayerName>,
    byte_code: bool,
) -> Result<Vec<String>> {
    let factory = bench.factory()?;
    let wheels: BTreeSet<String> = bench
        .peers()?
        .packages()
        .map(|one| one.name.clone())
        .collect();
    let by_path: BTreeMap<&str, (&str, &str)> = graph
        .iter()
        .flat_map(|(drv_path, node)| {
            let paths = node.out_paths.iter();
            paths.map(move |path| (path.as_str(), (drv_path, node.name.as_str())))
        })
        .collect();
    let mut found = BTreeSet::new();
    for layer in factory
        .plan
        .layers
        .iter()
        .filter(|layer| layers.contains(&layer.name))
    {
        let path = Path::new(&layer.spec.out_path);
        let spec = LayerSpec::read(path, factory.nix.store_root()).map_err(from_image)?;
        let trees = spec.blobs.iter().flat_map(|blob| &blob.trees);
        for tree in trees.filter(|tree| wheels.contains(tree.name())) {
            // A tree may be `$out/root` as well as `$out`.
            let path = tree.path.to_string_lossy();
            let (drv_path, name) = by_path
                .iter()
                .find(|(out_path, _)| path.starts_with(**out_path))
                .map(|(_, made)| *made)
                .with_context(|| format!("no derivation makes `{path}`"))?;
            if byte_code || !name.contains(BYTE_CODE) {
                found.insert(drv_path.to_owned());
            }
        }
    }
    Ok(found.into_iter().collect())
}
