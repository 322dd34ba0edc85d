//! What can be wrong with the files of a checkout; `debian` and `python` have their own.

use std::path::PathBuf;

use factory_base::error::{Explain, Kind};
use factory_model::layers::Layers;
use factory_model::list::Faults;
use factory_model::schema::OtherVersion;

/// Why what people or this program wrote cannot be used.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    /// Lines of lists.
    #[error(transparent)]
    Lists(#[from] Faults),
    /// A file of settings.
    #[error("`{file}`: {problem}")]
    BadFile {
        /// From the checkout's root.
        file: String,
        /// What is wrong in it.
        problem: String,
    },
    /// A lock is no lock.
    #[error("cannot read the lock `{}`", .path.display())]
    BadLock {
        /// Where it is.
        path: PathBuf,
    },
    /// A layer is named, and has no directory.
    #[error(
        "`{}` names `{name}`, but there is no directory `layers/{name}`",
        Layers::FILE
    )]
    NoLayerDirectory {
        /// The layer.
        name: String,
    },
    /// A directory looks like a layer's, and no layer is called so.
    #[error(
        "the directory `layers/{name}` is no layer: `{}` does not name it",
        Layers::FILE
    )]
    UnnamedLayerDirectory {
        /// The directory.
        name: String,
    },
    /// A name that no list can hold.
    #[error("`{}` is not UTF-8", .path.display())]
    NotUtf8 {
        /// The file or directory.
        path: PathBuf,
    },
}

impl Explain for Error {
    fn kind(&self) -> Kind {
        Kind::BadInput
    }

    fn hints(&self) -> Vec<String> {
        let hint = match self {
            Self::BadLock { .. } => {
                "restore it from git, or delete it and run `cargo xtask update-locks`"
            }
            Self::NoLayerDirectory { .. } => {
                "make the directory with a `flake.nix` as its neighbours have, or remove the line"
            }
            Self::UnnamedLayerDirectory { .. } => "add its line, in its place",
            _ => return Vec::new(),
        };
        vec![hint.to_owned()]
    }
}

/// What is wrong in the text of one file of settings.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Problem {
    /// It is not TOML, or has other fields.
    #[error(transparent)]
    Toml(#[from] toml::de::Error),
    /// It is of another version.
    #[error(transparent)]
    Version(#[from] OtherVersion),
    /// It can be read, and what it says does not hold together.
    #[error("{0}")]
    Content(String),
}

impl Problem {
    /// As it travels to the user: with the file, from the checkout's root.
    pub(crate) fn of(self, file: impl Into<String>) -> Error {
        Error::BadFile {
            file: file.into(),
            problem: self.to_string(),
        }
    }
}
