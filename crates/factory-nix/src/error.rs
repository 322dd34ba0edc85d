//! What can go wrong around Nix, and whose fault it is.
//!
//! The only file of this crate that names commands and flags of the program above it: what to
//! do next is part of a failure, and the same whatever command met it. A test of the command
//! line holds these names against it.

use std::path::PathBuf;

use factory_base::error::{Explain, Kind};
use factory_base::text::bytes;

/// How many of a longer list a message names.
const NAMED: usize = 10;
/// How many lines of Nix's own words an evaluation error repeats.
const SHOWN_LINES: usize = 30;

/// Why Nix cannot do its work, or cannot be had.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    /// `XTASK_NIX` names no lock.
    #[error(
        "`{}={name}`: no Nix is locked under this name, only {}",
        super::environment::NIX_VARIABLE,
        .known.join(", ")
    )]
    UnknownNix {
        /// As the user wrote it.
        name: String,
        /// The names that there are.
        known: Vec<String>,
    },
    /// A lock that the bootstrap reads.
    #[error("cannot read `{}`: {problem}", .path.display())]
    BadLock {
        /// The lock.
        path: PathBuf,
        /// What is wrong with it.
        problem: String,
    },
    /// What the systems are called is not known.
    #[error("`{}`: {problem}", .path.display())]
    BadSystems {
        /// The file.
        path: PathBuf,
        /// What is wrong in it.
        problem: String,
    },
    /// A build for a machine of another kind, and nobody to run it.
    #[error("this machine builds for {own}, and nothing here builds for {system}")]
    NoBuilder {
        /// The system that was asked for.
        system: String,
        /// This machine's.
        own: String,
    },
    /// The lock of the one static program is not about one program.
    #[error("the lock of the seed must have exactly one package")]
    BadSeed,
    /// The unpacked program does not run.
    #[error("the Nix unpacked at `{}` does not run on this machine", .root.display())]
    DoesNotRun {
        /// Where it was unpacked.
        root: PathBuf,
    },
    /// Nix says something in a form of another version.
    #[error("`{command}` of {version} answers in a form that is not known here")]
    UnknownAnswer {
        /// What was asked.
        command: &'static str,
        /// What `nix --version` says.
        version: String,
    },
    /// A derivation file of another form.
    #[error("`{drv_path}`, written by {version}, has a form that is not known here")]
    UnknownDerivation {
        /// The file.
        drv_path: String,
        /// What `nix --version` says.
        version: String,
    },
    /// A derivation file that is not there.
    #[error("cannot read `{drv_path}`")]
    NoDerivation {
        /// The file.
        drv_path: String,
    },
    /// A source that the Nix code did not make as all others.
    #[error("the source `{drv_path}` {problem}")]
    BadSource {
        /// Its derivation.
        drv_path: String,
        /// What is wrong with it.
        problem: String,
    },
    /// The flake does not evaluate.
    #[error("the flake does not evaluate for variant `{variant}`{}", said(.lines))]
    NotEvaluated {
        /// As the flake calls it.
        variant: String,
        /// All that Nix said.
        lines: Vec<String>,
    },
    /// The flake evaluates to something else.
    #[error("the flake's {what} cannot be read: {problem}")]
    BadFlake {
        /// What was asked for.
        what: &'static str,
        /// What is wrong with it.
        problem: String,
    },
    /// The flake gives the plan of another variant.
    #[error("asked the flake for `{asked}`, got the plan of `{got}`")]
    OtherVariant {
        /// What was asked for.
        asked: String,
        /// What came.
        got: String,
    },
    /// The flake's layers are not in order.
    #[error("the layers of the flake's plan are not in order")]
    LayersNotInOrder,
    /// The flake lacks a layer that has a directory.
    #[error("the flake's plan of `{variant}` has no layer `{layer}`")]
    NoLayer {
        /// The variant.
        variant: String,
        /// The layer.
        layer: String,
    },
    /// Sources are missing, and the network may not be used.
    #[error(
        "{} not in the store, and `--offline` forbids fetching\n{}",
        plural(.sources.len(), "source is", "sources are"),
        named(.sources)
    )]
    Offline {
        /// Each with its size.
        sources: Vec<String>,
    },
    /// Sources would not fit.
    #[error(
        "not enough disk space at `{}`\n    needed {}\n    free   {}",
        .place.display(),
        bytes(*.needed),
        bytes(*.free)
    )]
    NoSpace {
        /// Where.
        place: PathBuf,
        /// In bytes.
        needed: u64,
        /// In bytes.
        free: u64,
    },
    /// Nobody who may have some sources answers.
    #[error(
        "{} neither in the store nor reachable{}",
        plural(.silent.iter().map(|(_, sources)| sources.len()).sum(), "source is", "sources are"),
        grouped(.silent)
    )]
    Unreachable {
        /// What was said, and the sources it is said of.
        silent: Vec<(String, Vec<String>)>,
        /// One of the git repositories among them.
        git: Option<String>,
    },
    /// Several sources cannot be fetched.
    #[error("{} of {n_sources} sources cannot be fetched\n{}", .reasons.len(), named(.reasons))]
    NotFetched {
        /// Out of how many.
        n_sources: usize,
        /// One for each.
        reasons: Vec<String>,
        /// What to do about them.
        hints: Vec<String>,
    },
    /// Some sources cannot be reached, and others not fetched.
    #[error("{unreachable}\n{rest}")]
    NotAllFetched {
        /// The former.
        unreachable: Box<Error>,
        /// The latter.
        rest: String,
        /// What to do about these.
        hints: Vec<String>,
    },
    /// A source has another store path than its derivation says.
    #[error(
        "`{name}` came into the store at another path\n    expected {expected}\n    found    {found}"
    )]
    OtherPath {
        /// The source.
        name: String,
        /// What the derivation says.
        expected: String,
        /// What the store says.
        found: String,
    },
    /// A build stopped because there is no room.
    #[error("the disk is full: {what}")]
    DiskFull {
        /// What could not be built, with its log.
        what: String,
    },
    /// Derivations that cannot be built.
    #[error("{what}")]
    NotBuilt {
        /// What could not be built, with its log.
        what: String,
        /// Whether sources are among them, and up to which layer they are needed.
        sources: Option<Option<String>>,
        /// Commands that print whole logs.
        logs: Vec<String>,
    },
    /// The times that people wrote down.
    #[error("`{}` cannot be read: {problem}", .path.display())]
    BadTimes {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        problem: String,
    },
    /// The times have a schema of another version.
    #[error("`{}`: {problem}", .path.display())]
    OtherSchema {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        problem: String,
    },
    /// A file that is to hold a key.
    #[error("`{}` does not hold a secret key of Nix", .file.display())]
    NotAKey {
        /// The file; what it holds is not repeated.
        file: PathBuf,
    },
    /// A key that cannot be kept.
    #[error("cannot write `{}`: {problem}", .path.display())]
    CannotWrite {
        /// Its file.
        path: PathBuf,
        /// Why not.
        problem: String,
    },
    /// A path that no URL can have.
    #[error("`{}` is not UTF-8", .path.display())]
    NotUtf8 {
        /// The path.
        path: PathBuf,
    },
    /// A binary cache that somebody else wrote to.
    #[error(
        "`{}` holds what was not signed with the key `{}`, or was altered since: {said}",
        .directory.display(),
        .key.display()
    )]
    NotSigned {
        /// The cache.
        directory: PathBuf,
        /// The file of the key.
        key: PathBuf,
        /// Nix's own words.
        said: String,
    },
}

impl Explain for Error {
    fn kind(&self) -> Kind {
        match self {
            Self::UnknownNix { .. }
            | Self::BadLock { .. }
            | Self::BadSeed
            | Self::BadSystems { .. }
            | Self::BadSource { .. }
            | Self::NotEvaluated { .. }
            | Self::BadFlake { .. }
            | Self::OtherVariant { .. }
            | Self::LayersNotInOrder
            | Self::NoLayer { .. }
            | Self::BadTimes { .. }
            | Self::OtherSchema { .. }
            | Self::NotAKey { .. }
            | Self::NotUtf8 { .. } => Kind::BadInput,
            Self::DoesNotRun { .. }
            | Self::NoBuilder { .. }
            | Self::UnknownAnswer { .. }
            | Self::UnknownDerivation { .. }
            | Self::NoDerivation { .. }
            | Self::Offline { .. }
            | Self::NoSpace { .. }
            | Self::Unreachable { .. }
            | Self::NotFetched { .. }
            | Self::NotAllFetched { .. }
            | Self::DiskFull { .. }
            | Self::CannotWrite { .. } => Kind::Environment,
            Self::NotBuilt { .. } | Self::NotSigned { .. } => Kind::NotRight,
            Self::OtherPath { .. } => Kind::Bug,
        }
    }

    fn hints(&self) -> Vec<String> {
        let hint = match self {
            Self::NoBuilder { system, .. } => return of_builder(system),
            Self::DoesNotRun { .. } => "install Nix 2.26 or newer; it is used when it is on PATH",
            Self::UnknownAnswer { .. } => "`cargo xtask doctor` names the tested versions of Nix",
            Self::UnknownDerivation { .. } => {
                "`cargo xtask doctor` names the tested versions of Nix; without one on PATH a tested one is provided"
            }
            Self::BadSource { .. } => "sources are made by `nix/mkSource.nix`",
            Self::NotEvaluated { lines, .. } => return of_evaluation(lines),
            Self::Offline { .. } => {
                "run `cargo xtask fetch` once with a network; builds work offline from then on"
            }
            Self::NoSpace { .. } => "`cargo xtask clean` says what can be removed",
            Self::Unreachable { git, .. } => return of_unreachable(git.as_deref()),
            Self::NotFetched { hints, .. } => return hints.clone(),
            Self::NotAllFetched {
                unreachable, hints, ..
            } => {
                return unreachable
                    .hints()
                    .into_iter()
                    .chain(hints.clone())
                    .collect();
            }
            Self::DiskFull { .. } => {
                "make room, for example with `cargo xtask clean --store --yes`, and run the same command again: what is built stays built"
            }
            Self::NotBuilt { sources, logs, .. } => {
                return of_build(sources.as_ref().map(Option::as_deref), logs);
            }
            Self::NotAKey { .. } => "`nix key generate-secret --key-name NAME` prints one",
            Self::NotSigned { .. } => {
                return vec![
                    "if another machine saved it, give its key: `--key FILE`".to_owned(),
                    "if nobody should have written to it, remove it: what it held is built again"
                        .to_owned(),
                ];
            }
            _ => return Vec::new(),
        };
        vec![hint.to_owned()]
    }
}

fn of_evaluation(lines: &[String]) -> Vec<String> {
    let says = |needle: &str| lines.iter().any(|line| line.contains(needle));
    let hint = if says("is not tracked by Git")
        || says("does not exist")
        || says("No such file or directory")
    {
        "Nix sees only files that git tracks: is a new file missing from `git add`?"
    } else if says("does not provide attribute") {
        "the flake lacks this variant although `package-lists/variants.toml` has it"
    } else {
        return Vec::new();
    };
    vec![hint.to_owned()]
}

fn of_builder(system: &str) -> Vec<String> {
    vec![
        format!(
            "build on such a machine; or name in `/etc/nix/nix.conf` a remote builder (`builders = ssh-ng://HOST {system}`), or emulation by binfmt_misc (`extra-platforms = {system}`): `docs/systems.md`"
        ),
        "`cargo xtask plan` and `--dry-run` need none".to_owned(),
    ]
}

fn of_unreachable(git: Option<&str>) -> Vec<String> {
    let Some(url) = git else {
        return vec![
            "behind a proxy: set `HTTPS_PROXY`; `cargo xtask doctor` says what each client uses"
                .to_owned(),
        ];
    };
    let host = url.splitn(4, '/').take(3).collect::<Vec<_>>().join("/");
    vec![format!(
        "behind a mirror: `git config --global url.MIRROR/.insteadOf {host}/`; behind a proxy: set `HTTPS_PROXY`"
    )]
}

fn of_build(sources: Option<Option<&str>>, logs: &[String]) -> Vec<String> {
    let sources = sources.map(|layer| {
        let layer = layer.map_or(String::new(), |layer| format!(" {layer}"));
        format!("sources are missing; bring them with `cargo xtask fetch{layer}`")
    });
    let logs = logs.iter().map(|log| format!("the whole log: `{log}`"));
    sources.into_iter().chain(logs).collect()
}

fn said(lines: &[String]) -> String {
    let from = lines.len().saturating_sub(SHOWN_LINES);
    lines[from..]
        .iter()
        .filter(|line| !line.trim().is_empty())
        .map(|line| format!("\n    {line}"))
        .collect()
}

fn grouped(silent: &[(String, Vec<String>)]) -> String {
    let mut text = String::new();
    for (reasons, sources) in silent {
        text.push_str(&format!("\n    {reasons}"));
        for source in sources {
            text.push_str(&format!("\n        {source}"));
        }
    }
    text
}

fn plural(count: usize, one: &str, many: &str) -> String {
    format!("{count} {}", if count == 1 { one } else { many })
}

fn named(items: &[String]) -> String {
    let mut lines: Vec<_> = items
        .iter()
        .take(NAMED)
        .map(|item| format!("    {item}"))
        .collect();
    if items.len() > NAMED {
        lines.push(format!("    and {} more", items.len() - NAMED));
    }
    lines.join("\n")
}
