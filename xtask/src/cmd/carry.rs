//! `carry`: what took long to build goes to a directory and back, for machines that start bare.
//!
//! Sources are fetched and wheels unpacked faster than they are carried; compiled trees are not.

use std::collections::BTreeMap;

use anyhow::{Context as _, Result};
use serde::Deserialize;
use xshell::Shell;

use crate::cli::{CarryArgs, CarryCommand};
use crate::document::{self, Saved};
use crate::realize;
use factory_base::ctx::Ctx;
use factory_base::process;
use factory_base::ui;
use factory_nix::{Graph, Nix, Times};

/// Builds below this are done again.
const MIN_SECONDS: f64 = 60.0;
/// A tree that was built faster than this is built again sooner than it is carried.
const MIN_BYTES_PER_SECOND: f64 = 20e6;
/// The measured times' name in the directory: they say what is worth carrying.
const TIMES: &str = "build-times.json";

/// What `nix path-info --json` says of a path.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct PathInfo {
    nar_size: u64,
    references: Vec<String>,
}

pub(super) fn run(ctx: &Ctx, args: &CarryArgs) -> Result<()> {
    match &args.command {
        CarryCommand::Save(target) => save(ctx, target),
        CarryCommand::Restore(target) => restore(ctx, &target.directory),
    }
}

fn save(ctx: &Ctx, args: &crate::cli::CarrySaveArgs) -> Result<()> {
    let selection = realize::selection(ctx, &args.variant, &args.layer, None)?;
    let nix = Nix::find_or_provide(ctx)?;
    let plan = selection.variant.plan(ctx, &nix)?;
    let targets = [plan.layer(&selection.layer)?.image.drv_path.clone()];
    let graph = Graph::read(&nix, &targets)?;
    let times = Times::read(ctx)?;
    let mut slow: BTreeMap<&str, f64> = BTreeMap::new();
    for (_, node) in graph.iter().filter(|(_, node)| !node.is_fixed) {
        let seconds = times.get(&node.name).unwrap_or(0.0);
        if seconds >= MIN_SECONDS {
            slow.extend(node.out_paths.iter().map(|path| (path.as_str(), seconds)));
        }
    }
    let all: Vec<&str> = slow.keys().copied().collect();
    let invalid = nix.invalid_paths(&all)?;
    let built: Vec<&str> = all
        .into_iter()
        .filter(|path| !invalid.contains(*path))
        .collect();
    let worth = if built.is_empty() {
        Vec::new()
    } else {
        worth_carrying(&nix, &built, &slow)?
    };
    let directory = &args.target.directory;
    fs_err::create_dir_all(directory)?;
    if !worth.is_empty() {
        let shell = Shell::new()?;
        let store = format!("file://{}?compression=zstd", absolute(directory)?);
        process::capture(
            nix.cmd(&shell, "nix")
                .args(["copy", "--to", &store])
                .args(&worth),
        )?;
    }
    let measured = Times::path(ctx);
    if measured.is_file() {
        fs_err::copy(measured, directory.join(TIMES))?;
    }
    ctx.ui.step(
        "Saved",
        format!(
            "{} in `{}`",
            ui::count(worth.len(), "built tree"),
            directory.display()
        ),
    );
    if ctx.json {
        let paths = worth.iter().map(|path| (*path).to_owned()).collect();
        document::print(ctx, &Saved { paths })?;
    }
    Ok(())
}

fn restore(ctx: &Ctx, directory: &std::path::Path) -> Result<()> {
    if !directory.join("nix-cache-info").is_file() {
        ctx.ui
            .status(format!("Nothing was saved in `{}`", directory.display()));
        return Ok(());
    }
    let nix = Nix::find_or_provide(ctx)?;
    let shell = Shell::new()?;
    let store = format!("file://{}", absolute(directory)?);
    // What this user saved needs no signature.
    process::capture(nix.cmd(&shell, "nix").args([
        "copy",
        "--all",
        "--no-check-sigs",
        "--from",
        &store,
    ]))?;
    let (saved, own) = (directory.join(TIMES), Times::path(ctx));
    if saved.is_file() && !own.exists() {
        factory_base::fs::write_atomic(&own, &fs_err::read(saved)?)?;
    }
    ctx.ui
        .step("Restored", format!("`{}`", directory.display()));
    Ok(())
}

/// Trees that stand alone and took longer to build than they take to carry.
fn worth_carrying<'p>(
    nix: &Nix,
    built: &[&'p str],
    slow: &BTreeMap<&str, f64>,
) -> Result<Vec<&'p str>> {
    let shell = Shell::new()?;
    let text = process::capture(
        nix.cmd(&shell, "nix")
            .args(["path-info", "--json"])
            .args(built),
    )?;
    let infos: BTreeMap<String, PathInfo> =
        serde_json::from_str(&text).context("cannot read the output of `nix path-info`")?;
    Ok(built
        .iter()
        .copied()
        .filter(|path| {
            infos
                .get(*path)
                .is_some_and(|info| is_worth(path, info, slow.get(path).copied().unwrap_or(0.0)))
        })
        .collect())
}

fn is_worth(path: &str, info: &PathInfo, seconds: f64) -> bool {
    // A spec of a layer refers to all of its trees: carrying it would carry the image.
    info.references.iter().all(|reference| reference == path)
        && info.nar_size as f64 <= seconds * MIN_BYTES_PER_SECOND
}

fn absolute(directory: &std::path::Path) -> Result<String> {
    let path = std::path::absolute(directory)?;
    let text = path.to_str().context("the directory's name is not UTF-8")?;
    Ok(text.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ok_slow_and_alone_is_worth_it() {
        let info = |nar_size, references: &[&str]| PathInfo {
            nar_size,
            references: references.iter().map(|text| (*text).to_owned()).collect(),
        };
        let path = "/nix/store/x-cpython";
        assert!(is_worth(path, &info(400_000_000, &[path]), 240.0));
        assert!(!is_worth(path, &info(8_000_000_000, &[]), 240.0));
        assert!(!is_worth(path, &info(1000, &["/nix/store/y-torch"]), 240.0));
    }
}
