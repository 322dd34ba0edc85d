//! `update_locks`.

use anyhow::{Result, bail};

use crate::cli::UpdateLocksArgs;
use crate::ctx::Ctx;

pub(crate) fn run(_ctx: &Ctx, _args: &UpdateLocksArgs) -> Result<()> {
    bail!("not written yet")
}
