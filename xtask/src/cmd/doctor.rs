//! `doctor`.

use anyhow::{Result, bail};

use crate::ctx::Ctx;

pub(crate) fn run(_ctx: &Ctx) -> Result<()> {
    bail!("not written yet")
}
