//! What a derivation asks for.

use std::collections::BTreeMap;
use std::path::PathBuf;

/// A wheel and how it is installed: the arguments of the program.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Request {
    /// Name and version of the package, for messages: `torch 2.11.0`.
    pub package: String,
    /// The wheel, or a directory with one `*.whl` in it.
    pub wheel: PathBuf,
    /// Directory of the standard library below `/usr/local/lib`: `python3.14t`.
    pub python_directory: String,
    /// Installs `*.dist-info` alone: the package's other files come from elsewhere.
    pub metadata_only: bool,
    /// Bytes from which second copies of a file within the wheel become links.
    pub shared_from_bytes: u64,
    /// Large files that another package of the image has too, by path below `site-packages`.
    pub links: BTreeMap<String, Link>,
}

/// A file that another package has with the same bytes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Link {
    /// Where the image has it.
    pub target: String,
    /// Where this machine has it: the bytes are compared.
    pub copy: PathBuf,
}
