//! `status`: which layers are built, and what the others would cost. Changes nothing.

use std::path::Path;

use anyhow::Result;
use comfy_image::layer::LayerSpec;

use crate::cli::StatusArgs;
use crate::ctx::Ctx;
use crate::document::{self, LayerStatus, State, Status};
use crate::estimate::{self, jobs};
use crate::exit::from_image;
use crate::select;
use factory_base::text;
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
    print(ctx, variant, plan.reference, rows)
}

fn print(ctx: &Ctx, variant: String, reference: String, rows: Vec<Row>) -> Result<()> {
    let mut sum = 0;
    let layers = rows.into_iter().map(|row| {
        let size_bytes = row.spec.as_ref().map(|spec| spec.size_bytes);
        sum += size_bytes.unwrap_or(0);
        LayerStatus {
            name: row.name.to_string(),
            state: match row.spec {
                Some(_) => State::Built,
                None => State::Missing,
            },
            n_packages: row.spec.as_ref().map(|spec| spec.n_packages),
            size_bytes,
            cumulative_bytes: sum,
            n_missing_sources: row.n_sources,
            estimate: row.estimate,
        }
    });
    let status = Status {
        layers: layers.collect(),
        variant,
        reference,
    };
    if ctx.json {
        return document::print(ctx, &status);
    }
    let Status {
        variant, reference, ..
    } = &status;
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
    let table: Vec<Vec<String>> = status.layers.iter().map(cells).collect();
    ctx.ui.data(text::table(&head, &table, &[2, 3, 4]))?;
    Ok(())
}

fn cells(layer: &LayerStatus) -> Vec<String> {
    let to_do = if layer.estimate.n_builds + layer.n_missing_sources == 0 {
        String::new()
    } else {
        format!(
            "{}, {}",
            text::count(layer.n_missing_sources, "source"),
            estimate::text(layer.estimate)
        )
    };
    vec![
        layer.name.clone(),
        layer.state.text().to_owned(),
        layer.n_packages.map_or(String::new(), |n| n.to_string()),
        layer.size_bytes.map_or(String::new(), text::bytes),
        text::bytes(layer.cumulative_bytes),
        to_do,
    ]
}
