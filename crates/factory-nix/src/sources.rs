//! Brings the fixed outputs that a build still needs into the store
//! (docs/design/D03-mirrors-never-change-a-store-path.md).

use std::path::PathBuf;
use std::sync::mpsc;

use anyhow::{Context as _, Result};
use xshell::Shell;

use super::missing::{MissingSource, missing_sources};
use super::{Context, Error, Nix, preflight};
use factory_base::error::{self, Explain as _};
use factory_base::fs::{Lock, remove_tree};
use factory_base::process;
use factory_base::text;
use factory_fetch::{Done, Downloader, Http, Job, Locations, Progress};

/// Files downloaded at the same time.
const CONNECTIONS: usize = 8;
/// Paths added by one call of `nix-store`, which costs about 20 ms.
const BATCH: usize = 64;

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
pub fn lock_sources(ctx: &dyn Context) -> Result<Lock> {
    Lock::take(ctx, &ctx.cache().join("fetch.lock"))
}

/// Brings every fixed output that realizing `drv_paths` needs into the store; nothing at all
/// when one of them cannot be reached, as a build would not come to its end.
///
/// # Errors
/// Names each source that cannot be had, and where it was looked for.
pub fn ensure_sources(ctx: &dyn Context, nix: &Nix, drv_paths: &[String]) -> Result<FetchReport> {
    let missing = missing_sources(ctx, nix, drv_paths)?;
    if missing.is_empty() {
        return Ok(FetchReport::default());
    }
    let lock = lock_reachable(ctx, nix, &missing)?;
    let _lock = lock.map_err(|unreachable| unreachable.failure())?;
    fetch_all(ctx, nix, missing)
}

/// Takes the lock of a run that brings sources, once all of them can be reached. The inner error
/// is what nobody gives, for who knows another way.
///
/// # Errors
/// As [`ensure_sources`], but for sources out of reach.
pub(super) fn lock_reachable(
    ctx: &dyn Context,
    nix: &Nix,
    missing: &[MissingSource],
) -> Result<Result<Lock, Error>> {
    let lock = lock_sources(ctx)?;
    Ok(match preflight::check(ctx, nix, missing)? {
        None => Ok(lock),
        Some(no_answer) => Err(no_answer.error),
    })
}

/// As [`ensure_sources`], but what can be reached is fetched before the rest is named; the inner
/// error is what nobody gives.
///
/// # Errors
/// As [`ensure_sources`], but for sources out of reach.
pub fn fetch_sources(
    ctx: &dyn Context,
    nix: &Nix,
    drv_paths: &[String],
) -> Result<Result<FetchReport, Error>> {
    let missing = missing_sources(ctx, nix, drv_paths)?;
    if missing.is_empty() {
        return Ok(Ok(FetchReport::default()));
    }
    let _lock = lock_sources(ctx)?;
    let Some(no_answer) = preflight::check(ctx, nix, &missing)? else {
        return Ok(Ok(fetch_all(ctx, nix, missing)?));
    };
    let reachable: Vec<_> = missing
        .into_iter()
        .filter(|source| !no_answer.out_paths.contains(&source.out_path))
        .collect();
    let unreachable = no_answer.error;
    if reachable.is_empty() {
        return Ok(Err(unreachable));
    }
    let Err(error) = fetch_all(ctx, nix, reachable) else {
        return Ok(Err(unreachable));
    };
    ctx.check_interrupted()?;
    Ok(Err(Error::NotAllFetched {
        unreachable: Box::new(unreachable),
        rest: format!("{error:#}"),
        hints: error::hints_of_all([&error]),
    }))
}

/// Is told the store paths of sources that are there now.
type Arrived<'a> = dyn Fn(Vec<String>) -> Result<()> + Sync + 'a;

/// A source on the disk, checked, on its way into the store.
struct Ready<'a> {
    source: &'a MissingSource,
    path: PathBuf,
}

fn fetch_all(ctx: &dyn Context, nix: &Nix, mut missing: Vec<MissingSource>) -> Result<FetchReport> {
    // The largest first: the last download to end then is a small one.
    missing.sort_by(|one, other| other.size.cmp(&one.size).then(one.name.cmp(&other.name)));
    fetch(ctx, nix, &missing, &|_| Ok(()))
}

/// Downloads in parallel, in this order, while what is complete is added to the store; `arrived`
/// is told the paths, and ends it with an error.
pub(super) fn fetch(
    ctx: &dyn Context,
    nix: &Nix,
    missing: &[MissingSource],
    arrived: &Arrived<'_>,
) -> Result<FetchReport> {
    let http = Http::from_environment()?;
    let locations = Locations::new(ctx, &http, ctx.root());
    let downloader = Downloader::new(ctx, &http, &locations, ctx.cache());
    let bytes = missing.iter().filter_map(|source| source.size).sum();
    ctx.step(
        "Fetching",
        &format!(
            "{} ({})",
            text::count(missing.len(), "source"),
            text::bytes(bytes)
        ),
    );
    let progress = Progress::new(ctx, missing.len(), bytes);
    let mut report = FetchReport::default();
    let mut failures = Vec::new();
    let (sender, receiver) = mpsc::channel();
    let (n_added, downloads) = std::thread::scope(|scope| {
        let adder = scope.spawn(|| add_all(nix, receiver, arrived));
        let downloads = factory_fetch::for_each(
            missing,
            CONNECTIONS,
            |source| {
                let job = job_of(ctx, source);
                let done = bring(&downloader, &progress, source, &job)?;
                Ok((job.destination, done.bytes_fetched))
            },
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

/// Downloads lie in `<cache>/downloads/<hash>/<name>`.
fn job_of(ctx: &dyn Context, source: &MissingSource) -> Job {
    let downloads = ctx.cache().join("downloads");
    Job {
        name: source.name.clone(),
        origins: source.origins.clone(),
        sha256: source.hash,
        size: source.size,
        destination: downloads.join(source.hash.to_string()).join(&source.name),
    }
}

fn bring(
    downloader: &Downloader<'_>,
    progress: &Progress<'_>,
    source: &MissingSource,
    job: &Job,
) -> Result<Done> {
    if source.recursive {
        downloader.fetch_tree(job, progress)
    } else {
        downloader.fetch(job, progress)
    }
}

/// One failure as it is, several as a list.
fn all_in_one(mut failures: Vec<anyhow::Error>, n_sources: usize) -> Option<anyhow::Error> {
    if failures.len() <= 1 {
        return failures.pop();
    }
    // Failures come in the order of chance.
    let mut hints = error::hints_of_all(&failures);
    hints.sort();
    let error = Error::NotFetched {
        n_sources,
        reasons: failures.iter().map(|error| format!("{error:#}")).collect(),
        hints,
    };
    Some(error.failure().into())
}

/// Adds what arrives, as many at once as there are, and removes the downloads.
fn add_all(nix: &Nix, receiver: mpsc::Receiver<Ready<'_>>, arrived: &Arrived<'_>) -> Result<usize> {
    let mut n_added = 0;
    while let Ok(first) = receiver.recv() {
        let mut batch = vec![first];
        batch.extend(receiver.try_iter().take(BATCH - 1));
        let (trees, files): (Vec<_>, Vec<_>) =
            batch.into_iter().partition(|ready| ready.source.recursive);
        add(nix, &files, false)?;
        add(nix, &trees, true)?;
        n_added += files.len() + trees.len();
        let added = files.iter().chain(&trees);
        arrived(added.map(|ready| ready.source.out_path.clone()).collect())?;
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
            return Err(Error::OtherPath {
                name: ready.source.name.clone(),
                expected: expected.to_owned(),
                found: printed.get(index).unwrap_or(&"nothing").to_string(),
            }
            .failure()
            .into());
        }
    }
    for ready in ready {
        let directory = ready.path.parent();
        remove_tree(directory.context("a download without a directory")?)?;
    }
    Ok(())
}
