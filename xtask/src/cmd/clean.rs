//! `clean`: says what earlier runs left behind, and removes it when told to.

use std::path::{Path, PathBuf};

use anyhow::Result;
use xshell::Shell;

use crate::bench::{PREFIX, Scratch, remove};
use crate::cli::CleanArgs;
use crate::ctx::Ctx;
use crate::document::{self, Clean, CleanItem};
use factory_base::fs::Lock;
use factory_base::process;
use factory_base::text;
use factory_nix::{Nix, lock_bootstrap, lock_sources, roots};

/// The parts of the cache that only cost time to have again. The provided Nix stays: it is
/// what runs the garbage collector. Measured build times stay: they cannot be made again
/// without building.
const CACHES: [(&str, &str); 3] = [
    ("downloads", "unfinished downloads"),
    ("plans", "evaluated plans"),
    ("apt", "package indexes"),
];

pub(super) fn run(ctx: &Ctx, args: &CleanArgs) -> Result<()> {
    let locks = args.yes.then(|| locks(ctx)).transpose()?;
    let clean = Clean {
        removed: args.yes,
        items: items(ctx)?,
    };
    print(ctx, args, &clean)?;
    if !args.yes {
        return Ok(());
    }
    for item in &clean.items {
        ctx.check_interrupted()?;
        remove(&item.path)?;
        ctx.ui.step(
            "Removed",
            format!("{} `{}`", item.what, item.path.display()),
        );
    }
    if args.store {
        // The garbage collector has locks of its own, and Nix may have to be brought first.
        drop(locks);
        collect_garbage(ctx)?;
    }
    Ok(())
}

/// The locks of all that use what this removes, in the order in which these take them.
fn locks(ctx: &Ctx) -> Result<[Lock; 5]> {
    Ok([
        Scratch::lock(ctx)?,
        Lock::of_run(ctx)?,
        Lock::of_update(ctx)?,
        lock_sources(ctx)?,
        lock_bootstrap(ctx)?,
    ])
}

fn print(ctx: &Ctx, args: &CleanArgs, clean: &Clean) -> Result<()> {
    let items = &clean.items;
    if ctx.json {
        document::print(ctx, clean)?;
    } else if !items.is_empty() {
        let rows: Vec<Vec<String>> = items
            .iter()
            .map(|item| {
                vec![
                    item.what.clone(),
                    text::bytes(item.size_bytes),
                    item.path.display().to_string(),
                ]
            })
            .collect();
        ctx.ui
            .data(text::table(&["what", "size", "path"], &rows, &[1]))?;
    }
    if !args.yes {
        let store = if args.store {
            ", and collects what nothing in the store needs"
        } else {
            ""
        };
        ctx.ui.status(format!(
            "Nothing is removed yet: `--yes` removes these{store}"
        ));
    }
    Ok(())
}

fn items(ctx: &Ctx) -> Result<Vec<CleanItem>> {
    let caches = CACHES.map(|(name, what)| (what, ctx.cache.join(name)));
    let empty_stores = children(&ctx.data, "empty-store-")?;
    let stores = empty_stores
        .into_iter()
        .map(|path| ("store of a reproducibility check", path));
    let benches = children(&ctx.data, PREFIX)?;
    let benches = benches.into_iter().filter(|path| path.is_dir());
    let benches = benches.map(|path| ("what a killed `bench` left", path));
    let roots = [("garbage-collector roots of built images", roots(ctx))];
    let mut items = Vec::new();
    for (what, path) in caches.into_iter().chain(stores).chain(benches).chain(roots) {
        if path.symlink_metadata().is_ok() {
            let size_bytes = size(&path)?;
            items.push(CleanItem {
                what: what.to_owned(),
                path,
                size_bytes,
            });
        }
    }
    Ok(items)
}

fn children(directory: &Path, prefix: &str) -> Result<Vec<PathBuf>> {
    let mut found = Vec::new();
    if directory.is_dir() {
        for entry in fs_err::read_dir(directory)? {
            let entry = entry?;
            if entry.file_name().to_string_lossy().starts_with(prefix) {
                found.push(entry.path());
            }
        }
    }
    found.sort();
    Ok(found)
}

fn size(path: &Path) -> Result<u64> {
    let mut sum = 0;
    for entry in walkdir::WalkDir::new(path) {
        let entry = entry?;
        if entry.file_type().is_file() {
            sum += entry.metadata()?.len();
        }
    }
    Ok(sum)
}

fn collect_garbage(ctx: &Ctx) -> Result<()> {
    let nix = Nix::find_or_provide(ctx)?;
    let shell = Shell::new()?;
    let mut lines = Vec::new();
    let ((status, text), _) =
        process::watch(ctx, nix.cmd(&shell, "nix-store").arg("--gc"), |line| {
            if let Some(line) = line {
                ctx.ui.detail(line);
                lines.push(line.to_owned());
            }
        })?;
    ctx.check_interrupted()?;
    process::finish(&text, status, &lines)?;
    // `123 store paths deleted, 45.00 MiB freed`
    if let Some(line) = lines.iter().rev().find(|line| line.contains("freed")) {
        ctx.ui.step("Collected", line);
    }
    Ok(())
}
