//! Which fixed outputs a build still needs, and bringing them into the store
//! (docs/design/D03-mirrors-never-change-a-store-path.md).

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::sync::mpsc;

use anyhow::{Context as _, Result, bail};
use xshell::Shell;

use super::drv::Drv;
use factory_fetch::nar_hash;

use super::{Nix, preflight};
use factory_base::ctx::Ctx;
use factory_base::error::{self, Failure, Kind};
use factory_base::fs::Lock;
use factory_base::process;
use factory_base::ui;
use factory_fetch::{Downloader, Http, Job, Locations, Progress, deb, git};
use factory_model::lock::{Origin, Sha256};

/// Files downloaded at the same time.
const CONNECTIONS: usize = 8;
/// Paths added by one call of `nix-store`, which costs about 20 ms.
const BATCH: usize = 64;
/// How many of a longer list a message names.
const NAMED: usize = 10;

/// A fixed-output derivation that a build needs and the store lacks.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MissingSource {
    /// Store name of the output (after the hash).
    pub name: String,
    /// The output path.
    pub out_path: String,
    /// Hash over the file (flat) or over its NAR (recursive).
    pub hash: Sha256,
    /// NAR hash instead of file hash.
    pub recursive: bool,
    /// Size in bytes when the lock has it.
    pub size: Option<u64>,
    /// Where to look, in order.
    pub origins: Vec<Origin>,
}

/// What a fetch did.
#[derive(Debug, Clone, Default, PartialEq, Eq, serde::Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct FetchReport {
    /// Sources brought into the store.
    pub n_fetched: usize,
    /// Bytes over the network.
    pub bytes_fetched: u64,
}

/// Takes the lock of a run that brings sources: what is half-fetched belongs to it.
///
/// # Errors
/// As [`Lock::take`].
pub fn lock_sources(ctx: &Ctx) -> Result<Lock> {
    Lock::take(ctx, &ctx.cache.join("fetch.lock"))
}

/// The fixed outputs that realizing `drv_paths` needs and the store lacks, by name. What is
/// built already does not need its sources.
///
/// # Errors
/// Nix fails, or a derivation's `origins` cannot be read.
pub fn missing_sources(ctx: &Ctx, nix: &Nix, drv_paths: &[String]) -> Result<Vec<MissingSource>> {
    if drv_paths.is_empty() {
        return Ok(Vec::new());
    }
    let shell = Shell::new()?;
    let mut cmd = nix
        .cmd(&shell, "nix-store")
        .args(["--realise", "--dry-run"])
        .args(drv_paths);
    if ctx.offline {
        cmd = cmd.args(["--option", "substitute", "false"]);
    }
    let mut lines = Vec::new();
    let ((status, command), _) = process::run(cmd, |line| lines.push(line.to_owned()))?;
    process::finish(&command, status, &lines)?;
    let mut missing = BTreeMap::new();
    for drv_path in to_be_built(&lines) {
        if let Some(source) = source_of(drv_path, &nix.derivation(drv_path)?)? {
            // Two derivations may declare the same output.
            missing.insert(source.out_path.clone(), source);
        }
    }
    let mut missing: Vec<_> = missing.into_values().collect();
    missing.sort_by(|one, other| one.name.cmp(&other.name));
    Ok(missing)
}

/// Brings every fixed output that realizing `drv_paths` needs into the store; nothing at all
/// when one of them cannot be reached, as a build would not come to its end.
///
/// # Errors
/// Names each source that cannot be had, where it was looked for, and the ways on.
pub fn ensure_sources(ctx: &Ctx, nix: &Nix, drv_paths: &[String]) -> Result<FetchReport> {
    let missing = missing_sources(ctx, nix, drv_paths)?;
    if missing.is_empty() {
        return Ok(FetchReport::default());
    }
    let _lock = lock_sources(ctx)?;
    match preflight::check(ctx, nix, &missing)? {
        None => fetch(ctx, nix, missing),
        Some(no_answer) => Err(no_answer.failure.into()),
    }
}

/// As [`ensure_sources`], but what can be reached is fetched before the rest is named.
///
/// # Errors
/// As [`ensure_sources`].
pub fn fetch_sources(ctx: &Ctx, nix: &Nix, drv_paths: &[String]) -> Result<FetchReport> {
    let missing = missing_sources(ctx, nix, drv_paths)?;
    if missing.is_empty() {
        return Ok(FetchReport::default());
    }
    let _lock = lock_sources(ctx)?;
    let Some(no_answer) = preflight::check(ctx, nix, &missing)? else {
        return fetch(ctx, nix, missing);
    };
    let reachable: Vec<_> = missing
        .into_iter()
        .filter(|source| !no_answer.out_paths.contains(&source.out_path))
        .collect();
    let failure = no_answer.failure;
    if reachable.is_empty() {
        return Err(failure.into());
    }
    let Err(error) = fetch(ctx, nix, reachable) else {
        return Err(failure.into());
    };
    ctx.check_interrupted()?;
    let both = error::environment(format!("{failure}\n{error:#}"));
    let hints = failure.hints.iter().map(String::as_str);
    let hints = hints.chain(error::hints_of(&error));
    Err(hints.fold(both, Failure::hint).into())
}

/// The derivations under "will be built" in what a dry run of `nix-store` says.
fn to_be_built(lines: &[String]) -> impl Iterator<Item = &str> {
    let mut is_section = false;
    lines.iter().filter_map(move |line| {
        let Some(path) = line.strip_prefix("  ") else {
            is_section = line.ends_with("will be built:");
            return None;
        };
        (is_section && path.ends_with(".drv")).then_some(path)
    })
}

fn source_of(drv_path: &str, drv: &Drv) -> Result<Option<MissingSource>> {
    let Some(output) = drv
        .outputs
        .get("out")
        .filter(|output| !output.hash.is_empty())
    else {
        return Ok(None);
    };
    let bug = |what: &str| Failure::new(Kind::Bug, format!("the source `{drv_path}` {what}"));
    let recursive = match output.hash_algorithm.as_str() {
        "sha256" => false,
        "r:sha256" => true,
        other => return Err(bug(&format!("has a hash by `{other}`, not by SHA-256")).into()),
    };
    let origins = drv
        .attribute("origins")
        .ok_or_else(|| bug("does not say where it comes from (no `origins`)"))?;
    let origins = serde_json::from_str(&origins)
        .map_err(|source| bug(&format!("has `origins` that cannot be read: {source}")))?;
    let name = drv.attribute("name").ok_or_else(|| bug("has no name"))?;
    Ok(Some(MissingSource {
        name,
        out_path: output.path.clone(),
        hash: output.hash.parse()?,
        recursive,
        size: drv
            .attribute("sizeBytes")
            .and_then(|text| text.parse().ok()),
        origins,
    }))
}

pub(super) fn describe(source: &MissingSource) -> String {
    match source.size {
        Some(size) => format!("{} ({})", source.name, ui::bytes(size)),
        None => source.name.clone(),
    }
}

pub(super) fn plural(count: usize, one: &str, many: &str) -> String {
    format!("{count} {}", if count == 1 { one } else { many })
}

pub(super) fn named(items: &[String]) -> String {
    let mut lines: Vec<_> = items
        .iter()
        .take(NAMED)
        .map(|item| format!("    {item}"))
        .collect();
    if items.len() > NAMED {
        lines.push(format!("    and {} more", items.len() - NAMED));
    }
    lines.join("\n")
}

/// A source on the disk, checked, on its way into the store.
struct Ready<'a> {
    source: &'a MissingSource,
    path: PathBuf,
}

/// Downloads in parallel while what is complete is added to the store.
fn fetch(ctx: &Ctx, nix: &Nix, mut missing: Vec<MissingSource>) -> Result<FetchReport> {
    // The largest first: the last download to end then is a small one.
    missing.sort_by(|one, other| other.size.cmp(&one.size).then(one.name.cmp(&other.name)));
    let http = Http::from_environment()?;
    let locations = Locations::new(ctx, &http, &ctx.root);
    let downloader = Downloader::new(ctx, &http, &locations, &ctx.cache);
    let bytes = missing.iter().filter_map(|source| source.size).sum();
    ctx.ui.step(
        "Fetching",
        format!(
            "{} ({})",
            plural(missing.len(), "source", "sources"),
            ui::bytes(bytes)
        ),
    );
    let progress = Progress::new(&ctx.ui, missing.len(), bytes);
    let mut report = FetchReport::default();
    let mut failures = Vec::new();
    let (sender, receiver) = mpsc::channel();
    let (n_added, downloads) = std::thread::scope(|scope| {
        let adder = scope.spawn(|| add_all(nix, receiver));
        let downloads = factory_fetch::for_each(
            &missing,
            CONNECTIONS,
            |source| bring(ctx, &downloader, &progress, source),
            |source, result| match result {
                Ok((path, n_bytes)) => {
                    report.n_fetched += 1;
                    report.bytes_fetched += n_bytes;
                    progress.count(report.n_fetched);
                    sender
                        .send(Ready { source, path })
                        .map_err(|_| anyhow::anyhow!("the store takes no more"))
                }
                Err(error) if factory_fetch::is_fatal(ctx, &error) => Err(error),
                Err(error) => {
                    failures.push(error);
                    Ok(())
                }
            },
        );
        drop(sender);
        let added = adder
            .join()
            .unwrap_or_else(|_| Err(anyhow::anyhow!("adding to the store panicked")));
        (added, downloads)
    });
    // When adding failed, the downloads ended because of that.
    let n_added = n_added?;
    downloads?;
    anyhow::ensure!(n_added == report.n_fetched, "a source was not added");
    progress.finish(report.n_fetched, report.bytes_fetched);
    if let Some(error) = all_in_one(failures, missing.len()) {
        return Err(error);
    }
    Ok(report)
}

/// One failure as it is, several as a list.
fn all_in_one(mut failures: Vec<anyhow::Error>, n_sources: usize) -> Option<anyhow::Error> {
    if failures.len() <= 1 {
        return failures.pop();
    }
    let texts: Vec<_> = failures.iter().map(|error| format!("{error:#}")).collect();
    let hints: BTreeSet<&str> = failures.iter().flat_map(error::hints_of).collect();
    let mut failure = error::environment(format!(
        "{} of {n_sources} sources cannot be fetched\n{}",
        failures.len(),
        named(&texts)
    ));
    for hint in hints {
        failure = failure.hint(hint);
    }
    Some(failure.into())
}

/// Brings one source to `<cache>/downloads/<hash>/<name>`; returns the bytes that came over
/// the network.
fn bring(
    ctx: &Ctx,
    downloader: &Downloader<'_>,
    progress: &Progress<'_>,
    source: &MissingSource,
) -> Result<(PathBuf, u64)> {
    let directory = ctx.cache.join("downloads").join(source.hash.to_string());
    let destination = directory.join(&source.name);
    if !source.recursive {
        let job = Job {
            name: source.name.clone(),
            origins: source.origins.clone(),
            sha256: source.hash,
            size: source.size,
            destination: destination.clone(),
        };
        let done = downloader.fetch(&job, progress)?;
        return Ok((destination, done.bytes_fetched));
    }
    let mut failures = Vec::new();
    for origin in &source.origins {
        // Never taken for whole; what lies beside it is what an earlier run had fetched.
        remove(&destination)?;
        fs_err::create_dir_all(&directory)?;
        let result = bring_tree(ctx, downloader, progress, source, origin, &destination);
        ctx.check_interrupted()?;
        let checked = result.and_then(|brought| {
            check_tree(source, origin, &destination, &brought.pointers).inspect_err(|_| {
                // A tree that is whole and wrong is not worth keeping.
                if let Err(error) = remove(&directory) {
                    ctx.ui.warn(format!("{error:#}"));
                }
            })?;
            Ok(brought)
        });
        match checked {
            Ok(brought) => {
                if !brought.pointers.is_empty() {
                    ctx.ui.warn(format!(
                        "{}: {}, whose content is not part of the revision: {}",
                        source.name,
                        plural(
                            brought.pointers.len(),
                            "file is a Git LFS pointer",
                            "files are Git LFS pointers"
                        ),
                        listed(&brought.pointers)
                    ));
                }
                return Ok((destination, brought.bytes));
            }
            Err(error) => failures.push(error),
        }
    }
    Err(all_in_one(failures, source.origins.len())
        .unwrap_or_else(|| anyhow::anyhow!("nothing says where it is"))
        .context(error::environment(format!(
            "cannot fetch `{}`",
            source.name
        ))))
}

/// What came for a tree.
struct Brought {
    /// Bytes over the network, as far as they are known.
    bytes: u64,
    /// Files whose content lies elsewhere.
    pointers: Vec<PathBuf>,
}

fn bring_tree(
    ctx: &Ctx,
    downloader: &Downloader<'_>,
    progress: &Progress<'_>,
    source: &MissingSource,
    origin: &Origin,
    destination: &Path,
) -> Result<Brought> {
    match origin {
        Origin::Git {
            url,
            rev,
            submodules,
        } => {
            let bar = progress.file(&source.name, source.size);
            let revision = git::Revision {
                url,
                rev,
                submodules: *submodules,
            };
            let objects = destination.with_file_name("git-objects");
            let pointers = git::checkout(ctx, &revision, &objects, destination)?;
            bar.done();
            Ok(Brought { bytes: 0, pointers })
        }
        Origin::DebMember {
            archive,
            path,
            snapshot,
            deb_sha256,
            deb_size,
            member,
        } => {
            let deb = destination.with_file_name("package.deb");
            let job = Job {
                name: source.name.clone(),
                origins: vec![Origin::Debian {
                    archive: archive.clone(),
                    path: path.clone(),
                    snapshot: snapshot.clone(),
                }],
                sha256: *deb_sha256,
                size: Some(*deb_size),
                destination: deb.clone(),
            };
            let done = downloader.fetch(&job, progress)?;
            // `usr/bin/busybox` becomes `bin/busybox`, where store paths keep programs.
            let place = destination.join(member.strip_prefix("usr/").unwrap_or(member));
            fs_err::create_dir_all(place.parent().context("a member without a directory")?)?;
            deb::extract_member(&deb, member, &place)?;
            fs_err::remove_file(deb)?;
            Ok(Brought {
                bytes: done.bytes_fetched,
                pointers: Vec::new(),
            })
        }
        file => bail!(
            "the recursive source `{}` has the origin {file:?}",
            source.name
        ),
    }
}

fn check_tree(
    source: &MissingSource,
    origin: &Origin,
    path: &Path,
    pointers: &[PathBuf],
) -> Result<()> {
    let found = nar_hash(path)?;
    if found == source.hash {
        return Ok(());
    }
    let from = match origin {
        Origin::Git { url, rev, .. } => format!("{url} at {rev}"),
        Origin::DebMember { path, member, .. } => format!("{member} of {path}"),
        other => format!("{other:?}"),
    };
    let failure = error::environment(format!(
        "wrong NAR hash of {from}\n      expected {}\n      found    {}",
        source.hash.to_sri(),
        found.to_sri()
    ));
    let Origin::Git { submodules, .. } = origin else {
        return Err(failure.into());
    };
    let failure = if pointers.is_empty() {
        failure
    } else {
        failure.hint(format!(
            "the hash may be that of a tree with the content of Git LFS, which is not fetched: {}",
            listed(pointers)
        ))
    };
    let other = if *submodules { "without" } else { "with" };
    Err(failure
        .hint(format!("the hash may be that of the tree {other} its submodules: see `submodules` in `package-lists/sources.toml`"))
        .hint("if the revision is the right one, and a second look at its files finds nothing strange, write the found hash into `package-lists/sources.toml` and run `cargo xtask update-locks`")
        .into())
}

/// The first few of some files.
fn listed(files: &[PathBuf]) -> String {
    let shown: Vec<_> = files
        .iter()
        .take(3)
        .map(|file| file.display().to_string())
        .collect();
    let more = if files.len() > 3 { ", …" } else { "" };
    format!("{}{more}", shown.join(", "))
}

fn remove(directory: &Path) -> Result<()> {
    if directory.exists() {
        fs_err::remove_dir_all(directory)?;
    }
    Ok(())
}

/// Adds what arrives, as many at once as there are, and removes the downloads.
fn add_all(nix: &Nix, receiver: mpsc::Receiver<Ready<'_>>) -> Result<usize> {
    let mut n_added = 0;
    while let Ok(first) = receiver.recv() {
        let mut batch = vec![first];
        batch.extend(receiver.try_iter().take(BATCH - 1));
        let (trees, files): (Vec<_>, Vec<_>) =
            batch.into_iter().partition(|ready| ready.source.recursive);
        add(nix, &files, false)?;
        add(nix, &trees, true)?;
        n_added += files.len() + trees.len();
    }
    Ok(n_added)
}

fn add(nix: &Nix, ready: &[Ready<'_>], recursive: bool) -> Result<()> {
    if ready.is_empty() {
        return Ok(());
    }
    let shell = Shell::new()?;
    let mut cmd = nix.cmd(&shell, "nix-store").arg("--add-fixed");
    if recursive {
        cmd = cmd.arg("--recursive");
    }
    let paths = ready.iter().map(|ready| &ready.path);
    let printed = process::capture(cmd.arg("sha256").args(paths))
        .context("cannot add sources to the store")?;
    let printed: Vec<_> = printed.lines().collect();
    for (index, ready) in ready.iter().enumerate() {
        let expected = ready.source.out_path.as_str();
        if printed.get(index) != Some(&expected) {
            return Err(Failure::new(
                Kind::Bug,
                format!(
                    "`{}` came into the store at another path\n    expected {expected}\n    found    {}",
                    ready.source.name,
                    printed.get(index).unwrap_or(&"nothing")
                ),
            )
            .into());
        }
    }
    for ready in ready {
        remove(
            ready
                .path
                .parent()
                .context("a download without a directory")?,
        )?;
    }
    Ok(())
}
