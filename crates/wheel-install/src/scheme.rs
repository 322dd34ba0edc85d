//! Where the files of a wheel go: the installation schemes of Python's `sysconfig`, as the
//! image has them.

/// Everything is below it.
const PREFIX: &str = "usr/local";
/// What `#!python` becomes, and what runs entry points.
pub(crate) const INTERPRETER: &str = "/usr/local/bin/python3";

/// A directory of the scheme.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Scheme {
    Purelib,
    Platlib,
    Headers,
    Scripts,
    Data,
}

impl Scheme {
    /// By the name of a directory in `*.data`.
    pub(crate) fn from_name(name: &str) -> Option<Self> {
        match name {
            "purelib" => Some(Self::Purelib),
            "platlib" => Some(Self::Platlib),
            "headers" => Some(Self::Headers),
            "scripts" => Some(Self::Scripts),
            "data" => Some(Self::Data),
            _ => None,
        }
    }

    /// It is `site-packages`.
    pub(crate) fn is_library(self) -> bool {
        matches!(self, Self::Purelib | Self::Platlib)
    }

    /// The directory from the root of the image, without a slash before it.
    pub(crate) fn directory(self, python_directory: &str) -> String {
        match self {
            Self::Purelib | Self::Platlib => {
                format!("{PREFIX}/lib/{python_directory}/site-packages")
            }
            Self::Headers => format!("{PREFIX}/include/{python_directory}"),
            Self::Scripts => format!("{PREFIX}/bin"),
            Self::Data => PREFIX.to_owned(),
        }
    }

    /// What leads there from the directory of a library scheme in which RECORD lies.
    pub(crate) fn prefix_from(self, root: Self, python_directory: &str) -> String {
        match self {
            same if same == root => String::new(),
            // The other of the two is the same directory.
            Self::Purelib | Self::Platlib => "./".to_owned(),
            Self::Headers => format!("../../../include/{python_directory}/"),
            Self::Scripts => "../../../bin/".to_owned(),
            Self::Data => "../../../".to_owned(),
        }
    }
}
