//! What is wanted, and what came of it.

use std::path::PathBuf;

use factory_model::lock::{Origin, Sha256};

/// What is wanted: a file, or a tree of files.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Job {
    /// For messages.
    pub name: String,
    /// Where to look, in order.
    pub origins: Vec<Origin>,
    /// What the bytes must hash to; for a tree, its NAR.
    pub sha256: Sha256,
    /// How many bytes there must be, when known.
    pub size: Option<u64>,
    /// Where it goes when it is whole.
    pub destination: PathBuf,
}

/// What is in its place.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Done {
    /// Bytes that came over the network in this run.
    pub bytes_fetched: u64,
}
