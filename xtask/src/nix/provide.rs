//! Finds a Nix that is new enough, or unpacks the pinned one into the cache (design D4).

use anyhow::Result;

use super::Nix;
use crate::ctx::Ctx;

impl Nix {
    /// The user's Nix when it is 2.26 or newer; else the provided one.
    ///
    /// # Errors
    /// The debs cannot be fetched, or the unpacked program does not run.
    pub fn find_or_provide(_ctx: &Ctx) -> Result<Self> {
        anyhow::bail!("not written yet")
    }
}
