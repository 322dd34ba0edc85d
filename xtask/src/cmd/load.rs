//! `load`: the image goes from the store into a container engine, and no archive is written.

use std::cell::Cell;
use std::io::{self, Write};
use std::time::Instant;

use anyhow::Result;
use comfy_image::stream::write_docker_archive;
use serde::Serialize;
use serde_json::json;

use super::realize::{self, Realized, from_image};
use crate::cli::LoadArgs;
use factory_base::ctx::Ctx;
use factory_base::error;
use factory_base::ui::{self, Transfer};
use factory_verify::engine::Engine;

/// What loading did.
#[derive(Debug, Clone, Serialize)]
pub(super) struct Loaded {
    engine: String,
    /// The engine had this very image.
    already: bool,
    seconds: f64,
}

pub(super) fn run(ctx: &Ctx, args: &LoadArgs) -> Result<()> {
    let selection = realize::selection(ctx, &args.variant, &args.layer, None)?;
    let engine = match args.engine.as_deref() {
        Some(name) => Engine::require(name.parse()?)?,
        None => Engine::first()?.ok_or_else(|| {
            error::environment(
                "no container engine answers: neither `docker info` nor `podman info` succeeds",
            )
            .hint("write the image without one: `cargo xtask stream --oci-layout DIR`")
        })?,
    };
    let realized = realize::realize(ctx, selection)?;
    let loaded = load(ctx, &engine, &realized)?;
    let image = &realized.image;
    if ctx.json {
        let document = json!({
            "schema_version": 1,
            "reference": image.reference.to_string(),
            "config_digest": image.config.digest.to_string(),
            "loaded": loaded,
        });
        ctx.ui.data(document.to_string())?;
    } else {
        ctx.ui.data(image.reference.to_string())?;
    }
    Ok(())
}

/// Streams an image into an engine, unless the engine has it.
pub(super) fn load(ctx: &Ctx, engine: &Engine, realized: &Realized) -> Result<Loaded> {
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
            let mut stdin = Interruptible { ctx, inner: stdin };
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
                ui::bytes(written.get()),
                ui::elapsed(took)
            ),
        );
    }
    Ok(Loaded {
        engine: engine.to_string(),
        already,
        seconds: start.elapsed().as_secs_f64(),
    })
}

/// Ends a long stream soon after the user asks to stop.
pub(super) struct Interruptible<'a, W: Write + ?Sized> {
    pub(super) ctx: &'a Ctx,
    pub(super) inner: &'a mut W,
}

impl<W: Write + ?Sized> Write for Interruptible<'_, W> {
    fn write(&mut self, buffer: &[u8]) -> io::Result<usize> {
        if self.ctx.is_interrupted() {
            return Err(io::Error::other("interrupted"));
        }
        self.inner.write(buffer)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.inner.flush()
    }
}
