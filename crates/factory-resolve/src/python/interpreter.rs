//! An interpreter of the image's kind, for uv to ask about tags and markers.
//!
//! uv cannot be told to resolve for a free-threaded interpreter that is not there. The image's
//! own is taken where the store has it, else one from where uv finds or installs them, else
//! CPython is built once from the pinned tarball into the cache.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};
use std::time::Instant;

use anyhow::Result;
use xshell::{Shell, cmd};

use super::error::Error;
use super::sources;
use super::stored;
use super::uv::Uv;
use super::wheel::Abi;
use crate::context::Context;
use crate::fetch;
use factory_base::error::Explain as _;
use factory_base::process;
use factory_fetch::Job;
use factory_model::lock::Tarball;

/// The interpreters of one run: each is looked for and made once, by whoever asks first, and the
/// others wait for it.
#[derive(Debug, Default)]
pub(super) struct Interpreters {
    /// With this ABI, or any with the GIL in place of it.
    known: Mutex<BTreeMap<(Abi, bool), PathBuf>>,
}

impl Interpreters {
    /// Finds or makes an interpreter with this ABI; `store` is where Nix keeps store paths.
    ///
    /// # Errors
    /// None is there, and none can be made.
    pub fn provide(&self, ctx: &dyn Context, uv: &Uv, store: &Path, abi: Abi) -> Result<PathBuf> {
        self.once((abi, false), || provide(ctx, uv, store, abi))
    }

    /// An interpreter that has the GIL, for uv to ask for another version's files: any there is
    /// will do, as only tags count, which follow from the version.
    ///
    /// # Errors
    /// None is there, and none can be made.
    pub fn with_gil(&self, ctx: &dyn Context, uv: &Uv, store: &Path, abi: Abi) -> Result<PathBuf> {
        self.once((abi, true), || match uv.find_python("cpython@3+gil") {
            Some(found) => Ok(found),
            None => provide(ctx, uv, store, abi),
        })
    }

    fn once(&self, key: (Abi, bool), find: impl FnOnce() -> Result<PathBuf>) -> Result<PathBuf> {
        let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(found) = known.get(&key) {
            return Ok(found.clone());
        }
        let found = find()?;
        known.insert(key, found.clone());
        Ok(found)
    }
}

fn provide(ctx: &dyn Context, uv: &Uv, store: &Path, abi: Abi) -> Result<PathBuf> {
    let tarball = sources::read(ctx)?
        .tarball
        .remove("cpython")
        .ok_or_else(|| Error::NoCpython.failure())?;
    let suffix = if abi.free_threaded { "t" } else { "" };
    let systems = crate::checkout::systems(ctx)?;
    // On a machine that no image is for, the store has none.
    if let Some(own) = systems.own()
        && let Some(found) = stored::find(ctx, own, store, &tarball.version, abi)?
    {
        return Ok(found);
    }
    let directory = ctx
        .cache()
        .join(format!("cpython-{}{suffix}", tarball.version));
    let program = directory.join(format!("bin/python3.{}{suffix}", abi.minor));
    if directory.join(".complete").exists() {
        return Ok(program);
    }
    let request = format!(
        "cpython@3.{}{}",
        abi.minor,
        if abi.free_threaded {
            "+freethreaded"
        } else {
            "+gil"
        }
    );
    if let Some(found) = uv.find_python(&request) {
        ctx.detail(&format!("resolving with {}", found.display()));
        return Ok(found);
    }
    match uv.install_python(ctx, &request) {
        Ok(installed) => Ok(installed),
        Err(error) => {
            ctx.detail(&format!(
                "uv cannot install {request} ({error:#}); building it"
            ));
            build(ctx, &tarball, abi, &directory)?;
            Ok(program)
        }
    }
}

fn build(ctx: &dyn Context, tarball: &Tarball, abi: Abi, directory: &Path) -> Result<()> {
    let started = Instant::now();
    ctx.step(
        "Building",
        &format!(
            "CPython {} ({abi}), once, to resolve for it; takes minutes",
            tarball.version
        ),
    );
    for program in ["cc", "make", "tar", "xz"] {
        if process::find(program).is_none() {
            return Err(Error::NoBuildProgram { abi, program }.failure().into());
        }
    }
    let archive = ctx.cache().join(&tarball.file);
    let job = Job {
        name: tarball.file.clone(),
        origins: tarball.origins.clone(),
        sha256: tarball.sha256,
        size: Some(tarball.size),
        destination: archive.clone(),
    };
    fetch::file(ctx, &job)?;
    fs_err::create_dir_all(ctx.cache())?;
    let work = tempfile::tempdir_in(ctx.cache())?;
    let sh = Shell::new()?;
    let target = work.path();
    process::capture(cmd!(
        sh,
        "tar -x -f {archive} -C {target} --strip-components=1"
    ))?;
    sh.change_dir(target);
    let gil = if abi.free_threaded {
        "--disable-gil"
    } else {
        "--enable-gil"
    };
    let jobs = std::thread::available_parallelism()
        .map_or(1, std::num::NonZero::get)
        .to_string();
    process::capture(cmd!(
        sh,
        "./configure --prefix={directory} --without-ensurepip --quiet {gil}"
    ))?;
    ctx.check_interrupted()?;
    process::capture(cmd!(sh, "make --silent -j {jobs}"))?;
    ctx.check_interrupted()?;
    process::capture(cmd!(sh, "make --silent install"))?;
    factory_base::fs::write_atomic(&directory.join(".complete"), b"")?;
    ctx.step(
        "Built",
        &format!(
            "{abi} in {}",
            factory_base::text::elapsed(started.elapsed())
        ),
    );
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::atomic::{AtomicUsize, Ordering};

    #[test]
    fn ok_made_once_for_all_who_ask() {
        let abi: Abi = "cp314t".parse().unwrap();
        let (interpreters, n_made) = (Interpreters::default(), AtomicUsize::new(0));
        let ask = |is_any| {
            interpreters.once((abi, is_any), || {
                std::thread::sleep(std::time::Duration::from_millis(20));
                let number = n_made.fetch_add(1, Ordering::SeqCst);
                Ok(PathBuf::from(format!("python{number}")))
            })
        };
        std::thread::scope(|scope| {
            let threads = [(); 4].map(|()| scope.spawn(|| ask(false).unwrap()));
            for thread in threads {
                assert_eq!(thread.join().unwrap(), Path::new("python0"));
            }
        });
        assert_eq!(ask(true).unwrap(), Path::new("python1"));
        // What could not be made is tried again.
        let other: Abi = "cp314".parse().unwrap();
        let failed = interpreters.once((other, false), || Err(anyhow::anyhow!("no compiler")));
        assert!(failed.is_err());
        let made = interpreters.once((other, false), || Ok(PathBuf::from("python")));
        assert_eq!(made.unwrap(), Path::new("python"));
    }
}
