//! `update-locks`: reads the lists, resolves what changed, writes the locks, prints the difference.

use anyhow::Result;

use crate::cli::UpdateLocksArgs;
use crate::ctx::Ctx;
use crate::{debian, python};

pub(crate) fn run(ctx: &Ctx, args: &UpdateLocksArgs) -> Result<()> {
    let updates = debian::update(
        ctx,
        &debian::Options {
            upgrade: args.upgrade,
            upgrade_packages: args.upgrade_package.iter().cloned().collect(),
            allow_expired: args.allow_expired.clone(),
        },
    )?;
    for update in &updates {
        if !args.dry_run && update.old.as_ref() != Some(&update.new) {
            let path = ctx.locks().join(format!("debian/{}.toml", update.name));
            crate::fs::write_atomic(&path, update.text()?.as_bytes())?;
            ctx.ui.step("Locked", path.display().to_string());
        }
    }
    let (old, new) = python::update_sources(ctx)?;
    if !args.dry_run && old.as_ref() != Some(&new) {
        crate::fs::write_atomic(&ctx.locks().join("sources.toml"), new.as_bytes())?;
    }
    let updates = python::update(
        ctx,
        &python::Options {
            variants: args.variants.clone(),
            upgrade: args.upgrade,
            upgrade_packages: args.upgrade_package.iter().cloned().collect(),
        },
    )?;
    for update in &updates {
        if !args.dry_run && update.old.as_ref() != Some(&update.new) {
            let path = ctx.locks().join(format!("python/{}.toml", update.name));
            crate::fs::write_atomic(&path, update.text()?.as_bytes())?;
            ctx.ui.step("Locked", path.display().to_string());
        }
    }
    Ok(())
}
