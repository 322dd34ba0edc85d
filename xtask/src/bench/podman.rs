//! podman with a storage of its own, so that neither the user's images nor names change.

use std::path::{Path, PathBuf};

use anyhow::Result;
use factory_base::{error, process};
use factory_verify::engine::{PODMAN_WAYS, Way};
use tempfile::TempDir;
use xshell::{Cmd, Shell};

use super::ground::Ground;

/// containers-storage.conf(5): the file that podman reads instead of the system's.
const STORAGE: &str = "CONTAINERS_STORAGE_CONF";

/// A storage, and how containers start here.
#[derive(Debug)]
pub(crate) struct Podman {
    storage: Storage,
    way: Way,
    /// What the image of layer 03 is called in it.
    pub(crate) base: String,
}

/// Where podman keeps images.
#[derive(Debug)]
pub(crate) struct Storage {
    directory: PathBuf,
    configuration: PathBuf,
    /// What runs. podman's clean-up of a container fails where this path is long, and `podman run`
    /// then waits 20 seconds for an exit code that nobody writes.
    _run: TempDir,
}

impl Storage {
    /// An empty one.
    ///
    /// # Errors
    /// It cannot be written.
    pub(crate) fn new(ground: &Ground<'_>, name: &str) -> Result<Self> {
        let directory = ground.scratch.empty(name)?;
        let configuration = directory.join("storage.conf");
        let run = tempfile::Builder::new().prefix("bench-").tempdir()?;
        let text = format!(
            "[storage]\ndriver = \"overlay\"\ngraphroot = \"{}/images\"\nrunroot = \"{}\"\n",
            directory.display(),
            run.path().display()
        );
        fs_err::write(&configuration, text)?;
        Ok(Self {
            directory,
            configuration,
            _run: run,
        })
    }

    /// The same command on this storage.
    pub(crate) fn on<'s>(&self, cmd: Cmd<'s>) -> Cmd<'s> {
        cmd.env(STORAGE, &self.configuration)
    }

    /// Everything in it goes.
    ///
    /// # Errors
    /// Something stays.
    pub(crate) fn remove(&self, ground: &Ground<'_>) -> Result<()> {
        ground.scratch.remove(&self.directory)
    }
}

impl Podman {
    /// A storage that has the image of layer 03, on which both sides stand.
    ///
    /// # Errors
    /// podman takes no image, or starts no container.
    pub(super) fn new(ground: &Ground<'_>) -> Result<Self> {
        let storage = Storage::new(ground, "podman")?;
        let shell = Shell::new()?;
        let load = ground.xtask_variant(&shell, "load")?;
        let load = load.args(["03", "--engine", "podman"]);
        let said = ground.set_up("podman has the image of layer 03", storage.on(load))?;
        let base = said.trim().to_owned();
        let mut podman = Self {
            storage,
            way: PODMAN_WAYS[0],
            base,
        };
        let mut last = Vec::new();
        for way in PODMAN_WAYS {
            podman.way = way;
            last.clear();
            let base = podman.base.clone();
            let trial = podman.run(&shell, &[]).arg(base).arg("true");
            let ((status, _), _) = process::run(trial, |line| last.push(line.to_owned()))?;
            ground.ctx.check_interrupted()?;
            if status.success() {
                return Ok(podman);
            }
        }
        let said = last.join("\n    ");
        Err(error::environment(format!("podman starts no container:\n    {said}")).into())
    }

    pub(crate) fn storage(&self) -> &Storage {
        &self.storage
    }

    /// `podman build` of a directory, without a network.
    pub(crate) fn build<'s>(&self, shell: &'s Shell, context: &Path, name: &str) -> Cmd<'s> {
        let (global, local) = self.way;
        let cmd = shell.cmd("podman").args(global);
        let cmd = cmd.args(["build", "--network", "none"]);
        self.storage.on(cmd
            .args(local)
            .args(["--tag", name])
            .arg("--file")
            .arg(context.join("Dockerfile")))
    }

    /// `podman run`; the image and its command come next.
    pub(crate) fn run<'s>(&self, shell: &'s Shell, options: &[String]) -> Cmd<'s> {
        let (global, local) = self.way;
        let cmd = shell.cmd("podman").args(global);
        let cmd = cmd.args(["run", "--rm", "--network", "none", "--entrypoint", ""]);
        self.storage.on(cmd.args(local).args(options))
    }

    /// Any other command of podman.
    pub(crate) fn cmd<'s>(&self, shell: &'s Shell, arguments: &[&str]) -> Cmd<'s> {
        self.storage.on(shell.cmd("podman").args(arguments))
    }
}
