//! From a variant and a layer to a built image: what `build`, `load`, `stream` and `verify` share.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use anyhow::Result;
use comfy_image::image::Image;

use crate::alternatives::{self, Instead};
use crate::cli::{InsteadArgs, VariantArgs};
use crate::ctx::Ctx;
use crate::estimate::jobs;
use crate::exit::from_image;
use crate::outlook;
use crate::select::{self, Variant};
use factory_base::fs::Lock;
use factory_model::layer::LayerName;
use factory_nix::{
    BuildOptions, Built, Error, FetchReport, Graph, Nix, Plan, Recorder, add_root, fetch_and_build,
    roots,
};

/// What to build.
#[derive(Debug, Clone)]
pub(crate) struct Selection {
    pub(crate) variant: Variant,
    pub(crate) layer: LayerName,
    /// Builds side by side.
    pub(crate) jobs: Option<usize>,
    /// When its sources are out of reach.
    pub(crate) instead: Instead,
}

impl Selection {
    /// The same, with a way on when its sources are out of reach.
    pub(crate) fn or(self, args: &InsteadArgs) -> Self {
        let instead = if args.yes {
            Instead::First
        } else {
            Instead::Ask
        };
        Self { instead, ..self }
    }
}

/// A built image and how it came to be.
#[derive(Debug)]
pub(crate) struct Realized {
    pub(crate) nix: Nix,
    pub(crate) plan: Plan,
    pub(crate) selection: Selection,
    pub(crate) image: Image,
    /// In order, up to the selected layer.
    pub(crate) layers: Vec<RealizedLayer>,
    pub(crate) fetch: FetchReport,
    pub(crate) n_built: usize,
    pub(crate) took: Duration,
}

/// One layer of a built image.
#[derive(Debug)]
pub(crate) struct RealizedLayer {
    pub(crate) name: LayerName,
    /// Built in this run; otherwise it was there.
    pub(crate) built: bool,
    /// From the start of its first build to the end of its last.
    pub(crate) took: Duration,
}

/// Checks the user's words before anything is started.
pub(crate) fn selection(
    ctx: &Ctx,
    variant: &VariantArgs,
    layer: &str,
    jobs: Option<usize>,
) -> Result<Selection> {
    Ok(Selection {
        variant: select::variant(ctx, variant)?,
        layer: select::layer(ctx, layer)?,
        jobs,
        instead: Instead::default(),
    })
}

/// Builds what is missing of an image, waiting for another run if there is one. When sources are
/// out of reach, of another variant if that is wanted.
pub(crate) fn realize(ctx: &Ctx, mut selection: Selection) -> Result<Realized> {
    let nix = Nix::find_or_provide(ctx)?;
    loop {
        let unreachable = match attempt(ctx, &nix, &selection)? {
            Ok(realized) => return Ok(realized),
            Err(unreachable) => unreachable,
        };
        let asked = (&selection.variant, selection.instead);
        selection.variant = alternatives::choose(ctx, &nix, &selection.layer, asked, &unreachable)?;
    }
}

/// The inner error is what is out of reach.
fn attempt(ctx: &Ctx, nix: &Nix, selection: &Selection) -> Result<Result<Realized, Error>> {
    let start = Instant::now();
    let plan = selection.variant.plan(ctx, nix)?;
    let target = plan.layer(&selection.layer)?.image.clone();
    let is_built =
        |nix: &Nix| Ok::<_, anyhow::Error>(nix.invalid_paths(&[&target.out_path])?.is_empty());

    let mut done = Done::default();
    if !is_built(nix)? {
        let _lock = Lock::of_run(ctx)?;
        // The run that was waited for may have built it.
        if !is_built(nix)? {
            done = match build_missing(ctx, nix, &plan, selection)? {
                Ok(done) => done,
                Err(unreachable) => return Ok(Err(unreachable)),
            };
        }
    }
    let link = roots(ctx)
        .join(selection.variant.label())
        .join(selection.layer.to_string());
    add_root(nix, &link, &target.out_path)?;
    let image = Image::read(Path::new(&target.out_path), nix.store_root()).map_err(from_image)?;
    let layers = plan.up_to(&selection.layer).iter().map(|layer| {
        let took = done.layers.get(&layer.name).copied();
        RealizedLayer {
            name: layer.name.clone(),
            built: took.is_some(),
            took: took.unwrap_or_default(),
        }
    });
    Ok(Ok(Realized {
        layers: layers.collect(),
        nix: nix.clone(),
        selection: selection.clone(),
        image,
        fetch: done.fetch,
        n_built: done.n_built,
        took: start.elapsed(),
        plan,
    }))
}

/// What a build added to the store.
#[derive(Default)]
struct Done {
    fetch: FetchReport,
    n_built: usize,
    layers: BTreeMap<LayerName, Duration>,
}

/// The inner error is what is out of reach.
fn build_missing(
    ctx: &Ctx,
    nix: &Nix,
    plan: &Plan,
    selection: &Selection,
) -> Result<Result<Done, Error>> {
    let target = &plan.layer(&selection.layer)?.image;
    let targets = [target.drv_path.clone()];
    let mut recorder = Recorder::begin(
        &selection.variant.label(),
        &selection.layer,
        &target.out_path,
        jobs(selection.jobs),
    );
    let specs: Vec<&str> = plan
        .up_to(&selection.layer)
        .iter()
        .map(|layer| layer.spec.out_path.as_str())
        .collect();
    let missing = nix.invalid_paths(&specs)?;
    let graph = Graph::read(nix, &targets)?;
    let owners = graph.layers(&plan.specs());
    let needed = graph.missing(nix, &targets)?;
    let is_build = |drv_path: &String| graph.get(drv_path).is_some_and(|node| !node.is_fixed);
    if needed.iter().any(is_build) {
        nix.require_builder(&selection.variant.system.name)?;
    }
    let asked = (&selection.variant, &selection.layer, jobs(selection.jobs));
    let sources = graph.missing_sources(ctx, nix, (&needed, &targets))?;
    outlook::say(ctx, nix, asked, (&graph, &needed, &sources))?;
    recorder.know(&graph, &needed, &owners);
    let options = BuildOptions {
        jobs: selection.jobs,
        layers: owners,
        recorder: Some(Arc::new(Mutex::new(recorder))),
        ..BuildOptions::default()
    };
    let outcome = fetch_and_build(ctx, nix, &targets, (&graph, &needed, sources), &options)?;
    let (fetch, report) = match outcome {
        Ok(done) => done,
        Err(unreachable) => return Ok(Err(unreachable)),
    };
    let layers = plan
        .up_to(&selection.layer)
        .iter()
        .filter(|layer| missing.contains(&layer.spec.out_path));
    Ok(Ok(Done {
        fetch,
        n_built: report.built.len(),
        layers: layers
            .map(|layer| {
                (
                    layer.name.clone(),
                    span(&report.built, &layer.name, &options.layers),
                )
            })
            .collect(),
    }))
}

/// From the first start to the last end of the builds that belong to a layer.
fn span(built: &[Built], layer: &LayerName, owners: &BTreeMap<String, LayerName>) -> Duration {
    let own = || {
        built
            .iter()
            .filter(|built| owners.get(&built.drv_path) == Some(layer))
    };
    let start = own().map(|built| built.started).min();
    let end = own().map(|built| built.started + built.took).max();
    match (start, end) {
        (Some(start), Some(end)) => end.saturating_sub(start),
        _ => Duration::ZERO,
    }
}
