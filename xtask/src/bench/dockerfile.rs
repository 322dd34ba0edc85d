//! The peers: a Dockerfile on the image of layer 03 that installs the same pins from the same
//! files, one step for each list, with pip or with uv.

use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result};
use factory_base::error;
use factory_model::lock::{self, DistributionKind, PythonLock, PythonPackage};
use factory_nix::Graph;
use factory_resolve::python::{Target, WheelFilename};
use xshell::{Cmd, Shell};

use super::ground::Ground;
use super::podman::Podman;

/// The first layer that is compared; those below are the base of both.
pub(super) const FIRST: &str = "04";
/// The layer that one wheel is added to.
pub(super) const EDITED: &str = "08-pak7";
/// The runner script whose comment changes, from the checkout's root.
pub(super) const SCRIPT: &str = "layers/11-app/root/runner-scripts/entrypoint.sh";

/// Who installs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Installer {
    /// `python3 -m pip install`.
    Pip,
    /// `uv pip install`.
    Uv,
    /// `uv pip install --compile-bytecode`.
    UvByteCode,
}

impl Installer {
    /// As a table calls it.
    pub(crate) fn by(self) -> &'static str {
        match self {
            Self::Pip => "Dockerfile + pip",
            Self::Uv => "Dockerfile + uv",
            Self::UvByteCode => "Dockerfile + uv --compile-bytecode",
        }
    }

    fn name(self) -> &'static str {
        match self {
            Self::Pip => "pip",
            Self::Uv => "uv",
            Self::UvByteCode => "uv-byte-code",
        }
    }

    /// What installs a list. Nothing comes from an index, and nothing is kept for a next time.
    fn install(self) -> &'static str {
        match self {
            Self::Pip => {
                "python3 -m pip install --no-cache-dir --no-compile --no-deps --no-index --find-links /wheels --root-user-action ignore -r"
            }
            Self::Uv => {
                "/uv/uv pip install --system --break-system-packages --no-cache --no-deps --no-index --find-links /wheels -r"
            }
            Self::UvByteCode => {
                "/uv/uv pip install --system --break-system-packages --no-cache --compile-bytecode --no-deps --no-index --find-links /wheels -r"
            }
        }
    }
}

/// What Dockerfiles are built from.
#[derive(Debug)]
pub(crate) struct Images {
    /// Contexts are made below it.
    directory: PathBuf,
    base: String,
    script: String,
    wheels: PathBuf,
    uv: PathBuf,
    lock: PythonLock,
    /// As wheels call it.
    machine: String,
}

impl Images {
    /// The wheels of the lock, under the names that installers want.
    ///
    /// # Errors
    /// One is not in the store.
    pub(super) fn new(ground: &Ground<'_>, podman: &Podman) -> Result<Self> {
        let name = &ground.wishes.variant.name;
        let file = ground.ctx.locks().join(format!("python/{name}.toml"));
        let text = fs_err::read_to_string(&file)?;
        let lock = lock::parse::<PythonLock>(&text).map_err(|source| {
            error::bad_input(format!("cannot read `{}`: {source}", file.display()))
        })?;
        let images = Self {
            directory: ground.scratch.path().to_owned(),
            base: podman.base.clone(),
            script: fs_err::read_to_string(ground.ctx.root.join(SCRIPT))?,
            wheels: ground.scratch.empty("wheels")?,
            uv: ground.scratch.empty("uv")?,
            lock: lock.lock,
            machine: ground.wishes.variant.system.machine().to_owned(),
        };
        let graph = ground.graph()?;
        for package in images.packages() {
            images.add_wheel(ground, &graph, &package.file)?;
        }
        let uv = images.lock.packages.iter().find(|one| one.name == "uv");
        let uv = uv.context("the lock has no uv")?;
        let tree = format!("uv-{}", uv.version);
        let tree = out_path(&graph, &tree, false).context("no derivation makes uv")?;
        let program = ground.factory()?.nix.physical(&tree);
        bring(
            &program.join("root/usr/local/bin/uv"),
            &images.uv.join("uv"),
        )?;
        Ok(images)
    }

    /// What is installed: the wheels of all layers that are compared, but those whose ABI tag an
    /// installer refuses and a `wheel_for` of ours takes.
    pub(super) fn packages(&self) -> impl Iterator<Item = &PythonPackage> {
        let wheels = self.lock.packages.iter();
        wheels.filter(|one| {
            one.layer.as_str() >= FIRST
                && one.kind == DistributionKind::Wheel
                && is_taken(&one.file, &self.lock.python, &self.machine)
        })
    }

    /// Name and version of a package of the lock.
    pub(super) fn version(&self, name: &str) -> String {
        let found = self.lock.packages.iter().find(|one| one.name == name);
        format!("{name} {}", found.map_or("?", |one| one.version.as_str()))
    }

    /// Puts a wheel of the store beside the others.
    ///
    /// # Errors
    /// The graph has none of that name, or the store has it not.
    pub(super) fn add_wheel(&self, ground: &Ground<'_>, graph: &Graph, file: &str) -> Result<()> {
        let path = out_path(graph, &store_name(file), true)
            .with_context(|| format!("no derivation fetches `{file}`"))?;
        let path = ground.factory()?.nix.physical(&path);
        if !path.exists() {
            return Err(error::environment(format!("`{file}` is not in the store"))
                .hint(format!(
                    "fetch it: `cargo xtask fetch {}`",
                    ground.wishes.variant.arguments()
                ))
                .into());
        }
        bring(&path, &self.wheels.join(file))
    }

    /// Writes the context of an image: the lists up to a layer or all, one pin more, the script.
    ///
    /// # Errors
    /// It cannot be written.
    pub(crate) fn context(
        &self,
        installer: Installer,
        until: Option<&str>,
        more: Option<&str>,
    ) -> Result<PathBuf> {
        let name = format!("bench-{}-{}", installer.name(), until.unwrap_or("all"));
        let directory = self.directory.join(name);
        fs_err::create_dir_all(&directory)?;
        let mut lines = vec![format!("FROM {}", self.base), "ENV PIP_USER=0".to_owned()];
        let mut layers: Vec<&str> = self.packages().map(|one| one.layer.as_str()).collect();
        layers.push(EDITED);
        layers.sort_unstable();
        layers.dedup();
        layers.retain(|layer| until.is_none_or(|until| *layer <= until));
        for layer in layers {
            let pins = self.packages().filter(|one| one.layer == layer);
            let mut pins: Vec<String> = pins
                .map(|one| format!("{}=={}\n", one.name, one.version))
                .collect();
            pins.extend(
                more.filter(|_| layer == EDITED)
                    .map(|pin| format!("{pin}\n")),
            );
            write_if_other(&directory.join(format!("{layer}.txt")), &pins.concat())?;
            lines.push(format!("COPY {layer}.txt /tmp/"));
            // An empty list is an error for uv.
            if !pins.is_empty() {
                lines.push(format!("RUN {} /tmp/{layer}.txt", installer.install()));
            }
        }
        write_if_other(&directory.join("entrypoint.sh"), &self.script)?;
        lines.push("COPY entrypoint.sh /runner-scripts/".to_owned());
        write_if_other(
            &directory.join("Dockerfile"),
            &format!("{}\n", lines.join("\n")),
        )?;
        Ok(directory)
    }

    /// `podman build` of a context.
    pub(crate) fn build<'s>(&self, podman: &Podman, shell: &'s Shell, context: &Path) -> Cmd<'s> {
        let volume = |from: &Path, to: &str| format!("--volume={}:{to}:ro", from.display());
        let cmd = podman.build(shell, context, &self.tag(context));
        cmd.arg(volume(&self.wheels, "/wheels"))
            .arg(volume(&self.uv, "/uv"))
            .arg(context)
    }

    /// What its image is called: as the directory of its context.
    pub(crate) fn tag(&self, context: &Path) -> String {
        let name = context.file_name().unwrap_or_default();
        format!("localhost/{}", name.to_string_lossy())
    }
}

/// The path of a file or tree by its name in the store.
pub(super) fn out_path(graph: &Graph, name: &str, is_fixed: bool) -> Option<String> {
    let mut nodes = graph.iter().map(|(_, node)| node);
    let node = nodes.find(|node| node.name == name && node.is_fixed == is_fixed)?;
    node.out_paths.first().cloned()
}

/// Whether an installer takes a wheel of this name for an interpreter of this ABI tag: its tags
/// fit, as those of every wheel of a lock do but where an override says otherwise.
fn is_taken(file: &str, python: &str, machine: &str) -> bool {
    let (Ok(wheel), Ok(abi)) = (file.parse::<WheelFilename>(), python.parse()) else {
        return false;
    };
    // Of glibc the lock has seen to it.
    let glibc_minor = u32::MAX;
    let target = Target {
        abi,
        glibc_minor,
        machine,
    };
    wheel.fit(target).is_some()
}

/// As `nix/storeName.nix`.
fn store_name(file: &str) -> String {
    let is_allowed = |c: char| c.is_ascii_alphanumeric() || "+._?=-".contains(c);
    let clean: String = file
        .chars()
        .map(|c| if is_allowed(c) { c } else { '_' })
        .collect();
    if clean.starts_with('.') {
        format!("_{clean}")
    } else {
        clean
    }
}

/// A second name of a file, or a copy where the file system allows none.
fn bring(from: &Path, to: &Path) -> Result<()> {
    if to.exists() {
        return Ok(());
    }
    if std::fs::hard_link(from, to).is_err() {
        fs_err::copy(from, to)?;
    }
    Ok(())
}

/// A cache looks at contents; there is no need to touch what is the same.
fn write_if_other(file: &Path, text: &str) -> Result<()> {
    if fs_err::read_to_string(file).is_ok_and(|old| old == text) {
        return Ok(());
    }
    fs_err::write(file, text)?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ok_wheels_that_installers_take() {
        let none = "addict-2.4.0-py3-none-any.whl";
        let own = "numpy-2.4.0-1-cp314-cp314t-manylinux_2_28_x86_64.whl";
        let stable = "comfy_aimdo-0.4.13-cp39-abi3-manylinux2014_x86_64.whl";
        let is_taken = |file, python| is_taken(file, python, "x86_64");
        assert!([none, own].iter().all(|file| is_taken(file, "cp314t")));
        assert!(!is_taken(stable, "cp314t"));
        assert!(is_taken(stable, "cp314"));
        assert!(!is_taken(own, "cp314"));
    }
}
