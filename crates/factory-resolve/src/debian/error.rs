//! What can go wrong while apt solves, and whose fault it is.

use factory_base::error::{Explain, Kind};

/// Why Debian roots cannot be locked.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    /// This machine has no apt.
    #[error("`apt-get` is not on PATH; it solves and verifies the Debian packages")]
    NoApt,
    /// This machine's apt knows no mirror.
    #[error("no apt source of this machine is a mirror of Debian's archive `{archive}`")]
    NoMirror {
        /// `debian` or `debian-security`.
        archive: String,
    },
    /// A mirror lags behind.
    #[error(
        "the Release file of `{suite}` is past its Valid-Until ({since}): the mirror lags behind, or somebody serves an old state"
    )]
    Expired {
        /// The suite.
        suite: String,
        /// As apt says it.
        since: String,
    },
    /// A mirror's Release file is not signed by Debian.
    #[error("a Release file has no valid signature: {line}")]
    Unsigned {
        /// As apt says it.
        line: String,
    },
    /// A mirror does not answer.
    #[error("cannot read the package indexes of the Debian mirrors")]
    Indexes,
    /// The keys of the archive are nowhere.
    #[error("cannot download the pinned Debian archive keyring")]
    Keyring,
    /// A suite on the command line.
    #[error("`--allow-expired {suite}`: no such suite in `package-lists/debian.toml`")]
    UnknownSuite {
        /// As the user wrote it.
        suite: String,
    },
    /// `debian.toml` has no suites.
    #[error("`package-lists/debian.toml` names no suite")]
    NoSuite,
    /// The root of the provided Nix is empty.
    #[error("the root `seed` has no package: `package-lists/debian/seed.apt` must name one")]
    EmptySeed,
    /// The network may not be used.
    #[error("{roots} must be solved again, which needs the network")]
    Offline {
        /// Their names, quoted.
        roots: String,
    },
    /// A root wants another version than one below it has.
    #[error("root `{root}` needs `{name}` {version}, but a root below it has {below}")]
    Moved {
        /// The root.
        root: String,
        /// The package.
        name: String,
        /// The version it needs.
        version: String,
        /// The version there is.
        below: String,
    },
    /// A mirror no longer has a locked version.
    #[error(
        "the mirror no longer has `{name}` {version}, which a lower root has locked, {}",
        instead(.offered)
    )]
    Superseded {
        /// The package.
        name: String,
        /// The locked version.
        version: String,
        /// What the mirror has.
        offered: Vec<String>,
    },
    /// The list has no solution.
    #[error("root `{root}` cannot be solved; apt says:\n{said}")]
    Unsolvable {
        /// The root.
        root: String,
        /// apt's words.
        said: String,
    },
    /// A mirror's index is damaged.
    #[error("the package index of `{suite}` has a stanza without name or version")]
    NamelessStanza {
        /// The suite.
        suite: String,
    },
    /// apt chose what its indexes do not have.
    #[error("apt chose `{name}` {version}, which no index has")]
    NotInIndex {
        /// The package.
        name: String,
        /// Its version.
        version: String,
    },
    /// An index leaves out what a lock must say.
    #[error("the index entry of `{name}` has no `{field}`")]
    NoField {
        /// The package.
        name: String,
        /// The field.
        field: &'static str,
    },
    /// An index says something that is no size or hash.
    #[error("the index entry of `{name}` has a wrong `{field}`: {problem}")]
    BadField {
        /// The package.
        name: String,
        /// The field.
        field: &'static str,
        /// What is wrong with it.
        problem: String,
    },
    /// A mirror sent no Release file.
    #[error("apt kept no Release file for `{suite}`")]
    NoRelease {
        /// The suite.
        suite: String,
    },
    /// A Release file without its time.
    #[error("the Release file of `{suite}` has no Date")]
    NoDate {
        /// The suite.
        suite: String,
    },
    /// A Release file with a time that cannot be read.
    #[error("`{date}` is not a date of a Release file")]
    BadDate {
        /// As it stands there.
        date: String,
    },
    /// An apt of another kind.
    #[error("apt printed an unexpected line: {line}")]
    UnexpectedLine {
        /// The line.
        line: String,
    },
}

impl Explain for Error {
    fn kind(&self) -> Kind {
        match self {
            Self::UnknownSuite { .. }
            | Self::NoSuite
            | Self::EmptySeed
            | Self::Unsolvable { .. } => Kind::BadInput,
            Self::Moved { .. } => Kind::NotRight,
            _ => Kind::Environment,
        }
    }

    fn hints(&self) -> Vec<String> {
        let hint = match self {
            Self::NoApt => {
                "run `cargo xtask update-locks` on Debian or Ubuntu, or in a `debian:stable-slim` container"
            }
            Self::NoMirror { archive } => {
                return vec![format!(
                    "add one under `/etc/apt/sources.list.d`, any suite of `{archive}` will do"
                )];
            }
            Self::Expired { suite, .. } => {
                return vec![
                    format!(
                        "if you trust the mirror, run `cargo xtask update-locks --allow-expired {suite}`"
                    ),
                    "or use a fresh mirror in the apt sources of this machine; Debian's snapshot archive serves every file of an earlier state".to_owned(),
                ];
            }
            Self::Unsigned { .. } => {
                "use another mirror, or replace `[keyring]` in `package-lists/debian.toml` if Debian has new archive keys"
            }
            Self::Indexes => "run `apt-get update` to see whether this machine's own apt works",
            Self::Keyring => {
                "install the package `debian-archive-keyring`, or update `[keyring]` in `package-lists/debian.toml`"
            }
            Self::Offline { .. } => "run `cargo xtask update-locks` without `--offline`",
            Self::Moved { name, .. } | Self::Superseded { name, .. } => {
                return vec![format!(
                    "run `cargo xtask update-locks --upgrade-package {name}`"
                )];
            }
            Self::Unsolvable { .. } => {
                "see `only` in `package-lists/debian.toml`, or run `cargo xtask update-locks --upgrade`"
            }
            Self::NamelessStanza { .. }
            | Self::NoField { .. }
            | Self::BadField { .. }
            | Self::NoRelease { .. }
            | Self::NoDate { .. }
            | Self::BadDate { .. } => {
                "the mirror's index is at fault: try again, or use another mirror in the apt sources of this machine"
            }
            _ => return Vec::new(),
        };
        vec![hint.to_owned()]
    }
}

fn instead(offered: &[String]) -> String {
    match offered {
        [] => "and has no other version of it".to_owned(),
        versions => format!("but {}", versions.join(" and ")),
    }
}
