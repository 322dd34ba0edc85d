//! What a build is about to do, said before it begins.

use std::collections::BTreeSet;

use anyhow::Result;

use crate::alternatives::{self, arguments, command};
use crate::ctx::Ctx;
use crate::estimate;
use crate::select::Variant;
use factory_base::text;
use factory_model::layer::LayerName;
use factory_nix::{Estimate, Graph, MissingSource, Nix, Times};

/// From here on a build names what is quicker, in seconds. Looking at another variant takes two.
const LONG: f64 = 1800.0;

/// Says which variant is built, what that fetches and how long it takes here by earlier runs;
/// where that is long, also what is quicker. `missing` are the derivations to realize,
/// `n_jobs` at a time, and `sources` those among them that are fetched.
///
/// # Errors
/// The recorded times cannot be read.
pub(crate) fn say(
    ctx: &Ctx,
    nix: &Nix,
    (variant, layer, n_jobs): (&Variant, &LayerName, usize),
    (graph, missing, sources): (&Graph, &BTreeSet<String>, &[MissingSource]),
) -> Result<()> {
    let bytes: u64 = sources.iter().filter_map(|source| source.size).sum();
    let estimate = Times::read(ctx)?.estimate(graph, missing, n_jobs);
    ctx.ui.step(
        "Building",
        head(&variant.label(), sources.len(), bytes, estimate),
    );
    if estimate.seconds < LONG {
        return Ok(());
    }
    let asked = (variant, estimate);
    let quicker = alternatives::quicker(ctx, nix, layer, asked);
    if !quicker.is_empty() {
        let commands = quicker
            .iter()
            .map(|one| command(&arguments(), &one.variant));
        let table = alternatives::table(&quicker, &commands.collect::<Vec<_>>());
        ctx.ui.status(format!("What is quicker to build:\n{table}"));
    }
    if estimate.n_objects > 0 && variant.cuda_architectures().is_empty() {
        ctx.ui.status(
            "For one GPU alone: `--cuda-arch 9.0` or the like, which docs/gpus.md has for each, \
             or `--cuda-arch native` on the machine that has it",
        );
    }
    Ok(())
}

fn head(variant: &str, n_sources: usize, bytes: u64, estimate: Estimate) -> String {
    let fetch = match n_sources {
        0 => "nothing to fetch".to_owned(),
        _ => format!(
            "{} to fetch ({})",
            text::count(n_sources, "source"),
            text::bytes(bytes)
        ),
    };
    format!("variant {variant}: {fetch}, {}", estimate::text(estimate))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ok_head() {
        let estimate = Estimate {
            n_builds: 2,
            seconds: 90.0,
            ..Estimate::default()
        };
        assert_eq!(
            head("slim", 3, 2_000_000, estimate),
            "variant slim: 3 sources to fetch (2.0 MB), 2 builds, about 1m30s by earlier runs"
        );
        assert_eq!(
            head("slim", 0, 0, Estimate::default()),
            "variant slim: nothing to fetch, nothing to build"
        );
    }
}
