//! An earlier revision of the checkout, in a clone of its own that is removed with it.

use std::path::{Path, PathBuf};

use anyhow::Result;
use serde::de::DeserializeOwned;
use xshell::{Shell, cmd};

use crate::ctx::Ctx;
use crate::select::Variant;
use factory_base::{error, process};
use factory_model::lock::{self, DebianLock, Diff, Entry, PythonLock, SourcesLock};
use factory_model::system::System;

/// A clone at one revision.
#[derive(Debug)]
pub(crate) struct Revision {
    /// All digits.
    pub(crate) commit: String,
    directory: tempfile::TempDir,
}

/// The commit that a word names; `None` when it names none.
pub(crate) fn commit(ctx: &Ctx, word: &str) -> Result<Option<String>> {
    let shell = Shell::new()?;
    shell.change_dir(&ctx.root);
    let commit = format!("{word}^{{commit}}");
    let asked = process::capture(cmd!(
        shell,
        "git rev-parse --verify --quiet --end-of-options {commit}"
    ));
    Ok(asked.ok().map(|text| text.trim().to_owned()))
}

impl Revision {
    /// Clones the checkout at a commit. It shares the objects of the original, so this costs the
    /// files only; and it is a repository of its own, so that Nix takes it for nothing else.
    ///
    /// # Errors
    /// git fails.
    pub(crate) fn check_out(ctx: &Ctx, commit: String) -> Result<Self> {
        let directory = tempfile::Builder::new().prefix("revision-").tempdir()?;
        let (root, at) = (&ctx.root, directory.path());
        let shell = Shell::new()?;
        // Neither the user's hooks nor templates belong into it.
        process::capture(cmd!(
            shell,
            "git clone --quiet --shared --no-checkout --template= {root} {at}"
        ))?;
        shell.change_dir(at);
        process::capture(cmd!(
            shell,
            "git -c core.hooksPath=/dev/null -c advice.detachedHead=false checkout --quiet --detach {commit}"
        ))?;
        Ok(Self { commit, directory })
    }

    /// The root of the clone.
    pub(crate) fn root(&self) -> &Path {
        self.directory.path()
    }

    /// How the locks of a variant differ from those of this revision.
    ///
    /// # Errors
    /// A lock cannot be read.
    pub(crate) fn lock_diffs(&self, ctx: &Ctx, variant: &Variant) -> Result<Vec<Diff>> {
        let (old, new) = (Locks::of(self.root()), Locks::of(&ctx.root));
        let system = &variant.system;
        let mut names = new.names(system)?;
        names.extend(old.names(system)?);
        names.extend([
            "python/build".to_owned(),
            system.lock_name(&format!("python/{}", variant.name)),
            "sources".to_owned(),
        ]);
        names.sort();
        names.dedup();
        let mut diffs = Vec::new();
        for name in names {
            let (was, now) = (old.entries(&name)?, new.entries(&name)?);
            if was.is_some() || now.is_some() {
                diffs.push(lock::diff(&name, was.as_deref(), &now.unwrap_or_default()));
            }
        }
        diffs.retain(|diff| !diff.is_empty());
        Ok(diffs)
    }
}

/// The locks of a checkout.
struct Locks {
    directory: PathBuf,
}

impl Locks {
    fn of(root: &Path) -> Self {
        Self {
            directory: root.join("package-lists/locks"),
        }
    }

    /// Those of a system's Debian roots; there is one for each.
    fn names(&self, system: &System) -> Result<Vec<String>> {
        let directory = system.below(&self.directory).join("debian");
        let mut names = Vec::new();
        if directory.is_dir() {
            for entry in fs_err::read_dir(directory)? {
                let name = entry?.file_name();
                let name = name.to_str().and_then(|name| name.strip_suffix(".toml"));
                names.extend(name.map(|name| system.lock_name(&format!("debian/{name}"))));
            }
        }
        Ok(names)
    }

    fn entries(&self, name: &str) -> Result<Option<Vec<Entry>>> {
        match name.rsplit('/').nth(1) {
            Some("debian") => self.read(name, DebianLock::entries),
            Some("python") => self.read(name, PythonLock::entries),
            _ => self.read(name, SourcesLock::entries),
        }
    }

    fn read<T: DeserializeOwned>(
        &self,
        name: &str,
        entries: impl Fn(&T) -> Vec<Entry>,
    ) -> Result<Option<Vec<Entry>>> {
        let file = self.directory.join(format!("{name}.toml"));
        if !file.exists() {
            return Ok(None);
        }
        let text = fs_err::read_to_string(&file)?;
        let sealed = lock::parse::<T>(&text).map_err(|source| {
            error::bad_input(format!("cannot read `{}`: {source}", file.display()))
        })?;
        Ok(Some(entries(&sealed.lock)))
    }
}
