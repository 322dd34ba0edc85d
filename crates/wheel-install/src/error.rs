//! Everything that can go wrong, with its hint and its exit status.

use std::fmt;
use std::io;
use std::path::{Path, PathBuf};

/// Exit status: the wheel is refused.
pub const EXIT_NOT_RIGHT: u8 = 1;
/// Exit status: usage or a bad request.
pub const EXIT_BAD_INPUT: u8 = 2;
/// Exit status: disk or permission.
pub const EXIT_ENVIRONMENT: u8 = 3;
/// Exit status: a bug in this program.
pub const EXIT_BUG: u8 = 70;

/// What is wrong, before it is known whose wheel it is.
#[derive(Debug)]
pub enum Fault {
    /// A file system operation failed.
    Io {
        /// What was attempted, as a verb.
        action: &'static str,
        /// The file or directory.
        path: PathBuf,
        /// The system's reason.
        source: io::Error,
    },
    /// The wheel is not what a wheel must be.
    Wheel {
        /// The member, where it is one.
        member: Option<String>,
        /// What is wrong with it.
        reason: String,
    },
    /// The lock says something of the wheel that does not hold.
    Lock {
        /// The file of the wheel.
        path: String,
        /// What does not hold.
        reason: String,
    },
}

impl Fault {
    /// Something is wrong with the archive as a whole.
    pub(crate) fn wheel(reason: impl Into<String>) -> Self {
        Self::Wheel {
            member: None,
            reason: reason.into(),
        }
    }

    /// Something is wrong with one member.
    pub(crate) fn member(member: &str, reason: impl Into<String>) -> Self {
        Self::Wheel {
            member: Some(member.to_owned()),
            reason: reason.into(),
        }
    }

    /// For `map_err`: an operation on a path failed.
    pub(crate) fn io(action: &'static str, path: &Path) -> impl FnOnce(io::Error) -> Self {
        let path = path.to_owned();
        move |source| Self::Io {
            action,
            path,
            source,
        }
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Io { action, path, .. } => {
                write!(formatter, "cannot {action} `{}`", path.display())
            }
            Self::Wheel {
                member: Some(member),
                reason,
            } => write!(formatter, "member `{}`: {reason}", show(member)),
            Self::Wheel {
                member: None,
                reason,
            } => formatter.write_str(reason),
            Self::Lock { path, reason } => write!(formatter, "`{}`: {reason}", show(path)),
        }
    }
}

/// Names a failure and whose wheel it is.
#[derive(Debug)]
#[non_exhaustive]
pub enum Error {
    /// The arguments are not those that the program takes.
    Usage(String),
    /// A wheel cannot be installed.
    Install {
        /// Name and version of the package.
        package: String,
        /// The wheel, or the directory that should hold one.
        wheel: PathBuf,
        /// What is wrong.
        fault: Fault,
    },
}

impl fmt::Display for Error {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Usage(text) => formatter.write_str(text),
            Self::Install {
                package,
                wheel,
                fault,
            } => write!(
                formatter,
                "package `{package}`, wheel `{}`: {fault}",
                wheel.display()
            ),
        }
    }
}

impl std::error::Error for Error {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            Self::Install {
                fault: Fault::Io { source, .. },
                ..
            } => Some(source),
            _ => None,
        }
    }
}

impl Error {
    /// Returns the exit status that this failure asks for.
    pub fn exit_code(&self) -> u8 {
        match self {
            Self::Usage(_) => EXIT_BAD_INPUT,
            Self::Install { fault, .. } => match fault {
                Fault::Io { .. } => EXIT_ENVIRONMENT,
                Fault::Wheel { .. } | Fault::Lock { .. } => EXIT_NOT_RIGHT,
            },
        }
    }

    /// Returns one action that helps.
    pub fn hint(&self) -> Option<&'static str> {
        match self {
            Self::Usage(_) => Some("`wheel-install --help` says what it takes"),
            Self::Install { fault, .. } => match fault {
                Fault::Io { .. } => None,
                Fault::Wheel { .. } => Some(
                    "lock another version of the package, or build it from its source: `sdists` in `package-lists/variants.toml`",
                ),
                Fault::Lock { .. } => Some("run `cargo xtask update-locks`"),
            },
        }
    }

    /// Renders the whole message: error, causes, hint.
    pub fn render(&self) -> String {
        let mut text = format!("error: {self}\n");
        if let Some(source) = std::error::Error::source(self) {
            text.push_str(&format!("caused by: {source}\n"));
        }
        if let Some(hint) = self.hint() {
            text.push_str(&format!("\nhint: {hint}\n"));
        }
        text
    }
}

/// Shows a text from a wheel, with control characters escaped.
pub(crate) fn show(text: &str) -> String {
    let mut shown = String::new();
    for character in text.chars() {
        if character.is_control() {
            shown.extend(character.escape_default());
        } else {
            shown.push(character);
        }
    }
    shown
}
