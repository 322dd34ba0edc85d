//! `build`: the layers up to one of them.

use anyhow::Result;

use crate::built;
use crate::cli::BuildArgs;
use crate::ctx::Ctx;
use crate::dry_run;
use crate::realize;
use crate::reproducible;

pub(super) fn run(ctx: &Ctx, args: &BuildArgs) -> Result<()> {
    let selection = realize::selection(ctx, &args.variant, &args.layer, args.build.jobs)?;
    let selection = selection.or(&args.instead);
    if args.dry_run {
        return dry_run::run(ctx, &selection);
    }
    let realized = realize::realize(ctx, selection)?;
    if args.build.check_reproducible {
        reproducible::check(ctx, &realized)?;
    }
    built::report(ctx, &realized, None)
}
