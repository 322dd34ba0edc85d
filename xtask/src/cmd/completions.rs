//! `completions`.

use anyhow::{Result, bail};

use crate::cli::CompletionsArgs;
use crate::ctx::Ctx;

pub(crate) fn run(_ctx: &Ctx, _args: &CompletionsArgs) -> Result<()> {
    bail!("not written yet")
}
