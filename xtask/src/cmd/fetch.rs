//! `fetch`.

use anyhow::{Result, bail};

use crate::cli::FetchArgs;
use crate::ctx::Ctx;

pub(crate) fn run(_ctx: &Ctx, _args: &FetchArgs) -> Result<()> {
    bail!("not written yet")
}
