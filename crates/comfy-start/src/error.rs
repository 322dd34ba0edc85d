//! Everything that can go wrong, with its hint and its exit status.

use std::io;
use std::path::{Path, PathBuf};

/// Exit status: asked, and the answer is no (`health`).
pub const EXIT_NOT_RIGHT: u8 = 1;
/// Exit status: usage, or an environment variable that makes no sense.
pub const EXIT_BAD_INPUT: u8 = 2;
/// Exit status: GPU, network, disk, permission, port.
pub const EXIT_ENVIRONMENT: u8 = 3;
/// Exit status: a bug in this program.
pub const EXIT_BUG: u8 = 70;

/// Names a failure and where it happened.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// A file system operation failed.
    #[error("cannot {action} `{}`", .path.display())]
    Io {
        /// What was attempted, as a verb.
        action: &'static str,
        /// The file or directory.
        path: PathBuf,
        /// The system's reason.
        source: io::Error,
    },
    /// The file system has no room.
    #[error("the file system of `{}` is full: {needed_mb} MB are needed and {free_mb} MB are free", .path.display())]
    DiskFull {
        /// Where we write.
        path: PathBuf,
        /// What is to be written, in megabytes.
        needed_mb: u64,
        /// What is free, in megabytes.
        free_mb: u64,
    },
    /// A directory that ComfyUI must write to cannot be written.
    #[error("`{}` cannot be written by {user}: {reason}", .path.display())]
    NotWritable {
        /// The directory.
        path: PathBuf,
        /// Who we are: `uid 1000`.
        user: String,
        /// The system's reason.
        reason: String,
        /// What to do, for this user and this place.
        way_out: String,
    },
    /// A variable of the environment has no meaning.
    #[error("{name}=`{value}` is not {expected}")]
    Variable {
        /// The variable.
        name: &'static str,
        /// Its value.
        value: String,
        /// What it must be.
        expected: &'static str,
    },
    /// The engine does not let us become another user.
    #[error("cannot become uid {uid} and gid {gid}")]
    Become {
        /// The user wanted.
        uid: u32,
        /// The group wanted.
        gid: u32,
        /// The system's reason.
        source: io::Error,
    },
    /// ComfyUI could not be fetched.
    #[error("cannot fetch ComfyUI {revision} from {repository}: {reason}")]
    Fetch {
        /// The revision.
        revision: String,
        /// Where from.
        repository: String,
        /// git's last words.
        reason: String,
    },
    /// What was fetched is not what was asked for.
    #[error("{repository} gave another revision\nexpected: {expected}\nfound:    {found}")]
    WrongRevision {
        /// Where from.
        repository: String,
        /// The commit that the image names.
        expected: String,
        /// The commit that came.
        found: String,
    },
    /// There is no ComfyUI to run.
    #[error("`{}` holds no ComfyUI: there is no main.py", .path.display())]
    NoComfyUi {
        /// The directory.
        path: PathBuf,
    },
    /// The container has no GPU.
    #[error("this container sees no NVIDIA GPU ({reason})")]
    NoGpu {
        /// What is missing.
        reason: &'static str,
    },
    /// The host's driver cannot run this image's CUDA.
    #[error(
        "the host's NVIDIA driver {found} is too old for CUDA {cuda}, which needs {needed} or newer"
    )]
    OldDriver {
        /// The driver's version.
        found: String,
        /// The image's CUDA.
        cuda: String,
        /// The first driver branch that has it.
        needed: u32,
    },
    /// No GPU of the machine can run the image's kernels.
    #[error(
        "{device} has compute capability {capability}, and the image's kernels need {needed} or newer"
    )]
    OldDevice {
        /// The device's name.
        device: String,
        /// What it is capable of.
        capability: String,
        /// The oldest that CUDA of the image compiles for.
        needed: String,
    },
    /// Compiled kernels of the image cannot run on the device.
    #[error(
        "{device} has compute capability {capability}, and the image's {distribution} has code for {architectures} only"
    )]
    NoKernels {
        /// The device's name.
        device: String,
        /// What it is capable of.
        capability: String,
        /// What was compiled.
        distribution: String,
        /// What it was compiled for.
        architectures: String,
        /// ComfyUI's option that asks for it.
        option: Option<&'static str>,
    },
    /// Another process listens already.
    #[error("port {port} is in use")]
    PortInUse {
        /// The port.
        port: u16,
    },
    /// A program could not be started.
    #[error("cannot start `{program}`")]
    Start {
        /// The program.
        program: String,
        /// The system's reason.
        source: io::Error,
    },
    /// A script of the user failed.
    #[error("`{}` ended with status {status}", .script.display())]
    Script {
        /// The script.
        script: PathBuf,
        /// Its exit status.
        status: i32,
    },
    /// ComfyUI does not answer as it should.
    #[error("ComfyUI at {url} does not answer: {reason}")]
    Unhealthy {
        /// What was asked.
        url: String,
        /// What came instead.
        reason: String,
    },
    /// A receipt is not one.
    #[error("`{}` is not a receipt", .path.display())]
    Receipt {
        /// The file.
        path: PathBuf,
        /// The parser's reason.
        source: serde_json::Error,
    },
}

impl Error {
    /// Says what the exit status of this failure is.
    pub fn exit_code(&self) -> u8 {
        match self {
            Self::Unhealthy { .. } => EXIT_NOT_RIGHT,
            Self::Variable { .. } => EXIT_BAD_INPUT,
            _ => EXIT_ENVIRONMENT,
        }
    }

    /// Says whether the file system takes no writes at all.
    pub fn is_read_only(&self) -> bool {
        matches!(self, Self::Io { source, .. } if source.kind() == io::ErrorKind::ReadOnlyFilesystem)
    }

    /// Says what to do next.
    pub fn hint(&self) -> Option<String> {
        let text = match self {
            Self::Io { source, .. } if source.kind() == io::ErrorKind::StorageFull => {
                "free some space on the volume, or mount a larger one; the next start goes on from here"
                    .to_owned()
            }
            Self::DiskFull { .. } => {
                "free some space on the volume, or mount a larger one; the next start goes on from here"
                    .to_owned()
            }
            Self::NotWritable { way_out, .. } => way_out.clone(),
            Self::Become { uid, gid, .. } => format!(
                "PUID needs the capabilities SETUID and SETGID; without them start as that user: `--user {uid}:{gid}`"
            ),
            Self::Fetch { .. } => "check network and proxy (`/root/user-scripts/set-proxy.sh`), or set COMFYUI_REPOSITORY to a mirror, or mount a checkout and name it in COMFYUI_DIR; what is here already stays".to_owned(),
            Self::WrongRevision { .. } => {
                "set COMFYUI_REPOSITORY to a repository that has this revision".to_owned()
            }
            Self::NoComfyUi { .. } => {
                "name the directory that holds ComfyUI's main.py in COMFYUI_DIR".to_owned()
            }
            Self::NoGpu { .. } => "start the container with `--gpus all` (docker) or `--device nvidia.com/gpu=all` (podman), or run on the processor with `-e CLI_ARGS=--cpu`".to_owned(),
            Self::OldDriver { needed, .. } => format!(
                "install a driver of branch {needed} or newer on the host, or run on the processor with `-e CLI_ARGS=--cpu`"
            ),
            Self::OldDevice { .. } => "take an image built for an older CUDA, or run on the processor with `-e CLI_ARGS=--cpu`".to_owned(),
            Self::NoKernels {
                option: Some(option),
                ..
            } => format!(
                "leave `{option}` out of CLI_ARGS: PyTorch's own attention has code for this device"
            ),
            Self::PortInUse { port } => format!(
                "stop what listens there, or choose another port with `-e CLI_ARGS=\"--port {}\"`",
                port.wrapping_add(1)
            ),
            Self::Script { .. } => "mend or remove the script".to_owned(),
            Self::Receipt { path, .. } => format!(
                "remove it with `rm {}`: its files then count as yours",
                path.display()
            ),
            _ => return None,
        };
        Some(text)
    }

    /// Renders the failure with its causes and its hint.
    pub fn render(&self) -> String {
        let mut text = format!("error: {self}\n");
        let mut cause = std::error::Error::source(self);
        while let Some(error) = cause {
            text.push_str(&format!("caused by: {error}\n"));
            cause = error.source();
        }
        if let Some(hint) = self.hint() {
            text.push_str(&format!("\nhint: {hint}\n"));
        }
        text
    }
}

/// Adds the action and the path to an error of the system.
pub(crate) trait At<T> {
    /// Says what was attempted (a verb), and where.
    fn at(self, action: &'static str, path: &Path) -> Result<T, Error>;
}

impl<T, E: Into<io::Error>> At<T> for Result<T, E> {
    fn at(self, action: &'static str, path: &Path) -> Result<T, Error> {
        self.map_err(|source| Error::Io {
            action,
            path: path.to_owned(),
            source: source.into(),
        })
    }
}
