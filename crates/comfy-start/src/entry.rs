//! A file of the image, as what is to be copied names it.

use std::collections::BTreeMap;
use std::path::PathBuf;

/// Points to one file of the image.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    /// Where it is.
    pub source: PathBuf,
    /// Its size in bytes.
    pub size_bytes: u64,
    /// Whether it may be executed.
    pub is_executable: bool,
    /// Whether it is a symlink.
    pub is_link: bool,
}

/// Files by their path in the directory that they belong to.
pub type Entries = BTreeMap<String, Entry>;
