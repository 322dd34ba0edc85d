//! `status`: which layers are built, and what the others would cost. Changes nothing.

use std::path::Path;

use anyhow::Result;
use comfy_image::layer::LayerSpec;
use serde_json::json;

use super::build::{estimate_text, jobs};
use super::realize::from_image;
use super::select;
use crate::cli::StatusArgs;
use factory_base::ctx::Ctx;
use factory_base::ui;
use factory_model::layer::LayerName;
use factory_nix::{Estimate, Graph, Nix, Times};

/// What is known of one layer.
struct Row {
    name: LayerName,
    /// `None` when it is not built.
    spec: Option<LayerSpec>,
    /// What building it and the layers below would take.
    estimate: Estimate,
    n_sources: usize,
}

pub(super) fn run(ctx: &Ctx, args: &StatusArgs) -> Result<()> {
    let variant = select::variant(ctx, &args.variant)?;
    let nix = Nix::find_or_provide(ctx)?;
    let plan = variant.plan(ctx, &nix)?;
    let variant = variant.label();
    let specs: Vec<&str> = plan
        .layers
        .iter()
        .map(|layer| layer.spec.out_path.as_str())
        .collect();
    let invalid = nix.invalid_paths(&specs)?;
    let to_build: Vec<String> = plan
        .layers
        .iter()
        .filter(|layer| invalid.contains(&layer.spec.out_path))
        .map(|layer| layer.spec.drv_path.clone())
        .collect();
    let graph = if to_build.is_empty() {
        Graph::default()
    } else {
        Graph::read(&nix, &to_build)?
    };
    let missing = graph.missing(&nix, &to_build)?;
    let times = Times::read(ctx)?;

    let mut rows = Vec::new();
    for layer in &plan.layers {
        let is_built = !invalid.contains(&layer.spec.out_path);
        let spec =
            is_built.then(|| LayerSpec::read(Path::new(&layer.spec.out_path), nix.store_root()));
        let below: Vec<String> = plan
            .up_to(&layer.name)
            .iter()
            .map(|layer| layer.spec.drv_path.clone())
            .collect();
        let needed = graph.among(&missing, &below);
        rows.push(Row {
            name: layer.name.clone(),
            spec: spec.transpose().map_err(from_image)?,
            estimate: times.estimate(&graph, &needed, jobs(None)),
            n_sources: needed
                .iter()
                .filter(|drv| graph.get(drv).is_some_and(|node| node.is_fixed))
                .count(),
        });
    }
    print(ctx, &variant, &plan.reference, &rows)
}

fn print(ctx: &Ctx, variant: &str, reference: &str, rows: &[Row]) -> Result<()> {
    let mut sum = 0;
    let mut table = Vec::new();
    let mut layers = Vec::new();
    for row in rows {
        let size = row.spec.as_ref().map(|spec| spec.size_bytes);
        sum += size.unwrap_or(0);
        let state = if row.spec.is_some() {
            "built"
        } else {
            "missing"
        };
        table.push(vec![
            row.name.to_string(),
            state.to_owned(),
            row.spec
                .as_ref()
                .map_or(String::new(), |spec| spec.n_packages.to_string()),
            size.map_or(String::new(), ui::bytes),
            ui::bytes(sum),
            if row.estimate.n_builds + row.n_sources == 0 {
                String::new()
            } else {
                format!(
                    "{}, {}",
                    ui::count(row.n_sources, "source"),
                    estimate_text(row.estimate)
                )
            },
        ]);
        layers.push(json!({
            "name": row.name,
            "state": state,
            "n_packages": row.spec.as_ref().map(|spec| spec.n_packages),
            "size_bytes": size,
            "cumulative_bytes": sum,
            "n_missing_sources": row.n_sources,
            "estimate": row.estimate,
        }));
    }
    if ctx.json {
        let document = json!({
            "schema_version": 1,
            "variant": variant,
            "reference": reference,
            "layers": layers,
        });
        ctx.ui.data(document.to_string())?;
        return Ok(());
    }
    ctx.ui
        .data(format!("variant {variant}, image {reference}\n"))?;
    let head = [
        "layer",
        "state",
        "packages",
        "size",
        "sum",
        "still to do up to here",
    ];
    ctx.ui.data(ui::table(&head, &table, &[2, 3, 4]))?;
    Ok(())
}
