//! `hash-sources`: git trees are fetched and hashed, and the record says so.

use std::path::Path;
use std::time::SystemTime;

use anyhow::{Context as _, Result};
use walkdir::WalkDir;

use crate::cli::HashSourcesArgs;
use crate::ctx::Ctx;
use crate::inventory;
use factory_base::error::{self, Failure};
use factory_base::fs::{Lock, remove_tree, write_atomic};
use factory_fetch::git::{self, Revision};
use factory_fetch::nar_hash;
use factory_model::lock::{GitTree, SourcesLock, SriSha256};
use factory_model::nearest::nearest_in_words;
use factory_model::tree_hashes::{Computed, TreeHashes};
use factory_resolve::python::left_out_of_trees;

/// Below the checkout.
const PAGE: &str = "docs/sources.md";
/// Below `package-lists`.
const RECORD: &str = "tree-hashes.toml";
/// How many digits of a date are a day.
const DAY: usize = "YYYY-MM-DD".len();

pub(super) fn run(ctx: &Ctx, args: &HashSourcesArgs) -> Result<()> {
    let sources: SourcesLock = inventory::read(ctx, "sources")?;
    let mut record = read_record(ctx)?;
    if args.check {
        return check(ctx, &sources, &record);
    }
    let names = chosen(&sources, &args.names)?;
    let _lock = Lock::of_update(ctx)?;
    let mut outcome = Outcome::default();
    for name in &names {
        ctx.check_interrupted()?;
        let tree = &sources.git[name];
        let found = compute(ctx, name, tree);
        ctx.check_interrupted()?;
        outcome.add(ctx, name, tree, found, &mut record)?;
        // What is known is kept, also when the next tree is where the run ends.
        if !args.dry_run {
            write(ctx, &sources, &record)?;
        }
    }
    outcome.finish(names.len())
}

/// What came of the trees.
#[derive(Debug, Default)]
struct Outcome {
    wrong: Vec<String>,
    missing: Vec<anyhow::Error>,
}

impl Outcome {
    fn add(
        &mut self,
        ctx: &Ctx,
        name: &str,
        tree: &GitTree,
        found: Result<(SriSha256, Computed)>,
        record: &mut TreeHashes,
    ) -> Result<()> {
        match found {
            Ok((hash, computed)) if hash == tree.nar_hash => {
                ctx.ui.data(format!("{name} {hash}"))?;
                record.record(name, tree, computed);
            }
            Ok((hash, _)) => {
                ctx.ui.warn(format!("{name} has another hash: {hash}"));
                self.wrong.push(format!(
                    "{name}\n      expected {}\n      found    {hash}",
                    tree.nar_hash
                ));
            }
            Err(error) => {
                ctx.ui.warn(format!("{name}: {error:#}"));
                self.missing.push(error.context(name.to_owned()));
            }
        }
        Ok(())
    }

    /// A wrong hash counts more than one that nobody could compute.
    fn finish(self, n_trees: usize) -> Result<()> {
        if !self.wrong.is_empty() {
            let lines = indented(&self.wrong);
            return Err(error::not_right(format!(
                "{} of {n_trees} trees have another hash than the lock:{lines}",
                self.wrong.len()
            ))
            .hint("if the revision and `exclude` are as they should be, write the found hash into `package-lists/sources.toml` and run `cargo xtask update-locks`")
            .into());
        }
        if self.missing.is_empty() {
            return Ok(());
        }
        let shown = self.missing.iter().map(|error| format!("{error:#}"));
        let lines = indented(&shown.collect::<Vec<_>>());
        let mut failure: Failure = error::environment(format!(
            "{} of {n_trees} trees could not be fetched:{lines}",
            self.missing.len()
        ));
        failure.hints.extend(error::hints_of_all(&self.missing));
        Err(failure.into())
    }
}

fn read_record(ctx: &Ctx) -> Result<TreeHashes> {
    let path = ctx.lists().join(RECORD);
    if !path.exists() {
        return Ok(TreeHashes::default());
    }
    let text = fs_err::read_to_string(&path)?;
    TreeHashes::parse(&text).map_err(|problem| {
        error::bad_input(format!("cannot read `{}`: {problem}", path.display())).into()
    })
}

/// The trees of the command line, or all.
fn chosen(sources: &SourcesLock, names: &[String]) -> Result<Vec<String>> {
    if names.is_empty() {
        return Ok(sources.git.keys().cloned().collect());
    }
    for name in names {
        if !sources.git.contains_key(name) {
            let near = nearest_in_words(name, sources.git.keys().map(String::as_str));
            return Err(error::bad_input(format!("no tree is called `{name}`{near}")).into());
        }
    }
    Ok(names.to_vec())
}

/// Fetches one tree into a directory that is gone afterwards.
fn compute(ctx: &Ctx, name: &str, tree: &GitTree) -> Result<(SriSha256, Computed)> {
    ctx.ui.step("Fetching", format!("{name} from {}", tree.url));
    fs_err::create_dir_all(&ctx.cache)?;
    let scratch = tempfile::Builder::new()
        .prefix("hash-sources-")
        .tempdir_in(&ctx.cache)
        .with_context(|| format!("cannot write below `{}`", ctx.cache.display()))?;
    let target = scratch.path().join("tree");
    let revision = Revision {
        url: &tree.url,
        rev: &tree.rev,
        submodules: tree.submodules,
        exclude: &tree.exclude,
    };
    git::checkout(ctx, &revision, &scratch.path().join("objects"), &target)?;
    let hash = SriSha256(nar_hash(&target)?);
    let (files, bytes) = size(&target)?;
    remove_tree(&target)?;
    let now = humantime::format_rfc3339_seconds(SystemTime::now()).to_string();
    let date = now.get(..DAY).unwrap_or(&now).to_owned();
    let computed = Computed { date, files, bytes };
    Ok((hash, computed))
}

/// Files and links below a directory, and the bytes of the files.
fn size(root: &Path) -> Result<(u64, u64)> {
    let (mut files, mut bytes) = (0, 0);
    for entry in WalkDir::new(root) {
        let entry = entry?;
        if entry.file_type().is_dir() {
            continue;
        }
        files += 1;
        if entry.file_type().is_file() {
            bytes += entry.metadata()?.len();
        }
    }
    Ok((files, bytes))
}

/// The record and its page.
fn write(ctx: &Ctx, sources: &SourcesLock, record: &TreeHashes) -> Result<()> {
    let mut record = record.clone();
    // What left the lock has nothing to be compared with.
    record.tree.retain(|name, _| sources.git.contains_key(name));
    write_atomic(&ctx.lists().join(RECORD), record.text()?.as_bytes())?;
    let page = record.page(sources, &left_out_of_trees(ctx)?);
    write_atomic(&ctx.root.join(PAGE), page.as_bytes())
}

fn check(ctx: &Ctx, sources: &SourcesLock, record: &TreeHashes) -> Result<()> {
    let mut problems = record.disagreements(sources);
    let page = record.page(sources, &left_out_of_trees(ctx)?);
    let path = ctx.root.join(PAGE);
    if !path.exists() || fs_err::read_to_string(&path)? != page {
        problems.push(format!("`{PAGE}` is not what would be written"));
    }
    if problems.is_empty() {
        ctx.ui
            .status("every tree of the lock is recorded with its hash");
        return Ok(());
    }
    let lines = indented(&problems);
    Err(error::not_right(format!(
        "`package-lists/{RECORD}` does not belong to the locks:{lines}"
    ))
    .hint("fetch and hash what changed: `cargo xtask hash-sources NAME`")
    .into())
}

fn indented(lines: &[String]) -> String {
    lines.iter().map(|line| format!("\n    {line}")).collect()
}
