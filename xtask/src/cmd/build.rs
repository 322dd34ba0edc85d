//! `build` and `build-final`.

use anyhow::{Result, bail};

use crate::cli::{BuildArgs, BuildFinalArgs};
use crate::ctx::Ctx;

pub(crate) fn run(_ctx: &Ctx, _args: &BuildArgs) -> Result<()> {
    bail!("not written yet")
}

pub(crate) fn run_final(_ctx: &Ctx, _args: &BuildFinalArgs) -> Result<()> {
    bail!("not written yet")
}
