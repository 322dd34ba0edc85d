//! The bootstrap: unpacks a pinned Nix from Debian's packages into the cache
//! (docs/design/D04-nix-is-provided.md).

use std::path::{Path, PathBuf};
use std::time::Instant;

use anyhow::{Context as _, Result};

use super::configuration::write_configuration;
use super::environment::store_root;
use super::machine::of_machine;
use super::program::version_of;
use super::unpack::{has_needed_files, unpack_nix, unpack_seed};
use super::{Context, Error, Nix};
use factory_base::error::Explain as _;
use factory_base::fs::Lock;
use factory_base::run::Directories;
use factory_base::text;
use factory_fetch::{Downloader, Http, Job, Locations, Progress};
use factory_model::lock::{self, DebianLock, Origin, Sha256};

/// The lock of the one static program that builds begin with.
const SEED: &str = "seed";
/// The package that has the program, in the locks of this crate.
const PACKAGE: &str = "nix-bin";
/// Debs downloaded at the same time.
const CONNECTIONS: usize = 8;

/// Takes the lock of a run that unpacks Nix into the cache.
///
/// # Errors
/// As [`Lock::take`].
pub fn lock_bootstrap(ctx: &dyn Context) -> Result<Lock> {
    Lock::take(ctx, &ctx.cache().join("provide.lock"))
}

/// The versions of Nix that are locked, and so those the tests run with: `2.26.3`, `2.34.8`.
///
/// # Errors
/// A lock cannot be read.
pub fn tested_versions(directories: &dyn Directories) -> Result<Vec<String>> {
    let locks = locks_of_nix(directories)?.into_iter();
    locks
        .map(|name| {
            let pinned = Pinned::read(directories, &name)?;
            let package = pinned.packages.packages.iter().find(|p| p.name == PACKAGE);
            let version = package.map_or("", |package| package.version.as_str());
            // `2.26.3+dfsg-1` is Debian's name for 2.26.3.
            Ok(version
                .split(['+', '-'])
                .next()
                .unwrap_or_default()
                .to_owned())
        })
        .collect()
}

/// Where the locks for this machine are.
fn locks(directories: &dyn Directories) -> Result<PathBuf> {
    Ok(of_machine(directories)?.below(&directories.locks()))
}

/// The locks of a Nix, by the names that `XTASK_NIX` takes: `nix`, and its siblings `nix-…`.
fn locks_of_nix(directories: &dyn Directories) -> Result<Vec<String>> {
    let mut names = Vec::new();
    for entry in fs_err::read_dir(locks(directories)?.join("debian"))? {
        let file = entry?.file_name().to_string_lossy().into_owned();
        if let Some(name) = file.strip_suffix(".toml")
            && (name == "nix" || name.starts_with("nix-"))
        {
            names.push(name.to_owned());
        }
    }
    names.sort();
    Ok(names)
}

/// The Nix of a lock, unpacked unless it is.
///
/// # Errors
/// There is no such lock, its debs cannot be fetched, or the program does not run here.
pub(super) fn bootstrapped(ctx: &dyn Context, name: &str) -> Result<Nix> {
    let known = locks_of_nix(ctx)?;
    if !known.iter().any(|known| known == name) {
        let name = name.to_owned();
        return Err(Error::UnknownNix { name, known }.failure().into());
    }
    let mut nix = Pinned::read(ctx, name)?;
    nix.packages
        .packages
        .retain(|package| has_needed_files(&package.name));
    let seed = Pinned::read(ctx, SEED)?;
    let root = ctx.cache().join(format!("nix-{}", nix.short_hash));
    let shell_root = ctx.cache().join(format!("seed-{}", seed.short_hash));
    let (bin, busybox) = (root.join("bin"), shell_root.join("busybox"));
    let version = match version_if_whole(&bin, &busybox) {
        Some(version) => version,
        None => bootstrap(ctx, &nix, &root, &seed, &busybox)?,
    };
    let configuration = ctx.cache().join("nix-conf");
    write_configuration(&configuration.join("nix.conf"), &busybox)?;
    Ok(Nix {
        bin,
        version,
        environment: vec![(
            "NIX_CONF_DIR".to_owned(),
            configuration.to_string_lossy().into_owned(),
        )],
        store_root: store_root(ctx),
    })
}

/// What the unpacked program says; a directory that a power cut left half-written says nothing.
fn version_if_whole(bin: &Path, busybox: &Path) -> Option<String> {
    let is_whole = busybox.is_file() && bin.join("nix-store").exists();
    is_whole.then(|| version_of(bin).ok()).flatten()
}

/// One lock file with the hash of its text, which names the unpacked directory.
struct Pinned {
    packages: DebianLock,
    short_hash: String,
}

impl Pinned {
    fn read(directories: &dyn Directories, name: &str) -> Result<Self> {
        let path = locks(directories)?.join(format!("debian/{name}.toml"));
        let text = fs_err::read_to_string(&path)?;
        let packages = lock::parse(&text)
            .map_err(|source| {
                let problem = source.to_string();
                Error::BadLock { path, problem }.failure()
            })?
            .lock;
        let mut short_hash = Sha256::of(text.as_bytes()).to_string();
        short_hash.truncate(12);
        Ok(Self {
            packages,
            short_hash,
        })
    }
}

/// Returns what the unpacked program says its version is.
fn bootstrap(
    ctx: &dyn Context,
    nix: &Pinned,
    root: &Path,
    seed: &Pinned,
    busybox: &Path,
) -> Result<String> {
    let started = Instant::now();
    let _lock = lock_bootstrap(ctx)?;
    let bin = root.join("bin");
    // The run that was waited for may have done it.
    if let Some(version) = version_if_whole(&bin, busybox) {
        return Ok(version);
    }
    let debs = fetch_debs(ctx, &[&nix.packages, &seed.packages])?;
    let (nix_debs, seed_debs) = debs.split_at(nix.packages.packages.len());
    ctx.step("Unpacking", "Nix");
    unpack_seed(seed_debs, busybox)?;
    unpack_nix(ctx, &of_machine(ctx)?, nix_debs, root)?;
    let version = version_of(&bin).with_context(|| {
        let root = root.to_owned();
        Error::DoesNotRun { root }.failure()
    })?;
    for path in debs {
        fs_err::remove_dir_all(path.parent().context("a deb without a directory")?)?;
    }
    ctx.step(
        "Provided",
        &format!("Nix in {}", text::elapsed(started.elapsed())),
    );
    Ok(version)
}

fn fetch_debs(ctx: &dyn Context, locks: &[&DebianLock]) -> Result<Vec<PathBuf>> {
    let jobs: Vec<Job> = locks
        .iter()
        .flat_map(|lock| {
            lock.packages
                .iter()
                .map(|package| (&lock.snapshot, package))
        })
        .map(|(snapshot, package)| Job {
            name: format!("{} {}", package.name, package.version),
            origins: vec![Origin::Debian {
                archive: package.archive.clone(),
                path: package.path.clone(),
                snapshot: package.snapshot.as_ref().unwrap_or(snapshot).clone(),
            }],
            sha256: package.sha256,
            size: Some(package.size),
            destination: ctx
                .cache()
                .join("downloads")
                .join(package.sha256.to_string())
                .join("package.deb"),
        })
        .collect();
    let http = Http::from_environment()?;
    let locations = Locations::new(ctx, &http, ctx.root());
    let downloader = Downloader::new(ctx, &http, &locations, ctx.cache());
    let bytes = jobs.iter().filter_map(|job| job.size).sum();
    ctx.step(
        "Fetching",
        &format!(
            "Nix: {} Debian packages ({})",
            jobs.len(),
            text::bytes(bytes)
        ),
    );
    let progress = Progress::new(ctx, jobs.len(), bytes);
    let (mut n_done, mut n_bytes) = (0, 0);
    factory_fetch::for_each(
        &jobs,
        CONNECTIONS,
        |job| downloader.fetch(job, &progress),
        |_, result| {
            n_bytes += result?.bytes_fetched;
            n_done += 1;
            progress.count(n_done);
            Ok(())
        },
    )
    .context("cannot fetch Nix")?;
    progress.finish(n_done, n_bytes);
    Ok(jobs.into_iter().map(|job| job.destination).collect())
}
