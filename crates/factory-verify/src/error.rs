//! What can go wrong around checks, and whose fault it is. A check that fails is no error:
//! the report says so.

use factory_base::error::{Explain, Kind};

/// Why checks cannot be run.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    /// A name that no check has.
    #[error("there is no check `{name}` up to this layer")]
    UnknownCheck {
        /// As the user wrote it.
        name: String,
        /// The nearest name.
        near: Option<String>,
    },
    /// Files of checks that cannot be read.
    #[error("checks cannot be read\n  {}", .faults.join("\n  "))]
    UnreadableChecks {
        /// `FILE:LINE:COLUMN: what is wrong`.
        faults: Vec<String>,
    },
    /// A check reads a lock that is not there.
    #[error("the variant `{variant}` has no lock")]
    NoLock {
        /// The variant.
        variant: String,
    },
    /// A name that no engine has.
    #[error("`{name}` is not a container engine (`docker`, `podman`)")]
    UnknownEngine {
        /// As the user wrote it.
        name: String,
    },
    /// No engine at all.
    #[error("no container engine answers: neither `docker info` nor `podman info` succeeds")]
    NoEngine,
    /// The engine that is wanted is not installed.
    #[error("`{program}` is not on PATH")]
    NotOnPath {
        /// The program.
        program: &'static str,
    },
    /// The engine that is wanted is installed and does not work.
    #[error("{program} does not answer: {said}")]
    NoAnswer {
        /// The program.
        program: &'static str,
        /// What it complains about.
        said: String,
    },
    /// No way to start a container works here.
    #[error("{engine} cannot start a container: {said}")]
    NoContainer {
        /// The engine.
        engine: String,
        /// What it complains about.
        said: String,
    },
    /// The engine has no image of a name.
    #[error("{engine} has no image `{name}`")]
    NoImage {
        /// The engine.
        engine: String,
        /// The name.
        name: String,
    },
    /// An image that was loaded is not there.
    #[error("{engine} has loaded `{name}` and does not know it")]
    NotKept {
        /// The engine.
        engine: String,
        /// The image.
        name: String,
    },
    /// The image of a name is another one than was built.
    #[error(
        "`{reference}` in {engine} is not the image that was just built\n  expected: {expected}\n  found:    {found}"
    )]
    NotAsBuilt {
        /// The engine.
        engine: String,
        /// The name.
        reference: String,
        /// Digest of the configuration that was built.
        expected: String,
        /// What the engine has.
        found: String,
        /// The command that loads the image.
        load: String,
    },
    /// A GPU is asked for, and there is none.
    #[error("no GPU: {reason}")]
    NoGpu {
        /// Why not.
        reason: String,
    },
}

impl Explain for Error {
    fn kind(&self) -> Kind {
        match self {
            Self::UnknownCheck { .. }
            | Self::UnreadableChecks { .. }
            | Self::NoLock { .. }
            | Self::UnknownEngine { .. } => Kind::BadInput,
            Self::NoEngine
            | Self::NotOnPath { .. }
            | Self::NoAnswer { .. }
            | Self::NoContainer { .. }
            | Self::NoImage { .. }
            | Self::NotKept { .. }
            | Self::NoGpu { .. } => Kind::Environment,
            Self::NotAsBuilt { .. } => Kind::NotRight,
        }
    }

    fn hints(&self) -> Vec<String> {
        let owned = |hints: &[&str]| hints.iter().map(|hint| (*hint).to_owned()).collect();
        match self {
            Self::UnknownCheck { near, .. } => near
                .iter()
                .map(|near| format!("the nearest name is `{near}`"))
                .chain(["list them with `cargo xtask verify --list`".to_owned()])
                .collect(),
            Self::NoLock { variant } => vec![format!(
                "`cargo xtask update-locks --variant {variant}` writes it"
            )],
            Self::NoEngine => owned(&[
                "start one, for example with `systemctl start docker`",
                "inside a container of the image itself: `cargo xtask verify --runtime host`",
            ]),
            Self::NotOnPath { .. } => {
                owned(&["without the option the first engine that answers is taken"])
            }
            Self::NoAnswer { program, .. } => vec![format!("run `{program} info` to see why")],
            Self::NoContainer { .. } => {
                owned(&["run `cargo xtask doctor` to see what this machine lacks"])
            }
            Self::NoImage { engine, .. } | Self::NotKept { engine, .. } => {
                vec![format!("`{engine} images` lists what it has")]
            }
            Self::NotAsBuilt {
                reference, load, ..
            } => vec![
                format!("put it there: `{load}`"),
                format!("check the one that is there: `--image {reference}`"),
            ],
            Self::NoGpu { .. } => owned(&[
                "`--gpu auto` skips the checks that need one",
                "containers get GPUs from NVIDIA's container toolkit: `nvidia-ctk cdi generate --output /etc/cdi/nvidia.yaml`",
            ]),
            Self::UnreadableChecks { .. } | Self::UnknownEngine { .. } => Vec::new(),
        }
    }
}
