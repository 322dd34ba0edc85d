//! `status`.

use anyhow::{Result, bail};

use crate::cli::StatusArgs;
use crate::ctx::Ctx;

pub(crate) fn run(_ctx: &Ctx, _args: &StatusArgs) -> Result<()> {
    bail!("not written yet")
}
