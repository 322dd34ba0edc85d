//! `build` and `build-final`.

use std::collections::BTreeSet;

use anyhow::Result;
use comfy_image::image::ImageLayer;
use serde_json::json;

use super::load::{self, Loaded};
use super::realize::{self, Realized, Selection, short_digest};
use super::reproducible;
use crate::cli::{BuildArgs, BuildFinalArgs};
use factory_base::ctx::Ctx;
use factory_base::ui;
use factory_model::layer;
use factory_nix::{Estimate, Graph, Nix, Times, missing_sources};
use factory_verify::engine::Engine;

pub(super) fn run(ctx: &Ctx, args: &BuildArgs) -> Result<()> {
    let selection = realize::selection(ctx, &args.variant, &args.layer, args.build.jobs)?;
    if args.dry_run {
        return dry_run(ctx, &selection);
    }
    let realized = realize::realize(ctx, selection)?;
    if args.build.check_reproducible {
        reproducible::check(ctx, &realized)?;
    }
    report(ctx, &realized, None)
}

pub(super) fn run_final(ctx: &Ctx, args: &BuildFinalArgs) -> Result<()> {
    let wanted = args.engine.as_deref().map(str::parse).transpose()?;
    let selection = realize::selection(ctx, &args.variant, layer::LAST, args.build.jobs)?;
    if args.dry_run {
        return dry_run(ctx, &selection);
    }
    // An engine that was asked for by name is checked before hours of building.
    let engine = match (args.no_load, wanted) {
        (true, _) => None,
        (false, Some(kind)) => Some(Engine::require(kind)?),
        (false, None) => Engine::first()?,
    };
    let realized = realize::realize(ctx, selection)?;
    if args.build.check_reproducible {
        reproducible::check(ctx, &realized)?;
    }
    let loaded = engine
        .as_ref()
        .map(|engine| load::load(ctx, engine, &realized))
        .transpose()?;
    if loaded.is_none() && !args.no_load {
        let variant = realized.selection.variant.arguments();
        ctx.ui.status(format!(
            "No container engine answers here, so the image is not loaded. To use it:\n  \
             cargo xtask stream {variant} | docker load\n  \
             cargo xtask stream {variant} | podman load\n  \
             cargo xtask stream {variant} --oci-layout DIR"
        ));
    }
    report(ctx, &realized, loaded.as_ref())
}

/// The result on stdout: one table, or one JSON document.
fn report(ctx: &Ctx, realized: &Realized, loaded: Option<&Loaded>) -> Result<()> {
    let image = &realized.image;
    if ctx.json {
        let layers = realized
            .layers
            .iter()
            .zip(&image.layers)
            .map(|(state, layer)| {
                let blobs = layer.blobs.iter().map(|blob| {
                json!({"diff_id": blob.diff_id.to_string(), "size_bytes": blob.size_bytes})
            });
                json!({
                    "name": state.name,
                    "n_packages": layer.n_packages,
                    "n_files": layer.n_files,
                    "size_bytes": layer.size_bytes,
                    "blobs": blobs.collect::<Vec<_>>(),
                    "state": state_word(state.built),
                    "seconds": state.took.as_secs_f64(),
                })
            });
        let document = json!({
            "schema_version": 1,
            "variant": realized.selection.variant.label(),
            "reference": image.reference.to_string(),
            "config_digest": image.config.digest.to_string(),
            "manifest_digest": image.manifest.digest.to_string(),
            "size_bytes": image.size_bytes,
            "n_built": realized.n_built,
            "seconds": realized.took.as_secs_f64(),
            "sources": realized.fetch,
            "layers": layers.collect::<Vec<_>>(),
            "loaded": loaded,
        });
        ctx.ui.data(document.to_string())?;
        return Ok(());
    }
    let rows: Vec<Vec<String>> = realized
        .layers
        .iter()
        .zip(&image.layers)
        .map(|(state, layer)| {
            vec![
                state.name.to_string(),
                layer.n_packages.to_string(),
                layer.n_files.to_string(),
                ui::bytes(layer.size_bytes),
                diff_ids(layer),
                state_word(state.built).to_owned(),
                if state.built {
                    ui::elapsed(state.took)
                } else {
                    String::new()
                },
            ]
        })
        .collect();
    let head = [
        "layer", "packages", "files", "size", "diff_id", "state", "time",
    ];
    ctx.ui.data(ui::table(&head, &rows, &[1, 2, 3, 6]))?;
    ctx.ui.data(format!(
        "\nimage     {}\nsize      {}\nconfig    {}\nmanifest  {}",
        image.reference,
        ui::bytes(image.size_bytes),
        image.config.digest,
        image.manifest.digest,
    ))?;
    ctx.ui.step(
        "Finished",
        format!(
            "{} in {}",
            ui::count(realized.n_built, "build"),
            ui::elapsed(realized.took)
        ),
    );
    Ok(())
}

fn state_word(built: bool) -> &'static str {
    if built { "built" } else { "reused" }
}

fn diff_ids(layer: &ImageLayer) -> String {
    match layer.blobs.as_slice() {
        [] => "empty".to_owned(),
        [blob] => short_digest(&blob.diff_id),
        [first, rest @ ..] => format!("{} +{}", short_digest(&first.diff_id), rest.len()),
    }
}

/// Prints what would be fetched and built.
fn dry_run(ctx: &Ctx, selection: &Selection) -> Result<()> {
    let nix = Nix::find_or_provide(ctx)?;
    let plan = selection.variant.plan(ctx, &nix)?;
    let targets = [plan.layer(&selection.layer)?.image.drv_path.clone()];
    let graph = Graph::read(&nix, &targets)?;
    let missing = graph.missing(&nix, &targets)?;
    let owners = graph.layers(&plan.specs());
    let sources = if graph.has_source(&missing) {
        missing_sources(ctx, &nix, &targets)?
    } else {
        Vec::new()
    };
    let times = Times::read(ctx)?;
    let estimate = times.estimate(&graph, &missing, jobs(selection.jobs));

    let builds: BTreeSet<_> = missing
        .iter()
        .filter_map(|drv_path| graph.get(drv_path).map(|node| (drv_path, node)))
        .filter(|(_, node)| !node.is_fixed)
        .map(|(drv_path, node)| (owners.get(drv_path), node.name.as_str()))
        .collect();
    if ctx.json {
        let builds = builds.iter().map(|(layer, name)| {
            json!({"name": name, "layer": layer, "measured_seconds": times.get(name)})
        });
        let sources = sources
            .iter()
            .map(|source| json!({"name": source.name, "size_bytes": source.size}));
        let document = json!({
            "schema_version": 1,
            "variant": selection.variant.label(),
            "layer": selection.layer,
            "builds": builds.collect::<Vec<_>>(),
            "sources": sources.collect::<Vec<_>>(),
            "estimate": estimate,
        });
        ctx.ui.data(document.to_string())?;
        return Ok(());
    }
    if builds.is_empty() && sources.is_empty() {
        ctx.ui.data("nothing to fetch, nothing to build")?;
        return Ok(());
    }
    let rows: Vec<Vec<String>> = builds
        .iter()
        .map(|(layer, name)| {
            let time = times.get(name).map_or("?".to_owned(), elapsed);
            let layer = layer.map_or("image".to_owned(), ToString::to_string);
            vec![layer, (*name).to_owned(), time]
        })
        .collect();
    if !rows.is_empty() {
        ctx.ui
            .data(ui::table(&["layer", "build", "measured"], &rows, &[2]))?;
    }
    let known: u64 = sources.iter().filter_map(|source| source.size).sum();
    for source in &sources {
        let size = source.size.map_or("size unknown".to_owned(), ui::bytes);
        ctx.ui.data(format!("fetch  {}  {size}", source.name))?;
    }
    ctx.ui.data(format!(
        "\n{} to fetch ({}), {}",
        ui::count(sources.len(), "source"),
        ui::bytes(known),
        estimate_text(estimate)
    ))?;
    Ok(())
}

/// `12 builds (4 CUDA objects), at least 4m10s by earlier runs (3 never measured)`.
pub(super) fn estimate_text(estimate: Estimate) -> String {
    let Estimate {
        n_builds,
        n_unmeasured,
        n_measured_elsewhere,
        n_objects,
        seconds: wall,
    } = estimate;
    let mut builds = ui::count(n_builds, "build");
    if n_objects > 0 {
        builds.push_str(&format!(" ({})", ui::count(n_objects, "CUDA object")));
    }
    let notes = [
        (n_measured_elsewhere, "measured on another machine"),
        (n_unmeasured, "never measured"),
    ];
    let notes = notes.into_iter().filter(|(count, _)| *count > 0);
    let notes: Vec<String> = notes
        .map(|(count, what)| format!("{count} {what}"))
        .collect();
    let notes = match notes.as_slice() {
        [] => String::new(),
        some => format!(" ({})", some.join(", ")),
    };
    match (n_builds, n_unmeasured) {
        (0, _) => "nothing to build".to_owned(),
        (_, n) if n == n_builds => format!("{builds}, none measured here before"),
        (_, 0) => format!("{builds}, about {} by earlier runs{notes}", elapsed(wall)),
        (..) => format!(
            "{builds}, at least {} by earlier runs{notes}",
            elapsed(wall)
        ),
    }
}

fn elapsed(seconds: f64) -> String {
    ui::elapsed(std::time::Duration::from_secs_f64(seconds.max(0.0)))
}

/// Builds side by side: as asked, else one for each processor, as Nix's `auto` counts.
pub(super) fn jobs(asked: Option<usize>) -> usize {
    asked.unwrap_or_else(|| std::thread::available_parallelism().map_or(1, Into::into))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ok_estimates_say_what_they_rest_on() {
        let mut estimate = Estimate::default();
        assert_eq!(estimate_text(estimate), "nothing to build");
        estimate.n_builds = 73;
        estimate.n_unmeasured = 73;
        assert_eq!(
            estimate_text(estimate),
            "73 builds, none measured here before"
        );
        estimate.n_objects = 72;
        estimate.n_unmeasured = 1;
        estimate.n_measured_elsewhere = 72;
        estimate.seconds = 7200.0;
        insta::assert_snapshot!(estimate_text(estimate), @"73 builds (72 CUDA objects), at least 2h00m by earlier runs (72 measured on another machine, 1 never measured)");
        estimate.n_unmeasured = 0;
        estimate.n_measured_elsewhere = 0;
        insta::assert_snapshot!(estimate_text(estimate), @"73 builds (72 CUDA objects), about 2h00m by earlier runs");
    }
}
