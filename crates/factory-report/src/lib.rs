//! A page about an image and its build: what it is made of, how it came to be, what changed,
//! what was checked, how fast it is.
//!
//! Values go in, one HTML file without any link outside comes out. No network, no process, no
//! clock. Names of files and packages are hostile input: they reach the page as text only.

pub mod bench;
mod changes;
mod checks;
mod contents;
mod html;
mod timeline;
mod treemap;

use serde::Serialize;

pub use changes::{ChangedBlob, ChangedFile, ChangedPackage, ChangedSetting, Changes, FileCounts};
pub use checks::{Check, CheckedImage, Checks};
pub use contents::{Contents, File, Layer, MOST_FILES, Part, PartKind, Tree};
pub use html::page;
pub use timeline::{Step, TimedBuild, Timeline};
pub use treemap::{Frame, Rect, squarify};

/// All that the page shows.
#[derive(Debug, Clone, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Report {
    /// What the image is called.
    pub name: String,
    /// When the report was made, as in `2026-11-22T20:00:00Z`.
    pub made_at: String,
    /// What the image is made of.
    pub contents: Contents,
    /// Its last build here; null where none was recorded.
    pub timeline: Option<Timeline>,
    /// How it differs from another image; null where none was named.
    pub changes: Option<Changes>,
    /// What `verify` found; null where it was not run.
    pub checks: Option<Checks>,
    /// Measured cases against others; empty where nothing was measured.
    pub benchmarks: Vec<bench::Case>,
}
