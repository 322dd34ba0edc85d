//! `stream`.

use anyhow::{Result, bail};

use crate::cli::StreamArgs;
use crate::ctx::Ctx;

pub(crate) fn run(_ctx: &Ctx, _args: &StreamArgs) -> Result<()> {
    bail!("not written yet")
}
