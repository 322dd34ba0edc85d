//! Everything that can go wrong, with its hint and its exit status.

use std::fmt;
use std::io;
use std::path::PathBuf;

use crate::digest::Digest;

/// Exit status: checked, and not right.
pub const EXIT_NOT_RIGHT: u8 = 1;
/// Exit status: usage or bad input file.
pub const EXIT_BAD_INPUT: u8 = 2;
/// Exit status: disk, permission, closed pipe.
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
    /// The output stream did not take our bytes.
    #[error("cannot write the output stream")]
    Output {
        /// The system's reason.
        source: io::Error,
    },
    /// The reader of the output went away while we still had something to send.
    #[error("the output was closed before its end")]
    Stopped,
    /// The output would be binary data on a terminal.
    #[error("refusing to write an archive to a terminal")]
    Terminal,
    /// A JSON document does not have the expected form.
    #[error("`{}` is not a valid {what}", .path.display())]
    Json {
        /// The kind of document.
        what: &'static str,
        /// The file.
        path: PathBuf,
        /// The parser's reason.
        source: serde_json::Error,
    },
    /// A value in one of our documents is not acceptable.
    #[error("invalid {what}: {reason}")]
    Invalid {
        /// The kind of document or value.
        what: &'static str,
        /// What is wrong with it.
        reason: String,
    },
    /// A path is not a package tree.
    #[error("package `{package}`: `{}` is not a package tree: {reason}", .path.display())]
    NotATree {
        /// The package.
        package: String,
        /// The tree.
        path: PathBuf,
        /// What is missing.
        reason: &'static str,
    },
    /// A tree has a member that an image cannot carry.
    #[error("package `{package}`: `{member}` in `{}` is a {kind}, and only files, directories and symlinks can be in a layer", .path.display())]
    SpecialFile {
        /// The package.
        package: String,
        /// The tree.
        path: PathBuf,
        /// The member, relative to the tree's root.
        member: String,
        /// The kind of file.
        kind: &'static str,
    },
    /// A line of a `modes` file is wrong.
    #[error("package `{package}`: `{}`, line {line}: {reason}", .path.display())]
    Modes {
        /// The package.
        package: String,
        /// The `modes` file.
        path: PathBuf,
        /// The line, from 1.
        line: usize,
        /// What is wrong with it.
        reason: String,
    },
    /// Packages of one layer own the same path.
    #[error("packages of layer `{layer}` own the same paths, {n_conflicts} in all\n{}", list(.conflicts, *.n_conflicts))]
    Conflicts {
        /// The layer.
        layer: String,
        /// The first conflicts, at most [`MAX_CONFLICTS`].
        conflicts: Vec<Conflict>,
        /// How many there are.
        n_conflicts: usize,
    },
    /// A layer would silently change what a lower layer has.
    #[error("a layer would change what one below it has, at {n_overlaps} path(s)\n{}", list(.overlaps, *.n_overlaps))]
    Overlaps {
        /// The first of them, at most [`MAX_CONFLICTS`].
        overlaps: Vec<Overlap>,
        /// How many there are.
        n_overlaps: usize,
    },
    /// A name in a tree would remove files of the layers below.
    #[error("package `{package}`: `{member}` in `{}` is a whiteout: in a layer it removes what lower layers have", .path.display())]
    Whiteout {
        /// The package.
        package: String,
        /// The tree.
        path: PathBuf,
        /// The member, relative to the tree's root.
        member: String,
    },
    /// A file changed while it was read.
    #[error("package `{package}`: `{}` changed while it was read", .path.display())]
    FileChanged {
        /// The package.
        package: String,
        /// The file.
        path: PathBuf,
    },
    /// A blob's bytes are not those of the spec.
    #[error(
        "layer `{layer}`: a package tree of this blob is not what the spec was computed from\nexpected: {expected} ({expected_bytes} bytes)\nfound:    {found}"
    )]
    BlobMismatch {
        /// The layer.
        layer: String,
        /// The diff_id that the spec names.
        expected: Digest,
        /// The size that the spec names.
        expected_bytes: u64,
        /// What the trees give now.
        found: String,
    },
    /// An OCI layout is damaged.
    #[error("`{}` is not a sound OCI layout\n{}", .path.display(), list(.faults, .faults.len()))]
    Layout {
        /// The layout directory.
        path: PathBuf,
        /// Each fault.
        faults: Vec<String>,
    },
}

/// The most conflicts that one error lists.
pub const MAX_CONFLICTS: usize = 20;

/// Names one path that two packages of a layer own, and how they differ.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Conflict {
    /// The path in the image, without a leading slash.
    pub path: String,
    /// The package that comes first in the layer.
    pub first: String,
    /// The other package.
    pub second: String,
    /// How the two differ.
    pub difference: String,
}

impl fmt::Display for Conflict {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            path,
            first,
            second,
            difference,
        } = self;
        write!(
            formatter,
            "`{path}`: `{first}` and `{second}`: {difference}"
        )
    }
}

/// Names one path of a layer that another layer would change.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Overlap {
    /// The path in the image, without a leading slash.
    pub path: String,
    /// Who has it below.
    pub lower: Owner,
    /// Who has it above.
    pub upper: Owner,
    /// How the two differ, the upper one first.
    pub difference: String,
}

/// Says where a member of an image comes from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Owner {
    /// The layer.
    pub layer: String,
    /// The package.
    pub package: String,
    /// The package's tree.
    pub tree: PathBuf,
}

impl fmt::Display for Owner {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            layer,
            package,
            tree,
        } = self;
        let tree = tree.display();
        write!(formatter, "`{package}` of layer `{layer}` (`{tree}`)")
    }
}

impl fmt::Display for Overlap {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            path,
            lower,
            upper,
            difference,
        } = self;
        write!(formatter, "`{path}`: {upper} over {lower}: {difference}")
    }
}

impl Error {
    /// Returns the exit status that this failure asks for.
    pub fn exit_code(&self) -> u8 {
        match self {
            Self::Conflicts { .. }
            | Self::Overlaps { .. }
            | Self::BlobMismatch { .. }
            | Self::Layout { .. } => EXIT_NOT_RIGHT,
            Self::Terminal
            | Self::Json { .. }
            | Self::Invalid { .. }
            | Self::NotATree { .. }
            | Self::SpecialFile { .. }
            | Self::Whiteout { .. }
            | Self::Modes { .. } => EXIT_BAD_INPUT,
            Self::Io { .. } | Self::Output { .. } | Self::Stopped | Self::FileChanged { .. } => {
                EXIT_ENVIRONMENT
            }
        }
    }

    /// Says whether the reader of our output went away, which is no news to anybody.
    pub fn is_closed_pipe(&self) -> bool {
        match self {
            Self::Output { source } => source.kind() == io::ErrorKind::BrokenPipe,
            Self::Stopped => true,
            _ => false,
        }
    }

    /// Returns one action that helps, where there is one.
    pub fn hint(&self) -> Option<&'static str> {
        match self {
            Self::Terminal => {
                Some("pipe it, as in `comfy-image stream --image IMAGE.json | docker load`")
            }
            Self::NotATree { .. } => Some(
                "a package tree is a directory with a directory `root` and, if needed, a text file `modes`",
            ),
            Self::SpecialFile { .. } | Self::Whiteout { .. } => {
                Some("remove the member where the package is built")
            }
            Self::Modes { .. } => Some(
                "a line is an octal mode, one space and a path below `root`, as in `4755 usr/bin/sudo`",
            ),
            Self::Conflicts { .. } => {
                Some("let one package own the path, or make both copies identical")
            }
            Self::Overlaps { .. } => Some(
                "leave the path to one of the two packages, name a directory's mode in the `modes` file of both, or declare the change in `layers/replacements.toml`",
            ),
            Self::BlobMismatch { .. } => Some(
                "check the store with `nix store verify --all`, and repair it with `nix store repair PATH`",
            ),
            Self::Layout { .. } => Some("write it again with `comfy-image oci-layout`"),
            _ => None,
        }
    }

    /// Renders the whole message: error, causes, hint.
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

    pub(crate) fn invalid(what: &'static str, reason: impl Into<String>) -> Self {
        Self::Invalid {
            what,
            reason: reason.into(),
        }
    }
}

/// Shows a path from a tree, with control characters escaped.
pub(crate) fn show(path: &[u8]) -> String {
    let mut text = String::new();
    for character in String::from_utf8_lossy(path).chars() {
        if character.is_control() {
            text.extend(character.escape_default());
        } else {
            text.push(character);
        }
    }
    text
}

fn list(items: &[impl fmt::Display], n_items: usize) -> String {
    let mut lines: Vec<String> = items.iter().map(|item| format!("  {item}")).collect();
    if n_items > items.len() {
        lines.push(format!("  and {} more", n_items - items.len()));
    }
    lines.join("\n")
}
