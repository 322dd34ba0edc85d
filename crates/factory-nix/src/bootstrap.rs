//! The bootstrap: unpacks a pinned Nix from Debian's packages into the cache
//! (docs/design/D04-nix-is-provided.md).

use std::path::{Path, PathBuf};
use std::time::Instant;

use anyhow::{Context as _, Result};
use xshell::{Shell, cmd};

use super::Nix;
use super::configuration::write_configuration;
use super::find::store_root;
use factory_base::ctx::Ctx;
use factory_base::error::{self, bad_input};
use factory_base::fs::Lock;
use factory_base::process;
use factory_base::ui;
use factory_fetch::{Downloader, Http, Job, Locations, Progress, deb};
use factory_model::lock::{self, DebianLock, Origin, Sha256};

/// The lock of the one static program that builds begin with.
const SEED: &str = "seed";
/// The package that has the program, in the locks of this crate.
const PACKAGE: &str = "nix-bin";
/// Where Debian puts libraries on the one platform we build on.
const LIBRARIES: &str = "usr/lib/x86_64-linux-gnu";
/// The dynamic loader of that platform.
const LOADER: &str = "ld-linux-x86-64.so.2";
/// Names under which the one Nix program is called.
const PROGRAMS: [&str; 5] = [
    "nix",
    "nix-store",
    "nix-build",
    "nix-instantiate",
    "nix-collect-garbage",
];
/// Debs downloaded at the same time.
const CONNECTIONS: usize = 8;
/// Takes the lock of a run that unpacks Nix into the cache.
///
/// # Errors
/// As [`Lock::take`].
pub fn lock_bootstrap(ctx: &Ctx) -> Result<Lock> {
    Lock::take(ctx, &ctx.cache.join("provide.lock"))
}

/// The versions of Nix that are locked, and so those the tests run with: `2.26.3`, `2.34.8`.
///
/// # Errors
/// A lock cannot be read.
pub fn tested_versions(ctx: &Ctx) -> Result<Vec<String>> {
    let locks = locks_of_nix(ctx)?.into_iter();
    locks
        .map(|name| {
            let pinned = Pinned::read(ctx, &name)?;
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

/// The locks of a Nix, by the names that `XTASK_NIX` takes: `nix`, and its siblings `nix-…`.
fn locks_of_nix(ctx: &Ctx) -> Result<Vec<String>> {
    let mut names = Vec::new();
    for entry in fs_err::read_dir(ctx.locks().join("debian"))? {
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
pub(super) fn bootstrapped(ctx: &Ctx, name: &str) -> Result<Nix> {
    let known = locks_of_nix(ctx)?;
    if !known.iter().any(|known| known == name) {
        return Err(bad_input(format!(
            "`{}={name}`: no Nix is locked under this name, only {}",
            super::find::NIX_VARIABLE,
            known.join(", ")
        ))
        .into());
    }
    let mut nix = Pinned::read(ctx, name)?;
    nix.packages
        .packages
        .retain(|package| has_needed_files(&package.name));
    let seed = Pinned::read(ctx, SEED)?;
    let root = ctx.cache.join(format!("nix-{}", nix.short_hash));
    let shell_root = ctx.cache.join(format!("seed-{}", seed.short_hash));
    let (bin, busybox) = (root.join("bin"), shell_root.join("busybox"));
    let version = match version_if_whole(&bin, &busybox) {
        Some(version) => version,
        None => bootstrap(ctx, &nix, &root, &seed, &busybox)?,
    };
    let configuration = ctx.cache.join("nix-conf");
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

/// What `nix --version` says; `nix-store` would open the store even for this.
///
/// # Errors
/// It does not run.
pub(super) fn version_of(bin: &Path) -> Result<String> {
    let program = bin.join("nix");
    let shell = Shell::new()?;
    let text = process::capture(cmd!(shell, "{program} --version"))?;
    Ok(text.trim().to_owned())
}

/// One lock file with the hash of its text, which names the unpacked directory.
struct Pinned {
    packages: DebianLock,
    short_hash: String,
}

impl Pinned {
    fn read(ctx: &Ctx, name: &str) -> Result<Self> {
        let path = ctx.locks().join(format!("debian/{name}.toml"));
        let text = fs_err::read_to_string(&path)?;
        let packages = lock::parse(&text)
            .map_err(|source| bad_input(format!("cannot read `{}`: {source}", path.display())))?
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
    ctx: &Ctx,
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
    ctx.ui.step("Unpacking", "Nix");
    unpack_seed(seed_debs, busybox)?;
    unpack_nix(ctx, nix_debs, root)?;
    let version = version_of(&bin).context(
        error::environment(format!(
            "the Nix unpacked at `{}` does not run on this machine",
            root.display()
        ))
        .hint("install Nix 2.26 or newer; it is used when it is on PATH"),
    )?;
    for path in debs {
        fs_err::remove_dir_all(path.parent().context("a deb without a directory")?)?;
    }
    ctx.ui.step(
        "Provided",
        format!("Nix in {}", ui::elapsed(started.elapsed())),
    );
    Ok(version)
}

fn unpack_seed(debs: &[PathBuf], busybox: &Path) -> Result<()> {
    let [deb] = debs else {
        return Err(bad_input("the lock of the seed must have exactly one package").into());
    };
    fs_err::create_dir_all(busybox.parent().context("a seed without a directory")?)?;
    let unfinished = busybox.with_extension("part");
    deb::extract_member(deb, "usr/bin/busybox", &unfinished)?;
    fs_err::rename(&unfinished, busybox)?;
    Ok(())
}

fn unpack_nix(ctx: &Ctx, debs: &[PathBuf], root: &Path) -> Result<()> {
    let unfinished = tempfile::Builder::new()
        .prefix("nix-unfinished-")
        .tempdir_in(&ctx.cache)?;
    factory_fetch::for_each(
        debs,
        std::thread::available_parallelism().map_or(2, Into::into),
        |path| deb::unpack(path, unfinished.path(), &is_needed),
        |_, result| {
            ctx.check_interrupted()?;
            result
        },
    )?;
    make_runnable(unfinished.path(), root)?;
    if root.exists() {
        fs_err::remove_dir_all(root)?;
    }
    fs_err::rename(unfinished.keep(), root)?;
    Ok(())
}

/// The lock is closed under Debian's dependencies; Nix itself loads libraries only, and no
/// shell, no Perl and no account tools.
fn has_needed_files(package: &str) -> bool {
    matches!(package, "nix-bin" | "patchelf" | "zlib1g")
        || package.starts_with("lib") && !package.contains("perl")
}

/// Nix, its libraries and patchelf; documentation and the rest of the system stay packed.
fn is_needed(path: &str) -> bool {
    path.strip_prefix("usr/bin/")
        .is_some_and(|name| name.starts_with("nix") || name == "patchelf")
        || path
            .strip_prefix(LIBRARIES)
            .is_some_and(|rest| !rest.starts_with("/perl") && !rest.starts_with("/gconv"))
        || matches!(path, "lib" | "lib64" | "bin" | "sbin")
}

fn fetch_debs(ctx: &Ctx, locks: &[&DebianLock]) -> Result<Vec<PathBuf>> {
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
                .cache
                .join("downloads")
                .join(package.sha256.to_string())
                .join("package.deb"),
        })
        .collect();
    let http = Http::from_environment()?;
    let locations = Locations::new(ctx, &http, &ctx.root);
    let downloader = Downloader::new(ctx, &http, &locations, &ctx.cache);
    let bytes = jobs.iter().filter_map(|job| job.size).sum();
    ctx.ui.step(
        "Fetching",
        format!("Nix: {} Debian packages ({})", jobs.len(), ui::bytes(bytes)),
    );
    let progress = Progress::new(&ctx.ui, jobs.len(), bytes);
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

/// Sets the ELF interpreter and a forced RPATH of the program to where it will lie. Starting
/// it through the loader instead would not do: Nix re-executes `/proc/self/exe`.
fn make_runnable(unfinished: &Path, root: &Path) -> Result<()> {
    let bin = unfinished.join("bin");
    // A link `bin -> usr/bin` of the base system gives way to our own directory.
    if bin.is_symlink() {
        fs_err::remove_file(&bin)?;
    }
    fs_err::create_dir_all(&bin)?;
    let program = bin.join("nix");
    fs_err::copy(unfinished.join("usr/bin/nix"), &program)?;

    let here = unfinished.join(LIBRARIES);
    let there = root.join(LIBRARIES);
    let (loader_here, loader_there) = (here.join(LOADER), there.join(LOADER));
    let patchelf = unfinished.join("usr/bin/patchelf");
    let rpath = there.to_string_lossy().into_owned();
    let shell = Shell::new()?;
    process::capture(cmd!(
        shell,
        "{loader_here} --library-path {here} {patchelf} --set-interpreter {loader_there} --force-rpath --set-rpath {rpath} {program}"
    ))
    .context("cannot set the library path of the unpacked Nix")?;
    for name in PROGRAMS.iter().filter(|name| **name != "nix") {
        fs_err::os::unix::fs::symlink("nix", bin.join(name))?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ok_libraries_are_needed_and_documents_are_not() {
        assert!(is_needed("usr/bin/nix-store"));
        assert!(is_needed("usr/lib/x86_64-linux-gnu/libcurl.so.4"));
        assert!(!is_needed("usr/lib/x86_64-linux-gnu/perl-base/x.pm"));
        assert!(!is_needed("usr/share/doc/nix/x"));
    }
}
