//! Unpacks Nix from its debs so that it runs anywhere
//! (docs/design/D04-nix-is-provided.md).

use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result};
use xshell::{Shell, cmd};

use super::{Context, Error};
use factory_base::error::Explain as _;
use factory_base::process;

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
pub(super) fn unpack_nix(ctx: &dyn Context, debs: &[PathBuf], root: &Path) -> Result<()> {
    let unfinished = tempfile::Builder::new()
        .prefix("nix-unfinished-")
        .tempdir_in(ctx.cache())?;
    factory_fetch::for_each(
        debs,
        std::thread::available_parallelism().map_or(2, Into::into),
        |path| deb_unpack::unpack(path, unfinished.path(), &is_needed),
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
pub(super) fn has_needed_files(package: &str) -> bool {
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
