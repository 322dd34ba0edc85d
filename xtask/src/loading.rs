//! An image goes from the store into a container engine, and no archive is written.

use std::cell::Cell;
use std::time::Instant;

use anyhow::Result;
use comfy_image::stream::write_docker_archive;

use crate::ctx::Ctx;
use crate::document::Loaded;
use crate::exit::from_image;
use crate::interruptible::Interruptible;
use crate::realize::Realized;
use crate::transfer::Transfer;
use factory_base::text;
use factory_verify::engine::Engine;

/// Streams an image into an engine, unless the engine has it.
pub(crate) fn load(ctx: &Ctx, engine: &Engine, realized: &Realized) -> Result<Loaded> {
    let start = Instant::now();
    let image = &realized.image;
    let already = engine.find_image(image)?.is_some();
    if already {
        ctx.ui.step(
            "Loaded",
            format!("{} is already in {engine}", image.reference),
        );
    } else {
        let transfer = Transfer::start(
            &ctx.ui,
            "Loading",
            &image.reference.to_string(),
            image.size_bytes,
        );
        let written = Cell::new(0);
        let fed = engine.load(|stdin| {
            let mut stdin = Interruptible {
                cancel: ctx,
                inner: stdin,
            };
            let progress = |n_bytes| {
                written.set(written.get() + n_bytes);
                transfer.advance(n_bytes);
            };
            write_docker_archive(
                image,
                None,
                realized.nix.store_root(),
                &mut stdin,
                &progress,
            )
            .map_err(from_image)
        });
        transfer.finish();
        ctx.check_interrupted()?;
        fed?;
        let took = start.elapsed();
        ctx.ui.step(
            "Loaded",
            format!(
                "{} into {engine}, {} in {}",
                image.reference,
                text::bytes(written.get()),
                text::elapsed(took)
            ),
        );
    }
    Ok(Loaded {
        engine: engine.to_string(),
        already,
        seconds: start.elapsed().as_secs_f64(),
    })
}
