//! `completions`: a script that completes subcommands and flags.

use anyhow::Result;
use clap::CommandFactory as _;

use crate::cli::{Cli, CompletionsArgs};
use crate::ctx::Ctx;

pub(super) fn run(ctx: &Ctx, args: &CompletionsArgs) -> Result<()> {
    let mut script = Vec::new();
    clap_complete::generate(args.shell, &mut Cli::command(), "xtask", &mut script);
    ctx.ui.data(String::from_utf8_lossy(&script).trim_end())?;
    Ok(())
}
