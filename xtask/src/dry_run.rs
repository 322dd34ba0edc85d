//! What a build would fetch and build.

use std::collections::{BTreeMap, BTreeSet};

use anyhow::Result;

use crate::ctx::Ctx;
use crate::document::{self, PlannedBuild, PlannedSource, WouldBuild};
use crate::estimate::{self, elapsed, jobs};
use crate::realize::Selection;
use factory_base::text;
use factory_model::layer::LayerName;
use factory_nix::{Graph, Nix, Plan, Times};

/// Prints what would be fetched and built.
pub(crate) fn run(ctx: &Ctx, selection: &Selection) -> Result<()> {
    let would = plan(ctx, selection)?;
    if ctx.json {
        return document::print(ctx, &would);
    }
    print(ctx, &would)
}

fn plan(ctx: &Ctx, selection: &Selection) -> Result<WouldBuild> {
    let nix = Nix::find_or_provide(ctx)?;
    let plan = selection.variant.plan(ctx, &nix)?;
    work(ctx, &nix, &plan, selection)
}

/// What realizing a plan up to a layer would fetch and build.
pub(crate) fn work(ctx: &Ctx, nix: &Nix, plan: &Plan, selection: &Selection) -> Result<WouldBuild> {
    let targets = [plan.layer(&selection.layer)?.image.drv_path.clone()];
    let graph = Graph::read(nix, &targets)?;
    let missing = graph.missing(nix, &targets)?;
    let sources = graph.missing_sources(ctx, nix, (&missing, &targets))?;
    let times = Times::read(ctx)?;
    let sources = sources.into_iter().map(|source| PlannedSource {
        name: source.name,
        size_bytes: source.size,
    });
    Ok(WouldBuild {
        variant: selection.variant.label(),
        layer: selection.layer.to_string(),
        builds: builds(&graph, &missing, &graph.layers(&plan.specs()), &times),
        sources: sources.collect(),
        estimate: times.estimate(&graph, &missing, jobs(selection.jobs)),
    })
}

/// By layer and name, each once: those of the image itself first.
fn builds(
    graph: &Graph,
    missing: &BTreeSet<String>,
    owners: &BTreeMap<String, LayerName>,
    times: &Times,
) -> Vec<PlannedBuild> {
    let builds: BTreeSet<(Option<&LayerName>, &str)> = missing
        .iter()
        .filter_map(|drv_path| graph.get(drv_path).map(|node| (drv_path, node)))
        .filter(|(_, node)| !node.is_fixed)
        .map(|(drv_path, node)| (owners.get(drv_path), node.name.as_str()))
        .collect();
    builds
        .into_iter()
        .map(|(layer, name)| PlannedBuild {
            name: name.to_owned(),
            layer: layer.map(ToString::to_string),
            measured_seconds: times.get(name),
        })
        .collect()
}

fn print(ctx: &Ctx, would: &WouldBuild) -> Result<()> {
    if would.builds.is_empty() && would.sources.is_empty() {
        ctx.ui.data("nothing to fetch, nothing to build")?;
        return Ok(());
    }
    let rows = would.builds.iter().map(|build| {
        let time = build.measured_seconds.map_or("?".to_owned(), elapsed);
        let layer = build.layer.as_deref().unwrap_or("image");
        vec![layer.to_owned(), build.name.clone(), time]
    });
    let rows: Vec<Vec<String>> = rows.collect();
    if !rows.is_empty() {
        ctx.ui
            .data(text::table(&["layer", "build", "measured"], &rows, &[2]))?;
    }
    for source in &would.sources {
        let size = source
            .size_bytes
            .map_or("size unknown".to_owned(), text::bytes);
        ctx.ui.data(format!("fetch  {}  {size}", source.name))?;
    }
    let known = would.sources.iter().filter_map(|source| source.size_bytes);
    ctx.ui.data(format!(
        "\n{} to fetch ({}), {}",
        text::count(would.sources.len(), "source"),
        text::bytes(known.sum()),
        estimate::text(would.estimate)
    ))?;
    Ok(())
}
