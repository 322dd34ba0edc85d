//! `clean`.

use anyhow::{Result, bail};

use crate::cli::CleanArgs;
use crate::ctx::Ctx;

pub(crate) fn run(_ctx: &Ctx, _args: &CleanArgs) -> Result<()> {
    bail!("not written yet")
}
