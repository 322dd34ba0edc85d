//! What a report has to say of an image: gathered from the store, the cache and `bench/`.

mod benchmarks;

use std::collections::BTreeMap;
use std::path::Path;

use anyhow::Result;
use image_diff::{Blob, FileState};

use crate::changes;
use crate::comparison::compare;
use crate::ctx::Ctx;
use crate::document::Diff;
use crate::exit::from_image;
use crate::known::Known;
use crate::operand::Operand;
use crate::verified;
use comfy_image::resolve;
use factory_base::{error, text};
use factory_nix::find_record;
use factory_report::{
    ChangedBlob, ChangedFile, ChangedPackage, ChangedSetting, Changes, Checks, Contents,
    FileCounts, Layer, MOST_FILES, Part, PartKind, Report, Timeline, Tree,
};

/// Gathers all that is known of an image.
///
/// # Errors
/// A tree, a blob or the file of checks cannot be read.
pub(crate) fn gather(
    ctx: &Ctx,
    operand: &mut Operand<'_>,
    against: Option<&str>,
    checks: Option<&Path>,
) -> Result<Report> {
    let changes = match against {
        Some(word) => {
            let mut old = Operand::open(ctx, word)?;
            let (diff, _) = compare(ctx, &mut old, operand, false)?;
            Some(changes_of(&diff))
        }
        None => None,
    };
    let now = humantime::format_rfc3339_seconds(std::time::SystemTime::now());
    let name = match operand.stored() {
        Some(stored) => stored.image.reference.to_string(),
        None => operand.name.clone(),
    };
    Ok(Report {
        name,
        made_at: now.to_string(),
        contents: contents(ctx, operand)?,
        timeline: timeline(ctx, operand)?,
        changes,
        checks: checks_of(ctx, operand, checks)?,
        benchmarks: benchmarks::measured(ctx)?,
    })
}

/// Layers down to files where the trees are here, else down to blobs.
fn contents(ctx: &Ctx, operand: &mut Operand<'_>) -> Result<Contents> {
    if operand.stored().is_none() {
        let known = Known::read(ctx)?;
        operand.view.complete(&known.blobs);
    }
    let store_root = operand
        .stored()
        .and_then(|stored| stored.store_root.clone());
    let store_root = store_root.as_deref();
    let blobs = &operand.view.blobs;
    let has_trees = |blob: &Blob| {
        let mut trees = blob.trees.iter();
        !blob.trees.is_empty() && trees.all(|tree| resolve(store_root, &tree.path).is_dir())
    };
    let parts_are = match blobs.iter().all(has_trees) {
        true => PartKind::Packages,
        false => PartKind::Blobs,
    };
    let mut by_layer: BTreeMap<String, Vec<&Blob>> = BTreeMap::new();
    // Layers without a blob are layers, too.
    if let Some(stored) = operand.stored() {
        let names = stored
            .image
            .layers
            .iter()
            .map(|layer| layer.name.to_string());
        by_layer.extend(names.map(|name| (name, Vec::new())));
    }
    for blob in blobs {
        let layer = blob
            .layer
            .clone()
            .unwrap_or_else(|| "not recorded".to_owned());
        by_layer.entry(layer).or_default().push(blob);
    }
    let mut layers = Vec::new();
    for (name, blobs) in by_layer {
        ctx.check_interrupted()?;
        layers.push(match parts_are {
            PartKind::Packages => layer_of_trees(&name, &blobs, store_root)?,
            PartKind::Blobs => layer_of_blobs(&name, &blobs),
        });
    }
    Ok(Contents {
        manifest_digest: operand.view.manifest.to_string(),
        config_digest: operand.view.config.to_string(),
        size_bytes: Operand::size_of(blobs),
        n_blobs: blobs.len(),
        parts_are,
        most_files: MOST_FILES,
        layers,
    })
}

fn layer_of_trees(name: &str, blobs: &[&Blob], store_root: Option<&Path>) -> Result<Layer> {
    let trees = blobs.iter().flat_map(|blob| &blob.trees);
    let trees = trees.map(|tree| {
        Ok(Tree {
            package: tree.package.clone(),
            files: comfy_image::spec::files(tree, store_root).map_err(from_image)?,
        })
    });
    let size_bytes = blobs
        .iter()
        .filter_map(|blob| blob.stored_bytes.or(blob.tar_bytes))
        .sum();
    Ok(Layer::of_trees(
        name,
        size_bytes,
        blobs.len(),
        trees.collect::<Result<_>>()?,
    ))
}

fn layer_of_blobs(name: &str, blobs: &[&Blob]) -> Layer {
    let parts = blobs.iter().map(|blob| {
        let packages = blob.packages.as_deref().unwrap_or_default();
        Part::of_blob(packages, blob.stored_bytes.or(blob.tar_bytes).unwrap_or(0))
    });
    Layer::of_blobs(name, parts.collect())
}

/// The build that made this very image, else the last one of its variant and layer.
fn timeline(ctx: &Ctx, operand: &Operand<'_>) -> Result<Option<Timeline>> {
    let Some(built) = &operand.built else {
        return Ok(None);
    };
    let target = built.target().map(|target| target.display().to_string());
    let is_of_image = |image: &str| target.as_deref() == Some(image);
    let mut record = find_record(ctx, |record| is_of_image(&record.image))?;
    if record.is_none() {
        record = find_record(ctx, |record| {
            record.variant == built.label && record.layer == built.layer
        })?;
    }
    Ok(record.map(|record| Timeline::of(record, target.as_deref())))
}

fn checks_of(ctx: &Ctx, operand: &Operand<'_>, file: Option<&Path>) -> Result<Option<Checks>> {
    let config = operand.view.config.to_string();
    if let Some(file) = file {
        let text = fs_err::read_to_string(file)?;
        let checks = Checks::parse(&text, &config).map_err(|problem| {
            error::bad_input(format!(
                "`{}` is no report of `verify`: {problem}",
                file.display()
            ))
            .hint("write one: `cargo xtask verify --report FILE`")
        })?;
        return Ok(Some(checks));
    }
    let built = operand.built.as_ref();
    let kept = built.and_then(|built| verified::last(ctx, &built.label, &built.layer));
    // One that another version of this program wrote is as good as none.
    Ok(kept.and_then(|text| Checks::parse(&text, &config).ok()))
}

/// The words of `diff` for what differs.
fn changes_of(diff: &Diff) -> Changes {
    let files = diff.files.as_ref();
    Changes {
        against: diff.old.name.clone(),
        manifest_digest: diff.old.manifest_digest.clone(),
        size_bytes: diff.old.size_bytes,
        is_same: diff.is_same,
        packages: diff.packages.as_ref().map(|packages| {
            let packages = packages.iter().map(|package| ChangedPackage {
                change: package.verb().to_owned(),
                layer: package.layer().map(str::to_owned),
                what: package.describe(),
            });
            packages.collect()
        }),
        settings: diff
            .settings
            .iter()
            .map(|setting| ChangedSetting {
                name: setting.name.clone(),
                was: setting.was.clone(),
                now: setting.now.clone(),
            })
            .collect(),
        n_same_blobs: diff.blobs.n_same,
        same_bytes: diff.blobs.same_bytes,
        blobs: blobs_of(diff),
        file_counts: files.map(|files| FileCounts {
            n_added: files.n_added,
            n_removed: files.n_removed,
            n_changed: files.n_changed,
        }),
        files: files
            .map(|files| {
                let files = files.files.iter().map(|file| ChangedFile {
                    path: file.path.clone(),
                    was: file.was.as_ref().map(words),
                    now: file.now.as_ref().map(words),
                });
                files.collect()
            })
            .unwrap_or_default(),
    }
}

fn blobs_of(diff: &Diff) -> Vec<ChangedBlob> {
    let size = |size: &Option<image_diff::BlobSize>| {
        size.as_ref()
            .and_then(|size| size.tar_bytes.or(size.stored_bytes))
    };
    let blobs = diff.blobs.changes.iter().map(|blob| ChangedBlob {
        layer: blob.layer.clone(),
        was_bytes: size(&blob.was),
        now_bytes: size(&blob.now),
        why: changes::why(blob),
    });
    blobs.collect()
}

fn words(state: &FileState) -> String {
    match state {
        FileState::File {
            size_bytes, mode, ..
        } => {
            format!("{}, {mode}", text::bytes(*size_bytes))
        }
        other => changes::shown(other),
    }
}
