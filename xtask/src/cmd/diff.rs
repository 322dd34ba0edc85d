//! `diff`: what differs between two images, wherever they are.

use anyhow::Result;

use crate::changes;
use crate::cli::DiffArgs;
use crate::comparison::compare;
use crate::ctx::Ctx;
use crate::document::{self, Diff};
use crate::exit::Passed;
use crate::operand::Operand;
use factory_base::text;

pub(super) fn run(ctx: &Ctx, args: &DiffArgs) -> Result<()> {
    let mut old = Operand::open(ctx, &args.old)?;
    let mut new = Operand::open(ctx, &args.new)?;
    let (diff, n_bytes) = compare(ctx, &mut old, &mut new, args.files)?;
    if ctx.json {
        document::print(ctx, &diff)?;
    } else {
        print(ctx, &diff, n_bytes)?;
    }
    if args.exit_code && !diff.is_same {
        return Err(Passed(1).into());
    }
    Ok(())
}

fn print(ctx: &Ctx, diff: &Diff, n_bytes: u64) -> Result<()> {
    let images = [("-", &diff.old), ("+", &diff.new)];
    for (sign, image) in images {
        ctx.ui.data(format!(
            "{sign} {}, {} in {}\n  manifest {}\n  config   {}",
            image.name,
            text::bytes(image.size_bytes),
            text::count(image.n_blobs, "blob"),
            image.manifest_digest,
            image.config_digest
        ))?;
    }
    ctx.ui.data("")?;
    if diff.is_same {
        let (old, new) = (&diff.old, &diff.new);
        let same = if old.manifest_digest == new.manifest_digest {
            "the same image"
        } else if old.config_digest == new.config_digest {
            "the same image, described or compressed otherwise"
        } else {
            "the same blobs and settings; they lie in another order, or the history differs"
        };
        return Ok(ctx.ui.data(same)?);
    }
    ctx.ui.data(changes::settings(&diff.settings))?;
    match &diff.packages {
        Some(packages) => ctx.ui.data(changes::packages(packages))?,
        None => ctx.ui.data("packages  not recorded in one of the images")?,
    }
    ctx.ui.data(changes::blobs(&diff.blobs))?;
    match &diff.files {
        Some(files) => ctx.ui.data(changes::files(files))?,
        None => ctx.ui.data(format!(
            "files     not read; `--files` reads {} for it",
            text::bytes(n_bytes)
        ))?,
    }
    Ok(())
}
