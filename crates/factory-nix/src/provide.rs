//! Finds a Nix that is new enough, or unpacks the pinned one into the cache
//! (docs/design/D04-nix-is-provided.md).

use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::time::Instant;

use anyhow::{Context as _, Result};
use xshell::{Shell, cmd};

use super::Nix;
use factory_base::ctx::Ctx;
use factory_base::error::{self, bad_input};
use factory_base::fs::{Lock, write_atomic};
use factory_base::process;
use factory_base::ui;
use factory_fetch::{Downloader, Http, Job, Locations, Progress, deb};
use factory_model::lock::{self, DebianLock, Origin, Sha256};

/// The oldest version that the tests run with.
const OLDEST: (u64, u64) = (2, 26);
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
/// Puts the store elsewhere, for tests and for disks that are not `/nix`.
const STORE_VARIABLE: &str = "XTASK_STORE";
/// Settings of `/etc/nix/nix.conf` that the provided Nix keeps: where to look for built paths.
const INHERITED: [&str; 6] = [
    "substituters",
    "extra-substituters",
    "trusted-public-keys",
    "extra-trusted-public-keys",
    "netrc-file",
    "ssl-cert-file",
];

impl Nix {
    /// The user's Nix when it is 2.26 or newer; else the provided one.
    ///
    /// # Errors
    /// The debs cannot be fetched, or the unpacked program does not run.
    pub fn find_or_provide(ctx: &Ctx) -> Result<Self> {
        if let Some(nix) = Self::on_path(ctx)? {
            return Ok(nix);
        }
        let mut nix = Pinned::read(ctx, "nix.toml")?;
        nix.packages
            .packages
            .retain(|package| has_needed_files(&package.name));
        let seed = Pinned::read(ctx, "seed.toml")?;
        let root = ctx.cache.join(format!("nix-{}", nix.short_hash));
        let shell_root = ctx.cache.join(format!("seed-{}", seed.short_hash));
        let busybox = shell_root.join("busybox");
        if !(busybox.is_file() && runs(&root.join("bin"))) {
            provide(ctx, &nix, &root, &seed, &busybox)?;
        }
        let configuration = ctx.cache.join("nix-conf");
        write_configuration(&configuration.join("nix.conf"), &busybox)?;
        Ok(Self {
            bin: root.join("bin"),
            environment: vec![(
                "NIX_CONF_DIR".to_owned(),
                configuration.to_string_lossy().into_owned(),
            )],
            store_root: store_root(ctx),
        })
    }

    /// The Nix on PATH, when it is new enough.
    ///
    /// # Errors
    /// It is there but does not run.
    pub fn on_path(ctx: &Ctx) -> Result<Option<Self>> {
        let Some(program) = process::find("nix") else {
            return Ok(None);
        };
        let shell = Shell::new()?;
        let text = process::capture(cmd!(shell, "{program} --version"))?;
        if !is_new_enough(&text) {
            ctx.ui.detail(format!(
                "{} is `{}`, older than {}.{}: not used",
                program.display(),
                text.trim(),
                OLDEST.0,
                OLDEST.1
            ));
            return Ok(None);
        }
        let bin = program
            .parent()
            .context("a program without a directory")?
            .to_owned();
        Ok(Some(Self {
            bin,
            environment: Vec::new(),
            store_root: std::env::var_os(STORE_VARIABLE).map(PathBuf::from),
        }))
    }

    /// Where a provided Nix keeps its store on this machine.
    pub fn store_directory(ctx: &Ctx) -> PathBuf {
        store_root(ctx).unwrap_or_else(|| PathBuf::from("/nix"))
    }

    /// What `nix --version` says.
    ///
    /// # Errors
    /// It does not run.
    pub fn version(&self) -> Result<String> {
        let shell = Shell::new()?;
        let program = self.bin.join("nix");
        Ok(process::capture(cmd!(shell, "{program} --version"))?
            .trim()
            .to_owned())
    }
}

/// One lock file with the hash of its text, which names the unpacked directory.
struct Pinned {
    packages: DebianLock,
    short_hash: String,
}

impl Pinned {
    fn read(ctx: &Ctx, file: &str) -> Result<Self> {
        let path = ctx.locks().join("debian").join(file);
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

/// `nix (Nix) 2.26.3`; Lix counts its own versions and has no relative path inputs.
fn is_new_enough(version_text: &str) -> bool {
    if version_text.contains("Lix") {
        return false;
    }
    let Some(last) = version_text.split_whitespace().last() else {
        return false;
    };
    let mut numbers = last
        .split(|character: char| !character.is_ascii_digit())
        .map(str::parse::<u64>);
    match (numbers.next(), numbers.next()) {
        (Some(Ok(major)), Some(Ok(minor))) => (major, minor) >= OLDEST,
        _ => false,
    }
}

/// Starts the program; `nix-store` would open the store even for this.
fn try_run(bin: &Path) -> Result<()> {
    let program = bin.join("nix");
    let shell = Shell::new()?;
    process::capture(cmd!(shell, "{program} --version")).map(drop)
}

/// A directory that a power cut left half-written does not count.
fn runs(bin: &Path) -> bool {
    bin.join("nix-store").exists() && try_run(bin).is_ok()
}

/// As root, or with a store that this user may write or ask a daemon for: `/nix`.
/// Otherwise a store of the user's own, in which builds see `/nix/store` all the same.
fn store_root(ctx: &Ctx) -> Option<PathBuf> {
    if let Some(path) = std::env::var_os(STORE_VARIABLE) {
        return Some(PathBuf::from(path));
    }
    let daemon = Path::new("/nix/var/nix/daemon-socket/socket").exists();
    (!daemon && !may_write_nix()).then(|| ctx.data.join("store"))
}

/// Tried rather than computed: user, groups, read-only mounts and ACLs all count.
fn may_write_nix() -> bool {
    let is_writable = |directory: &Path| tempfile::tempfile_in(directory).is_ok();
    if Path::new("/nix/store").is_dir() {
        is_writable(Path::new("/nix/store")) && is_writable(Path::new("/nix/var/nix/db"))
    } else if Path::new("/nix").is_dir() {
        is_writable(Path::new("/nix"))
    } else {
        is_writable(Path::new("/"))
    }
}

fn provide(ctx: &Ctx, nix: &Pinned, root: &Path, seed: &Pinned, busybox: &Path) -> Result<()> {
    let started = Instant::now();
    let _lock = Lock::take(ctx, &ctx.cache.join("provide.lock"))?;
    if busybox.is_file() && runs(&root.join("bin")) {
        return Ok(());
    }
    let debs = fetch_debs(ctx, &[&nix.packages, &seed.packages])?;
    let (nix_debs, seed_debs) = debs.split_at(nix.packages.packages.len());
    ctx.ui.step("Unpacking", "Nix");

    fs_err::create_dir_all(busybox.parent().context("a seed without a directory")?)?;
    let unfinished = busybox.with_extension("part");
    let [seed_deb] = seed_debs else {
        return Err(bad_input("the lock of the seed must have exactly one package").into());
    };
    deb::extract_member(seed_deb, "usr/bin/busybox", &unfinished)?;
    fs_err::rename(&unfinished, busybox)?;

    let unfinished = tempfile::Builder::new()
        .prefix("nix-unfinished-")
        .tempdir_in(&ctx.cache)?;
    factory_fetch::for_each(
        nix_debs,
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
    try_run(&root.join("bin")).context(
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

/// The configuration of the provided Nix. A file of the user's own
/// (`~/.config/nix/nix.conf`) is read by Nix after it, and wins.
fn write_configuration(path: &Path, busybox: &Path) -> Result<()> {
    let mut text = format!(
        "# Written by `cargo xtask`.\n\
         experimental-features = nix-command flakes\n\
         build-users-group =\n\
         sandbox = true\n\
         sandbox-fallback = false\n\
         sandbox-paths = /bin/sh={}\n\
         substituters =\n\
         flake-registry =\n\
         max-jobs = auto\n\
         cores = 0\n\
         warn-dirty = false\n\
         auto-optimise-store = false\n",
        busybox.display()
    );
    let system = Path::new("/etc/nix/nix.conf");
    if system.is_file() {
        for line in inherited(&fs_err::read_to_string(system)?) {
            writeln!(text, "{line}")?;
        }
    }
    let is_same = fs_err::read_to_string(path).is_ok_and(|old| old == text);
    if !is_same {
        write_atomic(path, text.as_bytes())?;
    }
    Ok(())
}

fn inherited(system: &str) -> Vec<&str> {
    system
        .lines()
        .filter(|line| {
            line.split_once('=')
                .is_some_and(|(name, _)| INHERITED.contains(&name.trim()))
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ok_versions() {
        assert!(is_new_enough("nix (Nix) 2.26.3\n"));
        assert!(is_new_enough("nix (Nix) 3.0"));
        assert!(is_new_enough("nix (Nix) 2.32.0pre20250919_3b7f6a3\n"));
        assert!(is_new_enough("nix (Determinate Nix 3.11.2) 2.31.1"));
        assert!(!is_new_enough("nix (Nix) 2.8.0"));
        assert!(!is_new_enough("nix (Lix, like Nix) 2.93.3"));
        assert!(!is_new_enough("what"));
    }

    #[test]
    fn ok_only_substituters_are_inherited() {
        assert_eq!(
            inherited(
                "# x\nsandbox = false\nsubstituters = https://cache.test\nbuild-users-group = nixbld\ntrusted-public-keys = a:b\n"
            ),
            [
                "substituters = https://cache.test",
                "trusted-public-keys = a:b"
            ]
        );
    }

    #[test]
    fn ok_libraries_are_needed_and_documents_are_not() {
        assert!(is_needed("usr/bin/nix-store"));
        assert!(is_needed("usr/lib/x86_64-linux-gnu/libcurl.so.4"));
        assert!(!is_needed("usr/lib/x86_64-linux-gnu/perl-base/x.pm"));
        assert!(!is_needed("usr/share/doc/nix/x"));
    }
}
