//! `carry`: what took long to build goes to a directory and back, for machines that start bare.
//!
//! Sources are fetched and wheels unpacked faster than they are carried; compiled trees are not.

use std::collections::BTreeMap;

use anyhow::Result;

use crate::cli::{CarryArgs, CarryCommand, CarrySaveArgs, CarryTarget};
use crate::ctx::Ctx;
use crate::document::{self, Saved};
use crate::realize;
use factory_base::error;
use factory_base::text;
use factory_nix::{BinaryCache, Graph, Nix, PathInfo, SigningKey, Times};

/// Builds below this are done again.
const MIN_SECONDS: f64 = 60.0;
/// A tree that was built faster than this is built again sooner than it is carried.
const MIN_BYTES_PER_SECOND: f64 = 20e6;
/// The measured times' name in the directory: they say what is worth carrying.
const TIMES: &str = "build-times.json";

pub(super) fn run(ctx: &Ctx, args: &CarryArgs) -> Result<()> {
    match &args.command {
        CarryCommand::Save(args) => save(ctx, args),
        CarryCommand::Restore(target) => restore(ctx, target),
    }
}

fn save(ctx: &Ctx, args: &CarrySaveArgs) -> Result<()> {
    let selection = realize::selection(ctx, &args.variant, &args.layer, None)?;
    let nix = Nix::find_or_provide(ctx)?;
    let key = match &args.target.key {
        Some(file) => SigningKey::read(file)?,
        None => SigningKey::of_user(ctx, &nix)?,
    };
    let plan = selection.variant.plan(ctx, &nix)?;
    let targets = [plan.layer(&selection.layer)?.image.drv_path.clone()];
    let graph = Graph::read(&nix, &targets)?;
    let times = Times::read(ctx)?;
    let worth = worth_carrying(&nix, &slow_paths(&graph, &times))?;

    let directory = &args.target.directory;
    fs_err::create_dir_all(directory)?;
    let paths: Vec<&str> = worth.iter().map(String::as_str).collect();
    BinaryCache::new(&nix, directory, key)?.save(&paths)?;
    let measured = Times::path(ctx);
    if measured.is_file() {
        fs_err::copy(measured, directory.join(TIMES))?;
    }
    ctx.ui.step(
        "Saved",
        format!(
            "{} in `{}`",
            text::count(worth.len(), "built tree"),
            directory.display()
        ),
    );
    if ctx.json {
        let paths = worth.iter().map(|path| (*path).to_owned()).collect();
        document::print(ctx, &Saved { paths })?;
    }
    Ok(())
}

fn restore(ctx: &Ctx, target: &CarryTarget) -> Result<()> {
    let directory = &target.directory;
    if !BinaryCache::is_in(directory) {
        ctx.ui
            .status(format!("Nothing was saved in `{}`", directory.display()));
        return Ok(());
    }
    let file = target
        .key
        .clone()
        .unwrap_or_else(|| SigningKey::file_of_user(ctx));
    if !file.exists() {
        return Err(error::environment(format!(
            "there is no key `{}`, so nothing in `{}` can be known to be yours",
            file.display(),
            directory.display()
        ))
        .hint("give the key that it was saved with: `--key FILE`")
        .into());
    }
    let nix = Nix::find_or_provide(ctx)?;
    BinaryCache::new(&nix, directory, SigningKey::read(&file)?)?.restore(ctx)?;
    let (saved, own) = (directory.join(TIMES), Times::path(ctx));
    if saved.is_file() && !own.exists() {
        factory_base::fs::write_atomic(&own, &fs_err::read(saved)?)?;
    }
    ctx.ui
        .step("Restored", format!("`{}`", directory.display()));
    Ok(())
}

/// Outputs whose build takes long, with the seconds it took.
fn slow_paths(graph: &Graph, times: &Times) -> BTreeMap<String, f64> {
    let mut slow = BTreeMap::new();
    for (_, node) in graph.iter().filter(|(_, node)| !node.is_fixed) {
        let seconds = times.get(&node.name).unwrap_or(0.0);
        if seconds >= MIN_SECONDS {
            slow.extend(node.out_paths.iter().map(|path| (path.clone(), seconds)));
        }
    }
    slow
}

/// Built trees that stand alone and took longer to build than they take to carry.
fn worth_carrying(nix: &Nix, slow: &BTreeMap<String, f64>) -> Result<Vec<String>> {
    let all: Vec<&str> = slow.keys().map(String::as_str).collect();
    let invalid = nix.invalid_paths(&all)?;
    let built: Vec<&str> = all
        .into_iter()
        .filter(|path| !invalid.contains(*path))
        .collect();
    let infos = nix.path_infos(&built)?;
    let worth = infos
        .into_iter()
        .filter(|(path, info)| is_worth(path, info, slow.get(path).copied().unwrap_or(0.0)));
    Ok(worth.map(|(path, _)| path).collect())
}

fn is_worth(path: &str, info: &PathInfo, seconds: f64) -> bool {
    // A spec of a layer refers to all of its trees: carrying it would carry the image.
    info.references.iter().all(|reference| reference == path)
        && info.nar_size as f64 <= seconds * MIN_BYTES_PER_SECOND
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
