//! Which fixed outputs a build still needs, and bringing them into the store (design D3).

use anyhow::Result;

use super::Nix;
use crate::ctx::Ctx;
use crate::lock::Origin;

/// A fixed-output derivation that a build needs and the store lacks.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MissingSource {
    /// Store name of the output (after the hash).
    pub name: String,
    /// The output path.
    pub out_path: String,
    /// SRI hash, over the file (flat) or over its NAR (recursive).
    pub hash: String,
    /// NAR hash instead of file hash.
    pub recursive: bool,
    /// Size in bytes when the lock has it.
    pub size: Option<u64>,
    /// Where to look, in order.
    pub origins: Vec<Origin>,
}

/// What a fetch did.
#[derive(Debug, Clone, Default, PartialEq, Eq, serde::Serialize)]
pub struct FetchReport {
    /// Sources brought into the store.
    pub n_fetched: usize,
    /// Bytes over the network.
    pub bytes_fetched: u64,
}

/// The fixed outputs that realizing `drv_paths` needs and the store lacks.
///
/// # Errors
/// Nix fails, or a derivation's `origins` cannot be read.
pub fn missing_sources(
    _ctx: &Ctx,
    _nix: &Nix,
    _drv_paths: &[String],
) -> Result<Vec<MissingSource>> {
    anyhow::bail!("not written yet")
}

/// Brings every fixed output that realizing `drv_paths` needs into the store.
///
/// # Errors
/// Names each source that cannot be had, where it was looked for, and the ways on.
pub fn ensure_sources(_ctx: &Ctx, _nix: &Nix, _drv_paths: &[String]) -> Result<FetchReport> {
    anyhow::bail!("not written yet")
}
