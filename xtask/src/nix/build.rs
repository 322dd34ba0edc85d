//! Realizing derivations with a view of what Nix is doing.

use std::time::Duration;

use anyhow::Result;

use super::Nix;
use crate::ctx::Ctx;

/// What a build did.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct BuildReport {
    /// Store paths of derivations that were built in this run, with their build time.
    pub built: Vec<(String, Duration)>,
}

/// Realizes derivations; a live view on a terminal, plain lines elsewhere.
///
/// # Errors
/// A derivation failed: its last log lines, and the `nix log` command.
pub fn build(_ctx: &Ctx, _nix: &Nix, _drv_paths: &[String]) -> Result<BuildReport> {
    anyhow::bail!("not written yet")
}
