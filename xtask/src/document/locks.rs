//! What `update-locks` prints.

use serde::Serialize;

use super::Document;
use factory_model::lock::Diff;

/// What `update-locks` changed.
#[derive(Debug, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct UpdatedLocks {
    /// Nothing was written.
    pub dry_run: bool,
    /// The locks that differ from before.
    pub locks: Vec<Diff>,
}

impl Document for UpdatedLocks {
    const NAME: &'static str = "update-locks";
}

/// What `update-locks --check` found.
#[derive(Debug, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct CheckedLocks {
    /// Locks that do not belong to the lists as they are, below `package-lists/locks`.
    pub stale: Vec<String>,
    /// Locks that are not as `update-locks` wrote them.
    pub edited: Vec<String>,
    /// Faults of `package-lists/exclusions.toml`.
    pub exclusions: Vec<String>,
}

impl Document for CheckedLocks {
    const NAME: &'static str = "update-locks-check";
}
