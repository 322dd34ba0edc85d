//! What can go wrong while fetching, and whose fault it is.

use std::path::PathBuf;

use factory_base::error::{Explain, Kind};

/// Why something cannot be fetched. Faults of one server are [`crate::RequestError`]s.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    /// No candidate serves the right bytes.
    #[error("cannot fetch `{name}`{}", listed(.reasons))]
    Nowhere {
        /// What was wanted.
        name: String,
        /// What each candidate did wrong; empty where there is none.
        reasons: Vec<String>,
    },
    /// The one origin does not give a tree.
    #[error("cannot fetch `{name}`")]
    NoTree {
        /// What was wanted.
        name: String,
    },
    /// A tree with another hash.
    #[error("wrong NAR hash of {from}\n      expected {expected}\n      found    {found}")]
    WrongTree {
        /// Repository and revision, or deb and member.
        from: String,
        /// In SRI form.
        expected: String,
        /// In SRI form.
        found: String,
        /// Whether submodules were part of it; `None` outside git.
        submodules: Option<bool>,
        /// Files in it whose content lies elsewhere.
        pointers: Option<String>,
    },
    /// A tree is to come from where only files are.
    #[error("the recursive source `{name}` has the origin {origin}")]
    NotATree {
        /// What was wanted.
        name: String,
        /// As the lock has it.
        origin: String,
    },
    /// A file is to come from where only trees are.
    #[error("the origin {origin} is a tree, not a file")]
    NotAFile {
        /// As the lock has it.
        origin: String,
    },
    /// The network may not be used.
    #[error("{}not asked, because of `--offline`", prefixed(.url.as_deref()))]
    Offline {
        /// What would have been asked, unless the reader knows.
        url: Option<String>,
    },
    /// No index has a file.
    #[error("{}", .reasons.join("; "))]
    NotInIndexes {
        /// What each index says.
        reasons: Vec<String>,
    },
    /// A page of a Python index is neither of the two formats.
    #[error("the project page {url} cannot be read: {problem}")]
    BadPage {
        /// Where it is.
        url: String,
        /// What is wrong with it.
        problem: String,
    },
    /// Nothing says which Python index to use.
    #[error("no Python index is configured, and no pip knows the default")]
    NoIndex,
    /// A file that another program of the user reads, too.
    #[error("cannot read `{}`: {problem}", .path.display())]
    BadSettings {
        /// Which file.
        path: PathBuf,
        /// What is wrong with it.
        problem: String,
    },
    /// An address in a lock, a list or a setting.
    #[error("`{url}` {problem}")]
    BadUrl {
        /// Without its password.
        url: String,
        /// What is wrong with it.
        problem: String,
    },
    /// A crate that cargo was to bring.
    #[error("cargo has no `{file}` in its cache, although `Cargo.lock` should name it")]
    NoCrate {
        /// `NAME-VERSION.crate`.
        file: String,
    },
    /// The environment does not say where cargo keeps its files.
    #[error("neither `CARGO_HOME` nor `HOME` is set")]
    NoCargoHome,
    /// A part of a file cannot be kept.
    #[error("cannot write `{}`", .path.display())]
    CannotWrite {
        /// The part.
        path: PathBuf,
        /// Whether the disk is full.
        is_full: bool,
    },
    /// A repository names a submodule without saying where it is.
    #[error("{url} at {rev} has a submodule `{path}` that `.gitmodules` gives no URL for")]
    NoSubmoduleUrl {
        /// The repository.
        url: String,
        /// Its revision.
        rev: String,
        /// The submodule.
        path: String,
    },
    /// A repository does not have the content of a file that it lists.
    #[error("{url} does not have the file `{path}` of {rev}")]
    MissingFile {
        /// The repository, before the user's `insteadOf`.
        url: String,
        /// Its revision.
        rev: String,
        /// The file.
        path: String,
    },
    /// A pattern of what a tree leaves out.
    #[error("`{pattern}`, which the tree is to leave out, is not in {url} at {rev}")]
    ExcludesNothing {
        /// The repository.
        url: String,
        /// Its revision.
        rev: String,
        /// The pattern.
        pattern: String,
    },
    /// A tree to be hashed holds something else.
    #[error("`{}` is neither a file, a link nor a directory", .path.display())]
    SpecialFile {
        /// Where it is.
        path: PathBuf,
    },
}

impl Explain for Error {
    fn kind(&self) -> Kind {
        match self {
            Self::Nowhere { .. }
            | Self::NoTree { .. }
            | Self::WrongTree { .. }
            | Self::Offline { .. }
            | Self::NotInIndexes { .. }
            | Self::BadPage { .. }
            | Self::NoIndex
            | Self::NoCrate { .. }
            | Self::NoCargoHome
            | Self::MissingFile { .. }
            | Self::CannotWrite { .. } => Kind::Environment,
            Self::NotATree { .. }
            | Self::NotAFile { .. }
            | Self::BadSettings { .. }
            | Self::BadUrl { .. }
            | Self::NoSubmoduleUrl { .. }
            | Self::ExcludesNothing { .. }
            | Self::SpecialFile { .. } => Kind::BadInput,
        }
    }

    fn hints(&self) -> Vec<String> {
        let hint = match self {
            Self::NoIndex => {
                "install pip (`apt-get install python3-pip`), or set `UV_DEFAULT_INDEX` to the index you use"
            }
            Self::NoCrate { .. } => "let cargo bring it: `cargo fetch --locked`",
            Self::CannotWrite { is_full: true, .. } => {
                "free some space, or set `XDG_CACHE_HOME` to a directory on a larger disk; \
                 the download resumes where it stopped"
            }
            Self::NoSubmoduleUrl { .. } => {
                "it cannot be fetched with submodules: set `submodules = false` in `package-lists/sources.toml`, with the hash of that tree"
            }
            Self::ExcludesNothing { .. } => {
                "change `exclude` in `package-lists/sources.toml` to what this revision has"
            }
            Self::MissingFile { path, .. } => return of_missing_file(path),
            Self::WrongTree {
                submodules: Some(submodules),
                pointers,
                ..
            } => return of_wrong_tree(*submodules, pointers.as_deref()),
            _ => return Vec::new(),
        };
        vec![hint.to_owned()]
    }
}

fn of_missing_file(path: &str) -> Vec<String> {
    vec![
        "a mirror may have been copied without large files: fetch from the original".to_owned(),
        format!(
            "if no image needs `{path}`, add it to `exclude` in `package-lists/sources.toml`, with the hash of what remains"
        ),
    ]
}

fn of_wrong_tree(submodules: bool, pointers: Option<&str>) -> Vec<String> {
    let other = if submodules { "without" } else { "with" };
    let pointers = pointers.map(|pointers| format!("the hash may be that of a tree with the content of Git LFS, which is not fetched: {pointers}"));
    let others = [
        format!("the hash may be that of the tree {other} its submodules: see `submodules` in `package-lists/sources.toml`"),
        "if the revision is the right one, and a second look at its files finds nothing strange, write the found hash into `package-lists/sources.toml` and run `cargo xtask update-locks`".to_owned(),
    ];
    pointers.into_iter().chain(others).collect()
}

fn listed(reasons: &[String]) -> String {
    if reasons.is_empty() {
        return ": nothing says where it is".to_owned();
    }
    reasons
        .iter()
        .map(|reason| format!("\n    {reason}"))
        .collect()
}

fn prefixed(url: Option<&str>) -> String {
    url.map(|url| format!("{url}: ")).unwrap_or_default()
}
