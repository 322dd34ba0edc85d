//! Container engines: finding one, giving it an image, and starting containers.
//!
//! The only module that knows how docker and podman differ.

mod attend;
mod child;
mod gpu;
mod inspect;
mod invocation;
mod leftover;
mod pull;
mod reach;
mod run;

use std::fmt;
use std::io::Write;
use std::str::FromStr;

use anyhow::Result;
use comfy_image::image::Image;
use xshell::{Cmd, Shell};

use crate::Error;
use factory_base::error::Explain as _;
use factory_base::process;

pub use gpu::{Device, GpuAccess, QUERY_TIMEOUT};
pub use inspect::EngineImage;
pub use invocation::{Ended, Input, Invocation, Word};
pub use leftover::{Purpose, label};
pub use pull::served_repository;
pub use reach::Reach;
pub use run::{PODMAN_WAYS, Runner, Way};

/// A container engine.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum EngineKind {
    /// `docker`.
    Docker,
    /// `podman`.
    Podman,
}

impl EngineKind {
    /// All of them, the preferred one first.
    pub const ALL: [Self; 2] = [Self::Docker, Self::Podman];

    /// The program.
    pub fn program(self) -> &'static str {
        match self {
            Self::Docker => "docker",
            Self::Podman => "podman",
        }
    }
}

impl FromStr for EngineKind {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let kind = Self::ALL.into_iter().find(|kind| kind.program() == text);
        kind.ok_or_else(|| Error::UnknownEngine {
            name: text.to_owned(),
        })
    }
}

/// A container engine that answers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Engine {
    kind: EngineKind,
}

impl fmt::Display for Engine {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(self.kind.program())
    }
}

impl Engine {
    /// The first engine that answers.
    ///
    /// # Errors
    /// No directory to start programs in.
    pub fn first() -> Result<Option<Self>> {
        for kind in EngineKind::ALL {
            if process::find(kind.program()).is_some() && probe(kind)?.is_none() {
                return Ok(Some(Self { kind }));
            }
        }
        Ok(None)
    }

    /// This engine and no other.
    ///
    /// # Errors
    /// It is not installed, or does not answer.
    pub fn require(kind: EngineKind) -> Result<Self> {
        let program = kind.program();
        if process::find(program).is_none() {
            return Err(Error::NotOnPath { program }.failure().into());
        }
        match probe(kind)? {
            None => Ok(Self { kind }),
            Some(said) => Err(Error::NoAnswer { program, said }.failure().into()),
        }
    }

    /// Which engine.
    pub fn kind(&self) -> EngineKind {
        self.kind
    }

    /// The ID under which the engine has exactly this image; its tag is set right, and names
    /// under which it was pulled from here are taken away.
    ///
    /// # Errors
    /// The engine fails.
    pub fn find_image(&self, image: &Image) -> Result<Option<String>> {
        let shell = Shell::new()?;
        let reference = image.reference.to_string();
        let config = image.config.digest.to_string();
        let cmd = self
            .cmd(&shell)
            .args(["image", "inspect", &config, &reference]);
        // Status 1 only says that one of the two is not there.
        let (_, json) = process::run(cmd, |_| {})?;
        let known = inspect::parse(&json)?;
        let Some(found) = known.iter().find(|known| known.is(image)) else {
            return Ok(None);
        };
        if !found.has_tag(&image.reference) {
            process::capture(self.cmd(&shell).args(["tag", &found.id, &reference]))?;
        }
        if found.tags().any(pull::is_served_name) {
            self.remove_served_names()?;
        }
        Ok(Some(found.id.clone()))
    }

    /// What the engine has under a name, an ID or a digest.
    ///
    /// # Errors
    /// The engine fails.
    pub fn inspect(&self, name: &str) -> Result<Option<EngineImage>> {
        let shell = Shell::new()?;
        let cmd = self.cmd(&shell).args(["image", "inspect", name]);
        // Status 1 only says that it is not there.
        let (_, json) = process::run(cmd, |_| {})?;
        Ok(inspect::parse(&json)?.into_iter().next())
    }

    /// The version of the engine.
    ///
    /// # Errors
    /// The engine fails.
    pub fn version(&self) -> Result<String> {
        let shell = Shell::new()?;
        let text = process::capture(self.cmd(&shell).arg("--version"))?;
        Ok(text.trim().to_owned())
    }

    /// Feeds an archive to the engine.
    ///
    /// # Errors
    /// Writing fails, or the engine does not accept the archive.
    pub fn load(&self, write: impl FnOnce(&mut dyn Write) -> Result<()>) -> Result<()> {
        let shell = Shell::new()?;
        process::feed(self.cmd(&shell).arg("load"), write, |_| {})
    }

    fn cmd<'a>(&self, shell: &'a Shell) -> Cmd<'a> {
        shell.cmd(self.kind.program())
    }
}

/// Asks an engine whether it works; the answer is what it complains about.
fn probe(kind: EngineKind) -> Result<Option<String>> {
    let shell = Shell::new()?;
    let format = match kind {
        EngineKind::Docker => "{{.ServerVersion}}",
        EngineKind::Podman => "{{.Version.Version}}",
    };
    let mut last = String::new();
    let cmd = shell.cmd(kind.program()).args(["info", "--format", format]);
    let ((status, _), version) = process::run(cmd, |line| line.clone_into(&mut last))?;
    // `docker info` succeeds in old versions without a server, and prints nothing.
    if status.success() && !version.trim().is_empty() {
        return Ok(None);
    }
    if last.is_empty() {
        last = format!("`{} info` ended with {status}", kind.program());
    }
    Ok(Some(last))
}
