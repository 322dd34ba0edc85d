//! `load`.

use anyhow::{Result, bail};

use crate::cli::LoadArgs;
use crate::ctx::Ctx;

pub(crate) fn run(_ctx: &Ctx, _args: &LoadArgs) -> Result<()> {
    bail!("not written yet")
}
