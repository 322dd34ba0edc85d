//! The committed locks as types: registry, file name, size and SHA-256, never a host.
//!
//! Pure: text in, types out. Nix reads the same files with `builtins.fromTOML`. [`text`] writes
//! every lock with a checksum of its lines, and [`parse`] says whether it still holds.

mod debian;
mod diff;
mod names;
mod python;
mod seal;
mod sha256;
mod sources;
mod tree_pattern;

pub use debian::{DebianLock, DebianPackage};
pub use diff::{Diff, Entry, diff};
pub use python::{
    DistributionKind, PythonGit, PythonLock, PythonPackage, PythonProvided, SharedFile,
};
pub use seal::{Sealed, is_sealed, parse, text};
pub use sha256::{ParseSha256Error, Sha256, SriSha256};
pub(crate) use sources::short_revision;
pub use sources::{GitKind, GitTree, Origin, SourcesLock, Tarball, Weights};
pub use tree_pattern::{ParseTreePatternError, TreePattern};
