//! `--check-reproducible`: the same derivations, built again in an empty store.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result};
use comfy_image::image::{Image, ImageLayer};
use xshell::Shell;

use crate::ctx::Ctx;
use crate::exit::from_image;
use crate::realize::Realized;
use crate::removal;
use factory_base::error::{self, Failure};
use factory_base::fs::Lock;
use factory_base::process;
use factory_nix::{BuildOptions, Graph, Node, build_with, ensure_sources};

/// Store paths per call of `nix copy`.
const BATCH: usize = 2_000;

/// Builds the image again from its sources and compares every layer.
pub(crate) fn check(ctx: &Ctx, realized: &Realized) -> Result<()> {
    let _lock = Lock::of_run(ctx)?;
    let target = &realized.plan.layer(&realized.selection.layer)?.image;
    let targets = [target.drv_path.clone()];
    let graph = Graph::read(&realized.nix, &targets)?;
    // A store whose outputs are there may have dropped their sources: name each of them.
    let absent = absent_sources(realized, &graph)?;
    if !absent.is_empty() {
        ensure_sources(ctx, &realized.nix, &absent)?;
    }

    fs_err::create_dir_all(&ctx.data)?;
    let empty = tempfile::Builder::new()
        .prefix("empty-store-")
        .tempdir_in(&ctx.data)
        .context("cannot make an empty store")?;
    let outcome = rebuild(ctx, realized, &graph, &targets, empty.path());
    let again = empty.path().to_owned();
    let compared = outcome.and_then(|()| compare(ctx, realized, &again, &target.out_path));
    removal::remove(&again).and(compared)
}

/// The sources of a closure that the user's store lacks.
fn absent_sources(realized: &Realized, graph: &Graph) -> Result<Vec<String>> {
    let sources = || graph.iter().filter(|(_, node)| node.is_fixed);
    let paths: Vec<&str> = sources()
        .flat_map(|(_, node)| node.out_paths.iter().map(String::as_str))
        .collect();
    let invalid = realized.nix.invalid_paths(&paths)?;
    let is_absent = |node: &Node| node.out_paths.iter().any(|path| invalid.contains(path));
    Ok(sources()
        .filter(|(_, node)| is_absent(node))
        .map(|(drv_path, _)| drv_path.to_owned())
        .collect())
}

fn rebuild(
    ctx: &Ctx,
    realized: &Realized,
    graph: &Graph,
    targets: &[String],
    store: &Path,
) -> Result<()> {
    let nix = &realized.nix;
    let shell = Shell::new()?;
    let sources: BTreeSet<&str> = graph
        .iter()
        .filter(|(_, node)| node.is_fixed)
        .flat_map(|(_, node)| node.out_paths.iter().map(String::as_str))
        .collect();
    let sources: Vec<&str> = sources.into_iter().collect();
    ctx.ui.step(
        "Copying",
        format!("{} sources into an empty store", sources.len()),
    );
    let copy = |paths: &[&str], arguments: &[&str]| -> Result<()> {
        let cmd = nix
            .cmd(&shell, "nix")
            .args(["copy", "--no-check-sigs"])
            .args(arguments);
        let cmd = cmd.arg("--to").arg(store).args(paths);
        let mut lines = Vec::new();
        let ((status, text), _) =
            process::watch(ctx, cmd, |line| lines.extend(line.map(str::to_owned)))?;
        ctx.check_interrupted()?;
        process::finish(&text, status, &lines)
    };
    copy(
        &targets.iter().map(String::as_str).collect::<Vec<_>>(),
        &["--derivation"],
    )?;
    for batch in sources.chunks(BATCH) {
        copy(batch, &[])?;
    }
    let options = BuildOptions {
        jobs: realized.selection.jobs,
        layers: graph.layers(&realized.plan.specs()),
        // Nothing may come from elsewhere: it is to be built.
        arguments: ["--option", "substitute", "false"]
            .map(str::to_owned)
            .to_vec(),
        ..BuildOptions::default()
    };
    build_with(ctx, &nix.with_store(store), targets, &options)?;
    Ok(())
}

fn compare(ctx: &Ctx, realized: &Realized, store: &Path, out_path: &str) -> Result<()> {
    let again = Image::read(Path::new(out_path), Some(store)).map_err(from_image)?;
    let first = &realized.image;
    if again.manifest.digest == first.manifest.digest {
        ctx.ui.step(
            "Reproduced",
            format!("{} in an empty store", first.manifest.digest),
        );
        return Ok(());
    }
    let mut message = format!(
        "the image is not reproducible\n  first:  {}\n  second: {}",
        first.manifest.digest, again.manifest.digest
    );
    for (one, two) in first.layers.iter().zip(&again.layers) {
        let differs = one
            .blobs
            .iter()
            .map(|blob| blob.diff_id)
            .ne(two.blobs.iter().map(|blob| blob.diff_id));
        if differs {
            message.push_str(&format!(
                "\n  layer {}: {}",
                one.name,
                describe(realized, store, one)?
            ));
        }
    }
    let failure: Failure = error::not_right(message);
    Err(failure.hint("remove what the build takes from its surroundings: times, random names, order of files").into())
}

/// The first package of a layer that differs, and where.
fn describe(realized: &Realized, store: &Path, layer: &ImageLayer) -> Result<String> {
    for tree in layer.blobs.iter().flat_map(|blob| &blob.trees) {
        let path = tree.path.to_string_lossy();
        let first = realized.nix.physical(&path);
        let second = store.join(path.trim_start_matches('/'));
        if let Some(difference) = first_difference(&first, &second)? {
            return Ok(format!("package `{}`: {difference}", tree.package));
        }
    }
    Ok("the same trees in other blobs".to_owned())
}

/// The first path, in order of names, at which two trees differ.
fn first_difference(first: &Path, second: &Path) -> Result<Option<String>> {
    let list = |root: &Path| -> Result<Vec<PathBuf>> {
        let mut paths = Vec::new();
        for entry in walkdir::WalkDir::new(root).sort_by_file_name() {
            paths.push(entry?.path().strip_prefix(root)?.to_owned());
        }
        Ok(paths)
    };
    let (ours, theirs) = (list(first)?, list(second)?);
    let all: BTreeSet<&PathBuf> = ours.iter().chain(&theirs).collect();
    for path in all {
        let (one, two) = (first.join(path), second.join(path));
        let shown = if path.as_os_str().is_empty() {
            Path::new(".")
        } else {
            path
        };
        let (Ok(a), Ok(b)) = (one.symlink_metadata(), two.symlink_metadata()) else {
            return Ok(Some(format!(
                "`{}` is in one of them only",
                shown.display()
            )));
        };
        let differs = if a.file_type() != b.file_type() {
            Some("is of another kind")
        } else if a.is_symlink() {
            (fs_err::read_link(&one)? != fs_err::read_link(&two)?).then_some("points elsewhere")
        } else if a.is_file() {
            use std::os::unix::fs::PermissionsExt as _;
            let modes = a.permissions().mode() != b.permissions().mode();
            let same = a.len() == b.len() && fs_err::read(&one)? == fs_err::read(&two)?;
            if modes {
                Some("has another mode")
            } else {
                (!same).then_some("has other bytes")
            }
        } else {
            None
        };
        if let Some(how) = differs {
            return Ok(Some(format!("`{}` {how}", shown.display())));
        }
    }
    Ok(None)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ok_the_first_difference_is_named() {
        let root = tempfile::tempdir().unwrap();
        let (one, two) = (root.path().join("1"), root.path().join("2"));
        for tree in [&one, &two] {
            fs_err::create_dir_all(tree.join("usr/lib")).unwrap();
            fs_err::write(tree.join("usr/lib/a"), "a").unwrap();
            fs_err::write(tree.join("usr/lib/b"), "b").unwrap();
        }
        let difference = || first_difference(&one, &two).unwrap();
        assert_eq!(difference(), None);
        fs_err::write(two.join("usr/lib/b"), "c").unwrap();
        assert_eq!(difference().unwrap(), "`usr/lib/b` has other bytes");
        fs_err::remove_file(two.join("usr/lib/a")).unwrap();
        assert_eq!(difference().unwrap(), "`usr/lib/a` is in one of them only");
    }
}
