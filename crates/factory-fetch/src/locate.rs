//! From what a lock says (registry and file) to where this machine can get it.

use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};

use anyhow::{Context as _, Result};
use xshell::Shell;

use super::apt::Mirrors;
use super::context::Context;
use super::error::Error;
use super::http::{Candidate, Http};
use super::pypi::Indexes;
use factory_base::error::Explain as _;
use factory_base::process;
use factory_model::lock::{Origin, Sha256};

/// The registries as this user's clients are set up; each is read when first needed.
#[derive(Debug)]
pub struct Locations<'a> {
    ctx: &'a dyn Context,
    http: &'a Http,
    /// Its `Cargo.lock` says which crates there are.
    checkout: &'a Path,
    mirrors: Lazy<Mirrors>,
    indexes: Lazy<Indexes>,
    cargo_fetched: Mutex<bool>,
}

impl<'a> Locations<'a> {
    /// Reads nothing yet.
    pub fn new(ctx: &'a dyn Context, http: &'a Http, checkout: &'a Path) -> Self {
        Self {
            ctx,
            http,
            checkout,
            mirrors: Lazy::default(),
            indexes: Lazy::default(),
            cargo_fetched: Mutex::new(false),
        }
    }

    /// The same, with these mirrors in place of the machine's.
    pub fn with_mirrors(self, mirrors: Mirrors) -> Self {
        Self {
            mirrors: Lazy(Mutex::new(Some(Arc::new(mirrors)))),
            ..self
        }
    }

    /// Where a file may be, best first.
    ///
    /// # Errors
    /// The registry's client is missing, or the registry does not answer or lacks the file.
    pub fn candidates(&self, origin: &Origin, sha256: &Sha256) -> Result<Vec<Candidate>> {
        match origin {
            Origin::Debian {
                archive,
                path,
                snapshot,
            } => Ok(self
                .mirrors
                .get(Mirrors::of_machine)?
                .candidates(archive, path, snapshot)),
            Origin::Pypi { project, file } => self
                .indexes
                .get(|| Indexes::of_user(self.ctx))?
                .locate(self.ctx, self.http, project, file, sha256),
            Origin::Crates { name, version } => {
                Ok(vec![Candidate::File(self.crate_file(name, version)?)])
            }
            Origin::Url { url } => Ok(vec![Candidate::url(url)]),
            Origin::Git { .. } | Origin::DebMember { .. } => {
                let origin = format!("{origin:?}");
                Err(Error::NotAFile { origin }.failure().into())
            }
        }
    }

    /// The crate in cargo's registry cache; cargo itself brings it there.
    fn crate_file(&self, name: &str, version: &str) -> Result<PathBuf> {
        let home = std::env::var_os("CARGO_HOME")
            .map(PathBuf::from)
            .or_else(|| std::env::var_os("HOME").map(|home| PathBuf::from(home).join(".cargo")))
            .ok_or_else(|| Error::NoCargoHome.failure())?;
        let file = format!("{name}-{version}.crate");
        let mut fetched = self
            .cargo_fetched
            .lock()
            .map_err(|_| anyhow::anyhow!("another download panicked"))?;
        if let Some(found) = in_registry_cache(&home, &file)? {
            return Ok(found);
        }
        if !*fetched {
            let shell = Shell::new()?;
            shell.change_dir(self.checkout);
            let mut arguments = vec!["fetch", "--locked"];
            if self.ctx.is_offline() {
                arguments.push("--offline");
            }
            process::capture(shell.cmd("cargo").args(arguments))
                .context("cannot let cargo fetch its crates")?;
            *fetched = true;
        }
        let found = in_registry_cache(&home, &file)?;
        Ok(found.ok_or_else(|| Error::NoCrate { file }.failure())?)
    }
}

fn in_registry_cache(cargo_home: &Path, file: &str) -> Result<Option<PathBuf>> {
    let cache = cargo_home.join("registry/cache");
    if !cache.is_dir() {
        return Ok(None);
    }
    for registry in fs_err::read_dir(cache)? {
        let found = registry?.path().join(file);
        if found.is_file() {
            return Ok(Some(found));
        }
    }
    Ok(None)
}

/// A value made by the first thread that needs it; a failure is tried again by the next.
#[derive(Debug)]
struct Lazy<T>(Mutex<Option<Arc<T>>>);

impl<T> Default for Lazy<T> {
    fn default() -> Self {
        Self(Mutex::new(None))
    }
}

impl<T> Lazy<T> {
    fn get(&self, make: impl FnOnce() -> Result<T>) -> Result<Arc<T>> {
        let mut slot = self
            .0
            .lock()
            .map_err(|_| anyhow::anyhow!("another download panicked"))?;
        if let Some(value) = &*slot {
            return Ok(Arc::clone(value));
        }
        let value = Arc::new(make()?);
        *slot = Some(Arc::clone(&value));
        Ok(value)
    }
}
