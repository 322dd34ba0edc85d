//! What one case measured: each run, and where it ran. `bench/results/CASE.json`.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::{Case, Error, Spread};

/// All runs of one case, of this project and of its peers, on one machine.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Measured {
    /// The case.
    pub case: Case,
    /// Commit of the checkout.
    pub revision: String,
    /// Tracked files differed from that commit.
    pub modified: bool,
    /// When it began, RFC 3339 in UTC.
    pub date: String,
    /// Variant of the image.
    pub variant: String,
    /// Where it ran.
    pub machine: Machine,
    /// Processes that wanted a processor in the minute before (proc(5), `loadavg`).
    pub load_average: f64,
    /// What a reader must know to judge the figures.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub notes: Vec<String>,
    /// What was measured, in the order of the table.
    pub series: Vec<Series>,
}

/// A machine, without its name.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct Machine {
    /// The processor's model, as `/proc/cpuinfo` has it.
    pub processor: String,
    /// Processors that this process may use.
    pub n_cores: usize,
    /// Bytes of memory.
    pub memory_bytes: u64,
    /// Kernel release.
    pub kernel: String,
    /// File system and kind of the disk that was written to: `ext4, solid state`.
    pub disk: String,
    /// What each program says of its version.
    pub programs: BTreeMap<String, String>,
}

/// Whose runs they are.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "kebab-case")]
pub enum Side {
    /// This project's.
    Ours,
    /// A peer's.
    Peer,
}

/// The same thing, done several times by one of those that are compared.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct Series {
    /// What was done: `until it runs in podman`. Series with the same text are compared.
    pub what: String,
    /// Who did it: `cargo xtask`, `Dockerfile + uv`.
    pub by: String,
    /// Whose it is.
    pub side: Side,
    /// Every run.
    pub runs: Vec<Run>,
}

/// One run. What makes no sense for a case is absent.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct Run {
    /// Its place among all runs of the case, from 1: who went first, and what came between.
    pub order: u32,
    /// Seconds from start to end.
    pub wall_seconds: f64,
    /// Seconds of processors, in user and in kernel mode, of all processes that it started.
    pub cpu_seconds: f64,
    /// Most bytes of memory at one moment: the resident sets of its processes, added up, so
    /// that what two of them share counts twice; looked at ten times a second.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub peak_memory_bytes: Option<u64>,
    /// Most bytes that its file system had in use above what it had before; looked at as often.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub peak_disk_bytes: Option<u64>,
    /// Bytes that were hashed, sent or loaded.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub moved_bytes: Option<u64>,
    /// HTTP requests that a registry answered.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub n_requests: Option<u64>,
    /// Packages or layers: time and memory are compared for each.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub n_items: Option<u64>,
}

impl Measured {
    /// Reads a document of `bench/results/`.
    ///
    /// # Errors
    /// It is not one; `file` is named.
    pub fn read(file: &str, text: &str) -> Result<Self, Error> {
        crate::parse(file, text)
    }
}

impl Series {
    /// Wall time of its runs, seconds; `None` without any.
    pub fn wall(&self) -> Option<Spread> {
        Spread::of(self.runs.iter().map(|run| run.wall_seconds))
    }

    /// Processor time of its runs, seconds.
    pub fn cpu(&self) -> Option<Spread> {
        Spread::of(self.runs.iter().map(|run| run.cpu_seconds))
    }

    /// Some other figure of those runs that have it.
    pub fn spread(&self, figure: impl Fn(&Run) -> Option<f64>) -> Option<Spread> {
        Spread::of(self.runs.iter().filter_map(figure))
    }
}
