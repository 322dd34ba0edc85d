//! What is in an image, for bills of materials: its locks, and the licences that its built
//! packages state.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use anyhow::{Context as _, Result};
use comfy_image::layer::{LayerSpec, PackageSize};
use comfy_image::resolve;
use serde::de::DeserializeOwned;

use crate::ctx::Ctx;
use crate::exit::from_image;
use crate::select::Variant;
use factory_base::error;
use factory_model::layer::LayerName;
use factory_model::layers::Layers;
use factory_model::lock::{self, DebianLock, PythonLock, SourcesLock};
use factory_model::system::System;
use factory_nix::{Nix, Plan};
use factory_origin::{Inventory, Licence, Licences, Locks, Project, of_copyright, of_metadata};

/// What Debian's trees are called in a layer's spec.
const DEBIAN: &str = "debian-";

/// Everything in the image up to a layer. Licences are known where all of it is built.
///
/// # Errors
/// A lock cannot be read, or a built package cannot.
pub(crate) fn of_image(
    ctx: &Ctx,
    nix: &Nix,
    plan: &Plan,
    variant: &Variant,
    layer: &LayerName,
) -> Result<(Inventory, bool)> {
    let layers = factory_resolve::layers(ctx)?;
    let system = &variant.system;
    let python = system.lock_name(&format!("python/{}", variant.name));
    let python: PythonLock = read(ctx, &python)?;
    let sources: SourcesLock = read(ctx, "sources")?;
    let debian = debian(ctx, system, &layers)?;
    let specs: Vec<&str> = plan
        .up_to(layer)
        .iter()
        .map(|layer| layer.spec.out_path.as_str())
        .collect();
    let is_built = nix.invalid_paths(&specs)?.is_empty();
    let mut licences = Licences::default();
    if is_built {
        for spec in specs {
            let spec = LayerSpec::read(Path::new(spec), nix.store_root()).map_err(from_image)?;
            add_licences(nix.store_root(), &spec, &mut licences)?;
        }
    }
    let locks = Locks {
        layers: &layers,
        python: &python,
        sources: &sources,
        debian: &debian,
        without_git: variant.without_git,
    };
    let (name, tag) = plan
        .reference
        .rsplit_once(':')
        .with_context(|| format!("`{}` has no tag", plan.reference))?;
    Ok((
        Inventory::new(project(), name, tag, layer, &locks, &licences),
        is_built,
    ))
}

/// What documents name as the maker of images.
pub(crate) fn project() -> Project {
    Project {
        address: env!("CARGO_PKG_REPOSITORY").to_owned(),
        version: env!("CARGO_PKG_VERSION").to_owned(),
    }
}

fn debian(ctx: &Ctx, system: &System, layers: &Layers) -> Result<BTreeMap<LayerName, DebianLock>> {
    let with_root = layers.iter().filter(|layer| layer.debian.is_some());
    with_root
        .map(|layer| {
            Ok((
                layer.name.clone(),
                read(ctx, &system.lock_name(&format!("debian/{}", layer.name)))?,
            ))
        })
        .collect()
}

/// Reads a lock by its path below `package-lists/locks`, without `.toml`.
pub(crate) fn read<T: DeserializeOwned>(ctx: &Ctx, name: &str) -> Result<T> {
    let path = ctx.locks().join(format!("{name}.toml"));
    if !path.exists() {
        let text = format!("there is no lock `{}`", path.display());
        return Err(error::bad_input(text)
            .hint("write it with `cargo xtask update-locks`")
            .into());
    }
    let text = fs_err::read_to_string(&path)?;
    let found = lock::parse(&text).map_err(|problem| {
        error::bad_input(format!("`{}` cannot be read: {problem}", path.display()))
            .hint("write it again with `cargo xtask update-locks`")
    })?;
    Ok(found.lock)
}

/// Reads the metadata of each package of a layer.
fn add_licences(
    store_root: Option<&Path>,
    spec: &LayerSpec,
    licences: &mut Licences,
) -> Result<()> {
    let of_debian = |package: &&PackageSize| package.package.starts_with(DEBIAN);
    let roots: BTreeSet<&Path> = (spec.packages.iter().filter(of_debian))
        .map(|package| package.path.as_path())
        .collect();
    for root in &roots {
        add_debian(&resolve(store_root, root).join("root"), licences)?;
    }
    for package in &spec.packages {
        let root = resolve(store_root, &package.path).join("root");
        // A Debian root is listed package by package, and each is the same tree.
        if roots.contains(package.path.as_path()) {
            continue;
        }
        if let Some((name, version)) = package.package.split_once(' ')
            && let Some(licence) = of_tree(&root)?
        {
            let key = (name.to_owned(), version.to_owned());
            licences.python.insert(key, licence);
        }
    }
    Ok(())
}

fn add_debian(root: &Path, licences: &mut Licences) -> Result<()> {
    for (name, directory) in entries(&root.join("usr/share/doc"))? {
        let file = directory.join("copyright");
        // Some are links into the directory of another package, which another layer may have.
        if file.is_file() {
            let text = String::from_utf8_lossy(&fs_err::read(&file)?).into_owned();
            licences.debian.insert(name, of_copyright(&text));
        }
    }
    Ok(())
}

/// The licence of the distribution in a tree; trees of byte code have none.
fn of_tree(root: &Path) -> Result<Option<Licence>> {
    for (_, library) in entries(&root.join("usr/local/lib"))? {
        for (name, directory) in entries(&library.join("site-packages"))? {
            let file = directory.join("METADATA");
            if name.ends_with(".dist-info") && file.is_file() {
                let text = String::from_utf8_lossy(&fs_err::read(&file)?).into_owned();
                return Ok(Some(of_metadata(&text)));
            }
        }
    }
    Ok(None)
}

/// What a directory has, sorted by name; nothing, if it is not there.
fn entries(directory: &Path) -> Result<BTreeMap<String, std::path::PathBuf>> {
    if !directory.is_dir() {
        return Ok(BTreeMap::new());
    }
    let mut found = BTreeMap::new();
    for entry in fs_err::read_dir(directory)? {
        let entry = entry?;
        if let Ok(name) = entry.file_name().into_string() {
            found.insert(name, entry.path());
        }
    }
    Ok(found)
}
