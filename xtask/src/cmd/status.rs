//! `status`: which layers are built, and what the others would cost. Changes nothing.

use std::collections::{BTreeMap, BTreeSet};
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
    /// Of its own derivations, from 0 to 1.
    share_built: f64,
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
    let shares = shares(&graph, &missing, &graph.layers(&plan.specs()));

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
            share_built: match is_built {
                true => 1.0,
                false => shares.get(&layer.name).copied().unwrap_or(0.0),
            },
        });
    }
    print(ctx, variant, plan.reference, rows)
}

/// How much of each layer is built that is not built yet, from 0 to 1.
fn shares(
    graph: &Graph,
    missing: &BTreeSet<String>,
    owners: &BTreeMap<String, LayerName>,
) -> BTreeMap<LayerName, f64> {
    let mut counts: BTreeMap<&LayerName, (usize, usize)> = BTreeMap::new();
    for (drv_path, layer) in owners {
        if graph.get(drv_path).is_some_and(|node| !node.is_fixed) {
            let (n_built, n_all) = counts.entry(layer).or_default();
            *n_built += usize::from(!missing.contains(drv_path));
            *n_all += 1;
        }
    }
    let counts = counts.into_iter();
    let shares =
        counts.map(|(layer, (n_built, n_all))| (layer.clone(), n_built as f64 / n_all as f64));
    shares.collect()
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
            share_built: row.share_built,
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
    let most = status.layers.iter().filter_map(|layer| layer.size_bytes);
    let most = most.max().unwrap_or(0);
    let mut head = vec!["layer", "state", "packages", "size"];
    // A column of its own, which only somebody who looks gets.
    if ctx.ui.draws() {
        head.push("size, or share built");
    }
    head.extend(["sum", "still to do up to here"]);
    let rows = status.layers.iter().map(|layer| {
        let mut row = cells(layer);
        if ctx.ui.draws() {
            row.insert(4, bar(layer, most));
        }
        row
    });
    let rows: Vec<Vec<String>> = rows.collect();
    ctx.ui
        .data(text::table(&head, &rows, &[2, 3, head.len() - 2]))?;
    Ok(())
}

/// Characters of a bar.
const WIDTH: usize = 24;

/// The size of a layer beside the largest one; of what is not built, how much of it is.
fn bar(layer: &LayerStatus, most: u64) -> String {
    match layer.size_bytes {
        Some(0) => String::new(),
        Some(size_bytes) => solid(size_bytes as f64 / most.max(1) as f64),
        None => {
            let n_built = (layer.share_built * WIDTH as f64) as usize;
            let rest = "·".repeat(WIDTH.saturating_sub(n_built));
            format!(
                "{}{rest} {:.0} %",
                "▒".repeat(n_built),
                layer.share_built * 100.0
            )
        }
    }
}

/// A bar as long as a share of its whole length, to an eighth of a character.
fn solid(share: f64) -> String {
    const EIGHTHS: [&str; 8] = ["", "▏", "▎", "▍", "▌", "▋", "▊", "▉"];
    let eighths = (share * (WIDTH * 8) as f64).round() as usize;
    // What is there is seen.
    let eighths = eighths.clamp(1, WIDTH * 8);
    "█".repeat(eighths / 8) + EIGHTHS[eighths % 8]
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

#[cfg(test)]
mod tests {
    use super::*;

    fn layer(size_bytes: Option<u64>, share_built: f64) -> LayerStatus {
        LayerStatus {
            name: "05-pak3".to_owned(),
            state: State::Missing,
            n_packages: None,
            size_bytes,
            share_built,
            cumulative_bytes: 0,
            n_missing_sources: 0,
            estimate: Estimate::default(),
        }
    }

    #[test]
    fn ok_bars() {
        let built = [4000, 2000, 1980, 1, 0].map(|size| bar(&layer(Some(size), 1.0), 4000));
        let expected = [
            "████████████████████████",
            "████████████",
            "███████████▉",
            "▏",
            "",
        ];
        assert_eq!(built, expected);
        let missing = [0.0, 0.5, 0.99].map(|share| bar(&layer(None, share), 4000));
        let expected = [
            "························ 0 %",
            "▒▒▒▒▒▒▒▒▒▒▒▒············ 50 %",
            "▒▒▒▒▒▒▒▒▒▒▒▒▒▒▒▒▒▒▒▒▒▒▒· 99 %",
        ];
        assert_eq!(missing, expected);
    }
}
