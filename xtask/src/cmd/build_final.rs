//! `build-final`: the whole image, into the first container engine that answers.

use anyhow::Result;

use crate::built;
use crate::cli::BuildFinalArgs;
use crate::ctx::Ctx;
use crate::dry_run;
use crate::loading;
use crate::realize;
use crate::reproducible;
use factory_model::layer;
use factory_verify::engine::Engine;

pub(super) fn run(ctx: &Ctx, args: &BuildFinalArgs) -> Result<()> {
    let selection = realize::selection(ctx, &args.variant, layer::LAST, args.build.jobs)?;
    let selection = selection.or(&args.instead);
    if args.dry_run {
        return dry_run::run(ctx, &selection);
    }
    // An engine that was asked for by name is checked before hours of building.
    let engine = match (args.no_load, args.into.engine) {
        (true, _) => None,
        (false, Some(kind)) => Some(Engine::require(kind.into())?),
        (false, None) => Engine::first()?,
    };
    let realized = realize::realize(ctx, selection)?;
    if args.build.check_reproducible {
        reproducible::check(ctx, &realized)?;
    }
    let loaded = engine
        .as_ref()
        .map(|engine| loading::load_via(ctx, engine, &realized, args.into.via))
        .transpose()?;
    if loaded.is_none() && !args.no_load {
        let variant = realized.selection.variant.arguments();
        ctx.ui.status(format!(
            "No container engine answers here, so the image is not loaded. To use it:\n  \
             cargo xtask stream {variant} | docker load\n  \
             cargo xtask stream {variant} | podman load\n  \
             cargo xtask stream {variant} --oci-layout DIR"
        ));
    }
    built::report(ctx, &realized, loaded)
}
