//! `load`: the image goes from the store into a container engine.

use anyhow::Result;

use crate::cli::LoadArgs;
use crate::ctx::Ctx;
use crate::document::{self, Load};
use crate::loading;
use crate::realize;
use factory_base::error;
use factory_verify::engine::Engine;

pub(super) fn run(ctx: &Ctx, args: &LoadArgs) -> Result<()> {
    let selection = realize::selection(ctx, &args.variant, &args.layer, None)?;
    let engine = match args.into.engine {
        Some(kind) => Engine::require(kind.into())?,
        None => Engine::first()?.ok_or_else(|| {
            error::environment(
                "no container engine answers: neither `docker info` nor `podman info` succeeds",
            )
            .hint("write the image without one: `cargo xtask stream --oci-layout DIR`")
        })?,
    };
    let realized = realize::realize(ctx, selection.or(&args.instead))?;
    let loaded = loading::load_via(ctx, &engine, &realized, args.into.via)?;
    let image = &realized.image;
    if !ctx.json {
        ctx.ui.data(image.reference.to_string())?;
        return Ok(());
    }
    let load = Load {
        reference: image.reference.to_string(),
        config_digest: image.config.digest.to_string(),
        loaded,
    };
    document::print(ctx, &load)
}
