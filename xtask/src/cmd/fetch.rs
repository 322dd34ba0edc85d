//! `fetch`.

use anyhow::Result;

use crate::alternatives::{instead_of, with_hint};
use crate::cli::FetchArgs;
use crate::ctx::Ctx;
use crate::document::{self, Fetched, WouldFetch};
use crate::select;
use factory_base::text;
use factory_model::lock::Origin;
use factory_nix::{MissingSource, Nix, fetch_sources, missing_sources};

pub(crate) fn run(ctx: &Ctx, args: &FetchArgs) -> Result<()> {
    let asked = select::variant(ctx, &args.variant)?;
    let layer = select::layer(ctx, &args.layer)?;
    let nix = Nix::find_or_provide(ctx)?;
    let plan = asked.plan(ctx, &nix)?;
    let variant = asked.label();
    // An image stands on all layers before it.
    let mut targets = vec![plan.layer(&layer)?.image.drv_path.clone()];
    if args.checks {
        targets.extend(nix.checks(ctx, &asked.system.name)?);
    }
    if args.dry_run {
        let sources = missing_sources(ctx, &nix, &targets)?;
        return report_missing(ctx, variant, layer.to_string(), &sources);
    }
    let report = match fetch_sources(ctx, &nix, &targets)? {
        Ok(report) => report,
        Err(unreachable) => {
            let found = instead_of(ctx, &nix, &layer, &asked, &unreachable)?;
            return Err(with_hint(&unreachable, &found).into());
        }
    };
    if ctx.json {
        let fetched = Fetched {
            variant,
            layer: layer.to_string(),
            n_fetched: report.n_fetched,
            bytes_fetched: report.bytes_fetched,
        };
        document::print(ctx, &fetched)?;
    } else if report.n_fetched == 0 {
        ctx.ui.status(format!(
            "Every source that `{variant}` up to {layer} needs is in the store"
        ));
    }
    Ok(())
}

fn report_missing(
    ctx: &Ctx,
    variant: String,
    layer: String,
    sources: &[MissingSource],
) -> Result<()> {
    let total: u64 = sources.iter().filter_map(|source| source.size).sum();
    if ctx.json {
        let list = sources.iter().map(|source| document::MissingSource {
            name: source.name.clone(),
            size_bytes: source.size,
            registry: registry(source).to_owned(),
            out_path: source.out_path.clone(),
        });
        let would_fetch = WouldFetch {
            variant,
            layer,
            size_bytes: total,
            sources: list.collect(),
        };
        return document::print(ctx, &would_fetch);
    }
    if sources.is_empty() {
        ctx.ui.data("nothing to fetch")?;
        return Ok(());
    }
    ctx.ui.data(table(sources))?;
    let n_unknown = sources
        .iter()
        .filter(|source| source.size.is_none())
        .count();
    let unknown = match n_unknown {
        0 => String::new(),
        count => format!(", and {count} of unknown size"),
    };
    ctx.ui.data(format!(
        "\n{} to fetch: {}{unknown}",
        if sources.len() == 1 {
            "1 source".to_owned()
        } else {
            format!("{} sources", sources.len())
        },
        text::bytes(total)
    ))?;
    Ok(())
}

fn table(sources: &[MissingSource]) -> String {
    let rows: Vec<Vec<String>> = sources
        .iter()
        .map(|source| {
            vec![
                source.name.clone(),
                source.size.map_or("?".to_owned(), text::bytes),
                registry(source).to_owned(),
            ]
        })
        .collect();
    text::table(&["source", "size", "registry"], &rows, &[1])
}

/// The first place that is asked.
fn registry(source: &MissingSource) -> &'static str {
    match source.origins.first() {
        None => "?",
        Some(Origin::Debian { .. } | Origin::DebMember { .. }) => "debian",
        Some(Origin::Pypi { .. }) => "pypi",
        Some(Origin::Crates { .. }) => "crates",
        Some(Origin::Url { .. }) => "url",
        Some(Origin::Git { .. }) => "git",
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use factory_model::lock::Sha256;

    #[test]
    fn ok_table() {
        let source = |name: &str, size, origin| MissingSource {
            name: name.to_owned(),
            out_path: format!("/nix/store/x-{name}"),
            hash: Sha256::of(b""),
            recursive: false,
            size,
            origins: vec![origin],
        };
        let sources = [
            source(
                "torch-2.11.0-cp314-cp314t-manylinux_2_28_x86_64.whl",
                Some(530_000_000),
                Origin::Pypi {
                    project: "torch".to_owned(),
                    file: "torch".to_owned(),
                },
            ),
            source(
                "ComfyUI-0123456789ab",
                None,
                Origin::Git {
                    url: "https://forge.test/a".to_owned(),
                    rev: "0".repeat(40),
                    submodules: false,
                    exclude: Vec::new(),
                },
            ),
        ];
        insta::assert_snapshot!(table(&sources), @"
        source                                                   size  registry
        torch-2.11.0-cp314-cp314t-manylinux_2_28_x86_64.whl  530.0 MB  pypi
        ComfyUI-0123456789ab                                        ?  git
        ");
    }
}
