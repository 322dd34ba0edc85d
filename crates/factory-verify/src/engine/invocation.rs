//! A program to run in an image or on the host, as data, and how it ended.

use std::path::PathBuf;
use std::time::Duration;

/// A program to run and how.
#[derive(Debug, Clone, Default)]
pub struct Invocation {
    /// Program and arguments.
    pub arguments: Vec<Word>,
    /// What it reads from standard input.
    pub stdin: Input,
    /// Its limit; `None` for no limit.
    pub timeout: Option<Duration>,
    /// Whether it needs the GPU.
    pub gpu: bool,
    /// Directories of this machine, and where the program sees them; it cannot write there.
    pub mounts: Vec<(PathBuf, String)>,
    /// More variables of its environment.
    pub environment: Vec<(String, String)>,
}

/// One argument.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Word {
    /// As it is.
    Text(String),
    /// The text of a file: an engine on another machine has none of our files.
    FileText {
        /// The file, from the root of the checkout.
        path: PathBuf,
        /// Its text.
        text: String,
    },
}

/// What a program reads from standard input.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Input {
    /// The bytes.
    pub bytes: Vec<u8>,
    /// Where they are from, from the root of the checkout.
    pub path: Option<PathBuf>,
}

impl Word {
    /// What the program gets.
    pub fn text(&self) -> &str {
        match self {
            Self::Text(text) | Self::FileText { text, .. } => text,
        }
    }

    /// What a user would type.
    pub(super) fn shown(&self) -> String {
        match self {
            Self::Text(text) => quote(text),
            Self::FileText { path, .. } => format!("\"$(cat {})\"", quote(&path.to_string_lossy())),
        }
    }
}

impl From<&str> for Word {
    fn from(text: &str) -> Self {
        Self::Text(text.to_owned())
    }
}

impl From<String> for Word {
    fn from(text: String) -> Self {
        Self::Text(text)
    }
}

/// How a program ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Ended {
    /// Exit status; `None` when a signal ended it on the host.
    pub status: Option<i32>,
    /// The signal that ended it.
    pub signal: Option<i32>,
    /// It was stopped at its time limit.
    pub timed_out: bool,
    /// What it wrote to stdout.
    pub stdout: String,
    /// What it wrote to stderr.
    pub stderr: String,
    /// Wall time.
    pub took: Duration,
}

impl Ended {
    /// Ended by itself with status 0.
    pub fn is_success(&self) -> bool {
        self.status == Some(0) && !self.timed_out
    }
}

/// Engines and shells write "ended by signal N" as the status 128 + N.
pub(super) fn signal_of_status(status: i32) -> Option<i32> {
    (129..=192).contains(&status).then_some(status - 128)
}

/// A word as a POSIX shell reads it.
pub(super) fn quote(word: &str) -> String {
    let plain =
        |character: char| character.is_ascii_alphanumeric() || "-_./:=@,+".contains(character);
    if !word.is_empty() && word.chars().all(plain) {
        word.to_owned()
    } else {
        format!("'{}'", word.replace('\'', r"'\''"))
    }
}
