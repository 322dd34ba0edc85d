//! Unpacks Nix from its debs so that it runs anywhere
//! (docs/design/D04-nix-is-provided.md).

use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result};
use xshell::{Shell, cmd};

use super::{Context, Error};
use factory_base::error::Explain as _;
use factory_base::process;
use factory_model::system::System;

/// Names under which the one Nix program is called.
const PROGRAMS: [&str; 5] = [
    "nix",
    "nix-store",
    "nix-build",
    "nix-instantiate",
    "nix-collect-garbage",
];

/// The one program of the seed.
pub(super) fn unpack_seed(debs: &[PathBuf], busybox: &Path) -> Result<()> {
    let [deb] = debs else {
        return Err(Error::BadSeed.failure().into());
    };
    fs_err::create_dir_all(busybox.parent().context("a seed without a directory")?)?;
    let unfinished = busybox.with_extension("part");
    deb_unpack::extract_member(deb, "usr/bin/busybox", &unfinished)?;
    fs_err::rename(&unfinished, busybox)?;
    Ok(())
}

/// Everything that Nix needs, in a directory that has its name only when it is whole.
pub(super) fn unpack_nix(
    ctx: &dyn Context,
    system: &System,
    debs: &[PathBuf],
    root: &Path,
) -> Result<()> {
    let libraries = libraries(system);
    let unfinished = tempfile::Builder::new()
        .prefix("nix-unfinished-")
        .tempdir_in(ctx.cache())?;
    factory_fetch::for_each(
        debs,
        std::thread::available_parallelism().map_or(2, Into::into),
        |path| {
            let is_needed = |path: &str| is_needed(&libraries, path);
            deb_unpack::unpack(path, unfinished.path(), &is_needed)
        },
        |_, result| {
            ctx.check_interrupted()?;
            result
        },
    )?;
    make_runnable(system, unfinished.path(), root)?;
    if root.exists() {
        fs_err::remove_dir_all(root)?;
    }
    fs_err::rename(unfinished.keep(), root)?;
    Ok(())
}

/// The lock is closed under Debian's dependencies; Nix itself loads libraries only, and no
/// shell, no Perl and no account tools.
pub(super) fn has_needed_files(package: &str) -> bool {
    matches!(package, "nix-bin" | "patchelf" | "zlib1g")
        || package.starts_with("lib") && !package.contains("perl")
}

/// Where Debian puts libraries.
fn libraries(system: &System) -> String {
    format!("usr/lib/{}", system.triplet())
}

/// Nix, its libraries and patchelf; documentation and the rest of the system stay packed.
fn is_needed(libraries: &str, path: &str) -> bool {
    path.strip_prefix("usr/bin/")
        .is_some_and(|name| name.starts_with("nix") || name == "patchelf")
        || path
            .strip_prefix(libraries)
            .is_some_and(|rest| !rest.starts_with("/perl") && !rest.starts_with("/gconv"))
        || matches!(path, "lib" | "lib64" | "bin" | "sbin")
}

/// Sets the ELF interpreter and a forced RPATH of the program to where it will lie. Starting
/// it through the loader instead would not do: Nix re-executes `/proc/self/exe`.
fn make_runnable(system: &System, unfinished: &Path, root: &Path) -> Result<()> {
    let libraries = libraries(system);
    let bin = unfinished.join("bin");
    // A link `bin -> usr/bin` of the base system gives way to our own directory.
    if bin.is_symlink() {
        fs_err::remove_file(&bin)?;
    }
    fs_err::create_dir_all(&bin)?;
    let program = bin.join("nix");
    fs_err::copy(unfinished.join("usr/bin/nix"), &program)?;

    let here = unfinished.join(&libraries);
    let there = root.join(&libraries);
    let (loader_here, loader_there) = (here.join(&system.loader), there.join(&system.loader));
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

    const LIBRARIES: &str = "usr/lib/x86_64-linux-gnu";

    #[test]
    fn ok_libraries_are_needed_and_documents_are_not() {
        assert!(is_needed(LIBRARIES, "usr/bin/nix-store"));
        assert!(is_needed(
            LIBRARIES,
            "usr/lib/x86_64-linux-gnu/libcurl.so.4"
        ));
        assert!(!is_needed(
            LIBRARIES,
            "usr/lib/x86_64-linux-gnu/perl-base/x.pm"
        ));
        assert!(!is_needed(LIBRARIES, "usr/share/doc/nix/x"));
    }
}
