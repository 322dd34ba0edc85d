//! The image's own interpreter, from the store.
//!
//! The machine's C library may be older than what it was linked with, so the loader of a Debian
//! root of the store starts it, as it does for byte code (docs/design/D27-byte-code.md).

use std::collections::BTreeSet;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};

use anyhow::Result;
use xshell::{Shell, cmd};

use super::wheel::Abi;
use crate::context::Context;
use factory_base::process;
use factory_model::system::System;

/// The small Debian root that each build of a layer needs.
const ROOT: &str = "debian-build-python";
/// Prints the interpreter's ABI tag.
const ABI: &str =
    "import sys; print(f'cp{sys.version_info[0]}{sys.version_info[1]}{sys.abiflags}')";

/// A virtual environment in the cache whose interpreter starts the store's CPython of this
/// version, if it is there; `system` is that of this machine.
///
/// # Errors
/// The store or the cache cannot be read or written.
pub(super) fn find(
    ctx: &dyn Context,
    system: &System,
    store: &Path,
    version: &str,
    abi: Abi,
) -> Result<Option<PathBuf>> {
    let suffix = if abi.free_threaded { "t" } else { "" };
    let cpython = format!("cpython-{version}{suffix}");
    let paths = paths(store, [&cpython, ROOT])?;
    let directory = ctx.cache().join(format!("{cpython}-of-store"));
    let name = format!("python3.{}{suffix}", abi.minor);
    let program = directory.join("bin").join(&name);
    let [interpreters, roots] = &paths;
    let pairs = interpreters
        .iter()
        .flat_map(|interpreter| roots.iter().map(move |root| (interpreter, root)));
    let pairs: Vec<(PathBuf, String)> = pairs
        .map(|(interpreter, root)| {
            let home = interpreter.join("root/usr/local/bin");
            let libraries = root.join("root/usr/lib").join(system.triplet());
            let text = starter(&home.join(&name), &libraries, &system.loader, &program);
            (home, text)
        })
        .collect();
    // One that was tried before.
    let known = fs_err::read_to_string(&program).unwrap_or_default();
    if pairs.iter().any(|(_, text)| *text == known) {
        return Ok(Some(program));
    }
    for (home, text) in pairs {
        if directory.exists() {
            fs_err::remove_dir_all(&directory)?;
        }
        fs_err::create_dir_all(directory.join("bin"))?;
        let settings = format!("home = {}\n", home.display());
        fs_err::write(directory.join("pyvenv.cfg"), settings)?;
        let trial = directory.join("bin/trial");
        fs_err::write(&trial, text)?;
        fs_err::set_permissions(&trial, std::fs::Permissions::from_mode(0o755))?;
        let sh = Shell::new()?;
        let said = process::capture(cmd!(sh, "{trial} -I -c {ABI}"));
        if said.is_ok_and(|said| said.trim() == abi.to_string()) {
            fs_err::rename(&trial, &program)?;
            ctx.detail(&format!("resolving with {cpython} of the store"));
            return Ok(Some(program));
        }
    }
    Ok(None)
}

/// The store paths with each of some names, in order.
fn paths<const N: usize>(store: &Path, names: [&str; N]) -> Result<[BTreeSet<PathBuf>; N]> {
    let mut found = [const { BTreeSet::new() }; N];
    if !store.is_dir() {
        return Ok(found);
    }
    for entry in fs_err::read_dir(store)? {
        let entry = entry?;
        let file_name = entry.file_name();
        // `HASH-NAME`.
        let Some((_, name)) = file_name.to_str().and_then(|name| name.split_once('-')) else {
            continue;
        };
        for (wanted, found) in names.iter().zip(&mut found) {
            if name == *wanted {
                found.insert(entry.path());
            }
        }
    }
    Ok(found)
}

/// A shell script that starts an interpreter with the libraries of a root, as `program` of a
/// virtual environment: uv keeps what an interpreter says of itself only where that has the name
/// it was started by. It writes no byte code (`-B`; `-I` ignores the variable for it), which
/// would go into the store.
fn starter(python: &Path, libraries: &Path, loader: &str, program: &Path) -> String {
    let (python, libraries) = (python.display(), libraries.display());
    format!(
        "#!/bin/sh\nexec '{libraries}/{loader}' --library-path '{libraries}' --argv0 '{}' '{python}' -B \"$@\"\n",
        program.display()
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::context::quiet::Quiet;
    use factory_model::system::Systems;

    /// Adds a store path with an interpreter that says this ABI, or with a loader that starts
    /// any program.
    fn add(store: &Path, name: &str, file: &str, script: &str) {
        let file = store.join(name).join(file);
        fs_err::create_dir_all(file.parent().unwrap()).unwrap();
        fs_err::write(&file, script).unwrap();
        fs_err::set_permissions(&file, std::fs::Permissions::from_mode(0o755)).unwrap();
    }

    const PYTHON: &str = "root/usr/local/bin/python3.14t";
    const LOADER: &str = "root/usr/lib/aarch64-linux-gnu/ld-linux-aarch64.so.1";
    const SYSTEMS: &str = "\
schema_version = 1
default = 'aarch64-linux'
[system.aarch64-linux]
debian = 'arm64'
oci = 'arm64'
loader = 'ld-linux-aarch64.so.1'
";

    #[test]
    fn ok_the_interpreter_of_the_store() {
        let directory = tempfile::tempdir().unwrap();
        let (store, ctx) = (
            directory.path().join("store"),
            Quiet(directory.path().join("c")),
        );
        let abi: Abi = "cp314t".parse().unwrap();
        let systems = Systems::parse(SYSTEMS).unwrap();
        let find = || find(&ctx, systems.default(), &store, "3.14.5", abi).unwrap();
        assert_eq!(find(), None);
        // Its name fits, what it says does not.
        add(
            &store,
            "a-cpython-3.14.5t",
            PYTHON,
            "#!/bin/sh\necho cp313\n",
        );
        add(
            &store,
            "a-cpython-3.14.5",
            PYTHON,
            "#!/bin/sh\necho cp314t\n",
        );
        add(
            &store,
            "a-cpython-3.14.4t",
            PYTHON,
            "#!/bin/sh\necho cp314t\n",
        );
        assert_eq!(find(), None);
        add(
            &store,
            "r-debian-build-python",
            LOADER,
            "#!/bin/sh\nshift 4\n[ \"$2\" = -B ] || exit 1\nexec \"$@\"\n",
        );
        assert_eq!(find(), None);
        add(
            &store,
            "b-cpython-3.14.5t",
            PYTHON,
            "#!/bin/sh\necho cp314t\n",
        );
        let found = find().unwrap();
        let text = fs_err::read_to_string(&found).unwrap();
        assert!(text.contains("b-cpython-3.14.5t/root"), "{text}");
        assert_eq!(find(), Some(found.clone()));
        // What is gone is not started any more.
        fs_err::remove_dir_all(store.join("b-cpython-3.14.5t")).unwrap();
        assert_eq!(find(), None);
    }
}
