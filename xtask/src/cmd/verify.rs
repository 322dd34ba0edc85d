//! `verify`.

use anyhow::{Result, bail};

use crate::cli::VerifyArgs;
use crate::ctx::Ctx;

pub(crate) fn run(_ctx: &Ctx, _args: &VerifyArgs) -> Result<()> {
    bail!("not written yet")
}
