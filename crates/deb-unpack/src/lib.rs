//! Unpacks Debian binary packages (deb(5)): an ar archive with one compressed tar of files.
//!
//! The packages are hash-checked before this; the refusals here guard against a lock that
//! was made from a hostile archive.
//!
//! Beside that: which packages of an archive can matter to a few of them.

mod archive;
mod decode;
mod error;
mod limited;
mod unpack;

pub use archive::Archive;
pub use decode::{gzip, zstd};
pub use error::Error;
pub use unpack::{extract_member, unpack};
