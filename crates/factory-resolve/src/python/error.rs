//! What can go wrong while uv resolves and files are chosen, and whose fault it is.

use factory_base::error::{Explain, Kind};

use super::name::PackageName;
use super::wheel::Abi;
use super::wheel_files::WheelFiles;

/// Why Python lists cannot be locked.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    /// The lists, bounds and releases there are have no solution.
    #[error("the lists cannot be resolved for `{variant}`{places}\nuv says:{said}")]
    Unresolvable {
        /// The variant.
        variant: String,
        /// The lines that uv's words are about, each on a line of its own.
        places: String,
        /// uv's words, each line below the last.
        said: String,
    },
    /// Releases were found, and no file of theirs can be used.
    #[error("`{job}`: no usable file for {abi}\n  {}", .faults.join("\n  "))]
    NoUsableFile {
        /// The variant, or `build`.
        job: String,
        /// Its interpreter.
        abi: Abi,
        /// One for each package.
        faults: Vec<String>,
    },
    /// What uv resolved is nobody's dependency.
    #[error("no list needs `{name}`, which uv resolved")]
    NotNeeded {
        /// The package.
        name: PackageName,
    },
    /// A name on the command line.
    #[error("there is no variant `{name}`; `package-lists/variants.toml` has {}", .known.join(", "))]
    UnknownVariant {
        /// As the user wrote it.
        name: String,
        /// Those there are.
        known: Vec<String>,
    },
    /// The network may not be used.
    #[error("`{job}` must be resolved again, which needs the network")]
    Offline {
        /// The variant, or `build`.
        job: String,
    },
    /// A direct reference is no wheel.
    #[error("`package-lists/variants.toml`: direct.{name}: {problem}")]
    BadDirect {
        /// The package.
        name: PackageName,
        /// What is wrong with it.
        problem: String,
    },
    /// The pinned interpreter is missing from the list of sources.
    #[error("`package-lists/sources.toml` has no table `tarball.cpython`")]
    NoCpython,
    /// CPython cannot be compiled here.
    #[error("an interpreter {abi} must be built to resolve for it, and `{program}` is not on PATH")]
    NoBuildProgram {
        /// What is to be compiled.
        abi: Abi,
        /// What is missing.
        program: &'static str,
    },
    /// There is no uv, and none can be had.
    #[error("cannot install `{requirement}`, which resolves the Python lists")]
    NoUv {
        /// What pip was asked for.
        requirement: String,
    },
    /// uv failed before it came to the requirements.
    #[error("uv cannot resolve the Python lists")]
    UvFailed,
    /// A uv of another kind.
    #[error("uv wrote an unexpected line: {line}")]
    UnexpectedLine {
        /// The line.
        line: String,
    },
    /// A uv of another kind.
    #[error("uv wrote a lock that cannot be read: {problem}")]
    BadPylock {
        /// What is wrong with it.
        problem: String,
    },
    /// An index offers a wheel whose name says nothing.
    #[error("the index has a wheel that cannot be one: {problem}")]
    BadWheelName {
        /// What is wrong with its name.
        problem: String,
    },
    /// A file of an index cannot be pinned.
    #[error("the index gives no SHA-256 for `{file}`")]
    NoSha256 {
        /// The file.
        file: String,
    },
    /// A file of an index cannot be pinned.
    #[error("the index gives a wrong SHA-256 for `{file}`: {problem}")]
    BadSha256 {
        /// The file.
        file: String,
        /// What is wrong with it.
        problem: String,
    },
    /// An override takes a wheel for another ABI.
    #[error(
        "`package-lists/variants.toml` takes the wheel of `{name}` for {abi}, and there is none with native code that only {abi} gets"
    )]
    NoWheelFor {
        /// The project.
        name: PackageName,
        /// Whose wheel it should be.
        abi: Abi,
    },
    /// Nobody says what a source distribution requires.
    #[error(
        "`package-lists/sdists.toml` does not have the requirements of\n  {}",
        .packages.join("\n  ")
    )]
    UnknownSdists {
        /// Name, version, and the version whose requirements are there.
        packages: Vec<String>,
    },
    /// A list of single files does not belong to these wheels.
    #[error("`{}` does not fit the wheels\n  {}", WheelFiles::FILE, .faults.join("\n  "))]
    WheelFilesDoNotFit {
        /// One for each file.
        faults: Vec<String>,
    },
    /// Servers do not show which files their wheels have.
    #[error("{}", .reasons.join("\n"))]
    WheelsNotShown {
        /// Of some of the wheels.
        reasons: Vec<String>,
    },
    /// A locked wheel is gone.
    #[error("no index has `{file}`")]
    NotInIndex {
        /// The wheel.
        file: String,
    },
}

impl Explain for Error {
    fn kind(&self) -> Kind {
        match self {
            Self::Unresolvable { .. }
            | Self::NoUsableFile { .. }
            | Self::UnknownVariant { .. }
            | Self::BadDirect { .. }
            | Self::NoCpython
            | Self::NoWheelFor { .. }
            | Self::UnknownSdists { .. }
            | Self::WheelFilesDoNotFit { .. } => Kind::BadInput,
            Self::NotNeeded { .. } => Kind::Bug,
            _ => Kind::Environment,
        }
    }

    fn hints(&self) -> Vec<String> {
        let hint = match self {
            Self::Unresolvable { .. } => {
                "correct the line, or change the bound that excludes it; a variant may also leave out a line (`package-lists/exclusions.toml`)"
            }
            Self::NoUsableFile { .. } => {
                "bound the version in `package-lists/constraints.txt`, exclude it in `package-lists/exclusions.toml`, or add a recipe and name it in `sdists` of `package-lists/variants.toml`"
            }
            Self::Offline { .. } => "run `cargo xtask update-locks` without `--offline`",
            Self::NoBuildProgram { .. } => {
                "run `apt-get install gcc make tar xz-utils zlib1g-dev libssl-dev`, or put such an interpreter on PATH"
            }
            Self::NoUv { .. } => {
                "install uv yourself, or `apt-get install python3-pip`, then run the command again"
            }
            Self::UvFailed => {
                "if it cannot reach the index, check the settings of uv or pip (`uv.toml`, `pip config list`)"
            }
            Self::BadWheelName { .. } | Self::NoSha256 { .. } | Self::BadSha256 { .. } => {
                "the index must publish names and SHA-256 of its files (PEP 503, PEP 691): use another one, or another mirror"
            }
            Self::UnexpectedLine { .. } | Self::BadPylock { .. } => {
                "a newer uv may write otherwise: take it off PATH, and the pinned one is installed"
            }
            Self::NoWheelFor { .. } => {
                "remove `wheel_for` from its override: it has native code of its own, or none at all"
            }
            Self::UnknownSdists { .. } => {
                "write version and requirements there, as the `PKG-INFO` of the sdist says, or bound the version in `package-lists/constraints.txt`"
            }
            Self::WheelFilesDoNotFit { .. } => {
                "a file that two wheels of the CUDA toolkit have with different bytes must be `left_out` of one; a path that its wheel no longer has must go"
            }
            Self::WheelsNotShown { .. } => {
                "the index must send parts of files (HTTP ranges); try again, or another mirror"
            }
            _ => return Vec::new(),
        };
        vec![hint.to_owned()]
    }
}
